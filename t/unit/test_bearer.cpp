// SPDX-License-Identifier: Apache-2.0
#include "oidc/bearer.hpp"

#include "oidc/access_token.hpp"
#include "oidc/json.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

using Read = Result<std::optional<BearerCredentials>>;

Read read(std::initializer_list<std::string_view> headers, std::string_view query = {}) {
    return read_bearer({headers.begin(), headers.size()}, query);
}

std::string header_of(const Respond& respond, std::string_view name) {
    for (const Header& header : respond.headers) {
        if (header.name == name) {
            return header.value;
        }
    }
    return {};
}

}  // namespace

START_TEST(good_credentials) {
    for (const char* header : {"Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c ", "Bearer\ta.b.c"}) {
        const auto found = read({header});
        ck_assert_result_ok(found);
        ck_assert(found->has_value() && (*found)->scheme == TokenScheme::bearer);
        ck_assert_sv_eq((*found)->token, "a.b.c");
    }
    const auto dpop = read({"DPoP x-_~+/=="}, "other=1&access_tokens=2");
    ck_assert_result_ok(dpop);
    ck_assert((*dpop)->scheme == TokenScheme::dpop);
    ck_assert_sv_eq((*dpop)->token, "x-_~+/==");
}
END_TEST

START_TEST(no_credentials) {
    for (const auto& headers : {std::vector<std::string_view>{},
                                {"Basic YTpi"},
                                {""},
                                {"Bearerx a"},
                                {"Basic YTpi", "Basic YTpi"},
                                {"Bearer=a"}}) {
        const auto found = read_bearer(headers, "access_token=a");
        ck_assert_result_ok(found);
        ck_assert(!found->has_value());
    }
}
END_TEST

START_TEST(malformed_credentials) {
    for (const char* header : {"Bearer", "Bearer ", "DPoP \t "}) {
        const auto found = read({header});
        ck_assert_result_is(found, Reason::bearer_malformed);
    }
    for (const std::string& token :
         {std::string(), std::string("a b"), std::string("a,b"), std::string("\"a\""),
          std::string("a=b"), std::string("="), std::string("token=\"a\""), std::string("\x80"),
          std::string("a\0b", 3), std::string(kMaxAccessToken + 1, 'a')}) {
        const auto verdict = check_b64token(token);
        ck_assert_result_is(verdict, Reason::bearer_malformed);
    }
    for (const std::string& token :
         {std::string("a"), std::string("x-_~+/.=="), std::string(kMaxAccessToken, 'a')}) {
        ck_assert_result_ok(check_b64token(token));
    }
    for (const auto& headers : {std::vector<std::string_view>{"Bearer a", "Bearer a"},
                                {"Basic YTpi", "Bearer a"},
                                {"DPoP a", ""}}) {
        const auto found = read_bearer(headers, {});
        ck_assert_result_is(found, Reason::bearer_malformed);
    }
    for (const char* query : {"access_token=a", "x=1&access%5ftoken", "access_token="}) {
        const auto found = read({"Bearer a"}, query);
        ck_assert_result_is(found, Reason::bearer_malformed);
    }
}
END_TEST

START_TEST(challenges) {
    const std::vector<std::string> scope{"read", "write"};
    const BearerDemand plain;
    ck_assert_sv_eq(plain.challenge(nullptr), "Bearer");
    const BearerDemand demand{scope, "https://a.example/.well-known/oauth-protected-resource"};
    ck_assert_sv_eq(demand.challenge(nullptr),
                    "Bearer scope=\"read write\", resource_metadata="
                    "\"https://a.example/.well-known/oauth-protected-resource\"");
    const Error error = fail(Reason::access_token_exp, "secret detail");
    ck_assert_sv_eq(plain.challenge(&error),
                    "Bearer error=\"invalid_token\", error_description=\"The access token has "
                    "expired.\"");
    const Error proof = fail(Reason::dpop_proof_replayed);
    const std::string dpop = plain.challenge(&proof, TokenScheme::dpop);
    ck_assert(dpop.starts_with("DPoP error=\"invalid_dpop_proof\""));
    ck_assert(dpop.find("algs=\"RS256 ") != std::string::npos);
    ck_assert_sv_eq(bearer_error(Reason::bearer_malformed), "invalid_request");
    ck_assert_sv_eq(bearer_error(Reason::insufficient_scope), "insufficient_scope");
    // Texts that stand between quotes there.
    for (std::size_t i = 0; i < static_cast<std::size_t>(Reason::count_); ++i) {
        const auto title = reason_info(static_cast<Reason>(i)).title;
        ck_assert(title.find_first_of("\"\\") == std::string_view::npos);
    }
}
END_TEST

START_TEST(refusals) {
    const BearerDemand demand;
    const Respond late =
        bearer_refusal(fail(Reason::access_token_exp), "ref", demand, TokenScheme::bearer);
    ck_assert_int_eq(late.status, 401);
    ck_assert_sv_eq(late.body,
                    "{\"error\":\"access_token_exp\",\"message\":\"The access token has "
                    "expired.\",\"reference\":\"ref\"}\n");
    ck_assert(header_of(late, "WWW-Authenticate").starts_with("Bearer error=\"invalid_token\""));
    ck_assert_sv_eq(header_of(late, "Cache-Control"), "no-store");
    const Respond scope =
        bearer_refusal(fail(Reason::insufficient_scope), "ref", demand, TokenScheme::bearer);
    ck_assert_int_eq(scope.status, 403);
    const Respond away =
        bearer_refusal(fail(Reason::metadata_unavailable), "ref", demand, TokenScheme::bearer);
    ck_assert_int_eq(away.status, 503);
    ck_assert_sv_eq(header_of(away, "WWW-Authenticate"), "");
}
END_TEST

START_TEST(metadata) {
    ck_assert_sv_eq(*resource_of_metadata("/.well-known/oauth-protected-resource"), "");
    ck_assert_sv_eq(*resource_of_metadata("/.well-known/oauth-protected-resource/a/b"), "/a/b");
    ck_assert(!resource_of_metadata("/.well-known/oauth-protected-resources"));
    ck_assert(!resource_of_metadata("/x/.well-known/oauth-protected-resource"));
    ck_assert(is_below("/api", "/api") && is_below("/api/x", "/api") &&
              is_below("/api/x", "/api/"));
    ck_assert(!is_below("/apis", "/api") && !is_below("/ap", "/api"));

    const std::vector<std::string> scopes{"a", "b"};
    const ProtectedResource resource{"https://a.example/api", {"https://op.example"}, scopes, true};
    const auto json = json_parse_object(resource.json());
    ck_assert_result_ok(json);
    ck_assert_sv_eq(**json_string(json->get(), "resource"), "https://a.example/api");
    ck_assert_sv_eq((**json_strings(json->get(), "authorization_servers"))[0],
                    "https://op.example");
    ck_assert_uint_eq((**json_strings(json->get(), "scopes_supported")).size(), 2);
    ck_assert_sv_eq((**json_strings(json->get(), "bearer_methods_supported"))[0], "header");
    ck_assert(**json_bool(json->get(), "tls_client_certificate_bound_access_tokens"));
    const ProtectedResource little{"https://a.example", {"https://op.example"}, {}, false};
    const std::string text = little.json();
    ck_assert(text.find("scopes_supported") == std::string::npos);
    ck_assert(text.find("certificate") == std::string::npos);
}
END_TEST

static Suite* bearer_suite() {
    Suite* suite = suite_create("bearer");
    TCase* tcase = tcase_create("core");
    tcase_add_test(tcase, good_credentials);
    tcase_add_test(tcase, no_credentials);
    tcase_add_test(tcase, malformed_credentials);
    tcase_add_test(tcase, challenges);
    tcase_add_test(tcase, refusals);
    tcase_add_test(tcase, metadata);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration bearer_registered("bearer", bearer_suite);
