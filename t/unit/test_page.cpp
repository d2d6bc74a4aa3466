// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "oidc/crypto.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/logout.hpp"
#include "oidc/page.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::Registration;

static std::string header(const Respond& respond, std::string_view name) {
    std::string found = "(none)";
    int count = 0;
    for (const Header& header : respond.headers) {
        if (header.name == name) {
            found = header.value;
            ++count;
        }
    }
    ck_assert_int_le(count, 1);
    return found;
}

static void assert_common_headers(const Respond& respond) {
    ck_assert_sv_eq(header(respond, "Cache-Control"), "no-store");
    ck_assert_sv_eq(header(respond, "X-Content-Type-Options"), "nosniff");
    ck_assert_sv_eq(header(respond, "Referrer-Policy"), "no-referrer");
    ck_assert_sv_eq(header(respond, "WWW-Authenticate"), "(none)");
}

// The text between two marks, both of which must exist.
static std::string between(std::string_view text, std::string_view from, std::string_view to) {
    const std::size_t start = text.find(from);
    ck_assert(start != std::string_view::npos);
    const std::size_t end = text.find(to, start + from.size());
    ck_assert(end != std::string_view::npos);
    return std::string(text.substr(start + from.size(), end - start - from.size()));
}

static std::string hash_of(std::string_view text) {
    const Digest digest = sha256(text);
    return "'sha256-" + std::string(base64_encode(as_text(digest)).view()) + "'";
}

// The policy allows exactly what the page has inline, and nothing else.
static void assert_html(const Respond& respond) {
    assert_common_headers(respond);
    ck_assert_sv_eq(header(respond, "Content-Type"), "text/html; charset=utf-8");
    const std::string policy = header(respond, "Content-Security-Policy");
    ck_assert_sv_contains(policy, "default-src 'none'; ");
    ck_assert_sv_contains(policy, "; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
    ck_assert_sv_contains(
        policy, "style-src " + hash_of(between(respond.body, "<style>", "</style>")) + ";");
    ck_assert_sv_lacks(policy, "unsafe");
    ck_assert_sv_contains(respond.body, "<html lang=\"en\" dir=\"ltr\">");
    ck_assert_sv_eq(header(respond, "Content-Language"), "en");
    ck_assert_sv_eq(header(respond, "Vary"), "Accept-Language");
    ck_assert_sv_contains(respond.body, "</html>\n");
    ck_assert_sv_lacks(respond.body, " style=");
    ck_assert_sv_lacks(respond.body, " onclick=");
    ck_assert_sv_lacks(respond.body, "src=");
}

START_TEST(error_pages_for_people) {
    for (unsigned i = 0; i < static_cast<unsigned>(Reason::count_); ++i) {
        const auto reason = static_cast<Reason>(i);
        const ReasonInfo& info = reason_info(reason);
        const Respond page =
            error_page(reason, "ab12-34", "/?x=1&y=2", PageForm::html, Language::en);
        ck_assert_int_eq(page.status, info.status);
        assert_html(page);
        ck_assert_sv_contains(page.body, "<h1>" + std::string(info.title) + "</h1>");
        ck_assert_sv_contains(page.body, "<code>ab12-34</code>");
        ck_assert_sv_contains(page.body, "href=\"/?x=1&amp;y=2\"");
        ck_assert_sv_lacks(page.body, "<script");
        ck_assert_sv_lacks(header(page, "Content-Security-Policy"), "script-src");
        ck_assert_sv_eq(header(page, "Retry-After"), info.status == 503 ? "10" : "(none)");
        ck_assert(!between(page.body, "<title>", "</title>").empty());
    }
}
END_TEST

START_TEST(advice_follows_blame) {
    std::set<std::string> advice;
    for (const Reason reason :
         {Reason::access_denied, Reason::state_unknown, Reason::idp_timeout, Reason::idp_redirect,
          Reason::store_full, Reason::login_required, Reason::logout_cross_site,
          Reason::not_permitted, Reason::id_token_acr, Reason::id_token_auth_time,
          Reason::jwt_signature, Reason::cross_origin_request}) {
        const Respond page = error_page(reason, {}, {}, PageForm::html, Language::en);
        advice.insert(between(page.body, "</h1>", "</main>"));
    }
    ck_assert_uint_eq(advice.size(), 12);
    const Respond sign_in =
        error_page(Reason::login_required, {}, "/", PageForm::html, Language::en);
    ck_assert_sv_contains(sign_in.body, ">Sign in</a>");
    const Respond again = error_page(Reason::idp_error, {}, "/", PageForm::html, Language::en);
    ck_assert_sv_contains(again.body, ">Start again</a>");
}
END_TEST

START_TEST(n_53_what_is_told_besides) {
    constexpr std::string_view kTold = "claim \"<groups>\" is not in the session";
    const Respond page = error_page(Reason::not_permitted, "ab12", {}, PageForm::html, Language::en,
                                    Advice::of_reason, kTold);
    assert_html(page);
    ck_assert_sv_contains(page.body, html_escape(kTold));
    ck_assert_sv_lacks(page.body, "<groups>");
    const Respond json = error_page(Reason::not_permitted, "ab12", {}, PageForm::json, Language::en,
                                    Advice::of_reason, kTold);
    const Result<JsonPtr> object = json_parse_object(json.body);
    ck_assert_result_ok(object);
    ck_assert_sv_eq(**json_string(object->get(), "detail"), kTold);
    ck_assert_sv_eq(**json_string(object->get(), "reference"), "ab12");
    ck_assert_sv_lacks(
        error_page(Reason::not_permitted, "ab12", {}, PageForm::json, Language::en).body, "detail");
}
END_TEST

// What the provider's own error is about, each in words of its own.
START_TEST(a_08_advice_about_errors_of_the_provider) {
    std::set<std::string> all{
        between(error_page(Reason::idp_error, {}, {}, PageForm::html, Language::en).body, "<h1>",
                "</main>")};
    for (const Advice advice : {Advice::sign_in_there, Advice::stronger_there, Advice::later,
                                Advice::again_later, Advice::administrator}) {
        const Respond page =
            error_page(Reason::idp_error, "r", "/", PageForm::html, Language::en, advice);
        assert_html(page);
        ck_assert_int_eq(page.status, 400);
        all.insert(between(page.body, "<h1>", "</h1>"));
        const bool waits = page.body.find(">Wait ") != std::string::npos;
        ck_assert(waits == (advice == Advice::later || advice == Advice::again_later));
        const bool asks = page.body.find("administrator.") != std::string::npos ||
                          page.body.find("administrator, who") != std::string::npos;
        ck_assert(asks == (advice != Advice::later));
        // Scripts are told the same as ever.
        const Respond json =
            error_page(Reason::idp_error, "r", "/", PageForm::json, Language::en, advice);
        ck_assert_sv_contains(json.body, reason_info(Reason::idp_error).title);
    }
    ck_assert_uint_eq(all.size(), 6);
}
END_TEST

START_TEST(waiting_is_advised_where_it_helps) {
    const std::set<std::string_view> passing = {
        "store_full",       "store_unavailable", "idp_connect",
        "idp_timeout",      "idp_http",          "idp_busy",
        "token_status",     "userinfo_status",   "metadata_unavailable",
        "jwks_unavailable", "jwt_key_unknown",   "jwks_invalid",
        "internal_error",   "par_status"};
    for (unsigned i = 0; i < static_cast<unsigned>(Reason::count_); ++i) {
        const auto reason = static_cast<Reason>(i);
        const std::string_view code = reason_info(reason).code;
        if (reason_info(reason).blame != Blame::idp && !passing.contains(code)) {
            continue;
        }
        const Respond page = error_page(reason, {}, "/", PageForm::html, Language::en);
        const bool waits = page.body.find("Wait a minute") != std::string::npos;
        ck_assert_msg(waits == passing.contains(code), "%s", std::string(code).c_str());
    }
}
END_TEST

START_TEST(optional_parts_are_left_out) {
    const Respond bare = error_page(Reason::idp_error, {}, {}, PageForm::html, Language::en);
    ck_assert_sv_lacks(bare.body, "<a ");
    ck_assert_sv_lacks(bare.body, "<code>");
    // Only a path on our own origin is offered.
    for (const char* target :
         {"//evil.example", "https://evil.example", "javascript:alert(1)", "x"}) {
        const Respond page =
            error_page(Reason::idp_error, {}, target, PageForm::html, Language::en);
        ck_assert_sv_lacks(page.body, "<a ");
        const Respond out = signed_out_page(target, Language::en);
        ck_assert_sv_lacks(out.body, "<a ");
    }
}
END_TEST

START_TEST(markup_is_escaped) {  // A-09, Q-24
    const Respond page = error_page(Reason::idp_error, "<script>x</script>\"'",
                                    "/\"><script>y</script>", PageForm::html, Language::en);
    ck_assert_sv_lacks(page.body, "<script");
    ck_assert_sv_contains(page.body, "&lt;script&gt;x&lt;/script&gt;&quot;&#39;");
    ck_assert_sv_contains(page.body, "href=\"/&quot;&gt;&lt;script&gt;y&lt;/script&gt;\"");
}
END_TEST

static JsonPtr json_body(const Respond& respond) {
    ck_assert_sv_eq(header(respond, "Content-Type"), "application/json");
    ck_assert_sv_eq(header(respond, "Content-Language"), "(none)");
    ck_assert_sv_eq(header(respond, "Vary"), "(none)");
    assert_common_headers(respond);
    auto parsed = json_parse_object(respond.body);
    ck_assert_result_ok(parsed);
    return *std::move(parsed);
}

static std::string member(const JsonPtr& object, const char* name) {
    auto value = json_string(object.get(), name);
    ck_assert_result_ok(value);
    return value->has_value() ? std::string(**value) : "(none)";
}

START_TEST(error_pages_for_scripts) {
    for (unsigned i = 0; i < static_cast<unsigned>(Reason::count_); ++i) {
        const auto reason = static_cast<Reason>(i);
        const Respond respond = error_page(reason, "r\"1", "/x", PageForm::json, Language::en);
        ck_assert_int_eq(respond.status, reason_info(reason).status);
        const JsonPtr body = json_body(respond);
        ck_assert_sv_eq(member(body, "error"), reason_info(reason).code);
        ck_assert_sv_eq(member(body, "message"), reason_info(reason).title);
        ck_assert_sv_eq(member(body, "reference"), "r\"1");
    }
    const JsonPtr bare =
        json_body(error_page(Reason::idp_error, {}, {}, PageForm::json, Language::en));
    ck_assert_sv_eq(member(bare, "reference"), "(none)");
}
END_TEST

START_TEST(login_required_answer) {
    const Respond respond =
        login_required("/oidc/login?return_to=\"x\"", {}, PageForm::json, Language::en);
    ck_assert_int_eq(respond.status, 401);
    const JsonPtr body = json_body(respond);
    ck_assert_sv_eq(member(body, "error"), "login_required");
    ck_assert_sv_eq(member(body, "login_url"), "/oidc/login?return_to=\"x\"");
    const JsonPtr bare = json_body(login_required({}, {}, PageForm::json, Language::en));
    ck_assert_sv_eq(member(bare, "login_url"), "(none)");
}
END_TEST

START_TEST(q_11_people_get_a_page) {
    const Respond page =
        login_required("https://app.example/", "/form?a=1&b", PageForm::html, Language::en);
    ck_assert_int_eq(page.status, 401);
    assert_html(page);
    ck_assert_sv_contains(page.body, "<title>Please sign in to see this page.</title>");
    ck_assert_sv_contains(page.body, "<a class=\"go\" href=\"/form?a=1&amp;b\">Sign in</a>");
    ck_assert_sv_contains(page.body, "did not arrive");
    ck_assert_sv_contains(page.body, "go back first");
    ck_assert_sv_contains(header(page, "Content-Security-Policy"), "frame-ancestors 'none'");
    ck_assert_sv_lacks(
        login_required("x", "https://evil.example/", PageForm::html, Language::en).body, "<a ");
}
END_TEST

START_TEST(q_11_frames_of_our_own) {
    for (const Reason reason : {Reason::login_required, Reason::state_unknown}) {
        const Respond page = error_page(reason, {}, "/form", PageForm::framed, Language::en);
        const std::string policy(header(page, "Content-Security-Policy"));
        ck_assert_sv_contains(policy, "frame-ancestors 'self'");
        ck_assert_sv_contains(policy, "default-src 'none'");
        ck_assert_sv_contains(page.body, "href=\"/form\" target=\"_top\"");
    }
}
END_TEST

START_TEST(signed_out) {
    const Respond page = signed_out_page("/?a=1&b=2", Language::en);
    ck_assert_int_eq(page.status, 200);
    assert_html(page);
    ck_assert_sv_contains(page.body, "<title>Signed out</title>");
    ck_assert_sv_contains(page.body, "href=\"/?a=1&amp;b=2\"");
}
END_TEST

START_TEST(c_29_onward) {
    const Respond page = onward_page("/x?a=1&b='#frag", Language::en);
    ck_assert_int_eq(page.status, 200);
    assert_html(page);
    ck_assert_sv_contains(
        page.body, "<meta http-equiv=\"refresh\" content=\"0; url=/x?a=1&amp;b=&#39;#frag\">");
    ck_assert_sv_contains(page.body, "href=\"/x?a=1&amp;b=&#39;#frag\">Continue</a>");
    ck_assert_sv_lacks(page.body, "<script");
    ck_assert_sv_eq(header(page, "Location"), "(none)");
    for (const char* target : {"", "//evil.example", "https://evil.example/", "/\\evil.example"}) {
        const Respond none = onward_page(target, Language::en);
        ck_assert_int_eq(none.status, 500);
        ck_assert_sv_lacks(none.body, "evil");
    }
}
END_TEST

START_TEST(fragments_are_kept_by_script) {
    const Respond page =
        fragment_page("https://op.example/auth?a=1&b=\"'><script>", "__Host-f", {}, Language::en);
    ck_assert_int_eq(page.status, 200);
    assert_html(page);
    const std::string tag = between(page.body, "<script ", ">");
    ck_assert_sv_contains(
        tag, "data-url=\"https://op.example/auth?a=1&amp;b=&quot;&#39;&gt;&lt;script&gt;\"");
    ck_assert_sv_contains(tag, "data-cookie=\"__Host-f\"");
    ck_assert_sv_contains(tag, "data-secure=\"1\"");
    const std::string script = between(page.body, "data-domain=\"\">", "</script>");
    ck_assert_sv_lacks(script, "op.example");
    ck_assert_sv_lacks(script, "__Host-f");
    ck_assert_sv_contains(script, "Max-Age=");
    ck_assert_sv_contains(script, "SameSite=Lax");
    ck_assert_sv_contains(header(page, "Content-Security-Policy"),
                          "; script-src " + hash_of(script) + ";");
    // Without script: a refresh inside noscript, and a link.
    const std::string noscript = between(page.body, "<noscript>", "</noscript>");
    ck_assert_sv_contains(noscript,
                          "http-equiv=\"refresh\" content=\"0; url=https://op.example/auth?");
    ck_assert_sv_contains(page.body, "<a class=\"go\" href=\"https://op.example/auth?a=1&amp;b=");

    CookieAttributes plainly;
    plainly.secure = false;
    plainly.domain = "example.com";
    const Respond plain = fragment_page("http://localhost/auth", "f", plainly, Language::en);
    ck_assert_sv_contains(plain.body, "data-domain=\"example.com\"");
    ck_assert_sv_contains(plain.body, "data-secure=\"0\"");
    ck_assert_sv_eq(header(plain, "Content-Security-Policy"),
                    header(page, "Content-Security-Policy"));  // the script is constant
}
END_TEST

START_TEST(a_logout_that_is_posted) {
    const Respond page = end_session_page(
        {"https://op.example/l?a=1&b=\"", {{"id_token_hint", "a.b.c"}, {"x\"y", "<\">"}}},
        Language::en);
    ck_assert_int_eq(page.status, 200);
    assert_common_headers(page);
    ck_assert_sv_contains(page.body, "method=\"post\" action=\"https://op.example/l?a=1&amp;b=&");
    ck_assert_sv_contains(page.body, "name=\"id_token_hint\" value=\"a.b.c\"");
    ck_assert_sv_lacks(page.body, "<\">");
    const std::string policy = header(page, "Content-Security-Policy");
    ck_assert_sv_contains(
        policy, "script-src " + hash_of(between(page.body, "<script>", "</script>")) + ";");
    ck_assert_sv_contains(policy,
                          "style-src " + hash_of(between(page.body, "<style>", "</style>")) + ";");
    ck_assert_sv_lacks(policy, "form-action");
    ck_assert_sv_lacks(policy, "unsafe");
}
END_TEST

START_TEST(without_fields_the_user_decides) {
    const Respond page = end_session_page({"https://op.example/l?a=1&b=\"<", {}}, Language::en);
    ck_assert_int_eq(page.status, 200);
    assert_common_headers(page);
    ck_assert_sv_contains(page.body, "href=\"https://op.example/l?a=1&amp;b=&quot;&lt;\"");
    ck_assert_sv_lacks(page.body, "<script");
    ck_assert_sv_lacks(page.body, "<form");
}
END_TEST

START_TEST(redirects) {
    for (const int status : {302, 303}) {
        const Respond respond = redirect(status, "https://op.example/auth?x=1");
        ck_assert_int_eq(respond.status, status);
        ck_assert_sv_eq(header(respond, "Location"), "https://op.example/auth?x=1");
        assert_common_headers(respond);
        ck_assert_sv_eq(respond.body, "");
    }
    for (const char* bad : {"", "/x\r\nSet-Cookie: a=b", "/x\n", "/\t/x"}) {
        const Respond respond = redirect(302, bad);
        ck_assert_int_eq(respond.status, 500);
        ck_assert_sv_eq(header(respond, "Location"), "(none)");
    }
    ck_assert_int_eq(redirect(200, "/x").status, 500);
    ck_assert_int_eq(redirect(301, "/x").status, 500);
}
END_TEST

START_TEST(l_27_the_page_in_the_frame) {
    const Respond respond = frontchannel_page(Language::en);
    ck_assert_int_eq(respond.status, 200);
    assert_common_headers(respond);
    ck_assert_sv_eq(header(respond, "X-Frame-Options"), "(none)");
    const std::string policy = header(respond, "Content-Security-Policy");
    ck_assert_sv_contains(policy, "default-src 'none'");
    ck_assert_sv_lacks(policy, "frame-ancestors");
    ck_assert_sv_lacks(respond.body, "<script");
    ck_assert_uint_le(respond.body.size(), 200);
    // And nowhere else.
    ck_assert_sv_contains(header(signed_out_page("/", Language::en), "Content-Security-Policy"),
                          "frame-ancestors 'none'");
}
END_TEST

static std::size_t count_of(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos;
         at = text.find(part, at + part.size())) {
        ++count;
    }
    return count;
}

static const ProviderChoice& two_providers() {
    static const ProviderChoice choice = [] {
        ProviderChoice made;
        made.options = {{"staff", "Firma", "/logos/staff.svg", {"example.com"}},
                        {"partners", "Partner", "", {}}};
        return made;
    }();
    return choice;
}

START_TEST(a_52_the_choice_of_a_provider) {
    const Respond page = choice_page(
        {&two_providers(), "/oidc_choice", "/x?a=1&b#c", "partners", false}, Language::en);
    ck_assert_int_eq(page.status, 200);
    ck_assert_sv_eq(header(page, "Cache-Control"), "no-store");
    ck_assert_sv_eq(header(page, "Referrer-Policy"), "same-origin");
    const std::string policy = header(page, "Content-Security-Policy");
    ck_assert_sv_contains(policy, "default-src 'none'; style-src ");
    ck_assert_sv_contains(policy, "; img-src 'self'; frame-ancestors 'none'; base-uri 'none'");
    ck_assert_sv_lacks(policy, "unsafe");
    // A provider sends the browser on to places that nobody here knows.
    ck_assert_sv_lacks(policy, "form-action");
    const std::string script = between(page.body, "<script>", "</script>");
    ck_assert_sv_contains(policy, "script-src " + hash_of(script) + ";");
    const std::string rest = page.body.substr(page.body.find("</style>") + 8);
    ck_assert_sv_contains(policy, " " + hash_of(between(rest, "<style>", "</style>")) + ";");
    ck_assert_sv_contains(page.body, "<form method=\"post\" action=\"/oidc_choice\">");
    ck_assert_sv_contains(page.body, "name=\"return_to\" value=\"/x?a=1&amp;b#c\"");
    ck_assert_sv_contains(page.body,
                          "<button class=\"choice\" name=\"provider\" value=\"staff\"><img "
                          "src=\"/logos/staff.svg\" alt=\"\"><b>Firma</b></button>");
    ck_assert_sv_contains(page.body, "<b>Partner</b> <small>used last</small></button>");
    ck_assert_sv_contains(page.body, "<label for=\"email\">E-mail address</label>");
    ck_assert_sv_lacks(page.body, "role=\"alert\"");
    ck_assert_sv_lacks(page.body, "autofocus");

    // The address itself is not shown again: nothing that came from outside is.
    const Respond again =
        choice_page({&two_providers(), "/oidc_choice", "/", {}, true}, Language::en);
    ck_assert_sv_contains(again.body, "aria-invalid=\"true\" aria-describedby=\"wrong\" autofocus");
    ck_assert_sv_contains(again.body, "id=\"wrong\" role=\"alert\"");
    ck_assert_sv_lacks(again.body, "used last");
}
END_TEST

START_TEST(a_52_what_the_configuration_says_is_text) {
    ProviderChoice choice;
    choice.options = {{"a", "<b>\"A\" & 'B'</b>", "data:image/svg+xml;base64,PHN2Zz4=", {}}};
    const Respond page = choice_page({&choice, "/c", "/\"><script>", {}, false}, Language::en);
    ck_assert_sv_contains(page.body, "&lt;b&gt;&quot;A&quot; &amp; &#39;B&#39;&lt;/b&gt;");
    ck_assert_sv_contains(page.body, "value=\"/&quot;&gt;&lt;script&gt;\"");
    ck_assert_uint_eq(count_of(page.body, "<script"), 1);
    ck_assert_sv_lacks(page.body, "type=\"email\"");
    ck_assert_sv_contains(header(page, "Content-Security-Policy"), "; img-src data:;");
    choice.options[0].logo.clear();
    ck_assert_sv_lacks(header(choice_page({&choice, "/c", "/", {}, false}, Language::en),
                              "Content-Security-Policy"),
                       "img-src");
    choice.options = {{"a", "A", "/a.png", {}}, {"b", "B", "data:image/png;base64,AA==", {}}};
    ck_assert_sv_contains(header(choice_page({&choice, "/c", "/", {}, false}, Language::en),
                                 "Content-Security-Policy"),
                          "; img-src 'self' data:;");
}
END_TEST

// Every page there is, with what it needs of links.
static std::vector<Respond> all_pages(Language language) {
    std::vector<Respond> pages;
    for (unsigned i = 0; i < static_cast<unsigned>(Reason::count_); ++i) {
        pages.push_back(
            error_page(static_cast<Reason>(i), "ab12-34", "/x", PageForm::html, language));
    }
    for (const Advice advice : {Advice::sign_in_there, Advice::stronger_there, Advice::later,
                                Advice::again_later, Advice::administrator}) {
        pages.push_back(
            error_page(Reason::idp_error, "ab12-34", "/x", PageForm::framed, language, advice));
    }
    pages.push_back(login_required("/login", "/x", PageForm::html, language));
    pages.push_back(signed_out_page("/", language));
    pages.push_back(end_session_page({"https://op.example/l", {}}, language));
    pages.push_back(end_session_page({"https://op.example/l", {{"a", "b"}}}, language));
    pages.push_back(fragment_page("https://op.example/auth", "f", {}, language));
    pages.push_back(onward_page("/x", language));
    for (const bool unknown : {false, true}) {
        pages.push_back(
            choice_page({&two_providers(), "/oidc_choice", "/x", "staff", unknown}, language));
    }
    return pages;
}

// What a reader sees: the title of the window, and the text without tags, script and style.
static std::string visible(std::string_view page) {
    std::string out = between(page, "<title>", "</title>") + "\n";
    std::string_view rest = page.substr(page.find("<main>"));
    while (!rest.empty()) {
        const std::size_t tag = std::min(rest.find('<'), rest.size());
        out += rest.substr(0, tag);
        rest.remove_prefix(tag);
        const std::string_view close = rest.starts_with("<script") ? "</script>" : ">";
        const std::size_t end = rest.find(close);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + close.size());
    }
    return out;
}

START_TEST(q_55_pages_in_the_language_of_the_reader) {
    const std::vector<Respond> english = all_pages(Language::en);
    std::set<std::string> everything;
    for (std::size_t i = 0; i < kLanguageCount; ++i) {
        const auto language = static_cast<Language>(i);
        const std::string tag(tag_of(language));
        const std::vector<Respond> pages = all_pages(language);
        for (std::size_t k = 0; k < pages.size(); ++k) {
            const Respond& page = pages[k];
            ck_assert_sv_contains(page.body, "<html lang=\"" + tag + "\" dir=\"ltr\">");
            ck_assert_sv_eq(header(page, "Content-Language"), tag);
            ck_assert_sv_eq(header(page, "Vary"), "Accept-Language");
            ck_assert_int_eq(page.status, english[k].status);
            // The same policy: script and style are constant whatever the language is.
            ck_assert_sv_eq(header(page, "Content-Security-Policy"),
                            header(english[k], "Content-Security-Policy"));
            ck_assert_uint_eq(page.headers.size(), english[k].headers.size());
            ck_assert_uint_eq(count_of(page.body, "<"), count_of(english[k].body, "<"));
            ck_assert(is_utf8(page.body));
            if (language != Language::en) {
                const std::string text = " " + visible(page.body);
                for (const char* word : {" the ", " your ", "Your ", "Sign in", "You "}) {
                    ck_assert_sv_lacks(text, word);
                }
            }
        }
        everything.insert(pages[0].body);
    }
    ck_assert_uint_eq(everything.size(), kLanguageCount);
    const Respond german =
        error_page(Reason::state_expired, "ab12", "/x", PageForm::html, Language::de);
    ck_assert_sv_contains(german.body, "<title>Problem bei der Anmeldung</title>");
    ck_assert_sv_contains(german.body,
                          "<h1>Diese Anmeldung hat zu lange gedauert und ist "
                          "abgelaufen.</h1>");
    ck_assert_sv_contains(german.body, ">Noch einmal beginnen</a>");
    ck_assert_sv_contains(german.body, "Kennung für Ihren Administrator: <code>ab12</code>");
    const Respond frame = frontchannel_page(Language::pl);
    ck_assert_sv_contains(frame.body, "<html lang=\"pl\" dir=\"ltr\">");
    ck_assert_sv_contains(frame.body, "<title>Wylogowano</title>");
}
END_TEST

START_TEST(q_57_programs_are_told_the_same) {
    for (unsigned i = 0; i < static_cast<unsigned>(Reason::count_); ++i) {
        const auto reason = static_cast<Reason>(i);
        const Respond english = error_page(reason, "r", "/", PageForm::json, Language::en);
        const Respond german = error_page(reason, "r", "/", PageForm::json, Language::de);
        ck_assert_sv_eq(german.body, english.body);
        ck_assert_uint_eq(german.headers.size(), english.headers.size());
    }
    ck_assert_sv_eq(login_required("/l", "/", PageForm::json, Language::fr).body,
                    login_required("/l", "/", PageForm::json, Language::en).body);
}
END_TEST

// WCAG 2.2: 2.4.2 title, 3.1.1 language, 1.3.1 headings and landmarks, 4.1.2 names of controls.
START_TEST(q_58_structure) {
    for (std::size_t i = 0; i < kLanguageCount; ++i) {
        for (const Respond& page : all_pages(static_cast<Language>(i))) {
            const std::string_view body = page.body;
            ck_assert_uint_eq(count_of(body, "<html lang=\""), 1);
            ck_assert_uint_eq(count_of(body, "<title>"), 1);
            ck_assert(!between(body, "<title>", "</title>").empty());
            ck_assert_uint_eq(count_of(body, "<main>"), 1);
            ck_assert_uint_eq(count_of(body, "</main>"), 1);
            ck_assert_uint_eq(count_of(body, "<h1>"), 1);
            ck_assert(body.find("<main>") < body.find("<h1>"));
            ck_assert(!between(body, "<h1>", "</h1>").empty());
            // Zooming is not forbidden (1.4.4), and nothing but a refresh at once goes on (2.2.1).
            ck_assert_sv_lacks(body, "user-scalable");
            ck_assert_sv_lacks(body, "maximum-scale");
            ck_assert_uint_eq(count_of(body, "http-equiv=\"refresh\""),
                              count_of(body, "http-equiv=\"refresh\" content=\"0; "));
            // Its one control, with a text.
            ck_assert_uint_eq(count_of(body, "class=\"go\""), 1);
            ck_assert_sv_lacks(body, "\"></a>");
            ck_assert_sv_lacks(body, "<button class=\"go\"></button>");
        }
    }
}
END_TEST

using Rgb = std::array<double, 3>;

// The custom property `name` of a scheme, as #rgb or #rrggbb.
static Rgb colour(std::string_view scheme, const std::string& name) {
    const std::string hex = between(scheme, "--" + name + ": #", ";");
    ck_assert(hex.size() == 3 || hex.size() == 6);
    Rgb out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
        const std::string part = hex.size() == 3 ? std::string(2, hex[i]) : hex.substr(2 * i, 2);
        out[i] = static_cast<double>(std::stoi(part, nullptr, 16)) / 255;
    }
    return out;
}

// Relative luminance and contrast ratio, as WCAG 2.2 defines them.
static double luminance(const Rgb& rgb) {
    const auto linear = [](double c) {
        return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
}
static double contrast(const Rgb& a, const Rgb& b) {
    const auto [dark, light] = std::minmax({luminance(a), luminance(b)});
    return (light + 0.05) / (dark + 0.05);
}

START_TEST(q_58_contrast) {
    ck_assert_double_eq_tol(contrast({0, 0, 0}, {1, 1, 1}), 21, 1e-9);
    const std::string style =
        between(signed_out_page("/", Language::en).body, "<style>", "</style>");
    const std::size_t dark_at = style.find("@media (prefers-color-scheme: dark)");
    ck_assert(dark_at != std::string::npos);
    struct Pair {
        const char* front;
        const char* behind;
        double least;
    };
    // 1.4.3: text. 1.4.11: what a control and its focus are seen by.
    const Pair pairs[] = {{"text", "card", 4.5},   {"soft", "card", 4.5},
                          {"text", "ground", 4.5}, {"on-button", "button", 4.5},
                          {"button", "card", 3},   {"link", "card", 3},
                          {"link", "ground", 3}};
    for (const std::string& scheme : {style.substr(0, dark_at), style.substr(dark_at)}) {
        for (const Pair& pair : pairs) {
            const double ratio = contrast(colour(scheme, pair.front), colour(scheme, pair.behind));
            ck_assert_msg(ratio >= pair.least, "%s on %s: %f", pair.front, pair.behind, ratio);
        }
    }
    // And there are no other colours.
    const std::size_t rules = style.find("* { box-sizing");
    ck_assert(rules != std::string::npos && rules > dark_at);
    ck_assert_sv_lacks(style.substr(rules), "#");
    ck_assert_sv_lacks(style.substr(rules), "rgb");
    ck_assert_uint_eq(count_of(style.substr(rules), "var(--line)"),
                      count_of(style.substr(rules), "1px solid var(--line)"));
}
END_TEST

// 2.5.8: at least 24 px; 2.4.7: the focus is seen; 1.4.10: long words do not widen the page.
START_TEST(q_58_targets_and_focus) {
    const std::string style =
        between(signed_out_page("/", Language::en).body, "<style>", "</style>");
    const double line = std::stod(between(style, "font: 1rem/", " "));
    const std::string button = between(style, "\n.go {", "}");
    ck_assert_sv_contains(button, "display: inline-block");
    const double padding = std::stod(between(button, "padding: ", "rem"));
    ck_assert_double_ge(16 * (2 * padding + line), 24);
    ck_assert_sv_contains(style, ".go:focus-visible { outline: 3px solid var(--link);");
    ck_assert_sv_lacks(style, "outline: 0");
    ck_assert_sv_lacks(style, "outline: none");
    ck_assert_sv_contains(between(style, "\nmain {", "}"), "overflow-wrap: anywhere");
}
END_TEST

static Suite* page_suite() {
    Suite* suite = suite_create("page");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, error_pages_for_people);
    tcase_add_test(tcase, advice_follows_blame);
    tcase_add_test(tcase, n_53_what_is_told_besides);
    tcase_add_test(tcase, a_08_advice_about_errors_of_the_provider);
    tcase_add_test(tcase, waiting_is_advised_where_it_helps);
    tcase_add_test(tcase, optional_parts_are_left_out);
    tcase_add_test(tcase, markup_is_escaped);
    tcase_add_test(tcase, error_pages_for_scripts);
    tcase_add_test(tcase, login_required_answer);
    tcase_add_test(tcase, q_11_people_get_a_page);
    tcase_add_test(tcase, q_11_frames_of_our_own);
    tcase_add_test(tcase, signed_out);
    tcase_add_test(tcase, c_29_onward);
    tcase_add_test(tcase, fragments_are_kept_by_script);
    tcase_add_test(tcase, a_logout_that_is_posted);
    tcase_add_test(tcase, without_fields_the_user_decides);
    tcase_add_test(tcase, redirects);
    tcase_add_test(tcase, l_27_the_page_in_the_frame);
    tcase_add_test(tcase, a_52_the_choice_of_a_provider);
    tcase_add_test(tcase, a_52_what_the_configuration_says_is_text);
    tcase_add_test(tcase, q_55_pages_in_the_language_of_the_reader);
    tcase_add_test(tcase, q_57_programs_are_told_the_same);
    tcase_add_test(tcase, q_58_structure);
    tcase_add_test(tcase, q_58_contrast);
    tcase_add_test(tcase, q_58_targets_and_focus);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration page_registered("page", page_suite);
