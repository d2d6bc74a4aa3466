// SPDX-License-Identifier: Apache-2.0
#include "config/messages.hpp"

#include <new>

namespace oidc::ngx {

Place place_of(ngx_conf_t* cf) noexcept {
    if (cf->conf_file == nullptr || cf->conf_file->file.fd == NGX_INVALID_FILE) {
        return {};
    }
    return {cf->conf_file->file.name, cf->conf_file->line};
}

std::string shown(const Place& place) {
    return std::string(view(place.file)).append(":").append(std::to_string(place.line));
}

namespace {

void log_at(ngx_conf_t* cf, ngx_uint_t level, const Place& place, std::string_view text,
            ngx_err_t err) noexcept {
    ngx_str_t message = borrow(text);
    if (place.file.len == 0) {
        ngx_log_error(level, cf->log, err, "%V", &message);
        return;
    }
    ngx_log_error(level, cf->log, err, "%V in %V:%ui", &message, &place.file, place.line);
}

}  // namespace

char* conf_error(ngx_conf_t* cf, const Place& place, const std::string& text,
                 ngx_err_t err) noexcept {
    log_at(cf, NGX_LOG_EMERG, place, text, err);
    return conf_fail();
}

void conf_warn(ngx_conf_t* cf, const Place& place, const std::string& text) noexcept {
    log_at(cf, NGX_LOG_WARN, place, text, 0);
}

char* conf_exception(ngx_conf_t* cf) noexcept {
    try {
        throw;
    } catch (const std::bad_alloc&) {
        log_at(cf, NGX_LOG_EMERG, place_of(cf), "out of memory while reading the configuration", 0);
    } catch (...) {
        log_at(cf, NGX_LOG_EMERG, place_of(cf), "internal error while reading the configuration",
               0);
    }
    return conf_fail();
}

}  // namespace oidc::ngx
