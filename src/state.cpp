// SPDX-License-Identifier: Apache-2.0
#include "oidc/state.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "oidc/encode.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

constexpr std::string_view kPurpose = "pending login";
constexpr std::size_t kMaxReturnTarget = 2048;
constexpr std::size_t kTimeDigits = 8;
// Of the 43 random characters of a state these name its cookie. The other 21 alone are 126 bits
// that no name, and so no log of cookie names, shows.
constexpr std::size_t kTailChars = 22;
constexpr std::size_t kHandleChars = kTimeDigits + kTailChars;
// Browsers drop a Set-Cookie line above 4096 bytes; the name and the attributes need some too.
constexpr std::size_t kMaxCookieValue = 3800;

void put_number(Secret& out, std::uint64_t value, int bytes) {
    std::array<char, 8> big_endian{};
    for (int i = bytes; i > 0; --i, value >>= 8) {
        big_endian[static_cast<std::size_t>(i - 1)] = static_cast<char>(value & 0xff);
    }
    out.append({big_endian.data(), static_cast<std::size_t>(bytes)});
}

void put_field(Secret& out, std::string_view text) {
    put_number(out, text.size(), 2);
    out.append(text);
}

class Reader {
  public:
    explicit Reader(std::string_view text) : rest_(text) {}
    std::uint64_t number(std::size_t bytes) {
        std::uint64_t value = 0;
        for (const char c : take(bytes)) {
            value = value << 8 | static_cast<std::uint8_t>(c);
        }
        return value;
    }
    std::string_view field() { return take(number(2)); }
    [[nodiscard]] bool complete() const { return ok_ && rest_.empty(); }

  private:
    std::string_view take(std::size_t n) {
        if (n > rest_.size()) {
            ok_ = false;
            n = rest_.size();
        }
        const std::string_view taken = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return taken;
    }
    std::string_view rest_;
    bool ok_ = true;
};

Secret encode(const PendingLogin& login, std::string_view return_to) {
    Secret out;
    out.reserve(512 + return_to.size() + login.redirect_uri.size());
    put_number(out, static_cast<std::uint64_t>(login.created), 8);
    put_field(out, login.state);
    put_field(out, login.nonce);
    put_field(out, login.verifier.view());
    put_field(out, return_to);
    put_field(out, login.redirect_uri);
    put_field(out, login.session_key);
    // Nothing is written without a demand, so that servers that do not know of it can end what
    // others began.
    if (!login.demand.empty()) {
        const std::optional<Seconds>& age = login.demand.max_age;
        put_number(out, age ? static_cast<std::uint64_t>(*age) + 1 : 0, 8);
        put_field(out, join_values(login.demand.acr_values));
    }
    return out;
}

// The words of a text that join_values() made.
std::vector<std::string> split_values(std::string_view text) {
    std::vector<std::string> values;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        values.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return values;
}

// Empty for what is too short to be a state of ours.
std::string_view state_tail(std::string_view state) {
    return is_our_state(state) && state.size() >= kStatePrefix.size() + kTailChars
               ? state.substr(state.size() - kTailChars)
               : std::string_view{};
}

}  // namespace

Result<PendingLogin> new_pending_login(std::string_view return_to, bool pkce, Ports& ports,
                                       LoginDemand demand) {
    PendingLogin login;
    // One draw for all three: a draw costs far more than its bytes.
    constexpr std::size_t kBytes = 32;
    std::array<std::uint8_t, 3 * kBytes> drawn{};
    if (!ports.random.fill(drawn)) {
        return fail(Reason::internal_error, "no randomness for a login");
    }
    const ByteView bytes(drawn);
    login.state.append(kStatePrefix);
    login.state.append(demand.empty() ? std::string_view() : kStepUpMark);
    login.state.append(base64url_encode(bytes.first(kBytes)));
    login.demand = std::move(demand);
    login.nonce = base64url_encode(bytes.subspan(kBytes, kBytes));
    if (pkce) {
        std::string verifier = base64url_encode(bytes.last(kBytes));
        login.verifier = Secret(verifier);
        cleanse(verifier.data(), verifier.size());
    }
    cleanse(drawn.data(), drawn.size());
    const bool usable = return_to.size() <= kMaxReturnTarget && is_safe_return_target(return_to);
    login.return_to = usable ? return_to : "/";
    login.created = ports.clock.now();
    return login;
}

bool is_our_state(std::string_view state) noexcept {
    return state.starts_with(kStatePrefix) && state.size() > kStatePrefix.size();
}

bool is_step_up_state(std::string_view state) noexcept {
    return is_our_state(state) && state.substr(kStatePrefix.size()).starts_with(kStepUpMark);
}

std::string pending_handle(std::string_view state, Seconds created) {
    std::array<std::uint8_t, 4> time{};
    for (std::size_t i = 0; i < time.size(); ++i) {
        time[i] = static_cast<std::uint8_t>(created >> (24 - 8 * i) & 0xff);
    }
    return hex_encode(time).append(state_tail(state));
}

bool is_pending_handle(std::string_view handle) noexcept {
    return handle.size() == kHandleChars &&
           std::all_of(handle.begin(), handle.begin() + kTimeDigits, is_lower_hex) &&
           std::all_of(handle.begin() + kTimeDigits, handle.end(), is_base64url);
}

Result<std::string> seal_pending(const PendingLogin& login, const Aead& aead, const Digest& binding,
                                 Random& random) {
    // A long redirect URI leaves less room: the login then ends at "/" and not in a dropped cookie.
    for (const std::string_view return_to :
         {std::string_view(login.return_to), std::string_view("/")}) {
        const Secret plain = encode(login, return_to);
        Result<std::string> sealed = aead.seal(plain.view(), {kPurpose, as_text(binding)}, random);
        if (!sealed) {
            return sealed;
        }
        std::string value = base64url_encode(as_bytes(*sealed));
        if (value.size() <= kMaxCookieValue) {
            return value;
        }
    }
    return fail(Reason::internal_error, "the pending login does not fit a cookie", "redirect_uri");
}

std::optional<PendingLogin> open_pending(std::string_view cookie_value, const Aead& aead,
                                         const Digest& binding) {
    if (cookie_value.size() > kMaxCookieValue) {
        return std::nullopt;
    }
    const std::optional<std::string> sealed = base64url_decode(cookie_value);
    if (!sealed) {
        return std::nullopt;
    }
    const std::optional<Secret> plain = aead.open(*sealed, {kPurpose, as_text(binding)});
    if (!plain) {
        return std::nullopt;
    }
    Reader reader(plain->view());
    PendingLogin login;
    login.created = static_cast<Seconds>(reader.number(8));
    login.state = reader.field();
    login.nonce = reader.field();
    login.verifier = Secret(reader.field());
    login.return_to = reader.field();
    login.redirect_uri = reader.field();
    login.session_key = reader.field();
    if (!reader.complete()) {
        const std::uint64_t age = reader.number(8);
        if (age > static_cast<std::uint64_t>(std::numeric_limits<Seconds>::max())) {
            return std::nullopt;
        }
        if (age > 0) {
            login.demand.max_age = static_cast<Seconds>(age - 1);
        }
        login.demand.acr_values = split_values(reader.field());
    }
    if (!reader.complete() || !is_our_state(login.state) || login.nonce.empty() ||
        login.created < 0 || !is_safe_return_target(login.return_to)) {
        return std::nullopt;
    }
    return login;
}

const PendingCookie* find_pending(const std::vector<PendingCookie>& cookies,
                                  std::string_view state) {
    const std::string_view tail = state_tail(state);
    for (const PendingCookie& cookie : cookies) {
        if (is_pending_handle(cookie.handle) &&
            equal_constant_time(cookie.handle.substr(kTimeDigits), tail)) {
            return &cookie;
        }
    }
    return nullptr;
}

std::vector<std::string> pending_to_drop(const std::vector<PendingCookie>& cookies) {
    // Fixed-width hexadecimal: the order of the handles is the order of their times.
    std::vector<const PendingCookie*> ours;
    for (const PendingCookie& cookie : cookies) {
        if (is_pending_handle(cookie.handle)) {
            ours.push_back(&cookie);
        }
    }
    std::sort(ours.begin(), ours.end(),
              [](const PendingCookie* a, const PendingCookie* b) { return a->handle < b->handle; });
    ours.erase(std::unique(ours.begin(), ours.end(),
                           [](const PendingCookie* a, const PendingCookie* b) {
                               return a->name == b->name;
                           }),
               ours.end());
    std::vector<std::string> names;
    for (std::size_t i = 0; i + kMaxPendingLogins - 1 < ours.size(); ++i) {
        names.emplace_back(ours[i]->name);
    }
    return names;
}

}  // namespace oidc
