// SPDX-License-Identifier: Apache-2.0
// TLS towards Redis, with nginx's own: TLS 1.2 or later, chain and host name verified.
#pragma once

#include <string>

#include "base/ngx.hpp"

namespace oidc::ngx {

// Made while the configuration is read, for as long as it lives. `ca_file` empty: the system's
// certificates. Null: an error was logged.
ngx_ssl_t* redis_tls_create(ngx_conf_t* cf, const std::string& ca_file) noexcept;

// `name`: host name or address that the certificate must be for.
// NGX_OK: the handshake is over. NGX_AGAIN: redis_tls_wait() says when it is.
ngx_int_t redis_tls_start(ngx_ssl_t* ssl, ngx_connection_t* connection, const std::string& name,
                          std::string& error);
void redis_tls_wait(ngx_connection_t* connection, void (*handler)(ngx_connection_t*)) noexcept;
// Whether the handshake succeeded, and with whom it had to.
bool redis_tls_verify(ngx_connection_t* connection, const std::string& name, std::string& error);
// Says goodbye, without waiting for an answer. Nothing happens without TLS.
void redis_tls_end(ngx_connection_t* connection) noexcept;

}  // namespace oidc::ngx
