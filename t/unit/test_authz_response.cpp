// SPDX-License-Identifier: Apache-2.0
#include "oidc/authz_response.hpp"
#include "oidc/encode.hpp"
#include "oidc/text.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

void assert_malformed(const std::string& query, const char* detail) {
    const Result<AuthzResponse> response = parse_authz_response(query);
    ck_assert_result_is(response, Reason::callback_malformed);
    ck_assert_sv_contains(response.error().detail, detail);
}

AuthzResponse parsed(std::string_view query) {
    Result<AuthzResponse> response = parse_authz_response(query);
    ck_assert_result_ok(response);
    return *std::move(response);
}

ProviderConfig issuer(const char* text) {
    ProviderConfig config;
    config.issuer = text;
    return config;
}

}  // namespace

START_TEST(reads_the_five) {
    const AuthzResponse r = parsed(
        "code=a%2Fb+c%3D&state=ngxoidc1.x&iss=https%3A%2F%2Fop.example&error=e&"
        "error_description=why+not");
    ck_assert_sv_eq(r.code.view(), "a/b c=");
    ck_assert_sv_eq(r.state, "ngxoidc1.x");
    ck_assert_sv_eq(r.iss, "https://op.example");
    ck_assert(r.has_iss);
    ck_assert_sv_eq(r.error, "e");
    ck_assert_sv_eq(r.error_description, "why not");
    ck_assert(r.is_response());
}
END_TEST

START_TEST(a_21_neither_code_nor_error_is_no_response) {
    for (const char* query :
         {"", "state=x", "code=&state=x", "error=", "&", "code", "Code=x", "return_to=%2F"}) {
        ck_assert(!parsed(query).is_response());
    }
    ck_assert(!parsed("").has_iss);
    ck_assert(parsed("iss=").has_iss);
    ck_assert(parsed("error=x").is_response());
}
END_TEST

START_TEST(a_22_tokens_in_the_query_are_ignored) {
    const AuthzResponse r = parsed("id_token=a.b.c&access_token=x&state=s");
    ck_assert(!r.is_response());
}
END_TEST

START_TEST(a_24_other_arguments_are_ignored_up_to_a_bound) {
    std::string query = "code=c&state=s&session_state=1&foo=1&foo=2&bad=%zz&%zz=1";
    for (int i = 0; i < 200; ++i) {
        query += "&x" + std::to_string(i) + "=1";
    }
    const AuthzResponse r = parsed(query);
    ck_assert_sv_eq(r.code.view(), "c");
    ck_assert_sv_eq(r.state, "s");
    for (int i = 0; i < 100; ++i) {
        query += "&y=1";
    }
    assert_malformed(query, "300");
}
END_TEST

START_TEST(twice_is_refused_in_any_spelling) {
    assert_malformed("code=a&code=a", "\"code\"");
    assert_malformed("state=a&code=b&state=", "\"state\"");
    assert_malformed("error=a&err%6fr=b", "\"error\"");
    assert_malformed("iss=a&iss=a", "\"iss\"");
    assert_malformed("error_description=a&error_description=b", "\"error_description\"");
}
END_TEST

START_TEST(q_13_a_30_bad_bytes_and_sizes) {
    assert_malformed("code=%", "bad escape");
    assert_malformed("state=%4", "bad escape");
    assert_malformed("state=%zz", "bad escape");
    assert_malformed("state=a%00b", "control byte");
    assert_malformed("error_description=a%0d%0ab", "control byte");
    assert_malformed(raw("iss=a\0b"), "control byte");
    assert_malformed("code=%7f", "control byte");
    ck_assert_uint_eq(parsed("state=" + std::string(kMaxState, 's')).state.size(), kMaxState);
    assert_malformed("state=" + std::string(kMaxState + 1, 's'), "too long");
    assert_malformed("state=" + std::string(65536, 's'), "too long");
    ck_assert_uint_eq(parsed("code=" + std::string(8192, 'c')).code.size(), 8192);
    assert_malformed("code=" + std::string(8193, 'c'), "too long");
    assert_malformed("error=" + std::string(9000, 'c'), "too long");
}
END_TEST

START_TEST(a_18_a_posted_response) {
    const auto form = parse_response_form("application/x-www-form-urlencoded; charset=utf-8",
                                          "code=a+b&state=ngxoidc1.x&user=%7B%7D&id_token=a.b.c");
    ck_assert_result_ok(form);
    ck_assert_sv_eq(form->code.view(), "a b");
    ck_assert_sv_eq(form->state, "ngxoidc1.x");
    for (const char* type : {"", "application/json", "multipart/form-data; boundary=x",
                             "application/x-www-form-urlencodedx", "text/plain"}) {
        const auto other = parse_response_form(type, "code=a&state=b");
        ck_assert_result_is(other, Reason::callback_malformed);
    }
    const auto parse = [](const std::string& body) {
        return parse_response_form("application/x-www-form-urlencoded", body);
    };
    const std::string most = "code=a&x=" + std::string(kMaxResponseForm - 9, 'x');
    ck_assert_result_ok(parse(most));
    ck_assert_result_is(parse(most + "x"), Reason::callback_too_large);
    ck_assert_result_is(parse("code=a&code=b"), Reason::callback_malformed);
    // What we seal comes by GET alone.
    const auto inside = parse("oidc_response=x");
    ck_assert_result_ok(inside);
    ck_assert(!inside->is_response());
}
END_TEST

START_TEST(a_17_sealed_on_its_way) {
    const AeadKey ring[1] = {AeadKey{1}};
    const AeadKey other_ring[1] = {AeadKey{2}};
    const Aead aead(ring);
    const Aead other(other_ring);
    FakeRandom random;
    const Digest binding = sha256("here");
    const auto seal = [&](std::string_view query) {
        return seal_response(parsed(query), aead, binding, random);
    };
    const auto sealed = seal(
        "code=a%2Fb+%26c%3D&state=ngxoidc1.x&iss=https%3A%2F%2Fop.example&error=e&"
        "error_description=why+not");
    ck_assert_result_ok(sealed);
    for (const char c : *sealed) {
        ck_assert(is_base64url(c));
    }
    const auto opened = open_response(*sealed, aead, binding);
    ck_assert_result_ok(opened);
    ck_assert_sv_eq(opened->code.view(), "a/b &c=");
    ck_assert_sv_eq(opened->state, "ngxoidc1.x");
    ck_assert_sv_eq(opened->iss, "https://op.example");
    ck_assert_sv_eq(opened->error, "e");
    ck_assert_sv_eq(opened->error_description, "why not");
    ck_assert(opened->has_iss && opened->sealed.empty());
    const auto bare = open_response(*seal("code=c&state=s"), aead, binding);
    ck_assert_result_ok(bare);
    ck_assert(!bare->has_iss);
    ck_assert(open_response(*seal("state=s&iss="), aead, binding)->has_iss);
    ck_assert_result_is(open_response(*sealed, other, binding), Reason::state_unknown);
    ck_assert_result_is(open_response(*sealed, aead, sha256("there")), Reason::state_unknown);
    std::string changed = *sealed;
    changed[40] = changed[40] == 'A' ? 'B' : 'A';
    for (const std::string& bad :
         {changed, std::string(), std::string("x"), *sealed + "A", std::string(8000, 'A')}) {
        ck_assert_result_is(open_response(bad, aead, binding), Reason::state_unknown);
    }
    // The same bytes, sealed for something else.
    const auto state = aead.seal("code=c&state=s", {"state of a login", as_text(binding)}, random);
    ck_assert_result_is(open_response(base64url_encode(as_bytes(*state)), aead, binding),
                        Reason::state_unknown);
    ck_assert_result_ok(seal("state=s&code=" + std::string(5000, 'c')));
    const auto large = seal("state=s&code=" + std::string(6000, 'c'));
    ck_assert_result_is(large, Reason::callback_too_large);
    ck_assert_sv_eq(large.error().fix, "response_mode");
    FailingRandom broken;
    ck_assert_result_is(seal_response(parsed("code=c"), aead, binding, broken),
                        Reason::internal_error);
}
END_TEST

START_TEST(a_16_the_sealed_argument) {
    const auto r =
        parse_authz_response("oidc_response=abc&code=x&state=y&error=z", ResponseMode::form_post);
    ck_assert_result_ok(r);
    ck_assert(r->is_response());
    ck_assert_sv_eq(r->sealed, "abc");
    ck_assert(r->code.empty() && r->state.empty() && r->error.empty());
    const auto empty = parse_authz_response("oidc_response=&code=x", ResponseMode::form_post);
    ck_assert_sv_eq(empty->code.view(), "x");
    ck_assert_result_is(
        parse_authz_response("oidc_response=a&oidc%5Fresponse=a", ResponseMode::form_post),
        Reason::callback_malformed);
    ck_assert(!parsed("oidc_response=abc").is_response());
    ck_assert_sv_eq(strip_response_arguments("a=1&oidc_response=abc&b=2"), "a=1&b=2");
}
END_TEST

START_TEST(s_01_no_value_in_an_error) {
    const Result<AuthzResponse> r = parse_authz_response("code=canary&code=canary");
    ck_assert_sv_lacks(r.error().detail, "canary");
}
END_TEST

START_TEST(a_13_a_14_issuer_of_the_response) {
    const ProviderConfig config = issuer("https://op.example/");
    Metadata silent;
    Metadata promised;
    promised.response_iss_supported = true;
    const auto check = [&](const char* query, const Metadata& metadata) {
        return check_response_iss(parsed(query), config, metadata);
    };
    const char* right = "code=c&iss=https://op.example/";
    for (const Metadata& metadata : {silent, promised}) {
        const Status ok = check(right, metadata);
        ck_assert_result_ok(ok);
        for (const char* wrong : {"code=c&iss=https://op.example", "code=c&iss=",
                                  "code=c&iss=HTTPS://op.example/", "error=e&iss=https://evil/"}) {
            const Status bad = check(wrong, metadata);
            ck_assert_result_is(bad, Reason::issuer_mix_up);
            ck_assert_sv_contains(bad.error().detail, "\"https://op.example/\"");
        }
    }
    const Status absent = check("code=c", silent);
    ck_assert_result_ok(absent);
    const Status missing = check("code=c", promised);
    ck_assert_result_is(missing, Reason::issuer_missing);
    const Status error = check("error=access_denied", promised);
    ck_assert_result_is(error, Reason::issuer_missing);  // RFC 9207 2.4: errors as well
    const Status mixed = check("error=e&iss=https://evil/", silent);
    ck_assert_sv_contains(mixed.error().detail, "\"https://evil/\"");
}
END_TEST

START_TEST(a_08_errors_of_the_provider) {
    const Error denied = response_error(parsed("error=access_denied&error_description=No+way"));
    ck_assert(denied.reason == Reason::access_denied);
    ck_assert_sv_contains(denied.detail, "\"access_denied\": \"No way\"");
    const Error scope = response_error(parsed("error=invalid_scope"));
    ck_assert(scope.reason == Reason::idp_error);
    ck_assert_sv_eq(scope.fix, "scope");
    ck_assert_sv_eq(response_error(parsed("error=invalid_client")).fix, "client_id");
    ck_assert_sv_contains(response_error(parsed("error=unauthorized_client")).fix,
                          "check client_id, and that the provider allows");
    ck_assert_sv_eq(response_error(parsed("error=invalid_client")).fix, "client_id");
    const Error other = response_error(parsed("error=server_error"));
    ck_assert(other.reason == Reason::idp_error);
    ck_assert_sv_eq(other.fix, "");
    const auto advice = [](const char* name) {
        return response_error(parsed("error=" + std::string(name))).advice;
    };
    for (const char* name : {"login_required", "interaction_required", "consent_required",
                             "account_selection_required"}) {
        ck_assert_msg(advice(name) == Advice::sign_in_there, "%s", name);
    }
    for (const char* name : {"invalid_request", "invalid_scope", "unauthorized_client",
                             "unsupported_response_type", "request_not_supported"}) {
        ck_assert_msg(advice(name) == Advice::administrator, "%s", name);
    }
    ck_assert(advice("unmet_authentication_requirements") == Advice::stronger_there);
    ck_assert(advice("temporarily_unavailable") == Advice::later);
    ck_assert(advice("server_error") == Advice::again_later);
    for (const char* name : {"access_denied", "Login_required", "x", "server_error_"}) {
        ck_assert_msg(advice(name) == Advice::of_reason, "%s", name);
    }
}
END_TEST

START_TEST(strips_the_response_and_nothing_else) {
    const auto strip = [](std::string_view query) { return strip_response_arguments(query); };
    ck_assert_sv_eq(strip("code=a&state=b"), "");
    ck_assert_sv_eq(strip(""), "");
    ck_assert_sv_eq(strip("a=1&code=x&b=%2F+&state=y&a=2"), "a=1&b=%2F+&a=2");
    ck_assert_sv_eq(strip("iss=i&session_state=s&scope=openid+email&x&error=e&error_uri=u&"
                          "error_description=d&return_to=%2F"),
                    "x&return_to=%2F");
    ck_assert_sv_eq(strip("c%6fde=a&statement=1&xcode=2"), "statement=1&xcode=2");
    ck_assert_sv_eq(strip("%zz=1&code=2"), "%zz=1");
    ck_assert_sv_eq(strip("a=1&&b=2&"), "a=1&&b=2&");
    ck_assert_sv_eq(strip("code=x&&"), "&");
    ck_assert_sv_eq(strip("&&"), "&&");
}
END_TEST

static Suite* authz_response_suite() {
    Suite* suite = suite_create("authz_response");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, reads_the_five);
    tcase_add_test(tcase, a_21_neither_code_nor_error_is_no_response);
    tcase_add_test(tcase, a_22_tokens_in_the_query_are_ignored);
    tcase_add_test(tcase, a_24_other_arguments_are_ignored_up_to_a_bound);
    tcase_add_test(tcase, twice_is_refused_in_any_spelling);
    tcase_add_test(tcase, q_13_a_30_bad_bytes_and_sizes);
    tcase_add_test(tcase, a_18_a_posted_response);
    tcase_add_test(tcase, a_17_sealed_on_its_way);
    tcase_add_test(tcase, a_16_the_sealed_argument);
    tcase_add_test(tcase, s_01_no_value_in_an_error);
    tcase_add_test(tcase, a_13_a_14_issuer_of_the_response);
    tcase_add_test(tcase, a_08_errors_of_the_provider);
    tcase_add_test(tcase, strips_the_response_and_nothing_else);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration authz_response_registered("authz_response", authz_response_suite);
