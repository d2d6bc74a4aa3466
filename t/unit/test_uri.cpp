// SPDX-License-Identifier: Apache-2.0
#include <fstream>

#include "oidc/encode.hpp"
#include "oidc/uri.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::raw;
using oidc::unit::Registration;
using oidc::unit::unhex;

START_TEST(urls_parse) {
    const struct {
        std::string_view text, scheme, host, path, query, origin;
        int port;
        bool written;
    } rows[] = {
        {"https://op.example", "https", "op.example", "/", "", "https://op.example", 443, false},
        {"https://op.example/", "https", "op.example", "/", "", "https://op.example", 443, false},
        {"HTTPS://Op.Example/A", "https", "Op.Example", "/A", "", "https://Op.Example", 443, false},
        {"http://op.example:80/", "http", "op.example", "/", "", "http://op.example", 80, true},
        {"http://op.example:443/", "http", "op.example", "/", "", "http://op.example:443", 443,
         true},
        {"https://op.example:8443/a/b?c=d&e", "https", "op.example", "/a/b", "c=d&e",
         "https://op.example:8443", 8443, true},
        {"https://op.example?x=/y?z", "https", "op.example", "/", "x=/y?z", "https://op.example",
         443, false},
        {"https://op.example/?", "https", "op.example", "/", "", "https://op.example", 443, false},
        {"https://[::1]/x", "https", "[::1]", "/x", "", "https://[::1]", 443, false},
        {"https://[2001:db8::1]:8443", "https", "[2001:db8::1]", "/", "",
         "https://[2001:db8::1]:8443", 8443, true},
        {"https://192.0.2.1/", "https", "192.0.2.1", "/", "", "https://192.0.2.1", 443, false},
        {"https://op_1.example./", "https", "op_1.example.", "/", "", "https://op_1.example.", 443,
         false},
        {"https://op.example/%7euser/a@b:c", "https", "op.example", "/%7euser/a@b:c", "",
         "https://op.example", 443, false},
        {"https://login.example/{tenantid}/v2.0", "https", "login.example", "/{tenantid}/v2.0", "",
         "https://login.example", 443, false},
        {"https://op.example:65535/", "https", "op.example", "/", "", "https://op.example:65535",
         65535, true},
    };
    for (const auto& row : rows) {
        const auto url = parse_url(row.text);
        ck_assert_result_ok(url);
        ck_assert_sv_eq(url->scheme, row.scheme);
        ck_assert_sv_eq(url->host, row.host);
        ck_assert_sv_eq(url->path, row.path);
        ck_assert_sv_eq(url->query, row.query);
        ck_assert_sv_eq(url->origin(), row.origin);
        ck_assert_int_eq(url->port, row.port);
        ck_assert_int_eq(url->port_written, row.written);
    }
}
END_TEST

START_TEST(bad_urls_are_refused) {
    const std::string bad[] = {
        "",
        "/",
        "op.example",
        "//op.example/",
        "https:",
        "https:/",
        "https://",
        "https:///x",
        "https:op.example",
        "https:/op.example",
        "://op.example",
        "ftp://op.example/",
        "javascript://op.example/",
        "file:///etc/passwd",
        "wss://op.example/",
        "xhttps://op.example/",
        " https://op.example/",
        "https://op.example/ ",
        "https://op example/",
        "https://op.example/\t",
        "https://op.example/\r\n",
        raw("https://op.example/\0"),
        "https://op.example\\evil/",
        "https://op.example/\x7f",
        "https://op.example/Zo\xc3\xab",
        "https://\xef\xbc\x8e/",
        // User information and fragments.
        "https://user@op.example/",
        "https://user:pass@op.example/",
        "https://@op.example/",
        "https://op.example#",
        "https://op.example/#x",
        "https://op.example/?x#y",
        // Hosts.
        "https://.op.example/",
        "https://op..example/",
        "https://./",
        "https://op.example../",
        "https://op%2eexample/",
        "https://*.example/",
        "https://op,example/",
        "https://op!/",
        "https://[]/",
        "https://[::1/",
        "https://::1/",
        "https://[::g]/",
        "https://[fe80::1%25eth0]/",
        "https://[::1]x/",
        "https://x[::1]/",
        "https://[v1.x]/",
        "https://[127.0.0.1]/",
        "https://]/",
        "https://[::1]]/",
        "https://?x",
        // Ports.
        "https://op.example:/",
        "https://op.example:0/",
        "https://op.example:65536/",
        "https://op.example:99999/",
        "https://op.example:100000/",
        "https://op.example:0443/",
        "https://op.example:+443/",
        "https://op.example:44 3/",
        "https://op.example:x/",
        "https://op.example:443:443/",
        "https://[::1]:/",
        "https://:443/",
        // Escapes.
        "https://op.example/%",
        "https://op.example/%2",
        "https://op.example/%zz",
        "https://op.example/?x=%g0",
    };
    for (const std::string& text : bad) {
        const auto url = parse_url(text);
        ck_assert_msg(!url.ok(), "took %s", text.c_str());
        ck_assert_result_is(url, Reason::malformed);
        ck_assert(!url.error().detail.empty());
    }
    const std::string start = "https://op.example/";
    const auto longest = parse_url(start + std::string(2048 - start.size(), 'a'));
    ck_assert_result_ok(longest);
    const auto too_long = parse_url(start + std::string(2049 - start.size(), 'a'));
    ck_assert_result_is(too_long, Reason::too_large);
}
END_TEST

START_TEST(endpoints) {
    const auto https = parse_endpoint("https://op.example/token", "token_endpoint", false);
    ck_assert_result_ok(https);
    for (const char* text :
         {"http://127.0.0.1:8080/x", "http://127.9.9.9/", "http://[::1]/", "http://localhost:1/",
          "http://LocalHost/", "http://[0:0:0:0:0:0:0:1]/"}) {
        const auto on = parse_endpoint(text, "token_endpoint", true);
        ck_assert_result_ok(on);
        const auto off = parse_endpoint(text, "token_endpoint", false);
        ck_assert_result_is(off, Reason::malformed);
        ck_assert_sv_contains(off.error().detail, "insecure_http");
        ck_assert_sv_eq(off.error().fix, "insecure_http");
    }
    for (const char* text :
         {"http://op.example/", "http://128.0.0.1/", "http://127.0.0.1.evil.example/",
          "http://localhost.evil.example/", "http://127.1/", "http://0x7f.0.0.1/",
          "http://2130706433/", "http://0.0.0.0/", "http://[::]/", "http://10.0.0.1/",
          "http://[::ffff:127.0.0.1]/", "http://127.0.0.01/", "http://localhost./"}) {
        for (const bool insecure : {false, true}) {
            const auto url = parse_endpoint(text, "token_endpoint", insecure);
            ck_assert_msg(!url.ok(), "took %s", text);
            ck_assert_result_is(url, Reason::malformed);
            ck_assert_sv_contains(url.error().detail, "token_endpoint");
            ck_assert_sv_contains(url.error().detail, "is not https");
        }
    }
    const auto bad = parse_endpoint("nonsense", "jwks_uri", true);
    ck_assert_result_is(bad, Reason::malformed);
    ck_assert_sv_contains(bad.error().detail, "jwks_uri: url");
    ck_assert_sv_eq(bad.error().fix, "jwks_uri");
    const auto query = parse_endpoint("http://op.example/?secret=canary", "jwks_uri", true);
    ck_assert_sv_lacks(query.error().detail, "canary");
}
END_TEST

struct Target {
    std::string text;
    bool harmless;
};

// The notation is described in return_targets.txt.
static std::vector<Target> load_targets(const char* name) {
    std::ifstream file(std::string(UNIT_DATA_DIR "/") + name);
    ck_assert_msg(file.good(), "cannot read %s", name);
    std::vector<Target> targets;
    bool harmless = false;
    std::string line;
    while (std::getline(file, line)) {
        if (line.starts_with("# ")) {
            harmless = harmless || line.starts_with("# HARMLESS");
            continue;
        }
        std::string text;
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (line[i] != '\\') {
                text.push_back(line[i]);
            } else if (line[i + 1] == 'x') {
                text += unhex(line.substr(i + 2, 2));
                i += 3;
            } else {
                text.push_back('\\');
                ++i;
            }
        }
        targets.push_back({text, harmless});
    }
    return targets;
}

START_TEST(d_13_internal_hosts) {
    for (const char* host : {"localhost",
                             "LOCALHOST.",
                             "intranet",
                             "op.local",
                             "a.b.internal",
                             "x.home.arpa",
                             "x.localhost",
                             "0.0.0.0",
                             "10.255.0.1",
                             "100.64.0.1",
                             "100.127.255.255",
                             "127.1.2.3",
                             "169.254.169.254",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.168.1.1",
                             "127.1",
                             "0x7f.0.0.1",
                             "2130706433",
                             "127.0.0.01",
                             "[::]",
                             "[::1]",
                             "[fe80::1]",
                             "[fd00::1]",
                             "[fcff::1]",
                             "[::ffff:10.0.0.1]"}) {
        ck_assert_msg(is_internal_host(host), "%s is internal", host);
    }
    for (const char* host : {"op.example", "op.example.", "1.1.1.1", "100.63.255.255",
                             "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.169.0.1", "11.0.0.1",
                             "local.example", "[2001:db8::1]", "[::ffff:1.1.1.1]", "[fe00::1]"}) {
        ck_assert_msg(!is_internal_host(host), "%s is not internal", host);
    }
}
END_TEST

START_TEST(hostile_return_targets) {  // Q-03, Q-07
    const std::vector<Target> targets = load_targets("return_targets.txt");
    ck_assert_uint_ge(targets.size(), 800);
    std::size_t refused = 0;
    for (const Target& target : targets) {
        ck_assert_msg(is_safe_return_target(target.text) == target.harmless, "%s",
                      log_escape(target.text).c_str());
        refused += target.harmless ? 0 : 1;
    }
    ck_assert_uint_ge(refused, 800);
}
END_TEST

START_TEST(good_return_targets) {
    const std::vector<Target> targets = load_targets("return_targets_good.txt");
    ck_assert_uint_ge(targets.size(), 40);
    for (const Target& target : targets) {
        ck_assert_msg(is_safe_return_target(target.text), "%s", target.text.c_str());
    }
    ck_assert(is_safe_return_target("/" + std::string(2047, 'a')));
    ck_assert(!is_safe_return_target("/" + std::string(2048, 'a')));
    ck_assert(!is_safe_return_target({}));
}
END_TEST

START_TEST(queries_grow) {
    const auto appended = [](std::string url, std::string_view name, std::string_view value) {
        append_query(url, name, value);
        return url;
    };
    ck_assert_sv_eq(appended("https://op.example/a", "b", "c"), "https://op.example/a?b=c");
    ck_assert_sv_eq(appended("https://op.example/a?x=y", "b", "c"), "https://op.example/a?x=y&b=c");
    ck_assert_sv_eq(appended("https://op.example/a?", "b", "c"), "https://op.example/a?b=c");
    ck_assert_sv_eq(appended("https://op.example/a?x&", "b", "c"), "https://op.example/a?x&b=c");
    ck_assert_sv_eq(appended("/a#frag?x", "b", "c"), "/a?b=c#frag?x");
    ck_assert_sv_eq(appended("/a?x#frag", "b", ""), "/a?x&b=#frag");
    ck_assert_sv_eq(appended("/a", "b c", "d&e=f#g\r\n\""), "/a?b%20c=d%26e%3Df%23g%0D%0A%22");
}
END_TEST

START_TEST(query_arguments) {
    int count = -1;
    const auto argument = [&count](std::string_view query, std::string_view name) {
        const auto value = query_argument(query, name, &count);
        return value ? std::string(*value) : std::string("(none)");
    };
    ck_assert_sv_eq(argument("a=1&b=2", "b"), "2");
    ck_assert_int_eq(count, 1);
    ck_assert_sv_eq(argument("a=1&b=2", "c"), "(none)");
    ck_assert_int_eq(count, 0);
    ck_assert_sv_eq(argument("a=1&a=2&a", "a"), "1");
    ck_assert_int_eq(count, 3);
    ck_assert_sv_eq(argument("a=x%20y+z=w", "a"), "x%20y+z=w");  // still encoded
    ck_assert_sv_eq(argument("st%61te=1&state=2", "state"), "1");
    ck_assert_int_eq(count, 2);
    ck_assert_sv_eq(argument("a+b=1", "a b"), "1");
    ck_assert_sv_eq(argument("a", "a"), "");
    ck_assert_sv_eq(argument("a=", "a"), "");
    ck_assert_sv_eq(argument("&&a=1&", "a"), "1");
    ck_assert_sv_eq(argument("", "a"), "(none)");
    ck_assert_sv_eq(argument("=x", ""), "x");
    ck_assert_sv_eq(argument("&&", ""), "(none)");
    ck_assert_sv_eq(argument("%zz=1&a=2", "a"), "2");
    ck_assert_sv_eq(argument("A=1", "a"), "(none)");
    ck_assert_sv_eq(*query_argument("a=1", "a"), "1");
}
END_TEST

START_TEST(paths_of_our_endpoints) {
    for (const std::string& path :
         {std::string("/"), std::string("/oidc/callback"), std::string("/.well-known/a"),
          std::string("/a/..b/c."), std::string("/a/"), std::string("/~!*'();:@&=+,;"),
          "/" + std::string(1023, 'a')}) {
        const char* problem = local_path_problem(path);
        ck_assert_msg(problem == nullptr, "%s: %s", path.c_str(), problem);
    }
    const struct {
        std::string path, problem;
    } rows[] = {
        {"", "must start with \"/\""},
        {"callback", "must start with \"/\""},
        {"https://app.example/", "must start with \"/\""},
        {"//evil.example", "must not start with \"//\""},
        {"/a?b", "must be a path without query and fragment"},
        {"/a#b", "must be a path without query and fragment"},
        {"/a b", "must be a path of plain ASCII without blanks, escapes and variables"},
        {"/a%62", "must be a path of plain ASCII without blanks, escapes and variables"},
        {"/a\\b", "must be a path of plain ASCII without blanks, escapes and variables"},
        {"/$uri", "must be a path of plain ASCII without blanks, escapes and variables"},
        {"/\xc3\xa9", "must be a path of plain ASCII without blanks, escapes and variables"},
        {raw("/a\0"), "must be a path of plain ASCII without blanks, escapes and variables"},
        {"/a\x7f", "must be a path of plain ASCII without blanks, escapes and variables"},
        {"/a//b", "must be a path without \"//\", \"/./\" and \"/../\""},
        {"/a/./b", "must be a path without \"//\", \"/./\" and \"/../\""},
        {"/a/../b", "must be a path without \"//\", \"/./\" and \"/../\""},
        {"/..", "must be a path without \"//\", \"/./\" and \"/../\""},
        {"/a/.", "must be a path without \"//\", \"/./\" and \"/../\""},
        {"/" + std::string(1024, 'a'), "must be a path of at most 1024 characters"},
    };
    for (const auto& row : rows) {
        const char* problem = local_path_problem(row.path);
        ck_assert_msg(problem != nullptr, "%s", row.path.c_str());
        ck_assert_sv_eq(problem, row.problem);
    }
}
END_TEST

START_TEST(a_41_paths_as_nginx_compares_them) {
    const std::pair<const char*, const char*> cases[] = {
        {"/logout", "/logout"},
        {"/%6cogout", "/logout"},
        {"/x/../logout", "/logout"},
        {"/./logout?a#b", "/logout"},
        {"/x/%2e%2E/logout", "/logout"},
        {"//logout", "/logout"},
        {"/logout/", "/logout/"},
        {"/logout/.", "/logout/"},
        {"/logout/x/..", "/logout/"},
        {"/../../logout", "/logout"},
        {"/", "/"},
        {"/..", "/"},
        {"/x%2flogout/..", "/x/"},
        {"/%zz/../logout", "/%zz/../logout"},
        {"/%256cogout", "/%6cogout"},
    };
    for (const auto& [target, path] : cases) {
        ck_assert_sv_eq(request_path(target), path);
    }
}
END_TEST

static Suite* uri_suite() {
    Suite* suite = suite_create("uri");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, urls_parse);
    tcase_add_test(tcase, bad_urls_are_refused);
    tcase_add_test(tcase, endpoints);
    tcase_add_test(tcase, d_13_internal_hosts);
    tcase_add_test(tcase, hostile_return_targets);
    tcase_add_test(tcase, good_return_targets);
    tcase_add_test(tcase, queries_grow);
    tcase_add_test(tcase, query_arguments);
    tcase_add_test(tcase, paths_of_our_endpoints);
    tcase_add_test(tcase, a_41_paths_as_nginx_compares_them);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration uri_registered("uri", uri_suite);
