// SPDX-License-Identifier: Apache-2.0
#include "oidc/metrics.hpp"

#include <algorithm>
#include <set>

#include "oidc/status_format.hpp"
#include "oidc/version.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::Registration;

static bool has_line(const std::string& text, std::string_view line) {
    std::string wanted = "\n" + std::string(line) + "\n";
    return ("\n" + text).find(wanted) != std::string::npos;
}

START_TEST(every_family_has_help_and_type_and_stands_once) {
    Metrics metrics;
    const std::string text = render_prometheus(metrics);
    std::set<std::string> helps;
    std::set<std::string> types;
    std::size_t at = 0;
    ck_assert(text.ends_with('\n'));
    while (at < text.size()) {
        const std::size_t end = text.find('\n', at);
        const std::string line = text.substr(at, end - at);
        at = end + 1;
        ck_assert(!line.empty());
        if (line.starts_with("# HELP ")) {
            const std::string name = line.substr(7, line.find(' ', 7) - 7);
            ck_assert(helps.insert(name).second);
            ck_assert_uint_gt(line.size(), 7 + name.size() + 1);
        } else if (line.starts_with("# TYPE ")) {
            const std::string name = line.substr(7, line.find(' ', 7) - 7);
            ck_assert(types.insert(name).second);
            ck_assert(helps.contains(name));
            ck_assert(line.ends_with(" counter") == name.ends_with("_total"));
        } else {
            std::string name = line.substr(0, line.find_first_of("{ "));
            for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
                if (!types.contains(name) && name.ends_with(suffix)) {
                    name.resize(name.size() - suffix.size());
                }
            }
            ck_assert_msg(types.contains(name), "%s", line.c_str());
        }
    }
    ck_assert(helps == types);
    ck_assert_uint_ge(types.size(), 19);
}
END_TEST

START_TEST(counters_that_are_zero_are_written) {
    const std::string text = render_prometheus({});
    ck_assert(has_line(text, "oidc_logins_total{result=\"success\"} 0"));
    ck_assert(has_line(text, "oidc_logins_total{result=\"refused\"} 0"));
    ck_assert(has_line(text, "oidc_challenges_total 0"));
    ck_assert(has_line(text, "oidc_logouts_total{kind=\"rp_initiated\"} 0"));
    ck_assert(has_line(text, "oidc_logouts_total{kind=\"local\"} 0"));
    ck_assert(has_line(text, "oidc_logouts_total{kind=\"frontchannel\"} 0"));
    ck_assert(has_line(text, "oidc_logouts_total{kind=\"backchannel\"} 0"));
    ck_assert(has_line(text, "oidc_logouts_total{kind=\"admin\"} 0"));
    ck_assert(has_line(text, "oidc_refreshes_total{result=\"ended\"} 0"));
    ck_assert(has_line(text, "oidc_shared_signals_total{result=\"ended\"} 0"));
    ck_assert(has_line(text, "oidc_shared_signals_total{result=\"repeated\"} 0"));
    // These by need only: there are too many.
    ck_assert(text.find("oidc_refusals_total{") == std::string::npos);
    ck_assert(text.find("oidc_idp_errors_total{") == std::string::npos);
    ck_assert(text.find("oidc_store_sessions{") == std::string::npos);
}
END_TEST

START_TEST(values_and_labels) {
    Metrics metrics;
    metrics.components = {{"nginx", "1.22.1"}};
    metrics.providers = {{"main", 30, -1, 2, 5, 1}};
    metrics.stores = {{"big", 7, 1792, 8192, 3}};
    metrics.counters.logins = 18'446'744'073'709'551'615U;
    metrics.counters.refusals[index_of(Reason::state_unknown)] = 4;
    metrics.counters.logouts[index_of(LogoutKind::backchannel)] = 6;
    metrics.counters.refreshes[index_of(RefreshResult::postponed)] = 9;
    metrics.counters.signals[index_of(SignalResult::unmatched)] = 3;
    metrics.counters.idp[index_of(IdpEndpoint::token)].failures[index_of(IdpFailure::timeout)] = 2;
    const std::string text = render_prometheus(metrics);
    ck_assert(has_line(
        text, "oidc_build_info{version=\"" + std::string(kVersion) + "\",nginx=\"1.22.1\"} 1"));
    ck_assert(has_line(text, "oidc_logins_total{result=\"success\"} 18446744073709551615"));
    ck_assert(has_line(text, "oidc_refusals_total{reason=\"state_unknown\"} 4"));
    ck_assert(has_line(text, "oidc_logouts_total{kind=\"backchannel\"} 6"));
    ck_assert(has_line(text, "oidc_refreshes_total{result=\"postponed\"} 9"));
    ck_assert(has_line(text, "oidc_shared_signals_total{result=\"unmatched\"} 3"));
    ck_assert(has_line(text, "oidc_idp_errors_total{endpoint=\"token\",error=\"timeout\"} 2"));
    ck_assert(has_line(text, "oidc_provider_metadata_age_seconds{provider=\"main\"} 30"));
    ck_assert(text.find("oidc_provider_keys_age_seconds{") == std::string::npos);
    ck_assert(has_line(text, "oidc_provider_keys{provider=\"main\"} 2"));
    ck_assert(has_line(text, "oidc_provider_fetches_total{provider=\"main\"} 5"));
    ck_assert(has_line(text, "oidc_provider_fetch_failures_total{provider=\"main\"} 1"));
    ck_assert(has_line(text, "oidc_store_sessions{store=\"big\"} 7"));
    ck_assert(has_line(text, "oidc_store_used_bytes{store=\"big\"} 1792"));
    ck_assert(has_line(text, "oidc_store_size_bytes{store=\"big\"} 8192"));
    ck_assert(has_line(text, "oidc_store_recoveries_total{store=\"big\"} 3"));
}
END_TEST

START_TEST(label_values_are_escaped) {
    Metrics metrics;
    metrics.components = {{"nginx", "a\"b\\c\nd"}};
    metrics.stores = {{"x\" y=\"1\"} 5\n", 1, 0, 0, 0},
                      {"Z\xc3\xbcrich", 2, 0, 0, 0},
                      {"bad\xff\"", 3, 0, 0, 0},
                      {"", 4, 0, 0, 0}};
    const std::string text = render_prometheus(metrics);
    ck_assert(text.find("nginx=\"a\\\"b\\\\c\\nd\"} 1\n") != std::string::npos);
    ck_assert(has_line(text, "oidc_store_sessions{store=\"x\\\" y=\\\"1\\\"} 5\\n\"} 1"));
    ck_assert(has_line(text, "oidc_store_sessions{store=\"Z\xc3\xbcrich\"} 2"));
    ck_assert(has_line(text, "oidc_store_sessions{store=\"bad\\\\xFF\\\"\"} 3"));
    ck_assert(has_line(text, "oidc_store_sessions{store=\"\"} 4"));
}
END_TEST

START_TEST(histogram_is_cumulative_and_agrees_with_itself) {
    Metrics metrics;
    Counters::Idp& idp = metrics.counters.idp[index_of(IdpEndpoint::jwks)];
    for (const std::uint64_t took : {1U, 5'000U, 5'001U, 700'000U, 10'000'000U, 10'000'001U}) {
        ++idp.buckets[latency_bucket(took)];
        idp.microseconds += took;
    }
    const std::string text = render_prometheus(metrics);
    const std::string name = "oidc_idp_request_duration_seconds";
    const auto bucket = [&](std::string_view bound, int count) {
        return has_line(text, name + "_bucket{endpoint=\"jwks\",le=\"" + std::string(bound) +
                                  "\"} " + std::to_string(count));
    };
    ck_assert(bucket("0.005", 2));
    ck_assert(bucket("0.01", 3));
    ck_assert(bucket("0.025", 3));
    ck_assert(bucket("0.5", 3));
    ck_assert(bucket("1", 4));
    ck_assert(bucket("2.5", 4));
    ck_assert(bucket("10", 5));
    ck_assert(bucket("+Inf", 6));
    ck_assert(has_line(text, name + "_sum{endpoint=\"jwks\"} 20.710003"));
    ck_assert(has_line(text, name + "_count{endpoint=\"jwks\"} 6"));
    ck_assert(has_line(text, name + "_count{endpoint=\"token\"} 0"));
    ck_assert(has_line(text, name + "_sum{endpoint=\"token\"} 0"));
}
END_TEST

START_TEST(buckets) {
    ck_assert(std::is_sorted(kLatencyBounds.begin(), kLatencyBounds.end()));
    ck_assert_uint_eq(latency_bucket(0), 0);
    ck_assert_uint_eq(latency_bucket(5'000), 0);
    ck_assert_uint_eq(latency_bucket(5'001), 1);
    ck_assert_uint_eq(latency_bucket(10'000'000), kLatencyBounds.size() - 1);
    ck_assert_uint_eq(latency_bucket(UINT64_MAX), kLatencyBounds.size());
}
END_TEST

START_TEST(endpoints_by_directive) {
    ck_assert(idp_endpoint("config_url") == IdpEndpoint::metadata);
    ck_assert(idp_endpoint("jwks_uri") == IdpEndpoint::jwks);
    ck_assert(idp_endpoint("token_endpoint") == IdpEndpoint::token);
    ck_assert(idp_endpoint("userinfo_endpoint") == IdpEndpoint::userinfo);
    ck_assert(idp_endpoint("revocation_endpoint") == IdpEndpoint::revocation);
    ck_assert(idp_endpoint("") == IdpEndpoint::other);
    ck_assert(idp_endpoint("token_endpoint2") == IdpEndpoint::other);
}
END_TEST

static std::optional<IdpFailure> failure_of(int status) {
    HttpResponse response;
    response.status = status;
    return idp_failure(HttpOutcome(std::move(response)));
}

START_TEST(failures) {
    ck_assert(!failure_of(200));
    ck_assert(!failure_of(204));
    ck_assert(failure_of(302) == IdpFailure::redirect);
    ck_assert(failure_of(400) == IdpFailure::status_4xx);
    ck_assert(failure_of(429) == IdpFailure::status_4xx);
    ck_assert(failure_of(503) == IdpFailure::status_5xx);
    ck_assert(failure_of(101) == IdpFailure::other);
    ck_assert(failure_of(999) == IdpFailure::other);
    const struct {
        Reason reason;
        IdpFailure failure;
    } reasons[] = {
        {Reason::idp_connect, IdpFailure::connect},
        {Reason::idp_timeout, IdpFailure::timeout},
        {Reason::idp_tls, IdpFailure::tls},
        {Reason::idp_http, IdpFailure::http},
        {Reason::idp_busy, IdpFailure::busy},
        {Reason::idp_too_large, IdpFailure::too_large},
        {Reason::idp_redirect, IdpFailure::redirect},
        {Reason::internal_error, IdpFailure::other},
    };
    for (const auto& [reason, failure] : reasons) {
        ck_assert(idp_failure(HttpOutcome(fail(reason))) == failure);
    }
}
END_TEST

template <class E>
static void check_labels() {
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < kCountOf<E>; ++i) {
        const std::string_view label = label_of(static_cast<E>(i));
        ck_assert(!label.empty());
        ck_assert(label.find_first_not_of("abcdefghijklmnopqrstuvwxyz_45") ==
                  std::string_view::npos);
        ck_assert(seen.insert(label).second);
    }
    ck_assert(label_of(E::count_) == "other");
}

START_TEST(labels) {
    check_labels<LogoutKind>();
    check_labels<SignalResult>();
    check_labels<RefreshResult>();
    check_labels<IdpEndpoint>();
    check_labels<IdpFailure>();
    ck_assert(label_of(IdpFailure::status_4xx) == "status_4xx");
    ck_assert(label_of(IdpFailure::too_large) == "too_large");
    ck_assert(label_of(IdpEndpoint::revocation) == "revocation");
}
END_TEST

START_TEST(sum_of_logouts) {
    Counters counters{};
    counters.logouts[index_of(LogoutKind::local)] = 2;
    counters.logouts[index_of(LogoutKind::frontchannel)] = 3;
    ck_assert_uint_eq(counters.all_logouts(), 5);
}
END_TEST

static bool wants_text(std::string_view accept) {
    const auto format = status_format("", accept);
    ck_assert(format.ok());
    return *format == StatusFormat::prometheus;
}

START_TEST(format_by_accept) {
    // As Prometheus 2 and 3 ask.
    ck_assert(wants_text(
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
        "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
    ck_assert(wants_text(
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/"
        "openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"));
    ck_assert(wants_text("text/plain"));
    ck_assert(wants_text("TEXT/Plain ; Q=0.5"));
    ck_assert(wants_text("text/*"));
    ck_assert(wants_text("text/plain, */*"));
    ck_assert(wants_text("application/json;q=0.5, text/plain;q=0.6"));
    ck_assert(wants_text("application/json;q=0, */*"));

    ck_assert(!wants_text(""));
    ck_assert(!wants_text("*/*"));
    ck_assert(!wants_text("application/json"));
    ck_assert(!wants_text("application/json, text/plain, */*"));
    ck_assert(!wants_text("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
    ck_assert(!wants_text("text/plain;q=0"));
    ck_assert(!wants_text("text/plain;q=0.4, application/json;q=0.5"));
    ck_assert(!wants_text("text/plain;q=0, */*"));
    ck_assert(!wants_text("text/plain;q=much"));
    ck_assert(!wants_text("text/plain;q=0.1234"));
    ck_assert(!wants_text("text/plain;q=2"));
    ck_assert(!wants_text("text/plain;q=0.2, application/*"));
    ck_assert(!wants_text(",;,;q=1,"));
}
END_TEST

START_TEST(format_by_query) {
    const auto of = [](std::string_view query, std::string_view accept = {}) {
        return status_format(query, accept);
    };
    ck_assert(*of("format=prometheus") == StatusFormat::prometheus);
    ck_assert(*of("a=b&format=prometheus", "application/json") == StatusFormat::prometheus);
    ck_assert(*of("format=json", "text/plain") == StatusFormat::json);
    for (const std::string_view query :
         {"format=", "format=xml", "format=Prometheus", "format=json&format=json",
          "format=prometheus&format=json"}) {
        const auto format = of(query);
        ck_assert(!format.ok() && format.error().reason == Reason::malformed);
    }
}
END_TEST

static Suite* metrics_suite() {
    Suite* suite = suite_create("metrics");
    TCase* tc = tcase_create("metrics");
    tcase_add_test(tc, every_family_has_help_and_type_and_stands_once);
    tcase_add_test(tc, counters_that_are_zero_are_written);
    tcase_add_test(tc, values_and_labels);
    tcase_add_test(tc, label_values_are_escaped);
    tcase_add_test(tc, histogram_is_cumulative_and_agrees_with_itself);
    tcase_add_test(tc, buckets);
    tcase_add_test(tc, endpoints_by_directive);
    tcase_add_test(tc, failures);
    tcase_add_test(tc, labels);
    tcase_add_test(tc, sum_of_logouts);
    tcase_add_test(tc, format_by_accept);
    tcase_add_test(tc, format_by_query);
    suite_add_tcase(suite, tc);
    return suite;
}

static const Registration metrics_registered("metrics", metrics_suite);
