// SPDX-License-Identifier: Apache-2.0
// The module record and nginx's life-cycle hooks.
#include <algorithm>

#include "assemble.hpp"
#include "config/conf.hpp"
#include "config/lint_server.hpp"
#include "config/messages.hpp"
#include "config/nginx_private.hpp"
#include "config/variable_use.hpp"
#include "directives.hpp"
#include "merge.hpp"
#include "oidc/version.hpp"
#include "request/sanitize.hpp"
#include "request/variables.hpp"
#include "shm/zone_memory.hpp"
#include "signin/access.hpp"
#include "signin/header_filter.hpp"
#include "signin/subrequests.hpp"
#include "stores/state_file.hpp"
#include "worker.hpp"

#if !(NGX_PCRE)
#error "nginx must be built with PCRE (session_idle_ignore needs regular expressions)"
#endif

// Else its structures have other sizes here than in nginx, which nginx's signature does not tell.
static_assert(static_cast<off_t>(NGX_MAX_OFF_T_VALUE) == NGX_MAX_OFF_T_VALUE,
              "off_t is another one than nginx's");

namespace oidc::ngx {

namespace {

ngx_int_t preconfiguration(ngx_conf_t* cf) noexcept {
    // First: another module's variables of the same names would give a less helpful message.
    if (lint_foreign_module(cf) != NGX_OK) {
        return NGX_ERROR;
    }
    if (add_variables(cf) != NGX_OK) {
        return NGX_ERROR;
    }
    note_built_in_variables(cf);
    return NGX_OK;
}

ngx_int_t add_phase_handler(ngx_conf_t* cf, ngx_uint_t phase,
                            ngx_http_handler_pt handler) noexcept {
    auto* core = static_cast<ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    auto* slot = static_cast<ngx_http_handler_pt*>(ngx_array_push(&core->phases[phase].handlers));
    if (slot == nullptr) {
        return NGX_ERROR;
    }
    *slot = handler;
    return NGX_OK;
}

// nginx runs the handlers of a phase from the last that was registered to the first. Ours that
// answers comes after all others that ask for an address or a password, and before auth_request,
// which asks about whoever is signed in; of nginx's own access modules that is the first to
// register.
ngx_int_t add_late_access_handler(ngx_conf_t* cf) noexcept {
    if (add_phase_handler(cf, NGX_HTTP_ACCESS_PHASE, late_access_handler) != NGX_OK) {
        return NGX_ERROR;
    }
    auto* core = static_cast<ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    ngx_array_t& handlers = core->phases[NGX_HTTP_ACCESS_PHASE].handlers;
    auto* first = static_cast<ngx_http_handler_pt*>(handlers.elts);
    auto* last = first + handlers.nelts;
    const ngx_uint_t before = find_module(cf, "ngx_http_auth_request_module") != nullptr ? 1 : 0;
    std::rotate(first + std::min(before, handlers.nelts - 1), last - 1, last);
    return NGX_OK;
}

ngx_int_t postconfiguration(ngx_conf_t* cf) noexcept try {
    if (finish_configuration(cf) != conf_ok()) {
        return NGX_ERROR;
    }
    if (!conf_main(cf).used) {
        return NGX_OK;  // loaded but not used: not one instruction per request
    }
    prepare_sanitizer(conf_main(cf));
    take_remote_user(cf, conf_main(cf));
    // Subrequests skip the access phase.
    if (add_phase_handler(cf, NGX_HTTP_POST_READ_PHASE, sanitize_handler) != NGX_OK ||
        add_phase_handler(cf, NGX_HTTP_PREACCESS_PHASE, subrequest_handler) != NGX_OK ||
        add_late_access_handler(cf) != NGX_OK ||
        add_phase_handler(cf, NGX_HTTP_ACCESS_PHASE, access_handler) != NGX_OK) {
        return NGX_ERROR;
    }
    return header_filter_init();
} catch (...) {
    conf_exception(cf);
    return NGX_ERROR;
}

// In the master, when a configuration holds: at the start, in an upgrade's new binary, in a reload.
ngx_int_t init_module(ngx_cycle_t* cycle) noexcept {
    if (ngx_test_config == 0) {
        // tools/install-module reads the end of this text from the built file.
        ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                      "oidc: version %*s, built for nginx/" NGINX_VERSION, kVersion.size(),
                      kVersion.data());
    }
    if (zone_memory_init_module(cycle) != NGX_OK) {
        return NGX_ERROR;
    }
    load_states(cycle);
    return NGX_OK;
}

// In the master, or the only process, when its workers are gone.
void exit_master(ngx_cycle_t* cycle) noexcept {
    save_states(cycle);
}

ngx_int_t init_process(ngx_cycle_t* cycle) noexcept {
    zone_memory_init_process(cycle);
    return Worker::begin(cycle);
}

void exit_process(ngx_cycle_t* /*cycle*/) noexcept {
    Worker::end();
}

ngx_http_module_t module_context = {
    preconfiguration, postconfiguration, create_main_conf, init_main_conf, create_srv_conf,
    nullptr,  // merge_srv_conf: nothing is configured per server alone
    create_loc_conf,  merge_loc_conf,
};

}  // namespace

}  // namespace oidc::ngx

ngx_module_t ngx_http_auth_oidc_module = {
    NGX_MODULE_V1,
    &oidc::ngx::module_context,
    oidc::ngx::oidc_commands,
    NGX_HTTP_MODULE,
    nullptr,  // init_master
    oidc::ngx::init_module,
    oidc::ngx::init_process,
    nullptr,  // init_thread
    nullptr,  // exit_thread
    oidc::ngx::exit_process,
    oidc::ngx::exit_master,
    NGX_MODULE_V1_PADDING,
};
