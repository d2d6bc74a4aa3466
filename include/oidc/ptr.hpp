// SPDX-License-Identifier: Apache-2.0
// Ptr types: one unique_ptr per C type that the core owns.
#pragma once

#include <cjose/cjose.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>

namespace oidc {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* p) const noexcept {
        Free(p);
    }
};

struct JsonDeleter {
    void operator()(json_t* p) const noexcept { json_decref(p); }
};

using JsonPtr = std::unique_ptr<json_t, JsonDeleter>;
using JwkPtr = std::unique_ptr<cjose_jwk_t, Deleter<cjose_jwk_release>>;
using JwsPtr = std::unique_ptr<cjose_jws_t, Deleter<cjose_jws_release>>;
using PkeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using PkeyCtxPtr = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using MdCtxPtr = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using MdPtr = std::unique_ptr<EVP_MD, Deleter<EVP_MD_free>>;
using CipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, Deleter<EVP_CIPHER_CTX_free>>;
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using X509CrlPtr = std::unique_ptr<X509_CRL, Deleter<X509_CRL_free>>;
using CipherPtr = std::unique_ptr<EVP_CIPHER, Deleter<EVP_CIPHER_free>>;

// Leaves OpenSSL's error queue empty when the scope ends. nginx reports whatever is left there as
// an alert of some other client's connection.
struct OpensslErrorGuard {
    OpensslErrorGuard() = default;
    OpensslErrorGuard(const OpensslErrorGuard&) = delete;
    OpensslErrorGuard& operator=(const OpensslErrorGuard&) = delete;
    ~OpensslErrorGuard();
};

}  // namespace oidc
