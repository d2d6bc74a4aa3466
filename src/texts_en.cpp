// SPDX-License-Identifier: Apache-2.0
// English, which every other language is a translation of.
#include "oidc/page_texts.hpp"

namespace oidc {

constexpr PageTexts kTextsEn{
    .problem = "Sign-in problem",
    .signed_out_title = "Signed out",
    .one_moment = "One moment",
    .sign_in = "Sign in",
    .sign_in_again = "Sign in again",
    .sign_out = "Sign out",
    .sign_out_there = "Sign out there as well",
    .start_again = "Start again",
    .go_on = "Continue",
    .reference = "Reference for your administrator:",
    .signed_out = "You are signed out.",
    .close_browser = "On a computer that others use as well, close the browser now.",
    .signed_out_here = "You are signed out here.",
    .one_more_step = "One more step signs you out of the sign-in service as well.",
    .to_sign_in = "Taking you to the sign-in page",
    .to_page = "Taking you to the page",
    .if_nothing = "If nothing happens, use this button.",
    .choose = "Choose your account",
    .choose_why =
        "More than one sign-in service leads here. Use the one that you have an account at.",
    .used_last = "used last",
    .email = "E-mail address",
    .email_unknown =
        "No sign-in service belongs to this address. Check it, or choose from the list.",
    .login_required = {"You are not signed in, or your last sign-in has ended. What you have just "
                       "sent, if anything, did not arrive.",
                       "If you filled in a form, go back first: your browser often still has what "
                       "you entered. Then sign in, and send it again."},
    .insufficient = {"This page wants a more recent or a stronger sign-in than yours. What you "
                     "have just sent, if anything, did not arrive.",
                     "If you filled in a form, go back first: your browser often still has what "
                     "you entered. Then sign in again, and send it again."},
    .cross_origin = {"A page of another website has had your browser send it. It did not arrive.",
                     "If you meant to do this, open this site and do it there. If it happens on a "
                     "website that you trust, tell your administrator."},
    .logout_cross_site = {"A link or a form on another website led here. You are still signed in.",
                          "If you want to sign out, use the button."},
    .initiation = {"Another website, such as a page of your sign-in service, has sent you here "
                   "with a link that does not fit this site.",
                   "Open this site itself and sign in there. If you need the link, tell your "
                   "administrator where it stands."},
    .access_denied = {"You have cancelled, or your sign-in service does not let this account in.",
                      "Start again to use another account. If you should have access, ask your "
                      "administrator for it."},
    .stronger = {"Your sign-in service let you in without it.",
                 "Set up a second factor at your sign-in service and start again. If you have one "
                 "and were not asked for it, tell your administrator."},
    .auth_time = {"Your sign-in service did not ask you to sign in anew.",
                  "Sign out at your sign-in service and start again. If it happens again, tell "
                  "your administrator."},
    .account = {"Everything works, but this account was not let in.",
                "If you have several accounts, try again with another one. If you should have "
                "access, ask your administrator for it."},
    .browser = {"This happens when a sign-in is left open for a long time, is continued from a "
                "bookmark or with the Back button, or when the browser blocks cookies.",
                "Start again in one tab, with cookies allowed for this site."},
    .provider =
        "This site asked your sign-in service who you are, and got no answer that it could accept. "
        "You have not been signed in here.",
    .wait = "Wait a minute and start again. If it happens again, tell your administrator.",
    .no_use_waiting =
        "Start again once. If it happens again, waiting will not help: tell your administrator.",
    .misfit = {"This site and your sign-in service do not fit together as they are set up. You "
               "have not done anything wrong.",
               "Tell your administrator, who can put it right."},
    .server = "The request could not be finished. You have not done anything wrong.",
    .sign_in_there_title = "Your sign-in service needs you first.",
    .sign_in_there = {"Your sign-in service wants to ask you something first, for instance to sign "
                      "in, to choose an account or to agree, and was not allowed to.",
                      "Open your sign-in service in another tab and sign in there. Then start "
                      "again. If it happens again, tell your administrator."},
    .stronger_there = {"Your sign-in service cannot sign you in that way.",
                       "Set up a second factor at your sign-in service and start again. If you "
                       "have one, tell your administrator."},
    .later_title = "Your sign-in service is not available right now.",
    .later = {"It is overloaded, or closed for maintenance. Your account is not the reason.",
              "Wait a few minutes and start again."},
    .again_later_title = "Something went wrong at your sign-in service.",
    .again_later =
        "It says so itself. You have not done anything wrong, and you have not been signed in "
        "here.",
    .not_taken_title = "Your sign-in service did not take the request of this site.",
};

}  // namespace oidc
