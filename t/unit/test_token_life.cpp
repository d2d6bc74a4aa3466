// SPDX-License-Identifier: Apache-2.0
#include "oidc/token_life.hpp"

#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr Seconds kNow = 1'700'000'000;
constexpr TokenUse kAccess{true, false};
constexpr TokenUse kId{false, true};

// A session whose tokens end at these times; 0: not said.
struct Tokens {
    Session session;
    std::string record;
    ProviderConfig config;

    Tokens(Seconds access, Seconds id) {
        config.session_refresh = true;
        session.access_token = Secret("at");
        session.id_token = Secret("a.b.c");
        session.access_expires = access;
        session.refresh_at = access != 0 ? access - 60 : kNow + 3540;
        if (id != 0) {
            session.claims = {{"exp", std::to_string(id), std::to_string(id)}};
        }
    }
    [[nodiscard]] SessionView view() {
        const auto made = encode_session(session);
        ck_assert_result_ok(made);
        record = std::string(made->view());
        const auto opened = SessionView::open(record);
        ck_assert(opened.has_value());
        return *opened;
    }
    [[nodiscard]] bool brings(TokenUse use, Seconds now = kNow) {
        return refresh_brings(view(), use, now, config);
    }
};

bool is(TokenLife life, TokenLife wanted) {
    return life == wanted;
}

}  // namespace

START_TEST(a_token_lives_until_its_end) {
    Tokens t(kNow + 10, kNow + 20);
    ck_assert(is(access_token_life(t.view(), kNow + 9), TokenLife::lives));
    ck_assert(is(access_token_life(t.view(), kNow + 10), TokenLife::ended));
    ck_assert(is(id_token_life(t.view(), kNow + 19), TokenLife::lives));
    ck_assert(is(id_token_life(t.view(), kNow + 20), TokenLife::ended));
    t.session.claims[0].text = std::to_string(kNow + 20) + ".5";  // JSON allows it
    ck_assert(is(id_token_life(t.view(), kNow + 20), TokenLife::ended));
    Tokens unknown(0, 0);
    ck_assert(is(access_token_life(unknown.view(), kNow + 100000), TokenLife::lives));
    ck_assert(is(id_token_life(unknown.view(), kNow + 100000), TokenLife::lives));
    unknown.session.access_token.clear();
    unknown.session.id_token.clear();
    ck_assert(is(access_token_life(unknown.view(), kNow), TokenLife::absent));
    ck_assert(is(id_token_life(unknown.view(), kNow), TokenLife::absent));
    ck_assert(is(access_token_life(SessionView(), kNow), TokenLife::absent));
}
END_TEST

START_TEST(only_what_is_read_and_has_ended_is_waited_for) {
    Tokens t(kNow - 1, kNow + 100);
    ck_assert(t.brings(kAccess));
    ck_assert(t.brings({true, true}));
    ck_assert(!t.brings(kId));
    ck_assert(!t.brings({}));
    ck_assert(!t.brings(kAccess, kNow - 2));  // due, and not ended: nobody waits
    Tokens id(kNow + 100, kNow - 1);
    ck_assert(id.brings(kId));
    ck_assert(!id.brings(kAccess));
    id.session.id_token.clear();
    ck_assert(!id.brings(kId));
}
END_TEST

START_TEST(an_id_token_that_the_last_refresh_did_not_bring) {
    Tokens t(kNow + 100, kNow - 1);
    t.session.id_token_stays = true;
    ck_assert(t.view().id_token_stays());
    ck_assert(read_session(t.view()).id_token_stays);
    ck_assert(!t.brings(kId));
    t.session.access_expires = kNow - 1;
    t.session.refresh_at = kNow - 61;
    ck_assert(t.brings({true, true}));  // for the access token
}
END_TEST

START_TEST(what_cannot_be_renewed_is_not_waited_for) {
    Tokens t(kNow - 1, kNow - 1);
    t.config.session_refresh = false;
    ck_assert(!t.brings({true, true}));
    ck_assert_sv_contains(why_ended(t.view(), t.config), "session_refresh is off");
    t.config.session_refresh = true;
    t.session.refresh_at = 0;  // no refresh token
    ck_assert(!t.brings({true, true}));
    ck_assert_sv_contains(why_ended(t.view(), t.config), "no refresh token");
    t.session.refresh_failures = 2;
    t.session.refresh_at = kNow + 20;
    ck_assert(!t.brings({true, true}));
    ck_assert(!t.brings({true, true}, kNow + 19));
    ck_assert_sv_contains(why_ended(t.view(), t.config), "failed");
    ck_assert(t.brings({true, true}, kNow + 20));
    ck_assert(t.brings(kId, kNow + 20));
}
END_TEST

START_TEST(t_13_a_token_that_is_born_ended) {
    Tokens t(kNow, 0);
    t.session.refresh_at = kNow + kShortestTokenLife;  // as give_tokens() has it for expires_in 0
    ck_assert(is(access_token_life(t.view(), kNow), TokenLife::ended));
    ck_assert(!t.brings(kAccess, kNow));  // not a refresh with each request
    ck_assert(t.brings(kAccess, kNow + 1));
}
END_TEST

static Suite* token_life_suite() {
    Suite* suite = suite_create("token_life");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, a_token_lives_until_its_end);
    tcase_add_test(tcase, only_what_is_read_and_has_ended_is_waited_for);
    tcase_add_test(tcase, an_id_token_that_the_last_refresh_did_not_bring);
    tcase_add_test(tcase, what_cannot_be_renewed_is_not_waited_for);
    tcase_add_test(tcase, t_13_a_token_that_is_born_ended);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration token_life_registered("token_life", token_life_suite);
