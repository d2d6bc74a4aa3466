// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_tls.hpp"

#if (NGX_SSL)
#include <arpa/inet.h>
#include <openssl/x509v3.h>
#endif

#include "oidc/ptr.hpp"

namespace oidc::ngx {

#if (NGX_SSL)

namespace {

constexpr ngx_int_t kVerifyDepth = 8;

bool is_address(const std::string& name) noexcept {
    in6_addr address{};
    return inet_pton(AF_INET, name.c_str(), &address) == 1 ||
           inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

bool is_expected_host(ngx_connection_t* connection, const std::string& name) {
    if (!is_address(name)) {
        ngx_str_t expected = borrow(name);
        return !name.empty() && ngx_ssl_check_host(connection, &expected) == NGX_OK;
    }
    X509* certificate = SSL_get1_peer_certificate(connection->ssl->connection);
    const bool matches =
        certificate != nullptr && X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
    X509_free(certificate);
    return matches;
}

}  // namespace

ngx_ssl_t* redis_tls_create(ngx_conf_t* cf, const std::string& ca_file) noexcept {
    const OpensslErrorGuard guard;
    auto* ssl = static_cast<ngx_ssl_t*>(ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t)));
    ngx_pool_cleanup_t* cleanup = ssl == nullptr ? nullptr : ngx_pool_cleanup_add(cf->pool, 0);
    if (cleanup == nullptr) {
        return nullptr;
    }
    ssl->log = cf->log;
    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2 | NGX_SSL_TLSv1_3, nullptr) != NGX_OK) {
        return nullptr;
    }
    cleanup->handler = ngx_ssl_cleanup_ctx;
    cleanup->data = ssl;
    ngx_str_t file = ca_file.empty() ? ngx_str_t{0, nullptr} : copy_to_pool(cf->pool, ca_file);
    if (!ca_file.empty() && file.data == nullptr) {
        return nullptr;
    }
    // Sets the callback that leaves the verdict to redis_tls_verify(), without a file as well.
    if (ngx_ssl_trusted_certificate(cf, ssl, &file, kVerifyDepth) != NGX_OK) {
        return nullptr;
    }
    if (ca_file.empty() && SSL_CTX_set_default_verify_paths(ssl->ctx) != 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the system's certificates cannot be loaded");
        return nullptr;
    }
    ssl->log = &cf->cycle->new_log;  // cf->log does not live as long
    SSL_CTX_set_verify(ssl->ctx, SSL_VERIFY_PEER, SSL_CTX_get_verify_callback(ssl->ctx));
    return ssl;
}

ngx_int_t redis_tls_start(ngx_ssl_t* ssl, ngx_connection_t* connection, const std::string& name,
                          std::string& error) {
    if (ngx_ssl_create_connection(ssl, connection, NGX_SSL_CLIENT) != NGX_OK) {
        error = "no memory for TLS";
        return NGX_ERROR;
    }
    if (!name.empty() && !is_address(name) &&
        SSL_set_tlsext_host_name(connection->ssl->connection, name.c_str()) != 1) {
        error = "no memory for TLS";
        return NGX_ERROR;
    }
    // What waits to be sent may grow, and move, between two tries.
    SSL_set_mode(connection->ssl->connection, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ngx_ssl_handshake(connection);
}

void redis_tls_wait(ngx_connection_t* connection, void (*handler)(ngx_connection_t*)) noexcept {
    connection->ssl->handler = handler;
}

bool redis_tls_verify(ngx_connection_t* connection, const std::string& name, std::string& error) {
    if (!connection->ssl->handshaked) {
        error = "TLS handshake failed";
        return false;
    }
    const long verdict = SSL_get_verify_result(connection->ssl->connection);
    if (verdict != X509_V_OK) {
        error = std::string("its certificate is not trusted: ") +
                X509_verify_cert_error_string(verdict) + ", check ssl_trusted_certificate";
        return false;
    }
    if (!is_expected_host(connection, name)) {
        error = "its certificate is for another host than \"" + name + "\", check ssl_name";
        return false;
    }
    return true;
}

void redis_tls_end(ngx_connection_t* connection) noexcept {
    if (connection->ssl == nullptr) {
        return;
    }
    const OpensslErrorGuard guard;
    connection->ssl->no_wait_shutdown = 1;
    if (!connection->ssl->handshaked) {
        connection->ssl->no_send_shutdown = 1;
    }
    static_cast<void>(ngx_ssl_shutdown(connection));
}

#else

ngx_ssl_t* redis_tls_create(ngx_conf_t* cf, const std::string& /*ca_file*/) noexcept {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "this nginx was built without TLS, use \"ssl off\"");
    return nullptr;
}
ngx_int_t redis_tls_start(ngx_ssl_t* /*ssl*/, ngx_connection_t* /*connection*/,
                          const std::string& /*name*/, std::string& /*error*/) {
    return NGX_ERROR;
}
void redis_tls_wait(ngx_connection_t* /*connection*/,
                    void (* /*handler*/)(ngx_connection_t*)) noexcept {}
bool redis_tls_verify(ngx_connection_t* /*connection*/, const std::string& /*name*/,
                      std::string& /*error*/) {
    return false;
}
void redis_tls_end(ngx_connection_t* /*connection*/) noexcept {}

#endif

}  // namespace oidc::ngx
