// SPDX-License-Identifier: Apache-2.0
#include "oidc/session_cookie.hpp"

#include <algorithm>
#include <limits>
#include <random>
#include <set>
#include <stdexcept>

#include "oidc/encode.hpp"
#include "oidc/key_ring.hpp"
#include "oidc/session.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::string_view kName = "__Host-NGX_OIDC_SESSION";
const Digest kBinding = sha256("provider, client and vhost");

AeadKey key(std::uint8_t seed) {
    AeadKey bytes{};
    bytes.fill(seed);
    return bytes;
}

SessionSealer sealer(std::vector<AeadKey> keys) {
    Result<SessionSealer> made = SessionSealer::make(keys);
    ck_assert_result_ok(made);
    return *std::move(made);
}

CookieSession session() {
    CookieSession out;
    out.key = sha256("session");
    out.expires = 1'700'028'800;
    out.last_seen = 1'700'000'000;
    out.idle_timeout = 1800;
    out.begun = 1'700'000'000'000'123;
    out.sid_tag = 0x1122334455667788;
    out.sub_tag = 0xffeeddccbbaa9988;
    out.serial = 7;
    return out;
}

std::string record_of(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>(i * 131 + i / 256);
    }
    return text;
}

std::string sealed(const SessionSealer& sealer, std::size_t record_size,
                   const Digest& binding = kBinding) {
    static FakeRandom random;
    Result<Secret> value =
        sealer.seal(session(), record_of(record_size), binding, kMaxSessionCookie, random);
    ck_assert_result_ok(value);
    return std::string(value->view());
}

// A browser: keeps what lines say.
struct Jar {
    std::vector<std::pair<std::string, std::string>> cookies;

    void take(const std::vector<std::string>& lines) {
        for (const std::string& line : lines) {
            const std::string name = line.substr(0, line.find('='));
            const std::size_t end = line.find(';');
            const std::string value = line.substr(name.size() + 1, end - name.size() - 1);
            std::erase_if(cookies, [&](const auto& c) { return c.first == name; });
            if (line.find("; Max-Age=0;") == std::string::npos) {
                cookies.emplace_back(name, value);
            }
        }
    }
    [[nodiscard]] std::vector<CookiePair> pairs() const {
        std::vector<CookiePair> all;
        for (const auto& [name, value] : cookies) {
            all.push_back({name, value});
        }
        return all;
    }
    [[nodiscard]] std::optional<std::string> joined(std::string_view name = kName) const {
        const std::vector<CookiePair> all = pairs();
        for (const CookiePair& cookie : all) {
            if (cookie.name == name) {
                return join_session_cookie(name, cookie.value, all);
            }
        }
        return std::nullopt;
    }
};

Jar jar_of(std::string_view value) {
    Jar jar;
    jar.take(session_cookie_lines(kName, value, {}, 28800, {}));
    return jar;
}

// A value of this many characters with the right digit.
std::string value_of(std::size_t size) {
    const std::size_t chunks = (size + kSessionChunk - 1) / kSessionChunk;
    std::string value(size, 'A');
    for (std::size_t i = 0; i < size; ++i) {
        value[i] = static_cast<char>('a' + i % 23);
    }
    value[0] = static_cast<char>('0' + chunks);
    return value;
}

}  // namespace

// ---- sealing ---------------------------------------------------------------------------------

START_TEST(what_was_sealed_opens) {
    const SessionSealer s = sealer({key(1)});
    for (const std::size_t size : {0, 1, 500, 4096, 5900}) {
        const auto opened = s.open(sealed(s, size), kBinding);
        ck_assert(opened.has_value());
        ck_assert_sv_eq(opened->record(), record_of(size));
        const CookieSession& got = opened->session;
        const CookieSession want = session();
        ck_assert(got.key == want.key);
        ck_assert_int_eq(got.expires, want.expires);
        ck_assert_int_eq(got.last_seen, want.last_seen);
        ck_assert_int_eq(got.idle_timeout, want.idle_timeout);
        ck_assert_int_eq(got.begun, want.begun);
        ck_assert_uint_eq(got.sid_tag, want.sid_tag);
        ck_assert_uint_eq(got.sub_tag, want.sub_tag);
        ck_assert_uint_eq(got.serial, want.serial);
        ck_assert(!opened->old_key);
    }
}
END_TEST

START_TEST(c_26_ends_beyond_2038_and_2106) {
    const SessionSealer s = sealer({key(1)});
    FakeRandom random;
    for (const Seconds end :
         {Seconds{2'147'483'648}, Seconds{4'294'967'297}, std::numeric_limits<Seconds>::max()}) {
        CookieSession far = session();
        far.expires = end;
        far.last_seen = end - 1;
        const Result<Secret> value = s.seal(far, "r", kBinding, kMaxSessionCookie, random);
        ck_assert_result_ok(value);
        const auto opened = s.open(value->view(), kBinding);
        ck_assert(opened && opened->session.expires == end && opened->session.last_seen == end - 1);
        ck_assert_int_eq(opened->session.end(), end);
    }
}
END_TEST

START_TEST(the_end_is_the_earlier_of_two) {
    CookieSession one = session();
    ck_assert_int_eq(one.end(), 1'700'001'800);
    one.idle_timeout = 0;
    ck_assert_int_eq(one.end(), one.expires);
    one.idle_timeout = 1'000'000;
    ck_assert_int_eq(one.end(), one.expires);
    one.last_seen = std::numeric_limits<Seconds>::max() - 1;
    ck_assert_int_eq(one.end(), one.expires);
}
END_TEST

START_TEST(c_06_key_ring) {
    const SessionSealer old = sealer({key(1)});
    const SessionSealer both = sealer({key(2), key(1)});
    const SessionSealer fresh = sealer({key(2)});
    const std::string value = sealed(old, 300);
    const auto opened = both.open(value, kBinding);
    ck_assert(opened && opened->old_key);
    ck_assert_sv_eq(opened->record(), record_of(300));
    const std::string again = sealed(both, 300);
    ck_assert(fresh.open(again, kBinding) && !both.open(again, kBinding)->old_key);
    ck_assert(!fresh.open(value, kBinding));
    ck_assert(!old.open(again, kBinding));
    // Eight keys are the most, and the last of them opens.
    std::vector<AeadKey> ring;
    for (std::uint8_t n = 9; n > 1; --n) {
        ring.push_back(key(n));
    }
    ring.back() = key(1);
    ck_assert(sealer(ring).open(value, kBinding)->old_key);
}
END_TEST

START_TEST(c_05_other_tag_and_nonce_lengths) {
    const SessionSealer s = sealer({key(1)});
    const std::string value = sealed(s, 100);
    const std::string bytes = *base64url_decode(std::string_view(value).substr(1));
    const auto open = [&](std::string_view changed) {
        return s.open("1" + base64url_encode(as_bytes(changed)), kBinding).has_value();
    };
    ck_assert(open(bytes));
    const std::string without_tag = bytes.substr(0, bytes.size() - 16);
    const std::string tag = bytes.substr(bytes.size() - 16);
    for (const std::size_t n : {0, 1, 4, 8, 12, 15}) {
        ck_assert(!open(without_tag + tag.substr(0, n)));
    }
    ck_assert(!open(without_tag + tag + "x"));
    for (const std::size_t n : {0, 1, 8, 11, 13, 16}) {
        std::string nonce = bytes.substr(1, 12);
        nonce.resize(n, 'n');
        ck_assert(!open(bytes.substr(0, 1) + nonce + bytes.substr(13)));
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::string changed = bytes;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        ck_assert(!open(changed));
    }
}
END_TEST

START_TEST(c_03_truncated_at_every_length) {
    const SessionSealer s = sealer({key(1)});
    const std::string value = sealed(s, 60);
    for (std::size_t n = 0; n < value.size(); ++n) {
        ck_assert(!s.open(std::string_view(value).substr(0, n), kBinding));
    }
    for (const std::string_view more : {"A", "AAAA", "="}) {
        ck_assert(!s.open(value + std::string(more), kBinding));
    }
    for (const std::string_view junk :
         {"", "1", "0", "1A", "1AAAA", "4AAAA", "-1", "9x", "1=", " "}) {
        ck_assert(!s.open(junk, kBinding));
    }
}
END_TEST

START_TEST(x_a_cookie_is_good_for_its_binding_and_purpose_only) {
    const SessionSealer s = sealer({key(1)});
    ck_assert(!s.open(sealed(s, 60), sha256("another vhost")));
    // The same key under another label, and another purpose under the same key.
    std::vector<AeadKey> keys{key(1)};
    FakeRandom random;
    for (const std::string_view label : {"oidc session cookie", "pending login"}) {
        const auto ring = derive_ring(keys, label);
        ck_assert_result_ok(ring);
        const Aead aead(*ring);
        for (const std::string_view purpose : {"session", "pending login"}) {
            std::string plain = "\x01" + std::string(32 + 7 * 8, 'k');
            const auto value = aead.seal(plain, {purpose, as_text(kBinding)}, random);
            ck_assert_result_ok(value);
            const bool good = label == "oidc session cookie" && purpose == "session";
            ck_assert(s.open("1" + base64url_encode(as_bytes(*value)), kBinding).has_value() ==
                      good);
        }
    }
}
END_TEST

START_TEST(c_27_other_versions_are_not_read) {
    const SessionSealer s = sealer({key(1)});
    const auto ring = derive_ring(std::vector<AeadKey>{key(1)}, "oidc session cookie");
    ck_assert_result_ok(ring);
    const Aead aead(*ring);
    FakeRandom random;
    const auto opens = [&](std::string_view plain) {
        const auto value = aead.seal(plain, {"session", as_text(kBinding)}, random);
        ck_assert_result_ok(value);
        return s.open("1" + base64url_encode(as_bytes(*value)), kBinding).has_value();
    };
    const std::string body(32 + 7 * 8, 'k');
    ck_assert(opens("\x01" + body));
    ck_assert(opens("\x01" + body + "record"));
    ck_assert(!opens(raw("\x00") + body));
    ck_assert(!opens("\x02" + body));
    ck_assert(!opens("\xff" + body));
    for (std::size_t n = 0; n < body.size(); ++n) {
        ck_assert(!opens("\x01" + body.substr(0, n)));
    }
}
END_TEST

START_TEST(c_07_nonces_differ) {
    class Generator final : public Random {
      public:
        [[nodiscard]] bool fill(std::span<std::uint8_t> out) noexcept override {
            for (std::uint8_t& byte : out) {
                byte = static_cast<std::uint8_t>(engine_());
            }
            return true;
        }

      private:
        std::mt19937_64 engine_{1};
    } random;
    const SessionSealer s = sealer({key(1)});
    std::set<std::string> nonces;
    constexpr std::size_t kCookies = 20'000;
    for (std::size_t i = 0; i < kCookies; ++i) {
        const Result<Secret> value = s.seal(session(), "r", kBinding, kMaxSessionCookie, random);
        ck_assert_result_ok(value);
        nonces.insert(base64url_decode(value->view().substr(1))->substr(1, 12));
    }
    ck_assert_uint_eq(nonces.size(), kCookies);
}
END_TEST

START_TEST(f_19_no_randomness_no_cookie) {
    const SessionSealer s = sealer({key(1)});
    FailingRandom random;
    const auto value = s.seal(session(), "r", kBinding, kMaxSessionCookie, random);
    ck_assert_result_is(value, Reason::internal_error);
}
END_TEST

START_TEST(c_17_too_large_says_so_in_numbers) {
    const SessionSealer s = sealer({key(1)});
    FakeRandom random;
    std::size_t largest = 0;
    for (std::size_t size = 5900; size < 6200; ++size) {
        const auto value = s.seal(session(), record_of(size), kBinding, kMaxSessionCookie, random);
        if (value) {
            ck_assert_uint_le(value->size(), kMaxSessionCookie);
            ck_assert_uint_eq(value->size(), SessionSealer::value_size(size));
            ck_assert_uint_eq(largest == 0 || largest + 1 == size, 1);
            largest = size;
            ck_assert_sv_eq(s.open(value->view(), kBinding)->record(), record_of(size));
        } else {
            ck_assert_result_is(value, Reason::session_too_large);
        }
    }
    ck_assert_uint_ge(largest, 5900);
    const auto value = s.seal(session(), record_of(largest + 1), kBinding, 100'000, random);
    ck_assert_result_is(value, Reason::session_too_large);
    ck_assert_sv_contains(value.error().detail,
                          "a session of " + std::to_string(largest + 1) + " bytes");
    ck_assert_sv_contains(value.error().detail, "at most 8192");
    ck_assert(!value.error().fix.empty());
    // A smaller limit.
    ck_assert_result_is(s.seal(session(), record_of(3000), kBinding, 4000, random),
                        Reason::session_too_large);
    ck_assert_result_is(s.seal(session(), record_of(kMaxSessionRecord), kBinding, 8192, random),
                        Reason::session_too_large);
}
END_TEST

START_TEST(s_01_what_is_logged_of_an_error_holds_nothing_of_the_session) {
    const SessionSealer s = sealer({key(1)});
    FakeRandom random;
    const std::string secret(9000, 'z');
    const auto value = s.seal(session(), secret, kBinding, kMaxSessionCookie, random);
    ck_assert(!value.ok());
    ck_assert_sv_lacks(value.error().detail + value.error().fix, "zzz");
}
END_TEST

// ---- one value, several cookies --------------------------------------------------------------

START_TEST(c_18_every_size_comes_back) {
    for (const std::size_t size :
         {std::size_t{2}, std::size_t{43}, kSessionChunk - 1, kSessionChunk, kSessionChunk + 1,
          2 * kSessionChunk - 1, 2 * kSessionChunk, 2 * kSessionChunk + 1, kMaxSessionCookie}) {
        const std::string value = value_of(size);
        const Jar jar = jar_of(value);
        ck_assert_uint_eq(jar.cookies.size(), (size + kSessionChunk - 1) / kSessionChunk);
        const auto joined = jar.joined();
        ck_assert_msg(joined && *joined == value, "%zu characters", size);
    }
    // Sealed ones around the sizes at which a chunk is full.
    const SessionSealer s = sealer({key(1)});
    std::set<std::size_t> sizes;
    for (std::size_t record = 2700; record < 2760; ++record) {
        const std::string value = sealed(s, record);
        sizes.insert(value.size());
        const auto joined = jar_of(value).joined();
        ck_assert(joined && s.open(*joined, kBinding)->record() == record_of(record));
    }
    ck_assert(sizes.contains(kSessionChunk) || sizes.contains(kSessionChunk + 1));
    ck_assert(*sizes.begin() < kSessionChunk && *sizes.rbegin() > kSessionChunk);
}
END_TEST

START_TEST(c_17_every_line_is_one_that_browsers_take) {
    const std::string value = value_of(kMaxSessionCookie);
    CookieAttributes attributes;
    attributes.domain = "portal.internal.example.com";
    attributes.same_site = "Strict";
    ck_assert(session_cookie_fits(kName, attributes));
    const auto lines =
        session_cookie_lines(kName, value, attributes, std::numeric_limits<Seconds>::max(), {});
    ck_assert_uint_eq(lines.size(), 3);
    std::size_t total = 0;
    for (const std::string& line : lines) {
        ck_assert_uint_le(line.size(), kMaxCookieLine);
        ck_assert_sv_contains(line, "; Path=/; Domain=portal.internal.example.com; Max-Age=");
        ck_assert_sv_contains(line, "; Secure; HttpOnly; SameSite=Strict");
        total += line.find(';') - line.find('=') - 1;
    }
    ck_assert_uint_eq(total, kMaxSessionCookie);
    ck_assert(lines[0].starts_with(std::string(kName) + "=3"));
    ck_assert(lines[1].starts_with(std::string(kName) + "_1="));
    ck_assert(lines[2].starts_with(std::string(kName) + "_2="));
    attributes.path.append(300, 'p');
    ck_assert(!session_cookie_fits(kName, attributes));
    // The exact border.
    for (attributes.path = "/"; session_cookie_fits(kName, attributes);) {
        attributes.path.append(1, 'p');
    }
    attributes.path.pop_back();
    std::size_t longest = 0;
    for (const std::string& line :
         session_cookie_lines(kName, value, attributes, std::numeric_limits<Seconds>::max(), {})) {
        longest = std::max(longest, line.size());
    }
    ck_assert_uint_eq(longest, kMaxCookieLine);
}
END_TEST

START_TEST(c_18_missing_reordered_or_doubled_chunks) {
    const SessionSealer s = sealer({key(1)});
    const std::string value = sealed(s, 5700);
    const Jar good = jar_of(value);
    ck_assert_uint_eq(good.cookies.size(), 3);
    for (std::size_t missing = 0; missing < 3; ++missing) {
        Jar jar = good;
        jar.cookies.erase(jar.cookies.begin() + static_cast<std::ptrdiff_t>(missing));
        ck_assert(!jar.joined());
    }
    // Values exchanged: two that are full, and the first with the second.
    Jar swapped = good;
    std::swap(swapped.cookies[1].second, swapped.cookies[2].second);
    ck_assert(!swapped.joined());
    swapped = good;
    std::swap(swapped.cookies[0].second, swapped.cookies[1].second);
    const auto joined = swapped.joined();
    ck_assert(!joined || !s.open(*joined, kBinding));
    // The order in the header does not matter.
    Jar turned = good;
    std::reverse(turned.cookies.begin(), turned.cookies.end());
    ck_assert(turned.joined() == value);
    // A chunk twice: the same is no harm, another is, whichever comes first.
    Jar twice = good;
    twice.cookies.push_back(good.cookies[1]);
    ck_assert(twice.joined() == value);
    twice.cookies.back().second[5] ^= 1;
    ck_assert(!twice.joined());
    std::swap(twice.cookies[1], twice.cookies.back());
    ck_assert(!twice.joined());
    twice.cookies.back().second.clear();
    ck_assert(!twice.joined());
    // Chunks of another session of the same size.
    const Jar other = jar_of(sealed(s, 5700));
    for (std::size_t i = 0; i < 3; ++i) {
        Jar mixed = good;
        mixed.cookies[i] = other.cookies[i];
        const auto text = mixed.joined();
        ck_assert(!text || !s.open(*text, kBinding));
    }
    // A chunk too short or too long by one.
    for (std::size_t i = 0; i < 3; ++i) {
        Jar jar = good;
        jar.cookies[i].second.pop_back();
        const auto shorter = jar.joined();
        ck_assert(!shorter || !s.open(*shorter, kBinding));
        jar.cookies[i].second.append("AA");
        const auto longer = jar.joined();
        ck_assert(!longer || !s.open(*longer, kBinding));
    }
}
END_TEST

START_TEST(c_17_numbers_of_chunks_that_cannot_be) {
    const std::vector<CookiePair> none;
    for (const std::string_view first :
         {"", "0", "0AAAA", "4AAAA", "9x", "-1", "99999999", "/AAAA", ":AAAA", "A", "\x01", "\xff",
          "2AAAA", "3AAAA", " 1AAAA"}) {
        ck_assert_msg(!join_session_cookie(kName, first, none), "%s", std::string(first).c_str());
    }
    ck_assert(join_session_cookie(kName, "1AAAA", none) == "1AAAA");
    ck_assert(!join_session_cookie(kName, "1" + std::string(kSessionChunk, 'A'), none));
    // More than 8 kB in full chunks.
    const std::string full(kSessionChunk, '3');
    const std::vector<std::string> names{session_chunk_name(kName, 1),
                                         session_chunk_name(kName, 2)};
    ck_assert(!join_session_cookie(kName, full,
                                   std::vector<CookiePair>{{names[0], full}, {names[1], full}}));
    // 64 KiB of chunks that claim to be ours.
    std::vector<CookiePair> many;
    for (int i = 0; i < 1000; ++i) {
        many.push_back({names[0], i % 2 == 0 ? full : "x"});
    }
    ck_assert(!join_session_cookie(kName, full, many));
}
END_TEST

START_TEST(c_16_only_the_exact_names_are_chunks) {
    const std::string value = value_of(kSessionChunk + 10);
    const std::string_view rest = std::string_view(value).substr(kSessionChunk);
    const std::string_view first = std::string_view(value).substr(0, kSessionChunk);
    for (const std::string_view name :
         {"__Host-NGX_OIDC_SESSION_2", "__Host-NGX_OIDC_SESSION_0", "__Host-NGX_OIDC_SESSION_01",
          "__Host-NGX_OIDC_SESSION1", "__host-NGX_OIDC_SESSION_1", "NGX_OIDC_SESSION_1",
          "__Host-NGX_OIDC_SESSION-1", "__Host-NGX_OIDC_SESSION_1x",
          " __Host-NGX_OIDC_SESSION_1"}) {
        ck_assert(!join_session_cookie(kName, first, std::vector<CookiePair>{{name, rest}}));
    }
    ck_assert(join_session_cookie(kName, first,
                                  std::vector<CookiePair>{{"__Host-NGX_OIDC_SESSION_1", rest}}));
}
END_TEST

START_TEST(c_18_stale_chunks_are_deleted) {
    Jar jar = jar_of(value_of(kMaxSessionCookie));
    ck_assert_uint_eq(jar.cookies.size(), 3);
    // A shorter session, with a stale chunk still there, works.
    Jar stale = jar;
    const std::string two = value_of(kSessionChunk + 5);
    stale.take(session_cookie_lines(kName, two, {}, 100, {}));
    ck_assert_uint_eq(stale.cookies.size(), 3);
    ck_assert(stale.joined() == two);
    const auto lines = session_cookie_lines(kName, two, {}, 100, stale.pairs());
    ck_assert_uint_eq(lines.size(), 3);
    ck_assert_sv_eq(
        lines[2], "__Host-NGX_OIDC_SESSION_2=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
    stale.take(lines);
    ck_assert_uint_eq(stale.cookies.size(), 2);
    // Once they are gone nothing more is said of them.
    ck_assert_uint_eq(session_cookie_lines(kName, two, {}, 100, stale.pairs()).size(), 2);
    stale.take(session_cookie_lines(kName, value_of(43), {}, 100, stale.pairs()));
    ck_assert_uint_eq(stale.cookies.size(), 1);
    // A logout takes all of them, and only ours.
    jar.cookies.emplace_back("theirs", "x");
    jar.cookies.emplace_back("__Host-NGX_OIDC_SESSION_3", "x");
    jar.take(delete_session_cookie_lines(kName, {}, jar.pairs()));
    ck_assert_uint_eq(jar.cookies.size(), 2);
    const auto alone = delete_session_cookie_lines(kName, {}, {});
    ck_assert_uint_eq(alone.size(), 1);
    ck_assert_sv_eq(alone[0],
                    "__Host-NGX_OIDC_SESSION=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
}
END_TEST

START_TEST(lines_of_a_session_cookie_are_known) {
    const auto all = session_cookie_lines(kName, value_of(kMaxSessionCookie), {}, 1, {});
    for (const std::string& line : all) {
        ck_assert(is_session_cookie_line(line, kName));
        ck_assert(!is_session_cookie_line(line, "NGX_OIDC_SESSION"));
    }
    ck_assert(is_session_cookie_line(delete_session_cookie_lines(kName, {}, {})[0], kName));
    for (const std::string_view other :
         {"__Host-NGX_OIDC_SESSION_3=x", "__Host-NGX_OIDC_SESSION_0=x",
          "__Host-NGX_OIDC_SESSIONS=x", "app=__Host-NGX_OIDC_SESSION=x", "", "=",
          "__Host-NGX_OIDC_LOGIN_1=x"}) {
        ck_assert(!is_session_cookie_line(other, kName));
    }
}
END_TEST

START_TEST(more_than_three_chunks_are_never_written) {
    bool thrown = false;
    try {
        (void)session_cookie_lines(kName, std::string(3 * kSessionChunk + 1, 'x'), {}, 1, {});
    } catch (const std::length_error&) {
        thrown = true;
    }
    ck_assert(thrown);
}
END_TEST

static Suite* session_cookie_suite() {
    Suite* suite = suite_create("session_cookie");
    TCase* sealing = tcase_create("sealing");
    tcase_add_test(sealing, what_was_sealed_opens);
    tcase_add_test(sealing, c_26_ends_beyond_2038_and_2106);
    tcase_add_test(sealing, the_end_is_the_earlier_of_two);
    tcase_add_test(sealing, c_06_key_ring);
    tcase_add_test(sealing, c_05_other_tag_and_nonce_lengths);
    tcase_add_test(sealing, c_03_truncated_at_every_length);
    tcase_add_test(sealing, x_a_cookie_is_good_for_its_binding_and_purpose_only);
    tcase_add_test(sealing, c_27_other_versions_are_not_read);
    tcase_add_test(sealing, c_07_nonces_differ);
    tcase_add_test(sealing, f_19_no_randomness_no_cookie);
    tcase_add_test(sealing, c_17_too_large_says_so_in_numbers);
    tcase_add_test(sealing, s_01_what_is_logged_of_an_error_holds_nothing_of_the_session);
    suite_add_tcase(suite, sealing);
    TCase* chunks = tcase_create("chunks");
    tcase_add_test(chunks, c_18_every_size_comes_back);
    tcase_add_test(chunks, c_17_every_line_is_one_that_browsers_take);
    tcase_add_test(chunks, c_18_missing_reordered_or_doubled_chunks);
    tcase_add_test(chunks, c_17_numbers_of_chunks_that_cannot_be);
    tcase_add_test(chunks, c_16_only_the_exact_names_are_chunks);
    tcase_add_test(chunks, c_18_stale_chunks_are_deleted);
    tcase_add_test(chunks, lines_of_a_session_cookie_are_known);
    tcase_add_test(chunks, more_than_three_chunks_are_never_written);
    suite_add_tcase(suite, chunks);
    return suite;
}

static const Registration session_cookie_registered("session_cookie", session_cookie_suite);
