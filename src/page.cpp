// SPDX-License-Identifier: Apache-2.0
#include "oidc/page.hpp"

#include <array>

#include "oidc/crypto.hpp"
#include "oidc/encode.hpp"
#include "oidc/logout.hpp"
#include "oidc/page_texts.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

// The whole look of our pages. It is constant, so that the content security policy can name its
// hash.
constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --ground: #f3f4f6; --card: #fff; --text: #1c2430; --soft: #566171;
  --line: #dfe3e8; --link: #1f5fbf; --button: #1f5fbf; --on-button: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171c; --card: #1e2229; --text: #e7eaee; --soft: #a3adba; --line: #343b46;
    --link: #8ab4f8; --button: #8ab4f8; --on-button: #14171c; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: flex; align-items: center; justify-content: center;
  padding: 1.5rem; background: var(--ground); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { width: 100%; max-width: 38em; padding: 2rem 2.25rem 2.25rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; overflow-wrap: anywhere; }
h1 { margin: 0 0 .75rem; font-size: 1.45rem; line-height: 1.3; font-weight: 650; }
p { margin: 0 0 .75rem; }
main > :last-child { margin-bottom: 0; }
.soft { color: var(--soft); }
.go { display: inline-block; margin-top: .5rem; padding: .55rem 1.1rem; border-radius: .5rem;
  background: var(--button); color: var(--on-button); text-decoration: none; font-weight: 600; }
button.go { border: 0; font: inherit; font-weight: 600; cursor: pointer; }
.go:hover, .go:focus-visible { text-decoration: underline; }
.go:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.reference { margin: 1.5rem 0 0; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: .875rem; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; color: var(--text); }
@media (max-width: 30em) { main { padding: 1.5rem 1.25rem; } }
)";

// Constant for the same reason: what varies stands in data attributes. A fragment that is too long
// is dropped, and so is one that an earlier login left in the cookie. Together they stay below
// kMaxFragmentCookies: the first that a browser lists is the oldest.
constexpr std::string_view kFragmentScript = R"(
(function () {
  'use strict';
  var data = document.currentScript.dataset;
  var value = encodeURIComponent(location.hash);
  var keep = location.hash.length > 1 && value.length <= 900;
  function set(name, text) {
    document.cookie = name + '=' + text + '; Path=/; SameSite=Lax; Max-Age=' +
      (text ? '600' : '0') + (data.secure === '1' ? '; Secure' : '') +
      (data.domain ? '; Domain=' + data.domain : '');
  }
  var size = data.cookie.length + value.length + 3;
  var others = document.cookie.split('; ').filter(function (pair) {
    return pair.indexOf(data.cookie.slice(0, -1)) === 0 && pair.indexOf(data.cookie + '=') !== 0;
  });
  others.forEach(function (pair) { size += pair.length + 2; });
  while (keep && size > 1000 && others.length) {
    size -= others[0].length + 2;
    set(others.shift().split('=')[0], '');
  }
  set(data.cookie, keep ? value : '');
  location.replace(data.url);
})();
)";

// Of the page on which people choose their provider alone, for the others to stay small.
constexpr std::string_view kChoiceStyle = R"(
ul { margin: 1.25rem 0 0; padding: 0; list-style: none; }
li { margin: 0 0 .6rem; }
.choice { display: flex; align-items: center; gap: .85rem; width: 100%; min-height: 3.5rem;
  padding: .55rem .9rem; border: 1px solid var(--edge); border-radius: .5rem;
  background: var(--card); color: var(--text); font: inherit; text-align: start; cursor: pointer; }
.choice img { flex: none; width: 2.25rem; height: 2.25rem; padding: .2rem; border-radius: .35rem;
  background: #fff; object-fit: contain; }
.choice b { font-weight: 600; }
.choice small { flex: none; margin-inline-start: auto; color: var(--soft); font-size: .875rem; }
.choice:hover { border-color: var(--link); }
.choice:focus-visible, input:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.by-email { margin-top: 1.5rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
label { display: block; margin: 0 0 .35rem; font-weight: 600; }
input { width: 100%; padding: .55rem .75rem; border: 1px solid var(--edge); border-radius: .5rem;
  background: var(--card); color: var(--text); font: inherit; }
.wrong { margin: .5rem 0 0; color: var(--wrong); font-weight: 600; }
:root { --edge: #79838f; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --edge: #8b95a3; --wrong: #f2b8b5; } }
)";

// What stands behind the "#" never came to the server: it goes along from here.
constexpr std::string_view kChoiceScript = R"(
(function () {
  'use strict';
  var hash = location.hash;
  if (hash.length < 2 || hash.length > 900) { return; }
  document.querySelectorAll('input[name=return_to]').forEach(function (field) {
    if (field.value.indexOf('#') < 0) { field.value += hash; }
  });
})();
)";

// As constant as the other ones.
constexpr std::string_view kSubmitScript = R"(
document.forms[0].submit();
)";

// What goes away by itself: something is down or busy, or has new keys.
constexpr bool waiting_helps(Reason reason) noexcept {
    using enum Reason;
    constexpr std::array kPassing{store_full,     store_unavailable, idp_connect,
                                  idp_timeout,    idp_http,          idp_busy,
                                  token_status,   userinfo_status,   metadata_unavailable,
                                  jwks_invalid,   jwks_unavailable,  jwt_key_unknown,
                                  internal_error, par_status};
    for (const Reason passing : kPassing) {
        if (reason == passing) {
            return true;
        }
    }
    return false;
}

PageWords words_for(const PageTexts& texts, Reason reason, Blame blame) {
    switch (reason) {
        case Reason::login_required:
            return texts.login_required;
        case Reason::insufficient_user_authentication:
            return texts.insufficient;
        case Reason::cross_origin_request:
            return texts.cross_origin;
        case Reason::logout_cross_site:
            return texts.logout_cross_site;
        case Reason::initiation_malformed:
        case Reason::initiation_issuer:
            return texts.initiation;
        case Reason::access_denied:
            return texts.access_denied;
        case Reason::id_token_acr:
            return texts.stronger;
        case Reason::id_token_auth_time:
            return texts.auth_time;
        default:
            break;
    }
    switch (blame) {
        case Blame::user:
            return texts.account;
        case Blame::client:
            return texts.browser;
        case Blame::idp:
            return {texts.provider, waiting_helps(reason) ? texts.wait : texts.no_use_waiting};
        case Blame::config:
            return texts.misfit;
        case Blame::server:
            break;
    }
    return {texts.server, texts.wait};
}

struct Told {
    std::string_view title;
    PageWords words;
};

// What the provider said itself tells more than the reason, which is the same for all of it.
Told told_of(Language language, Reason reason, Blame blame, Advice advice) {
    const PageTexts& texts = page_texts(language);
    switch (advice) {
        case Advice::sign_in_there:
            return {texts.sign_in_there_title, texts.sign_in_there};
        case Advice::stronger_there:
            return {page_title(language, Reason::id_token_acr), texts.stronger_there};
        case Advice::later:
            return {texts.later_title, texts.later};
        case Advice::again_later:
            return {texts.again_later_title, {texts.again_later, texts.wait}};
        case Advice::administrator:
            return {texts.not_taken_title, texts.misfit};
        case Advice::of_reason:
            break;
    }
    return {page_title(language, reason), words_for(texts, reason, blame)};
}

std::string csp_hash(std::string_view text) {
    const Digest digest = sha256(text);
    return "'sha256-" + std::string(base64_encode(as_text(digest)).view()) + "'";
}

// What a page has beside text.
struct Extras {
    std::string_view script;
    std::string_view style;   // beside kStyle
    std::string_view images;  // sources of the content security policy
    // The page may post a form anywhere: a provider sends the browser on to places of its own,
    // which browsers hold to form-action as well.
    bool forms = false;
    PageForm form = PageForm::html;
};

std::string content_security_policy(const Extras& extras) {
    std::string policy = "default-src 'none'; style-src " + csp_hash(kStyle);
    if (!extras.style.empty()) {
        policy += " " + csp_hash(extras.style);
    }
    if (!extras.script.empty()) {
        policy += "; script-src " + csp_hash(extras.script);
    }
    if (!extras.images.empty()) {
        policy.append("; img-src ").append(extras.images);
    }
    policy.append("; frame-ancestors ")
        .append(extras.form == PageForm::framed ? "'self'" : "'none'");
    policy += "; base-uri 'none'";
    return extras.forms ? policy : policy + "; form-action 'none'";
}

// The language is the reader's choice, so an answer to somebody else is another.
void set_language(Respond& respond, Language language) {
    respond.headers.push_back({"Content-Language", std::string(tag_of(language))});
    respond.headers.push_back({"Vary", "Accept-Language"});
    respond.body.append("<!doctype html>\n<html lang=\"")
        .append(tag_of(language))
        .append("\" dir=\"")
        .append(direction_of(language))
        .append("\">\n");
}

// `head` and `body` are markup.
void set_html(Respond& respond, Language language, std::string_view title, std::string_view head,
              std::string_view body, const Extras& extras = {}) {
    respond.headers.push_back({"Content-Type", "text/html; charset=utf-8"});
    respond.headers.push_back({"Content-Security-Policy", content_security_policy(extras)});
    set_language(respond, language);
    respond.body.append("<head>\n<meta charset=\"utf-8\">\n")
        .append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .append("<meta name=\"robots\" content=\"noindex\">\n<title>")
        .append(html_escape(title))
        .append("</title>\n<style>")
        .append(kStyle)
        .append("</style>\n");
    if (!extras.style.empty()) {
        respond.body.append("<style>").append(extras.style).append("</style>\n");
    }
    respond.body.append(head)
        .append("</head>\n<body>\n<main>\n")
        .append(body)
        .append("</main>\n</body>\n</html>\n");
}

void set_json(Respond& respond, std::string body) {
    respond.headers.push_back({"Content-Type", "application/json"});
    respond.body = std::move(body);
}

// To the provider's servers.
Respond bare_answer(int status) {
    Respond respond;
    respond.status = status;
    add_common_headers(respond);
    if (status == 503) {
        respond.headers.push_back({"Retry-After", "10"});
    }
    return respond;
}

// RFC 8935 2.4.
std::string_view signal_error_code(Reason reason) noexcept {
    switch (reason) {
        case Reason::signal_bearer:
            return "authentication_failed";
        case Reason::signal_alg:
        case Reason::signal_signature:
            return "invalid_key";
        case Reason::signal_iss:
            return "invalid_issuer";
        case Reason::signal_aud:
            return "invalid_audience";
        default:
            return "invalid_request";
    }
}

std::string element(std::string_view name, std::string_view attributes, std::string_view text) {
    std::string out = "<";
    out.append(name).append(attributes).append(">").append(html_escape(text)).append("</");
    return out.append(name).append(">\n");
}

std::string button(std::string_view url, std::string_view text, PageForm form = PageForm::html) {
    std::string attributes = " class=\"go\" href=\"" + html_escape(url) + "\"";
    if (form == PageForm::framed) {
        attributes += " target=\"_top\"";  // no provider is signed in to in a frame
    }
    return "<p>" + element("a", attributes, text) + "</p>\n";
}

// Nothing went wrong: who may see the page is the question.
bool is_about_the_page(Reason reason) noexcept {
    return reason == Reason::not_permitted || reason == Reason::cross_origin_request ||
           reason == Reason::login_required || reason == Reason::insufficient_user_authentication;
}

std::string_view label_of_link(const PageTexts& texts, Reason reason) noexcept {
    if (reason == Reason::logout_cross_site) {
        return texts.sign_out;
    }
    return is_about_the_page(reason) && reason != Reason::not_permitted ? texts.sign_in
                                                                        : texts.start_again;
}

std::string json_refusal(Reason reason, std::string_view reference) {
    const ReasonInfo& info = reason_info(reason);
    std::string body =
        "{\"error\":" + json_quote(info.code) + ",\"message\":" + json_quote(info.title);
    if (!reference.empty()) {
        body += ",\"reference\":" + json_quote(reference);
    }
    return body;  // the caller closes the object
}

}  // namespace

void add_common_headers(Respond& respond) {
    respond.headers.push_back({"Cache-Control", "no-store"});
    respond.headers.push_back({"X-Content-Type-Options", "nosniff"});
    respond.headers.push_back({"Referrer-Policy", "no-referrer"});
}

Respond error_page(Reason reason, std::string_view reference, std::string_view start_again,
                   PageForm form, Language language, Advice advice, std::string_view told,
                   std::string_view origin) {
    const ReasonInfo& info = reason_info(reason);
    Respond respond;
    respond.status = info.status;
    add_common_headers(respond);
    if (info.status == 503) {
        respond.headers.push_back({"Retry-After", "10"});
    }
    if (form == PageForm::json) {
        std::string json = json_refusal(reason, reference);
        if (!told.empty()) {
            json += ",\"detail\":" + json_quote(told);
        }
        set_json(respond, json + "}\n");
        return respond;
    }
    const PageTexts& texts = page_texts(language);
    const Told page = told_of(language, reason, info.blame, advice);
    std::string body = element("h1", "", page.title) + element("p", "", page.words.happened) +
                       element("p", " class=\"soft\"", page.words.try_this);
    if (is_safe_return_target(start_again)) {
        body += button(std::string(origin).append(start_again), label_of_link(texts, reason), form);
    }
    if (!told.empty()) {
        body += element("p", " class=\"reference\" lang=\"en\"", told);
    }
    if (!reference.empty()) {
        body.append("<p class=\"reference\">")
            .append(html_escape(texts.reference))
            .append(" <code>")
            .append(html_escape(reference))
            .append("</code></p>\n");
    }
    const std::string_view title =
        is_about_the_page(reason) ? page_title(language, reason) : std::string_view(texts.problem);
    Extras extras;
    extras.form = form;
    set_html(respond, language, title, {}, body, extras);
    return respond;
}

Respond login_required(std::string_view login_url, std::string_view page, PageForm form,
                       Language language) {
    if (form != PageForm::json) {
        return error_page(Reason::login_required, {}, page, form, language);
    }
    Respond respond;
    respond.status = reason_info(Reason::login_required).status;
    add_common_headers(respond);
    std::string body = json_refusal(Reason::login_required, {});
    if (!login_url.empty()) {
        body += ",\"login_url\":" + json_quote(login_url);
    }
    set_json(respond, body + "}\n");
    return respond;
}

Respond signed_out_page(std::string_view login, Language language) {
    const PageTexts& texts = page_texts(language);
    Respond respond;
    respond.status = 200;
    add_common_headers(respond);
    std::string body =
        element("h1", "", texts.signed_out) + element("p", " class=\"soft\"", texts.close_browser);
    if (is_safe_return_target(login)) {
        body += button(login, texts.sign_in_again);
    }
    set_html(respond, language, texts.signed_out_title, {}, body);
    return respond;
}

Respond end_session_page(const EndSession& target, Language language) {
    const PageTexts& texts = page_texts(language);
    Respond respond;
    respond.status = 200;
    add_common_headers(respond);
    std::string body = element("h1", "", texts.signed_out_here) +
                       element("p", " class=\"soft\"", texts.one_more_step);
    if (target.fields.empty()) {
        body += button(target.url, texts.sign_out_there);
        set_html(respond, language, texts.signed_out_title, {}, body);
        return respond;
    }
    body += "<form method=\"post\" action=\"" + html_escape(target.url) + "\">\n";
    for (const Header& field : target.fields) {
        body += "<input type=\"hidden\" name=\"" + html_escape(field.name) + "\" value=\"" +
                html_escape(field.value) + "\">\n";
    }
    body += element("button", " class=\"go\"", texts.go_on) + "</form>\n<script>";
    body.append(kSubmitScript).append("</script>\n");
    Extras extras;
    extras.script = kSubmitScript;
    extras.forms = true;
    set_html(respond, language, texts.signed_out_title, {}, body, extras);
    return respond;
}

Respond frontchannel_page(Language language) {
    Respond respond;
    respond.status = 200;
    add_common_headers(respond);
    respond.headers.push_back({"Content-Type", "text/html; charset=utf-8"});
    respond.headers.push_back(
        {"Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'"});
    set_language(respond, language);
    respond.body += "<meta charset=\"utf-8\">\n" +
                    element("title", "", page_texts(language).signed_out_title) + "</html>\n";
    return respond;
}

Respond backchannel_page() {
    return bare_answer(200);
}

Respond backchannel_refusal(const Error& error) {
    const ReasonInfo& info = reason_info(error.reason);
    Respond respond = bare_answer(info.status);
    std::string body = "{\"error\":";
    body.append(info.status < 500 ? "\"invalid_request\"" : "\"server_error\"")
        .append(",\"error_description\":")
        .append(json_quote(info.title));
    set_json(respond, body + "}\n");
    return respond;
}

Respond signal_page() {
    return bare_answer(202);
}

Respond signal_refusal(const Error& error) {
    const ReasonInfo& info = reason_info(error.reason);
    Respond respond = bare_answer(info.status);
    // No error of the list is about the recipient.
    if (info.status < 500) {
        respond.headers.push_back({"Content-Language", "en"});
        std::string body = "{\"err\":";
        body.append(json_quote(signal_error_code(error.reason)))
            .append(",\"description\":")
            .append(json_quote(info.title));
        set_json(respond, body + "}\n");
    }
    return respond;
}

Respond fragment_page(std::string_view authorization_url, std::string_view cookie_name,
                      const CookieAttributes& cookie, Language language) {
    const PageTexts& texts = page_texts(language);
    Respond respond;
    respond.status = 200;
    add_common_headers(respond);
    const std::string url = html_escape(authorization_url);
    std::string head = "<noscript><meta http-equiv=\"refresh\" content=\"0; url=" + url +
                       "\"></noscript>\n<script data-url=\"" + url + "\" data-cookie=\"" +
                       html_escape(cookie_name) + "\" data-secure=\"" +
                       (cookie.secure ? "1" : "0") + "\" data-domain=\"" +
                       html_escape(cookie.domain) + "\">";
    head.append(kFragmentScript).append("</script>\n");
    const std::string body = element("h1", "", texts.to_sign_in) +
                             element("p", " class=\"soft\"", texts.if_nothing) +
                             button(authorization_url, texts.go_on);
    Extras extras;
    extras.script = kFragmentScript;
    set_html(respond, language, texts.sign_in, head, body, extras);
    return respond;
}

Respond onward_page(std::string_view target, Language language, std::string_view origin) {
    if (!is_safe_return_target(target)) {
        // A bug of the caller.
        return error_page(Reason::internal_error, {}, {}, PageForm::html, language);
    }
    const PageTexts& texts = page_texts(language);
    const std::string url = std::string(origin).append(target);
    Respond respond;
    respond.status = 200;
    add_common_headers(respond);
    const std::string head =
        "<meta http-equiv=\"refresh\" content=\"0; url=" + html_escape(url) + "\">\n";
    const std::string body = element("h1", "", texts.to_page) +
                             element("p", " class=\"soft\"", texts.if_nothing) +
                             button(url, texts.go_on);
    set_html(respond, language, texts.one_moment, head, body);
    return respond;
}

namespace {

std::string hidden_field(std::string_view name, std::string_view value) {
    return "<input type=\"hidden\" name=\"" + html_escape(name) + "\" value=\"" +
           html_escape(value) + "\">\n";
}

// A form that posts where `return_to` leads to.
std::string choice_form(const ChoicePage& page, std::string_view attributes) {
    return "<form method=\"post\" action=\"" + html_escape(page.action) + "\"" +
           std::string(attributes) + ">\n" + hidden_field("return_to", page.return_to);
}

std::string choice_button(const ProviderOption& option, bool last, const PageTexts& texts) {
    std::string out = "<li><button class=\"choice\" name=\"provider\" value=\"" +
                      html_escape(option.name) + "\">";
    if (!option.logo.empty()) {
        out += "<img src=\"" + html_escape(option.logo) + "\" alt=\"\">";
    }
    out += "<b>" + html_escape(option.title) + "</b>";
    if (last) {
        out += " <small>" + html_escape(texts.used_last) + "</small>";
    }
    return out + "</button></li>\n";
}

std::string email_form(const ChoicePage& page, const PageTexts& texts) {
    std::string out = choice_form(page, " class=\"by-email\"");
    out += element("label", " for=\"email\"", texts.email);
    out +=
        "<input type=\"email\" id=\"email\" name=\"email\" maxlength=\"254\" "
        "autocomplete=\"email\" required";
    out += page.email_unknown ? " aria-invalid=\"true\" aria-describedby=\"wrong\" autofocus>\n"
                              : ">\n";
    if (page.email_unknown) {
        out += element("p", " class=\"wrong\" id=\"wrong\" role=\"alert\"", texts.email_unknown);
    }
    return out + "<p>" + element("button", " class=\"go\"", texts.go_on) + "</p>\n</form>\n";
}

}  // namespace

Respond choice_page(const ChoicePage& page, Language language) {
    const PageTexts& texts = page_texts(language);
    Respond respond;
    respond.status = 200;
    add_common_headers(respond);
    bool files = false;
    bool inlined = false;
    std::string body = element("h1", "", texts.choose) +
                       element("p", " class=\"soft\"", texts.choose_why) + choice_form(page, "") +
                       "<ul role=\"list\">\n";
    for (const ProviderOption& option : page.choice->options) {
        body += choice_button(option, option.name == page.last, texts);
        const bool in_page = option.logo.starts_with("data:");
        inlined = inlined || in_page;
        files = files || (!in_page && !option.logo.empty());
    }
    body += "</ul>\n</form>\n";
    if (page.choice->by_email()) {
        body += email_form(page, texts);
    }
    body.append("<script>").append(kChoiceScript).append("</script>\n");
    for (Header& header : respond.headers) {
        if (header.name == "Referrer-Policy") {
            // With no-referrer the form would say that it comes from nowhere ("Origin: null").
            header.value = "same-origin";
        }
    }
    Extras extras;
    extras.script = kChoiceScript;
    extras.style = kChoiceStyle;
    extras.forms = true;
    extras.images = files ? (inlined ? "'self' data:" : "'self'") : (inlined ? "data:" : "");
    set_html(respond, language, texts.sign_in, {}, body, extras);
    return respond;
}

Respond redirect(int status, std::string_view location) {
    if ((status != 302 && status != 303) || location.empty() || has_control_bytes(location)) {
        // A bug of the caller. Better no answer of use than a header that was split in two.
        return error_page(Reason::internal_error, {}, {}, PageForm::html, Language::en);
    }
    Respond respond;
    respond.status = status;
    respond.headers.reserve(6);  // with two cookies
    add_common_headers(respond);
    respond.headers.push_back({"Location", std::string(location)});
    return respond;
}

}  // namespace oidc
