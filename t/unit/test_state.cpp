// SPDX-License-Identifier: Apache-2.0
#include <cctype>
#include <map>
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
    std::size_t room = max_target_value(false);

    PendingLogin login(std::string_view return_to = "/a?b=1", LoginDemand demand = {}) {
        Result<PendingLogin> made = new_pending_login(return_to, true, ports, std::move(demand));
        ck_assert_result_ok(made);
        made->redirect_uri = "https://app.example/oidc_callback";
        made->session_key = std::string(64, 'a');
        return *std::move(made);
    }
    SealedLogin seal(PendingLogin& login, std::uint32_t serial = 0) {
        Result<SealedLogin> sealed = seal_pending(login, serial, aead, kBinding, fake.random, room);
        ck_assert_result_ok(sealed);
        return *std::move(sealed);
    }
    // A state with any content, under the purpose and binding that open_state wants.
    std::string seal_raw(std::string_view plain) {
        Result<std::string> sealed =
            aead.seal(plain, {"state of a login", as_text(kBinding)}, fake.random);
        ck_assert_result_ok(sealed);
        return std::string(kStatePrefix) + base64url_encode(as_bytes(*sealed));
    }
    std::optional<PendingLogin> open(std::string_view state) {
        return open_state(state, aead, kBinding);
    }
};

std::string field(std::string_view text) {
    std::string out;
    out += static_cast<char>(text.size() >> 8);
    out += static_cast<char>(text.size() & 0xff);
    return out.append(text);
}

// A browser that keeps what answers set, by name.
struct Browser {
    std::map<std::string, std::string> jar;

    [[nodiscard]] std::vector<PendingCookie> cookies() const {
        std::vector<PendingCookie> all;
        for (const auto& [name, value] : jar) {
            if (name.starts_with(kPendingCookie)) {
                all.push_back({name, std::string_view(name).substr(kPendingCookie.size()), value});
            }
        }
        return all;
    }
    // As they stand in a Cookie header on https, each with "; ".
    [[nodiscard]] std::size_t bytes() const {
        std::size_t sum = 0;
        for (const auto& [name, value] : jar) {
            sum += 7 + name.size() + 1 + value.size() + 2;
        }
        return sum;
    }
    void keep(const PendingLogin& login, const SealedLogin& sealed) {
        jar[std::string(kPendingCookie) + login.slot] = sealed.cookie_value;
        if (!sealed.target_value.empty()) {
            jar[std::string(kTargetCookie)] = sealed.target_value;
        }
    }
    // The page that the login of `state` ends on; empty: it cannot be finished.
    [[nodiscard]] std::string finish(Sealer& s, std::string_view state) const {
        std::optional<PendingLogin> login = s.open(state);
        ck_assert(login.has_value());
        if (take_cookie(*login, cookies()) == nullptr) {
            return {};
        }
        const auto target = jar.find(std::string(kTargetCookie));
        join_target(*login, target == jar.end() ? "" : target->second, s.aead);
        return login->return_to;
    }
};

}  // namespace

START_TEST(new_login_has_fresh_values) {
    Sealer s;
    PendingLogin a = s.login();
    PendingLogin b = s.login();
    const SealedLogin sealed_a = s.seal(a);
    const SealedLogin sealed_b = s.seal(b);
    ck_assert(is_our_state(a.state));
    ck_assert_uint_eq(a.nonce.size(), 43);
    ck_assert_uint_eq(a.verifier.size(), 43);
    ck_assert_int_eq(a.created, s.fake.clock.now());
    ck_assert_sv_eq(a.return_to, "/a?b=1");
    const std::set<std::string> all = {
        a.state, a.nonce, std::string(a.verifier.view()), sealed_a.cookie_value,
        b.state, b.nonce, std::string(b.verifier.view()), sealed_b.cookie_value};
    ck_assert_uint_eq(all.size(), 8);
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
    for (const std::string& target : {std::string("/"), "/" + std::string(1000, 'a')}) {
        PendingLogin login = s.login(target);
        FailingRandom none;
        Result<SealedLogin> sealed = seal_pending(login, 0, s.aead, kBinding, none, s.room);
        ck_assert_result_is(sealed, Reason::internal_error);
    }
}
END_TEST

START_TEST(q_03_q_09_return_target_is_ours_or_the_root) {
    Sealer s;
    for (const char* target : {"//evil.example", "/\\evil.example", "https://evil.example/", "",
                               "evil", "/.//evil.example", "/a\r\nb", "/%5cevil"}) {
        ck_assert_sv_eq(s.login(target).return_to, "/");
    }
    ck_assert_sv_eq(s.login("/a%2Fb?x=%23+;\xc3\xa9").return_to, "/");  // targets are ASCII
    ck_assert_sv_eq(s.login("/a%2Fb?x=%23+;&&y=").return_to, "/a%2Fb?x=%23+;&&y=");
    ck_assert_sv_eq(s.login("/a#part").return_to, "/a#part");
    ck_assert_sv_eq(s.login(std::string(32768, '/')).return_to, "/");
}
END_TEST

START_TEST(sealed_and_opened) {
    Sealer s;
    PendingLogin login = s.login();
    login.slot = 'k';
    login.renewed = true;
    const SealedLogin sealed = s.seal(login);
    for (const std::string& text : {sealed.cookie_value, login.state.substr(kStatePrefix.size())}) {
        for (const char c : text) {
            ck_assert(std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_');
        }
    }
    ck_assert_sv_eq(sealed.target_value, "");
    std::optional<PendingLogin> opened = s.open(login.state);
    ck_assert(opened.has_value());
    // Without the cookie there is nothing to show to the provider.
    ck_assert(opened->nonce.empty() && opened->verifier.empty());
    Browser browser;
    browser.keep(login, sealed);
    const std::vector<PendingCookie> cookies = browser.cookies();
    ck_assert_ptr_eq(take_cookie(*opened, cookies), &cookies[0]);
    ck_assert_sv_eq(opened->state, login.state);
    ck_assert_sv_eq(opened->nonce, login.nonce);
    ck_assert_sv_eq(opened->verifier.view(), login.verifier.view());
    ck_assert_sv_eq(opened->return_to, login.return_to);
    ck_assert_sv_eq(opened->host, "");
    ck_assert_sv_eq(opened->redirect_uri, login.redirect_uri);
    ck_assert_sv_eq(opened->session_key, login.session_key);
    ck_assert_int_eq(opened->created, login.created);
    ck_assert(opened->renewed && opened->pkce && !opened->cut && opened->slot == 'k');
    Result<PendingLogin> plain = new_pending_login("/", false, s.ports);
    ck_assert_result_ok(plain);
    Browser other;
    other.keep(*plain, s.seal(*plain));
    std::optional<PendingLogin> without = s.open(plain->state);
    ck_assert_ptr_nonnull(take_cookie(*without, other.cookies()));
    ck_assert(without->verifier.empty() && !without->nonce.empty() && !without->renewed);
    ck_assert_sv_eq(without->session_key, "");
}
END_TEST

START_TEST(s_01_nothing_is_readable_on_the_way) {
    Sealer s;
    PendingLogin login = s.login("/secret-path" + std::string(600, 'z') + "secret-end");
    const SealedLogin sealed = s.seal(login);
    const std::string state =
        base64url_decode(login.state.substr(kStatePrefix.size())).value_or("");
    const std::string target = base64url_decode(sealed.target_value).value_or("");
    ck_assert(!state.empty() && !target.empty());
    for (const std::string& text : {login.state, state, target, sealed.cookie_value}) {
        ck_assert_sv_lacks(text, login.verifier.view());
        ck_assert_sv_lacks(text, login.nonce);
        ck_assert_sv_lacks(text, "secret-path");
        ck_assert_sv_lacks(text, "secret-end");
        ck_assert_sv_lacks(text, login.secret.view());
    }
}
END_TEST

START_TEST(c_05_damaged_foreign_or_unbound_states_do_not_open) {
    Sealer s;
    PendingLogin login = s.login();
    (void)s.seal(login);
    const std::string& state = login.state;
    ck_assert(s.open(state).has_value());
    ck_assert(!open_state(state, s.aead, sha256("another vhost")).has_value());
    const AeadKey other_ring[1] = {key(2)};
    const Aead other(other_ring);
    ck_assert(!open_state(state, other, kBinding).has_value());
    for (std::size_t i = 0; i < state.size(); i += 5) {
        std::string damaged = state;
        damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
        ck_assert(!s.open(damaged).has_value());
        ck_assert(!s.open(state.substr(0, i)).has_value());
    }
    for (const std::string& bad :
         {std::string(), std::string(kStatePrefix), state + "=", state + "A", " " + state,
          std::string(kStatePrefix) + std::string(43, 'A'),
          std::string(kStatePrefix) + std::string(100000, 'A'),
          std::string(kStatePrefix) + std::string(kStepUpMark) +
              state.substr(kStatePrefix.size())}) {
        ck_assert(!s.open(bad).has_value());
    }
}
END_TEST

START_TEST(a_03_a_state_needs_its_own_cookie) {
    Sealer s;
    PendingLogin login = s.login();
    const SealedLogin sealed = s.seal(login);
    PendingLogin other = s.login();
    const SealedLogin others = s.seal(other);  // the same slot in another browser
    const std::string name = std::string(kPendingCookie) + login.slot;
    const auto taken = [&](std::string_view handle, std::string_view value) {
        std::optional<PendingLogin> opened = s.open(login.state);
        const PendingCookie* cookie = take_cookie(*opened, {{name, handle, value}});
        ck_assert(cookie != nullptr || (opened->nonce.empty() && opened->secret.empty()));
        return cookie != nullptr;
    };
    const std::string_view slot = std::string_view(name).substr(kPendingCookie.size());
    ck_assert(taken(slot, sealed.cookie_value));
    ck_assert(!taken("1", sealed.cookie_value));
    ck_assert(!taken("", sealed.cookie_value));
    ck_assert(!taken(slot, others.cookie_value));
    for (std::size_t i = 0; i < sealed.cookie_value.size(); ++i) {
        std::string damaged = sealed.cookie_value;
        damaged[i] = damaged[i] == 'x' ? 'y' : 'x';
        ck_assert(!taken(slot, damaged));
        ck_assert(!taken(slot, sealed.cookie_value.substr(0, i)));
    }
    for (const char* bad : {"=", "a b", "\xff", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAA+"}) {
        ck_assert(!taken(slot, bad));
    }
}
END_TEST

START_TEST(c_41_the_host_where_it_began) {
    for (const bool demanding : {false, true}) {
        Sealer s;
        LoginDemand demand;
        if (demanding) {
            demand.acr_values = {"gold", "silver"};
        }
        PendingLogin login = s.login("/long?" + std::string(600, 'q'), demand);
        login.host = "a.example.com";
        const SealedLogin sealed = s.seal(login);
        std::optional<PendingLogin> opened = s.open(login.state);
        ck_assert(opened.has_value());
        ck_assert_sv_eq(opened->host, "a.example.com");
        ck_assert(join_target(*opened, sealed.target_value, s.aead));
        ck_assert_sv_eq(opened->return_to, login.return_to);
        ck_assert(opened->demand.acr_values == demand.acr_values);
    }
}
END_TEST

START_TEST(sealed_content_is_checked_all_the_same) {
    Sealer s;
    const auto opens = [&](const std::string& plain) {
        return s.open(s.seal_raw(plain)).has_value();
    };
    const auto with = [](char flags, char slot, std::string_view time, std::string_view to) {
        return std::string{flags, slot}.append(time) + std::string(32, 'r') +
               field("https://a/cb") + field("") + field(to);
    };
    const std::string time(8, '\0');
    const std::string good = with(1, '0', time, "/x");
    ck_assert(opens(good));
    for (std::size_t cut = 0; cut < good.size(); ++cut) {
        ck_assert(!opens(good.substr(0, cut)));
    }
    ck_assert(!opens(good + "x"));
    ck_assert(opens(with(0, 't', time, "/")));
    ck_assert(!opens(with(32, '0', time, "/x")));
    ck_assert(!opens(with(16, '0', time, "/x")));  // a host that is not there
    ck_assert(!opens(with(16, '0', time, "/x") + field("")));
    ck_assert(opens(with(16, '0', time, "/x") + field("a.example")));
    ck_assert(!opens(good + field("a.example")));
    ck_assert(!opens(with(1, 'u', time, "/x")));
    ck_assert(!opens(with(1, '\0', time, "/x")));
    ck_assert(!opens(with(1, '0', time, "//evil")));
    ck_assert(!opens(with(1, '0', "\xff" + time.substr(1), "/x")));  // before the epoch
    ck_assert(!opens(with(4, '0', time, "/x")));                     // a demand that is not there
    // What is cut is judged when it is whole again.
    std::optional<PendingLogin> cut = s.open(s.seal_raw(with(8, '0', time, "/x/..")));
    ck_assert(cut.has_value());
    Result<std::string> rest =
        s.aead.seal("//evil.example", {"target of a login", as_text(cut->salt)}, s.fake.random);
    ck_assert_result_ok(rest);
    ck_assert(join_target(*cut, base64url_encode(as_bytes(*rest)), s.aead));
    ck_assert_sv_eq(cut->return_to, "/");
}
END_TEST

START_TEST(q_09_long_targets) {
    Sealer s;
    for (const std::size_t size : {1, 200, 256, 257, 800, 1900, 2009}) {
        PendingLogin login = s.login("/" + std::string(size - 1, 'a'));
        const SealedLogin sealed = s.seal(login);
        ck_assert_int_eq(sealed.target_value.empty(), size <= 256);
        ck_assert_uint_le(sealed.target_value.size(), s.room);
        ck_assert_uint_lt(login.state.size(), 700);
        Browser browser;
        browser.keep(login, sealed);
        ck_assert_sv_eq(browser.finish(s, login.state), "/" + std::string(size - 1, 'a'));
        // Without the rest, or with another login's, it is the start page and no half address.
        if (size > 256) {
            for (const std::string& wrong :
                 {std::string(), sealed.target_value + "A", sealed.target_value.substr(4),
                  std::string(5000, 'A')}) {
                browser.jar[std::string(kTargetCookie)] = wrong;
                ck_assert_sv_eq(browser.finish(s, login.state), "/");
            }
            PendingLogin other = s.login("/" + std::string(size, 'b'));
            other.slot = '1';
            browser.keep(other, s.seal(other));
            ck_assert_sv_eq(browser.finish(s, login.state), "/");
            ck_assert_sv_eq(browser.finish(s, other.state), other.return_to);
        }
    }
    for (const std::size_t size : {2048, 2049, 7900}) {
        PendingLogin login = s.login("/" + std::string(size - 1, 'a'));
        ck_assert_sv_eq(s.seal(login).target_value, "");
        ck_assert_sv_eq(login.return_to, "/");
    }
    s.room = 0;
    PendingLogin login = s.login("/" + std::string(300, 'a'));
    ck_assert_sv_eq(s.seal(login).target_value, "");
    ck_assert_sv_eq(s.open(login.state)->return_to, "/");
    login.redirect_uri.append(3500, 'r');
    Result<SealedLogin> none = seal_pending(login, 0, s.aead, kBinding, s.fake.random, 0);
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
    Sealer s;
    LoginDemand demand;
    demand.max_age = 300;
    demand.acr_values = {"a", "urn:b:c"};
    PendingLogin login = s.login("/x", demand);
    (void)s.seal(login);
    ck_assert(is_step_up_state(login.state));
    const std::optional<PendingLogin> opened = s.open(login.state);
    ck_assert(opened->demand.max_age == demand.max_age);
    ck_assert(opened->demand.acr_values == demand.acr_values);
    // The mark cannot be taken away.
    ck_assert(!s.open(std::string(kStatePrefix) +
                      login.state.substr(kStatePrefix.size() + kStepUpMark.size()))
                   .has_value());
}
END_TEST

START_TEST(what_may_be_a_slot) {
    for (const char c : kSlotNames) {
        ck_assert(is_login_slot({&c, 1}));
    }
    for (const std::string& text : {std::string(), std::string("u"), std::string("A"),
                                    std::string("00"), std::string(1, '\0')}) {
        ck_assert_msg(!is_login_slot(text), "%s", text.c_str());
    }
}
END_TEST

// A browser begins `count` logins; `seen`: each after the answer to the one before, else none knows
// of the others. Other users begin `between` logins meanwhile.
static std::vector<std::string> begin_logins(Sealer& s, Browser& browser, int count, bool seen,
                                             std::uint32_t between, std::size_t target,
                                             std::uint32_t& serial) {
    const std::vector<PendingCookie> none;
    std::vector<std::string> states;
    for (int i = 0; i < count; ++i) {
        PendingLogin login = s.login("/" + std::to_string(i) + "/" + std::string(target, 'x'));
        serial += 1 + between;
        login.slot = choose_slot(seen ? browser.cookies() : none, serial, s.fake.clock.now());
        browser.keep(login, s.seal(login, serial));
        ck_assert_uint_le(browser.bytes(), kMaxLoginCookies);
        states.push_back(login.state);
    }
    return states;
}

START_TEST(a_06_every_tab_ends_on_its_page) {
    for (const bool seen : {false, true}) {
        for (std::uint32_t serial : {0U, 17U, 4090U}) {
            Sealer s;
            Browser browser;
            const auto states = begin_logins(s, browser, kLoginSlots, seen, 0, 150, serial);
            ck_assert_uint_eq(browser.jar.size(), kLoginSlots);
            for (std::size_t i = 0; i < states.size(); ++i) {
                ck_assert_sv_eq(browser.finish(s, states[i]),
                                "/" + std::to_string(i) + "/" + std::string(150, 'x'));
            }
        }
    }
    // With other users in between, those that see one another.
    Sealer s;
    Browser browser;
    std::uint32_t serial = 5;
    const auto states = begin_logins(s, browser, kLoginSlots, true, 6, 10, serial);
    ck_assert_uint_eq(browser.jar.size(), kLoginSlots);
    ck_assert_sv_eq(browser.finish(s, states[0]), "/0/" + std::string(10, 'x'));
}
END_TEST

START_TEST(a_06_cookies_of_logins_are_bounded_in_bytes) {
    for (const bool seen : {false, true}) {
        for (const std::uint32_t between : {0U, 1U, 29U, 30U, 1000U}) {
            for (const std::size_t target : {5, 900, 1900, 2000}) {
                Sealer s;
                Browser browser;
                std::uint32_t serial = 3;
                // begin_logins looks at the bytes after each.
                const auto states = begin_logins(s, browser, 100, seen, between, target, serial);
                ck_assert_uint_gt(browser.finish(s, states.back()).size(), target);
            }
        }
    }
    // With fragments, which have a share of their own.
    Sealer s;
    s.room = max_target_value(true);
    Browser browser;
    std::uint32_t serial = 0;
    (void)begin_logins(s, browser, 100, false, 0, 1100, serial);
    ck_assert_uint_gt(browser.jar.count(std::string(kTargetCookie)), 0);
    ck_assert_uint_le(browser.bytes() + kMaxFragmentCookies, kMaxLoginCookies);
    // And not by being too small.
    ck_assert_uint_ge(browser.bytes() + kMaxFragmentCookies + 300, kMaxLoginCookies);
}
END_TEST

START_TEST(b_02_the_oldest_login_goes_first) {
    for (const Seconds step : {0, 1, 100}) {
        for (std::uint32_t serial : {0U, 4090U, 0xffffffffU - 40}) {
            Sealer s;
            // The time in the cookie comes round every twelve days: in the middle of the test.
            s.fake.clock.set((Seconds{1'700'000'000} >> 20 << 20) - 20 * step);
            Browser browser;
            std::vector<std::string> states;
            for (std::size_t i = 0; i < kLoginSlots + 12; ++i) {
                s.fake.clock.advance(step);
                const auto one = begin_logins(s, browser, 1, true, 0, 4, serial);
                states.push_back(one[0]);
                ck_assert_uint_le(browser.jar.size(), kLoginSlots);
                // The last kLoginSlots are there, none before them.
                for (std::size_t j = 0; j < states.size(); ++j) {
                    ck_assert_int_eq(!browser.finish(s, states[j]).empty(),
                                     states.size() - j <= kLoginSlots);
                }
            }
        }
    }
}
END_TEST

START_TEST(cookies_that_cannot_be_read_go_before_logins) {
    Sealer s;
    Browser browser;
    std::uint32_t serial = 0;
    const auto states = begin_logins(s, browser, kLoginSlots, true, 0, 4, serial);
    browser.jar[std::string(kPendingCookie) + 'c'] = "junk";
    ck_assert_int_eq(choose_slot(browser.cookies(), 99, s.fake.clock.now()), 'c');
    // Of another shape: neither counted nor used.
    std::vector<PendingCookie> cookies = {{"NGX_OIDC_LOGIN_zz", "zz", "v"}, {"x", "", "v"}};
    for (std::uint32_t i = 0; i < 2 * kLoginSlots; ++i) {
        ck_assert_int_eq(choose_slot(cookies, i, 0), kSlotNames[i % kLoginSlots]);
    }
}
END_TEST

static Suite* state_suite() {
    Suite* suite = suite_create("state");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, new_login_has_fresh_values);
    tcase_add_test(tcase, f_19_no_randomness_no_login);
    tcase_add_test(tcase, q_03_q_09_return_target_is_ours_or_the_root);
    tcase_add_test(tcase, sealed_and_opened);
    tcase_add_test(tcase, s_01_nothing_is_readable_on_the_way);
    tcase_add_test(tcase, c_05_damaged_foreign_or_unbound_states_do_not_open);
    tcase_add_test(tcase, a_03_a_state_needs_its_own_cookie);
    tcase_add_test(tcase, c_41_the_host_where_it_began);
    tcase_add_test(tcase, sealed_content_is_checked_all_the_same);
    tcase_add_test(tcase, q_09_long_targets);
    tcase_add_test(tcase, our_states);
    tcase_add_test(tcase, what_may_be_a_slot);
    tcase_add_test(tcase, a_06_every_tab_ends_on_its_page);
    tcase_add_test(tcase, a_06_cookies_of_logins_are_bounded_in_bytes);
    tcase_add_test(tcase, b_02_the_oldest_login_goes_first);
    tcase_add_test(tcase, cookies_that_cannot_be_read_go_before_logins);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration state_registered("state", state_suite);
