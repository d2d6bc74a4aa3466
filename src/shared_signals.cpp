// SPDX-License-Identifier: Apache-2.0
#include "oidc/shared_signals.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "oidc/bearer.hpp"
#include "oidc/encode.hpp"
#include "oidc/http_message.hpp"
#include "oidc/json.hpp"
#include "oidc/jws.hpp"
#include "oidc/jwt_claims.hpp"
#include "oidc/text.hpp"

namespace oidc {
namespace {

struct KnownEvent {
    std::string_view type;
    SignalResult what;
};
constexpr KnownEvent kEvents[] = {
    {"https://schemas.openid.net/secevent/caep/event-type/session-revoked", SignalResult::ended},
    {"https://schemas.openid.net/secevent/caep/event-type/credential-change", SignalResult::ended},
    {"https://schemas.openid.net/secevent/risc/event-type/account-disabled", SignalResult::ended},
    {"https://schemas.openid.net/secevent/risc/event-type/account-purged", SignalResult::ended},
    {"https://schemas.openid.net/secevent/risc/event-type/sessions-revoked", SignalResult::ended},
    {"https://schemas.openid.net/secevent/risc/event-type/credential-compromise",
     SignalResult::ended},
    {"https://schemas.openid.net/secevent/ssf/event-type/verification", SignalResult::stream},
    {"https://schemas.openid.net/secevent/ssf/event-type/stream-updated", SignalResult::stream},
};

SignalResult what_of(std::string_view type) {
    for (const KnownEvent& known : kEvents) {
        if (known.type == type) {
            return known.what;
        }
    }
    return SignalResult::ignored;
}

bool differ_in_slash(std::string_view a, std::string_view b) {
    const auto plain = [](std::string_view text) {
        return text.ends_with('/') ? text.substr(0, text.size() - 1) : text;
    };
    return plain(a) == plain(b);
}

// Whom a subject identifier means here.
struct Found {
    std::vector<SessionOwner> owners;
    std::string why_not;   // there is none
    bool foreign = false;  // it is of another issuer
};

// Reads subject identifiers (RFC 9493, SSF 3).
class Subjects {
  public:
    // `iss` is the provider's as its sessions have it, `alias` another spelling of it or empty;
    // `own`: the token is of that issuer, so that its bare identifiers are the provider's.
    Subjects(std::string iss, std::string alias, bool own)
        : iss_(std::move(iss)), alias_(std::move(alias)), own_(own) {}

    [[nodiscard]] Result<Found> find(const json_t* subject) const {
        auto format = format_of(subject);
        if (!format) {
            return std::move(format).error();
        }
        if (*format == "complex") {
            return complex(subject);
        }
        return *format == "aliases" ? aliases(subject) : simple(subject, *format);
    }

  private:
    static Error bad(std::string detail) { return fail(Reason::signal_subject, std::move(detail)); }

    static Result<std::string> format_of(const json_t* subject) {
        if (!json_is_object(subject)) {
            return bad("a subject is not an object");
        }
        std::string format;
        if (auto status = take_text(subject, "format", Reason::signal_subject, true, format);
            !status) {
            return bad("a subject has no usable format: " + status.error().detail);
        }
        return format;
    }

    [[nodiscard]] Result<Found> simple(const json_t* subject, const std::string& format) const {
        Found found;
        if (format == "iss_sub") {
            SessionOwner owner;
            std::string iss;
            for (const auto& status :
                 {take_text(subject, "iss", Reason::signal_subject, true, iss),
                  take_text(subject, "sub", Reason::signal_subject, true, owner.sub)}) {
                if (!status) {
                    return status.error();
                }
            }
            if (iss != iss_ && (alias_.empty() || iss != alias_)) {
                found.foreign = true;
                found.why_not = "the subject is of another issuer, " + in_quotes(iss);
                return found;
            }
            return named(std::move(found), std::move(owner.sub));
        }
        if (format == "opaque") {
            std::string id;
            if (auto status = take_text(subject, "id", Reason::signal_subject, true, id); !status) {
                return status.error();
            }
            if (!own_) {
                found.foreign = true;
                found.why_not = "an opaque subject of another issuer than the provider";
                return found;
            }
            return named(std::move(found), std::move(id));
        }
        found.why_not = "sessions cannot be found by a subject of the format " + in_quotes(format);
        return found;
    }

    [[nodiscard]] Result<Found> named(Found found, std::string sub) const {
        if (auto status = check_subject(sub, Reason::signal_subject); !status) {
            return status.error();
        }
        found.owners.push_back({iss_, {}, std::move(sub)});
        return found;
    }

    [[nodiscard]] Result<Found> aliases(const json_t* subject) const {
        const json_t* list = json_object_get(subject, "identifiers");
        const std::size_t count = json_array_size(list);
        if (count == 0 || count > kMaxSignalEvents) {
            return bad("the subject has " + std::to_string(count) + " identifiers, 1 to " +
                       std::to_string(kMaxSignalEvents) + " are accepted");
        }
        Found all;
        all.foreign = true;
        for (std::size_t i = 0; i < count; ++i) {
            auto found = part(json_array_get(list, i), false);
            if (!found) {
                return found;
            }
            all.owners.insert(all.owners.end(), found->owners.begin(), found->owners.end());
            all.why_not += (i == 0 ? "" : "; ") + found->why_not;
            all.foreign = all.foreign && found->foreign;
        }
        if (!all.owners.empty()) {
            all.why_not.clear();
        }
        return all;
    }

    // Inside of another subject (RFC 9493 3.2.8, SSF 3.3).
    [[nodiscard]] Result<Found> part(const json_t* subject, bool several) const {
        auto format = format_of(subject);
        if (!format) {
            return std::move(format).error();
        }
        if (several && *format == "aliases") {
            return aliases(subject);
        }
        if (*format == "complex" || *format == "aliases") {
            return bad("a subject inside of another one has the format " + in_quotes(*format));
        }
        return simple(subject, *format);
    }

    [[nodiscard]] Result<Found> complex(const json_t* subject) const {
        Found found;
        const json_t* user = json_object_get(subject, "user");
        const json_t* session = json_object_get(subject, "session");
        if (user == nullptr && session == nullptr) {
            found.why_not = "the subject has neither user nor session";
            return found;
        }
        if (user != nullptr) {
            auto whose = part(user, true);
            if (!whose) {
                return whose;
            }
            found = *std::move(whose);
        }
        if (session == nullptr) {
            return found;
        }
        auto format = format_of(session);
        if (!format) {
            return std::move(format).error();
        }
        std::string sid;
        if (*format == "opaque") {
            if (auto status = take_text(session, "id", Reason::signal_subject, true, sid);
                !status) {
                return status.error();
            }
        }
        // Whose it is not, has no session here either.
        if (!sid.empty() && own_ && !found.foreign) {
            std::string sub = found.owners.empty() ? "" : std::move(found.owners.front().sub);
            found.owners.assign(1, {iss_, std::move(sid), std::move(sub)});
            found.why_not.clear();
        } else if (found.owners.empty() && !found.foreign) {
            found.why_not =
                own_ ? "sessions cannot be found by a session of the format " + in_quotes(*format)
                     : "a session of another issuer than the provider";
        }
        return found;
    }

    std::string iss_;
    std::string alias_;
    bool own_;
};

// The claims of one verified token.
class Checks {
  public:
    Checks(const json_t* claims, Alg alg, const PostedTokenExpectation& expected)
        : claims_(claims), alg_(alg), now_(expected.now), provider_(*expected.provider) {}

    Result<Signals> run() {
        using Check = Status (Checks::*)();
        constexpr std::array<Check, 6> kAll{&Checks::issuer, &Checks::audience,   &Checks::absent,
                                            &Checks::times,  &Checks::identifier, &Checks::events};
        for (const Check check : kAll) {
            if (auto verdict = (this->*check)(); !verdict.ok()) {
                return std::move(verdict).error();
            }
        }
        return std::move(signals_);
    }

  private:
    Status issuer() {
        const std::string& other = provider_.signals.issuer;
        if (other.empty()) {
            if (Status status = check_issuer(claims_, provider_, Reason::signal_iss); !status) {
                return status;
            }
        }
        if (Status status = take_text(claims_, "iss", Reason::signal_iss, true, signals_.iss);
            !status) {
            return status;
        }
        if (!other.empty() && signals_.iss != other) {
            return fail(Reason::signal_iss,
                        "iss " + in_quotes(signals_.iss) + " is not the configured issuer " +
                            in_quotes(other),
                        "shared_signals_issuer");
        }
        return Unit{};
    }

    Status audience() {
        const auto audiences = read_audience(claims_, Reason::signal_aud);
        if (!audiences) {
            return audiences.error();
        }
        const std::vector<std::string>& ours = provider_.signals.audience;
        const bool meant =
            ours.empty() ? contains(*audiences, provider_.client_id)
                         : std::any_of(ours.begin(), ours.end(), [&](const std::string& name) {
                               return contains(*audiences, name);
                           });
        if (!meant) {
            return fail(Reason::signal_aud,
                        "aud " + in_quotes(*audiences) + " does not contain " +
                            (ours.empty() ? "the client_id " + in_quotes(provider_.client_id)
                                          : "any of " + in_quotes(ours)),
                        "shared_signals_audience");
        }
        if (audiences->size() > 1 && alg_is_symmetric(alg_)) {
            return fail(Reason::signal_aud,
                        "aud " + in_quotes(*audiences) + " has several values under " +
                            std::string(alg_name(alg_)) + ", which only one client can verify",
                        "id_token_signed_response_alg");
        }
        return Unit{};
    }

    // Whatever their values: a token of another kind must not pass (SSF 4.1.5, 4.1.7).
    Status absent() {
        if (json_object_get(claims_, "exp") != nullptr) {
            return fail(Reason::signal_exp, "the token has an exp");
        }
        if (json_object_get(claims_, "sub") != nullptr) {
            return fail(Reason::signal_subject, "the token has a sub");
        }
        return Unit{};
    }

    Status times() {
        const auto last = check_made(claims_, kMaxSignalAge, now_, provider_, Reason::signal_iat);
        if (!last) {
            return last.error();
        }
        signals_.remember_until = *last + provider_.clock_skew;
        return Unit{};
    }

    Status identifier() {
        return take_text(claims_, "jti", Reason::signal_jti, true, signals_.jti);
    }

    Status events() {
        json_t* events = json_object_get(claims_, "events");
        if (!json_is_object(events)) {
            return fail(Reason::signal_events, events == nullptr ? "the token has no events"
                                                                 : "\"events\" is not an object");
        }
        const std::size_t count = json_object_size(events);
        if (count == 0 || count > kMaxSignalEvents) {
            return fail(Reason::signal_events,
                        "the token has " + std::to_string(count) + " events, 1 to " +
                            std::to_string(kMaxSignalEvents) + " are accepted");
        }
        const char* type = nullptr;
        json_t* payload = nullptr;
        json_object_foreach(events, type, payload) {
            if (Status status = event(type, payload); !status) {
                return status;
            }
        }
        return Unit{};
    }

    Status event(const char* type, const json_t* payload) {
        if (!json_is_object(payload)) {
            return fail(Reason::signal_events,
                        "the event " + in_quotes(type) + " is not an object");
        }
        SignalEvent event{type, what_of(type), {}};
        if (event.what == SignalResult::ended) {
            auto found = whose(payload);
            if (!found) {
                return std::move(found).error();
            }
            if (found->owners.empty()) {
                event.what = SignalResult::unmatched;
                event.detail = std::move(found->why_not);
            }
            for (SessionOwner& owner : found->owners) {
                std::vector<SessionOwner>& all = signals_.owners;
                if (std::find(all.begin(), all.end(), owner) == all.end()) {
                    all.push_back(std::move(owner));
                }
            }
        } else if (event.what == SignalResult::stream) {
            const auto status = json_string(payload, "status");
            event.detail = status.ok() ? std::string(status->value_or("")) : "";
        }
        signals_.events.push_back(std::move(event));
        return Unit{};
    }

    Result<Found> whose(const json_t* payload) const {
        const json_t* top = json_object_get(claims_, "sub_id");
        const json_t* inside = json_object_get(payload, "subject");
        if (top == nullptr && inside == nullptr) {
            return fail(Reason::signal_subject, "the token has no sub_id");
        }
        if (top != nullptr && inside != nullptr && json_equal(top, inside) == 0) {
            return fail(Reason::signal_subject, "sub_id and the event's subject differ");
        }
        const std::string& other = provider_.signals.issuer;
        const bool own = other.empty() || differ_in_slash(other, provider_.issuer);
        const Subjects subjects(other.empty() ? signals_.iss : provider_.issuer,
                                own ? other : std::string(), own);
        return subjects.find(top != nullptr ? top : inside);
    }

    const json_t* claims_;
    Alg alg_;
    Seconds now_;
    const ProviderConfig& provider_;
    Signals signals_;
};

}  // namespace

std::string why_no_signal_token(std::string_view token) {
    if (token.size() < kMinSignalToken || token.size() > kMaxSignalToken) {
        return "has " + std::to_string(token.size()) + " bytes, " +
               std::to_string(kMinSignalToken) + " to " + std::to_string(kMaxSignalToken) +
               " are accepted";
    }
    return check_b64token(token).ok() ? ""
                                      : "has characters that no bearer token has (RFC 6750 2.1)";
}

Status check_signal_bearer(std::string_view authorization, const Secret& token) {
    if (authorization.empty()) {
        return fail(Reason::signal_bearer, "the request has no Authorization header");
    }
    const std::string_view header = trim(authorization);
    const std::size_t end = std::min(header.find_first_of(" \t"), header.size());
    if (!equal_nocase(header.substr(0, end), "bearer")) {
        return fail(Reason::signal_bearer, "its Authorization header is no Bearer token");
    }
    if (!equal_constant_time(trim(header.substr(end)), token.view())) {
        return fail(Reason::signal_bearer, "its Bearer token is another one",
                    "shared_signals_token_file");
    }
    return Unit{};
}

Result<std::string> parse_signal(std::string_view content_type, std::string_view body) {
    if (!is_media_type(content_type, kSignalType)) {
        return fail(Reason::signal_malformed, "content type " + in_quotes(content_type) +
                                                  " is not " + std::string(kSignalType));
    }
    if (body.size() > kMaxSignal) {
        return fail(Reason::signal_too_large, "the body has " + std::to_string(body.size()) +
                                                  " bytes, at most " + std::to_string(kMaxSignal) +
                                                  " are accepted");
    }
    if (body.empty()) {
        return fail(Reason::signal_malformed, "the body is empty");
    }
    return std::string(body);
}

Result<Signals> validate_signal(std::string_view compact, const PostedTokenExpectation& expected) {
    constexpr std::array<std::string_view, 1> kTyp{"secevent+jwt"};
    auto jwt = verify_posted(compact, expected, kTyp, true);
    if (!jwt.ok()) {
        return std::move(jwt).error();
    }
    return Checks(jwt->payload.get(), jwt->alg, expected).run();
}

Error signal_error(Error error) {
    constexpr PostedReasons kReasons{Reason::signal_malformed, Reason::signal_alg,
                                     Reason::signal_typ, Reason::signal_signature};
    return posted_error(std::move(error), kReasons);
}

}  // namespace oidc
