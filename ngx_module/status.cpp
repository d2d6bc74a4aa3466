// Content handlers: oidc_status (JSON about providers, stores and counters) and oidc_jwks (public
// keys of the assertion).
#include <string>

#include "curl_loop.hpp"
#include "oidc/encode.hpp"
#include "respond.hpp"
#include "session_zone.hpp"

namespace oidc::ngx {
namespace {

// Members of a JSON object or array, with their commas.
class JsonWriter {
  public:
    void open(char bracket) {
        separate();
        text_ += bracket;
        fresh_ = true;
    }
    void open(std::string_view name, char bracket) {
        key(name);
        text_ += bracket;
        fresh_ = true;
    }
    void close(char bracket) {
        text_ += bracket;
        fresh_ = false;
    }
    void add(std::string_view name, std::string_view value) {
        key(name);
        text_ += json_quote(value);
    }
    void add(std::string_view name, std::uint64_t value) {
        key(name);
        text_ += std::to_string(value);
    }
    // Seconds since something; negative: it never happened.
    void add_age(std::string_view name, Seconds value) {
        key(name);
        text_ += value < 0 ? "null" : std::to_string(value);
    }
    [[nodiscard]] std::string take() && { return std::move(text_); }

  private:
    void separate() {
        if (!fresh_) {
            text_ += ',';
        }
        fresh_ = false;
    }
    void key(std::string_view name) {
        separate();
        text_.append(json_quote(name)).append(":");
    }
    std::string text_;
    bool fresh_ = true;
};

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
            json.add_age("metadata_age", status.metadata_age);
            json.add_age("keys_age", status.keys_age);
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

void write_counters(ngx_http_request_t* r, JsonWriter& json) {
    MetadataZone::Counters counters;
    metadata_zone(r).read_counters(counters);
    json.add("logins", counters.logins);
    json.add("logouts", counters.logouts);
    json.add("challenges", counters.challenges);
    json.open("refusals", '{');
    for (std::size_t i = 0; i < static_cast<std::size_t>(Reason::count_); ++i) {
        if (counters.refusals[i] != 0) {
            json.add(reason_info(static_cast<Reason>(i)).code, counters.refusals[i]);
        }
    }
    json.close('}');
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

bool is_read(const ngx_http_request_t* r) noexcept {
    return (r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) != 0;
}

ngx_int_t send_json(ngx_http_request_t* r, std::string body, std::string_view cache_control) {
    Respond respond;
    respond.headers.push_back({"Content-Type", "application/json"});
    respond.headers.push_back({"Cache-Control", std::string(cache_control)});
    respond.headers.push_back({"X-Content-Type-Options", "nosniff"});
    respond.body = std::move(body);
    return send_answer(r, respond);
}

}  // namespace

ngx_int_t status_handler(ngx_http_request_t* r) noexcept try {
    if (!is_read(r)) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    const MainConf& conf = main_conf(r);
    JsonWriter json;
    json.open('{');
    write_providers(conf, json);
    write_stores(conf, json);
    if (conf.metadata_zone != nullptr) {
        write_counters(r, json);
    }
    json.close('}');
    return send_json(r, std::move(json).take() + "\n", "no-store");
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
    return send_json(r, assertion->signer->jwks(), "max-age=300");
} catch (...) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

}  // namespace oidc::ngx
