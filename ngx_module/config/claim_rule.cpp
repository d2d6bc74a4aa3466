// SPDX-License-Identifier: Apache-2.0
#include "config/claim_rule.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "config/block.hpp"
#include "oidc/text.hpp"

namespace oidc::ngx {
namespace {

class NgxPattern final : public TextPattern {
  public:
    explicit NgxPattern(ngx_regex_t* regex) noexcept : regex_(regex) {}
    [[nodiscard]] Found find(std::string_view text) const noexcept override {
        ngx_str_t subject = borrow(text);
        const ngx_int_t rc = ngx_regex_exec(regex_, &subject, nullptr, 0);
        if (rc >= 0) {
            return Found::yes;
        }
        return rc == NGX_REGEX_NO_MATCHED ? Found::no : Found::failed;
    }

  private:
    ngx_regex_t* regex_;
};

std::optional<ClaimRule::Kind> kind_of(std::string_view word) noexcept {
    if (word == "any") {
        return ClaimRule::Kind::any;
    }
    if (word == "all") {
        return ClaimRule::Kind::all;
    }
    if (word == "not") {
        return ClaimRule::Kind::none;
    }
    return std::nullopt;
}

// Whoever writes a variable means its value, and a `not` that is never met by its name is open.
bool may_be_variable(std::string_view text) noexcept {
    return text.find('$') != std::string_view::npos;
}

bool refuse(ngx_conf_t* cf, std::string_view text, std::string_view why) {
    conf_error(cf,
               in_quotes(text) + " in \"auth_oidc_require_claim\" directive " + std::string(why));
    return false;
}

bool read_wanted(ngx_conf_t* cf, std::string_view text, ClaimRule::Wanted& out) {
    out.text = text;
    if (text.starts_with('~')) {
        std::string problem;
        ngx_regex_t* regex = compile_pattern(cf, text, problem);
        if (regex == nullptr) {
            return refuse(cf, text,
                          problem.empty() ? "has no regular expression" : "is refused: " + problem);
        }
        out.pattern = std::make_shared<NgxPattern>(regex);
        return true;
    }
    if (text.empty() || has_control_bytes(text)) {
        return refuse(cf, text, "must not be empty and have no control bytes");
    }
    if (may_be_variable(text)) {
        return refuse(cf, text,
                      "is taken as it stands, variables are not possible: a \"$\" is written in a "
                      "regular expression");
    }
    if (text.starts_with("error=")) {
        return refuse(cf, text, "is no value: what does not meet the rule gets 403");
    }
    // As in a map: what would mean something else.
    out.literal = text.substr(text.starts_with('\\') ? 1 : 0);
    return true;
}

}  // namespace

bool read_claim_rule(ngx_conf_t* cf, std::span<const ngx_str_t> arguments, ClaimRule& out) {
    // The first is a name, whatever it is.
    const auto word = std::find_if(arguments.begin() + 1, arguments.end(),
                                   [](const ngx_str_t& text) { return kind_of(view(text)); });
    if (word == arguments.end() || word + 1 == arguments.end()) {
        conf_error(
            cf,
            "\"auth_oidc_require_claim\" needs the names that lead to a claim, then \"any\", "
            "\"all\" or \"not\", then values");
        return false;
    }
    out.kind = *kind_of(view(*word));
    for (auto name = arguments.begin(); name != word; ++name) {
        if (name->len == 0 || has_control_bytes(view(*name)) || may_be_variable(view(*name))) {
            conf_error(cf, "invalid claim name " + in_quotes(view(*name)) +
                               " in \"auth_oidc_require_claim\" directive");
            return false;
        }
        out.path.emplace_back(view(*name));
    }
    for (auto value = word + 1; value != arguments.end(); ++value) {
        if (!read_wanted(cf, view(*value), out.wanted.emplace_back())) {
            return false;
        }
    }
    return true;
}

}  // namespace oidc::ngx
