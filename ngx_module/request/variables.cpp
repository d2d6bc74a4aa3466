// SPDX-License-Identifier: Apache-2.0
#include "request/variables.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "base/ports_ngx.hpp"
#include "oidc/text.hpp"
#include "oidc/token_life.hpp"
#include "request/backend_assertion.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

namespace {

constexpr std::string_view kClaimPrefix = "oidc_claim_";

// Borrows `text`; empty counts as absent, so that logs show "-".
ngx_int_t set_value(ngx_http_variable_value_t* v, std::string_view text) noexcept {
    v->no_cacheable = 1;
    v->escape = 0;
    v->valid = text.empty() ? 0 : 1;
    v->not_found = text.empty() ? 1 : 0;
    v->len = static_cast<unsigned>(text.size()) & 0x0fffffffU;
    v->data = text.empty() ? nullptr : borrow(text).data;
    return NGX_OK;
}

ngx_int_t set_copy(ngx_http_request_t* r, ngx_http_variable_value_t* v,
                   std::string_view text) noexcept {
    const ngx_str_t copy = copy_to_pool(r->pool, text);
    if (copy.data == nullptr) {
        return NGX_ERROR;
    }
    return set_value(v, view(copy));
}

ngx_int_t get_authenticated(ngx_http_request_t* r, ngx_http_variable_value_t* v,
                            uintptr_t /*data*/) noexcept {
    return set_value(v, identity_of(r) != nullptr ? "1" : "0");
}

// $oidc_user and $oidc_userinfo: one member of the session each.
template <auto Member>
ngx_int_t get_session_text(ngx_http_request_t* r, ngx_http_variable_value_t* v,
                           uintptr_t /*data*/) noexcept try {
    const Decision* identity = identity_of(r);
    return set_value(v, identity != nullptr ? (identity->session.*Member)() : std::string_view());
} catch (...) {
    return NGX_ERROR;
}

// The token, unless it has ended: no backend shall be given such a one.
template <auto Life, auto Member>
std::string_view live_token(ngx_http_request_t* r, const Decision& decision, const char* name) {
    const SessionView& session = decision.session;
    const TokenLife life = Life(session, ngx_time());
    if (life == TokenLife::ended) {
        const ProviderConfig& config = decision.provider->config;
        NgxLog(r->connection->log)
            .note(Notice::token_ended, LogLevel::warn,
                  std::string(name) + " token of " + in_quotes(session.username()) +
                      " is left out, it has ended: " + std::string(why_ended(session, config)));
    }
    return life == TokenLife::lives ? (session.*Member)() : std::string_view();
}

std::string_view live_access_token(ngx_http_request_t* r, const Decision& decision) {
    return live_token<access_token_life, &SessionView::access_token>(r, decision, "the access");
}

std::string_view live_id_token(ngx_http_request_t* r, const Decision& decision) {
    return live_token<id_token_life, &SessionView::id_token>(r, decision, "the ID");
}

template <auto Token>
ngx_int_t get_token(ngx_http_request_t* r, ngx_http_variable_value_t* v,
                    uintptr_t /*data*/) noexcept try {
    const Decision* identity = identity_of(r);
    return set_value(v, identity != nullptr ? Token(r, *identity) : std::string_view());
} catch (...) {
    return NGX_ERROR;
}

// The name that a variable was registered or asked with.
const ngx_str_t& name_of(uintptr_t data) noexcept {
    return *reinterpret_cast<const ngx_str_t*>(data);  // NOLINT(performance-no-int-to-ptr)
}

// nginx lower-cases the names of variables, claims are case-sensitive: the exact name wins.
std::string_view find_claim(const SessionView& session, std::string_view name) {
    if (const auto text = session.claim(name)) {
        return *text;
    }
    for (std::uint32_t i = 0; i < session.claim_count(); i++) {
        const SessionView::Entry entry = session.claim_at(i);
        if (equal_nocase(entry.name, name)) {
            return entry.text;
        }
    }
    return {};
}

ngx_int_t get_claim(ngx_http_request_t* r, ngx_http_variable_value_t* v, uintptr_t data) noexcept
    try {
    const Decision* identity = identity_of(r);
    if (identity == nullptr) {
        return set_value(v, {});
    }
    std::string_view name = view(name_of(data));
    name.remove_prefix(std::min(kClaimPrefix.size(), name.size()));
    return set_value(v, find_claim(identity->session, name));
} catch (...) {
    return NGX_ERROR;
}

ngx_int_t get_claim_set(ngx_http_request_t* r, ngx_http_variable_value_t* v,
                        uintptr_t data) noexcept try {
    const Decision* identity = identity_of(r);
    if (identity == nullptr) {
        return set_value(v, {});
    }
    const auto text = identity->session.claim(view(name_of(data)));
    return set_value(v, text.value_or(std::string_view()));
} catch (...) {
    return NGX_ERROR;
}

ngx_int_t get_provider(ngx_http_request_t* r, ngx_http_variable_value_t* v,
                       uintptr_t /*data*/) noexcept {
    const Decision* identity = identity_of(r);
    if (identity == nullptr) {
        return set_value(v, {});
    }
    return set_value(v, identity->provider->config.name);
}

ngx_int_t get_session_id(ngx_http_request_t* r, ngx_http_variable_value_t* v,
                         uintptr_t /*data*/) noexcept {
    const Decision* identity = identity_of(r);
    if (identity == nullptr) {
        return set_value(v, {});
    }
    // The key is a digest of the id already; half of it tells sessions apart and opens nothing.
    constexpr std::size_t kBytes = 8;
    std::array<u_char, 2 * kBytes> text;
    ngx_hex_dump(text.data(), const_cast<u_char*>(identity->ref.key.data()), kBytes);
    return set_copy(r, v, {reinterpret_cast<const char*>(text.data()), text.size()});
}

ngx_int_t get_session_expires(ngx_http_request_t* r, ngx_http_variable_value_t* v,
                              uintptr_t /*data*/) noexcept {
    const Decision* identity = identity_of(r);
    if (identity == nullptr) {
        return set_value(v, {});
    }
    std::array<char, 24> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), identity->expires);
    return set_copy(r, v, {text.data(), static_cast<std::size_t>(end.ptr - text.data())});
}

ngx_int_t get_error(ngx_http_request_t* r, ngx_http_variable_value_t* v,
                    uintptr_t /*data*/) noexcept {
    const RequestContext* ctx = find_context(r);
    if (ctx == nullptr || ctx->answer.error_code == nullptr) {
        return set_value(v, {});
    }
    return set_value(v, ctx->answer.error_code);
}

ngx_int_t get_assertion(ngx_http_request_t* r, ngx_http_variable_value_t* v,
                        uintptr_t /*data*/) noexcept try {
    // It is made when it is first asked for.
    Decision* identity = identity_of(r);
    if (identity == nullptr) {
        return set_value(v, {});
    }
    const Result<ngx_str_t> text = request_assertion(r, *identity);
    if (!text) {
        NgxLog(r->connection->log)
            .write(LogLevel::error, "$oidc_assertion: " + text.error().detail);
        return NGX_ERROR;
    }
    return set_value(v, view(*text));
} catch (...) {
    return NGX_ERROR;
}

// CGI's REMOTE_USER. nginx's own value is the name in Basic credentials that nobody may have looked
// at; the credentials themselves go on to the application.
ngx_int_t get_remote_user(ngx_http_request_t* r, ngx_http_variable_value_t* v,
                          uintptr_t /*data*/) noexcept try {
    const MainConf& main = main_conf(r);
    if (!srv_conf(r).uses_oidc) {
        return main.remote_user(r, v, main.remote_user_data);
    }
    const RequestContext* ctx = find_context(r);
    if (ctx != nullptr && ctx->identity_given && ctx->authenticated()) {
        return set_value(v, ctx->decision->session.username());
    }
    return loc_conf(r).user_name_checked ? main.remote_user(r, v, main.remote_user_data)
                                         : set_value(v, {});
} catch (...) {
    return NGX_ERROR;
}

bool add_variable(ngx_conf_t* cf, std::string_view name, ngx_uint_t flags,
                  ngx_http_get_variable_pt handler, uintptr_t data) noexcept {
    ngx_str_t copy = copy_to_pool(cf->pool, name);
    if (copy.data == nullptr) {
        return false;
    }
    ngx_http_variable_t* variable =
        ngx_http_add_variable(cf, &copy, flags | NGX_HTTP_VAR_NOCACHEABLE);
    if (variable == nullptr) {
        return false;
    }
    variable->get_handler = handler;
    variable->data = data;
    return true;
}

}  // namespace

bool identity_variable(ngx_http_request_t* r, const Decision& decision, ngx_int_t index,
                       ngx_str_t& out) noexcept try {
    const auto* core = static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_get_module_main_conf(r, ngx_http_core_module));
    if (index < 0 || static_cast<ngx_uint_t>(index) >= core->variables.nelts ||
        !decision.authenticated) {
        return false;
    }
    const auto& variable = static_cast<const ngx_http_variable_t*>(core->variables.elts)[index];
    if (variable.get_handler == get_claim) {
        out = borrow(find_claim(decision.session, view(variable.name).substr(kClaimPrefix.size())));
        return true;
    }
    if (variable.get_handler == get_session_text<&SessionView::username>) {
        out = borrow(decision.session.username());
        return true;
    }
    return false;
} catch (...) {
    return false;
}

bool has_live_tokens(ngx_http_request_t* r, const Decision& decision, TokenUse tokens) {
    return (!tokens.access || !live_access_token(r, decision).empty()) &&
           (!tokens.id || !live_id_token(r, decision).empty());
}

ngx_int_t add_variables(ngx_conf_t* cf) noexcept {
    struct Entry {
        std::string_view name;
        ngx_http_get_variable_pt handler;
    };
    static constexpr std::array<Entry, 10> kVariables{{
        {"oidc_authenticated", get_authenticated},
        {"oidc_user", get_session_text<&SessionView::username>},
        {"oidc_id_token", get_token<live_id_token>},
        {"oidc_access_token", get_token<live_access_token>},
        {"oidc_userinfo", get_session_text<&SessionView::userinfo>},
        {"oidc_provider", get_provider},
        {"oidc_session_id", get_session_id},
        {"oidc_session_expires", get_session_expires},
        {"oidc_error", get_error},
        {"oidc_assertion", get_assertion},
    }};
    for (const Entry& entry : kVariables) {
        if (!add_variable(cf, entry.name, 0, entry.handler, 0)) {
            return NGX_ERROR;
        }
    }
    return add_variable(cf, kClaimPrefix, NGX_HTTP_VAR_PREFIX, get_claim, 0) ? NGX_OK : NGX_ERROR;
}

void take_remote_user(ngx_conf_t* cf, MainConf& main) noexcept {
    const auto& core = *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    const std::span keys(static_cast<const ngx_hash_key_t*>(core.variables_keys->keys.elts),
                         core.variables_keys->keys.nelts);
    for (const ngx_hash_key_t& key : keys) {
        if (view(key.key) != "remote_user") {
            continue;
        }
        auto& variable = *static_cast<ngx_http_variable_t*>(key.value);
        main.remote_user = variable.get_handler;
        main.remote_user_data = variable.data;
        variable.get_handler = get_remote_user;
        variable.flags |= NGX_HTTP_VAR_NOCACHEABLE;
    }
}

bool add_claim_set_variable(ngx_conf_t* cf, const ClaimSet& set) {
    auto* key = static_cast<ngx_str_t*>(ngx_palloc(cf->pool, sizeof(ngx_str_t)));
    if (key == nullptr) {
        return false;
    }
    *key = copy_to_pool(cf->pool, set.key);
    return key->data != nullptr &&
           add_variable(cf, set.variable, 0, get_claim_set, reinterpret_cast<uintptr_t>(key));
}

}  // namespace oidc::ngx
