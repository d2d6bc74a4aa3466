// SPDX-License-Identifier: Apache-2.0
#include "oidc/access_token.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "oidc/claims.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/jws.hpp"
#include "oidc/jwt_claims.hpp"
#include "oidc/session.hpp"
#include "oidc/text.hpp"

namespace oidc {
namespace {

constexpr std::size_t kMaxClientId = 1024;
constexpr std::size_t kMaxScope = 4096;
constexpr std::size_t kThumbprintChars = 43;  // SHA-256 in base64url

std::string_view text_of(const json_t* value) {
    return {json_string_value(value), json_string_length(value)};
}

// The reason that the module answers with for what verify_jws() found.
Error access_token_error(Error error) {
    switch (error.reason) {
        case Reason::jwt_malformed:
        case Reason::jwt_encrypted:
        case Reason::jwt_crit:
            error.reason = Reason::access_token_malformed;
            error.fix.clear();
            break;
        case Reason::jwt_alg:
            error.reason = Reason::access_token_alg;
            break;
        case Reason::jwt_typ:
            error.reason = Reason::access_token_typ;
            error.fix = "auth_oidc_bearer_typ";
            break;
        case Reason::jwt_key_unknown:
        case Reason::jwt_signature:
            error.reason = Reason::access_token_signature;
            break;
        default:
            break;
    }
    return error;
}

// A list of words in one text, or in an array.
Result<std::string> words(const json_t* claims, const char* name) {
    const json_t* value = json_object_get(claims, name);
    if (value == nullptr || json_is_null(value)) {
        return std::string();
    }
    if (json_is_string(value)) {
        return std::string(text_of(value));
    }
    const auto list = json_strings(claims, name);
    if (!list.ok()) {
        return list.error();
    }
    std::string text;
    for (const std::string& word : **list) {
        text.append(text.empty() ? "" : " ").append(word);
    }
    return text;
}

// The claims of one token.
class Checks {
  public:
    Checks(JsonPtr claims, const ProviderConfig& provider, Seconds now,
           std::span<const std::string_view> optional, AccessTokenTyp typ)
        : provider_(provider), now_(now), optional_(optional), typ_(typ) {
        token_.claims = std::move(claims);
    }

    Result<AccessToken> run() {
        using Check = Status (Checks::*)();
        constexpr std::array<Check, 8> kAll{
            &Checks::kind,   &Checks::issuer,   &Checks::times, &Checks::subject,
            &Checks::client, &Checks::audience, &Checks::scope, &Checks::confirmation};
        for (const Check check : kAll) {
            if (Status verdict = (this->*check)(); !verdict.ok()) {
                return std::move(verdict).error();
            }
        }
        return std::move(token_);
    }

  private:
    static Status ok() { return Unit{}; }
    [[nodiscard]] const json_t* claims() const { return token_.claims.get(); }
    [[nodiscard]] bool may_lack(std::string_view name) const {
        return std::find(optional_.begin(), optional_.end(), name) != optional_.end();
    }
    [[nodiscard]] bool has(const char* name) const {
        return json_object_get(claims(), name) != nullptr;
    }

    Status kind() { return typ_ == AccessTokenTyp::at_jwt ? ok() : check_token_kind(claims()); }

    Status issuer() {
        // Of several tenants nobody would know whose the subject is.
        return !has("iss") && may_lack("iss") && provider_.tenants.empty()
                   ? ok()
                   : check_issuer(claims(), provider_, Reason::access_token_iss);
    }

    Status time(const char* name, Reason reason, bool required, std::optional<Seconds>& out) {
        const auto value = json_time(claims(), name);
        if (!value.ok()) {
            return fail(reason, value.error().detail);
        }
        if (!*value && required && !may_lack(name)) {
            return missing_claim(reason, name);
        }
        out = *value;
        return ok();
    }

    Status times() {
        std::optional<Seconds> exp;
        std::optional<Seconds> nbf;
        std::optional<Seconds> iat;
        for (Status status : {time("exp", Reason::access_token_exp, true, exp),
                              time("nbf", Reason::access_token_iat, false, nbf),
                              time("iat", Reason::access_token_iat, true, iat)}) {
            if (!status) {
                return status;
            }
        }
        for (Status status :
             {check_not_expired(exp, now_, provider_, Reason::access_token_exp),
              check_not_future("nbf", nbf, now_, provider_, Reason::access_token_iat),
              check_not_future("iat", iat, now_, provider_, Reason::access_token_iat)}) {
            if (!status) {
                return status;
            }
        }
        token_.exp = exp.value_or(0);
        token_.iat = iat.value_or(0);
        return ok();
    }

    Status subject() {
        const auto sub = json_string(claims(), "sub");
        if (!sub.ok()) {
            return fail(Reason::access_token_claim, sub.error().detail);
        }
        if (!*sub) {
            return may_lack("sub") ? ok()
                                   : Status(missing_claim(Reason::access_token_claim, "sub"));
        }
        token_.sub = **sub;
        return check_subject(token_.sub, Reason::access_token_claim);
    }

    Status client() {
        std::array<const char*, 4> names{"client_id", "azp", "appid", "cid"};
        const std::size_t known = typ_ == AccessTokenTyp::at_jwt ? 1 : names.size();
        for (std::size_t i = 0; i < known; ++i) {
            const auto id = json_string(claims(), names[i]);
            if (!id.ok()) {
                return fail(Reason::access_token_claim, id.error().detail);
            }
            if (!*id) {
                continue;
            }
            if ((*id)->empty() || (*id)->size() > kMaxClientId || has_control_bytes(**id)) {
                return fail(Reason::access_token_claim,
                            std::string(names[i]) + " is no name of a client");
            }
            token_.client_id = **id;
            return ok();
        }
        return may_lack("client_id")
                   ? ok()
                   : Status(missing_claim(Reason::access_token_claim, "client_id"));
    }

    Status audience() {
        const json_t* value = json_object_get(claims(), "aud");
        if (value == nullptr || json_is_null(value)) {
            return may_lack("aud") ? ok() : Status(missing_claim(Reason::access_token_aud, "aud"));
        }
        if (json_is_string(value)) {
            token_.audiences.assign(1, std::string(text_of(value)));
        } else {
            auto list = json_strings(claims(), "aud");
            if (!list.ok()) {
                return fail(Reason::access_token_aud, list.error().detail);
            }
            token_.audiences = **std::move(list);
        }
        if (typ_ == AccessTokenTyp::jwt && contains(token_.audiences, provider_.client_id)) {
            return fail(
                Reason::access_token_typ,
                "aud " + in_quotes(token_.audiences) + " has the client_id, as an ID token has",
                "auth_oidc_bearer_typ");
        }
        return ok();
    }

    // RFC 9068 2.2.3; scp is Okta's and Entra ID's.
    Status scope() {
        for (const char* name : {"scope", "scp"}) {
            Result<std::string> text = words(claims(), name);
            if (!text.ok()) {
                return fail(Reason::access_token_claim, text.error().detail);
            }
            if (text->size() > kMaxScope) {
                return fail(Reason::access_token_claim,
                            std::string(name) + " has " + std::to_string(text->size()) +
                                " bytes, at most " + std::to_string(kMaxScope) + " are accepted");
            }
            if (!text->empty()) {
                token_.scope = *std::move(text);
                break;
            }
        }
        return ok();
    }

    // RFC 7800 3: a token that is bound to what we cannot check is nobody's to use here.
    Status confirmation() {
        const json_t* cnf = json_object_get(claims(), "cnf");
        if (cnf == nullptr) {
            return ok();
        }
        if (!json_is_object(cnf) || json_object_size(cnf) == 0) {
            return fail(Reason::access_token_binding, "\"cnf\" is no object with members");
        }
        const char* name = nullptr;
        json_t* value = nullptr;
        json_object_foreach(const_cast<json_t*>(cnf), name, value) {
            const std::string_view method = name;
            std::string* target = method == "jkt"        ? &token_.binding.jkt
                                  : method == "x5t#S256" ? &token_.binding.x5t
                                                         : nullptr;
            if (target == nullptr) {
                return fail(
                    Reason::access_token_binding,
                    "the token is bound by " + in_quotes(method) + ", which is not known here");
            }
            Digest digest{};
            if (!json_is_string(value) || text_of(value).size() != kThumbprintChars ||
                !base64url_decode_exact(text_of(value), digest)) {
                return fail(Reason::access_token_binding,
                            in_quotes(method) + " of \"cnf\" is no SHA-256 in base64url");
            }
            *target = text_of(value);
        }
        return ok();
    }

    const ProviderConfig& provider_;
    Seconds now_;
    std::span<const std::string_view> optional_;
    AccessTokenTyp typ_;
    AccessToken token_;
};

}  // namespace

bool is_jwt(std::string_view token) {
    const auto dots = std::count(token.begin(), token.end(), '.');
    if (token.size() > kMaxAccessToken || (dots != 2 && dots != 4)) {
        return false;
    }
    const auto header = base64url_decode(token.substr(0, token.find('.')));
    return header && json_parse_object(*header).ok();
}

Result<AccessToken> validate_access_token(std::string_view compact,
                                          const AccessTokenExpectation& expected) {
    constexpr std::array<std::string_view, 2> kTyp{"at+jwt", "jwt"};
    const bool strict = expected.typ == AccessTokenTyp::at_jwt;
    std::vector<Alg> algs;
    std::copy_if(expected.algs.begin(), expected.algs.end(), std::back_inserter(algs),
                 [](Alg alg) { return !alg_is_symmetric(alg); });
    VerifyOptions options;
    options.allowed = algs;
    options.keys = expected.keys;
    options.accepted_typ = std::span(kTyp).first(strict ? 1 : 2);
    options.typ_required = strict;
    options.max_bytes = kMaxAccessToken;
    options.tenants = expected.provider;
    auto jwt = verify_jws(compact, options);
    if (!jwt.ok()) {
        return access_token_error(std::move(jwt).error());
    }
    return Checks(std::move(jwt->payload), *expected.provider, expected.now, {}, expected.typ)
        .run();
}

Status check_token_kind(const json_t* claims) {
    for (const char* name : {"nonce", "at_hash", "c_hash", "events"}) {
        if (json_object_get(claims, name) != nullptr) {
            return fail(Reason::access_token_typ, std::string("the token has ") + name +
                                                      ", so it is an ID token or a logout token");
        }
    }
    constexpr std::array<std::string_view, 8> kOthers{
        "id",      "id_token",      "refresh", "refresh_token",
        "offline", "offline_token", "logout",  "logout_token"};
    constexpr std::array<std::string_view, 2> kOurs{"access", "access_token"};
    const auto one_of = [](std::span<const std::string_view> known, std::string_view value) {
        return std::any_of(known.begin(), known.end(),
                           [value](std::string_view name) { return equal_nocase(value, name); });
    };
    for (const char* name : {"typ", "token_use"}) {
        const auto value = json_string(claims, name);
        if (!value) {
            return fail(Reason::access_token_typ, value.error().detail);
        }
        const bool is_typ = std::string_view(name) == "typ";
        if (*value && (is_typ ? one_of(kOthers, **value) : !one_of(kOurs, **value))) {
            return fail(Reason::access_token_typ, "the token has the " + std::string(name) + " " +
                                                      in_quotes(**value) +
                                                      ", so it is no access token");
        }
    }
    return Unit{};
}

Result<AccessToken> read_access_token(JsonPtr claims, const ProviderConfig& provider, Seconds now,
                                      std::span<const std::string_view> optional) {
    return Checks(std::move(claims), provider, now, optional, AccessTokenTyp::at_jwt).run();
}

bool worth_refetching_for(const Error& error, std::string_view compact,
                          const ProviderConfig& provider) noexcept {
    try {
        Error as_jwt = error;
        switch (error.reason) {
            case Reason::access_token_signature:
                as_jwt.reason = Reason::jwt_signature;
                break;
            case Reason::access_token_alg:
                as_jwt.reason = Reason::jwt_alg;
                break;
            default:
                return false;
        }
        return worth_refetching(as_jwt, compact, provider);
    } catch (...) {
        return false;
    }
}

Status check_token_audience(std::span<const std::string> audiences,
                            std::span<const std::string> wanted) {
    for (const std::string& audience : audiences) {
        if (contains(wanted, audience)) {
            return Unit{};
        }
    }
    return fail(Reason::access_token_aud,
                "aud " + in_quotes(audiences) + " has none of " + in_quotes(wanted),
                "auth_oidc_bearer_audience");
}

Status check_token_scope(std::string_view scope, std::span<const std::string> wanted) {
    for (const std::string& name : wanted) {
        std::string_view rest = scope;
        bool found = false;
        while (!rest.empty() && !found) {
            const std::size_t end = std::min(rest.find(' '), rest.size());
            found = rest.substr(0, end) == name;
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        if (!found) {
            return fail(
                Reason::insufficient_scope,
                "the token has the scope " + in_quotes(scope) + ", without " + in_quotes(name),
                "auth_oidc_bearer_scope");
        }
    }
    return Unit{};
}

Result<AccessTokenRecord> make_access_token_record(const AccessToken& token,
                                                   std::string_view compact,
                                                   const ProviderConfig& provider, Log& log) {
    Session session;
    session.provider = provider.name;
    session.sub = token.sub;
    session.claims = collect_claims(token.claims.get(), nullptr, provider.claim_paths, log);
    Result<std::string> name = username(session.claims, provider.username_claim);
    if (!name) {
        return fail(Reason::access_token_claim, name.error().detail, name.error().fix);
    }
    session.username = *std::move(name);
    session.created = token.iat;
    // A claim that nobody asked for may be of any type.
    const auto auth_time = json_time(token.claims.get(), "auth_time");
    session.auth_time = auth_time.ok() ? auth_time->value_or(0) : 0;
    session.scope = token.scope;
    session.access_expires = token.exp;
    if (provider.keep_access_token) {
        session.access_token = Secret(compact);
    }
    Result<Secret> record = encode_session(session);
    if (!record) {
        return std::move(record).error();
    }
    return AccessTokenRecord{*std::move(record), token.audiences, token.binding, token.exp};
}

}  // namespace oidc
