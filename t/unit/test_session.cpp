// SPDX-License-Identifier: Apache-2.0
#include "oidc/session.hpp"

#include <cstring>
#include <memory>
#include <random>

#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

Session full_session() {
    Session session;
    session.provider = "authelia";
    session.sub = "alice";
    session.sid = "sid-1";
    session.username = "Alice";
    session.created = 1'700'000'000;
    session.auth_time = 1'699'999'000;
    session.claims = {{"email", "alice@example.com", ""},
                      {"groups", "a,b", R"(["a","b"])"},
                      {"name", "Zo\xc3\xab", ""},
                      {"unsafe", "", "\"a\\nb\""}};
    session.id_token = Secret("header.payload.signature");
    session.access_token = Secret("opaque");
    session.userinfo = Secret("{\"sub\":\"alice\"}");
    session.refresh_token = Secret("refresh");
    session.scope = "openid groups";
    session.access_expires = 1'700'003'600;
    session.refresh_at = 1'700'003'540;
    session.refresh_failures = 3;
    session.claims[1].source = ClaimSource::userinfo;
    session.claims[2].source = ClaimSource::both;
    return session;
}

std::string encode(const Session& session) {
    const auto record = encode_session(session);
    ck_assert_result_ok(record);
    return std::string(record->view());
}

// Reads everything a view can give, from a heap copy without slack, so that a sanitizer sees any
// byte too many.
void read_all(std::string_view bytes) {
    const std::unique_ptr<char[]> copy(new char[bytes.size()]);
    std::memcpy(copy.get(), bytes.data(), bytes.size());
    const auto view = SessionView::open({copy.get(), bytes.size()});
    if (!view) {
        return;
    }
    std::size_t total = view->provider().size() + view->sub().size() + view->sid().size() +
                        view->username().size() + view->id_token().size() +
                        view->access_token().size() + view->userinfo().size() +
                        view->refresh_token().size() + view->scope().size();
    std::size_t sum = 0;
    const auto touch = [&](std::string_view text) {
        for (const char c : text) {
            sum += static_cast<unsigned char>(c);
        }
    };
    for (const auto text :
         {view->provider(), view->sub(), view->sid(), view->username(), view->id_token(),
          view->access_token(), view->userinfo(), view->refresh_token(), view->scope()}) {
        touch(text);
    }
    for (std::uint32_t i = 0; i < view->claim_count(); ++i) {
        const auto entry = view->claim_at(i);
        touch(entry.name);
        touch(entry.text);
        touch(entry.json);
        total += entry.name.size() + entry.text.size() + entry.json.size();
        ck_assert(view->claim(entry.name).has_value());
        ck_assert(view->claim_source(i) <= ClaimSource::both);
    }
    const Session read = read_session(*view);
    ck_assert_uint_eq(read.claims.size(), view->claim_count());
    ck_assert_uint_le(total, bytes.size());
    ck_assert_uint_le(sum, 255 * bytes.size());
}

}  // namespace

START_TEST(a_session_comes_back) {
    const std::string record = encode(full_session());
    const auto view = SessionView::open(record);
    ck_assert(view.has_value());
    ck_assert_sv_eq(view->provider(), "authelia");
    ck_assert_sv_eq(view->sub(), "alice");
    ck_assert_sv_eq(view->sid(), "sid-1");
    ck_assert_sv_eq(view->username(), "Alice");
    ck_assert_int_eq(view->created(), 1'700'000'000);
    ck_assert_int_eq(view->auth_time(), 1'699'999'000);
    ck_assert_sv_eq(view->id_token(), "header.payload.signature");
    ck_assert_sv_eq(view->access_token(), "opaque");
    ck_assert_sv_eq(view->userinfo(), "{\"sub\":\"alice\"}");
    ck_assert_sv_eq(view->refresh_token(), "refresh");
    ck_assert_sv_eq(view->scope(), "openid groups");
    ck_assert_int_eq(view->access_expires(), 1'700'003'600);
    ck_assert_int_eq(view->refresh_at(), 1'700'003'540);
    ck_assert_uint_eq(view->refresh_failures(), 3);
    ck_assert(view->claim_source(0) == ClaimSource::id_token);
    ck_assert(view->claim_source(1) == ClaimSource::userinfo);
    ck_assert(view->claim_source(2) == ClaimSource::both);
    ck_assert_uint_eq(view->claim_count(), 4);
    ck_assert_sv_eq(view->claim_at(1).name, "groups");
    ck_assert_sv_eq(view->claim_at(1).text, "a,b");
    ck_assert_sv_eq(view->claim_at(1).json, R"(["a","b"])");
    ck_assert_sv_eq(view->claim_at(3).json, "\"a\\nb\"");
    ck_assert_sv_eq(*view->claim("email"), "alice@example.com");
    ck_assert_sv_eq(*view->claim("groups"), "a,b");
    ck_assert_sv_eq(*view->claim("unsafe"), "");
    ck_assert(!view->claim("Email").has_value());
    ck_assert(!view->claim("emai").has_value());
    ck_assert(!view->claim("email2").has_value());
    ck_assert(!view->claim("").has_value());
    // Views borrow the record.
    ck_assert(view->sub().data() >= record.data() &&
              view->sub().data() + 5 <= record.data() + record.size());
}
END_TEST

START_TEST(an_empty_session_comes_back) {
    const std::string record = encode(Session{});
    const auto view = SessionView::open(record);
    ck_assert(view.has_value());
    ck_assert_sv_eq(view->provider(), "");
    ck_assert_sv_eq(view->userinfo(), "");
    ck_assert_uint_eq(view->claim_count(), 0);
    ck_assert(!view->claim("x").has_value());
}
END_TEST

START_TEST(a_view_of_nothing_is_empty) {
    const SessionView view;
    ck_assert_sv_eq(view.provider(), "");
    ck_assert_sv_eq(view.id_token(), "");
    ck_assert_int_eq(view.created(), 0);
    ck_assert_int_eq(view.auth_time(), 0);
    ck_assert_sv_eq(view.refresh_token(), "");
    ck_assert_int_eq(view.refresh_at(), 0);
    ck_assert_uint_eq(view.claim_count(), 0);
    ck_assert(!view.claim("x").has_value());
}
END_TEST

START_TEST(a_record_is_small) {
    Session session;
    session.provider = "authelia";
    session.sub = "b7f4b8a0-4f0a-4f58-9a3f-0c8a7c3b2d10";
    session.username = "alice";
    for (int i = 0; i < 8; ++i) {
        session.claims.push_back({"claim" + std::to_string(i), std::string(24, 'v'), ""});
    }
    ck_assert_uint_le(encode(session).size(), 512);
}
END_TEST

START_TEST(q_15_limits) {
    Session session;
    session.claims = {{"x", std::string(kMaxSessionRecord, 'x'), ""}};
    const auto big = encode_session(session);
    ck_assert_result_is(big, Reason::session_too_large);
    ck_assert_sv_contains(big.error().detail, std::to_string(kMaxSessionRecord));
    session.claims.assign(30000, Claim{});
    const auto many = encode_session(session);
    ck_assert_result_is(many, Reason::session_too_large);

    session.claims.assign(4097, Claim{});
    const auto one_more = encode_session(session);
    ck_assert_result_is(one_more, Reason::session_too_large);

    // Exactly the limits are possible.
    session.claims.assign(4096, Claim{});
    ck_assert(SessionView::open(encode(session)).has_value());
    session.claims.clear();
    const std::size_t bare = encode(session).size();
    session.id_token = Secret(std::string(kMaxSessionRecord - bare, 'x'));
    const std::string full = encode(session);
    ck_assert_uint_eq(full.size(), kMaxSessionRecord);
    ck_assert(SessionView::open(full).has_value());
    ck_assert(!SessionView::open(full + "x").has_value());
    session.id_token.append("x");
    const auto over = encode_session(session);
    ck_assert_result_is(over, Reason::session_too_large);
}
END_TEST

START_TEST(any_other_length_is_refused) {
    const std::string record = encode(full_session());
    for (std::size_t size = 0; size < record.size(); ++size) {
        ck_assert(!SessionView::open(std::string_view(record).substr(0, size)).has_value());
    }
    ck_assert(!SessionView::open(record + std::string(1, '\0')).has_value());
    ck_assert(!SessionView::open({}).has_value());
    ck_assert(!SessionView::open(std::string(4096, '\0')).has_value());
    ck_assert(!SessionView::open(std::string(4096, '\xff')).has_value());
}
END_TEST

START_TEST(a_copy_says_the_same) {
    const std::string record = encode(full_session());
    ck_assert_sv_eq(encode(read_session(*SessionView::open(record))), record);
    ck_assert_sv_eq(encode(read_session(SessionView())), encode(Session{}));
}
END_TEST

// The record as a build before the digest of the claims wrote it.
static std::string without_claims_id(std::string record) {
    constexpr std::size_t kEnds = 48;
    constexpr std::size_t kSources = 9;
    constexpr std::uint32_t kSize = sizeof(SessionView::ClaimsId);
    const std::uint32_t pieces = 10 + 3 * SessionView::open(record)->claim_count();
    for (std::size_t piece = kSources; piece < pieces; ++piece) {
        std::uint32_t end = 0;
        std::memcpy(&end, record.data() + kEnds + 4 * piece, sizeof end);
        if (piece == kSources) {
            record.erase(end - kSize, kSize);
        }
        end -= kSize;
        std::memcpy(record.data() + kEnds + 4 * piece, &end, sizeof end);
    }
    return record;
}

START_TEST(c_27_a_record_without_the_digest_is_read) {
    const std::string record = encode(full_session());
    const std::string former = without_claims_id(record);
    ck_assert_uint_eq(former.size() + 16, record.size());
    const auto view = SessionView::open(former);
    ck_assert(view.has_value());
    ck_assert(!view->claims_id().has_value());
    ck_assert(SessionView::open(record)->claims_id().has_value());
    ck_assert_sv_eq(*view->claim("groups"), "a,b");
    ck_assert(view->claim_source(2) == ClaimSource::both);
    ck_assert_sv_eq(encode(read_session(*view)), record);
    // Any other length is not taken for one.
    ck_assert(!SessionView::open(without_claims_id(encode(Session{})))->claims_id().has_value());
}
END_TEST

START_TEST(c_26_times_beyond_2106) {
    Session session;
    session.access_expires = 5'000'000'000;
    session.refresh_at = 6'000'000'000;
    const std::string record = encode(session);
    ck_assert_int_eq(SessionView::open(record)->access_expires(), 5'000'000'000);
    ck_assert_int_eq(SessionView::open(record)->refresh_at(), 6'000'000'000);
}
END_TEST

START_TEST(c_27_another_version_is_refused) {
    std::string record = encode(full_session());
    // The version before had no refresh token.
    std::string before = record;
    const std::uint32_t magic = 0x4f534531;
    std::memcpy(before.data(), &magic, sizeof magic);
    ck_assert(!SessionView::open(before).has_value());
    for (std::size_t i = 0; i < 4; ++i) {
        std::string other = record;
        other[i] = static_cast<char>(other[i] ^ 1);
        ck_assert(!SessionView::open(other).has_value());
    }
}
END_TEST

START_TEST(damage_is_refused_or_stays_inside) {
    const std::string record = encode(full_session());
    const std::size_t table = record.size() < 180 ? record.size() : 180;
    for (std::size_t i = 0; i < table; ++i) {
        for (const unsigned value : {0U, 1U, 0x7fU, 0x80U, 0xffU}) {
            std::string bad = record;
            bad[i] = static_cast<char>(value);
            read_all(bad);
        }
        for (unsigned bit = 0; bit < 8; ++bit) {
            std::string bad = record;
            bad[i] = static_cast<char>(static_cast<unsigned char>(bad[i]) ^ (1U << bit));
            read_all(bad);
        }
    }
    std::mt19937 random(4711);  // NOLINT: the same bytes in every run
    for (int round = 0; round < 20000; ++round) {
        std::string bad = record;
        const unsigned changes = 1 + random() % 6;
        for (unsigned i = 0; i < changes; ++i) {
            bad[4 + random() % (bad.size() - 4)] = static_cast<char>(random());
        }
        read_all(bad);
    }
}
END_TEST

START_TEST(ends_that_fall_are_refused) {
    const std::string record = encode(full_session());
    const auto with_u32 = [&](std::size_t at, std::uint32_t value) {
        std::string bad = record;
        std::memcpy(bad.data() + at, &value, sizeof value);
        return bad;
    };
    constexpr std::size_t kEnds = 48;
    ck_assert(!SessionView::open(with_u32(4, 0xffffffff)).has_value());  // claims
    ck_assert(!SessionView::open(with_u32(4, 3)).has_value());
    ck_assert(!SessionView::open(with_u32(4, 5)).has_value());
    for (std::size_t piece = 0; piece < 10 + 3 * 4; ++piece) {
        ck_assert(!SessionView::open(with_u32(kEnds + 4 * piece, 0)).has_value());
        ck_assert(!SessionView::open(with_u32(kEnds + 4 * piece, 0xffffffff)).has_value());
        ck_assert(!SessionView::open(
                       with_u32(kEnds + 4 * piece, static_cast<std::uint32_t>(record.size() + 1)))
                       .has_value());
    }
}
END_TEST

static Suite* session_suite() {
    Suite* suite = suite_create("session");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_session_comes_back);
    tcase_add_test(tcase, an_empty_session_comes_back);
    tcase_add_test(tcase, a_view_of_nothing_is_empty);
    tcase_add_test(tcase, a_record_is_small);
    tcase_add_test(tcase, q_15_limits);
    tcase_add_test(tcase, any_other_length_is_refused);
    tcase_add_test(tcase, a_copy_says_the_same);
    tcase_add_test(tcase, c_27_a_record_without_the_digest_is_read);
    tcase_add_test(tcase, c_26_times_beyond_2106);
    tcase_add_test(tcase, c_27_another_version_is_refused);
    tcase_add_test(tcase, damage_is_refused_or_stays_inside);
    tcase_add_test(tcase, ends_that_fall_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration session_registered("session", session_suite);
