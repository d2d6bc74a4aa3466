// SPDX-License-Identifier: Apache-2.0
#include "oidc/step_up.hpp"

#include "flow_fixture.hpp"
#include "oidc/encode.hpp"
#include "oidc/uri.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

using Values = std::vector<std::string>;

LoginDemand demand(std::optional<Seconds> max_age, Values acr_values = {}) {
    return {max_age, std::move(acr_values)};
}

// A session as the store keeps it.
struct Stored {
    explicit Stored(Seconds auth_time, std::vector<Claim> claims = {}) {
        Session session;
        session.provider = "op";
        session.sub = "john-id";
        session.username = "john";
        session.created = kNow;
        session.auth_time = auth_time;
        session.claims = std::move(claims);
        Result<Secret> encoded = encode_session(session);
        ck_assert_result_ok(encoded);
        record = *std::move(encoded);
        const std::optional<SessionView> opened = SessionView::open(record.view());
        ck_assert(opened.has_value());
        view = *opened;
    }
    [[nodiscard]] Shortfall lacks(const LoginDemand& what, Seconds now = kNow,
                                  Seconds skew = 60) const {
        return shortfall(view, what, now, skew);
    }
    Secret record;
    SessionView view;
};

std::string argument(std::string_view url, std::string_view name) {
    int count = 0;
    const auto value = query_argument(url.substr(url.find('?') + 1), name, &count);
    ck_assert_int_le(count, 1);
    return value ? std::string(*value) : "-";
}

StartLogin start_login(World& w, const LoginDemand& place, std::string extra = {}) {
    static const AeadKey ring[1] = {AeadKey{1}};
    static const Aead aead(ring);
    LoginFlow::Input input;
    input.return_to = "/admin";
    input.redirect_uri = "https://app.example/oidc_callback";
    input.demand = place;
    input.parameters.extra_auth_args = std::move(extra);
    LoginFlow flow(w.config, aead, w.fake.ports(), std::move(input));
    (void)flow.start();
    Step step = flow.resume(ProviderReady(w.provider()));
    StartLogin out = expect<StartLogin>(step);
    const std::optional<PendingLogin> opened =
        open_state(argument(out.authorization_url, "state"), aead, Digest{});
    ck_assert(opened.has_value());
    const LoginDemand sealed = strictest(w.config, place);
    ck_assert(opened->demand.max_age == sealed.max_age);
    ck_assert(opened->demand.acr_values == sealed.acr_values);
    ck_assert_int_eq(is_step_up_state(opened->state), !place.empty());
    return out;
}

// The end of a login; the ID token has `more` members.
Step finish(World& w, Callback& c, std::string_view more) {
    (void)c.to_token();
    return c.flow.resume(w.token_response(w.id_token({}, more)));
}

}  // namespace

START_TEST(age_of_a_login) {
    const Stored session(kNow - 300);
    ck_assert(session.lacks(demand({})) == Shortfall::none);
    ck_assert(session.lacks(demand(300)) == Shortfall::none);
    ck_assert(session.lacks(demand(300), kNow + 60) == Shortfall::none);  // clock_skew
    ck_assert(session.lacks(demand(300), kNow + 61) == Shortfall::auth_time);
    ck_assert(session.lacks(demand(299), kNow, 0) == Shortfall::auth_time);
    ck_assert(session.lacks(demand(300), kNow, 0) == Shortfall::none);
    ck_assert(session.lacks(demand(0), kNow) == Shortfall::auth_time);
    // A clock that is ahead does not make a login young for ever.
    const Stored ahead(kNow + 100);
    ck_assert(ahead.lacks(demand(300)) == Shortfall::auth_time);
    ck_assert(ahead.lacks(demand(300), kNow + 40) == Shortfall::none);
    // When the session began is no substitute.
    ck_assert(Stored(0).lacks(demand(300)) == Shortfall::auth_time);
    ck_assert(Stored(0).lacks(demand({})) == Shortfall::none);
}
END_TEST

START_TEST(way_of_a_login) {
    const LoginDemand gold = demand({}, {"gold", "mfa", "a,b", "50%"});
    ck_assert(Stored(0).lacks(gold) == Shortfall::acr);
    ck_assert(Stored(0, {{"acr", "gold", ""}}).lacks(gold) == Shortfall::none);
    ck_assert(Stored(0, {{"acr", "silver", ""}}).lacks(gold) == Shortfall::acr);
    ck_assert(Stored(0, {{"acr", "", ""}}).lacks(gold) == Shortfall::acr);
    ck_assert(Stored(0, {{"acr", "gold,mfa", ""}}).lacks(gold) == Shortfall::acr);
    for (const char* amr : {"mfa", "pwd,mfa", "mfa,otp", "pwd,a%2Cb", "50%25"}) {
        ck_assert_msg(Stored(0, {{"amr", amr, "[]"}}).lacks(gold) == Shortfall::none, "%s", amr);
    }
    for (const char* amr : {"", "pwd", "pwd,mfaa", "mf,a", "a,b", "50%", "50%2", "a%2C", "MFA"}) {
        ck_assert_msg(Stored(0, {{"amr", amr, "[]"}}).lacks(gold) == Shortfall::acr, "%s", amr);
    }
    // Both conditions count.
    const Stored good(kNow, {{"acr", "gold", ""}});
    ck_assert(good.lacks(demand(60, {"gold"})) == Shortfall::none);
    ck_assert(good.lacks(demand(60, {"other"})) == Shortfall::acr);
    ck_assert(good.lacks(demand(60, {"gold"}), kNow + 1000) == Shortfall::auth_time);
}
END_TEST

START_TEST(the_strictest_of_place_and_provider) {
    ProviderConfig config;
    config.max_age = 600;
    config.acr_values = {"silver", "gold"};
    ck_assert(strictest(config, {}).empty());  // the block's own demand is not repeated
    ck_assert_int_eq(*strictest(config, demand(300)).max_age, 300);
    ck_assert_int_eq(*strictest(config, demand(900)).max_age, 600);
    ck_assert_int_eq(*strictest(config, demand({}, {"gold"})).max_age, 600);
    ck_assert(strictest(config, demand(300)).acr_values == config.acr_values);
    ck_assert(strictest(config, demand({}, {"x", "gold"})).acr_values == Values{"gold"});
    ck_assert(strictest(config, demand({}, {"x", "y"})).acr_values == (Values{"x", "y"}));
    config = {};
    ck_assert_int_eq(*strictest(config, demand(300)).max_age, 300);
    ck_assert(!strictest(config, demand({}, {"x"})).max_age);
}
END_TEST

START_TEST(a_login_asks_for_it_once) {
    World w;
    StartLogin step = start_login(w, demand(300, {"gold", "silver"}));
    ck_assert_sv_eq(argument(step.authorization_url, "max_age"), "300");
    ck_assert_sv_eq(argument(step.authorization_url, "acr_values"), "gold%20silver");
    ck_assert(step.authorization_url.starts_with("https://op.example/auth?response_type=code&"));
    ck_assert_sv_eq(argument(step.authorization_url, "client_id"), "espocrm");
    ck_assert(argument(step.authorization_url, "state").starts_with("ngxoidc1.up."));
    step = start_login(w, {});
    ck_assert_sv_eq(argument(step.authorization_url, "max_age"), "-");
    ck_assert_sv_eq(argument(step.authorization_url, "acr_values"), "-");
    w.config.max_age = 200;
    w.config.acr_values = {"gold"};
    step = start_login(w, demand(300, {"gold", "silver"}), "max_age=1&acr_values=none&x=1");
    ck_assert_sv_eq(argument(step.authorization_url, "max_age"), "200");
    ck_assert_sv_eq(argument(step.authorization_url, "acr_values"), "gold");
    ck_assert_sv_eq(argument(step.authorization_url, "x"), "1");
    step = start_login(w, {}, "max_age=1");
    ck_assert_sv_eq(argument(step.authorization_url, "max_age"), "200");
    w.config.max_age.reset();
    step = start_login(w, demand(300), "max_age=1");
    ck_assert_sv_eq(argument(step.authorization_url, "max_age"), "300");
}
END_TEST

START_TEST(the_pending_login_remembers_it) {
    const AeadKey ring[1] = {AeadKey{7}};
    const Aead aead(ring);
    FakePorts fake;
    Ports ports = fake.ports();
    const auto round_trip = [&](const LoginDemand& what) {
        Result<PendingLogin> login = new_pending_login("/x", true, ports, what);
        ck_assert_result_ok(login);
        Result<SealedLogin> sealed = seal_pending(*login, 0, aead, Digest{}, fake.random, 0);
        ck_assert_result_ok(sealed);
        const std::optional<PendingLogin> opened = open_state(login->state, aead, Digest{});
        ck_assert(opened.has_value());
        ck_assert_sv_eq(opened->state, login->state);
        ck_assert_sv_eq(opened->return_to, "/x");
        return opened->demand;
    };
    ck_assert(round_trip({}).empty());
    for (const std::optional<Seconds> age : {std::optional<Seconds>(), std::optional<Seconds>(0),
                                             std::optional<Seconds>(365 * 24 * 3600)}) {
        for (const Values& values : {Values{}, Values{"a"}, Values{"urn:x:y", "b", "c"}}) {
            const LoginDemand out = round_trip(demand(age, values));
            ck_assert(out.max_age == age);
            ck_assert(out.acr_values == values);
        }
    }
}
END_TEST

START_TEST(what_follows_a_pending_login_is_read_strictly) {
    const AeadKey ring[1] = {AeadKey{7}};
    const Aead aead(ring);
    FakePorts fake;
    const auto opens = [&](std::string_view tail) {
        const auto field = [](std::string_view text) {
            std::string out{static_cast<char>(text.size() >> 8),
                            static_cast<char>(text.size() & 0xff)};
            return out.append(text);
        };
        const std::string plain = std::string(
                                      "\4"
                                      "0") +
                                  std::string("\0\0\0\0\x65\0\0\0", 8) + std::string(32, 'r') +
                                  field("u") + field("") + field("/") + std::string(tail);
        Result<std::string> sealed =
            aead.seal(plain, {"state of a login", as_text(Digest{})}, fake.random);
        ck_assert_result_ok(sealed);
        return open_state("ngxoidc1.up." + base64url_encode(as_bytes(*sealed)), aead, Digest{})
            .has_value();
    };
    const std::string good = std::string("\0\0\0\0\0\0\1\0", 8) + std::string("\0\1a", 3);
    ck_assert(!opens(""));
    ck_assert(opens(good));
    for (std::size_t cut = 1; cut < good.size(); ++cut) {
        ck_assert(!opens(std::string_view(good).substr(0, cut)));
    }
    ck_assert(!opens(good + "x"));
    ck_assert(!opens(std::string(8, '\xff') + std::string("\0\1a", 3)));
}
END_TEST

START_TEST(i_40_a_provider_that_does_not_deliver) {
    struct Row {
        LoginDemand what;
        const char* more;
        Reason reason;
    };
    // The world's ID token is of 50 seconds ago; clock_skew is a minute.
    const Row rows[] = {
        {demand(300), R"(,"auth_time":1699999000)", Reason::id_token_auth_time},
        {demand(300), R"(,"auth_time":1700000100)", Reason::id_token_auth_time},
        {demand(300), R"(,"auth_time":null)", Reason::id_token_auth_time},
        {demand({}, {"gold"}), "", Reason::id_token_acr},
        {demand({}, {"gold"}), R"(,"acr":"silver")", Reason::id_token_acr},
        {demand({}, {"gold"}), R"(,"acr":"gold\n")", Reason::id_token_acr},
        {demand({}, {"gold"}), R"(,"amr":["pwd"])", Reason::id_token_acr},
        // One element cannot be shown, so the session would not pass later either.
        {demand({}, {"gold"}), R"(,"amr":["gold","\n"])", Reason::id_token_acr},
        {demand(300, {"gold"}), R"(,"acr":"silver")", Reason::id_token_acr},
    };
    for (const Row& row : rows) {
        World w;
        Callback c(w, "code=the-code&state=s", w.fake.ports(), row.what);
        Step step = finish(w, c, row.more);
        const Error& error = expect<Refuse>(step).error;
        ck_assert_msg(error.reason == row.reason, "%s: %s", row.more, error.detail.c_str());
        ck_assert(error.fix.starts_with("auth_oidc_"));
    }
}
END_TEST

START_TEST(a_provider_that_delivers) {
    const std::pair<LoginDemand, const char*> rows[] = {
        {demand(300), ""},
        {demand(10), ""},
        {demand({}, {"gold"}), R"(,"acr":"gold")"},
        {demand(300, {"silver", "gold"}), R"(,"acr":"gold")"},
        {demand(300, {"mfa"}), R"(,"amr":["pwd","mfa"])"},
    };
    for (const auto& [what, more] : rows) {
        World w;
        Callback c(w, "code=the-code&state=s", w.fake.ports(), what);
        Step step = finish(w, c, more);
        const StoreSession& stored = expect<StoreSession>(step);
        // What the place will read says the same.
        const std::optional<SessionView> session = SessionView::open(stored.record.view());
        ck_assert(session.has_value());
        ck_assert(shortfall(*session, what, kNow, w.config.clock_skew) == Shortfall::none);
        ck_assert_sv_eq(stored.replaces, std::string(64, 'a'));
    }
}
END_TEST

START_TEST(what_a_script_is_told) {
    const LoginDemand gold = demand(300, {"urn:mace:gold", "mfa"});
    const Respond answer = insufficient_authentication(gold, {}, PageForm::json, Language::en);
    ck_assert_int_eq(answer.status, 401);
    const auto header = [](const Respond& respond, std::string_view name) {
        for (const Header& h : respond.headers) {
            if (h.name == name) {
                return h.value;
            }
        }
        return std::string();
    };
    ck_assert_sv_eq(header(answer, "WWW-Authenticate"),
                    "Bearer error=\"insufficient_user_authentication\", "
                    "acr_values=\"urn:mace:gold mfa\", max_age=\"300\"");
    ck_assert_sv_eq(header(answer, "Cache-Control"), "no-store");
    ck_assert(answer.body.starts_with("{\"error\":\"insufficient_user_authentication\","));
    ck_assert(answer.body.ends_with(",\"acr_values\":\"urn:mace:gold mfa\",\"max_age\":300}\n"));
    ck_assert_sv_eq(header(answer, "Content-Type"), "application/json");
    // A person gets a page; a script that reads the header all the same is told the same.
    const Respond page =
        insufficient_authentication(gold, "/form?a=1", PageForm::html, Language::en);
    ck_assert_int_eq(page.status, 401);
    ck_assert_sv_eq(header(page, "WWW-Authenticate"), header(answer, "WWW-Authenticate"));
    ck_assert(header(page, "Content-Type").starts_with("text/html"));
    ck_assert(page.body.find("href=\"/form?a=1\">Sign in</a>") != std::string::npos);
    ck_assert(page.body.find("did not arrive") != std::string::npos);
    const Respond age = insufficient_authentication(demand(0), {}, PageForm::json, Language::en);
    ck_assert(age.body.find("acr_values") == std::string::npos);
    ck_assert_sv_eq(header(age, "WWW-Authenticate"),
                    "Bearer error=\"insufficient_user_authentication\", max_age=\"0\"");
    for (const char* text : {"gold", "urn:a:b", "https://x/y?z", "1", "a,b", "%"}) {
        ck_assert_msg(is_acr_value(text), "%s", text);
    }
    for (const char* text : {"", "a b", "\"", "a\\b", "\x7f", "\xc3\xa9", "a\n"}) {
        ck_assert_msg(!is_acr_value(text), "%s", text);
    }
}
END_TEST

START_TEST(states_of_such_logins) {
    ck_assert(is_step_up_state("ngxoidc1.up.x"));
    ck_assert(is_step_up_state("ngxoidc1.up."));
    for (const char* state : {"", "ngxoidc1.", "ngxoidc1.upx", "ngxoidc1.xup.", "up.", "x.up."}) {
        ck_assert_msg(!is_step_up_state(state), "%s", state);
    }
}
END_TEST

static Suite* step_up_suite() {
    Suite* suite = suite_create("step_up");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, age_of_a_login);
    tcase_add_test(tcase, way_of_a_login);
    tcase_add_test(tcase, the_strictest_of_place_and_provider);
    tcase_add_test(tcase, a_login_asks_for_it_once);
    tcase_add_test(tcase, the_pending_login_remembers_it);
    tcase_add_test(tcase, what_follows_a_pending_login_is_read_strictly);
    tcase_add_test(tcase, i_40_a_provider_that_does_not_deliver);
    tcase_add_test(tcase, a_provider_that_delivers);
    tcase_add_test(tcase, what_a_script_is_told);
    tcase_add_test(tcase, states_of_such_logins);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration step_up_registered("step_up", step_up_suite);
