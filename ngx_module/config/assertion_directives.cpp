// SPDX-License-Identifier: Apache-2.0
#include "config/assertion_directives.hpp"

#include <memory>
#include <optional>

#include "config/block.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

namespace {

struct AssertionBlock {
    Assertion assertion;
    Alg alg = Alg::HS256;
    Secret key_text;
};

char* set_assertion_alg(Block& b) {
    const std::optional<Alg> alg = alg_from_name(b.arg());
    if (alg != Alg::HS256 && alg != Alg::ES256 && alg != Alg::EdDSA) {
        return b.invalid(b.arg(), "\"HS256\", \"ES256\" or \"EdDSA\"");
    }
    b.target<AssertionBlock>().alg = *alg;
    return conf_ok();
}

char* set_max_size(Block& b) {
    const ssize_t size = ngx_parse_size(&b.raw());
    if (size < 1024 || size > 256 * 1024) {
        return b.invalid(b.arg(), "a size from 1k to 256k");
    }
    b.target<AssertionBlock>().assertion.max_size = static_cast<std::size_t>(size);
    return conf_ok();
}

constexpr BlockDirective kAssertionDirectives[] = {
    {"key_file",
     {},
     1,
     1,
     [](Block& b) { return b.secret_file(b.target<AssertionBlock>().key_text, 16 * 1024); }},
    {"alg", {}, 1, 1, set_assertion_alg},
    {"audience",
     {},
     1,
     1,
     [](Block& b) { return b.complex(b.target<AssertionBlock>().assertion.audience); }},
    {"lifetime",
     {},
     1,
     1,
     [](Block& b) { return b.seconds(b.target<AssertionBlock>().assertion.lifetime, 1, 60); }},
    {"claims",
     {},
     1,
     64,
     [](Block& b) { return b.words(b.target<AssertionBlock>().assertion.claims); }},
    {"max_size", {}, 1, 1, set_max_size},
};

}  // namespace

char* set_assertion(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (loc.assertion_block != nullptr) {
        return conf_duplicate();
    }
    const Place place = place_of(cf);
    AssertionBlock content;
    Block block("oidc_assertion", kAssertionDirectives, &content);
    if (char* rv = block.parse(cf); rv != conf_ok()) {
        return rv;
    }
    if (!block.given("key_file")) {
        return conf_error(cf, place, "\"key_file\" is missing in oidc_assertion");
    }
    Result<AssertionSigner> signer = AssertionSigner::create(content.alg, content.key_text.view());
    if (!signer) {
        return conf_error(cf, block.where("key_file"),
                          "\"key_file\" is no key for " + std::string(alg_name(content.alg)) +
                              ": " + signer.error().detail);
    }
    content.assertion.signer = std::make_unique<AssertionSigner>(*std::move(signer));
    loc.assertion_block = std::make_shared<const Assertion>(std::move(content.assertion));
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

}  // namespace oidc::ngx
