// SPDX-License-Identifier: Apache-2.0
// Configuration of the module as the run-time code reads it.
//
// nginx fills the POD parts through ngx_command_t offsets; C++ members live in derived classes that
// a pool cleanup destroys. Nothing here changes after postconfiguration.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/ngx.hpp"
#include "config/messages.hpp"
#include "config/renewed_file.hpp"
#include "oidc/access_token.hpp"
#include "oidc/assertion.hpp"
#include "oidc/challenge.hpp"
#include "oidc/claim_rules.hpp"
#include "oidc/config.hpp"
#include "oidc/cookie.hpp"
#include "oidc/crypto.hpp"
#include "oidc/protection.hpp"
#include "oidc/provider_choice.hpp"
#include "oidc/ptr.hpp"
#include "oidc/step_up.hpp"
#include "oidc/token_life.hpp"

namespace oidc::ngx {

class SessionStore;  // stores/session_store.hpp

inline constexpr in_port_t kRedisPort = 6379;
// What nginx keeps of a zone for itself is not the cache's.
inline constexpr std::size_t kMinIntrospectionCache = 256 * 1024;

// How to reach Redis, or what speaks its protocol.
struct RedisSettings {
    struct Server {
        std::string name;  // as configured, for messages
        std::string host;  // empty: a unix socket
        ngx_addr_t address{};
    };
    std::vector<Server> servers;  // in the order in which they are tried; a name may give several
    std::string username;         // empty: the default user
    Secret password;              // empty: none
    unsigned database = 0;
    bool ssl = false;
    std::string ssl_name;       // checked in the certificate and sent as SNI; empty: the host
    std::string ca_file;        // empty: the system's bundle
    ngx_msec_t timeout = 1000;  // of each command, from when it was asked for
    Seconds local_copy = 2;     // how long a node may go on with what it has read; 0: not at all
    std::string prefix{"oidc:"};
};

// One oidc_session_store block, or a provider's own default store.
struct Store {
    enum class Type : unsigned char { memory, cookie, redis };
    Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    ~Store();
    std::string name;
    Type type = Type::memory;
    std::size_t size = 8 * 1024 * 1024;  // of its shared memory
    std::vector<AeadKey> keys;           // of key_file; the first seals
    std::string state_file;              // type memory; empty: none
    RedisSettings redis;
    // With keys: seals logins under way, so that another node or a later start can end them.
    std::unique_ptr<Aead> pending_aead;
    std::shared_ptr<SessionStore> sessions_;  // set once, when the configuration is complete
    Place place;                              // where it was defined
    [[nodiscard]] SessionStore& sessions() const noexcept { return *sessions_; }
};

// How to reach the provider's endpoints.
struct Transport {
    // Names of files that the master has read, which workers need not be able to.
    std::string ca_file;  // empty: the system's bundle
    std::string crl_file;
    std::string trust;  // PEM: all of ca_file, and of crl_file; empty without ca_file
    std::vector<X509Ptr> authorities;
    std::vector<X509CrlPtr> revocation_lists;
    std::string http_proxy;  // an origin; empty: none, whatever the environment says
    std::string proxy_user;  // empty: the proxy asks for none
    Secret proxy_password;
    // PEM, of requests that are made with the client's certificate; empty: none is configured.
    std::string client_chain;
    Secret client_key;
    ngx_msec_t connect_timeout = 5000;
    ngx_msec_t read_timeout = 10000;  // total, from the start of the request
    bool insecure_http = false;
};

// One oidc_provider block.
struct Provider {
    ngx_uint_t index = 0;  // position in MainConf::providers
    ProviderConfig config;
    Transport transport;
    Store* store = nullptr;
    std::string store_name;  // as configured; empty: own default store

    std::string redirect_uri;     // path or absolute
    std::string callback_path;    // path part of redirect_uri
    std::string redirect_origin;  // of an absolute redirect_uri, else empty
    std::string redirect_host;    // of the same
    // Hosts that logins begin at which end at redirect_host: names as in server_name.
    std::vector<std::string> login_hosts;
    [[nodiscard]] bool is_login_host(std::string_view host) const noexcept;
    // "https://host:port" with the port of redirect_uri.
    [[nodiscard]] std::string origin_of(std::string_view login_host) const;
    // Empty: none.
    std::string logout_path;
    std::string frontchannel_path;
    std::string initiation_path;
    std::string post_logout_param{"post_logout_redirect_uri"};  // as the provider calls it
    std::vector<std::string> logout_origins;                    // beside our own
    std::string backchannel_path;
    std::string signals_path;
    std::string logout_hook;  // path of a subrequest; empty: none
    // Per user; 0: none. Of stores that know all sessions.
    std::size_t session_limit = 50;
    bool session_limit_given = false;
    std::string cookie_name{"NGX_OIDC_SESSION"};
    std::string cookie_domain;
    std::string cookie_path{"/"};
    std::string cookie_same_site{"Lax"};
    [[nodiscard]] bool strict_cookie() const noexcept { return cookie_same_site == "Strict"; }
    // Of the application's; a final "*" stands for anything.
    std::vector<std::string> strip_cookies;
    // Both spellings that can occur, for stripping and look-up.
    std::string session_cookie_http;
    std::string session_cookie_https;

    // session_idle_ignore: URI prefixes and regular expressions.
    std::vector<std::string> idle_ignore_prefixes;
    std::vector<ngx_regex_t*> idle_ignore_regexes;

    // Values that may hold variables; null: not configured.
    ngx_http_complex_value_t* extra_auth_args = nullptr;
    ngx_http_complex_value_t* prompt = nullptr;
    ngx_http_complex_value_t* login_hint = nullptr;
    ngx_http_complex_value_t* ui_locales = nullptr;
    ngx_http_complex_value_t* claims = nullptr;
    ngx_http_complex_value_t* traceparent = nullptr;

    // While the block is read: what config.client_key points to.
    std::shared_ptr<JwsSigner> client_signer;
    bool client_key_named = false;  // by kid

    // introspection_cache: size 0 is off.
    std::size_t introspection_size = 1024 * 1024;
    Seconds introspection_time = 60;
    Seconds introspection_inactive_time = 10;
    ngx_shm_zone_t* introspection_zone = nullptr;  // IntrospectionZone; null: nothing is kept

    // claim_source: config.claim_sources is made of them when all providers are known.
    struct ClaimSource {
        std::string name;
        std::vector<std::string> hosts;  // "host:port"
        bool required = false;
        Place place;
    };
    std::vector<ClaimSource> source_options;
    std::vector<Provider*> sources;  // those of config.claim_sources

    bool used = false;       // some auth_oidc names it
    bool is_source = false;  // some claim_source does
    Place place;
    std::vector<RenewedFile> renewed;  // files that the workers look at
    std::vector<Provider*> mates;      // the others of its groups; a browser has one session of all
};

// One oidc_provider_group block: providers of which any will do at a location.
struct ProviderGroup {
    std::string name;
    ProviderChoice choice;
    std::vector<Place> option_places;            // of choice.options
    std::vector<Provider*> members;              // the same, once all providers are known
    ngx_http_complex_value_t* choose = nullptr;  // null: not configured
    std::string choice_path{"/oidc_choice"};
    bool used = false;  // some auth_oidc names it
    Place place;
    [[nodiscard]] bool has(const Provider& provider) const noexcept {
        return std::find(members.begin(), members.end(), &provider) != members.end();
    }
    // Null: people have to say.
    [[nodiscard]] Provider* member_of(const ProviderOption* option) const noexcept {
        return option != nullptr ? members[static_cast<std::size_t>(option - choice.options.data())]
                                 : nullptr;
    }
};

// oidc_assertion { }
struct Assertion {
    std::unique_ptr<AssertionSigner> signer;
    ngx_http_complex_value_t* audience = nullptr;
    Seconds lifetime = 60;
    std::vector<std::string> claims;  // empty: all
    // Apache takes a header of 8,190 bytes, its name included.
    std::size_t max_size = 8000;
};

// oidc_claim_set $variable name ...
struct ClaimSet {
    std::string variable;
    std::vector<std::string> path;
    std::string key;  // path joined with U+001F, the claim's name in a session
};

// A request header that the module sets, or only keeps clean.
struct HeaderRule {
    ngx_str_t name{};  // as written
    ngx_str_t lowcase{};
    ngx_uint_t hash = 0;                        // of lowcase
    std::string normal_name;                    // oidc/header_name.hpp
    ngx_http_complex_value_t* value = nullptr;  // null: blank
    ngx_int_t variable = NGX_ERROR;  // its index when the value is one variable and nothing else
    TokenUse tokens;                 // that are in the value
    enum class Encoding : unsigned char { none, percent, base64 };
    Encoding encoding = Encoding::none;
};

struct LocConf;

// A client's header below "X-Oidc-" that goes through somewhere (auth_oidc_pass_header).
struct PassedHeader {
    std::string lowcase;
    Place place;
};

struct MainConf {
    std::vector<std::unique_ptr<Provider>> providers;
    std::vector<std::unique_ptr<Store>> stores;
    std::vector<ClaimSet> claim_sets;
    // What is forwarded where no auth_oidc_header was given.
    std::vector<HeaderRule> default_header_rules;
    // Set when there are providers or some server uses the module.
    ngx_shm_zone_t* metadata_zone = nullptr;  // MetadataZone
    ngx_shm_zone_t* login_zone = nullptr;     // LoginZone
    ngx_shm_zone_t* counters_zone = nullptr;  // CountersZone
    ngx_shm_zone_t* proof_zone = nullptr;     // ProofZone; null: no location takes tokens

    // Folded names of all headers that any location sets, and the default ones; the prefix
    // "x-oidc-" is always reserved.
    std::vector<std::string> reserved_headers;
    std::vector<PassedHeader> passed_headers;
    // Exact names of every session cookie in either spelling.
    std::vector<std::string> session_cookies;
    // Made of the two above by prepare_sanitizer. A header is looked at more closely only when it
    // is as long as the shortest reserved name with its first byte, a cookie when one of ours
    // starts with its first byte.
    std::vector<std::string> folded_headers;
    unsigned char header_min[256]{};
    bool cookie_first[256]{};
    bool sanitizer_ready = false;
    ngx_uint_t built_in_variables = 0;  // they stand first among nginx's
    // Every level that was merged, with the configurations of all modules there.
    struct Level {
        LocConf* conf;
        void* const* all;
        const ngx_http_core_srv_conf_t* server;
    };
    std::vector<Level> levels;
    // What nginx itself answers with for $remote_user.
    ngx_http_get_variable_pt remote_user = nullptr;
    uintptr_t remote_user_data = 0;
    bool used = false;  // some server uses the module
    std::vector<std::unique_ptr<ProviderGroup>> groups;

    bool takes_tokens = false;  // some location does (auth_oidc_bearer)

    [[nodiscard]] bool in_use() const noexcept { return used || !providers.empty(); }
    [[nodiscard]] Provider* find_provider(std::string_view name) const noexcept;
    [[nodiscard]] ProviderGroup* find_group(std::string_view name) const noexcept;
};

// A server's paths of our own, looked up by exact URI.
struct Endpoint {
    enum class Kind : unsigned char {
        callback,
        initiation,
        logout,
        frontchannel,
        backchannel,
        signals,
        choice
    };
    Kind kind{};
    Provider* provider = nullptr;  // of a choice: the first that there is
    std::string path;
    const ProviderGroup* group = nullptr;  // of a choice
};

struct SrvConf {
    bool uses_oidc = false;  // some location of the server names a provider or one of our handlers
    std::vector<Endpoint> endpoints;
    // Digest per provider index: provider, issuer, client_id and vhost (oidc_base_url, or the
    // cookie domain, or the first server_name). Sessions and pending logins are bound to it.
    std::vector<Digest> bindings;
    // Copies of the server_name values; nginx frees its own after the configuration is read.
    std::vector<std::string> server_names;
    std::vector<std::string> strip_cookies;  // of its providers
    // The port on which the server listens with TLS, 443 before others; 0: none. Its own origin is
    // of https then, also for what comes over plain http beside.
    in_port_t tls_port = 0;

    // Gathered while locations are merged.
    std::vector<Provider*> used_providers;
    bool dynamic_provider = false;      // some auth_oidc holds a variable: any provider may be used
    bool protects = false;              // some location requires a session
    bool plain_origin = false;          // some protected location has no https origin configured
    const Provider* by_name = nullptr;  // whose redirect URI some location makes of server_name
    // auth_request, as locations ask by it.
    struct Ask {
        std::string uri;
        std::string location;  // a label
        bool open = false;     // some location asks for whom it does not know
    };
    std::vector<Ask> asks;
    std::vector<const ProviderGroup*> used_groups;
    // oidc_resource_metadata: where it stands, and for which resource.
    struct Resource {
        std::string path;      // of the metadata
        std::string resource;  // a path, or the URL that was given
    };
    std::vector<Resource> resources;
};

// auth_oidc_bearer.
inline constexpr ngx_int_t kBearerOff = 0;
inline constexpr ngx_int_t kBearerJwt = 1;
inline constexpr ngx_int_t kBearerIntrospection = 2;
inline constexpr ngx_int_t kBearerAuto = 3;

struct LocConfPod {
    ngx_http_complex_value_t* provider = nullptr;   // auth_oidc; null: off
    Provider* static_provider = nullptr;            // when the value holds no variable
    ngx_uint_t mode = NGX_CONF_UNSET_UINT;          // Mode
    ngx_uint_t unauthorized = NGX_CONF_UNSET_UINT;  // Unauthorized
    ngx_flag_t headers = NGX_CONF_UNSET;            // auth_oidc_headers
    ngx_flag_t assertion = NGX_CONF_UNSET;          // auth_oidc_assertion
    ngx_flag_t csrf = NGX_CONF_UNSET;               // auth_oidc_csrf
    const LoginDemand* step_up = nullptr;           // LocConf::demand when it asks for anything
};

struct LocConf : LocConfPod {
    LevelRules said;        // at this very level
    Protection protection;  // what holds here
    // Where it was said.
    struct {
        Place provider;
        Place mode;
        Place require;  // or auth_oidc_require_claim
        Place max_age;
        Place acr_values;
    } places;
    // auth_oidc_require: every value must be met (is_met).
    struct Require {
        std::vector<ngx_http_complex_value_t*> values;
        ngx_uint_t status = NGX_HTTP_FORBIDDEN;
    };
    std::vector<Require> require;
    // Merged: inherited entries, inner ones of the same name winning; the default set when none was
    // given anywhere.
    std::vector<HeaderRule> header_rules;
    bool header_rules_set = false;
    std::vector<std::string> passed_headers;  // auth_oidc_pass_header, in lower case
    bool passed_headers_set = false;
    std::string base_url;  // oidc_base_url, an origin; empty: not given
    LoginDemand demand;    // auth_oidc_max_age and auth_oidc_acr_values
    // auth_oidc_csrf: whose pages may send what changes something, beside our own.
    std::vector<std::string> csrf_origins;
    const char* asks = nullptr;      // URI of auth_request, where it stands; null: none
    bool asks_itself = false;        // said at this very level
    bool user_name_checked = false;  // auth_basic vouches for $remote_user
    TokenUse tokens;                 // that a backend may be given here
    // oidc_session_info; not inherited.
    bool session_info = false;
    std::vector<std::string> session_info_claims;  // empty: the usual ones
    Place session_info_place;

    std::shared_ptr<const Assertion> assertion_block;  // oidc_assertion; null: none in reach
    bool jwks = false;                                 // oidc_jwks; not inherited
    std::string jwks_provider;  // whose client's keys; empty: the assertion's
    // oidc_status and where it was given; not inherited.
    bool status = false;
    Place status_place;
    // oidc_sessions and where it was given; not inherited.
    bool sessions = false;
    Place sessions_place;
    // oidc_page_language: a Language; count_: the reader's.
    ngx_uint_t page_language = NGX_CONF_UNSET_UINT;

    std::shared_ptr<ClaimRules> claim_rules;  // auth_oidc_require_claim; null: none
    const char* required_by = nullptr;        // the directive at places.require
    // auth_oidc, when its value holds no variable and names a group.
    ProviderGroup* static_group = nullptr;

    // auth_oidc_bearer and what goes with it.
    ngx_int_t bearer = NGX_CONF_UNSET;            // a kBearer...
    ngx_uint_t bearer_typ = NGX_CONF_UNSET_UINT;  // an AccessTokenTyp
    std::vector<std::string> bearer_audience;     // empty: not given
    std::vector<std::string> bearer_scope;        // empty: not given, or none is asked for
    bool bearer_scope_set = false;
    Place bearer_place;
    // oidc_resource_metadata; not inherited.
    bool resource_metadata = false;
    std::string resource;           // empty: what the path says
    std::string resource_provider;  // empty: that of the location
    Place resource_place;

    [[nodiscard]] bool requires_something() const noexcept {
        return !require.empty() || claim_rules != nullptr;
    }
    [[nodiscard]] bool takes_tokens() const noexcept { return bearer > kBearerOff; }
    // Whether the provider is asked about tokens: about all, or those that are no JWT.
    [[nodiscard]] bool asks_about_tokens() const noexcept {
        return bearer == kBearerIntrospection || bearer == kBearerAuto;
    }
    [[nodiscard]] Mode effective_mode() const noexcept {
        return provider == nullptr ? Mode::off : static_cast<Mode>(mode);
    }
};

// The location's configuration as C has it is its plain base.
inline LocConf& as_loc_conf(void* conf) noexcept {
    return *static_cast<LocConf*>(static_cast<LocConfPod*>(conf));
}

MainConf& conf_main(ngx_conf_t* cf) noexcept;
// The configurations of the level that is merged now, by module.
void* const* confs_of(ngx_conf_t* cf) noexcept;
// The server's own level.
LocConf& root_conf(const ngx_http_core_srv_conf_t& server) noexcept;
MainConf& main_conf(ngx_http_request_t* r) noexcept;
SrvConf& srv_conf(ngx_http_request_t* r) noexcept;
LocConf& loc_conf(ngx_http_request_t* r) noexcept;
// A cycle's configuration, and the running one's; null without an http block or providers.
MainConf* cycle_main_conf(ngx_cycle_t* cycle) noexcept;
MainConf* running_main_conf() noexcept;

// What the session cookie of a provider is set with.
CookieAttributes session_cookie_attributes(const Provider& provider, bool https);

}  // namespace oidc::ngx
