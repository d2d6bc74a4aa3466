// SPDX-License-Identifier: Apache-2.0
// CurlTransfer: one request to the provider as libcurl carries it out: its options, what it may
// receive, and what its end means.
#pragma once

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <memory>

#include "config/conf.hpp"
#include "oidc/http_message.hpp"
#include "oidc/response_head.hpp"

namespace oidc::ngx {

// Request headers hold credentials: wiped before they are given back.
struct HeaderListDeleter {
    void operator()(curl_slist* list) const noexcept;
};
using HeaderList = std::unique_ptr<curl_slist, HeaderListDeleter>;

class CurlTransfer {
  public:
    // Borrows `transport`.
    CurlTransfer(HttpRequest request, const Transport& transport)
        : request_(std::move(request)), transport_(transport) {}
    CurlTransfer(const CurlTransfer&) = delete;
    CurlTransfer& operator=(const CurlTransfer&) = delete;

    // Sets every option on a fresh or reset handle, which from then on points at this object.
    // Error: internal_error.
    Status prepare(CURL* easy);
    // Whether nothing was sent because the peer had closed the kept connection that libcurl chose.
    // The handle is then set up for a new connection and may be added again, once.
    bool again(CURL* easy) noexcept;
    // The outcome of a handle that prepare() set up and that ended with `code`.
    HttpOutcome finish(CURL* easy, CURLcode code);
    [[nodiscard]] const HttpRequest& request() const noexcept { return request_; }
    // An error that names the endpoint and the host it was for.
    [[nodiscard]] Error error(Reason reason, std::string_view text, std::string fix = {}) const;

  private:
    static std::size_t on_header(char* data, std::size_t size, std::size_t count,
                                 void* self) noexcept;
    static std::size_t on_body(char* data, std::size_t size, std::size_t count,
                               void* self) noexcept;
    static std::size_t on_read(char* data, std::size_t size, std::size_t count,
                               void* self) noexcept;
    static CURLcode on_ssl_ctx(CURL* easy, void* ssl_ctx, void* self) noexcept;
    static int on_connected(void* self, char* peer_ip, char* own_ip, int peer_port,
                            int own_port) noexcept;
    [[nodiscard]] bool has_tls_proxy() const noexcept;
    [[nodiscard]] bool adds_to_store() const noexcept;
    [[nodiscard]] bool is_with_proxy(CURL* easy) const noexcept;
    [[nodiscard]] CURLcode trust_proxy(SSL_CTX* context) const noexcept;
    [[nodiscard]] bool ask_revocation_lists(SSL_CTX* context) const noexcept;
    bool set_tls(CURL* easy);
    bool set_proxy(CURL* easy);
    bool set_headers(CURL* easy);
    [[nodiscard]] Error failure(CURL* easy, CURLcode code) const;
    [[nodiscard]] bool unanswered(CURLcode code) const noexcept;

    HttpRequest request_;
    const Transport& transport_;
    CURL* easy_ = nullptr;  // that prepare() set up
    HeaderList headers_;
    std::string host_;  // of the URL, without brackets and final dot; for the certificate
    std::size_t sent_ = 0;
    ResponseHead head_;
    Secret body_;
    bool too_large_ = false;
    bool no_memory_ = false;
    bool kept_ = false;        // the connection that it was sent on was there before
    bool heard_ = false;       // something of an answer has come
    bool was_closed_ = false;  // the kept connection, before anything was sent
    char message_[CURL_ERROR_SIZE] = {};
};

}  // namespace oidc::ngx
