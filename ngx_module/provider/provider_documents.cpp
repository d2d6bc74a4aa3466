// SPDX-License-Identifier: Apache-2.0
#include "provider/provider_documents.hpp"

#include <algorithm>

#include "base/ports_ngx.hpp"
#include "oidc/ptr.hpp"

namespace oidc::ngx {

namespace {

using Purpose = ProviderSlot::Purpose;

Purpose purpose_of(NeedProvider::Cause cause) noexcept {
    switch (cause) {
        case NeedProvider::Cause::key_unknown:
            return Purpose::key_unknown;
        case NeedProvider::Cause::misfit:
            return Purpose::misfit;
        case NeedProvider::Cause::outsider:
            return Purpose::outsider;
        case NeedProvider::Cause::first_use:
            break;
    }
    return Purpose::documents;
}

}  // namespace

ProviderDocuments::ProviderDocuments(Provider& provider, ProviderSlot slot, ngx_log_t* log,
                                     Owner& owner) noexcept
    : provider_(provider),
      slot_(slot),
      log_(log),
      owner_(owner),
      needs_metadata_(provider.config.needs_discovery()),
      needs_keys_(provider.config.jwks_text.empty()) {}

ProviderDocuments::~ProviderDocuments() {
    if (flight_) {
        if (CurlLoop* loop = CurlLoop::worker(); loop != nullptr) {
            loop->cancel(flight_->transfer);
        }
        // Another worker takes the fetch over at once.
        slot_.abandon();
    }
}

Error ProviderDocuments::error() const {
    return state_error_ && !slot_.last_reason() ? *state_error_ : slot_.last_error();
}

Result<ProviderDocuments::StatePtr> ProviderDocuments::make_state(const std::string& metadata,
                                                                  const std::string& keys,
                                                                  std::uint64_t generation) const {
    const std::string_view document = metadata;
    auto state = make_provider_state(provider_.config, needs_metadata_ ? &document : nullptr, keys,
                                     generation);
    if (!state) {
        return state;
    }
    const auto& algs = (*state)->algs;
    const bool symmetric = !algs.empty() && std::all_of(algs.begin(), algs.end(), alg_is_symmetric);
    if (!symmetric && (*state)->keys.size() == 0) {
        return fail(Reason::jwks_invalid,
                    "the key set holds no key that could verify a signature, " +
                        std::to_string((*state)->keys.ignored()) + " left out" +
                        ((*state)->keys.ignored() > 0 ? "; " : "") + (*state)->keys.first_ignored(),
                    needs_keys_ ? "jwks_uri" : "jwks_file");
    }
    return state;
}

void ProviderDocuments::sync() {
    std::string metadata;
    std::string keys;
    std::uint64_t generation = 1;
    if (uses_network()) {
        const auto now = slot_.peek();
        if (!now.attached || now.generation == seen_ || !slot_.read(metadata, keys, generation)) {
            return;
        }
        if ((needs_metadata_ && metadata.empty()) || (needs_keys_ && keys.empty())) {
            return;
        }
    } else if (seen_ == generation) {
        return;
    }
    auto state = make_state(metadata, keys, generation);
    seen_ = generation;
    if (!state) {
        state_error_ = state.error();
        return;
    }
    state_ = *std::move(state);
    state_error_.reset();
    metadata_ = std::move(metadata);
    keys_ = std::move(keys);
    // Up to a tenth less, so that not all workers turn to the provider in the same second.
    const auto lifetime = static_cast<ngx_msec_t>(provider_.config.metadata_lifetime) * 1000;
    lifetime_ = lifetime - lifetime / 1000 * (static_cast<ngx_msec_t>(ngx_random()) % 100);
}

ProviderSlot::Claim ProviderDocuments::fetch(NeedProvider::Cause cause, bool throttle,
                                             std::uint64_t& serial, ngx_msec_t& wait) {
    const Purpose purpose = state_ ? purpose_of(cause) : Purpose::documents;
    const auto interval = static_cast<ngx_msec_t>(provider_.config.jwks_refetch_interval) * 1000;
    const auto claim = slot_.claim(purpose, patience(), throttle ? interval : 0, serial, wait);
    if (claim == ProviderSlot::Claim::owner) {
        start();
    }
    return claim;
}

bool ProviderDocuments::refresh_older_than(ngx_msec_t oldest) {
    if (!uses_network()) {
        return false;
    }
    const auto now = slot_.peek();
    const auto is_stale = [oldest](const std::optional<ngx_msec_t>& age) {
        return !age || *age > oldest;
    };
    if (!now.attached || !((needs_metadata_ && is_stale(now.metadata_age)) ||
                           (needs_keys_ && is_stale(now.keys_age)))) {
        return false;
    }
    if (flight_ || now.fetching) {
        return true;
    }
    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return false;
    }
    std::uint64_t serial = 0;
    ngx_msec_t wait = 0;
    const auto claim = slot_.claim(Purpose::documents, patience(), 0, serial, wait);
    if (claim == ProviderSlot::Claim::owner) {
        start();
    }
    return claim != ProviderSlot::Claim::refused;
}

// Precondition: the slot is claimed.
void ProviderDocuments::start() try {
    flight_.emplace();
    if (needs_metadata_) {
        fetch_metadata();
        return;
    }
    flight_->jwks_uri = state_ ? state_->metadata.jwks_uri : provider_.config.jwks_uri;
    fetch_keys();
} catch (...) {
    flight_.reset();
    slot_.abandon();
    throw;
}

// In the background as far as libcurl's loop is concerned: whether a worker that shuts down waits
// for the end depends on whether a request does, see MetadataCache.
void ProviderDocuments::fetch_metadata() {
    flight_->transfer = CurlLoop::worker()->start(
        metadata_request(provider_.config), provider_.transport,
        [this](HttpOutcome outcome) { on_metadata(std::move(outcome)); }, true);
}

void ProviderDocuments::fetch_keys() {
    flight_->transfer = CurlLoop::worker()->start(
        jwks_request(flight_->jwks_uri, flight_->jwks_advertised), provider_.transport,
        [this](HttpOutcome outcome) { on_keys(std::move(outcome)); }, true);
}

Result<std::string> ProviderDocuments::checked_metadata(HttpOutcome outcome,
                                                        DocumentsFlight& flight) const {
    auto text = metadata_text(metadata_request(provider_.config), std::move(outcome));
    if (!text) {
        return text;
    }
    const std::string_view document = *text;
    auto metadata = parse_metadata(&document, provider_.config);
    if (!metadata) {
        return std::move(metadata).error();
    }
    flight.jwks_uri = metadata->jwks_uri;
    flight.jwks_advertised = advertised_endpoint(*metadata, "jwks_uri");
    if (*text != metadata_) {
        log_internal_endpoints(*metadata);
        log_left_out(metadata->left_out);
        log_demands(metadata->demands);
    }
    return text;
}

void ProviderDocuments::on_metadata(HttpOutcome outcome) noexcept try {
    OpensslErrorGuard guard;
    flight_->transfer = 0;
    auto text = checked_metadata(std::move(outcome), *flight_);
    if (text) {
        flight_->metadata = *std::move(text);
    } else if (state_ && needs_keys_) {
        // The last good metadata stays, and with it the place of the keys: a withdrawn key must go
        // even while the metadata is broken.
        flight_->problem = text.error();
        flight_->jwks_uri = state_->metadata.jwks_uri;
        flight_->jwks_advertised = advertised_endpoint(state_->metadata, "jwks_uri");
    } else {
        finish(text.error());
        return;
    }
    if (needs_keys_) {
        fetch_keys();
        return;
    }
    auto state = make_state(*flight_->metadata, {}, 0);
    if (!state) {
        finish(state.error());
        return;
    }
    slot_.store(*flight_->metadata, std::nullopt);
    finish(std::nullopt);
} catch (...) {
    finish(Error{});
}

void ProviderDocuments::on_keys(HttpOutcome outcome) noexcept try {
    OpensslErrorGuard guard;
    flight_->transfer = 0;
    finish(settle(std::move(outcome)));
} catch (...) {
    finish(Error{});
}

// Stores what was fetched as far as it makes a usable whole; the last good one outlives the rest.
std::optional<Error> ProviderDocuments::settle(HttpOutcome outcome) {
    DocumentsFlight& flight = *flight_;
    auto keys =
        jwks_text(jwks_request(flight.jwks_uri, flight.jwks_advertised), std::move(outcome));
    if (keys) {
        auto state = make_state(flight.metadata ? *flight.metadata : metadata_, *keys, 0);
        if (state) {
            if (*keys != keys_ && (*state)->keys.ignored_a_signing_key()) {
                NgxLog(log_).write(LogLevel::warn, "of the keys of provider \"" +
                                                       provider_.config.name + "\" " +
                                                       (*state)->keys.first_ignored());
            }
            slot_.store(flight.metadata, *keys);
            return std::move(flight.problem);
        }
        keys = state.error();
    }
    // New metadata does not have to wait for keys that were to be had from the same place before.
    if (flight.metadata && state_ && state_->metadata.jwks_uri == flight.jwks_uri &&
        make_state(*flight.metadata, keys_, 0)) {
        slot_.store(*flight.metadata, std::nullopt);
    }
    return keys.error();
}

void ProviderDocuments::finish(const std::optional<Error>& error) noexcept {
    try {
        const bool recovered = slot_.finish(error ? &*error : nullptr);
        flight_.reset();
        log_end(error, recovered);
        sync();
    } catch (...) {
        flight_.reset();
    }
    owner_.on_finished(*this);
}

// They are used all the same: many a provider and its users share one private network.
void ProviderDocuments::log_internal_endpoints(const Metadata& metadata) const {
    for (const std::string& endpoint : internal_endpoints(metadata, provider_.config)) {
        NgxLog(log_).write(LogLevel::warn, "the metadata of provider \"" + provider_.config.name +
                                               "\" names an internal address: " + endpoint +
                                               "; if that is wrong, configure the URL");
    }
}

void ProviderDocuments::log_left_out(const std::vector<std::string>& lines) const {
    for (const std::string& line : lines) {
        NgxLog(log_).write(LogLevel::warn, "left out of the metadata of provider \"" +
                                               provider_.config.name +
                                               "\", nobody asked for it: " + line);
    }
}

// Sign-ins may still work: the provider may except this client.
void ProviderDocuments::log_demands(const std::vector<std::string>& demands) const {
    for (const std::string& demand : demands) {
        NgxLog(log_).write(LogLevel::warn, "provider \"" + provider_.config.name +
                                               "\" demands of its clients: " + demand);
    }
}

void ProviderDocuments::log_end(const std::optional<Error>& error, bool recovered) const {
    std::string line = "documents of provider \"" + provider_.config.name + "\" ";
    if (error) {
        line.append("could not be fetched");
        line.append(state_ ? ", the last good ones stay in use: " : ": ");
        line.append(reason_info(error->reason).code).append(": ").append(error->detail);
        if (!error->fix.empty()) {
            line.append("; ").append(error->fix);
        }
        NgxLog(log_).write(LogLevel::warn, line);
    } else if (recovered) {
        NgxLog(log_).write(LogLevel::notice, line + "are fetched again");
    }
}

}  // namespace oidc::ngx
