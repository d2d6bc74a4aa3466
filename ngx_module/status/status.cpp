#include "status/status.hpp"

#include <openssl/crypto.h>

#include <string>

#include "http/curl_loop.hpp"
#include "json_writer.hpp"
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
void add_age(JsonWriter& json, std::string_view name, Seconds age) {
    if (age < 0) {
        json.add_null(name);
    } else {
        json.add(name, static_cast<std::uint64_t>(age));
    }
}

void write_providers(const MainConf& conf, JsonWriter& json) {
    MetadataCache* cache = MetadataCache::worker();
    json.open("providers", '[');
    for (const auto& provider : conf.providers) {
        json.open('{');
        json.add("name", provider->config.name);
        json.add("issuer", provider->config.issuer);
        json.add("store", provider->store->name);
        if (cache != nullptr) {
            const MetadataCache::Status status = cache->status(*provider);
            json.add("generation", status.generation);
            add_age(json, "metadata_age", status.metadata_age);
            add_age(json, "keys_age", status.keys_age);
            json.add("keys", status.keys);
            json.add("fetches", status.fetches);
            json.add("failures", status.failures);
            json.add("last_error", status.last_error);
        }
        json.close('}');
    }
    json.close(']');
}

void write_stores(const MainConf& conf, JsonWriter& json) {
    json.open("stores", '[');
    for (const auto& store : conf.stores) {
        const RecordTable::Stats stats = store->sessions().stats();
        json.open('{');
        json.add("name", store->name);
        json.add("size", store->size);
        json.add("sessions", stats.records);
        json.add("blocks_used", stats.blocks_used);
        json.add("blocks_total", stats.blocks_total);
        json.add("bytes_used", stats.blocks_used * stats.bytes_per_block);
        json.add("bytes_total", stats.blocks_total * stats.bytes_per_block);
        json.add("recoveries", stats.recoveries);
        json.close('}');
    }
    json.close(']');
}

// An object with one member for each value of an enum.
template <class E>
void write_enum(JsonWriter& json, std::string_view name,
                const std::uint64_t (&values)[kCountOf<E>]) {
    json.open(name, '{');
    for (std::size_t i = 0; i < kCountOf<E>; ++i) {
        json.add(label_of(static_cast<E>(i)), values[i]);
    }
    json.close('}');
}

void write_idp(const Counters& counters, JsonWriter& json) {
    json.open("idp", '{');
    for (std::size_t i = 0; i < kCountOf<IdpEndpoint>; ++i) {
        const Counters::Idp& idp = counters.idp[i];
        std::uint64_t requests = 0;
        for (const std::uint64_t count : idp.buckets) {
            requests += count;
        }
        json.open(label_of(static_cast<IdpEndpoint>(i)), '{');
        json.add("requests", requests);
        json.add("milliseconds", idp.microseconds / 1000);
        write_enum<IdpFailure>(json, "errors", idp.failures);
        json.close('}');
    }
    json.close('}');
}

void write_store_requests(const Counters::Store& store, JsonWriter& json) {
    std::uint64_t requests = 0;
    for (const std::uint64_t count : store.buckets) {
        requests += count;
    }
    json.open("store_requests", '{');
    json.add("requests", requests);
    json.add("milliseconds", store.microseconds / 1000);
    write_enum<StoreFailure>(json, "errors", store.failures);
    json.add("connections", store.connections);
    json.add("failovers", store.failovers);
    json.close('}');
}

void write_counters(CountersZone& zone, JsonWriter& json) {
    Counters counters{};
    zone.read(counters);
    json.add("logins", counters.logins);
    json.add("refused_logins", counters.refused_logins);
    json.add("logouts", counters.all_logouts());
    write_enum<LogoutKind>(json, "logouts_by_kind", counters.logouts);
    write_enum<RefreshResult>(json, "refreshes", counters.refreshes);
    json.add("challenges", counters.challenges);
    json.add("redirects", counters.redirects);
    json.open("refusals", '{');
    for (std::size_t i = 0; i < kCountOf<Reason>; ++i) {
        if (counters.refusals[i] != 0) {
            json.add(reason_info(static_cast<Reason>(i)).code, counters.refusals[i]);
        }
    }
    json.close('}');
    write_idp(counters, json);
    write_store_requests(counters.store, json);
    if (const CurlLoop* loop = CurlLoop::worker()) {
        const CurlLoop::Counters http = loop->counters();
        json.open("worker", '{');
        json.add("pid", static_cast<std::uint64_t>(ngx_pid));
        json.add("requests", http.requests);
        json.add("connections", http.connections);
        json.add("errors", http.errors);
        json.close('}');
    }
}

std::string status_json(const MainConf& conf) {
    JsonWriter json;
    json.open('{');
    json.add("version", kVersion);
    write_providers(conf, json);
    write_stores(conf, json);
    if (CountersZone* zone = CountersZone::running()) {
        write_counters(*zone, json);
    }
    json.close('}');
    return std::move(json).take() + "\n";
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
    const Assertion* assertion = main_conf(r).assertion.get();
    if (assertion == nullptr || assertion->signer == nullptr) {
        return NGX_HTTP_NOT_FOUND;
    }
    return send_text(r, assertion->signer->jwks(), kJson, "max-age=300");
} catch (...) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

}  // namespace oidc::ngx
