// SPDX-License-Identifier: Apache-2.0
// What the pages say, in every language: constants. The files src/texts_*.cpp have one language
// each. A text that is missing, empty or holds markup does not compile.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "oidc/language.hpp"
#include "oidc/result.hpp"

namespace oidc {

// Plain text in UTF-8, one sentence or more. There is none by default.
class PageText {
  public:
    constexpr PageText(std::string_view text) : text_(text) {  // NOLINT: implicit
        if (text.empty() || text.find_first_of("<>&{}%\"") != std::string_view::npos) {
            throw "a text of a page is empty or holds markup";  // never: all of them are constexpr
        }
    }
    constexpr PageText(const char* text) : PageText(std::string_view(text)) {}  // NOLINT: implicit
    constexpr operator std::string_view() const noexcept { return text_; }      // NOLINT: implicit

  private:
    std::string_view text_;
};

// What happened, and what to try.
struct PageWords {
    PageText happened;
    PageText try_this;
};

struct PageTexts {
    // Titles of windows that are not the heading as well.
    PageText problem;
    PageText signed_out_title;
    PageText one_moment;
    // Buttons. sign_in is also the title of the page that leads to the provider.
    PageText sign_in;
    PageText sign_in_again;
    PageText sign_out;
    PageText sign_out_there;
    PageText start_again;
    PageText go_on;
    // In front of the reference; with its colon, which languages set in different ways.
    PageText reference;
    // Pages without an error.
    PageText signed_out;
    PageText close_browser;
    PageText signed_out_here;
    PageText one_more_step;
    PageText to_sign_in;
    PageText to_page;
    PageText if_nothing;
    // The choice of a provider.
    PageText choose;
    PageText choose_why;
    PageText used_last;
    PageText email;
    PageText email_unknown;
    // By reason.
    PageWords login_required;
    PageWords insufficient;
    PageWords cross_origin;
    PageWords logout_cross_site;
    PageWords initiation;
    PageWords access_denied;
    PageWords stronger;
    PageWords auth_time;
    // By whose move it is.
    PageWords account;
    PageWords browser;
    PageText provider;
    PageText wait;
    PageText no_use_waiting;
    PageWords misfit;
    PageText server;
    // By what the provider's own error is about: a heading, where the reason's does not serve.
    PageText sign_in_there_title;
    PageWords sign_in_there;
    PageWords stronger_there;
    PageText later_title;
    PageWords later;
    PageText again_later_title;
    PageText again_later;
    PageText not_taken_title;
};

// The headings of the reasons, in the order of the enum. English's are those of reason_info().
struct PageTitle {
    Reason reason;
    PageText text;
};
using PageTitles = std::array<PageTitle, static_cast<std::size_t>(Reason::count_)>;

constexpr bool are_in_order(const PageTitles& titles) noexcept {
    for (std::size_t i = 0; i < titles.size(); ++i) {
        if (static_cast<std::size_t>(titles[i].reason) != i) {
            return false;
        }
    }
    return true;
}

extern const PageTexts kTextsEn;
extern const PageTexts kTextsDe;
extern const PageTitles kTitlesDe;
extern const PageTexts kTextsFr;
extern const PageTitles kTitlesFr;
extern const PageTexts kTextsEs;
extern const PageTitles kTitlesEs;
extern const PageTexts kTextsPl;
extern const PageTitles kTitlesPl;
extern const PageTexts kTextsIt;
extern const PageTitles kTitlesIt;
extern const PageTexts kTextsNl;
extern const PageTitles kTitlesNl;
extern const PageTexts kTextsPt;
extern const PageTitles kTitlesPt;

// Total over their enums; never fail.
const PageTexts& page_texts(Language language) noexcept;
std::string_view page_title(Language language, Reason reason) noexcept;

}  // namespace oidc
