// SPDX-License-Identifier: Apache-2.0
#include "oidc/former_state.hpp"

#include "oidc/encode.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

const Digest kBinding = sha256("provider, client and vhost");
const std::string kState =
    std::string(kStatePrefix) + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
constexpr std::string_view kHandle = "6789abcdlmnopqrstuvwxyzABCDEFG";

std::string field(std::string_view text) {
    std::string out;
    out += static_cast<char>(text.size() >> 8);
    out += static_cast<char>(text.size() & 0xff);
    return out.append(text);
}

struct Sealer {
    AeadKey ring[1] = {AeadKey{1}};
    Aead aead{ring};
    FakePorts fake;

    // As the build before wrote it.
    std::string seal(std::string_view plain) {
        Result<std::string> sealed =
            aead.seal(plain, {"pending login", as_text(kBinding)}, fake.random);
        ck_assert_result_ok(sealed);
        return base64url_encode(as_bytes(*sealed));
    }
    std::optional<PendingLogin> open(std::string_view value) {
        return open_former(value, aead, kBinding);
    }
};

std::string content(std::string_view state, std::string_view nonce, std::string_view to) {
    return std::string("\0\0\0\0\x67\x89\xab\xcd", 8) + field(state) + field(nonce) + field("v") +
           field(to) + field("https://a/cb") + field(std::string(64, 'a'));
}

}  // namespace

START_TEST(a_login_of_an_earlier_build_opens) {
    Sealer s;
    const std::optional<PendingLogin> login = s.open(s.seal(content(kState, "n", "/a?b=1")));
    ck_assert(login.has_value());
    ck_assert_sv_eq(login->state, kState);
    ck_assert_sv_eq(login->nonce, "n");
    ck_assert_sv_eq(login->verifier.view(), "v");
    ck_assert_sv_eq(login->return_to, "/a?b=1");
    ck_assert_sv_eq(login->redirect_uri, "https://a/cb");
    ck_assert_sv_eq(login->session_key, std::string(64, 'a'));
    ck_assert_int_eq(login->created, 0x6789abcd);
    ck_assert(login->demand.empty() && !login->renewed);
    // With a demand.
    const std::string demand = std::string("\0\0\0\0\0\0\1\0", 8) + field("a b");
    const auto with = s.open(s.seal(content(kState, "n", "/") + demand));
    ck_assert(with->demand.max_age == Seconds{255});
    ck_assert_uint_eq(with->demand.acr_values.size(), 2);
    for (std::size_t cut = 1; cut < demand.size(); ++cut) {
        ck_assert(!s.open(s.seal(content(kState, "n", "/") + demand.substr(0, cut))).has_value());
    }
    ck_assert(!s.open(s.seal(content(kState, "n", "/") + demand + "x")).has_value());
}
END_TEST

START_TEST(what_is_none_does_not_open) {
    Sealer s;
    const std::string good = content(kState, "n", "/x");
    const std::string value = s.seal(good);
    ck_assert(!open_former(value, s.aead, sha256("another vhost")).has_value());
    for (std::size_t i = 0; i < value.size(); i += 7) {
        std::string damaged = value;
        damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
        ck_assert(!s.open(damaged).has_value());
        ck_assert(!s.open(value.substr(0, i)).has_value());
    }
    for (std::size_t cut = 0; cut < good.size(); ++cut) {
        ck_assert(!s.open(s.seal(good.substr(0, cut))).has_value());
    }
    for (const std::string& bad :
         {std::string(), std::string("="), std::string("a b"), std::string(100000, 'A')}) {
        ck_assert(!s.open(bad).has_value());
    }
    ck_assert(!s.open(s.seal(content("foreign", "n", "/x"))).has_value());
    ck_assert(!s.open(s.seal(content(kState, "", "/x"))).has_value());
    ck_assert(!s.open(s.seal(content(kState, "n", "//evil"))).has_value());
    ck_assert(!s.open(s.seal("\xff" + good.substr(1))).has_value());
}
END_TEST

START_TEST(states_and_handles) {
    ck_assert(is_former_state(kState));
    const std::string up = std::string(kStatePrefix) + std::string(kStepUpMark) + kState.substr(9);
    ck_assert(is_former_state(up));
    ck_assert(!is_former_state(kState + "a") && !is_former_state(kState.substr(0, 51)));
    ck_assert(!is_former_state("") && !is_former_state(std::string(52, 'a')));
    ck_assert(is_former_handle(kHandle));
    ck_assert(is_former_handle("00000000-_azAZ09aaaaaaaaaaaaaa"));
    for (const auto& text :
         {raw(""), raw("0"), std::string(kHandle.substr(1)), std::string(kHandle) + "a",
          raw("0000000g-_azAZ09aaaaaaaaaaaaaa"), raw("0000000A-_azAZ09aaaaaaaaaaaaaa"),
          raw("00000000-_azAZ09aaaaaaaaaaaaa."), raw("00000000-_azAZ09aaaaaaaaaaaaa\0")}) {
        ck_assert_msg(!is_former_handle(text), "%s", text.c_str());
    }
    const std::vector<PendingCookie> cookies = {
        {"junk", "junk", "0"}, {"A", "6789abcdlmnopqrstuvwxyzABCDEFX", "1"}, {"B", kHandle, "2"}};
    ck_assert_ptr_eq(find_former(cookies, kState), &cookies[2]);
    ck_assert_ptr_eq(find_former(cookies, up), &cookies[2]);
    ck_assert_ptr_null(find_former(cookies, "ngxoidc1.unknown"));
    ck_assert_ptr_null(find_former(cookies, ""));
    ck_assert_ptr_null(find_former(cookies, kState.substr(kState.size() - 22)));
    ck_assert_ptr_null(find_former({}, kState));
}
END_TEST

START_TEST(the_oldest_are_dropped) {
    std::vector<std::string> names;
    for (int i = 0; i < 8; ++i) {  // times 0, 5, 2, 7, 4, 1, 6, 3
        names.push_back(std::string(kPendingCookie) + "6000000" + std::to_string(i * 5 % 8) +
                        std::string(22, 'a'));
    }
    const std::string value(400, 'v');
    std::vector<PendingCookie> cookies;
    for (const std::string& name : names) {
        cookies.push_back({name, std::string_view(name).substr(kPendingCookie.size()), value});
    }
    cookies.push_back({"NGX_OIDC_LOGIN_x", "x", value});  // not of the shape
    const std::vector<std::string> dropped = former_to_drop(cookies);
    const std::vector<std::string> expected = {names[7], names[2], names[5],
                                               names[0]};  // 3, 2, 1, 0
    ck_assert(dropped == expected);
    cookies.erase(cookies.begin() + 4, cookies.end());
    ck_assert(former_to_drop(cookies).empty());
    ck_assert(former_to_drop({}).empty());
    const std::string long_value(2000, 'v');
    cookies[3].value = long_value;  // the latest alone
    ck_assert_uint_eq(former_to_drop(cookies).size(), 4);
}
END_TEST

static Suite* former_state_suite() {
    Suite* suite = suite_create("former_state");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, a_login_of_an_earlier_build_opens);
    tcase_add_test(tcase, what_is_none_does_not_open);
    tcase_add_test(tcase, states_and_handles);
    tcase_add_test(tcase, the_oldest_are_dropped);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration former_state_registered("former_state", former_state_suite);
