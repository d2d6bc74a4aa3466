// SPDX-License-Identifier: Apache-2.0
#include "oidc/refresh_flow.hpp"

#include "flow_fixture.hpp"
#include "oidc/encode.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::string_view kUserInfo =
    R"({"sub":"john-id","groups":["users","admins"],"email":"john@x"})";

// A session from a login an hour ago, and one refresh of it.
struct Refreshing : World {
    std::string record;

    explicit Refreshing(bool userinfo = false) {
        config.session_refresh = true;
        config.keep_refresh_token = true;
        config.userinfo = userinfo;
        config.scope = {"openid", "groups", "offline_access"};
    }
    // Logs in; `more` goes into the ID token.
    void login(std::string_view more = {}, std::string_view info = kUserInfo) {
        fake.clock.set(kNow);
        Callback callback(*this);
        (void)callback.to_token();
        HttpResponse answer =
            json_response(R"({"token_type":"Bearer","expires_in":3600,"access_token":"at-1",)"
                          R"("refresh_token":"rt-1","id_token":")" +
                          id_token("", more) + "\"}");
        Step step = callback.flow.resume(std::move(answer));
        if (config.userinfo) {
            step = callback.flow.resume(json_response(info));
        }
        record = std::string(expect<StoreSession>(step).record.view());
        fake.clock.set(kNow + 3600);
    }
    [[nodiscard]] SessionView view() const {
        const auto opened = SessionView::open(record);
        ck_assert(opened.has_value());
        return *opened;
    }
    // An ID token of now; each member of `more` replaces the usual one.
    [[nodiscard]] std::string fresh(std::string_view more = {}, std::string_view with_kid = "k1") {
        std::string payload = "{";
        const auto add = [&](std::string_view name, std::string_view value) {
            if (more.find("\"" + std::string(name) + "\"") == std::string_view::npos) {
                payload.append("\"").append(name).append("\":").append(value).append(",");
            }
        };
        add("iss", "\"https://op.example\"");
        add("aud", "\"espocrm\"");
        add("sub", "\"john-id\"");
        add("preferred_username", "\"john\"");
        add("iat", std::to_string(kNow + 3600));
        add("exp", std::to_string(kNow + 3900));
        payload += more.empty() ? "\"last\":1" : std::string(more);
        return forge_token(forge_header("ES256", with_kid), payload + "}", Alg::ES256, key());
    }
    static HttpResponse tokens(std::string_view id_token, std::string_view refresh_token = "rt-2",
                               std::string_view more = {}) {
        std::string text = R"({"token_type":"Bearer","expires_in":1800,"access_token":"at-2")";
        if (!id_token.empty()) {
            text.append(R"(,"id_token":")").append(id_token).append("\"");
        }
        if (!refresh_token.empty()) {
            text.append(R"(,"refresh_token":")").append(refresh_token).append("\"");
        }
        return json_response(text.append(more).append("}"));
    }
};

// The flow up to its token request.
struct Run {
    explicit Run(Refreshing& world)
        : world(world), flow(world.config, world.fake.ports(), world.view()) {
        Step first = flow.start();
        ck_assert_uint_eq(expect<NeedProvider>(first).newer_than, 0);
        Step step = flow.resume(ProviderReady(world.provider()));
        request = std::move(expect<Fetch>(step).request);
    }
    // The record of the outcome becomes the world's.
    Step& done(Step& step) {
        if (auto* good = std::get_if<Refreshed>(&step)) {
            world.record = std::string(good->record.view());
        } else if (auto* later = std::get_if<RefreshPostponed>(&step)) {
            world.record = std::string(later->record.view());
        }
        return step;
    }
    Refreshing& world;
    RefreshFlow flow;
    HttpRequest request;
};

HttpResponse status(int code, std::string_view body = "{}") {
    HttpResponse response = json_response(body);
    response.status = code;
    return response;
}

void assert_ends(Refreshing& w, std::string_view more, Reason reason) {
    Run run(w);
    Step step = run.flow.resume(Refreshing::tokens(w.fresh(more)));
    if (std::holds_alternative<NeedProvider>(step)) {
        step = run.flow.resume(ProviderReady(w.provider()));  // nothing newer
    }
    const auto* ended = std::get_if<RefreshEnded>(&step);
    ck_assert_msg(ended != nullptr && ended->error.reason == reason, "%s: step %zu %s",
                  std::string(more).c_str(), step.index(),
                  ended == nullptr ? "" : ended->error.detail.c_str());
}

}  // namespace

START_TEST(the_login_says_when) {
    Refreshing w;
    w.login();
    ck_assert_sv_eq(w.view().refresh_token(), "rt-1");
    ck_assert_sv_eq(w.view().scope(), "openid groups offline_access");
    ck_assert_int_eq(w.view().access_expires(), kNow + 3600);
    ck_assert_int_eq(w.view().refresh_at(), kNow + 3540);
    ck_assert(!refresh_due(w.view(), kNow + 3539, w.config));
    ck_assert(refresh_due(w.view(), kNow + 3540, w.config));
    w.config.session_refresh = false;
    ck_assert(!refresh_due(w.view(), kNow + 3540, w.config));
    w.login();  // kept for revocation, never used
    ck_assert_int_eq(w.view().refresh_at(), 0);
    w.config.keep_refresh_token = false;
    w.login();
    ck_assert_sv_eq(w.view().refresh_token(), "");
    ck_assert_sv_eq(w.view().scope(), "");
    ck_assert(!refresh_due(SessionView(), kNow, w.config));
}
END_TEST

START_TEST(t_13_short_and_unknown_lifetimes) {
    struct Case {
        const char* more;
        Seconds at;
        Seconds expires;
    };
    for (const Case& k : std::initializer_list<Case>{{R"(,"expires_in":80)", 40, 80},
                                                     {R"(,"expires_in":0)", 5, 0},
                                                     {R"(,"expires_in":-1)", 5, 0},
                                                     {"", 3540, 0}}) {
        Refreshing w;
        w.login();
        Run run(w);
        Step step = run.flow.resume(json_response(
            R"({"token_type":"Bearer","access_token":"at-2")" + std::string(k.more) + "}"));
        const Refreshed& good = expect<Refreshed>(run.done(step));
        ck_assert_int_eq(good.access_expires, *k.more == 0 ? 0 : kNow + 3600 + k.expires);
        ck_assert_int_eq(w.view().refresh_at(), kNow + 3600 + k.at);
    }
}
END_TEST

START_TEST(t_44_a_lifetime_that_the_provider_does_not_say) {
    struct Case {
        const char* more;
        Seconds life;
    };
    for (const Case& k : std::initializer_list<Case>{{"", 900},
                                                     {R"(,"expires_in":null)", 900},
                                                     {R"(,"expires_in":"soon")", 900},
                                                     {R"(,"expires_in":120)", 120},
                                                     {R"(,"expires_in":0)", 0}}) {
        Refreshing w;
        w.config.access_token_lifetime = 900;
        w.login();
        Run run(w);
        Step step = run.flow.resume(json_response(
            R"({"token_type":"Bearer","access_token":"at-2")" + std::string(k.more) + "}"));
        ck_assert_int_eq(expect<Refreshed>(run.done(step)).access_expires, kNow + 3600 + k.life);
        ck_assert_int_eq(w.view().refresh_at(),
                         kNow + 3600 + std::max<Seconds>({5, k.life - 60, k.life / 2}));
    }
}
END_TEST

START_TEST(t_45_a_provider_that_gives_no_refresh_token) {
    const auto said = [](bool on, bool asked, bool given) {
        Refreshing w;
        w.config.session_refresh = on;
        w.config.scope = asked ? std::vector<std::string>{"openid", "offline_access"}
                               : std::vector<std::string>{"openid"};
        Callback callback(w);
        (void)callback.to_token();
        (void)callback.flow.resume(
            json_response(R"({"token_type":"Bearer","access_token":"at-1",)" +
                          std::string(given ? R"("refresh_token":"rt-1",)" : "") +
                          R"("id_token":")" + w.id_token() + "\"}"));
        return w.fake.log.joined();
    };
    ck_assert_sv_contains(said(true, false, false), "\"offline_access\" in scope");
    ck_assert_sv_contains(said(true, true, false), "allow them for this client");
    ck_assert_sv_lacks(said(true, true, true), "refresh token");
    ck_assert_sv_lacks(said(false, false, false), "refresh token");
}
END_TEST

START_TEST(the_request) {
    Refreshing w;
    w.login();
    Run run(w);
    ck_assert_sv_eq(run.request.url, "https://op.example/token");
    ck_assert_sv_eq(run.request.body.view(), "grant_type=refresh_token&refresh_token=rt-1");
    ck_assert_sv_contains(run.request.authorization.view(), "Basic ");
}
END_TEST

START_TEST(t_24_what_is_not_in_the_answer_stays) {
    Refreshing w;
    w.config.keep_id_token = true;
    w.config.keep_access_token = true;
    w.login();
    ck_assert(!w.view().id_token_stays());
    const std::string hint(w.view().id_token());
    Run run(w);
    Step step = run.flow.resume(Refreshing::tokens("", ""));
    const Refreshed& good = expect<Refreshed>(run.done(step));
    ck_assert_int_eq(good.access_expires, kNow + 3600 + 1800);
    ck_assert_sv_eq(w.view().refresh_token(), "rt-1");
    ck_assert_sv_eq(w.view().id_token(), hint);
    ck_assert(w.view().id_token_stays());
    ck_assert_sv_eq(w.view().access_token(), "at-2");
    ck_assert_sv_eq(w.view().username(), "john");
    ck_assert_sv_eq(w.view().sid(), "sid-1");
    ck_assert_int_eq(w.view().created(), kNow);
    ck_assert_sv_eq(w.view().claim("preferred_username").value_or("-"), "john");
    ck_assert_int_eq(w.view().refresh_at(), kNow + 3600 + 1740);

    // And what is there is new.
    Run again(w);
    const std::string newer = w.fresh();
    Step second = again.flow.resume(Refreshing::tokens(newer, "rt-3"));
    (void)expect<Refreshed>(again.done(second));
    ck_assert_sv_eq(w.view().refresh_token(), "rt-3");
    ck_assert_sv_eq(w.view().id_token(), newer);
    ck_assert(!w.view().id_token_stays());

    // One that has ended within clock_skew is none that lives.
    Run last(w);
    const std::string dead = w.fresh("\"exp\":" + std::to_string(kNow + 3600));
    Step third = last.flow.resume(Refreshing::tokens(dead));
    (void)expect<Refreshed>(last.done(third));
    ck_assert(w.view().id_token_stays());
}
END_TEST

START_TEST(t_21_id_tokens_that_end_the_session) {
    Refreshing w;
    w.login();
    assert_ends(w, R"("iss":"https://evil.example")", Reason::id_token_iss);
    assert_ends(w, R"("sub":"eve")", Reason::id_token_sub);
    assert_ends(w, R"("sub":null)", Reason::id_token_sub);
    assert_ends(w, R"("aud":"another")", Reason::id_token_aud);
    assert_ends(w, R"("aud":["espocrm","x"])", Reason::id_token_aud);
    assert_ends(w, R"("azp":"another")", Reason::id_token_azp);
    assert_ends(w, R"("exp":null)", Reason::id_token_exp);
    assert_ends(w, R"("exp":)" + std::to_string(kNow), Reason::id_token_exp);
    assert_ends(w, R"("iat":null)", Reason::id_token_iat);
    assert_ends(w, R"("iat":)" + std::to_string(kNow + 3661), Reason::id_token_iat);
    assert_ends(w, R"("iat":)" + std::to_string(kNow - 61), Reason::id_token_iat);
    assert_ends(w, R"("nonce":"another")", Reason::id_token_nonce);
    assert_ends(w, R"("nonce":"")", Reason::id_token_nonce);
    assert_ends(w, R"("nonce":7)", Reason::id_token_nonce);
    assert_ends(w, R"("auth_time":)" + std::to_string(kNow - 51), Reason::id_token_auth_time);
    assert_ends(w, R"("auth_time":1)", Reason::id_token_auth_time);
    assert_ends(w, R"("at_hash":"AAAAAAAAAAAAAAAAAAAAAA")", Reason::id_token_at_hash);
    Run run(w);
    std::string forged = w.fresh();
    forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
    Step need = run.flow.resume(Refreshing::tokens(forged));
    (void)expect<NeedProvider>(need);
    Step step = run.flow.resume(ProviderReady(w.provider()));
    ck_assert(expect<RefreshEnded>(step).error.reason == Reason::jwt_signature);
    Run none(w);
    Step unsigned_step =
        none.flow.resume(Refreshing::tokens(b64(R"({"alg":"none"})") + "." + b64("{}") + "."));
    ck_assert(expect<RefreshEnded>(unsigned_step).error.reason == Reason::jwt_alg);
}
END_TEST

START_TEST(t_21_id_tokens_that_are_good) {
    Refreshing w;
    w.login();
    const std::string auth_time = R"("auth_time":)" + std::to_string(kNow - 50);
    for (const std::string& more :
         {std::string(R"("nonce":"the-nonce")"), auth_time, std::string(R"("azp":"espocrm")"),
          R"("at_hash":")" + *half_hash(Alg::ES256, "at-2") + "\"",
          R"("iat":)" + std::to_string(kNow)}) {
        Run run(w);
        Step step = run.flow.resume(Refreshing::tokens(w.fresh(more)));
        (void)expect<Refreshed>(step);
    }
    // What the login has shown is not asked again, but must not be taken back.
    w.config.max_age = 60;
    w.config.acr_values = {"gold"};
    Run run(w);
    Step step = run.flow.resume(Refreshing::tokens(w.fresh(auth_time)));
    (void)expect<Refreshed>(step);
    assert_ends(w, R"("acr":"bronze")", Reason::id_token_acr);
}
END_TEST

// The user has proved himself again, at another client of the provider.
START_TEST(t_27_a_later_auth_time_does_no_harm) {
    Refreshing w;
    w.login(R"(,"acr":"gold")");
    for (const Seconds later : {kNow - 49, kNow, kNow + 56, kNow + 3600}) {
        Run run(w);
        Step step =
            run.flow.resume(Refreshing::tokens(w.fresh(R"("auth_time":)" + std::to_string(later))));
        (void)expect<Refreshed>(run.done(step));
        ck_assert_int_eq(w.view().auth_time(), kNow - 50);
        ck_assert_sv_eq(w.view().claim("auth_time").value_or("-"), std::to_string(kNow - 50));
    }
}
END_TEST

START_TEST(t_28_a_user_whom_userinfo_does_not_name_any_more) {
    for (const char* info :
         {R"({"sub":"john-id"})", R"({"sub":"john-id","email":"john@x"})",
          R"({"sub":"john-id","login_name":""})", R"({"sub":"john-id","login_name":null})"}) {
        Refreshing w(true);
        w.config.username_claim = {"login_name"};
        w.login("", R"({"sub":"john-id","login_name":"jane"})");
        // A thin ID token says nothing.
        Run still(w);
        (void)still.flow.resume(Refreshing::tokens(w.fresh()));
        Step step =
            still.flow.resume(json_response(R"({"sub":"john-id","login_name":"jane","x":1})"));
        (void)expect<Refreshed>(still.done(step));
        Run run(w);
        (void)run.flow.resume(Refreshing::tokens(""));
        step = run.flow.resume(json_response(info));
        ck_assert_msg(expect<RefreshEnded>(step).error.reason == Reason::username_missing, "%s",
                      info);
    }
    for (const int code : {401, 403}) {
        Refreshing w(true);
        w.login();
        Run run(w);
        (void)run.flow.resume(Refreshing::tokens(""));
        Step step = run.flow.resume(status(code));
        ck_assert(expect<RefreshEnded>(step).error.reason == Reason::userinfo_denied);
    }
}
END_TEST

START_TEST(the_circumstances_of_the_login_stay) {
    Refreshing w;
    w.login(R"(,"acr":"gold","amr":["pwd"])");
    for (int round = 0; round < 2; ++round) {
        Run run(w);
        Step step = run.flow.resume(Refreshing::tokens(w.fresh(R"("sid":"another")")));
        (void)expect<Refreshed>(run.done(step));
        ck_assert_sv_eq(w.view().sid(), "sid-1");
        ck_assert_sv_eq(w.view().claim("sid").value_or("-"), "sid-1");
        ck_assert_sv_eq(w.view().claim("nonce").value_or("-"), "the-nonce");
        ck_assert_sv_eq(w.view().claim("acr").value_or("-"), "gold");
        ck_assert_sv_eq(w.view().claim("amr").value_or("-"), "pwd");
        ck_assert_int_eq(w.view().auth_time(), kNow - 50);
    }
    // The second round still knew the nonce.
    assert_ends(w, R"("nonce":"another")", Reason::id_token_nonce);
}
END_TEST

START_TEST(c_24_claims_of_a_new_id_token) {
    Refreshing w;
    w.login(R"(,"groups":["users","admins"],"email":"john@x")");
    ck_assert_sv_eq(w.view().claim("groups").value_or("-"), "users,admins");
    Run run(w);
    Step step = run.flow.resume(Refreshing::tokens(w.fresh(R"("groups":["users"])")));
    (void)expect<Refreshed>(run.done(step));
    ck_assert_sv_eq(w.view().claim("groups").value_or("-"), "users");
    ck_assert_sv_eq(w.view().claim("email").value_or("-"), "-");
    Run again(w);
    Step gone = again.flow.resume(Refreshing::tokens(w.fresh()));
    (void)expect<Refreshed>(again.done(gone));
    ck_assert_sv_eq(w.view().claim("groups").value_or("-"), "-");
}
END_TEST

START_TEST(c_24_claims_of_userinfo_without_an_id_token) {
    Refreshing w(true);
    // The ID token has the groups as well, and would win at a login.
    w.config.claim_paths = {{"realm", "roles"}};
    w.login(R"(,"groups":["users","admins"],"department":"it","realm":{"roles":["r1"]})",
            R"({"sub":"john-id","groups":["users","admins"],"email":"john@x"})");
    Run run(w);
    Step fetch = run.flow.resume(Refreshing::tokens(""));
    ck_assert_sv_eq(expect<Fetch>(fetch).request.authorization.view(), "Bearer at-2");
    Step step = run.flow.resume(
        json_response(R"({"sub":"john-id","groups":["users"],"nonce":"evil","sid":"evil"})"));
    (void)expect<Refreshed>(run.done(step));
    ck_assert_sv_eq(w.view().claim("groups").value_or("-"), "users");
    ck_assert_sv_eq(w.view().claim("email").value_or("-"), "-");
    ck_assert_sv_eq(w.view().claim("department").value_or("-"), "it");
    ck_assert_sv_eq(w.view().claim("realm\x1froles").value_or("-"), "r1");
    ck_assert_sv_eq(w.view().claim("nonce").value_or("-"), "the-nonce");
    ck_assert_sv_eq(w.view().claim("sid").value_or("-"), "sid-1");
    // All groups gone, said by saying nothing; and a member that only the ID token had is now
    // UserInfo's, with its paths.
    Run again(w);
    (void)again.flow.resume(Refreshing::tokens(""));
    Step gone = again.flow.resume(json_response(R"({"sub":"john-id","realm":{"roles":["r2"]}})"));
    (void)expect<Refreshed>(again.done(gone));
    ck_assert_sv_eq(w.view().claim("groups").value_or("-"), "-");
    ck_assert_sv_eq(w.view().claim("realm\x1froles").value_or("-"), "r2");
}
END_TEST

START_TEST(the_user_name_follows_its_claim) {
    Refreshing w;
    w.login();
    Run renamed(w);
    Step step = renamed.flow.resume(Refreshing::tokens(w.fresh(R"("preferred_username":"jane")")));
    (void)expect<Refreshed>(renamed.done(step));
    ck_assert_sv_eq(w.view().username(), "jane");
    // A thin token does not make the user somebody else (the next claim in line is sub).
    for (int round = 0; round < 2; ++round) {
        Run thin(w);
        Step without =
            thin.flow.resume(Refreshing::tokens(w.fresh(R"("preferred_username":null)")));
        (void)expect<Refreshed>(thin.done(without));
        ck_assert_sv_eq(w.view().username(), "jane");
    }
    for (const char* unsafe :
         {R"("preferred_username":"jane ")", R"("preferred_username":"jane\n")"}) {
        Refreshing other;
        other.login();
        assert_ends(other, unsafe, Reason::username_missing);
    }
}
END_TEST

START_TEST(t_23_invalid_grant_ends) {
    for (const int code : {400, 401, 403, 200}) {
        Refreshing w;
        w.login();
        Run run(w);
        Step step = run.flow.resume(status(code, R"({"error":"invalid_grant"})"));
        ck_assert(expect<RefreshEnded>(step).error.reason == Reason::refresh_denied);
    }
}
END_TEST

START_TEST(t_23_transient_errors_wait) {
    Refreshing w;
    w.login();
    const auto postponed = [&](Event event) {
        Run run(w);
        Step step = run.flow.resume(std::move(event));
        const RefreshPostponed& later = expect<RefreshPostponed>(step);
        const auto view = SessionView::open(later.record.view());
        ck_assert(view.has_value());
        ck_assert_uint_eq(view->refresh_failures(), 1);
        ck_assert_int_eq(view->refresh_at(), later.next_try);
        ck_assert_int_ge(later.next_try, kNow + 3600 + 5);
        ck_assert_sv_eq(view->refresh_token(), "rt-1");
        ck_assert_int_eq(view->access_expires(), kNow + 3600);
        ck_assert(!refresh_due(*view, kNow + 3600, w.config));
        return later.error.reason;
    };
    ck_assert(postponed(fail(Reason::idp_timeout, "t")) == Reason::idp_timeout);
    ck_assert(postponed(fail(Reason::idp_connect, "c")) == Reason::idp_connect);
    ck_assert(postponed(status(500)) == Reason::token_status);
    ck_assert(postponed(status(503, R"({"error":"invalid_grant"})")) == Reason::token_status);
    ck_assert(postponed(status(429, R"({"error":"invalid_grant"})")) == Reason::token_status);
    ck_assert(postponed(status(401, R"({"error":"invalid_client"})")) == Reason::token_client_auth);
    ck_assert(postponed(status(400, R"({"error":"invalid_request"})")) == Reason::token_error);
    ck_assert(postponed(json_response("[]")) == Reason::token_malformed);
    ck_assert(postponed(json_response(R"({"token_type":"Bearer"})")) == Reason::token_malformed);
    ck_assert(postponed(json_response(R"({"token_type":"mac","access_token":"x"})")) ==
              Reason::token_type);
    HttpResponse moved;
    moved.status = 302;
    ck_assert(postponed(std::move(moved)) == Reason::idp_redirect);

    RefreshFlow down(w.config, w.fake.ports(), w.view());
    (void)down.start();
    Step step = down.resume(fail(Reason::metadata_unavailable, "down"));
    ck_assert(expect<RefreshPostponed>(step).error.reason == Reason::metadata_unavailable);
}
END_TEST

START_TEST(t_23_no_hammering) {
    FailingRandom still;
    const std::vector<Seconds> delays = {5, 5, 10, 20, 40, 80, 160, 300, 300};
    for (std::uint32_t n = 0; n < delays.size(); ++n) {
        ck_assert_int_eq(refresh_backoff(n, std::nullopt, still), delays[n]);
    }
    ck_assert_int_eq(refresh_backoff(UINT32_MAX, std::nullopt, still), 300);
    ck_assert_int_eq(refresh_backoff(1, 77, still), 77);
    ck_assert_int_eq(refresh_backoff(1, 1, still), 5);
    ck_assert_int_eq(refresh_backoff(1, 999'999'999, still), 3600);
    FakeRandom random;
    for (int i = 0; i < 300; ++i) {
        const Seconds delay = refresh_backoff(20, std::nullopt, random);
        ck_assert_int_ge(delay, 300);
        ck_assert_int_lt(delay, 375);
    }
    // Failures in a row are counted over flows, and forgotten after a success.
    Refreshing w;
    w.login();
    Seconds last = 0;
    for (int i = 0; i < 4; ++i) {
        Run run(w);
        HttpResponse busy = status(429);
        if (i == 3) {
            busy.retry_after = "500";
        }
        Step step = run.flow.resume(std::move(busy));
        const Seconds wait = expect<RefreshPostponed>(run.done(step)).next_try - kNow - 3600;
        ck_assert_int_gt(wait, last);
        last = wait;
    }
    ck_assert_int_ge(last, 500);
    ck_assert_uint_eq(w.view().refresh_failures(), 4);
    Run run(w);
    Step step = run.flow.resume(Refreshing::tokens(""));
    (void)expect<Refreshed>(run.done(step));
    ck_assert_uint_eq(w.view().refresh_failures(), 0);
}
END_TEST

START_TEST(t_23_tokens_survive_a_failure_that_comes_after_them) {
    Refreshing w(true);
    w.login();
    Run run(w);
    (void)run.flow.resume(Refreshing::tokens(w.fresh(R"("groups":["x"])")));
    Step step = run.flow.resume(status(502));
    ck_assert(expect<RefreshPostponed>(run.done(step)).error.reason == Reason::userinfo_status);
    ck_assert_sv_eq(w.view().refresh_token(), "rt-2");
    ck_assert_int_eq(w.view().access_expires(), kNow + 3600 + 1800);
    ck_assert_uint_eq(w.view().refresh_failures(), 1);
    ck_assert_int_lt(w.view().refresh_at(), kNow + 3600 + 60);
    // Nothing of the user is half new.
    ck_assert_sv_eq(w.view().claim("groups").value_or("-"), "users,admins");

    for (const bool timeout : {false, true}) {
        Run other(w);
        (void)other.flow.resume(Refreshing::tokens(""));
        Step later = timeout ? other.flow.resume(fail(Reason::idp_timeout, "t"))
                             : other.flow.resume(json_response("[]"));
        (void)expect<RefreshPostponed>(later);
    }
    Run eve(w);
    (void)eve.flow.resume(Refreshing::tokens(""));
    Step ended = eve.flow.resume(json_response(R"({"sub":"eve"})"));
    ck_assert(expect<RefreshEnded>(ended).error.reason == Reason::userinfo_sub);
}
END_TEST

START_TEST(u_22_claims_of_a_source) {
    Refreshing w(true);
    w.login();
    const Registry registry(w);
    const auto refresh = [&](const std::string& left) {
        Run run(w);
        (void)run.flow.resume(Refreshing::tokens(""));
        Step step = run.flow.resume(json_response(R"({"sub":"john-id")" + left + "}"));
        if (std::holds_alternative<NeedProvider>(step)) {
            step = run.flow.resume(ProviderReady(registry.provider()));
        }
        return std::move(run.done(step));
    };
    Step good = refresh(registry.aggregated("staff"));
    (void)expect<Refreshed>(good);
    ck_assert_sv_eq(w.view().claim("groups").value_or("-"), "staff");
    // What does not hold puts it off, and the session stays as it is.
    Step bad = refresh(registry.aggregated("evil", kNow));
    ck_assert(expect<RefreshPostponed>(bad).error.reason == Reason::claim_source_failed);
    ck_assert_sv_eq(w.view().claim("groups").value_or("-"), "staff");
    // The provider names it no more: what it has said is gone.
    Step none = refresh("");
    (void)expect<Refreshed>(none);
    ck_assert(!w.view().claim("groups"));
}
END_TEST

START_TEST(t_25_narrowed_scope) {
    Refreshing w;
    w.login();
    Run run(w);
    Step step =
        run.flow.resume(Refreshing::tokens("", "rt-2", R"(,"scope":"openid offline_access")"));
    (void)expect<Refreshed>(run.done(step));
    ck_assert_sv_eq(w.view().scope(), "openid offline_access");
    ck_assert(w.fake.log.contains("has taken away scope \"groups\""));
    w.fake.log.lines.clear();
    Run same(w);
    Step again = same.flow.resume(Refreshing::tokens("", ""));
    (void)expect<Refreshed>(same.done(again));
    ck_assert_sv_eq(w.view().scope(), "openid offline_access");
    ck_assert_sv_eq(w.fake.log.joined(), "");
}
END_TEST

START_TEST(j_02_unknown_keys) {
    Refreshing w;
    w.login();
    const std::string rotated = w.fresh({}, "k2");
    World newer;
    newer.kid = "k2";
    newer.generation = 4;
    Run good(w);
    Step need = good.flow.resume(Refreshing::tokens(rotated));
    ck_assert_uint_eq(expect<NeedProvider>(need).newer_than, 3);
    Step step = good.flow.resume(ProviderReady(newer.provider()));
    (void)expect<Refreshed>(step);
    // Throttled, or the keys cannot be had: the next try may know more.
    Run throttled(w);
    (void)throttled.flow.resume(Refreshing::tokens(rotated));
    Step same = throttled.flow.resume(ProviderReady(w.provider()));
    ck_assert(expect<RefreshPostponed>(same).error.reason == Reason::jwt_key_unknown);
    const auto kept = SessionView::open(std::get<RefreshPostponed>(same).record.view());
    ck_assert_sv_eq(kept->refresh_token(), "rt-2");
    Run down(w);
    (void)down.flow.resume(Refreshing::tokens(rotated));
    Step unavailable = down.flow.resume(fail(Reason::jwks_unavailable, "down"));
    (void)expect<RefreshPostponed>(unavailable);
    // Newer keys that do not know it either, and none that are newer still.
    newer.kid = "k3";
    Run stranger(w);
    (void)stranger.flow.resume(Refreshing::tokens(rotated));
    Step again = stranger.flow.resume(ProviderReady(newer.provider()));
    ck_assert_uint_eq(expect<NeedProvider>(again).newer_than, 4);
    Step ended = stranger.flow.resume(ProviderReady(newer.provider()));
    ck_assert(expect<RefreshEnded>(ended).error.reason == Reason::jwt_key_unknown);
}
END_TEST

START_TEST(e_05_a_session_that_grows_too_large_ends) {
    Refreshing w(true);
    w.config.keep_userinfo = true;
    w.login();
    Run run(w);
    (void)run.flow.resume(Refreshing::tokens(""));
    Step step = run.flow.resume(
        json_response(R"({"sub":"john-id","x":")" + std::string(200 * 1024, 'x') + "\"}"));
    ck_assert(expect<RefreshEnded>(step).error.reason == Reason::session_too_large);
}
END_TEST

START_TEST(events_that_no_step_asked_for) {
    Refreshing w;
    w.login();
    for (int which = 0; which < 3; ++which) {
        RefreshFlow flow(w.config, w.fake.ports(), w.view());
        (void)flow.start();
        Step step = which == 0   ? flow.resume(ProviderReady())
                    : which == 1 ? flow.resume(StoreDone{})
                                 : flow.resume(status(200));
        ck_assert(expect<Refuse>(step).error.reason == Reason::internal_error);
        Step after = flow.resume(ProviderReady(w.provider()));
        ck_assert(expect<Refuse>(after).error.reason == Reason::internal_error);
    }
    w.config.keep_refresh_token = false;
    w.config.session_refresh = false;
    w.login();
    RefreshFlow nothing(w.config, w.fake.ports(), w.view());
    (void)nothing.start();
    Step step = nothing.resume(ProviderReady(w.provider()));
    ck_assert(expect<Refuse>(step).error.reason == Reason::internal_error);
}
END_TEST

static Suite* refresh_flow_suite() {
    Suite* suite = suite_create("refresh_flow");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_login_says_when);
    tcase_add_test(tcase, t_13_short_and_unknown_lifetimes);
    tcase_add_test(tcase, t_44_a_lifetime_that_the_provider_does_not_say);
    tcase_add_test(tcase, t_45_a_provider_that_gives_no_refresh_token);
    tcase_add_test(tcase, the_request);
    tcase_add_test(tcase, t_24_what_is_not_in_the_answer_stays);
    tcase_add_test(tcase, t_21_id_tokens_that_end_the_session);
    tcase_add_test(tcase, t_21_id_tokens_that_are_good);
    tcase_add_test(tcase, t_27_a_later_auth_time_does_no_harm);
    tcase_add_test(tcase, t_28_a_user_whom_userinfo_does_not_name_any_more);
    tcase_add_test(tcase, the_circumstances_of_the_login_stay);
    tcase_add_test(tcase, c_24_claims_of_a_new_id_token);
    tcase_add_test(tcase, c_24_claims_of_userinfo_without_an_id_token);
    tcase_add_test(tcase, the_user_name_follows_its_claim);
    tcase_add_test(tcase, t_23_invalid_grant_ends);
    tcase_add_test(tcase, t_23_transient_errors_wait);
    tcase_add_test(tcase, t_23_no_hammering);
    tcase_add_test(tcase, t_23_tokens_survive_a_failure_that_comes_after_them);
    tcase_add_test(tcase, u_22_claims_of_a_source);
    tcase_add_test(tcase, t_25_narrowed_scope);
    tcase_add_test(tcase, j_02_unknown_keys);
    tcase_add_test(tcase, e_05_a_session_that_grows_too_large_ends);
    tcase_add_test(tcase, events_that_no_step_asked_for);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration refresh_flow_registered("refresh_flow", refresh_flow_suite);
