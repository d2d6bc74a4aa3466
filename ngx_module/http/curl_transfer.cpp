// SPDX-License-Identifier: Apache-2.0
#include "http/curl_transfer.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <algorithm>
#include <cstring>

#include "oidc/uri.hpp"

namespace oidc::ngx {

namespace {

constexpr long kDnsCacheSeconds = 60;
constexpr long kIdleConnectionSeconds = 60;
constexpr const char* kUserAgent = "ngx_http_auth_oidc_module";

template <class T>
bool set(CURL* easy, CURLoption option, T value) noexcept {
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

bool append(HeaderList& list, const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) {
        return false;
    }
    (void)list.release();
    list.reset(longer);
    return true;
}

bool is_tls_failure(CURLcode code) noexcept {
    switch (code) {
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CRL_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_ENGINE_INITFAILED:
        case CURLE_SSL_INVALIDCERTSTATUS:
        case CURLE_USE_SSL_FAILED:
            return true;
        default:
            return false;
    }
}

// libcurl knows where the distribution keeps its bundle as one file. With the directory of hashed
// names set as well it would parse the bundle again for each connection instead of once a day.
bool has_default_bundle() noexcept {
    const curl_version_info_data* info = curl_version_info(CURLVERSION_NOW);
    return info->age >= CURLVERSION_SEVENTH && info->cainfo != nullptr;
}

// Nothing may come on a connection that is at rest: what can be read is the end of the connection,
// TLS's word of it, or an answer to nothing.
bool is_at_rest(curl_socket_t fd) noexcept {
    pollfd state = {fd, POLLIN | POLLRDHUP, 0};
    return poll(&state, 1, 0) == 0;
}

}  // namespace

void HeaderListDeleter::operator()(curl_slist* list) const noexcept {
    for (curl_slist* item = list; item != nullptr; item = item->next) {
        cleanse(item->data, std::strlen(item->data));
    }
    curl_slist_free_all(list);
}

Status CurlTransfer::prepare(CURL* easy) {
    if (auto url = parse_url(request_.url)) {
        host_ = url->host;
        if (host_.starts_with('[') && host_.ends_with(']')) {
            host_ = host_.substr(1, host_.size() - 2);
        }
        if (host_.ends_with('.')) {
            host_.pop_back();
        }
    } else {
        return error(Reason::idp_http, url.error().detail, std::string(request_.endpoint));
    }
    easy_ = easy;
    const bool post = request_.method == HttpRequest::Method::post;
    auto total = static_cast<long>(transport_.read_timeout);
    if (request_.max_seconds != 0) {
        total = std::min(total, static_cast<long>(request_.max_seconds) * 1000);
    }
    const auto connect = static_cast<long>(transport_.connect_timeout);
    bool ok =
        set(easy, CURLOPT_ERRORBUFFER, message_) && set(easy, CURLOPT_URL, request_.url.c_str()) &&
        set(easy, CURLOPT_PATH_AS_IS, 1L) && set(easy, CURLOPT_NOSIGNAL, 1L) &&
        set(easy, CURLOPT_PROTOCOLS_STR, transport_.insecure_http ? "https,http" : "https") &&
        set(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) && set(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
        set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
        set(easy, CURLOPT_HTTP09_ALLOWED, 0L) && set(easy, CURLOPT_USERAGENT, kUserAgent) &&
        set(easy, CURLOPT_TIMEOUT_MS, std::max(total, 1L)) &&
        set(easy, CURLOPT_CONNECTTIMEOUT_MS, std::max(connect, 1L)) &&
        set(easy, CURLOPT_DNS_CACHE_TIMEOUT, kDnsCacheSeconds) &&
        set(easy, CURLOPT_MAXAGE_CONN, kIdleConnectionSeconds) &&
        set(easy, CURLOPT_HEADERFUNCTION, on_header) && set(easy, CURLOPT_HEADERDATA, this) &&
        set(easy, CURLOPT_WRITEFUNCTION, on_body) && set(easy, CURLOPT_WRITEDATA, this) &&
        set(easy, CURLOPT_PREREQFUNCTION, on_connected) && set(easy, CURLOPT_PREREQDATA, this) &&
        set_tls(easy) && set_proxy(easy) && set_headers(easy);
#if LIBCURL_VERSION_NUM >= 0x075700
    // Otherwise an abandoned name look-up joins its thread, and the worker waits with it.
    ok = ok && set(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    if (ok && post) {
        // Read from a callback and without a way back: libcurl cannot send the body a second time
        // on its own when a kept connection turns out dead. A code is used once.
        ok =
            set(easy, CURLOPT_POST, 1L) &&
            set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size())) &&
            set(easy, CURLOPT_READFUNCTION, on_read) && set(easy, CURLOPT_READDATA, this);
    }
    if (!ok) {
        return error(Reason::internal_error, "libcurl refused an option");
    }
    return Unit{};
}

bool CurlTransfer::set_tls(CURL* easy) {
    bool ok = set(easy, CURLOPT_SSL_VERIFYPEER, 1L) && set(easy, CURLOPT_SSL_VERIFYHOST, 2L) &&
              set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!transport_.trust.empty()) {
        curl_blob trust{const_cast<char*>(transport_.trust.data()), transport_.trust.size(),
                        CURL_BLOB_NOCOPY};
        ok = ok && set(easy, CURLOPT_CAINFO_BLOB, &trust);
    }
    if (!transport_.trust.empty() || has_default_bundle()) {
        // No authority lies in a revocation list. But connections to the same host that have asked
        // none are told apart from those that have by their settings, of which this is one.
        ok = ok && set(easy, CURLOPT_CAPATH,
                       transport_.crl_file.empty() ? nullptr : transport_.crl_file.c_str());
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    // What on_ssl_ctx adds must not get into a store that connections of others share.
    if (adds_to_store()) {
        ok = ok && set(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    }
#endif
    // libcurl tells connections apart by it: one that was made without is not used with it.
    if (request_.client_certificate && !transport_.client_chain.empty()) {
        curl_blob chain{const_cast<char*>(transport_.client_chain.data()),
                        transport_.client_chain.size(), CURL_BLOB_NOCOPY};
        curl_blob key{const_cast<char*>(transport_.client_key.view().data()),
                      transport_.client_key.size(), CURL_BLOB_NOCOPY};
        ok = ok && set(easy, CURLOPT_SSLCERT_BLOB, &chain) &&
             set(easy, CURLOPT_SSLCERTTYPE, "PEM") && set(easy, CURLOPT_SSLKEY_BLOB, &key) &&
             set(easy, CURLOPT_SSLKEYTYPE, "PEM");
    }
    return ok && set(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx) &&
           set(easy, CURLOPT_SSL_CTX_DATA, this);
}

bool CurlTransfer::has_tls_proxy() const noexcept {
    return transport_.http_proxy.starts_with("https:");
}

bool CurlTransfer::adds_to_store() const noexcept {
    return !transport_.revocation_lists.empty() ||
           (has_tls_proxy() && !transport_.authorities.empty());
}

bool CurlTransfer::set_proxy(CURL* easy) {
    // Both always set: the environment never decides.
    if (transport_.http_proxy.empty()) {
        return set(easy, CURLOPT_PROXY, "") && set(easy, CURLOPT_NOPROXY, "*");
    }
    bool ok = set(easy, CURLOPT_PROXY, transport_.http_proxy.c_str()) &&
              set(easy, CURLOPT_NOPROXY, "") && set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (!transport_.proxy_user.empty()) {
        Secret password(transport_.proxy_password.view());
        password.append(std::string_view("\0", 1));
        ok = ok && set(easy, CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_BASIC)) &&
             set(easy, CURLOPT_PROXYUSERNAME, transport_.proxy_user.c_str()) &&
             set(easy, CURLOPT_PROXYPASSWORD, password.view().data());
    }
    return ok;
}

bool CurlTransfer::set_headers(CURL* easy) {
    headers_.reset();
    bool ok = append(headers_, "Expect:");
    for (const Header& header : request_.headers) {
        ok = ok && append(headers_, header.name + ": " + header.value);
    }
    if (!request_.authorization.empty()) {
        Secret line("Authorization: ");
        line.append(request_.authorization.view());
        line.append(std::string_view("\0", 1));
        curl_slist* longer = ok ? curl_slist_append(headers_.get(), line.view().data()) : nullptr;
        ok = longer != nullptr;
        if (ok) {
            (void)headers_.release();
            headers_.reset(longer);
        }
    }
    return ok && set(easy, CURLOPT_HTTPHEADER, headers_.get());
}

std::size_t CurlTransfer::on_header(char* data, std::size_t size, std::size_t count,
                                    void* self) noexcept try {
    auto& transfer = *static_cast<CurlTransfer*>(self);
    const std::size_t bytes = size * count;
    transfer.heard_ = true;
    if (!transfer.head_.accept({data, bytes})) {
        return 0;
    }
    const auto length = transfer.head_.content_length();
    if (length && *length > transfer.request_.max_response) {
        transfer.too_large_ = true;
        return 0;
    }
    return bytes;
} catch (...) {
    static_cast<CurlTransfer*>(self)->no_memory_ = true;
    return 0;
}

std::size_t CurlTransfer::on_body(char* data, std::size_t size, std::size_t count,
                                  void* self) noexcept try {
    auto& transfer = *static_cast<CurlTransfer*>(self);
    const std::size_t bytes = size * count;
    if (bytes > transfer.request_.max_response - transfer.body_.size()) {
        transfer.too_large_ = true;
        return 0;
    }
    if (transfer.body_.empty() && transfer.head_.content_length()) {
        transfer.body_.reserve(static_cast<std::size_t>(*transfer.head_.content_length()));
    }
    transfer.body_.append({data, bytes});
    return bytes;
} catch (...) {
    static_cast<CurlTransfer*>(self)->no_memory_ = true;
    return 0;
}

std::size_t CurlTransfer::on_read(char* data, std::size_t size, std::size_t count,
                                  void* self) noexcept {
    auto& transfer = *static_cast<CurlTransfer*>(self);
    std::string_view left = transfer.request_.body.view();
    left.remove_prefix(transfer.sent_);
    const std::size_t bytes = std::min(size * count, left.size());
    std::memcpy(data, left.data(), bytes);
    transfer.sent_ += bytes;
    return bytes;
}

// Whether the handshake that begins is with a TLS proxy: no tunnel is there yet.
bool CurlTransfer::is_with_proxy(CURL* easy) const noexcept {
    long answer = 0;
    return has_tls_proxy() &&
           (curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &answer) != CURLE_OK ||
            answer / 100 != 2);
}

// The proxy's name is libcurl's to check; it is trusted by the system's authorities and ours.
CURLcode CurlTransfer::trust_proxy(SSL_CTX* context) const noexcept {
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    for (const X509Ptr& authority : transport_.authorities) {
        if (X509_STORE_add_cert(store, authority.get()) != 1) {
            return CURLE_SSL_CONNECT_ERROR;
        }
    }
    return CURLE_OK;
}

bool CurlTransfer::ask_revocation_lists(SSL_CTX* context) const noexcept {
    if (transport_.revocation_lists.empty()) {
        return true;
    }
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    for (const X509CrlPtr& list : transport_.revocation_lists) {
        if (X509_STORE_add_crl(store, list.get()) != 1) {
            return false;
        }
    }
    return X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1;
}

// libcurl itself accepts a name from the certificate's common name, and checks the name after the
// handshake. OpenSSL does it within, and by RFC 6125: subject alternative names only.
CURLcode CurlTransfer::on_ssl_ctx(CURL* easy, void* ssl_ctx, void* self) noexcept {
    const CurlTransfer& transfer = *static_cast<CurlTransfer*>(self);
    auto* context = static_cast<SSL_CTX*>(ssl_ctx);
    if (transfer.is_with_proxy(easy)) {
        return transfer.trust_proxy(context);
    }
    if (!transfer.ask_revocation_lists(context)) {
        return CURLE_SSL_CRL_BADFILE;
    }
    const std::string& host = transfer.host_;
    X509_VERIFY_PARAM* param = SSL_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_hostflags(
        param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str()) == 1 ||
        X509_VERIFY_PARAM_set1_host(param, host.data(), host.size()) == 1) {
        return CURLE_OK;
    }
    return CURLE_SSL_CONNECT_ERROR;
}

// libcurl 8.22 and later look at a kept connection once a second at most, and may choose one that
// the peer has closed since. Earlier ones have just looked, and do not tell the socket here.
int CurlTransfer::on_connected(void* self, char* /*peer_ip*/, char* /*own_ip*/, int /*peer_port*/,
                               int /*own_port*/) noexcept {
    auto& transfer = *static_cast<CurlTransfer*>(self);
    long connects = 0;
    curl_socket_t fd = CURL_SOCKET_BAD;
    transfer.kept_ =
        curl_easy_getinfo(transfer.easy_, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK &&
        connects == 0;
    transfer.was_closed_ =
        transfer.kept_ &&
        curl_easy_getinfo(transfer.easy_, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK &&
        fd != CURL_SOCKET_BAD && !is_at_rest(fd);
    return transfer.was_closed_ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

bool CurlTransfer::again(CURL* easy) noexcept {
    if (!was_closed_) {
        return false;
    }
    was_closed_ = false;
    kept_ = false;
    message_[0] = '\0';
    return set(easy, CURLOPT_FRESH_CONNECT, 1L);
}

Error CurlTransfer::error(Reason reason, std::string_view text, std::string fix) const {
    std::string detail(request_.endpoint);
    // The origin only: paths and queries may hold what does not belong into a log.
    if (auto url = parse_url(request_.url)) {
        detail.append(" ").append(url->origin());
    }
    detail.append(": ").append(text);
    return fail(reason, std::move(detail), std::move(fix));
}

HttpOutcome CurlTransfer::finish(CURL* easy, CURLcode code) {
    if (code != CURLE_OK) {
        Error failed = failure(easy, code);
        failed.unanswered = unanswered(code);
        return failed;
    }
    if (head_.status() < 200) {
        return error(Reason::idp_http, "no response");
    }
    HttpResponse response;
    response.status = head_.status();
    response.content_type = head_.content_type();
    response.location = head_.location();
    response.retry_after = head_.retry_after();
    response.dpop_nonce = head_.dpop_nonce();
    response.authenticate = head_.authenticate();
    char* absolute = nullptr;
    if (!response.location.empty() &&
        curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &absolute) == CURLE_OK &&
        absolute != nullptr) {
        response.location = absolute;
    }
    response.body = std::move(body_);
    return response;
}

bool CurlTransfer::unanswered(CURLcode code) const noexcept {
    const bool ended = code == CURLE_GOT_NOTHING || code == CURLE_SEND_ERROR ||
                       code == CURLE_RECV_ERROR || code == CURLE_SEND_FAIL_REWIND;
    return ended && kept_ && !heard_ && body_.empty();
}

Error CurlTransfer::failure(CURL* easy, CURLcode code) const {
    if (no_memory_ || code == CURLE_FAILED_INIT) {
        return error(Reason::internal_error, "no memory");
    }
    if (code == CURLE_OUT_OF_MEMORY) {
        // libcurl's answer to a header line beyond its own limit as well.
        return error(Reason::idp_http, "response header line is too long, or no memory");
    }
    if (too_large_ || code == CURLE_FILESIZE_EXCEEDED) {
        return error(Reason::idp_too_large,
                     "response is larger than " + std::to_string(request_.max_response) + " bytes");
    }
    if (head_.problem() != nullptr) {
        return error(Reason::idp_http, head_.problem());
    }
    const std::string_view text = message_[0] != '\0' ? message_ : curl_easy_strerror(code);
    long connect = 0;
    if (!transport_.http_proxy.empty() &&
        curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connect) == CURLE_OK &&
        connect >= 300) {
        return error(Reason::idp_connect, "the proxy answered " + std::to_string(connect),
                     "http_proxy");
    }
    switch (code) {
        case CURLE_OPERATION_TIMEDOUT: {
            curl_off_t connected = 0;
            curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
            return error(Reason::idp_timeout, text,
                         connected == 0 ? "connect_timeout" : "read_timeout");
        }
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_PROXY:
            return error(Reason::idp_connect, text, "http_proxy");
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
            return error(Reason::idp_connect, text, std::string(request_.endpoint));
        case CURLE_SEND_FAIL_REWIND:
            return error(Reason::idp_http,
                         "a kept connection was closed by the peer while the request was sent");
        case CURLE_SSL_CERTPROBLEM:
            return error(Reason::idp_tls, text, "client_certificate");
        case CURLE_SSL_CRL_BADFILE:
            return error(Reason::idp_tls, text, "ssl_crl");
        case CURLE_PEER_FAILED_VERIFICATION:
            // OpenSSL's words for a certificate that is trusted but of another name.
            return error(Reason::idp_tls, text,
                         text.find("mismatch") == std::string_view::npos
                             ? "ssl_trusted_certificate"
                             : std::string(request_.endpoint));
        case CURLE_SSL_CACERT_BADFILE:
            return error(Reason::idp_tls, text, "ssl_trusted_certificate");
        default:
            return error(is_tls_failure(code) ? Reason::idp_tls : Reason::idp_http, text);
    }
}

}  // namespace oidc::ngx
