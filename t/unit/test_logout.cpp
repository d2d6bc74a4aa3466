// SPDX-License-Identifier: Apache-2.0
#include "oidc/logout.hpp"

#include "forge.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

static std::string url_of(const LogoutRequest& request) {
    const EndSession target = end_session(request);
    ck_assert_uint_eq(target.fields.size(), 0);
    return target.url;
}

START_TEST(l_01_all_parameters) {
    const std::string url = url_of(
        {"https://op.example/logout", "espocrm", "https://app.example/bye?x=1", "a.b.c", "st"});
    ck_assert_sv_eq(url,
                    "https://op.example/logout?client_id=espocrm&post_logout_redirect_uri="
                    "https%3A%2F%2Fapp.example%2Fbye%3Fx%3D1&state=st&id_token_hint=a.b.c");
}
END_TEST

START_TEST(empty_parameters_are_not_sent) {
    const std::string url = url_of({"https://op.example/logout?a=1", "espocrm", "", "", ""});
    ck_assert_sv_eq(url, "https://op.example/logout?a=1&client_id=espocrm");
}
END_TEST

START_TEST(l_08_a_hint_that_is_too_long_is_posted) {
    const std::string fits(2900, 'h');
    const std::string with = url_of({"https://op.example/l", "c", "", fits, ""});
    ck_assert_sv_contains(with, "&id_token_hint=" + fits);
    ck_assert_uint_le(with.size(), 3000);
    const std::string long_hint(3000, 'h');
    const EndSession form =
        end_session({"https://op.example/l?client_id=c&x=%20", "c", "/x", long_hint, "s"});
    ck_assert_sv_eq(form.url, "https://op.example/l?client_id=c&x=%20");
    ck_assert_uint_eq(form.fields.size(), 3);
    ck_assert_sv_eq(form.fields[0].name, "post_logout_redirect_uri");
    ck_assert_sv_eq(form.fields[0].value, "/x");
    ck_assert_sv_eq(form.fields[1].name, "state");
    ck_assert_sv_eq(form.fields[2].name, "id_token_hint");
    ck_assert_sv_eq(form.fields[2].value, long_hint);
}
END_TEST

START_TEST(l_34_what_the_address_says_wins) {
    ck_assert_sv_eq(url_of({"https://op.example/logout?client_id=other&logout_uri=https%3A%2F%2Fa",
                            "c", "https://app.example/bye", "", "s", "logout_uri"}),
                    "https://op.example/logout?client_id=other&logout_uri=https%3A%2F%2Fa&state=s");
    ck_assert_sv_eq(url_of({"https://op.example/logout?%63lient_id=other", "c", "", "", ""}),
                    "https://op.example/logout?%63lient_id=other");
    // Another name, or a part of one, is not the same.
    ck_assert_sv_eq(
        url_of({"https://op.example/logout?xclient_id=1&state1=", "c", "/b", "", "s", "returnTo"}),
        "https://op.example/logout?xclient_id=1&state1=&client_id=c&returnTo=%2Fb&"
        "state=s");
    ck_assert_sv_eq(url_of({"https://op.example/client_id=1", "c", "", "", ""}),
                    "https://op.example/client_id=1?client_id=c");
}
END_TEST

START_TEST(l_27_l_28_front_channel) {
    const auto why_not = [](std::string_view query, std::string_view sid = "sid 1",
                            bool nameless = true) {
        return why_not_frontchannel(query, "https://op.example/", sid, nameless);
    };
    constexpr const char* kIss = "iss=https%3A%2F%2Fop.example%2F";
    const std::string good = std::string(kIss) + "&sid=sid%201";
    ck_assert_sv_eq(why_not(good), "");
    ck_assert_sv_eq(why_not("x=1&sid=sid+1&iss=https://op.example/"), "");
    ck_assert_sv_eq(why_not(""), "");
    ck_assert_sv_eq(why_not("x=1", ""), "");
    ck_assert(!why_not("", "sid 1", false).empty());
    ck_assert(!why_not("x=1", "", false).empty());
    for (const std::string& query :
         {good, std::string("sid=sid%201"), std::string("a=b&sid=sid+1")}) {
        ck_assert_sv_eq(why_not(query), "");
        ck_assert_sv_eq(why_not(query, "sid 1", false), "");
    }
    for (const std::string& query :
         {std::string(kIss), std::string("sid=other"), std::string("sid="),
          std::string("sid=sid%201&sid=sid%201"), std::string(kIss) + "&sid=other",
          std::string(kIss) + "&sid=", std::string("iss=https://op.example&sid=sid%201"),
          std::string("iss=&sid=sid%201"), good + "&sid=sid%201", good + "&iss=x",
          std::string(kIss) + "&sid=%2", std::string("iss=%2&sid=sid%201"),
          std::string(kIss) + "&%73id=a&sid=sid%201"}) {
        ck_assert_msg(!why_not(query).empty(), "%s", query.c_str());
    }
    // A session without a sid is nobody's.
    ck_assert(!why_not(std::string(kIss) + "&sid=", "").empty());
    ck_assert(!why_not("sid=", "").empty());
    ck_assert_sv_lacks(why_not(std::string(kIss) + "&sid=canary"), "canary");
}
END_TEST

START_TEST(l_41_a_hint_whose_key_has_gone) {
    const ForgeKey& key = ForgeKey::for_alg(Alg::ES256);
    ProviderConfig config;
    config.client_secret = Secret(std::string(64, 's'));
    ProviderState state;
    state.algs = {Alg::ES256, Alg::HS256};
    const auto keys = [&state](const std::string& jwks) {
        Result<KeySet> set = KeySet::parse(jwks);
        ck_assert_result_ok(set);
        state.keys = *std::move(set);
    };
    const std::string token =
        forge_token(forge_header("ES256", "k1"), R"({"sub":"a","exp":1})", Alg::ES256, key);
    keys(forge_jwks({key.jwk("k1")}));
    ck_assert(check_hint(token, config, state).ok());  // that it has ended does not matter
    keys(forge_jwks({key.jwk("k2")}));
    ck_assert_result_is(check_hint(token, config, state), Reason::jwt_key_unknown);
    keys("{\"keys\":[]}");
    ck_assert_result_is(check_hint(token, config, state), Reason::jwt_key_unknown);
    // Replaced under its own name.
    std::string other = token;
    other[other.rfind('.') + 9] = other[other.rfind('.') + 9] == 'A' ? 'B' : 'A';
    keys(forge_jwks({key.jwk("k1")}));
    ck_assert_result_is(check_hint(other, config, state), Reason::jwt_signature);
    // An algorithm that is not accepted any more says nothing of the key.
    state.algs = {Alg::RS256};
    ck_assert(check_hint(token, config, state).ok());
    keys(forge_jwks({ForgeKey::for_alg(Alg::RS256).jwk("k2")}));
    ck_assert_result_is(check_hint(token, config, state), Reason::jwt_key_unknown);
    // What was accepted once for other reasons than its key is the provider's to judge.
    ck_assert(check_hint("no token", config, state).ok());
}
END_TEST

START_TEST(l_32_a_frame_asks) {
    for (const char* dest : {"", "iframe", "IFRAME", "frame"}) {
        ck_assert_msg(is_framed(dest), "%s", dest);
    }
    for (const char* dest :
         {"document", "empty", "image", "script", "embed", "object", "fencedframe", "iframes"}) {
        ck_assert_msg(!is_framed(dest), "%s", dest);
    }
}
END_TEST

static Suite* logout_suite() {
    Suite* suite = suite_create("logout");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, l_01_all_parameters);
    tcase_add_test(tcase, empty_parameters_are_not_sent);
    tcase_add_test(tcase, l_08_a_hint_that_is_too_long_is_posted);
    tcase_add_test(tcase, l_34_what_the_address_says_wins);
    tcase_add_test(tcase, l_27_l_28_front_channel);
    tcase_add_test(tcase, l_32_a_frame_asks);
    tcase_add_test(tcase, l_41_a_hint_whose_key_has_gone);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration logout_registered("logout", logout_suite);
