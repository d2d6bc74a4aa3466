// SPDX-License-Identifier: Apache-2.0
#include "signin/bearer.hpp"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/asking.hpp"
#include "base/debug_log.hpp"
#include "base/ports_ngx.hpp"
#include "oidc/access_token.hpp"
#include "oidc/crypto.hpp"
#include "oidc/dpop_proof.hpp"
#include "oidc/encode.hpp"
#include "oidc/introspection.hpp"
#include "oidc/step_up.hpp"
#include "oidc/uri.hpp"
#include "provider/metadata_cache.hpp"
#include "request/bearer_state.hpp"
#include "request/identity_headers.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "request/sanitize.hpp"
#include "request/token_headers.hpp"
#include "request/trace.hpp"
#include "shm/counters_zone.hpp"
#include "shm/proof_zone.hpp"
#include "signin/introspector.hpp"
#include "signin/token_cache.hpp"

namespace oidc::ngx {
namespace {

using Documents = std::shared_ptr<const ProviderState>;
using Again = std::function<ngx_int_t()>;

ngx_int_t refuse_token(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                       const Error& error, TokenScheme scheme) {
    const int status = reason_info(error.reason).status;
    const ngx_int_t rc = begin_refusal(r, ctx, "token", &provider, error, status);
    if (rc != NGX_OK) {
        return rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
    }
    return send_respond(
        r, bearer_refusal(error, view(ctx.answer.reference), bearer_demand(r, provider), scheme));
}

// What this worker knows already; null: it has to be waited for.
Documents known_documents(Provider& provider) {
    MetadataCache* cache = MetadataCache::worker();
    Documents out;
    if (cache == nullptr) {
        return out;
    }
    const MetadataCache::Ticket ticket =
        cache->want(provider, {}, [&out](Result<Documents> result) {
            if (result) {
                out = *std::move(result);
            }
        });
    if (ticket != 0) {
        cache->cancel(ticket);
    }
    return out;
}

// Waits for documents of the provider, and judges the request again.
ngx_int_t wait_for_documents(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                             const NeedProvider& need, TokenScheme scheme, const Again& again) {
    RequestTask& task = begin_task(r, ctx, RequestTask::Kind::bearer, provider);
    const bool ready = ask_provider(task, need);
    return when_ready(r, ctx, ready, [r, &ctx, &provider, scheme, again](const Event& event) {
        const auto* error = std::get_if<Error>(&event);
        return error != nullptr ? refuse_token(r, ctx, provider, *error, scheme) : again();
    });
}

// SHA-256 of the certificate that the client has shown in the handshake; empty: none.
std::string certificate_thumbprint(ngx_http_request_t* r) {
#if (NGX_HTTP_SSL)
    if (r->connection->ssl == nullptr) {
        return {};
    }
    const OpensslErrorGuard guard;
    const X509Ptr certificate(SSL_get_peer_certificate(r->connection->ssl->connection));
    unsigned char* der = nullptr;
    const int size = certificate ? i2d_X509(certificate.get(), &der) : 0;
    if (size <= 0) {
        return {};
    }
    const Digest digest =
        sha256({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
    OPENSSL_free(der);
    return base64url_encode(digest);
#else
    static_cast<void>(r);
    return {};
#endif
}

// The request's own URL by both origins that the site may have: a sign-in may end on another host.
std::array<std::string, 2> own_urls(ngx_http_request_t* r, const Provider& provider) {
    std::string_view target = view(r->unparsed_uri);
    target = target.substr(0, target.find_first_of("?#"));
    std::array<std::string, 2> urls;
    const std::array<const Provider*, 2> sites{&provider, nullptr};
    for (std::size_t i = 0; i < urls.size(); ++i) {
        const ngx_str_t origin = public_origin(r, sites[i]);
        if (origin.data != nullptr) {
            urls[i] = std::string(view(origin)).append(target);
        }
    }
    return urls;
}

// RFC 9449 4.3, 7.1.
Status check_proof(ngx_http_request_t* r, const BearerState& state, const Provider& provider,
                   const BearerCredentials& credentials, std::string_view jkt) {
    if (credentials.scheme != TokenScheme::dpop) {
        return fail(Reason::access_token_binding,
                    "the token is bound to a key, and came by the scheme Bearer");
    }
    if (state.proofs.size() != 1) {
        return fail(Reason::dpop_proof_invalid, "the request has " +
                                                    std::to_string(state.proofs.size()) +
                                                    " headers DPoP, one is expected");
    }
    const std::array<std::string, 2> urls = own_urls(r, provider);
    const std::array<std::string_view, 2> texts{urls[0], urls[1]};
    DpopProofExpectation expected;
    expected.method = view(r->method_name);
    expected.urls = texts;
    expected.access_token = credentials.token;
    expected.jkt = jkt;
    expected.now = ngx_time();
    expected.clock_skew = provider.config.clock_skew;
    const auto proof = validate_dpop_proof(state.proofs.front(), expected);
    if (!proof) {
        return proof.error();
    }
    ProofZone* zone = ProofZone::running();
    if (zone == nullptr) {
        return fail(Reason::internal_error, "no zone remembers the proof");
    }
    return zone->use_once(proof->digest, proof->remember_until, ngx_time())
               ? Status(Unit{})
               : fail(Reason::dpop_proof_replayed, "its jti was used before");
}

Status check_binding(ngx_http_request_t* r, const BearerState& state, const Provider& provider,
                     const BearerCredentials& credentials) {
    const TokenBinding& binding = state.verified->token.binding;
    if (!binding.x5t.empty() && !equal_constant_time(binding.x5t, certificate_thumbprint(r))) {
        return fail(Reason::access_token_binding,
                    "the token is bound to another certificate than that of the connection");
    }
    if (!binding.jkt.empty()) {
        return check_proof(r, state, provider, credentials, binding.jkt);
    }
    return credentials.scheme == TokenScheme::dpop
               ? fail(Reason::access_token_binding,
                      "the token came by the scheme DPoP, and is bound to no key")
               : Status(Unit{});
}

Result<TokenCache::Entry> verify(ngx_http_request_t* r, const Provider& provider,
                                 const ProviderState& documents, std::string_view token,
                                 AccessTokenTyp typ) {
    const ProviderConfig& config = provider.config;
    if (Status status = check_b64token(token); !status) {
        return std::move(status).error();
    }
    if (!is_jwt(token)) {
        return fail(Reason::access_token_malformed, "the token is no JWT");
    }
    auto access =
        validate_access_token(token, {&config, &documents.keys, documents.algs, ngx_time(), typ});
    if (!access) {
        return std::move(access).error();
    }
    NgxLog log(r->connection->log);
    auto record = make_access_token_record(*access, token, config, log);
    if (!record) {
        return std::move(record).error();
    }
    auto entry = std::make_shared<VerifiedToken>();
    entry->token = *std::move(record);
    const auto view = SessionView::open(entry->token.record.view());
    if (!view) {
        return fail(Reason::internal_error, "the record of the token cannot be read");
    }
    entry->session = *view;
    entry->text = Secret(token);
    entry->key = sha256(token);
    entry->provider = &provider;
    entry->typ = typ;
    entry->generation = documents.generation;
    entry->forget =
        std::min(ngx_time() + TokenCache::kLongest, entry->token.exp + config.clock_skew);
    return TokenCache::Entry(std::move(entry));
}

void decide_by_token(RequestContext& ctx, Provider& provider) noexcept {
    BearerState& state = *ctx.bearer;
    Decision& decision = state.decision;
    if (decision.provider != &provider || !decision.authenticated) {
        decision = {};
    }
    decision.provider = &provider;
    decision.taken = true;
    decision.authenticated = true;
    decision.ref.key = state.verified->key;
    decision.session = state.verified->session;
    decision.expires = state.verified->token.exp;
    ctx.decision = &decision;
}

// ---- tokens that the provider is asked about ---------------------------------------------------

class Waiting final : public RequestTask::Held {
  public:
    explicit Waiting(RequestTask& task) noexcept : task_(task) {}
    ~Waiting() override {
        if (Introspector* introspector = Introspector::worker();
            introspector != nullptr && ticket_ != 0) {
            introspector->forget(ticket_);
        }
    }

    // True: the answer is there at once.
    bool ask(Introspector& introspector, Provider& provider, std::string_view token,
             std::string trace, ngx_log_t* log) {
        const Asking asking(asking_);
        const Introspector::Ticket ticket = introspector.ask(
            provider, token, std::move(trace), log, [this](const Introspector::Answer& answer) {
                answer_ = answer;
                ticket_ = 0;
                if (!asking_) {
                    task_.on_outcome();
                }
            });
        if (!answer_) {
            ticket_ = ticket;
        }
        return answer_.has_value();
    }
    // Precondition: it is there.
    [[nodiscard]] Introspector::Answer take() { return *std::exchange(answer_, std::nullopt); }

  private:
    RequestTask& task_;
    Introspector::Ticket ticket_ = 0;
    bool asking_ = false;
    std::optional<Introspector::Answer> answer_;
};

TokenCache::Entry introspected(const AccessTokenRecord& token, const Digest& key,
                               const Provider& provider) {
    auto entry = std::make_shared<VerifiedToken>();
    entry->token = {token.record.clone(), token.audiences, token.binding, token.exp};
    const auto view = SessionView::open(entry->token.record.view());
    if (!view) {
        return nullptr;
    }
    entry->session = *view;
    entry->key = key;
    entry->provider = &provider;
    entry->introspected = true;
    return entry;
}

// NGX_OK: state.verified is what the provider vouches for. Else the return value of the handler.
ngx_int_t introspect(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                     const BearerCredentials& credentials, const Again& again) {
    const BearerState& state = *ctx.bearer;
    const Digest key = introspection_key(provider.config, credentials.token);
    if (state.verified != nullptr && state.verified->introspected && state.verified->key == key) {
        return NGX_OK;  // a moment ago, by this request
    }
    const auto settle = [&ctx, r, &provider, key,
                         scheme = credentials.scheme](const Introspector::Answer& answer) {
        if (!answer) {
            return refuse_token(r, ctx, provider, answer.error(), scheme);
        }
        ctx.bearer->verified = introspected(**answer, key, provider);
        return ctx.bearer->verified != nullptr
                   ? ngx_int_t{NGX_OK}
                   : refuse_token(r, ctx, provider, fail(Reason::internal_error), scheme);
    };
    Introspector* introspector = Introspector::worker();
    if (introspector == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (Status status = check_b64token(credentials.token); !status) {
        return settle(std::move(status).error());
    }
    if (const auto answer = introspector->known(provider, credentials.token)) {
        return settle(*answer);
    }
    RequestTask& task = begin_task(r, ctx, RequestTask::Kind::bearer, provider);
    auto held = std::make_unique<Waiting>(task);
    Waiting& waiting = *held;
    task.question = std::move(held);
    if (waiting.ask(*introspector, provider, credentials.token, trace_of(r, provider),
                    r->connection->log)) {
        return settle(waiting.take());
    }
    return wait_for_task(r, ctx, [&waiting, settle, again] {
        const ngx_int_t rc = settle(waiting.take());
        return rc == NGX_OK ? again() : rc;
    });
}

// ---- what a place asks of any token ------------------------------------------------------------

ngx_int_t admit_token(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                      const BearerCredentials& credentials) {
    const LocConf& location = loc_conf(r);
    BearerState& state = *ctx.bearer;
    const auto refuse = [&](const Error& error) {
        return refuse_token(r, ctx, provider, error, credentials.scheme);
    };
    const AccessTokenRecord& token = state.verified->token;
    if (Status status = check_token_audience(token.audiences, location.bearer_audience); !status) {
        return refuse(status.error());
    }
    if (state.bound != token.binding) {
        if (Status status = check_binding(r, state, provider, credentials); !status) {
            return refuse(status.error());
        }
        state.bound = token.binding;
    }
    if (Status status = check_token_scope(state.verified->session.scope(), location.bearer_scope);
        !status) {
        return refuse(status.error());
    }
    decide_by_token(ctx, provider);
    debug_log(r->connection->log, "oidc decision: provider \"%s\", an access token holds",
              provider.config.name.c_str());
    return NGX_OK;
}

ngx_int_t judge_token(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                      const BearerCredentials& credentials, const Again& again) {
    const LocConf& location = loc_conf(r);
    BearerState& state = *ctx.bearer;
    if (location.bearer == kBearerIntrospection ||
        (location.bearer == kBearerAuto && !is_jwt(credentials.token))) {
        const ngx_int_t rc = introspect(r, ctx, provider, credentials, again);
        return rc == NGX_OK ? admit_token(r, ctx, provider, credentials) : rc;
    }
    const auto refuse = [&](const Error& error) {
        return refuse_token(r, ctx, provider, error, credentials.scheme);
    };
    const Documents documents = known_documents(provider);
    if (documents == nullptr) {
        return wait_for_documents(r, ctx, provider, {}, credentials.scheme, again);
    }
    TokenCache* cache = TokenCache::worker();
    if (cache == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    const auto typ = static_cast<AccessTokenTyp>(location.bearer_typ);
    state.verified =
        cache->find(credentials.token, provider, typ, documents->generation, ngx_time());
    const std::optional<Error> before = std::exchange(state.refused, std::nullopt);
    if (state.verified == nullptr) {
        // Nothing newer has come: the signature would be as bad again.
        if (before && documents->generation == state.refused_by) {
            return refuse(*before);
        }
        auto entry = verify(r, provider, *documents, credentials.token, typ);
        if (!entry) {
            if (!state.asked_again &&
                worth_refetching_for(entry.error(), credentials.token, provider.config)) {
                state.asked_again = true;
                state.refused = entry.error();
                state.refused_by = documents->generation;
                return wait_for_documents(r, ctx, provider,
                                          {documents->generation, NeedProvider::Cause::outsider, 0},
                                          credentials.scheme, again);
            }
            return refuse(entry.error());
        }
        state.verified = *std::move(entry);
        cache->add(state.verified);
    }
    return admit_token(r, ctx, provider, credentials);
}

// None of them goes on to a backend. False: no memory. Identity headers have left the request.
bool withhold_token_headers(ngx_http_request_t* r, BearerState& state) noexcept {
    if (state.withheld) {
        return true;
    }
    state.withheld = true;
    return drop_headers(r, is_token_header);
}

}  // namespace

ngx_str_t resource_origin(ngx_http_request_t* r, const Provider* provider) noexcept {
    const ngx_str_t own = public_origin(r, nullptr);
    const ngx_str_t of_provider = public_origin(r, provider);
    if (own.data == nullptr || of_provider.data == nullptr) {
        return own;
    }
    const auto host = [](std::string_view origin) {
        origin.remove_prefix(std::min(origin.find("://"), origin.size()));
        // An IPv6 literal has colons of its own, in brackets.
        const std::size_t bracket = origin.rfind(']');
        return origin.substr(0, origin.find(':', bracket == std::string_view::npos ? 3 : bracket));
    };
    return host(view(own)) == host(view(of_provider)) ? of_provider : own;
}

BearerDemand bearer_demand(ngx_http_request_t* r, const Provider& provider) {
    BearerDemand demand;
    demand.scope = loc_conf(r).bearer_scope;
    const SrvConf::Resource* best = nullptr;
    const std::string_view uri = view(r->uri);
    std::size_t longest = 0;
    for (const SrvConf::Resource& resource : srv_conf(r).resources) {
        std::string path = resource.resource;
        if (const Result<Url> url = parse_url(resource.resource)) {
            path = url->path;
        }
        if ((path.empty() || is_below(uri, path)) && (best == nullptr || path.size() > longest)) {
            best = &resource;
            longest = path.size();
        }
    }
    if (best != nullptr) {
        const ngx_str_t origin = resource_origin(r, &provider);
        if (origin.data != nullptr) {
            demand.metadata_url = std::string(view(origin)).append(best->path);
        }
    }
    return demand;
}

ngx_int_t take_token(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                     const Again& again) {
    const LocConf& location = loc_conf(r);
    if (!location.takes_tokens() || location.session_info || ctx.bearer == nullptr) {
        return NGX_DECLINED;
    }
    const std::string_view target = view(r->unparsed_uri);
    const std::size_t mark = target.find('?');
    const auto credentials =
        read_bearer(ctx.bearer->authorization,
                    mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1));
    if (credentials && !*credentials) {
        return NGX_DECLINED;
    }
    ctx.decision = nullptr;
    ctx.insufficient = false;
    ctx.cross_origin = false;
    clear_identity(r, ctx);
    if (!withhold_token_headers(r, *ctx.bearer)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return credentials ? judge_token(r, ctx, provider, **credentials, again)
                       : refuse_token(r, ctx, provider, credentials.error(), TokenScheme::bearer);
}

bool is_token_enough(const RequestContext& ctx, const LocConf& location) noexcept try {
    if (!location.takes_tokens() || ctx.bearer == nullptr || ctx.bearer->verified == nullptr) {
        return false;
    }
    const VerifiedToken& verified = *ctx.bearer->verified;
    const bool known_so =
        verified.introspected
            ? location.asks_about_tokens()
            : location.bearer != kBearerIntrospection &&
                  verified.typ == static_cast<AccessTokenTyp>(location.bearer_typ);
    return known_so &&
           check_token_audience(verified.token.audiences, location.bearer_audience).ok() &&
           check_token_scope(verified.session.scope(), location.bearer_scope).ok();
} catch (...) {
    return false;
}

ngx_int_t refuse_insufficient_token(ngx_http_request_t* r, RequestContext& ctx,
                                    Provider& provider) {
    const LocConf& location = loc_conf(r);
    ctx.answer.error_code = reason_info(Reason::insufficient_user_authentication).code.data();
    if (has_error_page(r, NGX_HTTP_UNAUTHORIZED) || satisfy_any(r)) {
        return NGX_HTTP_UNAUTHORIZED;
    }
    counters(r).count_challenge();
    return send_respond(
        r, insufficient_authentication(strictest(provider.config, *location.step_up), {},
                                       PageForm::json, Language::en));
}

}  // namespace oidc::ngx
