// SPDX-License-Identifier: Apache-2.0
#include "forge.hpp"
#include "oidc/metadata.hpp"
#include "oidc/signer.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::string_view kIssuer = "https://op.example/realm";

ProviderConfig basic_config() {
    ProviderConfig config;
    config.issuer = kIssuer;
    config.client_id = "espocrm";
    config.client_secret = Secret("s3cret");
    config.config_url = discovery_url(kIssuer);
    return config;
}

// A document with the members of `more` (JSON text with a leading comma) and without `left_out`.
std::string document(std::string_view more = {}, std::string_view left_out = {}) {
    std::string json = "{\"x\":1";
    const auto add = [&](std::string_view name, std::string_view value) {
        if (name != left_out) {
            json.append(",\"").append(name).append("\":\"").append(value).append("\"");
        }
    };
    add("issuer", kIssuer);
    add("authorization_endpoint", "https://op.example/auth");
    add("token_endpoint", "https://op.example/token");
    add("userinfo_endpoint", "https://op.example/userinfo");
    add("jwks_uri", "https://keys.example/jwks");
    add("end_session_endpoint", "https://op.example/logout");
    return json.append(more).append("}");
}

Result<Metadata> parse(std::string_view text, const ProviderConfig& config = basic_config()) {
    return parse_metadata(&text, config);
}

HttpResponse response(int status, std::string_view body,
                      std::string_view type = "application/json") {
    HttpResponse r;
    r.status = status;
    r.content_type = type;
    r.body = Secret(body);
    return r;
}

}  // namespace

START_TEST(reads_a_document) {
    const Result<Metadata> m = parse(document(
        R"(,"token_endpoint_auth_methods_supported":["client_secret_post","private_key_jwt"],)"
        R"("id_token_signing_alg_values_supported":["RS256","ES256"],)"
        R"("code_challenge_methods_supported":["plain","S256"],)"
        R"("authorization_response_iss_parameter_supported":true)"));
    ck_assert_result_ok(m);
    ck_assert_sv_eq(m->authorization_endpoint, "https://op.example/auth");
    ck_assert_sv_eq(m->token_endpoint, "https://op.example/token");
    ck_assert_sv_eq(m->userinfo_endpoint, "https://op.example/userinfo");
    ck_assert_sv_eq(m->jwks_uri, "https://keys.example/jwks");
    ck_assert_sv_eq(m->end_session_endpoint, "https://op.example/logout");
    ck_assert_uint_eq(m->token_endpoint_auth_methods.size(), 2);
    ck_assert_uint_eq(m->id_token_signing_algs.size(), 2);
    ck_assert(m->code_challenge_methods_said);
    ck_assert(m->response_iss_supported);

    const Result<Metadata> plain = parse(document());
    ck_assert_result_ok(plain);
    ck_assert(!plain->code_challenge_methods_said);
    ck_assert(!plain->response_iss_supported);
    ck_assert(plain->token_endpoint_auth_methods.empty());
}
END_TEST

START_TEST(d_02_the_issuer_is_compared_byte_for_byte) {
    for (const char* said : {"https://op.example/realm/", "https://OP.example/realm",
                             "https://op.example:443/realm", "https://evil.example/realm", ""}) {
        const Result<Metadata> m =
            parse(document(std::string(",\"issuer\":\"") + said + "\"", "issuer"));
        ck_assert_result_is(m, Reason::metadata_issuer);
        ck_assert_sv_contains(m.error().detail, "\"https://op.example/realm\"");
        ck_assert_sv_contains(m.error().detail, std::string("\"") + said + "\"");
        ck_assert_sv_contains(m.error().fix, "issuer");
    }
    // authentik's issuer ends with a slash; which of the two is wrong is not ours to say.
    ProviderConfig slash = basic_config();
    slash.issuer += "/";
    const Result<Metadata> less = parse(document(), slash);
    ck_assert_sv_contains(less.error().detail, "final slash");
    const Result<Metadata> more =
        parse(document(",\"issuer\":\"https://op.example/realm/\"", "issuer"));
    ck_assert_sv_contains(more.error().detail, "final slash");
    ck_assert_sv_eq(more.error().fix, "issuer https://op.example/realm/");
    const Result<Metadata> other =
        parse(document(",\"issuer\":\"https://evil.example\"", "issuer"));
    ck_assert_sv_lacks(other.error().detail, "slash");
    ck_assert_sv_eq(other.error().fix, "issuer");
    const Result<Metadata> none = parse(document("", "issuer"));
    ck_assert_result_is(none, Reason::metadata_issuer);
    const Result<Metadata> number = parse(document(",\"issuer\":1", "issuer"));
    ck_assert_result_is(number, Reason::metadata_invalid);
}
END_TEST

START_TEST(d_03_missing_empty_or_mistyped_members) {
    for (const char* name : {"authorization_endpoint", "token_endpoint", "jwks_uri"}) {
        for (const char* value : {"", "null", "\"\"", "1", "[]", "{}", "true"}) {
            const std::string more =
                *value == '\0' ? "" : std::string(",\"") + name + "\":" + value;
            const Result<Metadata> m = parse(document(more, name));
            ck_assert_result_is(m, Reason::metadata_invalid);
            ck_assert_sv_contains(m.error().detail, name);
            ck_assert_sv_eq(m.error().fix, name);
        }
    }
    for (const char* name : {"userinfo_endpoint", "end_session_endpoint"}) {
        const Result<Metadata> bad =
            parse(document(std::string(",\"") + name + R"(":"ftp://x")", name));
        ck_assert_result_is(bad, Reason::metadata_invalid);
        for (const char* value : {"1", "[]", "{}", "true"}) {
            const std::string text = document(std::string(",\"") + name + "\":" + value, name);
            const Result<Metadata> m = parse(text);
            ck_assert_result_ok(m);
            ck_assert_sv_eq(m->userinfo_endpoint + m->end_session_endpoint,
                            std::string_view(name) == "userinfo_endpoint"
                                ? "https://op.example/logout"
                                : "https://op.example/userinfo");
            ck_assert_uint_eq(m->left_out.size(), 1);
            ck_assert_sv_contains(m->left_out[0], name);
            // Asked for, it is missed.
            ProviderConfig asks = basic_config();
            asks.userinfo = true;
            const Result<Metadata> asked = parse(text, asks);
            if (std::string_view(name) == "userinfo_endpoint") {
                ck_assert_result_is(asked, Reason::metadata_invalid);
                ck_assert_sv_eq(asked.error().fix, name);
            } else {
                ck_assert_result_ok(asked);
            }
        }
        const Result<Metadata> absent = parse(document("", name));
        ck_assert_result_ok(absent);
    }
    for (const char* member : {",\"token_endpoint_auth_methods_supported\":\"client_secret_basic\"",
                               ",\"token_endpoint_auth_methods_supported\":[1]",
                               ",\"id_token_signing_alg_values_supported\":{}",
                               ",\"code_challenge_methods_supported\":true",
                               ",\"authorization_response_iss_parameter_supported\":\"true\""}) {
        const Result<Metadata> m = parse(document(member));
        ck_assert_result_ok(m);
        ck_assert_uint_eq(m->left_out.size(), 1);
        ck_assert_sv_contains(m->left_out[0], std::string_view(member).substr(
                                                  2, std::string_view(member).find(':') - 3));
        // As if nothing was said.
        ck_assert(m->token_endpoint_auth_methods.empty() && m->id_token_signing_algs.empty());
        ck_assert(!m->code_challenge_methods_said && !m->response_iss_supported);
        ck_assert(use_pkce(basic_config(), *m));
    }
    for (const char* text : {"", "[]", "null", "{", "<html>", "{\"a\":1,\"a\":2}"}) {
        const Result<Metadata> m = parse(text);
        ck_assert_result_is(m, Reason::metadata_invalid);
    }
}
END_TEST

START_TEST(d_04_endpoints_that_are_no_good) {
    const std::string long_url = "https://op.example/" + std::string(65536, 'a');
    for (const std::string& value :
         {std::string("http://op.example/x"), std::string("/relative"),
          std::string("javascript:alert(1)"), std::string("https://op.example/a\\r\\nb"),
          std::string("https://op.example/a b"), std::string("https://user@op.example/"),
          std::string("https://op.example/#f"), std::string("https://"), long_url}) {
        for (const char* name : {"authorization_endpoint", "token_endpoint", "jwks_uri",
                                 "userinfo_endpoint", "end_session_endpoint"}) {
            const Result<Metadata> m =
                parse(document(std::string(",\"") + name + "\":\"" + value + "\"", name));
            ck_assert_result_is(m, Reason::metadata_invalid);
            ck_assert_sv_eq(m.error().fix, name);
        }
    }
    const Result<Metadata> nul =
        parse(document(R"(,"token_endpoint":"https://op.example/\u0000")", "token_endpoint"));
    ck_assert_result_is(nul, Reason::metadata_invalid);
}
END_TEST

START_TEST(the_revocation_endpoint_matters_only_when_it_is_used) {
    const auto parsed = [](std::string_view more, bool used) {
        ProviderConfig config;
        config.issuer = kIssuer;
        config.revoke_on_logout = used;
        const std::string text = document(more);
        const std::string_view view = text;
        return parse_metadata(&view, config);
    };
    constexpr const char* kGood = R"(,"revocation_endpoint":"https://op.example/revoke")";
    const auto used = parsed(kGood, true);
    ck_assert_result_ok(used);
    ck_assert_sv_eq(used->revocation_endpoint, "https://op.example/revoke");
    const auto unused = parsed(kGood, false);
    ck_assert_result_ok(unused);
    ck_assert_sv_eq(unused->revocation_endpoint, "");
    const auto bad = parsed(R"(,"revocation_endpoint":"ftp://x")", true);
    ck_assert_result_is(bad, Reason::metadata_invalid);
    ck_assert_sv_eq(bad.error().fix, "revocation_endpoint");
    const auto ignored = parsed(R"(,"revocation_endpoint":"ftp://x")", false);
    ck_assert_result_ok(ignored);
    const auto none = parsed("", true);
    ck_assert_result_ok(none);
    ck_assert_sv_eq(none->revocation_endpoint, "");
}
END_TEST

START_TEST(insecure_http_means_loopback_only) {
    ProviderConfig config = basic_config();
    config.insecure_http = true;
    const auto token = [&](const char* url) {
        return parse(document(std::string(",\"token_endpoint\":\"") + url + "\"", "token_endpoint"),
                     config);
    };
    const Result<Metadata> local = token("http://127.0.0.1:9000/token");
    ck_assert_result_ok(local);
    const Result<Metadata> remote = token("http://op.example/token");
    ck_assert_result_is(remote, Reason::metadata_invalid);
}
END_TEST

START_TEST(a_query_of_the_authorization_endpoint) {
    const auto with = [&](const char* url) {
        return parse(document(std::string(",\"authorization_endpoint\":\"") + url + "\"",
                              "authorization_endpoint"));
    };
    const Result<Metadata> kept = with("https://op.example/auth?p=b2c_1_signin");
    ck_assert_result_ok(kept);
    ck_assert_sv_eq(kept->authorization_endpoint, "https://op.example/auth?p=b2c_1_signin");
    const Result<Metadata> repeats = with("https://op.example/auth?state=1");
    ck_assert_result_is(repeats, Reason::metadata_invalid);
    ck_assert_sv_eq(repeats.error().fix, "authorization_endpoint");
}
END_TEST

START_TEST(configured_endpoints_win) {
    ProviderConfig config = basic_config();
    config.token_endpoint = "https://inside.example/token";
    config.userinfo_endpoint = "https://inside.example/userinfo";
    // Not even looked at in the document, then.
    const Result<Metadata> m =
        parse(document(",\"userinfo_endpoint\":17", "userinfo_endpoint"), config);
    ck_assert_result_ok(m);
    ck_assert_sv_eq(m->token_endpoint, "https://inside.example/token");
    ck_assert_sv_eq(m->userinfo_endpoint, "https://inside.example/userinfo");
    ck_assert_sv_eq(m->authorization_endpoint, "https://op.example/auth");
    config.token_endpoint = "http://inside.example/token";
    const Result<Metadata> bad = parse(document(), config);
    ck_assert_result_is(bad, Reason::metadata_invalid);
    ck_assert_sv_eq(bad.error().fix, "token_endpoint");
}
END_TEST

START_TEST(d_41_what_the_document_has_instead) {
    ProviderConfig config = basic_config();
    config.token_endpoint = "https://op.example/old/token";
    config.userinfo_endpoint = "https://op.example/userinfo";  // as the document has it
    const Result<Metadata> m = parse(document(), config);
    ck_assert_result_ok(m);
    ck_assert_sv_eq(advertised_endpoint(*m, "token_endpoint"), "https://op.example/token");
    ck_assert_sv_eq(advertised_endpoint(*m, "userinfo_endpoint"), "");
    ck_assert_sv_eq(advertised_endpoint(*m, "jwks_uri"), "");
    HttpRequest request =
        jwks_request("https://op.example/old?x=y", "https://op.example/new?secret");
    for (const int status : {404, 405, 410}) {
        ck_assert_sv_contains(answered(request, response(status, "")),
                              ", the issuer's metadata has https://op.example/new?...");
    }
    ck_assert_sv_lacks(answered(request, response(500, "")), "metadata");
    HttpResponse moved = response(301, "");
    ck_assert_sv_contains(refuse_redirect(request, moved).error().detail, "https://op.example/new");
    moved.location = "https://op.example/login";
    ck_assert_sv_contains(refuse_redirect(request, moved).error().detail, "https://op.example/new");
}
END_TEST

START_TEST(p_01_where_requests_are_pushed) {
    const std::string demanded = document(
        R"(,"require_pushed_authorization_requests":true,"pushed_authorization_request_endpoint":)"
        R"("https://op.example/par")");
    const std::string offered =
        document(R"(,"pushed_authorization_request_endpoint":"https://op.example/par")");
    ProviderConfig config = basic_config();
    ck_assert_sv_eq(parse(demanded)->pushed_authorization_request_endpoint,
                    "https://op.example/par");
    ck_assert(use_par(config, *parse(demanded)) && !use_par(config, *parse(offered)));
    config.par = Toggle::on;
    ck_assert(use_par(config, *parse(offered, config)));
    ck_assert_result_is(parse(document(), config), Reason::metadata_invalid);
    for (const char* bad : {"\"http://op.example/par\"", "\"/par\"", "7"}) {
        const std::string text =
            document(R"(,"pushed_authorization_request_endpoint":)" + std::string(bad));
        ck_assert_result_is(parse(text, config), Reason::metadata_invalid);
    }
    config.pushed_authorization_request_endpoint = "https://other.example/par";
    ck_assert_sv_eq(parse(offered, config)->pushed_authorization_request_endpoint,
                    "https://other.example/par");
    config = basic_config();
    config.par = Toggle::off;
    ck_assert(!use_par(config, *parse(demanded, config)));
    ck_assert_sv_eq(parse(demanded, config)->pushed_authorization_request_endpoint, "");
    // Of no use, and nobody asked for it.
    const Result<Metadata> odd = parse(document(R"(,"pushed_authorization_request_endpoint":7)"));
    ck_assert_result_ok(odd);
    ck_assert_uint_eq(odd->left_out.size(), 1);
}
END_TEST

START_TEST(p_06_addresses_for_clients_with_a_certificate) {
    const auto with = [](std::string_view aliases) {
        return document(R"(,"revocation_endpoint":"https://op.example/revoke",)"
                        R"("mtls_endpoint_aliases":)" +
                        std::string(aliases));
    };
    const std::string all = with(
        R"({"token_endpoint":"https://mtls.example/token","userinfo_endpoint":)"
        R"("https://mtls.example/userinfo","revocation_endpoint":"https://mtls.example/revoke",)"
        R"("authorization_endpoint":"https://evil.example/","jwks_uri":"https://evil.example/",)"
        R"("end_session_endpoint":"https://evil.example/"})");
    ProviderConfig config = basic_config();
    ck_assert_sv_eq(parse(all, config)->token_endpoint, "https://op.example/token");
    config.client_auth = ClientAuth::tls;
    config.userinfo = config.revoke_on_logout = true;
    const Result<Metadata> m = parse(all, config);
    ck_assert_result_ok(m);
    ck_assert_sv_eq(m->token_endpoint, "https://mtls.example/token");
    ck_assert_sv_eq(m->userinfo_endpoint, "https://mtls.example/userinfo");
    ck_assert_sv_eq(m->revocation_endpoint, "https://mtls.example/revoke");
    ck_assert_sv_eq(m->authorization_endpoint, "https://op.example/auth");
    ck_assert_sv_eq(m->jwks_uri, "https://keys.example/jwks");
    ck_assert_sv_eq(m->end_session_endpoint, "https://op.example/logout");
    ck_assert(m->overridden.empty());
    ck_assert_sv_eq(parse(with("{}"), config)->token_endpoint, "https://op.example/token");
    ck_assert_sv_eq(parse(with("null"), config)->token_endpoint, "https://op.example/token");
    config.token_endpoint = "https://own.example/token";
    ck_assert_sv_eq(parse(all, config)->token_endpoint, "https://own.example/token");
    config.token_endpoint.clear();
    for (const char* bad :
         {"[]", "\"https://op.example\"", R"({"token_endpoint":7})",
          R"({"token_endpoint":"http://op.example/t"})", R"({"token_endpoint":"/token"})",
          R"({"userinfo_endpoint":"javascript:x"})"}) {
        ck_assert_result_is(parse(with(bad), config), Reason::metadata_invalid);
    }
    // Nobody asks for it.
    config.userinfo = false;
    ck_assert_result_ok(parse(with(R"({"userinfo_endpoint":"javascript:x"})"), config));
    ck_assert_result_is(choose_client_auth(config, *m), Reason::metadata_invalid);
    config.has_certificate = true;
    ck_assert(*choose_client_auth(config, *m) == ClientAuth::tls);
}
END_TEST

START_TEST(demands_that_are_not_supported) {
    const Result<Metadata> m = parse(document(R"(,"require_pushed_authorization_requests":true)"));
    ck_assert_result_is(m, Reason::metadata_invalid);  // there is no endpoint for them
    ck_assert_sv_eq(m.error().fix, "pushed_authorization_request_endpoint");
    ProviderConfig off = basic_config();
    off.par = Toggle::off;
    const std::string both = document(R"(,"require_pushed_authorization_requests":true,)"
                                      R"("require_signed_request_object":true)");
    const std::string_view text = both;
    const Result<Metadata> demanding = parse_metadata(&text, off);
    ck_assert_result_ok(demanding);
    ck_assert_uint_eq(demanding->demands.size(), 2);
    ck_assert_sv_contains(demanding->demands[0], "RFC 9126");
    ck_assert_sv_contains(demanding->demands[1], "there is no client_key");
    off.request_object = Toggle::off;
    ck_assert_sv_contains(parse_metadata(&text, off)->demands[1], "request_object is off");
    off.client_key = std::make_shared<const JwsSigner>(JwsSigner::hmac(Alg::HS256, "x"));
    ck_assert(!use_request_object(off, *demanding));
    off.request_object = Toggle::automatic;
    ck_assert_uint_eq(parse_metadata(&text, off)->demands.size(), 1);
    ck_assert(use_request_object(off, *demanding) && !use_request_object(off, *parse(document())));
    off.request_object = Toggle::on;
    ck_assert(use_request_object(off, *parse(document())));
    ck_assert(
        parse(document(R"(,"require_pushed_authorization_requests":false)"))->demands.empty());
    const Result<Metadata> odd = parse(document(R"(,"require_signed_request_object":"yes")"));
    ck_assert(odd->demands.empty() && odd->left_out.size() == 1);
}
END_TEST

START_TEST(d_13_internal_endpoints_are_told) {
    ProviderConfig config = basic_config();
    const auto found = [&config](const char* member) {
        const Result<Metadata> m = parse(document(member, "userinfo_endpoint"), config);
        ck_assert_result_ok(m);
        return internal_endpoints(*m, config);
    };
    ck_assert(found(",\"userinfo_endpoint\":\"https://api.example/me\"").empty());
    const auto one = found(",\"userinfo_endpoint\":\"https://169.254.169.254/me\"");
    ck_assert_uint_eq(one.size(), 1);
    ck_assert_sv_eq(one[0], "userinfo_endpoint \"https://169.254.169.254/me\"");
    // What the operator wrote is meant.
    config.userinfo_endpoint = "https://169.254.169.254/me";
    ck_assert(found("").empty());
    // A provider on the inside, with all that it has.
    config = basic_config();
    config.issuer = "https://op.internal";
    Metadata inside;
    inside.token_endpoint = "https://op.internal/token";
    inside.jwks_uri = "https://keys.internal/jwks";
    const auto other = internal_endpoints(inside, config);
    ck_assert_uint_eq(other.size(), 1);
    ck_assert_sv_eq(other[0], "jwks_uri \"https://keys.internal/jwks\"");
}
END_TEST

START_TEST(without_discovery) {
    ProviderConfig config = basic_config();
    config.authorization_endpoint = "https://op.example/a";
    config.token_endpoint = "https://op.example/t";
    const Result<Metadata> no_keys = parse_metadata(nullptr, config);
    ck_assert_result_is(no_keys, Reason::metadata_invalid);
    ck_assert_sv_eq(no_keys.error().fix, "jwks_uri");
    config.jwks_text = "{}";
    const Result<Metadata> file = parse_metadata(nullptr, config);
    ck_assert_result_ok(file);
    ck_assert_sv_eq(file->jwks_uri, "");
    ck_assert_sv_eq(file->userinfo_endpoint, "");
    config.jwks_text.clear();
    config.jwks_uri = "https://op.example/jwks";
    const Result<Metadata> uri = parse_metadata(nullptr, config);
    ck_assert_result_ok(uri);
    ck_assert_sv_eq(uri->jwks_uri, "https://op.example/jwks");
    // A jwks_file makes the document's jwks_uri irrelevant as well.
    ProviderConfig with_file = basic_config();
    with_file.jwks_text = "{}";
    const Result<Metadata> m = parse(document("", "jwks_uri"), with_file);
    ck_assert_result_ok(m);
}
END_TEST

START_TEST(d_11_pkce) {
    ProviderConfig config = basic_config();
    Metadata m;
    ck_assert(use_pkce(config, m));  // nothing said
    m.code_challenge_methods_said = true;
    ck_assert(use_pkce(config, m));  // an empty list
    m.code_challenge_methods = {"plain", "S256"};
    ck_assert(use_pkce(config, m));
    m.code_challenge_methods = {"plain"};
    ck_assert(!use_pkce(config, m));
    config.pkce = Toggle::on;
    ck_assert(use_pkce(config, m));
    config.pkce = Toggle::off;
    m.code_challenge_methods = {"S256"};
    ck_assert(!use_pkce(config, m));
    config.pkce = Toggle::automatic;
    config.nonce = false;
    m.code_challenge_methods = {"plain"};
    ck_assert(use_pkce(config, m));  // I-35
}
END_TEST

START_TEST(d_10_client_authentication) {
    ProviderConfig config = basic_config();
    Metadata m;
    const auto chosen = [&](std::vector<std::string> methods) {
        m.token_endpoint_auth_methods = std::move(methods);
        Result<ClientAuth> auth = choose_client_auth(config, m);
        ck_assert_result_ok(auth);
        return *auth;
    };
    ck_assert(chosen({}) == ClientAuth::basic);
    ck_assert(chosen({"client_secret_post", "client_secret_basic"}) == ClientAuth::basic);
    ck_assert(chosen({"private_key_jwt", "client_secret_post"}) == ClientAuth::post);
    ck_assert(chosen({"something_new"}) == ClientAuth::basic);
    m.token_endpoint_auth_methods = {"client_secret_jwt"};  // which needs a longer secret
    ck_assert_result_is(choose_client_auth(config, m), Reason::metadata_invalid);
    config.client_secret = Secret(std::string(32, 's'));
    ck_assert(chosen({"private_key_jwt", "client_secret_jwt"}) == ClientAuth::secret_jwt);
    for (const char* method :
         {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}) {
        m.token_endpoint_auth_methods = {"unknown", method};
        const Result<ClientAuth> none = choose_client_auth(config, m);
        ck_assert_result_is(none, Reason::metadata_invalid);
        ck_assert_sv_eq(none.error().fix, method == std::string_view("private_key_jwt")
                                              ? "client_key"
                                              : "token_endpoint_auth_method");
        ck_assert_sv_contains(none.error().detail, method);
    }
    config.client_auth = ClientAuth::private_key_jwt;
    ck_assert_result_is(choose_client_auth(config, m), Reason::metadata_invalid);
    config.client_key =
        std::make_shared<const JwsSigner>(JwsSigner::hmac(Alg::HS256, "stands for a key"));
    ck_assert(chosen({}) == ClientAuth::private_key_jwt);
    config.client_auth = ClientAuth::automatic;
    ck_assert(chosen({"client_secret_basic"}) == ClientAuth::private_key_jwt);
    config.client_key.reset();
    config.client_auth = ClientAuth::post;  // configured: the metadata has no say
    ck_assert(chosen({"private_key_jwt"}) == ClientAuth::post);
    config.client_auth = ClientAuth::none;
    ck_assert(chosen({}) == ClientAuth::none);
    config.client_secret.clear();
    config.client_auth = ClientAuth::automatic;
    ck_assert(chosen({"client_secret_basic"}) == ClientAuth::none);
    config.client_auth = ClientAuth::basic;
    const Result<ClientAuth> no_secret = choose_client_auth(config, m);
    ck_assert_result_is(no_secret, Reason::metadata_invalid);
    ck_assert_sv_eq(no_secret.error().fix, "client_secret");
}
END_TEST

START_TEST(requests) {
    const HttpRequest metadata = metadata_request(basic_config());
    ck_assert_sv_eq(metadata.url, "https://op.example/realm/.well-known/openid-configuration");
    ck_assert_sv_eq(metadata.endpoint, "config_url");
    ck_assert(metadata.method == HttpRequest::Method::get);
    ck_assert(metadata.authorization.empty() && metadata.body.empty());
    ck_assert_uint_le(metadata.max_response, 1024 * 1024);  // D-08
    const HttpRequest jwks = jwks_request("https://op.example/jwks");
    ck_assert_sv_eq(jwks.url, "https://op.example/jwks");
    ck_assert_sv_eq(jwks.endpoint, "jwks_uri");
}
END_TEST

START_TEST(documents) {
    const HttpRequest request = metadata_request(basic_config());
    Result<std::string> good = metadata_text(request, response(200, "{\"a\":1}", "text/plain"));
    ck_assert_result_ok(good);
    ck_assert_sv_eq(*good, "{\"a\":1}");
    Result<std::string> down = metadata_text(request, fail(Reason::idp_timeout, "t"));
    ck_assert_result_is(down, Reason::idp_timeout);
    HttpResponse busy = response(503, "");
    busy.retry_after = "120";
    Result<std::string> later = metadata_text(request, std::move(busy));
    ck_assert_result_is(later, Reason::metadata_unavailable);
    ck_assert_sv_contains(later.error().detail, "503");
    ck_assert_sv_contains(later.error().detail, "\"120\"");
    ck_assert_sv_eq(later.error().fix, "config_url");
    for (const char* body : {"", "<html>", "[]", "{"}) {
        Result<std::string> bad = metadata_text(request, response(200, body, "text/html"));
        ck_assert_result_is(bad, Reason::metadata_invalid);
        ck_assert_sv_contains(bad.error().detail, "\"text/html\"");
        Result<std::string> keys = jwks_text(jwks_request("https://a/b"), response(200, body));
        ck_assert_result_is(keys, Reason::jwks_invalid);
        ck_assert_sv_eq(keys.error().fix, "jwks_uri");
    }
    Result<std::string> missing = jwks_text(jwks_request("https://a/b"), response(404, "{}"));
    ck_assert_result_is(missing, Reason::jwks_unavailable);
}
END_TEST

START_TEST(d_07_redirects_are_told_and_not_followed) {
    HttpResponse moved = response(301, "");
    moved.location = "https://op.example/realm/.well-known/openid-configuration/";
    Result<std::string> text = metadata_text(metadata_request(basic_config()), std::move(moved));
    ck_assert_result_is(text, Reason::idp_redirect);
    ck_assert_sv_eq(text.error().fix,
                    "configure config_url "
                    "https://op.example/realm/.well-known/openid-configuration/");
}
END_TEST

START_TEST(the_whole_state) {
    ProviderConfig config = basic_config();
    const std::string text =
        document(R"(,"id_token_signing_alg_values_supported":["none","HS256","ES256"],)"
                 R"("code_challenge_methods_supported":["plain"])");
    const std::string_view view = text;
    const std::string jwks = forge_jwks({ForgeKey::for_alg(Alg::ES256).jwk("k1")});
    const auto state = make_provider_state(config, &view, jwks, 7);
    ck_assert_result_ok(state);
    ck_assert_uint_eq((*state)->keys.size(), 1);
    ck_assert_uint_eq((*state)->generation, 7);
    ck_assert(!(*state)->pkce);
    ck_assert((*state)->client_auth == ClientAuth::basic);
    // D-12: what the provider offers does not let "none" or a shared secret in.
    ck_assert_uint_eq((*state)->algs.size(), 1);
    ck_assert((*state)->algs[0] == Alg::ES256);

    const auto bad_keys = make_provider_state(config, &view, "[]");
    ck_assert_result_is(bad_keys, Reason::jwks_invalid);
    const std::string_view nothing = "{}";
    const auto bad_metadata = make_provider_state(config, &nothing, jwks);
    ck_assert_result_is(bad_metadata, Reason::metadata_issuer);
    config.client_auth = ClientAuth::post;
    config.client_secret.clear();
    const auto bad_auth = make_provider_state(config, &view, jwks);
    ck_assert_result_is(bad_auth, Reason::metadata_invalid);
    ProviderConfig file = basic_config();
    file.jwks_text = jwks;
    const auto from_file = make_provider_state(file, &view, "");
    ck_assert_result_ok(from_file);
    ck_assert_uint_eq((*from_file)->keys.size(), 1);
    // authentik without a signing key: an empty set is a state, no token will pass it.
    const auto no_keys = make_provider_state(basic_config(), &view, "{}");
    ck_assert_result_ok(no_keys);
}
END_TEST

static Suite* metadata_suite() {
    Suite* suite = suite_create("metadata");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, reads_a_document);
    tcase_add_test(tcase, d_02_the_issuer_is_compared_byte_for_byte);
    tcase_add_test(tcase, d_03_missing_empty_or_mistyped_members);
    tcase_add_test(tcase, d_04_endpoints_that_are_no_good);
    tcase_add_test(tcase, the_revocation_endpoint_matters_only_when_it_is_used);
    tcase_add_test(tcase, insecure_http_means_loopback_only);
    tcase_add_test(tcase, a_query_of_the_authorization_endpoint);
    tcase_add_test(tcase, configured_endpoints_win);
    tcase_add_test(tcase, d_13_internal_endpoints_are_told);
    tcase_add_test(tcase, d_41_what_the_document_has_instead);
    tcase_add_test(tcase, p_01_where_requests_are_pushed);
    tcase_add_test(tcase, p_06_addresses_for_clients_with_a_certificate);
    tcase_add_test(tcase, demands_that_are_not_supported);
    tcase_add_test(tcase, without_discovery);
    tcase_add_test(tcase, d_11_pkce);
    tcase_add_test(tcase, d_10_client_authentication);
    tcase_add_test(tcase, requests);
    tcase_add_test(tcase, documents);
    tcase_add_test(tcase, d_07_redirects_are_told_and_not_followed);
    tcase_add_test(tcase, the_whole_state);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration metadata_registered("metadata", metadata_suite);
