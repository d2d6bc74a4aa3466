// SPDX-License-Identifier: Apache-2.0
#include "config/block.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <vector>

#include "config/regular_file.hpp"
#include "config/renewed_file.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc::ngx {

ngx_http_complex_value_t* compile_value(ngx_conf_t* cf, ngx_str_t value) noexcept {
    auto* out = static_cast<ngx_http_complex_value_t*>(
        ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t)));
    if (out == nullptr) {
        return nullptr;
    }
    ngx_str_t copy = copy_to_pool(cf->pool, view(value));
    if (copy.data == nullptr) {
        return nullptr;
    }
    ngx_http_compile_complex_value_t compile;
    ngx_memzero(&compile, sizeof(compile));
    compile.cf = cf;
    compile.value = &copy;
    compile.complex_value = out;
    return ngx_http_compile_complex_value(&compile) == NGX_OK ? out : nullptr;
}

ngx_regex_t* compile_pattern(ngx_conf_t* cf, std::string_view pattern, std::string& problem) {
    std::array<u_char, NGX_MAX_CONF_ERRSTR> message{};
    ngx_regex_compile_t compile;
    ngx_memzero(&compile, sizeof(compile));
    pattern.remove_prefix(1);
    if (pattern.starts_with('*')) {
        pattern.remove_prefix(1);
        compile.options = NGX_REGEX_CASELESS;
    }
    if (pattern.empty()) {
        return nullptr;
    }
    compile.pattern = copy_to_pool(cf->pool, pattern);
    compile.pool = cf->pool;
    compile.err.data = message.data();
    compile.err.len = message.size();
    if (compile.pattern.data == nullptr) {
        problem = "out of memory";
        return nullptr;
    }
    if (ngx_regex_compile(&compile) != NGX_OK) {
        problem = view(compile.err);
        return nullptr;
    }
    return compile.regex;
}

// ---- the block driver ------------------------------------------------------------------------

char* Block::parse(ngx_conf_t* cf) noexcept {
    const ngx_conf_t saved = *cf;
    cf->handler = handler;
    cf->handler_conf = this;
    char* rv = ngx_conf_parse(cf, nullptr);
    *cf = saved;
    cf_ = cf;
    return rv;
}

char* Block::handler(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    return static_cast<Block*>(conf)->directive(cf);
} catch (...) {
    return conf_exception(cf);
}

char* Block::directive(ngx_conf_t* cf) {
    auto* values = static_cast<ngx_str_t*>(cf->args->elts);
    cf_ = cf;
    args_ = std::span(values + 1, cf->args->nelts - 1);
    name_ = view(values[0]);

    if (name_ == "include") {
        if (args_.size() != 1) {
            return conf_error(cf, "invalid number of arguments in \"include\" directive");
        }
        return ngx_conf_include(cf, nullptr, nullptr);
    }
    const auto found = std::find_if(table_.begin(), table_.end(),
                                    [&](const BlockDirective& d) { return d.name == name_; });
    if (found == table_.end()) {
        return conf_error(cf, "unknown directive " + in_quotes(name_) + " in " + label_);
    }
    if (args_.size() < found->min_args || args_.size() > found->max_args) {
        return conf_error(cf, "invalid number of arguments in " + in_quotes(name_) + " directive");
    }
    const std::string_view counted = found->alias_of.empty() ? found->name : found->alias_of;
    for (const Seen& seen : seen_) {
        if (seen.name == counted && !found->repeats) {
            return conf_error(cf, in_quotes(name_) + " directive is duplicate");
        }
    }
    seen_.push_back({counted, place_of(cf)});
    return found->set(*this);
}

char* Block::error(std::string_view text, ngx_err_t err) const {
    return conf_error(cf_, in_quotes(name_) + " " + std::string(text), err);
}

char* Block::invalid(std::string_view value, std::string_view wanted) const {
    return conf_error(cf_, "invalid value " + in_quotes(value) + " in " + in_quotes(name_) +
                               " directive, it must be " + std::string(wanted));
}

bool Block::given(std::string_view name) const noexcept {
    return std::any_of(seen_.begin(), seen_.end(), [&](const Seen& s) { return s.name == name; });
}

Place Block::where(std::string_view name) const noexcept {
    for (const Seen& seen : seen_) {
        if (seen.name == name) {
            return seen.place;
        }
    }
    return {};
}

// ---- readers ---------------------------------------------------------------------------------

char* Block::text(std::string& out) const {
    if (arg().empty()) {
        return error("must not be empty");
    }
    if (has_control_bytes(arg())) {
        return error("must not hold control characters");
    }
    out = arg();
    return conf_ok();
}

char* Block::words(std::vector<std::string>& out) const {
    out.clear();
    for (std::size_t i = 0; i < size(); i++) {
        std::string_view rest = arg(i);
        if (has_control_bytes(rest)) {
            return error("must not hold control characters");
        }
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find(' '), rest.size());
            if (end > 0) {
                out.emplace_back(rest.substr(0, end));
            }
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    if (out.empty()) {
        return error("must not be empty");
    }
    return conf_ok();
}

char* Block::flag(bool& out) const {
    if (arg() != "on" && arg() != "off") {
        return invalid(arg(), "\"on\" or \"off\"");
    }
    out = arg() == "on";
    return conf_ok();
}

char* Block::seconds(Seconds& out, Seconds min, Seconds max) const {
    const ngx_int_t value = ngx_parse_time(&raw(), 1);
    if (value == static_cast<ngx_int_t>(NGX_ERROR)) {
        return invalid(arg(), "a time");
    }
    if (value < min || value > max) {
        return invalid(
            arg(), "a time between " + std::to_string(min) + "s and " + std::to_string(max) + "s");
    }
    out = value;
    return conf_ok();
}

char* Block::msec(ngx_msec_t& out) const {
    const ngx_int_t value = ngx_parse_time(&raw(), 0);
    if (value == static_cast<ngx_int_t>(NGX_ERROR)) {
        return invalid(arg(), "a time");
    }
    if (value < 1 || value > 600 * 1000) {
        return invalid(arg(), "a time between 1ms and 600s");
    }
    out = static_cast<ngx_msec_t>(value);
    return conf_ok();
}

char* Block::complex(ngx_http_complex_value_t*& out) const {
    std::string joined;
    for (std::size_t i = 0; i < size(); i++) {
        if (i > 0) {
            joined += ' ';
        }
        joined += arg(i);
    }
    if (joined.empty()) {
        return error("must not be empty");
    }
    if (has_control_bytes(joined)) {
        return error("must not hold control characters");
    }
    out = compile_value(cf_, borrow(joined));
    return out == nullptr ? conf_fail() : conf_ok();
}

char* Block::local_path(std::string& out) const {
    if (const char* problem = local_path_problem(arg())) {
        return error(std::string(problem) + ", not " + in_quotes(arg()));
    }
    out = arg();
    return conf_ok();
}

char* Block::file_name(std::string& out) const {
    return full_name(arg(), out);
}

char* Block::full_name(std::string_view name, std::string& out) const {
    if (name.empty()) {
        return error("must not be empty");
    }
    ngx_str_t full = copy_to_pool(cf_->pool, name);
    if (full.data == nullptr || ngx_conf_full_name(cf_->cycle, &full, 1) != NGX_OK) {
        return conf_fail();
    }
    out = view(full);
    return conf_ok();
}

// ---- files -----------------------------------------------------------------------------------

char* Block::read_file(std::string_view name, std::string& path, ReadFile& out,
                       std::size_t max) const {
    if (char* rv = full_name(name, path); rv != conf_ok()) {
        return rv;
    }
    out = read_regular_file(path, max);
    return out.problem == nullptr ? conf_ok() : error(in_quotes(path) + " " + out.problem, out.err);
}

char* Block::secret_file(std::string_view name, Secret& out, std::size_t max) const {
    std::string path;
    ReadFile file;
    if (char* rv = read_file(name, path, file, max); rv != conf_ok()) {
        return rv;
    }
    std::string_view text = file.content.view();
    if (text.ends_with('\n')) {
        text.remove_suffix(text.ends_with("\r\n") ? 2 : 1);
    }
    if (text.empty()) {
        return error(in_quotes(path) + " is empty");
    }
    if ((file.mode & (S_IRGRP | S_IROTH)) != 0) {
        conf_warn(cf_, in_quotes(name_) + " " + in_quotes(path) +
                           " can be read by other users, it should have mode 0600");
    }
    out = Secret(text);
    return conf_ok();
}

char* Block::renewed_file(Secret& out, RenewedFile& file, std::size_t max) const {
    ReadFile read;
    if (char* rv = read_file(arg(), file.path, read, max); rv != conf_ok()) {
        return rv;
    }
    if ((read.mode & S_IROTH) != 0) {
        conf_warn(cf_, in_quotes(name_) + " " + in_quotes(file.path) +
                           " can be read by everybody, it should have the group of the workers and "
                           "mode 0640");
    }
    file.max = max;
    file.place = place_of(cf_);
    file.stamp = read.stamp;
    out = std::move(read.content);
    return conf_ok();
}

char* Block::text_file(std::string& out, std::size_t max) const {
    std::string path;
    ReadFile file;
    if (char* rv = read_file(arg(), path, file, max); rv != conf_ok()) {
        return rv;
    }
    if (file.content.empty()) {
        return error(in_quotes(path) + " is empty");
    }
    out = file.content.view();
    return conf_ok();
}

}  // namespace oidc::ngx
