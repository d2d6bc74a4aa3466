// SPDX-License-Identifier: Apache-2.0
#include "oidc/former_state.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "oidc/encode.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

constexpr std::string_view kPurpose = "pending login";
constexpr std::size_t kTimeDigits = 8;
// Of the 43 random characters of a state these name its cookie.
constexpr std::size_t kStateChars = 43;
constexpr std::size_t kTailChars = 22;
constexpr std::size_t kHandleChars = kTimeDigits + kTailChars;
constexpr std::size_t kMaxCookieValue = 3800;
// As much of them stays beside the cookies of newer logins as a server takes of both together.
constexpr std::size_t kMaxTogether = 2000;
// A header is not to become too long by what it deletes.
constexpr std::size_t kMaxDrops = 4;

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
    return is_former_state(state) ? state.substr(state.size() - kTailChars) : std::string_view{};
}

}  // namespace

bool is_former_handle(std::string_view handle) noexcept {
    return handle.size() == kHandleChars &&
           std::all_of(handle.begin(), handle.begin() + kTimeDigits, is_lower_hex) &&
           std::all_of(handle.begin() + kTimeDigits, handle.end(), is_base64url);
}

bool is_former_state(std::string_view state) noexcept {
    return is_our_state(state) &&
           state.size() == kStatePrefix.size() + kStateChars +
                               (is_step_up_state(state) ? kStepUpMark.size() : 0);
}

std::optional<PendingLogin> open_former(std::string_view cookie_value, const Aead& aead,
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

const PendingCookie* find_former(const std::vector<PendingCookie>& cookies,
                                 std::string_view state) {
    const std::string_view tail = state_tail(state);
    if (tail.empty()) {
        return nullptr;
    }
    for (const PendingCookie& cookie : cookies) {
        if (is_former_handle(cookie.handle) &&
            equal_constant_time(cookie.handle.substr(kTimeDigits), tail)) {
            return &cookie;
        }
    }
    return nullptr;
}

std::vector<std::string> former_to_drop(const std::vector<PendingCookie>& cookies) {
    // Fixed-width hexadecimal: the order of the handles is the order of their times.
    std::vector<const PendingCookie*> ours;
    for (const PendingCookie& cookie : cookies) {
        if (is_former_handle(cookie.handle)) {
            ours.push_back(&cookie);
        }
    }
    std::sort(ours.begin(), ours.end(),
              [](const PendingCookie* a, const PendingCookie* b) { return a->handle > b->handle; });
    std::size_t together = 0;
    std::vector<std::string> names;
    for (const PendingCookie* cookie : ours) {
        together += cookie->name.size() + cookie->value.size() + 3;
        if (together > kMaxTogether && names.size() < kMaxDrops) {
            names.emplace_back(cookie->name);
        }
    }
    return names;
}

}  // namespace oidc
