// SPDX-License-Identifier: Apache-2.0
#include "oidc/tenants.hpp"

#include "flow_fixture.hpp"
#include "oidc/access_token.hpp"
#include "oidc/backchannel_flow.hpp"
#include "oidc/json.hpp"
#include "oidc/login_initiation.hpp"
#include "oidc/logout_token.hpp"
#include "oidc/metadata.hpp"
#include "oidc/refresh_flow.hpp"
#include "oidc/userinfo.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

const std::string kTemplate = "https://login.example/{tenantid}/v2.0";
const std::string kOne = "8f7e-0001";
const std::string kTwo = "8f7e-0002";

std::string issuer(std::string_view tenant) {
    return "https://login.example/" + std::string(tenant) + "/v2.0";
}

ProviderConfig two_tenants() {
    ProviderConfig config;
    config.issuer = kTemplate;
    config.tenants = {kOne, kTwo};
    config.client_id = "us";
    return config;
}

struct Tenants : World {
    std::string jwk_issuer;  // a member of the key; empty: none

    Tenants() {
        config.issuer = kTemplate;
        config.tenants = {kOne, kTwo};
        config.session_refresh = true;
        config.scope = {"openid"};
    }
    [[nodiscard]] std::shared_ptr<const ProviderState> state() const {
        auto made = std::const_pointer_cast<ProviderState>(provider());
        std::string jwk = key().jwk(kid);
        if (!jwk_issuer.empty()) {
            jwk.insert(1, "\"issuer\":" + jwk_issuer + ",");
        }
        Result<KeySet> keys = KeySet::parse(forge_jwks({jwk}));
        ck_assert_result_ok(keys);
        made->keys = *std::move(keys);
        return made;
    }
    // `iss` and `tid` as JSON; an empty one is left out.
    [[nodiscard]] std::string token(std::string_view iss, std::string_view tid,
                                    std::string_view more = {}, Seconds iat = kNow) const {
        std::string payload = R"({"aud":"espocrm","sub":"john-id","sid":"sid-1",)"
                              R"("preferred_username":"john","nonce":"the-nonce","iat":)" +
                              std::to_string(iat) + R"(,"exp":)" + std::to_string(iat + 300);
        payload.append(iss.empty() ? "" : ",\"iss\":").append(iss);
        payload.append(tid.empty() ? "" : ",\"tid\":").append(tid);
        payload.append(more).append("}");
        return forge_token(forge_header("ES256", kid), payload, Alg::ES256, key());
    }
    [[nodiscard]] std::string of(std::string_view tenant, Seconds iat = kNow) const {
        return token(json_quote(issuer(tenant)), json_quote(tenant), {}, iat);
    }
    Step login(std::string_view id_token, std::string_view query = "code=the-code&state=s") {
        fake.clock.set(kNow);
        Callback callback(*this, query);
        Step first = callback.flow.start();
        Step asked = callback.flow.resume(ProviderReady(state()));
        if (std::holds_alternative<Refuse>(asked)) {
            return asked;
        }
        (void)expect<Fetch>(asked);
        HttpResponse answer =
            json_response(R"({"token_type":"Bearer","expires_in":3600,"access_token":"at",)"
                          R"("refresh_token":"rt","id_token":")" +
                          std::string(id_token) + "\"}");
        Step last = callback.flow.resume(std::move(answer));
        if (std::holds_alternative<NeedProvider>(last)) {
            last = callback.flow.resume(ProviderReady(state()));
        }
        return last;
    }
    Error refused(std::string_view id_token, std::string_view query = "code=the-code&state=s") {
        Step last = login(id_token, query);
        return expect<Refuse>(last).error;
    }
    std::string session_of(std::string_view tenant) {
        Step last = login(of(tenant));
        return std::string(expect<StoreSession>(last).record.view());
    }
    Step refresh(std::string_view record, std::string_view id_token) {
        fake.clock.set(kNow + 3600);
        const auto session = SessionView::open(record);
        ck_assert(session.has_value());
        RefreshFlow flow(config, fake.ports(), *session);
        (void)flow.start();
        (void)flow.resume(ProviderReady(state()));
        Step last = flow.resume(
            json_response(R"({"token_type":"Bearer","expires_in":3600,"access_token":"at-2",)"
                          R"("id_token":")" +
                          std::string(id_token) + "\"}"));
        if (std::holds_alternative<NeedProvider>(last)) {
            last = flow.resume(ProviderReady(state()));
        }
        return last;
    }
};

void assert_reason(const Error& error, Reason reason) {
    ck_assert_msg(error.reason == reason, "%s (%s)", reason_info(error.reason).code.data(),
                  error.detail.c_str());
}

}  // namespace

START_TEST(i_44_names_of_tenants) {
    for (const char* good :
         {"8f7e0000-0000-0000-0000-000000000000", "a", "example.com", "a_b~c", "...", "common"}) {
        ck_assert_msg(is_tenant_name(good), "%s", good);
    }
    for (const char* bad : {"", "*", "a*", ".", "..", "a/b", "a%2Fb", "{tenantid}", "a b", "a?b",
                            "m\xc3\xbcller", "a:b", "~^.*$x", "a#", "a\\b", "a@b"}) {
        ck_assert_msg(!is_tenant_name(bad), "%s", bad);
    }
    ck_assert(is_tenant_name(std::string(128, 'a')));
    ck_assert(!is_tenant_name(std::string(129, 'a')));
    ck_assert(!is_tenant_name(raw("a\0b")));
}
END_TEST

START_TEST(i_44_templates) {
    for (const char* good :
         {"https://login.example/{tenantid}/v2.0", "https://login.example/{tenantid}",
          "https://login.example:8443/a/b-{tenantid}/"}) {
        ck_assert_sv_eq(why_no_template(good), "");
    }
    for (const char* bad :
         {"https://login.example/v2.0", "https://login.example/{tenant}/v2.0",
          "https://login.example/{TENANTID}/", "https://login.example/{tenantid}/{tenantid}",
          "https://login.example/{tenantid}/{x}", "https://login.example/{tenantid}}",
          "https://{tenantid}.login.example/", "https://{tenantid}/a", "{tenantid}", "",
          "https://login.example/?t={tenantid}", "https://login.example/{tenantid}?a",
          "https://login.example/{tenantid}#a", "https://login.example{tenantid}/",
          "https:/login.example/{tenantid}"}) {
        ck_assert_msg(!why_no_template(bad).empty(), "%s", bad);
    }
}
END_TEST

START_TEST(i_43_i_44_issuers_of_the_list) {
    const ProviderConfig config = two_tenants();
    ck_assert(is_issuer(config, issuer(kOne)));
    ck_assert(is_issuer(config, issuer(kTwo)));
    for (const std::string& other :
         {kTemplate, issuer("8f7e-0003"), issuer("8F7E-0001"), issuer(""), issuer("8f7e-0001/"),
          issuer("/8f7e-0001"), issuer("x/../8f7e-0001"), issuer("8f7e-000%31"),
          issuer("8f7e-0001 "), issuer("*"), issuer(kOne) + "/",
          issuer(kOne).substr(0, issuer(kOne).size() - 1), "http" + issuer(kOne).substr(5),
          std::string("https://LOGIN.example/8f7e-0001/v2.0"), std::string(),
          std::string("8f7e-0001"),
          std::string("https://evil.example/https://login.example/8f7e-0001/v2.0"),
          issuer(kOne) + raw("\0"), issuer("8f7e-0001/v2.0/../8f7e-0002")}) {
        ck_assert_msg(!is_issuer(config, other), "%s", other.c_str());
    }
    ck_assert(tenant_of(config, issuer("a/b")) == "a/b");
    ck_assert(!tenant_of(config, issuer("")));
    ck_assert(!tenant_of(config, "https://login.example//v2.0"));
    const std::vector<std::string> all = issuers_of(config);
    ck_assert_uint_eq(all.size(), 2);
    ck_assert_sv_eq(all[0], issuer(kOne));
    ck_assert_sv_eq(all[1], issuer(kTwo));

    ProviderConfig one;
    one.issuer = "https://op.example";
    ck_assert(is_issuer(one, "https://op.example") && !is_issuer(one, "https://op.example/"));
    ck_assert(!tenant_of(one, "https://op.example"));
    ck_assert_uint_eq(issuers_of(one).size(), 1);
    // Braces in an issuer are no template.
    one.issuer = kTemplate;
    ck_assert(is_issuer(one, kTemplate) && !is_issuer(one, issuer(kOne)));
}
END_TEST

START_TEST(d_43_metadata_have_the_template) {
    const ProviderConfig config = two_tenants();
    const auto read = [&](const std::string& iss) {
        const std::string text = R"({"issuer":")" + iss +
                                 R"(","authorization_endpoint":"https://login.example/a",)"
                                 R"("token_endpoint":"https://login.example/t",)"
                                 R"("jwks_uri":"https://login.example/k"})";
        const std::string_view document = text;
        return parse_metadata(&document, config);
    };
    const auto good = read(kTemplate);
    ck_assert_result_ok(good);
    for (const std::string& other : {issuer(kOne), issuer("{tenant}"), kTemplate + "/"}) {
        const auto bad = read(other);
        ck_assert_result_is(bad, Reason::metadata_issuer);
    }
}
END_TEST

START_TEST(i_43_sign_ins) {
    Tenants w;
    for (const std::string& tenant : {kOne, kTwo}) {
        const std::string record = w.session_of(tenant);
        const auto session = SessionView::open(record);
        ck_assert(session.has_value());
        ck_assert_sv_eq(issuer_of(w.config, *session), issuer(tenant));
        ck_assert_sv_eq(session->sub(), "john-id");
        ck_assert(is_admitted(w.config, *session));
        // The tenant leaves the list.
        ProviderConfig later = two_tenants();
        later.tenants = {"8f7e-0009", tenant == kOne ? kTwo : kOne};
        ck_assert(!is_admitted(later, *session));
    }
    // Without tid, iss says it alone.
    Step without = w.login(w.token(json_quote(issuer(kOne)), ""));
    (void)expect<StoreSession>(without);
}
END_TEST

START_TEST(i_44_sign_ins_of_others) {
    Tenants w;
    const Error unlisted = w.refused(w.of("8f7e-0003"));
    assert_reason(unlisted, Reason::tenant_unlisted);
    ck_assert_sv_contains(unlisted.detail, "\"8f7e-0003\"");
    ck_assert_sv_eq(unlisted.fix, "issuer_template");
    const Error upper = w.refused(w.of("8F7E-0001"));
    assert_reason(upper, Reason::tenant_unlisted);
    ck_assert_sv_contains(upper.detail, "case");

    const auto iss = [&](const std::string& text, std::string_view tid) {
        return w.refused(w.token(json_quote(text), tid));
    };
    const std::string one = json_quote(kOne);
    assert_reason(iss(issuer(kOne), json_quote(kTwo)), Reason::id_token_iss);
    assert_reason(iss(issuer(kOne), json_quote("8F7E-0001")), Reason::id_token_iss);
    assert_reason(iss(issuer(kOne), "\"\""), Reason::id_token_iss);
    assert_reason(iss(issuer(kOne), "7"), Reason::id_token_iss);
    assert_reason(iss(issuer(kOne), R"(["8f7e-0001"])"), Reason::id_token_iss);
    assert_reason(iss(kTemplate, one), Reason::id_token_iss);
    assert_reason(iss(kTemplate, json_quote("{tenantid}")), Reason::id_token_iss);
    assert_reason(iss(issuer("a/8f7e-0001"), one), Reason::id_token_iss);
    assert_reason(iss(issuer("8f7e%2D0001"), one), Reason::id_token_iss);
    assert_reason(iss(issuer(kOne) + "/", one), Reason::id_token_iss);
    assert_reason(iss("https://sts.windows.net/8f7e-0001/", one), Reason::id_token_iss);
    assert_reason(w.refused(w.token("", one)), Reason::id_token_iss);
}
END_TEST

START_TEST(i_44_the_response_names_its_tenant) {
    Tenants w;
    const auto query = [](const std::string& iss) { return "code=the-code&state=s&iss=" + iss; };
    Step good = w.login(w.of(kOne), query(issuer(kOne)));
    (void)expect<StoreSession>(good);
    assert_reason(w.refused(w.of(kOne), query(issuer("8f7e-0003"))), Reason::issuer_mix_up);
    assert_reason(w.refused(w.of(kOne), query("https://login.example/%7Btenantid%7D/v2.0")),
                  Reason::issuer_mix_up);
    assert_reason(w.refused(w.of(kTwo), query(issuer(kOne))), Reason::id_token_iss);
}
END_TEST

START_TEST(t_30_a_refresh_stays_at_its_tenant) {
    Tenants w;
    const std::string record = w.session_of(kOne);
    Step good = w.refresh(record, w.of(kOne, kNow + 3600));
    const auto refreshed = SessionView::open(expect<Refreshed>(good).record.view());
    ck_assert(refreshed.has_value());
    ck_assert_sv_eq(issuer_of(w.config, *refreshed), issuer(kOne));
    Step other = w.refresh(record, w.of(kTwo, kNow + 3600));
    assert_reason(expect<RefreshEnded>(other).error, Reason::id_token_iss);
    Step unlisted = w.refresh(record, w.of("8f7e-0003", kNow + 3600));
    assert_reason(expect<RefreshEnded>(unlisted).error, Reason::tenant_unlisted);
}
END_TEST

START_TEST(j_19_keys_of_one_tenant) {
    Tenants w;
    const auto signs_in = [&w](std::string_view key_issuer, const std::string& tenant) {
        w.jwk_issuer = key_issuer;
        Step last = w.login(w.of(tenant));
        if (const auto* refused = std::get_if<Refuse>(&last)) {
            assert_reason(refused->error, Reason::jwt_signature);
            return false;
        }
        return true;
    };
    ck_assert(signs_in(json_quote(kTemplate), kOne) && signs_in(json_quote(kTemplate), kTwo));
    ck_assert(signs_in(json_quote(issuer(kOne)), kOne));
    ck_assert(!signs_in(json_quote(issuer(kOne)), kTwo));
    ck_assert(!signs_in(json_quote(issuer("8f7e-0003")), kOne));
    ck_assert(!signs_in("7", kOne));
    ck_assert(!signs_in(R"(["https://login.example/8f7e-0001/v2.0"])", kOne));
    ck_assert(signs_in("null", kOne));
    // One issuer alone does not ask for more than it did.
    w.config.issuer = issuer(kTwo);
    w.config.tenants.clear();
    ck_assert(signs_in(json_quote(issuer(kOne)), kTwo));
}
END_TEST

START_TEST(l_36_logout_tokens) {
    Tenants w;
    const auto ends = [&w](const std::string& iss, std::string_view tid = {}) {
        std::string payload =
            R"({"aud":"espocrm","jti":"j","sub":"john-id","events":)"
            R"({"http://schemas.openid.net/event/backchannel-logout":{}},"iat":)" +
            std::to_string(kNow) + ",\"iss\":" + json_quote(iss);
        payload.append(tid.empty() ? "" : ",\"tid\":").append(tid).append("}");
        BackchannelFlow flow(
            w.config, w.fake.ports(),
            forge_token(forge_header("ES256", w.kid), payload, Alg::ES256, World::key()));
        (void)flow.start();
        Step last = flow.resume(ProviderReady(w.state()));
        return std::holds_alternative<NeedProvider>(last) ? flow.resume(ProviderReady(w.state()))
                                                          : std::move(last);
    };
    w.fake.clock.set(kNow);
    Step one = ends(issuer(kOne));
    Step two = ends(issuer(kTwo), json_quote(kTwo));
    ck_assert_sv_eq(expect<EndSessions>(one).iss, issuer(kOne));
    ck_assert_sv_eq(expect<EndSessions>(two).iss, issuer(kTwo));
    // Each has its own tokens: one that was used at a tenant is new at another.
    ck_assert(expect<EndSessions>(one).jti_digest != expect<EndSessions>(two).jti_digest);
    for (Step& bad : std::array{ends(issuer("8f7e-0003")), ends(kTemplate),
                                ends(issuer(kOne), json_quote(kTwo))}) {
        assert_reason(expect<Refuse>(bad).error, Reason::logout_token_iss);
    }
}
END_TEST

START_TEST(i_44_user_info_of_the_same_tenant) {
    Tenants w;
    const auto read = [&w](const std::string& iss) {
        HttpResponse response =
            w.jwt_response(R"({"sub":"john-id","iss":)" + json_quote(iss) + "}", w.kid);
        const auto state = w.state();
        return parse_userinfo(userinfo_request(*state, "at"), std::move(response), w.config, *state,
                              "john-id", kNow, issuer(kOne));
    };
    const auto good = read(issuer(kOne));
    ck_assert_result_ok(good);
    for (const std::string& other : {issuer(kTwo), kTemplate, issuer("8f7e-0003")}) {
        const auto bad = read(other);
        ck_assert_result_is(bad, Reason::userinfo_malformed);
    }
}
END_TEST

START_TEST(i_44_access_tokens) {
    const ProviderConfig config = two_tenants();
    const auto read = [&config](const std::string& iss) {
        const std::string text = R"({"sub":"john-id","client_id":"c","aud":"us","exp":)" +
                                 std::to_string(kNow + 60) + R"(,"iat":)" + std::to_string(kNow) +
                                 iss + "}";
        auto claims = json_parse_object(text);
        ck_assert_result_ok(claims);
        constexpr std::array<std::string_view, 1> kOptional{"iss"};
        return read_access_token(*std::move(claims), config, kNow, kOptional);
    };
    const auto good = read(",\"iss\":" + json_quote(issuer(kTwo)));
    ck_assert_result_ok(good);
    for (const std::string& other :
         {std::string(), ",\"iss\":" + json_quote(issuer("8f7e-0003")),
          ",\"iss\":" + json_quote(kTemplate),
          ",\"iss\":" + json_quote(issuer(kTwo)) + ",\"tid\":" + json_quote(kOne)}) {
        const auto bad = read(other);
        ck_assert_result_is(bad, Reason::access_token_iss);
    }
}
END_TEST

START_TEST(a_41_l_37_links_and_frames) {
    const ProviderConfig config = two_tenants();
    const auto link = parse_login_initiation("iss=" + issuer(kTwo), config);
    ck_assert_result_ok(link);
    ck_assert_sv_eq(link->iss, issuer(kTwo));
    for (const std::string& other : {issuer("8f7e-0003"), kTemplate}) {
        const auto bad = parse_login_initiation("iss=" + other, config);
        ck_assert_result_is(bad, Reason::initiation_issuer);
    }
    ck_assert_uint_eq(issuers_meant_by(config, "sid=a").size(), 2);
    const auto named = issuers_meant_by(config, "sid=a&iss=" + issuer(kTwo));
    ck_assert(named == std::vector{issuer(kTwo)});
    for (const std::string& other : {issuer("8f7e-0003"), kTemplate, std::string("%zz"),
                                     issuer(kOne) + "&iss=" + issuer(kOne)}) {
        ck_assert_msg(issuers_meant_by(config, "sid=a&iss=" + other).empty(), "%s", other.c_str());
    }
}
END_TEST

static Suite* tenants_suite() {
    Suite* suite = suite_create("tenants");
    TCase* tcase = tcase_create("tenants");
    tcase_add_test(tcase, i_44_names_of_tenants);
    tcase_add_test(tcase, i_44_templates);
    tcase_add_test(tcase, i_43_i_44_issuers_of_the_list);
    tcase_add_test(tcase, d_43_metadata_have_the_template);
    tcase_add_test(tcase, i_43_sign_ins);
    tcase_add_test(tcase, i_44_sign_ins_of_others);
    tcase_add_test(tcase, i_44_the_response_names_its_tenant);
    tcase_add_test(tcase, t_30_a_refresh_stays_at_its_tenant);
    tcase_add_test(tcase, j_19_keys_of_one_tenant);
    tcase_add_test(tcase, l_36_logout_tokens);
    tcase_add_test(tcase, i_44_user_info_of_the_same_tenant);
    tcase_add_test(tcase, i_44_access_tokens);
    tcase_add_test(tcase, a_41_l_37_links_and_frames);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration tenants_registered("tenants", tenants_suite);
