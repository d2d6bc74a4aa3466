// SPDX-License-Identifier: Apache-2.0
#include "config/store_directives.hpp"

#include <unistd.h>

#include <algorithm>

#include "config/block.hpp"
#include "config/conf.hpp"
#include "oidc/key_ring.hpp"
#include "oidc/text.hpp"

namespace oidc::ngx {
namespace {

// nginx's slab pool, the table's own head and at least a few sessions.
constexpr std::size_t kMinStore = 128 * 1024;
constexpr std::size_t kMaxKeyFile = 4096;
constexpr Seconds kMaxLocalCopy = 60;

char* set_type(Block& b) {
    auto& store = b.target<Store>();
    if (b.arg() == "memory") {
        store.type = Store::Type::memory;
    } else if (b.arg() == "cookie") {
        store.type = Store::Type::cookie;
    } else if (b.arg() == "redis") {
        store.type = Store::Type::redis;
    } else {
        return b.invalid(b.arg(), "\"memory\", \"cookie\" or \"redis\"");
    }
    return conf_ok();
}

char* set_size(Block& b) {
    const ssize_t size = ngx_parse_size(&b.raw());
    if (size == NGX_ERROR) {
        return b.invalid(b.arg(), "a size");
    }
    if (static_cast<std::size_t>(size) < kMinStore) {
        return b.error("of " + std::string(b.arg()) + " is too small, at least 128k is needed");
    }
    b.target<Store>().size = static_cast<std::size_t>(size);
    return conf_ok();
}

char* set_key_file(Block& b) {
    Secret text;
    if (char* rv = b.secret_file(text, kMaxKeyFile); rv != conf_ok()) {
        return rv;
    }
    Result<std::vector<AeadKey>> keys = parse_key_ring(text.view());
    if (!keys) {
        return b.error(in_quotes(b.arg()) + ": " + keys.error().detail);
    }
    b.target<Store>().keys = std::move(*keys);
    return conf_ok();
}

char* set_state_file(Block& b) {
    return b.file_name(b.target<Store>().state_file);
}

// host:port or unix:path; a name is resolved now, as in nginx's own proxy_pass.
char* set_server(Block& b) {
    auto& redis = b.target<Store>().redis;
    for (std::size_t i = 0; i < b.size(); ++i) {
        // Not shown: there may be a password in it.
        if (!b.arg(i).starts_with("unix:") && (b.arg(i).find('@') != std::string_view::npos ||
                                               b.arg(i).find("://") != std::string_view::npos)) {
            return b.error(
                "takes \"host:port\" or \"unix:path\", no URL: a user and a password go into "
                "\"username\" and \"password_file\", TLS is \"ssl on\"");
        }
        ngx_url_t url;
        ngx_memzero(&url, sizeof(url));
        url.url = copy_to_pool(b.cf()->pool, b.arg(i));
        url.default_port = kRedisPort;
        if (url.url.data == nullptr) {
            return conf_fail();
        }
        if (ngx_parse_url(b.cf()->pool, &url) != NGX_OK) {
            return b.error(std::string(url.err != nullptr ? url.err : "invalid address") + " in " +
                           in_quotes(b.arg(i)));
        }
        if (url.uri.len > 0) {
            return b.invalid(b.arg(i), "\"host:port\" or \"unix:path\"");
        }
        for (ngx_uint_t n = 0; n < url.naddrs; ++n) {
            RedisSettings::Server server;
            server.name = b.arg(i);
            server.host = url.family == AF_UNIX ? std::string() : std::string(view(url.host));
            server.address = url.addrs[n];
            redis.servers.push_back(std::move(server));
        }
    }
    return conf_ok();
}

char* set_username(Block& b) {
    return b.text(b.target<Store>().redis.username);
}

char* set_password_file(Block& b) {
    return b.secret_file(b.target<Store>().redis.password, kMaxKeyFile);
}

char* set_database(Block& b) {
    const ngx_int_t number = ngx_atoi(b.raw().data, b.raw().len);
    if (number == NGX_ERROR || number > 65535) {
        return b.invalid(b.arg(), "a number from 0 to 65535");
    }
    b.target<Store>().redis.database = static_cast<unsigned>(number);
    return conf_ok();
}

char* set_ssl(Block& b) {
    return b.flag(b.target<Store>().redis.ssl);
}

char* set_ssl_name(Block& b) {
    return b.text(b.target<Store>().redis.ssl_name);
}

char* set_ssl_trusted_certificate(Block& b) {
    return b.file_name(b.target<Store>().redis.ca_file);
}

char* set_timeout(Block& b) {
    return b.msec(b.target<Store>().redis.timeout);
}

char* set_local_copy(Block& b) {
    return b.seconds(b.target<Store>().redis.local_copy, 0, kMaxLocalCopy);
}

char* set_prefix(Block& b) {
    const bool simple =
        b.arg().size() <= 64 &&
        std::all_of(b.arg().begin(), b.arg().end(), [](char c) { return c > ' ' && c <= '~'; });
    if (!simple) {
        return b.invalid(b.arg(), "at most 64 visible ASCII characters");
    }
    b.target<Store>().redis.prefix = b.arg();
    return conf_ok();
}

template <auto& Name>
char* without_effect(Block& b) {
    conf_warn(b.cf(), in_quotes(Name) + " in oidc_session_store has no effect");
    return conf_ok();
}
constexpr char kTtl[] = "ttl";
constexpr char kMemoryMaxSize[] = "memory_max_size";

constexpr BlockDirective kStoreDirectives[] = {
    {"type", {}, 1, 1, set_type},
    {"size", {}, 1, 1, set_size},
    {"key_file", {}, 1, 1, set_key_file},
    {"state_file", {}, 1, 1, set_state_file},
    {"server", {}, 1, 8, set_server},
    {"username", {}, 1, 1, set_username},
    {"password_file", {}, 1, 1, set_password_file},
    {"database", {}, 1, 1, set_database},
    {"ssl", {}, 1, 1, set_ssl},
    {"ssl_name", {}, 1, 1, set_ssl_name},
    {"ssl_trusted_certificate", {}, 1, 1, set_ssl_trusted_certificate},
    {"timeout", {}, 1, 1, set_timeout},
    {"local_copy", {}, 1, 1, set_local_copy},
    {"prefix", {}, 1, 1, set_prefix},
    {kTtl, {}, 1, 1, without_effect<kTtl>},
    {kMemoryMaxSize, {}, 1, 1, without_effect<kMemoryMaxSize>},
};

// What the block gives must fit its type.
char* check_store(ngx_conf_t* cf, const Store& store, const Block& block) {
    using Type = Store::Type;
    constexpr const char* kRedisOnly[] = {"server",   "username",   "password_file",
                                          "database", "ssl",        "ssl_name",
                                          "timeout",  "local_copy", "ssl_trusted_certificate"};
    if (store.type != Type::redis) {
        for (const char* name : kRedisOnly) {
            if (block.given(name)) {
                return conf_error(cf, block.where(name),
                                  in_quotes(name) + " needs \"type redis\" in oidc_session_store " +
                                      in_quotes(store.name));
            }
        }
        if (block.given("prefix")) {
            conf_warn(cf, block.where("prefix"),
                      "\"prefix\" in oidc_session_store has no effect without \"type redis\"");
        }
    }
    if (store.type != Type::memory && block.given("state_file")) {
        return conf_error(
            cf, block.where("state_file"),
            "\"state_file\" needs \"type memory\" in oidc_session_store " + in_quotes(store.name));
    }
    const bool sealed = store.type != Type::memory || block.given("state_file");
    if (sealed && store.keys.empty()) {
        return conf_error(cf, "oidc_session_store " + in_quotes(store.name) +
                                  " needs a \"key_file\"; make one with: openssl rand -hex 32");
    }
    if (store.type == Type::redis && store.redis.servers.empty()) {
        return conf_error(cf, "oidc_session_store " + in_quotes(store.name) +
                                  " of type redis needs a \"server\"");
    }
    if (block.given("username") && !block.given("password_file")) {
        return conf_error(cf, block.where("username"), "\"username\" needs a \"password_file\"");
    }
    for (const RedisSettings::Server& server : store.redis.servers) {
        // There is no host whose name a certificate could be for.
        if (store.redis.ssl && server.host.empty() && store.redis.ssl_name.empty()) {
            return conf_error(cf, block.where("ssl"),
                              "\"ssl\" with " + in_quotes(server.name) + " needs an \"ssl_name\"");
        }
    }
    for (const char* name : {"ssl_name", "ssl_trusted_certificate"}) {
        if (block.given(name) && !store.redis.ssl) {
            return conf_error(cf, block.where(name), in_quotes(name) + " needs \"ssl on\"");
        }
    }
    return conf_ok();
}

}  // namespace

char* set_session_store(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    auto& main = *static_cast<MainConf*>(conf);
    auto store = std::make_unique<Store>();
    store->name = view(static_cast<ngx_str_t*>(cf->args->elts)[1]);
    if (!is_simple_name(store->name)) {
        return conf_error(cf, "invalid session store name " + in_quotes(store->name));
    }
    for (const auto& other : main.stores) {
        if (other->name == store->name) {
            return conf_error(cf, "duplicate oidc_session_store " + in_quotes(store->name) +
                                      ", first defined in " + shown(other->place));
        }
    }
    store->place = place_of(cf);

    Block block("oidc_session_store", kStoreDirectives, store.get());
    if (char* rv = block.parse(cf); rv != conf_ok()) {
        return rv;
    }
    if (char* rv = check_store(cf, *store, block); rv != conf_ok()) {
        return rv;
    }
    main.stores.push_back(std::move(store));
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

}  // namespace oidc::ngx
