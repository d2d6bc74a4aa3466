// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "flow_fixture.hpp"
#include "oidc/encode.hpp"
#include "oidc/flow.hpp"
#include "oidc/session.hpp"
#include "oidc/uri.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

// ---- LoginFlow -------------------------------------------------------------------------------

namespace {

struct Login {
    World world;
    AeadKey ring[1] = {};
    Aead aead{ring};
    Digest binding = sha256("binding");
    LoginFlow::Input input{"/a?b=1",
                           "https://app.example/oidc_callback",
                           std::string(64, 'f'),
                           {},
                           sha256("binding"),
                           {},
                           '7'};

    Step run() {
        LoginFlow flow(world.config, aead, world.fake.ports(), input);
        Step first = flow.start();
        ck_assert(std::holds_alternative<NeedProvider>(first));
        ck_assert_uint_eq(std::get<NeedProvider>(first).newer_than, 0);
        return flow.resume(ProviderReady(world.provider()));
    }
    PendingLogin opened(const StartLogin& step) {
        const std::string& url = step.authorization_url;
        const auto state = query_argument(std::string_view(url).substr(url.find('?') + 1), "state");
        std::optional<PendingLogin> login = open_state(state.value_or(""), aead, binding);
        ck_assert(login.has_value());
        const std::string_view slot = std::string_view(step.cookie_name).substr(15);
        ck_assert_ptr_nonnull(take_cookie(*login, {{step.cookie_name, slot, step.cookie_value}}));
        join_target(*login, step.target_cookie_value, aead);
        return *std::move(login);
    }
};

}  // namespace

START_TEST(a_01_login_starts) {
    Login l;
    Step step = l.run();
    const StartLogin& start = expect<StartLogin>(step);
    const PendingLogin login = l.opened(start);
    ck_assert_sv_eq(login.return_to, "/a?b=1");
    ck_assert_sv_eq(login.redirect_uri, "https://app.example/oidc_callback");
    ck_assert_sv_eq(login.session_key, std::string(64, 'f'));
    ck_assert_int_eq(login.created, kNow);
    ck_assert_sv_eq(start.cookie_name, "NGX_OIDC_LOGIN_7");
    ck_assert_sv_eq(start.target_cookie_value, "");
    ck_assert(!login.renewed);
    ck_assert_sv_eq(start.fragment_cookie_name, "");
    Login keeps;
    keeps.world.config.preserve_fragment = true;
    Step kept = keeps.run();
    const StartLogin& with_fragment = expect<StartLogin>(kept);
    ck_assert_sv_eq(with_fragment.fragment_cookie_name,
                    "NGX_OIDC_FRAGMENT_" + with_fragment.cookie_name.substr(15));
    const std::string& url = start.authorization_url;
    ck_assert(url.starts_with("https://op.example/auth?response_type=code&"));
    ck_assert_sv_contains(url, "&state=" + login.state + "&");
    ck_assert_sv_contains(url, "&nonce=" + login.nonce + "&");
    ck_assert_sv_contains(url, "code_challenge=" + code_challenge(login.verifier.view()));
}
END_TEST

START_TEST(b_26_the_head_of_the_answer_is_bounded) {
    // Everything but what depends on the login: status, date, policies, attributes of the cookies.
    constexpr std::size_t kRest = 470;
    for (const std::size_t size : {100, 900, 1500, 1900, 2000, 2010}) {
        for (const std::size_t more : {0, 400, 1000, 2000}) {
            Login l;
            l.input.return_to = "/" + std::string(size - 1, 'a');
            l.input.parameters.login_hint = std::string(more, 'h');
            Step step = l.run();
            const StartLogin& start = expect<StartLogin>(step);
            const std::string back = l.opened(start).return_to;
            ck_assert(back == l.input.return_to || back == "/");
            ck_assert(back.size() > 1 || !start.target_cookie_value.empty() || more > 300);
            if (more < 2000) {
                ck_assert_uint_le(kRest + start.authorization_url.size() +
                                      start.cookie_value.size() + start.target_cookie_value.size(),
                                  4000);
            }
            if (more == 0) {
                ck_assert_sv_eq(back, l.input.return_to);
            }
        }
    }
}
END_TEST

START_TEST(b_05_keycloak_wants_a_new_attempt) {
    constexpr std::string_view kExpired =
        "error=temporarily_unavailable&error_description=authentication_expired&state=s";
    World w;
    LoginDemand demand;
    demand.max_age = 60;
    Callback c(w, kExpired, w.fake.ports(), demand);
    Step step = c.start();
    const RenewLogin& renew = expect<RenewLogin>(step);
    ck_assert(renew.demand.max_age == demand.max_age);
    ck_assert(renew.error.reason == Reason::idp_error);
    // Once.
    Callback again(w, kExpired, w.fake.ports(), {}, true);
    Step refused = again.start();
    ck_assert(expect<Refuse>(refused).error.reason == Reason::idp_error);
    // Nothing else.
    for (const char* query :
         {"error=temporarily_unavailable&state=s",
          "error=temporarily_unavailable&error_description=authentication_expired2&state=s",
          "error=temporarily_unavailable&error_description=Authentication_expired&state=s",
          "error=server_error&error_description=authentication_expired&state=s",
          "error=login_required&state=s", "error=access_denied&state=s"}) {
        Callback other(w, query);
        Step end = other.start();
        (void)expect<Refuse>(end);
    }
    // Not for another provider's word.
    Callback mixed(w, std::string(kExpired) + "&iss=https://evil.example");
    Step mix_up = mixed.start();
    ck_assert(expect<Refuse>(mix_up).error.reason == Reason::issuer_mix_up);
    Login l;
    l.input.renewed = true;
    Step started = l.run();
    ck_assert(l.opened(expect<StartLogin>(started)).renewed);
}
END_TEST

START_TEST(x_15_a_kept_connection_that_ended_without_an_answer) {
    Error lost = fail(Reason::idp_http, "token_endpoint https://op.example: empty reply");
    lost.unanswered = true;
    World w;
    LoginDemand demand;
    demand.max_age = 60;
    Callback c(w, "code=the-code&state=s", w.fake.ports(), demand);
    (void)c.to_token();
    Step step = c.flow.resume(lost);
    const RenewLogin& renew = expect<RenewLogin>(step);
    ck_assert(renew.demand.max_age == demand.max_age);
    ck_assert(renew.error.reason == Reason::idp_http);
    // Once.
    Callback again(w, "code=the-code&state=s", w.fake.ports(), {}, true);
    (void)again.to_token();
    Step refused = again.flow.resume(lost);
    ck_assert(expect<Refuse>(refused).error.reason == Reason::idp_http);
    // A connection that was new, or an answer that had begun.
    Callback fresh(w);
    (void)fresh.to_token();
    Step end = fresh.flow.resume(fail(Reason::idp_http, "empty reply"));
    (void)expect<Refuse>(end);
    // Nor before anything was sent.
    Callback early(w);
    (void)early.flow.start();
    Step down = early.flow.resume(lost);
    (void)expect<Refuse>(down);
}
END_TEST

START_TEST(login_without_pkce) {
    Login l;
    l.world.config.pkce = Toggle::off;
    Step step = l.run();
    const StartLogin& start = expect<StartLogin>(step);
    ck_assert_sv_lacks(start.authorization_url, "code_challenge");
    ck_assert(l.opened(start).verifier.empty());
}
END_TEST

START_TEST(i_35_without_nonce_never_without_pkce) {
    World w;
    w.config.nonce = false;
    Callback with_verifier(w);
    Step token = with_verifier.start();
    ck_assert_sv_contains(expect<Fetch>(token).request.body.view(), "code_verifier=");
    // Begun when neither was there.
    AuthzResponse response;
    response.code = Secret("the-code");
    CallbackFlow flow(w.config, w.fake.ports(), PendingLogin{}, std::move(response));
    Step first = flow.start();
    (void)expect<NeedProvider>(first);
    Step refused = flow.resume(ProviderReady(w.provider()));
    ck_assert(expect<Refuse>(refused).error.reason == Reason::state_unknown);
}
END_TEST

START_TEST(q_10_the_callback_is_no_return_target) {
    const auto target = [](const char* return_to) {
        Login l;
        l.input.return_to = return_to;
        Step step = l.run();
        return l.opened(expect<StartLogin>(step)).return_to;
    };
    ck_assert_sv_eq(target("/oidc_callback?code=x&state=y"), "/");
    ck_assert_sv_eq(target("/oidc_callback?error=x"), "/");
    ck_assert_sv_eq(target("/oidc_callback?code=a&code=b"), "/");
    // Without a response in it, it is a page like any other (EspoCRM's signs in from there).
    ck_assert_sv_eq(target("/oidc_callback?return_to=%2Fx"), "/oidc_callback?return_to=%2Fx");
    ck_assert_sv_eq(target("/oidc_callback"), "/oidc_callback");
    ck_assert_sv_eq(target("/oidc_callback2?code=x"), "/oidc_callback2?code=x");
    ck_assert_sv_eq(target("//evil.example/"), "/");
}
END_TEST

START_TEST(login_refusals) {
    Login l;
    l.world.config.userinfo = true;
    l.world.metadata.userinfo_endpoint.clear();
    Step no_endpoint = l.run();
    const Error& error = expect<Refuse>(no_endpoint).error;
    ck_assert(error.reason == Reason::metadata_invalid);
    ck_assert_sv_eq(error.fix, "userinfo_endpoint");

    Login other;
    LoginFlow flow(other.world.config, other.aead, other.world.fake.ports(), other.input);
    (void)flow.start();
    Step down = flow.resume(fail(Reason::idp_connect, "refused"));
    ck_assert(expect<Refuse>(down).error.reason == Reason::idp_connect);
    Step strange = flow.resume(StoreDone{});
    ck_assert(expect<Refuse>(strange).error.reason == Reason::internal_error);
    Step null = flow.resume(ProviderReady());
    ck_assert(expect<Refuse>(null).error.reason == Reason::internal_error);

    // F-19: no randomness, at the first draw (state, nonce, verifier) and the second (the seal).
    for (int calls = 0; calls < 2; ++calls) {
        FakeRandom random(calls);
        Ports ports{other.world.fake.clock, random, other.world.fake.log};
        LoginFlow starved(other.world.config, other.aead, ports, other.input);
        (void)starved.start();
        Step step = starved.resume(ProviderReady(other.world.provider()));
        ck_assert(expect<Refuse>(step).error.reason == Reason::internal_error);
    }
}
END_TEST

// ---- CallbackFlow ----------------------------------------------------------------------------

START_TEST(the_whole_way) {
    World w;
    w.config.userinfo = true;
    w.config.session_idle_timeout = 900;
    Callback c(w, "code=the-code&state=s");
    const HttpRequest token = c.to_token();
    ck_assert_sv_eq(token.url, "https://op.example/token");
    ck_assert_sv_eq(token.body.view(),
                    "grant_type=authorization_code&code=the-code&redirect_uri="
                    "https%3A%2F%2Fapp.example%2Foidc_callback&code_verifier=the-verifier");
    Step userinfo = c.flow.resume(w.token_response(w.id_token()));
    const HttpRequest& fetch = expect<Fetch>(userinfo).request;
    ck_assert_sv_eq(fetch.url, "https://op.example/userinfo");
    ck_assert_sv_eq(fetch.authorization.view(), "Bearer access-token");
    Step store = c.flow.resume(
        json_response(R"({"sub":"john-id","email":"john@x","preferred_username":"ignored"})"));
    StoreSession& write = expect<StoreSession>(store);
    ck_assert_uint_eq(write.id.size(), kSessionIdBytes);
    ck_assert_sv_eq(write.replaces, std::string(64, 'a'));
    ck_assert_int_eq(write.expires, kNow + 8 * 3600);
    ck_assert_int_eq(write.idle_timeout, 900);
    const std::optional<SessionView> view = SessionView::open(write.record.view());
    ck_assert(view.has_value());
    ck_assert_sv_eq(view->provider(), "op");
    ck_assert_sv_eq(view->sub(), "john-id");
    ck_assert_sv_eq(view->sid(), "sid-1");
    ck_assert_sv_eq(view->username(), "john");
    ck_assert_int_eq(view->created(), kNow);
    ck_assert_int_eq(view->auth_time(), kNow - 50);
    ck_assert_sv_eq(view->claim("email").value_or("-"), "john@x");
    ck_assert_sv_eq(view->claim("preferred_username").value_or("-"), "john");
    // Nobody reads them: not kept.
    ck_assert_sv_eq(view->id_token(), "");
    ck_assert_sv_eq(view->access_token(), "");
    ck_assert_sv_eq(view->userinfo(), "");
    const std::string id(write.id.view());
    const std::string record(write.record.view());
    Step done = c.flow.resume(StoreDone{});
    const LoggedIn& in = expect<LoggedIn>(done);
    ck_assert_sv_eq(in.id.view(), id);
    ck_assert_sv_eq(in.record.view(), record);
    ck_assert_sv_eq(in.return_to, "/a?b=1");
    ck_assert_sv_eq(in.sub, "john-id");
    ck_assert_int_eq(in.expires, kNow + 8 * 3600);
    // A finished flow does nothing more.
    Step after = c.flow.resume(StoreDone{});
    ck_assert(expect<Refuse>(after).error.reason == Reason::internal_error);
}
END_TEST

START_TEST(tokens_are_kept_when_something_reads_them) {
    for (const int which : {0, 1, 2, 3}) {
        World w;
        w.config.userinfo = true;
        w.config.keep_id_token = which == 0;
        w.config.logout_token_hint = which == 1;
        w.config.keep_access_token = which == 2;
        w.config.keep_userinfo = which == 3;
        Callback c(w);
        (void)c.to_token();
        const std::string id_token = w.id_token();
        (void)c.flow.resume(w.token_response(id_token));
        Step store = c.flow.resume(json_response(R"({"sub":"john-id"})"));
        const std::optional<SessionView> view =
            SessionView::open(expect<StoreSession>(store).record.view());
        ck_assert(view.has_value());
        ck_assert_sv_eq(view->id_token(), which <= 1 ? std::string_view(id_token) : "");
        ck_assert_sv_eq(view->access_token(), which == 2 ? "access-token" : "");
        ck_assert_sv_eq(view->userinfo(), which == 3 ? R"({"sub":"john-id"})" : "");
    }
}
END_TEST

START_TEST(without_userinfo_the_session_follows_the_id_token) {
    World w;
    Callback c(w);
    (void)c.to_token();
    Step store = c.flow.resume(w.token_response(w.id_token()));
    (void)expect<StoreSession>(store);
}
END_TEST

START_TEST(a_08_a_10_a_13_errors_before_any_token_request) {
    struct Case {
        const char* query;
        bool promised;
        Reason reason;
    };
    for (const Case& k : std::initializer_list<Case>{
             {"error=access_denied&state=s", false, Reason::access_denied},
             {"error=server_error&code=c", false, Reason::idp_error},
             {"error=access_denied&iss=https://evil.example", false, Reason::issuer_mix_up},
             {"error=access_denied&code=c", true, Reason::issuer_missing},
             {"code=c", true, Reason::issuer_missing},
             {"code=c&iss=https://evil.example", false, Reason::issuer_mix_up},
             {"state=s", false, Reason::callback_malformed},
             {"error=access_denied&iss=https://op.example", true, Reason::access_denied},
         }) {
        World w;
        w.metadata.response_iss_supported = k.promised;
        Callback c(w, k.query);
        Step step = c.start();
        ck_assert_msg(std::holds_alternative<Refuse>(step), "%s", k.query);
        ck_assert_msg(std::get<Refuse>(step).error.reason == k.reason, "%s", k.query);
    }
    World w;
    w.metadata.response_iss_supported = true;
    Callback c(w, "code=c&iss=https%3A%2F%2Fop.example");
    (void)c.to_token();
}
END_TEST

START_TEST(userinfo_without_an_endpoint_is_refused_before_the_code_is_spent) {
    World w;
    w.config.userinfo = true;
    w.metadata.userinfo_endpoint.clear();
    Callback c(w);
    Step step = c.start();
    ck_assert(expect<Refuse>(step).error.reason == Reason::metadata_invalid);
    ck_assert_sv_eq(std::get<Refuse>(step).error.fix, "userinfo_endpoint");
}
END_TEST

START_TEST(t_05_no_second_token_request) {
    World w;
    w.config.userinfo = true;
    Callback c(w);
    (void)c.to_token();
    HttpResponse broken;
    broken.status = 503;
    Step step = c.flow.resume(std::move(broken));
    ck_assert(expect<Refuse>(step).error.reason == Reason::token_status);
    Step again = c.flow.resume(w.token_response(w.id_token()));
    ck_assert(expect<Refuse>(again).error.reason == Reason::internal_error);
    Callback timeout(w);
    (void)timeout.to_token();
    Step late = timeout.flow.resume(fail(Reason::idp_timeout, "late"));
    ck_assert(expect<Refuse>(late).error.reason == Reason::idp_timeout);
}
END_TEST

START_TEST(redirects_name_the_endpoint) {
    World w;
    w.config.userinfo = true;
    Callback c(w);
    (void)c.to_token();
    (void)c.flow.resume(w.token_response(w.id_token()));
    HttpResponse moved;
    moved.status = 301;
    moved.location = "https://op.example/userinfo/";
    Step step = c.flow.resume(std::move(moved));
    ck_assert_sv_eq(expect<Refuse>(step).error.fix,
                    "configure userinfo_endpoint https://op.example/userinfo/");
}
END_TEST

START_TEST(a_bad_id_token_ends_everything) {
    World w;
    w.config.userinfo = true;
    const auto reason_of = [&](const std::string& id_token) {
        Callback c(w);
        (void)c.to_token();
        Step step = c.flow.resume(w.token_response(id_token));
        return expect<Refuse>(step).error.reason;  // and never a userinfo request
    };
    ck_assert(reason_of(w.id_token("", R"(,"nonce":"another")")) == Reason::id_token_nonce);
    ck_assert(reason_of(w.id_token("", R"(,"at_hash":"AAAAAAAAAAAAAAAAAAAAAA")")) ==
              Reason::id_token_at_hash);
    ck_assert(reason_of(w.id_token("", R"(,"c_hash":"AAAAAAAAAAAAAAAAAAAAAA")")) ==
              Reason::id_token_c_hash);
    ck_assert(reason_of("a.b") == Reason::jwt_malformed);
}
END_TEST

START_TEST(at_hash_and_c_hash_that_fit) {
    World w;
    Callback c(w, "code=the-code");
    (void)c.to_token();
    const std::string hashes = R"(,"at_hash":")" + *half_hash(Alg::ES256, "access-token") +
                               R"(","c_hash":")" + *half_hash(Alg::ES256, "the-code") + "\"";
    Step step = c.flow.resume(w.token_response(w.id_token("", hashes)));
    (void)expect<StoreSession>(step);
}
END_TEST

START_TEST(j_02_unknown_kid_refetches_the_keys_once) {
    World w;
    Callback c(w);
    (void)c.to_token();
    Step need = c.flow.resume(w.token_response(w.id_token("k2")));
    ck_assert_uint_eq(expect<NeedProvider>(need).newer_than, 3);
    w.kid = "k2";
    w.generation = 4;
    Step store = c.flow.resume(ProviderReady(w.provider()));
    (void)expect<StoreSession>(store);

    World same;  // throttled: the keys that were there already
    Callback again(same);
    (void)again.to_token();
    Step once = again.flow.resume(same.token_response(same.id_token("k2")));
    (void)expect<NeedProvider>(once);
    Step refused = again.flow.resume(ProviderReady(same.provider()));
    ck_assert(expect<Refuse>(refused).error.reason == Reason::jwt_key_unknown);

    Callback failed(same);
    (void)failed.to_token();
    (void)failed.flow.resume(same.token_response(same.id_token("k2")));
    Step down = failed.flow.resume(fail(Reason::jwks_unavailable, "down"));
    ck_assert(expect<Refuse>(down).error.reason == Reason::jwks_unavailable);
}
END_TEST

START_TEST(j_02_newer_keys_may_be_older_than_the_token) {
    // What another sign-in had fetched just before the provider changed its keys.
    World w;
    Callback c(w);
    (void)c.to_token();
    Step first = c.flow.resume(w.token_response(w.id_token("k2")));
    ck_assert(expect<NeedProvider>(first).cause == NeedProvider::Cause::key_unknown);
    w.generation = 4;
    Step second = c.flow.resume(ProviderReady(w.provider()));
    ck_assert_uint_eq(expect<NeedProvider>(second).newer_than, 4);
    w.kid = "k2";
    w.generation = 5;
    Step store = c.flow.resume(ProviderReady(w.provider()));
    (void)expect<StoreSession>(store);

    World other;  // and so on, but not for ever
    Callback lost(other);
    (void)lost.to_token();
    Step step = lost.flow.resume(other.token_response(other.id_token("k2")));
    for (std::uint64_t asked = 0; asked < 3; ++asked) {
        ck_assert_uint_eq(expect<NeedProvider>(step).newer_than, 3 + asked);
        ++other.generation;
        step = lost.flow.resume(ProviderReady(other.provider()));
    }
    ck_assert(expect<Refuse>(step).error.reason == Reason::jwt_key_unknown);
}
END_TEST

START_TEST(j_02_whatever_does_not_fit_is_fetched_again_once) {
    for (const char* kid : {"", "-"}) {
        World w;
        Callback c(w);
        (void)c.to_token();
        std::string forged = w.id_token(kid);
        forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
        Step need = c.flow.resume(w.token_response(forged));
        ck_assert_uint_eq(expect<NeedProvider>(need).newer_than, 3);
        ck_assert(std::get<NeedProvider>(need).cause == NeedProvider::Cause::misfit);
        Step refused = c.flow.resume(ProviderReady(w.provider()));
        ck_assert(expect<Refuse>(refused).error.reason == Reason::jwt_signature);
    }
    // Another algorithm, which newer metadata list.
    World w;
    w.metadata.id_token_signing_algs = {"RS256"};
    Callback c(w);
    (void)c.to_token();
    Step need = c.flow.resume(w.token_response(w.id_token()));
    (void)expect<NeedProvider>(need);
    w.metadata.id_token_signing_algs = {"ES256"};
    w.generation = 4;
    Step store = c.flow.resume(ProviderReady(w.provider()));
    (void)expect<StoreSession>(store);
    // Another issuer stays another issuer.
    World other;
    Callback renamed(other);
    (void)renamed.to_token();
    std::string issuer = other.config.issuer;
    other.config.issuer = "https://op.example/renamed";
    other.config.config_url = "https://op.example/renamed/config";
    Step once = renamed.flow.resume(other.token_response(other.id_token()));
    (void)expect<NeedProvider>(once);
    Step refused = renamed.flow.resume(ProviderReady(other.provider()));
    const Error& error = expect<Refuse>(refused).error;
    ck_assert(error.reason == Reason::id_token_iss);
    ck_assert_sv_contains(error.detail, issuer);
    ck_assert_sv_contains(error.detail, "https://op.example/renamed/config");
}
END_TEST

START_TEST(metadata_that_loses_userinfo_meanwhile) {
    World w;
    w.config.userinfo = true;
    Callback c(w);
    (void)c.to_token();
    (void)c.flow.resume(w.token_response(w.id_token("k2")));
    w.kid = "k2";
    w.metadata.userinfo_endpoint.clear();
    Step step = c.flow.resume(ProviderReady(w.provider()));
    ck_assert(expect<Refuse>(step).error.reason == Reason::metadata_invalid);
}
END_TEST

START_TEST(u_02_u_03_userinfo_that_fails_fails_the_login) {
    World w;
    w.config.userinfo = true;
    const auto reason_of = [&](Event event) {
        Callback c(w);
        (void)c.to_token();
        (void)c.flow.resume(w.token_response(w.id_token()));
        Step step = c.flow.resume(std::move(event));
        return expect<Refuse>(step).error.reason;
    };
    ck_assert(reason_of(json_response(R"({"sub":"eve"})")) == Reason::userinfo_sub);
    ck_assert(reason_of(json_response("[]")) == Reason::userinfo_malformed);
    HttpResponse denied;
    denied.status = 401;
    ck_assert(reason_of(std::move(denied)) == Reason::userinfo_denied);
    ck_assert(reason_of(fail(Reason::idp_timeout, "t")) == Reason::idp_timeout);
    ck_assert(reason_of(StoreDone{}) == Reason::internal_error);
    ck_assert(reason_of(ProviderReady(w.provider())) == Reason::internal_error);
}
END_TEST

START_TEST(u_06_userinfo_does_not_replace_protocol_claims) {
    World w;
    w.config.userinfo = true;
    Callback c(w);
    (void)c.to_token();
    (void)c.flow.resume(w.token_response(w.id_token()));
    Step store = c.flow.resume(json_response(
        R"({"sub":"john-id","sid":"evil","iss":"https://evil","nonce":"evil","auth_time":1})"));
    const std::optional<SessionView> view =
        SessionView::open(expect<StoreSession>(store).record.view());
    ck_assert_sv_eq(view->sid(), "sid-1");
    ck_assert_int_eq(view->auth_time(), kNow - 50);
    ck_assert_sv_eq(view->claim("iss").value_or("-"), "https://op.example");
}
END_TEST

START_TEST(u_05_signed_userinfo_refetches_the_keys_once) {
    World w;
    w.config.userinfo = true;
    const auto at_userinfo = [&](Callback& c) {
        (void)c.to_token();
        Step fetch = c.flow.resume(w.token_response(w.id_token()));
        (void)expect<Fetch>(fetch);
    };
    Callback good(w);
    at_userinfo(good);
    Step store = good.flow.resume(w.jwt_response(R"({"sub":"john-id"})", "k1"));
    (void)expect<StoreSession>(store);

    Callback rotated(w);
    at_userinfo(rotated);
    Step need = rotated.flow.resume(w.jwt_response(R"({"sub":"john-id"})", "k2"));
    ck_assert_uint_eq(expect<NeedProvider>(need).newer_than, 3);
    World newer;
    newer.kid = "k2";
    Step then = rotated.flow.resume(ProviderReady(newer.provider()));
    (void)expect<StoreSession>(then);

    Callback stale(w);
    at_userinfo(stale);
    (void)stale.flow.resume(w.jwt_response(R"({"sub":"john-id"})", "k2"));
    Step refused = stale.flow.resume(ProviderReady(w.provider()));
    ck_assert(expect<Refuse>(refused).error.reason == Reason::jwt_key_unknown);

    // The one refetch is spent on the ID token already.
    Callback spent(w);
    (void)spent.to_token();
    (void)spent.flow.resume(w.token_response(w.id_token("k2")));
    (void)spent.flow.resume(ProviderReady(newer.provider()));
    Step no_more = spent.flow.resume(w.jwt_response(R"({"sub":"john-id"})", "k3"));
    ck_assert(expect<Refuse>(no_more).error.reason == Reason::jwt_key_unknown);
}
END_TEST

START_TEST(u_16_claims_of_a_source) {
    World w;
    const Registry registry(w);
    Callback c(w);
    (void)c.to_token();
    Step need = c.flow.resume(w.token_response(w.id_token("", registry.aggregated("staff"))));
    ck_assert_uint_eq(expect<NeedProvider>(need).source, 1);
    Step store = c.flow.resume(ProviderReady(registry.provider()));
    const std::optional<SessionView> view =
        SessionView::open(expect<StoreSession>(store).record.view());
    ck_assert_sv_eq(view->claim("groups").value_or("-"), "staff");
    ck_assert(!view->claim("_claim_sources"));
    // One that is required is not there, or cannot be had.
    Callback without(w);
    (void)without.to_token();
    Step refused = without.flow.resume(w.token_response(w.id_token()));
    ck_assert(expect<Refuse>(refused).error.reason == Reason::claim_source_failed);
    Callback down(w);
    (void)down.to_token();
    (void)down.flow.resume(w.token_response(w.id_token("", registry.aggregated("staff"))));
    Step failed = down.flow.resume(fail(Reason::jwks_unavailable, "no keys"));
    ck_assert(expect<Refuse>(failed).error.reason == Reason::claim_source_failed);
}
END_TEST

START_TEST(u_19_claims_of_an_endpoint) {
    World w;
    w.config.userinfo = true;
    const Registry registry(w);
    Callback c(w);
    (void)c.to_token();
    (void)c.flow.resume(w.token_response(w.id_token()));
    Step need = c.flow.resume(json_response(
        R"({"sub":"john-id")" +
        Registry::left(R"("endpoint":"https://api.example/x","access_token":"theirs")") + "}"));
    ck_assert_uint_eq(expect<NeedProvider>(need).source, 1);
    Step fetch = c.flow.resume(ProviderReady(registry.provider()));
    ck_assert_uint_eq(expect<Fetch>(fetch).source, 1);
    ck_assert_sv_eq(expect<Fetch>(fetch).request.authorization.view(), "Bearer theirs");
    HttpResponse answer = json_response(registry.says("staff"));
    answer.content_type = "application/jwt";
    Step store = c.flow.resume(std::move(answer));
    const std::optional<SessionView> view =
        SessionView::open(expect<StoreSession>(store).record.view());
    ck_assert_sv_eq(view->claim("groups").value_or("-"), "staff");
}
END_TEST

START_TEST(a_missing_username_is_refused) {
    World w;
    w.config.username_claim = {"nickname", "upn"};
    Callback c(w);
    (void)c.to_token();
    Step step = c.flow.resume(w.token_response(w.id_token()));
    ck_assert(expect<Refuse>(step).error.reason == Reason::username_missing);
}
END_TEST

START_TEST(e_05_a_session_that_is_too_large_is_refused) {
    World w;
    w.config.userinfo = true;
    w.config.keep_userinfo = true;
    w.config.keep_access_token = true;
    w.access_token = std::string(150 * 1024, 'x');
    Callback c(w);
    (void)c.to_token();
    (void)c.flow.resume(w.token_response(w.id_token()));
    Step step = c.flow.resume(
        json_response(R"({"sub":"john-id","x":")" + std::string(200 * 1024, 'x') + "\"}"));
    ck_assert(expect<Refuse>(step).error.reason == Reason::session_too_large);
}
END_TEST

START_TEST(a_store_that_refuses_refuses_the_login) {
    World w;
    Callback c(w);
    (void)c.to_token();
    (void)c.flow.resume(w.token_response(w.id_token()));
    Step step = c.flow.resume(fail(Reason::store_full, "full"));
    ck_assert(expect<Refuse>(step).error.reason == Reason::store_full);
    Step after = c.flow.resume(StoreDone{});
    ck_assert(expect<Refuse>(after).error.reason == Reason::internal_error);
}
END_TEST

START_TEST(f_19_no_randomness_for_the_session_id) {
    World w;
    FailingRandom random;
    Callback c(w, "code=c", Ports{w.fake.clock, random, w.fake.log});
    (void)c.to_token();
    Step step = c.flow.resume(w.token_response(w.id_token()));
    ck_assert(expect<Refuse>(step).error.reason == Reason::internal_error);
}
END_TEST

START_TEST(events_that_no_step_asked_for_are_refused) {
    World w;
    const std::vector<std::function<Event()>> events = {
        [&] { return Event(w.token_response(w.id_token())); },
        [] { return Event(StoreDone{}); },
        [] { return Event(ProviderReady()); },
    };
    for (const auto& event : events) {
        Callback c(w);
        (void)c.flow.start();
        Step step = c.flow.resume(event());
        ck_assert(expect<Refuse>(step).error.reason == Reason::internal_error);
    }
    Callback c(w);
    (void)c.to_token();
    Step step = c.flow.resume(ProviderReady(w.provider()));
    ck_assert(expect<Refuse>(step).error.reason == Reason::internal_error);
}
END_TEST

static Suite* flow_suite() {
    Suite* suite = suite_create("flow");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_01_login_starts);
    tcase_add_test(tcase, b_26_the_head_of_the_answer_is_bounded);
    tcase_add_test(tcase, b_05_keycloak_wants_a_new_attempt);
    tcase_add_test(tcase, x_15_a_kept_connection_that_ended_without_an_answer);
    tcase_add_test(tcase, login_without_pkce);
    tcase_add_test(tcase, i_35_without_nonce_never_without_pkce);
    tcase_add_test(tcase, q_10_the_callback_is_no_return_target);
    tcase_add_test(tcase, login_refusals);
    tcase_add_test(tcase, the_whole_way);
    tcase_add_test(tcase, tokens_are_kept_when_something_reads_them);
    tcase_add_test(tcase, without_userinfo_the_session_follows_the_id_token);
    tcase_add_test(tcase, a_08_a_10_a_13_errors_before_any_token_request);
    tcase_add_test(tcase, userinfo_without_an_endpoint_is_refused_before_the_code_is_spent);
    tcase_add_test(tcase, t_05_no_second_token_request);
    tcase_add_test(tcase, redirects_name_the_endpoint);
    tcase_add_test(tcase, a_bad_id_token_ends_everything);
    tcase_add_test(tcase, at_hash_and_c_hash_that_fit);
    tcase_add_test(tcase, j_02_unknown_kid_refetches_the_keys_once);
    tcase_add_test(tcase, j_02_newer_keys_may_be_older_than_the_token);
    tcase_add_test(tcase, j_02_whatever_does_not_fit_is_fetched_again_once);
    tcase_add_test(tcase, metadata_that_loses_userinfo_meanwhile);
    tcase_add_test(tcase, u_02_u_03_userinfo_that_fails_fails_the_login);
    tcase_add_test(tcase, u_06_userinfo_does_not_replace_protocol_claims);
    tcase_add_test(tcase, u_05_signed_userinfo_refetches_the_keys_once);
    tcase_add_test(tcase, u_16_claims_of_a_source);
    tcase_add_test(tcase, u_19_claims_of_an_endpoint);
    tcase_add_test(tcase, a_missing_username_is_refused);
    tcase_add_test(tcase, e_05_a_session_that_is_too_large_is_refused);
    tcase_add_test(tcase, a_store_that_refuses_refuses_the_login);
    tcase_add_test(tcase, f_19_no_randomness_for_the_session_id);
    tcase_add_test(tcase, events_that_no_step_asked_for_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration flow_registered("flow", flow_suite);
