// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a text with variables is made of, as ngx_http_script_compile() reads it. Knows no header of
// nginx, so that it can be tested.
#include <string_view>
#include <vector>

#include "oidc/text.hpp"

namespace oidc::ngx {

struct ScriptText {
    std::vector<std::string_view> variables;  // without "$" and braces; "1" to "9" are captures
    bool constant = false;                    // there is something beside variables
};

// `text` has been compiled by nginx, which refuses what cannot be read.
inline ScriptText read_script_text(std::string_view text) {
    constexpr auto in_name = [](char c) { return is_alnum(c) || c == '_'; };
    ScriptText out;
    while (!text.empty()) {
        if (text.front() != '$') {
            out.constant = true;
            text.remove_prefix(1);
            continue;
        }
        text.remove_prefix(1);
        const bool braces = text.starts_with('{');
        text.remove_prefix(braces ? 1 : 0);
        std::size_t size = 0;
        if (!braces && !text.empty() && text.front() >= '1' && text.front() <= '9') {
            size = 1;  // "$10" is the first capture and a zero
        } else {
            while (size < text.size() && in_name(text[size])) {
                size++;
            }
        }
        out.variables.push_back(text.substr(0, size));
        text.remove_prefix(size);
        text.remove_prefix(braces && text.starts_with('}') ? 1 : 0);
    }
    return out;
}

}  // namespace oidc::ngx
