// SPDX-License-Identifier: Apache-2.0
#include "status/status.hpp"

#include <openssl/crypto.h>

#include <string>

#include "http/curl_loop.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/json.hpp"
#include "oidc/status_format.hpp"
#include "oidc/version.hpp"
#include "provider/metadata_cache.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "shm/counters_zone.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {
namespace {

// ---- what there is to tell -------------------------------------------------------------------

Metrics::Provider provider_metrics(const Provider& provider, const MetadataCache::Status& status) {
    return {provider.config.name, status.metadata_age, status.keys_age,
            status.keys,          status.fetches,      status.failures};
}

Metrics::Store store_metrics(const Store& store, const RecordTable::Stats& stats) {
    return {store.name, stats.records, stats.blocks_used * stats.bytes_per_block,
            stats.blocks_total * stats.bytes_per_block, stats.recoveries};
}

std::vector<Metrics::Component> components() {
    return {{"nginx", NGINX_VERSION}, {"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)}};
}

Metrics collect(const MainConf& conf) {
    Metrics metrics;
    metrics.components = components();
    if (MetadataCache* cache = MetadataCache::worker()) {
        for (const auto& provider : conf.providers) {
            metrics.providers.push_back(provider_metrics(*provider, cache->status(*provider)));
        }
    }
    for (const auto& store : conf.stores) {
        metrics.stores.push_back(store_metrics(*store, store->sessions().stats()));
    }
    if (CountersZone* zone = CountersZone::running()) {
        zone->read(metrics.counters);
    }
    return metrics;
}

// ---- JSON ------------------------------------------------------------------------------------

// Seconds since something; negative: it never happened.
void add_age(JsonObject& json, std::string_view name, Seconds age) {
    if (age < 0) {
        json.add_null(name);
    } else {
        json.add(name, static_cast<std::uint64_t>(age));
    }
}

JsonObject provider_json(const Provider& provider, MetadataCache* cache) {
    JsonObject json;
    json.add("name", provider.config.name);
    json.add("issuer", provider.config.issuer);
    json.add("store", provider.store->name);
    if (cache != nullptr) {
        const MetadataCache::Status status = cache->status(provider);
        json.add("generation", status.generation);
        add_age(json, "metadata_age", status.metadata_age);
        add_age(json, "keys_age", status.keys_age);
        json.add("keys", status.keys);
        json.add("fetches", status.fetches);
        json.add("failures", status.failures);
        json.add("last_error", status.last_error);
    }
    return json;
}

JsonObject store_json(const Store& store) {
    const RecordTable::Stats stats = store.sessions().stats();
    JsonObject json;
    json.add("name", store.name);
    json.add("size", store.size);
    json.add("sessions", stats.records);
    json.add("blocks_used", stats.blocks_used);
    json.add("blocks_total", stats.blocks_total);
    json.add("bytes_used", stats.blocks_used * stats.bytes_per_block);
    json.add("bytes_total", stats.blocks_total * stats.bytes_per_block);
    json.add("recoveries", stats.recoveries);
    return json;
}

// An object with one member for each value of an enum.
template <class E>
JsonObject enum_json(const std::uint64_t (&values)[kCountOf<E>]) {
    JsonObject json;
    for (std::size_t i = 0; i < kCountOf<E>; ++i) {
        json.add(label_of(static_cast<E>(i)), values[i]);
    }
    return json;
}

JsonObject idp_json(const Counters& counters) {
    JsonObject json;
    for (std::size_t i = 0; i < kCountOf<IdpEndpoint>; ++i) {
        const Counters::Idp& idp = counters.idp[i];
        std::uint64_t requests = 0;
        for (const std::uint64_t count : idp.buckets) {
            requests += count;
        }
        JsonObject endpoint;
        endpoint.add("requests", requests);
        endpoint.add("milliseconds", idp.microseconds / 1000);
        endpoint.add("errors", enum_json<IdpFailure>(idp.failures));
        json.add(label_of(static_cast<IdpEndpoint>(i)), endpoint);
    }
    return json;
}

JsonObject store_requests_json(const Counters::Store& store) {
    std::uint64_t requests = 0;
    for (const std::uint64_t count : store.buckets) {
        requests += count;
    }
    JsonObject json;
    json.add("requests", requests);
    json.add("milliseconds", store.microseconds / 1000);
    json.add("errors", enum_json<StoreFailure>(store.failures));
    json.add("connections", store.connections);
    json.add("failovers", store.failovers);
    return json;
}

void add_counters(CountersZone& zone, JsonObject& json) {
    Counters counters{};
    zone.read(counters);
    json.add("logins", counters.logins);
    json.add("refused_logins", counters.refused_logins);
    json.add("logouts", counters.all_logouts());
    json.add("logouts_by_kind", enum_json<LogoutKind>(counters.logouts));
    json.add("refreshes", enum_json<RefreshResult>(counters.refreshes));
    json.add("shared_signals", enum_json<SignalResult>(counters.signals));
    json.add("challenges", counters.challenges);
    json.add("redirects", counters.redirects);
    JsonObject refusals;
    for (std::size_t i = 0; i < kCountOf<Reason>; ++i) {
        if (counters.refusals[i] != 0) {
            refusals.add(reason_info(static_cast<Reason>(i)).code, counters.refusals[i]);
        }
    }
    json.add("refusals", refusals);
    json.add("idp", idp_json(counters));
    json.add("store_requests", store_requests_json(counters.store));
    if (const CurlLoop* loop = CurlLoop::worker()) {
        const CurlLoop::Counters http = loop->counters();
        JsonObject worker;
        worker.add("pid", static_cast<std::uint64_t>(ngx_pid));
        worker.add("requests", http.requests);
        worker.add("connections", http.connections);
        worker.add("errors", http.errors);
        json.add("worker", worker);
    }
}

std::string status_json(const MainConf& conf) {
    JsonObject json;
    json.add("version", kVersion);
    std::vector<JsonObject> providers;
    for (const auto& provider : conf.providers) {
        providers.push_back(provider_json(*provider, MetadataCache::worker()));
    }
    json.add("providers", providers);
    std::vector<JsonObject> stores;
    for (const auto& store : conf.stores) {
        stores.push_back(store_json(*store));
    }
    json.add("stores", stores);
    if (CountersZone* zone = CountersZone::running()) {
        add_counters(*zone, json);
    }
    return json.text() + "\n";
}

// ---- answers ---------------------------------------------------------------------------------

bool is_read(const ngx_http_request_t* r) noexcept {
    return (r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) != 0;
}

ngx_int_t send_text(ngx_http_request_t* r, std::string body, std::string_view type,
                    std::string_view cache_control) {
    Respond respond;
    respond.headers.push_back({"Content-Type", std::string(type)});
    respond.headers.push_back({"Cache-Control", std::string(cache_control)});
    respond.headers.push_back({"X-Content-Type-Options", "nosniff"});
    respond.body = std::move(body);
    return send_answer(r, respond);
}

constexpr std::string_view kJson = "application/json";

}  // namespace

ngx_int_t status_handler(ngx_http_request_t* r) noexcept try {
    if (!is_read(r)) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    const auto format = status_format(view(r->args), request_header(r, "accept"));
    if (!format) {
        return NGX_HTTP_BAD_REQUEST;
    }
    if (*format == StatusFormat::prometheus) {
        return send_text(r, render_prometheus(collect(main_conf(r))), kPrometheusType, "no-store");
    }
    return send_text(r, status_json(main_conf(r)), kJson, "no-store");
} catch (...) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

ngx_int_t jwks_handler(ngx_http_request_t* r) noexcept try {
    if (!is_read(r)) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    const LocConf& loc = loc_conf(r);
    if (!loc.jwks_provider.empty()) {
        const Provider* provider = main_conf(r).find_provider(loc.jwks_provider);
        return provider == nullptr || !publishes_keys(provider->config)
                   ? NGX_HTTP_NOT_FOUND
                   : send_text(r, published_keys(provider->config, ngx_time()), kJson,
                               "max-age=300");
    }
    const Assertion* assertion = loc.assertion_block.get();
    if (assertion == nullptr) {
        return NGX_HTTP_NOT_FOUND;
    }
    return send_text(r, assertion->signer->jwks(), kJson, "max-age=300");
} catch (...) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

}  // namespace oidc::ngx
