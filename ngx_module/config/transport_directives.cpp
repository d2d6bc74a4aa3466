// SPDX-License-Identifier: Apache-2.0
#include "config/transport_directives.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>

#include "config/provider_target.hpp"
#include "oidc/encode.hpp"
#include "oidc/ptr.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc::ngx {

namespace {

constexpr std::size_t kMaxPem = 4 * 1024 * 1024;

}  // namespace

// ---- transport -------------------------------------------------------------------------------

namespace {

// All objects of a PEM file, which is read now: workers need not be able to. `text` is all of it.
template <auto Read, class Pointer>
char* read_pem(Block& b, std::string& name, std::string& text, std::vector<Pointer>& out,
               const char* wanted) {
    if (char* rv = b.text_file(text, kMaxPem); rv != conf_ok()) {
        return rv;
    }
    const OpensslErrorGuard guard;
    const std::unique_ptr<BIO, Deleter<BIO_free_all>> bio(
        BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    while (bio) {
        Pointer object(Read(bio.get(), nullptr, nullptr, nullptr));
        if (object == nullptr) {
            break;
        }
        out.push_back(std::move(object));
    }
    if (out.empty()) {
        return b.error(std::string("holds no ") + wanted + " in PEM form");
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        return b.error(std::string("holds a ") + wanted + " that cannot be read, the one behind " +
                       std::to_string(out.size()) + " good ones");
    }
    return b.file_name(name);
}

}  // namespace

char* set_ca_file(Block& b) {
    Transport& transport = provider(b).transport;
    return read_pem<PEM_read_bio_X509>(b, transport.ca_file, transport.trust, transport.authorities,
                                       "certificate");
}

char* set_crl_file(Block& b) {
    Transport& transport = provider(b).transport;
    std::string text;  // read in vain where there is no ca_file
    return read_pem<PEM_read_bio_X509_CRL>(b, transport.crl_file, text, transport.revocation_lists,
                                           "revocation list");
}

namespace {

// What goes into Basic credentials (RFC 7617): the user is what stands before the first colon.
bool is_credential(std::string_view text, bool user) noexcept {
    return !has_control_bytes(text) && (!user || text.find(':') == std::string_view::npos);
}

}  // namespace

// http[s]://[user[:password]@]host[:port]. What was given is not shown: it may hold a password.
char* set_http_proxy(Block& b) {
    Transport& transport = provider(b).transport;
    std::string_view text = b.arg();
    const std::size_t scheme = text.find("://");
    const std::size_t at = text.rfind('@');
    std::string plain(text);
    if (scheme != std::string_view::npos && at != std::string_view::npos && at > scheme) {
        const std::string_view userinfo = text.substr(scheme + 3, at - scheme - 3);
        // They end the host: other readers of this URL, and people, would take another one for it.
        if (userinfo.find_first_of("/?#\\") != std::string_view::npos) {
            return b.error(
                "has one of \"/\", \"?\", \"#\" and \"\\\" before the \"@\", which end the host of "
                "a "
                "URL: write %2F, %3F, %23 and %5C in the user and the password");
        }
        const std::size_t colon = userinfo.find(':');
        const auto user = percent_decode(userinfo.substr(0, colon), false);
        auto password = colon == std::string_view::npos
                            ? std::optional<std::string>("")
                            : percent_decode(userinfo.substr(colon + 1), false);
        if (!user || user->empty() || !password || !is_credential(*user, true) ||
            !is_credential(*password, false)) {
            return b.error(
                "has a user or password that cannot be read, write %40 for \"@\", %3A "
                "for \":\" and %25 for \"%\"");
        }
        transport.proxy_user = *user;
        if (colon != std::string_view::npos) {
            if (!transport.proxy_password.empty()) {
                return b.error(
                    "with a password cannot be combined with "
                    "\"http_proxy_password_file\"");
            }
            transport.proxy_password = Secret(*password);
            cleanse(password->data(), password->size());
        }
        plain.erase(scheme + 3, at - scheme - 2);
    }
    const Result<Url> url = parse_url(plain);
    cleanse(plain.data(), plain.size());
    if (!url || url->path != "/" || !url->query.empty()) {
        return b.error(
            "must be a URL without path, as in http://proxy.example:3128 or "
            "http://user:password@proxy.example:3128");
    }
    transport.http_proxy = url->origin();
    return conf_ok();
}

char* set_proxy_password_file(Block& b) {
    Secret& password = provider(b).transport.proxy_password;
    Secret read;
    if (char* rv = b.secret_file(read, kMaxSecretFile); rv != conf_ok()) {
        return rv;
    }
    if (!is_credential(read.view(), false)) {
        return b.error("holds control bytes, a password has one line");
    }
    if (!password.empty()) {
        return b.error("cannot be combined with a password in \"http_proxy\"");
    }
    password = std::move(read);
    return conf_ok();
}

}  // namespace oidc::ngx
