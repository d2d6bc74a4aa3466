// SPDX-License-Identifier: Apache-2.0
// `name { }` blocks of the configuration: the driver, and the readers of values and files.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/messages.hpp"
#include "oidc/bytes.hpp"
#include "oidc/ports.hpp"

namespace oidc::ngx {

struct ReadFile;
struct RenewedFile;

// One directive of a block while it is read. The readers return NGX_CONF_OK, or NGX_CONF_ERROR
// after a message that names the directive.
class Block;
struct BlockDirective {
    std::string_view name;
    std::string_view alias_of;  // counted as this one for duplicates; empty: itself
    std::size_t min_args;
    std::size_t max_args;
    char* (*set)(Block& block);
    bool repeats = false;  // may be given any number of times
};

class Block {
  public:
    Block(std::string label, std::span<const BlockDirective> table, void* target)
        : label_(std::move(label)), table_(table), target_(target) {}

    // Reads the block that starts at the parser's position up to its "}". `include` works in it.
    char* parse(ngx_conf_t* cf) noexcept;

    template <class T>
    [[nodiscard]] T& target() const noexcept {
        return *static_cast<T*>(target_);
    }
    [[nodiscard]] ngx_conf_t* cf() const noexcept { return cf_; }
    [[nodiscard]] std::size_t size() const noexcept { return args_.size(); }
    [[nodiscard]] std::string_view arg(std::size_t i = 0) const noexcept { return view(args_[i]); }
    [[nodiscard]] ngx_str_t& raw(std::size_t i = 0) const noexcept { return args_[i]; }
    // `"name" <text>`
    char* error(std::string_view text, ngx_err_t err = 0) const;
    char* invalid(std::string_view value, std::string_view wanted) const;

    // Whether and where a directive was given.
    [[nodiscard]] bool given(std::string_view name) const noexcept;
    [[nodiscard]] Place where(std::string_view name) const noexcept;

    // Readers of the current directive's arguments.
    char* text(std::string& out) const;                // not empty, no control bytes
    char* words(std::vector<std::string>& out) const;  // each split at white space
    char* flag(bool& out) const;                       // on | off
    char* seconds(Seconds& out, Seconds min, Seconds max) const;
    char* msec(ngx_msec_t& out) const;
    char* complex(ngx_http_complex_value_t*& out) const;  // all arguments, joined by a blank
    char* local_path(std::string& out) const;             // a path as it stands in $uri
    char* file_name(std::string& out) const;              // relative to the configuration
    // A secret or key file, read now: a regular file, one final newline dropped; a warning when
    // others than its owner can read it.
    char* secret_file(Secret& out, std::size_t max) const { return secret_file(arg(), out, max); }
    char* secret_file(std::string_view name, Secret& out, std::size_t max) const;
    // The same of a file that the workers read again, which their user must be able to: its whole
    // content, which may be empty, and what tells it from the next one.
    char* renewed_file(Secret& out, RenewedFile& file, std::size_t max) const;
    // Any other file, read now.
    char* text_file(std::string& out, std::size_t max) const;

  private:
    static char* handler(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
    char* directive(ngx_conf_t* cf);
    char* full_name(std::string_view name, std::string& out) const;
    char* read_file(std::string_view name, std::string& path, ReadFile& out, std::size_t max) const;

    struct Seen {
        std::string_view name;  // of the table
        Place place;
    };
    std::string label_;
    std::span<const BlockDirective> table_;
    void* target_;
    std::vector<Seen> seen_;
    ngx_conf_t* cf_ = nullptr;
    std::string_view name_;
    std::span<ngx_str_t> args_;
};

// Null after a message: no memory, or an unknown variable.
ngx_http_complex_value_t* compile_value(ngx_conf_t* cf, ngx_str_t value) noexcept;
// "~regex", or "~*regex" for letters of any case. Null: `problem` says why, or is empty when there
// is nothing behind the mark.
ngx_regex_t* compile_pattern(ngx_conf_t* cf, std::string_view pattern, std::string& problem);

}  // namespace oidc::ngx
