// SPDX-License-Identifier: Apache-2.0
#include <cctype>
#include <set>

#include "oidc/encode.hpp"
#include "oidc/state.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

AeadKey key(std::uint8_t seed) {
    AeadKey bytes{};
    bytes.fill(seed);
    return bytes;
}

const Digest kBinding = sha256("provider, client and vhost");

struct Sealer {
    AeadKey ring[1] = {key(1)};
    Aead aead{ring};
    FakePorts fake;
    Ports ports = fake.ports();

    PendingLogin login(std::string_view return_to = "/a?b=1") {
        Result<PendingLogin> made = new_pending_login(return_to, true, ports);
        ck_assert_result_ok(made);
        made->redirect_uri = "https://app.example/oidc_callback";
        made->session_key = std::string(64, 'a');
        return *std::move(made);
    }
    std::string seal(const PendingLogin& login) {
        Result<std::string> value = seal_pending(login, aead, kBinding, fake.random);
        ck_assert_result_ok(value);
        return *value;
    }
    // A sealed record with any content, under the purpose and binding that open_pending wants.
    std::string seal_raw(std::string_view plain) {
        Result<std::string> sealed =
            aead.seal(plain, {"pending login", as_text(kBinding)}, fake.random);
        ck_assert_result_ok(sealed);
        return base64url_encode(as_bytes(*sealed));
    }
};

std::string field(std::string_view text) {
    std::string out;
    out += static_cast<char>(text.size() >> 8);
    out += static_cast<char>(text.size() & 0xff);
    return out.append(text);
}

}  // namespace

START_TEST(new_login_has_fresh_values) {
    Sealer s;
    const PendingLogin a = s.login();
    const PendingLogin b = s.login();
    ck_assert(is_our_state(a.state));
    ck_assert_uint_eq(a.state.size(), kStatePrefix.size() + 43);
    ck_assert_uint_eq(a.nonce.size(), 43);
    ck_assert_uint_eq(a.verifier.size(), 43);
    ck_assert_int_eq(a.created, s.fake.clock.now());
    ck_assert_sv_eq(a.return_to, "/a?b=1");
    const std::set<std::string> all = {
        a.state.substr(kStatePrefix.size()), a.nonce, std::string(a.verifier.view()),
        b.state.substr(kStatePrefix.size()), b.nonce, std::string(b.verifier.view())};
    ck_assert_uint_eq(all.size(), 6);
    Result<PendingLogin> plain = new_pending_login("/", false, s.ports);
    ck_assert_result_ok(plain);
    ck_assert(plain->verifier.empty());
}
END_TEST

START_TEST(f_19_no_randomness_no_login) {
    FakeClock clock;
    FailingRandom empty;
    MemoryLog log;
    Ports ports{clock, empty, log};
    Result<PendingLogin> refused = new_pending_login("/", true, ports);
    ck_assert_result_is(refused, Reason::internal_error);
    Sealer s;
    const PendingLogin login = s.login();
    FailingRandom none;
    Result<std::string> sealed = seal_pending(login, s.aead, kBinding, none);
    ck_assert_result_is(sealed, Reason::internal_error);
}
END_TEST

START_TEST(q_03_q_09_return_target_is_ours_or_the_root) {
    Sealer s;
    for (const char* target : {"//evil.example", "/\\evil.example", "https://evil.example/", "",
                               "evil", "/.//evil.example", "/a\r\nb", "/%5cevil"}) {
        ck_assert_sv_eq(s.login(target).return_to, "/");
    }
    ck_assert_sv_eq(s.login("/a%2Fb?x=%23+;é").return_to, "/");  // raw request targets are ASCII
    ck_assert_sv_eq(s.login("/a%2Fb?x=%23+;&&y=").return_to, "/a%2Fb?x=%23+;&&y=");
    ck_assert_sv_eq(s.login("/a#part").return_to, "/a#part");
    const std::string longest = "/" + std::string(2047, 'a');
    ck_assert_sv_eq(s.login(longest).return_to, longest);
    ck_assert_sv_eq(s.login(longest + "a").return_to, "/");
    ck_assert_sv_eq(s.login(std::string(32768, '/')).return_to, "/");
}
END_TEST

START_TEST(sealed_and_opened) {
    Sealer s;
    const PendingLogin login = s.login();
    const std::string value = s.seal(login);
    for (const char c : value) {
        ck_assert(std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_');
    }
    const std::optional<PendingLogin> opened = open_pending(value, s.aead, kBinding);
    ck_assert(opened.has_value());
    ck_assert_sv_eq(opened->state, login.state);
    ck_assert_sv_eq(opened->nonce, login.nonce);
    ck_assert_sv_eq(opened->verifier.view(), login.verifier.view());
    ck_assert_sv_eq(opened->return_to, login.return_to);
    ck_assert_sv_eq(opened->redirect_uri, login.redirect_uri);
    ck_assert_sv_eq(opened->session_key, login.session_key);
    ck_assert_int_eq(opened->created, login.created);
}
END_TEST

START_TEST(s_01_nothing_is_readable_in_the_cookie) {
    Sealer s;
    const PendingLogin login = s.login("/secret-path");
    const std::string raw_bytes = base64url_decode(s.seal(login)).value_or("");
    ck_assert_sv_lacks(raw_bytes, login.verifier.view());
    ck_assert_sv_lacks(raw_bytes, login.nonce);
    ck_assert_sv_lacks(raw_bytes, "secret-path");
}
END_TEST

START_TEST(c_05_damaged_foreign_or_unbound_cookies_do_not_open) {
    Sealer s;
    const std::string value = s.seal(s.login());
    ck_assert(open_pending(value, s.aead, kBinding).has_value());
    ck_assert(!open_pending(value, s.aead, sha256("another vhost")).has_value());
    const AeadKey other_ring[1] = {key(2)};
    const Aead other(other_ring);
    ck_assert(!open_pending(value, other, kBinding).has_value());
    for (std::size_t i = 0; i < value.size(); i += 7) {
        std::string damaged = value;
        damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
        ck_assert(!open_pending(damaged, s.aead, kBinding).has_value());
        ck_assert(!open_pending(value.substr(0, i), s.aead, kBinding).has_value());
    }
    for (const char* bad : {"", "=", "a b", "\xff", "AAAA", "value+/"}) {
        ck_assert(!open_pending(bad, s.aead, kBinding).has_value());
    }
    ck_assert(!open_pending(std::string(100000, 'A'), s.aead, kBinding).has_value());
}
END_TEST

START_TEST(sealed_content_is_checked_all_the_same) {
    Sealer s;
    const std::string state = std::string(kStatePrefix) + "x";
    const std::string time(8, '\0');
    const auto opens = [&](const std::string& plain) {
        return open_pending(s.seal_raw(plain), s.aead, kBinding).has_value();
    };
    const std::string good = time + field(state) + field("nonce") + field("") + field("/") +
                             field("https://a/cb") + field("");
    ck_assert(opens(good));
    for (std::size_t cut = 0; cut < good.size(); ++cut) {
        ck_assert(!opens(good.substr(0, cut)));
    }
    ck_assert(!opens(good + "x"));
    const auto with = [&](std::string_view st, std::string_view nonce, std::string_view to) {
        return time + field(st) + field(nonce) + field("v") + field(to) + field("u") + field("");
    };
    ck_assert(opens(with(state, "n", "/x")));
    ck_assert(!opens(with("foreign", "n", "/x")));
    ck_assert(!opens(with(kStatePrefix, "n", "/x")));
    ck_assert(!opens(with(state, "", "/x")));
    ck_assert(!opens(with(state, "n", "//evil")));
    ck_assert(!opens("\xff" + good.substr(1)));  // a time before the epoch
}
END_TEST

START_TEST(q_09_the_cookie_stays_below_4096_bytes) {
    Sealer s;
    PendingLogin login = s.login("/" + std::string(2047, 'a'));
    const std::string value = s.seal(login);
    const std::string name =
        "__Host-" + std::string(kPendingCookie) + pending_handle(login.state, login.created);
    const std::string line =
        set_cookie(name, value, CookieAttributes{.domain = std::string(63, 'd')}, 600);
    ck_assert_uint_lt(line.size(), 4096);
    ck_assert_sv_eq(open_pending(value, s.aead, kBinding)->return_to, login.return_to);
    // With a long redirect URI there is no room for both: the target goes, the login does not.
    login.redirect_uri = "https://app.example/" + std::string(1500, 'r');
    const std::string shorter = s.seal(login);
    ck_assert_uint_le(shorter.size(), 3800);
    const std::optional<PendingLogin> opened = open_pending(shorter, s.aead, kBinding);
    ck_assert(opened.has_value());
    ck_assert_sv_eq(opened->return_to, "/");
    ck_assert_sv_eq(opened->redirect_uri, login.redirect_uri);
    login.redirect_uri.append(2000, 'r');
    Result<std::string> none = seal_pending(login, s.aead, kBinding, s.fake.random);
    ck_assert_result_is(none, Reason::internal_error);
    ck_assert_sv_eq(none.error().fix, "redirect_uri");
}
END_TEST

START_TEST(our_states) {
    ck_assert(is_our_state("ngxoidc1.abc"));
    ck_assert(!is_our_state("ngxoidc1."));
    ck_assert(!is_our_state("ngxoidc2.abc"));
    ck_assert(!is_our_state(""));
    ck_assert(!is_our_state("Xngxoidc1.abc"));
}
END_TEST

START_TEST(what_may_be_a_handle) {
    const std::string handle =
        pending_handle("ngxoidc1.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", 0x6789abcd);
    ck_assert(is_pending_handle(handle));
    ck_assert(is_pending_handle("00000000-_azAZ09aaaaaaaaaaaaaa"));
    for (const auto& text :
         {raw(""), handle.substr(1), handle + "a", raw("0000000g-_azAZ09aaaaaaaaaaaaaa"),
          raw("0000000A-_azAZ09aaaaaaaaaaaaaa"), raw("00000000-_azAZ09aaaaaaaaaaaaa."),
          raw("00000000-_azAZ09aaaaaaaaaaaaa\0")}) {
        ck_assert_msg(!is_pending_handle(text), "%s", text.c_str());
    }
}
END_TEST

START_TEST(a_06_each_state_finds_its_own_cookie) {
    Sealer s;
    const PendingLogin a = s.login("/x");
    const PendingLogin b = s.login("/y");
    const std::string handle_a = pending_handle(a.state, a.created);
    const std::string handle_b = pending_handle(b.state, b.created);
    ck_assert_uint_eq(handle_a.size(), 30);
    ck_assert(handle_a != handle_b);
    ck_assert_sv_eq(handle_a.substr(0, 8), handle_b.substr(0, 8));
    const std::vector<PendingCookie> cookies = {
        {"junk", "junk", "0"}, {"A", handle_a, "1"}, {"B", handle_b, "2"}};
    ck_assert_ptr_eq(find_pending(cookies, a.state), &cookies[1]);
    ck_assert_ptr_eq(find_pending(cookies, b.state), &cookies[2]);
    ck_assert_ptr_null(find_pending(cookies, "ngxoidc1.unknown"));
    ck_assert_ptr_null(find_pending(cookies, ""));
    // The end of a state of ours without its beginning is no state of ours.
    ck_assert_ptr_null(find_pending(cookies, a.state.substr(a.state.size() - 22)));
    // The name shows half of the state and no more.
    ck_assert(a.state.ends_with(std::string_view(handle_a).substr(8)));
    ck_assert_ptr_null(find_pending({}, a.state));
}
END_TEST

START_TEST(the_oldest_pending_logins_are_dropped) {
    std::vector<std::string> names;
    std::vector<PendingCookie> cookies;
    const auto add = [&](Seconds created, const char* state) {
        names.push_back(
            std::string(kPendingCookie) +
            pending_handle("ngxoidc1.0000000000000000000000000000000000000" + std::string(state),
                           created));
    };
    for (int i = 0; i < 8; ++i) {
        add(1'700'000'000 + (i * 5) % 8, ("s" + std::to_string(i)).c_str());
    }
    for (const std::string& name : names) {
        cookies.push_back({name, std::string_view(name).substr(kPendingCookie.size()), "v"});
    }
    // Not of our shape: neither counted nor deleted.
    cookies.push_back({"NGX_OIDC_LOGIN_x", "x", "v"});
    cookies.push_back(
        {"NGX_OIDC_LOGIN_Z5000000aaaaaaaaaaaaaaaaaaaaaa", "Z5000000aaaaaaaaaaaaaaaaaaaaaa", "v"});
    cookies.push_back(
        {"NGX_OIDC_LOGIN_65000000aaaaaaaaaaaaaaaaaaaa\"a", "65000000aaaaaaaaaaaaaaaaaaaa\"a", "v"});
    const std::vector<std::string> dropped = pending_to_drop(cookies);
    ck_assert_uint_eq(dropped.size(), 3);
    ck_assert_sv_eq(dropped[0], names[0]);  // times 0, 5, 2, 7, 4, 1, 6, 3
    ck_assert_sv_eq(dropped[1], names[5]);
    ck_assert_sv_eq(dropped[2], names[2]);
    cookies.erase(cookies.begin() + 5, cookies.end());
    ck_assert(pending_to_drop(cookies).empty());
    // One name twice (another path) is one login.
    cookies.push_back(cookies[0]);
    ck_assert(pending_to_drop(cookies).empty());
    ck_assert(pending_to_drop({}).empty());
}
END_TEST

static Suite* state_suite() {
    Suite* suite = suite_create("state");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, new_login_has_fresh_values);
    tcase_add_test(tcase, f_19_no_randomness_no_login);
    tcase_add_test(tcase, q_03_q_09_return_target_is_ours_or_the_root);
    tcase_add_test(tcase, sealed_and_opened);
    tcase_add_test(tcase, s_01_nothing_is_readable_in_the_cookie);
    tcase_add_test(tcase, c_05_damaged_foreign_or_unbound_cookies_do_not_open);
    tcase_add_test(tcase, sealed_content_is_checked_all_the_same);
    tcase_add_test(tcase, q_09_the_cookie_stays_below_4096_bytes);
    tcase_add_test(tcase, our_states);
    tcase_add_test(tcase, a_06_each_state_finds_its_own_cookie);
    tcase_add_test(tcase, the_oldest_pending_logins_are_dropped);
    tcase_add_test(tcase, what_may_be_a_handle);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration registered("state", state_suite);
