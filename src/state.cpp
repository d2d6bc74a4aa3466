// SPDX-License-Identifier: Apache-2.0
#include "oidc/state.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "oidc/authz_response.hpp"
#include "oidc/encode.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

constexpr std::string_view kPurpose = "state of a login";
constexpr std::string_view kTargetPurpose = "target of a login";

// Of a target, what the state carries: some providers take no long state.
constexpr std::size_t kTargetInState = 256;

constexpr std::size_t kSecretBytes = 16;
// The cookie: when the login began, which of the same second it was, and the secret.
constexpr int kSerialBits = 12;
constexpr std::size_t kOrderBytes = 4;
constexpr std::size_t kCookieChars = 27;
static_assert((kOrderBytes + kSecretBytes) * 4 / 3 + 1 == kCookieChars);

// As it stands in a header on https, with "=" and "; ".
constexpr std::size_t in_header(std::size_t name, std::size_t value) {
    return std::string_view("__Host-").size() + name + value + 3;
}
constexpr std::size_t kAllLogins = kLoginSlots * in_header(kPendingCookie.size() + 1, kCookieChars);
static_assert(kAllLogins + kMaxFragmentCookies + in_header(kTargetCookie.size(), 1000) <
              kMaxLoginCookies);

enum Flag : std::uint8_t { kPkce = 1, kRenewed = 2, kHasDemand = 4, kCut = 8, kHasHost = 16 };
constexpr std::uint64_t kAllFlags = kPkce | kRenewed | kHasDemand | kCut | kHasHost;

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
    std::string_view take(std::size_t n) {
        if (n > rest_.size()) {
            ok_ = false;
            n = rest_.size();
        }
        const std::string_view taken = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return taken;
    }
    [[nodiscard]] bool complete() const { return ok_ && rest_.empty(); }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

// The session's key is written as the 32 bytes that its hexadecimal text stands for.
std::string key_bytes(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(hex_value(hex[i]) << 4 | hex_value(hex[i + 1]));
    }
    return bytes;
}

// What the state says of the cookie: enough to know it again.
std::array<std::uint8_t, 16> check_of(std::string_view cookie) {
    const Digest digest = sha256_fields({"cookie of a login", cookie});
    std::array<std::uint8_t, 16> check{};
    std::copy_n(digest.begin(), check.size(), check.begin());
    return check;
}

// What follows from the secret. Secret and salt have their lengths, so they are one field; with a
// short label each digest is one block of SHA-256.
void derive(PendingLogin& login) {
    Secret seed;
    seed.reserve(login.secret.view().size() + login.salt.size());
    seed.append(login.secret.view());
    seed.append(as_text(login.salt));
    login.nonce = base64url_encode(sha256_fields({"nonce", seed.view()}));
    if (login.pkce) {
        std::string verifier = base64url_encode(sha256_fields({"pkce", seed.view()}));
        login.verifier = Secret(verifier);
        cleanse(verifier.data(), verifier.size());
    }
}

Secret encode(const PendingLogin& login, std::string_view target) {
    Secret out;
    out.reserve(512 + login.redirect_uri.size());
    const int flags = (login.pkce ? kPkce : 0) | (login.renewed ? kRenewed : 0) |
                      (login.demand.empty() ? 0 : kHasDemand) | (login.cut ? kCut : 0) |
                      (login.host.empty() ? 0 : kHasHost);
    put_number(out, static_cast<std::uint64_t>(flags), 1);
    out.append({&login.slot, 1});
    put_number(out, static_cast<std::uint64_t>(login.created), 8);
    out.append(as_text(login.salt));
    out.append(as_text(login.check));
    put_field(out, login.redirect_uri);
    put_field(out, key_bytes(login.session_key));
    put_field(out, target);
    if (!login.demand.empty()) {
        const std::optional<Seconds>& age = login.demand.max_age;
        put_number(out, age ? static_cast<std::uint64_t>(*age) + 1 : 0, 8);
        put_field(out, join_values(login.demand.acr_values));
    }
    if (!login.host.empty()) {
        put_field(out, login.host);
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

std::string_view behind_marks(std::string_view state) {
    state.remove_prefix(kStatePrefix.size());
    if (state.starts_with(kStepUpMark)) {
        state.remove_prefix(kStepUpMark.size());
    }
    return state;
}

std::uint32_t order_of(Seconds now, std::uint32_t serial) {
    return static_cast<std::uint32_t>(now) << kSerialBits |
           (serial & ((std::uint32_t{1} << kSerialBits) - 1));
}

// The bytes of a cookie; empty: it is none.
Secret cookie_bytes(std::string_view value) {
    if (value.size() != kCookieChars) {
        return {};
    }
    std::string bytes = base64url_decode(value).value_or(std::string());
    if (bytes.size() != kOrderBytes + kSecretBytes) {
        return {};
    }
    Secret out(bytes);
    cleanse(bytes.data(), bytes.size());
    return out;
}

}  // namespace

Result<PendingLogin> new_pending_login(std::string_view return_to, bool pkce, Ports& ports,
                                       LoginDemand demand) {
    PendingLogin login;
    // One draw for both: a draw costs far more than its bytes.
    std::array<std::uint8_t, kSecretBytes + sizeof(login.salt)> drawn{};
    if (!ports.random.fill(drawn)) {
        return fail(Reason::internal_error, "no randomness for a login");
    }
    const ByteView bytes(drawn);
    login.secret = Secret(as_text(bytes.first(kSecretBytes)));
    std::copy_n(bytes.begin() + kSecretBytes, login.salt.size(), login.salt.begin());
    cleanse(drawn.data(), drawn.size());
    login.pkce = pkce;
    login.demand = std::move(demand);
    login.return_to = is_safe_return_target(return_to) ? return_to : "/";
    login.created = ports.clock.now();
    derive(login);
    return login;
}

bool is_our_state(std::string_view state) noexcept {
    return state.starts_with(kStatePrefix) && state.size() > kStatePrefix.size();
}

bool is_step_up_state(std::string_view state) noexcept {
    return is_our_state(state) && state.substr(kStatePrefix.size()).starts_with(kStepUpMark);
}

bool is_login_slot(std::string_view handle) noexcept {
    return handle.size() == 1 && kSlotNames.find(handle.front()) != std::string_view::npos;
}

char choose_slot(const std::vector<PendingCookie>& cookies, std::uint32_t serial, Seconds now) {
    std::array<bool, kLoginSlots> taken{};
    const std::uint32_t present = order_of(now, serial);
    char oldest = kSlotNames.front();
    std::uint64_t age = 0;
    for (const PendingCookie& cookie : cookies) {
        if (!is_login_slot(cookie.handle)) {
            continue;
        }
        taken[kSlotNames.find(cookie.handle.front())] = true;
        const Secret bytes = cookie_bytes(cookie.value);
        // What cannot be read is worth nothing.
        std::uint64_t its = std::numeric_limits<std::uint64_t>::max();
        if (!bytes.empty()) {
            its = present - static_cast<std::uint32_t>(
                                Reader(bytes.view().substr(0, kOrderBytes)).number(kOrderBytes));
        }
        if (its >= age) {
            age = its;
            oldest = cookie.handle.front();
        }
    }
    std::string free;
    for (std::size_t i = 0; i < kLoginSlots; ++i) {
        if (!taken[i]) {
            free += kSlotNames[i];
        }
    }
    return free.empty() ? oldest : free[serial % free.size()];
}

std::size_t max_target_value(bool fragments) noexcept {
    return kMaxLoginCookies - kAllLogins - (fragments ? kMaxFragmentCookies : 0) -
           in_header(kTargetCookie.size(), 0);
}

Result<SealedLogin> seal_pending(PendingLogin& login, std::uint32_t serial, const Aead& aead,
                                 const Digest& binding, Random& random, std::size_t max_target) {
    SealedLogin out;
    std::string_view head = login.return_to;
    login.cut = head.size() > kTargetInState;
    if (login.cut) {
        Result<std::string> rest =
            aead.seal(head.substr(kTargetInState), {kTargetPurpose, as_text(login.salt)}, random);
        if (!rest) {
            return rest.error();
        }
        out.target_value = base64url_encode(as_bytes(*rest));
        if (out.target_value.size() > max_target) {
            out.target_value.clear();
            login.cut = false;
            login.return_to = "/";
            head = login.return_to;
        }
        head = head.substr(0, kTargetInState);
    }
    Secret cookie;
    put_number(cookie, order_of(login.created, serial), kOrderBytes);
    cookie.append(login.secret.view());
    out.cookie_value = base64url_encode(as_bytes(cookie.view()));
    login.check = check_of(cookie.view());
    const Secret plain = encode(login, head);
    Result<std::string> sealed = aead.seal(plain.view(), {kPurpose, as_text(binding)}, random);
    if (!sealed) {
        return std::move(sealed).error();
    }
    login.state = kStatePrefix;
    login.state.append(login.demand.empty() ? std::string_view() : kStepUpMark);
    login.state.append(base64url_encode(as_bytes(*sealed)));
    if (login.state.size() > kMaxState) {
        return fail(Reason::internal_error, "the pending login does not fit a state",
                    "redirect_uri");
    }
    return out;
}

std::optional<PendingLogin> open_state(std::string_view state, const Aead& aead,
                                       const Digest& binding) {
    if (!is_our_state(state) || state.size() > kMaxState) {
        return std::nullopt;
    }
    const std::optional<std::string> sealed = base64url_decode(behind_marks(state));
    const std::optional<Secret> plain =
        sealed ? aead.open(*sealed, {kPurpose, as_text(binding)}) : std::nullopt;
    if (!plain) {
        return std::nullopt;
    }
    Reader reader(plain->view());
    PendingLogin login;
    login.state = state;
    const std::uint64_t flags = reader.number(1);
    login.pkce = (flags & kPkce) != 0;
    login.renewed = (flags & kRenewed) != 0;
    login.cut = (flags & kCut) != 0;
    const std::string_view slot = reader.take(1);
    login.created = static_cast<Seconds>(reader.number(8));
    for (auto* const bytes : {&login.salt, &login.check}) {
        const std::string_view taken = reader.take(bytes->size());
        std::copy(taken.begin(), taken.end(), bytes->begin());
    }
    login.redirect_uri = reader.field();
    login.session_key = hex_encode(as_bytes(reader.field()));
    login.return_to = reader.field();
    if ((flags & kHasDemand) != 0) {
        const std::uint64_t age = reader.number(8);
        if (age > static_cast<std::uint64_t>(std::numeric_limits<Seconds>::max())) {
            return std::nullopt;
        }
        if (age > 0) {
            login.demand.max_age = static_cast<Seconds>(age - 1);
        }
        login.demand.acr_values = split_values(reader.field());
    }
    if ((flags & kHasHost) != 0) {
        login.host = reader.field();
    }
    if (!reader.complete() || flags > kAllFlags ||
        login.host.empty() == ((flags & kHasHost) != 0) || !is_login_slot(slot) ||
        login.created < 0 || is_step_up_state(state) == login.demand.empty() ||
        !(login.cut || is_safe_return_target(login.return_to))) {
        return std::nullopt;
    }
    login.slot = slot.front();
    return login;
}

const PendingCookie* take_cookie(PendingLogin& login, const std::vector<PendingCookie>& cookies) {
    for (const PendingCookie& cookie : cookies) {
        if (!is_login_slot(cookie.handle) || cookie.handle.front() != login.slot) {
            continue;
        }
        const Secret bytes = cookie_bytes(cookie.value);
        if (bytes.empty()) {
            continue;
        }
        if (equal_constant_time(as_text(check_of(bytes.view())), as_text(login.check))) {
            login.secret = Secret(bytes.view().substr(kOrderBytes));
            derive(login);
            return &cookie;
        }
    }
    return nullptr;
}

bool join_target(PendingLogin& login, std::string_view target_value, const Aead& aead) {
    if (!std::exchange(login.cut, false)) {
        return false;
    }
    const std::optional<std::string> sealed = target_value.size() <= max_target_value(false)
                                                  ? base64url_decode(target_value)
                                                  : std::nullopt;
    const std::optional<Secret> rest =
        sealed ? aead.open(*sealed, {kTargetPurpose, as_text(login.salt)}) : std::nullopt;
    login.return_to.append(rest ? rest->view() : std::string_view());
    if (!rest || !is_safe_return_target(login.return_to)) {
        login.return_to = "/";
    }
    return rest.has_value();
}

}  // namespace oidc
