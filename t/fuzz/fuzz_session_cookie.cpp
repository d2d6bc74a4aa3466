// SPDX-License-Identifier: Apache-2.0
// Sealed sessions in chunk cookies. The first byte chooses: the input is a Cookie header as an
// attacker sends it, or the content of a properly sealed session, or changes to the cookies of a
// good one.
#include <optional>
#include <vector>

#include "fuzz.hpp"
#include "oidc/encode.hpp"
#include "oidc/key_ring.hpp"
#include "oidc/session.hpp"
#include "oidc/session_cookie.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

constexpr std::string_view kName = "S";

struct Fixed {
    std::vector<AeadKey> keys{AeadKey{1, 2, 3}, AeadKey{4, 5, 6}};
    SessionSealer sealer = *SessionSealer::make(keys);
    Aead aead{*derive_ring(keys, "oidc session cookie")};
    Digest binding = sha256("provider, client, vhost");
    FixedRandom random;
    std::string good;

    Fixed() {
        CookieSession session;
        session.expires = 2'000'000'000;
        good = sealer.seal(session, std::string(4000, 'r'), binding, kMaxSessionCookie, random)
                   ->view();
    }
};

std::optional<std::string> join_of(const std::vector<CookiePair>& cookies) {
    for (const CookiePair& cookie : cookies) {
        if (cookie.name == kName) {
            return join_session_cookie(kName, cookie.value, cookies);
        }
    }
    return std::nullopt;
}

void try_header(const Fixed& fixed, std::string_view header) {
    std::vector<CookiePair> cookies;
    for (CookieCursor cursor(header); cursor.next();) {
        cookies.push_back({cursor.name(), cursor.value()});
    }
    const std::optional<std::string> value = join_of(cookies);
    if (!value) {
        return;
    }
    promise(value->size() <= kMaxSessionCookie, "a joined value is bounded");
    promise(!fixed.sealer.open(*value, fixed.binding), "nobody guesses a sealed session");
    // What was joined is cut the same way again.
    std::vector<CookiePair> again;
    const auto lines = session_cookie_lines(kName, *value, {}, 1, {});
    for (const std::string& line : lines) {
        CookieCursor pair(line);
        pair.next();
        again.push_back({pair.name(), pair.value()});
    }
    const std::optional<std::string> second = join_of(again);
    const bool digit = static_cast<std::size_t>(value->front() - '0') == lines.size();
    promise(digit == (second == value), "cutting and joining are inverse");
    promise(digit, "a joined value has as many chunks as it says");
}

void try_content(Fixed& fixed, std::string_view content) {
    const Result<std::string> sealed =
        fixed.aead.seal(content, {"session", as_text(fixed.binding)}, fixed.random);
    promise(sealed.ok(), "sealing works");
    std::string value = "1" + base64url_encode(as_bytes(*sealed));
    value[0] = static_cast<char>('0' + (value.size() + kSessionChunk - 1) / kSessionChunk);
    const auto opened = fixed.sealer.open(value, fixed.binding);
    if (!opened) {
        return;
    }
    promise(opened->record().size() < content.size(), "a record stays inside its text");
    promise(opened->session.end() <= opened->session.expires, "the end is the earlier one");
    (void)SessionView::open(opened->record());
    const auto again = fixed.sealer.seal(opened->session, opened->record(), fixed.binding,
                                         kMaxSessionCookie, fixed.random);
    promise(again.ok(), "what was opened can be sealed");
    const auto second = fixed.sealer.open(again->view(), fixed.binding);
    promise(second && second->plain.view() == opened->plain.view(), "and opens to the same");
}

void try_change(const Fixed& fixed, std::string_view rest) {
    std::string changed = fixed.good;
    // Pairs of a place and a byte.
    for (std::size_t i = 0; i + 2 < rest.size(); i += 3) {
        const std::size_t at =
            (static_cast<std::uint8_t>(rest[i]) << 8 | static_cast<std::uint8_t>(rest[i + 1])) %
            changed.size();
        changed[at] = rest[i + 2];
    }
    promise(fixed.sealer.open(changed, fixed.binding).has_value() == (changed == fixed.good),
            "a changed session does not open");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Fixed fixed;
    if (size == 0) {
        return 0;
    }
    const std::string_view rest = text_of(data, size).substr(1);
    if (data[0] % 3 == 0) {
        try_header(fixed, rest);
    } else if (data[0] % 3 == 1) {
        try_content(fixed, rest);
    } else {
        try_change(fixed, rest);
    }
    return 0;
}
