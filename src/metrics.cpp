// SPDX-License-Identifier: Apache-2.0
#include "oidc/metrics.hpp"

#include <algorithm>
#include <initializer_list>

#include "oidc/encode.hpp"
#include "oidc/version.hpp"

namespace oidc {
namespace {

constexpr std::uint64_t kMicroseconds = 1'000'000;

// ---- writing ---------------------------------------------------------------------------------

struct Label {
    std::string_view name;
    std::string_view value;
};
using Labels = std::initializer_list<Label>;

// A collector refuses the whole text because of one byte that is not UTF-8.
void append_label_value(std::string& out, std::string_view value) {
    const std::string escaped = is_utf8(value) ? std::string() : log_escape(value);
    for (const char c : escaped.empty() ? value : std::string_view(escaped)) {
        switch (c) {
            case '\\':
                out += "\\\\";
                break;
            case '"':
                out += "\\\"";
                break;
            case '\n':
                out += "\\n";
                break;
            default:
                out += c;
        }
    }
}

// 1500000 -> "1.5", exactly: no floating point, no locale.
std::string seconds_text(std::uint64_t microseconds) {
    std::string text = std::to_string(microseconds / kMicroseconds);
    const std::uint64_t rest = microseconds % kMicroseconds;
    if (rest != 0) {
        std::string digits = std::to_string(rest);
        digits.insert(0, 6 - digits.size(), '0');
        digits.erase(digits.find_last_not_of('0') + 1);
        text.append(".").append(digits);
    }
    return text;
}

class Writer {
  public:
    // Neither `type` nor `help` needs escapes: both are constants of this file.
    void family(std::string_view name, std::string_view type, std::string_view help) {
        name_ = name;
        line("# HELP ", help);
        line("# TYPE ", type);
    }
    void sample(Labels labels, std::string_view value, std::string_view suffix = {}) {
        text_.append(name_).append(suffix);
        char separator = '{';
        for (const Label& label : labels) {
            text_ += separator;
            text_.append(label.name).append("=\"");
            append_label_value(text_, label.value);
            text_ += '"';
            separator = ',';
        }
        text_.append(labels.size() == 0 ? " " : "} ").append(value).append("\n");
    }
    void sample(Labels labels, std::uint64_t value, std::string_view suffix = {}) {
        sample(labels, std::to_string(value), suffix);
    }
    [[nodiscard]] std::string take() && { return std::move(text_); }

  private:
    void line(std::string_view mark, std::string_view text) {
        text_.append(mark).append(name_).append(" ").append(text).append("\n");
    }
    std::string text_;
    std::string_view name_;
};

constexpr std::string_view kCounter = "counter";
constexpr std::string_view kGauge = "gauge";

void write_build(const Metrics& metrics, std::string& out) {
    out +=
        "# HELP oidc_build_info Always 1, the labels name the versions in use.\n"
        "# TYPE oidc_build_info gauge\n"
        "oidc_build_info{version=\"";
    append_label_value(out, kVersion);
    for (const Metrics::Component& component : metrics.components) {
        out.append("\",").append(component.name).append("=\"");
        append_label_value(out, component.version);
    }
    out += "\"} 1\n";
}

// One sample for each value of an enum.
template <class E>
void write_enum(Writer& w, std::string_view label, const std::uint64_t (&values)[kCountOf<E>]) {
    for (std::size_t i = 0; i < kCountOf<E>; ++i) {
        w.sample({{label, label_of(static_cast<E>(i))}}, values[i]);
    }
}

void write_events(const Counters& counters, Writer& w) {
    w.family("oidc_logins_total", kCounter, "Sign-ins that came back from a provider, by result.");
    w.sample({{"result", "success"}}, counters.logins);
    w.sample({{"result", "refused"}}, counters.refused_logins);
    w.family("oidc_challenges_total", kCounter,
             "Requests without a session that were asked to sign in, by a redirect or by 401.");
    w.sample({}, counters.challenges);
    w.family("oidc_login_redirects_total", kCounter, "Browsers sent to a provider to sign in.");
    w.sample({}, counters.redirects);
    w.family("oidc_refusals_total", kCounter,
             "Requests refused, by reason code: sign-ins, logouts and unmet requirements.");
    for (std::size_t i = 0; i < kCountOf<Reason>; ++i) {
        if (counters.refusals[i] != 0) {
            w.sample({{"reason", reason_info(static_cast<Reason>(i)).code}}, counters.refusals[i]);
        }
    }
    w.family("oidc_logouts_total", kCounter,
             "Logouts, by kind; of backchannel every accepted token.");
    write_enum<LogoutKind>(w, "kind", counters.logouts);
    w.family("oidc_refreshes_total", kCounter, "Refreshes of sessions, by result.");
    write_enum<RefreshResult>(w, "result", counters.refreshes);
    w.family("oidc_shared_signals_total", kCounter,
             "Security events of transmitters that were accepted, by what came of them.");
    write_enum<SignalResult>(w, "result", counters.signals);
}

void write_store_requests(const Counters::Store& store, Writer& w) {
    w.family("oidc_store_request_duration_seconds", "histogram",
             "Time until a session store that is asked over a connection had answered.");
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < kStoreBounds.size(); ++i) {
        count += store.buckets[i];
        const std::string bound = seconds_text(kStoreBounds[i]);
        w.sample({{"le", bound}}, count, "_bucket");
    }
    count += store.buckets[kStoreBounds.size()];
    w.sample({{"le", "+Inf"}}, count, "_bucket");
    w.sample({}, seconds_text(store.microseconds), "_sum");
    w.sample({}, count, "_count");
    w.family("oidc_store_errors_total", kCounter,
             "Questions to session stores over a connection that failed.");
    write_enum<StoreFailure>(w, "error", store.failures);
    w.family("oidc_store_connections_total", kCounter, "Connections opened to session stores.");
    w.sample({}, store.connections);
    w.family("oidc_store_failovers_total", kCounter,
             "Changes to the next server of a session store.");
    w.sample({}, store.failovers);
}

void write_histogram(const Counters::Idp& idp, std::string_view endpoint, Writer& w) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < kLatencyBounds.size(); ++i) {
        count += idp.buckets[i];
        const std::string bound = seconds_text(kLatencyBounds[i]);
        w.sample({{"endpoint", endpoint}, {"le", bound}}, count, "_bucket");
    }
    count += idp.buckets[kLatencyBounds.size()];
    w.sample({{"endpoint", endpoint}, {"le", "+Inf"}}, count, "_bucket");
    w.sample({{"endpoint", endpoint}}, seconds_text(idp.microseconds), "_sum");
    // Of the buckets, so that the two never disagree while workers count.
    w.sample({{"endpoint", endpoint}}, count, "_count");
}

void write_idp(const Counters& counters, Writer& w) {
    w.family("oidc_idp_request_duration_seconds", "histogram",
             "Time that requests to providers took, from the start to the last byte or the error.");
    for (std::size_t i = 0; i < kCountOf<IdpEndpoint>; ++i) {
        write_histogram(counters.idp[i], label_of(static_cast<IdpEndpoint>(i)), w);
    }
    w.family("oidc_idp_errors_total", kCounter,
             "Requests to providers that failed or were answered by an error or a redirect.");
    for (std::size_t i = 0; i < kCountOf<IdpEndpoint>; ++i) {
        for (std::size_t j = 0; j < kCountOf<IdpFailure>; ++j) {
            if (counters.idp[i].failures[j] != 0) {
                w.sample({{"endpoint", label_of(static_cast<IdpEndpoint>(i))},
                          {"error", label_of(static_cast<IdpFailure>(j))}},
                         counters.idp[i].failures[j]);
            }
        }
    }
    w.family("oidc_idp_connections_total", kCounter, "Connections opened to providers.");
    w.sample({}, counters.idp_connections);
}

void write_age(const Metrics& metrics, Seconds Metrics::Provider::*age, Writer& w) {
    for (const Metrics::Provider& provider : metrics.providers) {
        if (provider.*age >= 0) {
            w.sample({{"provider", provider.name}}, static_cast<std::uint64_t>(provider.*age));
        }
    }
}

// A family with one sample for each provider or store.
template <class Item>
void write_each(const std::vector<Item>& items, std::string_view label, std::uint64_t Item::*value,
                Writer& w) {
    for (const Item& item : items) {
        w.sample({{label, item.name}}, item.*value);
    }
}

void write_providers(const Metrics& metrics, Writer& w) {
    using Provider = Metrics::Provider;
    w.family("oidc_provider_metadata_age_seconds", kGauge,
             "Time since the provider's metadata was last confirmed.");
    write_age(metrics, &Provider::metadata_age, w);
    w.family("oidc_provider_keys_age_seconds", kGauge,
             "Time since the provider's key set was last confirmed.");
    write_age(metrics, &Provider::keys_age, w);
    w.family("oidc_provider_keys", kGauge, "Usable keys in the provider's key set.");
    write_each(metrics.providers, "provider", &Provider::keys, w);
    w.family("oidc_provider_fetches_total", kCounter, "Fetches of metadata and keys.");
    write_each(metrics.providers, "provider", &Provider::fetches, w);
    w.family("oidc_provider_fetch_failures_total", kCounter,
             "Fetches of metadata and keys that brought nothing usable.");
    write_each(metrics.providers, "provider", &Provider::failures, w);
}

void write_stores(const Metrics& metrics, Writer& w) {
    using Store = Metrics::Store;
    w.family("oidc_store_sessions", kGauge, "Sessions in the store.");
    write_each(metrics.stores, "store", &Store::sessions, w);
    w.family("oidc_store_used_bytes", kGauge, "Bytes of the store that sessions take.");
    write_each(metrics.stores, "store", &Store::bytes_used, w);
    w.family("oidc_store_size_bytes", kGauge, "Bytes of the store that sessions can take.");
    write_each(metrics.stores, "store", &Store::bytes_total, w);
    w.family("oidc_store_recoveries_total", kCounter,
             "Repairs of the store after a worker was killed while it wrote.");
    write_each(metrics.stores, "store", &Store::recoveries, w);
}

template <class E, std::size_t N>
std::string_view name_of(const std::string_view (&names)[N], E value) noexcept {
    static_assert(N == kCountOf<E>);
    return value < E::count_ ? names[index_of(value)] : "other";
}

}  // namespace

std::string render_prometheus(const Metrics& metrics) {
    std::string head;
    write_build(metrics, head);
    Writer w;
    write_events(metrics.counters, w);
    write_idp(metrics.counters, w);
    write_providers(metrics, w);
    write_stores(metrics, w);
    write_store_requests(metrics.counters.store, w);
    return head + std::move(w).take();
}

// ---- classes ---------------------------------------------------------------------------------

std::uint64_t Counters::all_logouts() const noexcept {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : logouts) {
        sum += count;
    }
    return sum;
}

IdpEndpoint idp_endpoint(std::string_view directive) noexcept {
    constexpr struct {
        std::string_view directive;
        IdpEndpoint endpoint;
    } kEndpoints[] = {
        {"config_url", IdpEndpoint::metadata},
        {"jwks_uri", IdpEndpoint::jwks},
        {"token_endpoint", IdpEndpoint::token},
        {"userinfo_endpoint", IdpEndpoint::userinfo},
        {"revocation_endpoint", IdpEndpoint::revocation},
    };
    for (const auto& entry : kEndpoints) {
        if (entry.directive == directive) {
            return entry.endpoint;
        }
    }
    return IdpEndpoint::other;
}

std::optional<IdpFailure> idp_failure(const HttpOutcome& outcome) {
    if (outcome) {
        switch (outcome->status / 100) {
            case 2:
                return std::nullopt;
            case 3:
                return IdpFailure::redirect;
            case 4:
                return IdpFailure::status_4xx;
            case 5:
                return IdpFailure::status_5xx;
            default:
                return IdpFailure::other;
        }
    }
    switch (outcome.error().reason) {
        case Reason::idp_connect:
            return IdpFailure::connect;
        case Reason::idp_timeout:
            return IdpFailure::timeout;
        case Reason::idp_tls:
            return IdpFailure::tls;
        case Reason::idp_http:
            return IdpFailure::http;
        case Reason::idp_too_large:
            return IdpFailure::too_large;
        case Reason::idp_busy:
            return IdpFailure::busy;
        case Reason::idp_redirect:
            return IdpFailure::redirect;
        default:
            return IdpFailure::other;
    }
}

std::size_t latency_bucket(std::uint64_t microseconds) noexcept {
    return static_cast<std::size_t>(
        std::lower_bound(kLatencyBounds.begin(), kLatencyBounds.end(), microseconds) -
        kLatencyBounds.begin());
}

std::size_t store_bucket(std::uint64_t microseconds) noexcept {
    return static_cast<std::size_t>(
        std::lower_bound(kStoreBounds.begin(), kStoreBounds.end(), microseconds) -
        kStoreBounds.begin());
}

std::string_view label_of(StoreFailure failure) noexcept {
    constexpr std::string_view kNames[] = {"unavailable", "timeout", "refused"};
    return name_of(kNames, failure);
}

std::string_view label_of(LogoutKind kind) noexcept {
    constexpr std::string_view kNames[] = {"rp_initiated", "local", "frontchannel", "backchannel",
                                           "admin"};
    return name_of(kNames, kind);
}

std::string_view label_of(RefreshResult result) noexcept {
    constexpr std::string_view kNames[] = {"refreshed", "postponed", "ended"};
    return name_of(kNames, result);
}

std::string_view label_of(SignalResult result) noexcept {
    constexpr std::string_view kNames[] = {"ended", "unmatched", "stream", "ignored", "repeated"};
    return name_of(kNames, result);
}

std::string_view label_of(IdpEndpoint endpoint) noexcept {
    constexpr std::string_view kNames[] = {"metadata", "jwks",       "token",
                                           "userinfo", "revocation", "other"};
    return name_of(kNames, endpoint);
}

std::string_view label_of(IdpFailure failure) noexcept {
    constexpr std::string_view kNames[] = {"connect",    "timeout", "tls",      "http",
                                           "too_large",  "busy",    "redirect", "status_4xx",
                                           "status_5xx", "other"};
    return name_of(kNames, failure);
}

}  // namespace oidc
