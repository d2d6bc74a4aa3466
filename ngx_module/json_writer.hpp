// JsonWriter: members of a JSON object or array, with their commas.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "oidc/encode.hpp"

namespace oidc::ngx {

class JsonWriter {
  public:
    void open(char bracket) {
        separate();
        text_ += bracket;
        fresh_ = true;
    }
    void open(std::string_view name, char bracket) {
        key(name);
        text_ += bracket;
        fresh_ = true;
    }
    void close(char bracket) {
        text_ += bracket;
        fresh_ = false;
    }
    void add(std::string_view name, std::string_view value) { add_json(name, json_quote(value)); }
    void add(std::string_view name, std::uint64_t value) { add_json(name, std::to_string(value)); }
    void add_flag(std::string_view name, bool value) { add_json(name, value ? "true" : "false"); }
    void add_null(std::string_view name) { add_json(name, "null"); }
    // `json` is JSON text.
    void add_json(std::string_view name, std::string_view json) {
        key(name);
        text_ += json;
    }
    [[nodiscard]] std::string take() && { return std::move(text_); }

  private:
    void separate() {
        if (!fresh_) {
            text_ += ',';
        }
        fresh_ = false;
    }
    void key(std::string_view name) {
        separate();
        text_.append(json_quote(name)).append(":");
    }
    std::string text_;
    bool fresh_ = true;
};

}  // namespace oidc::ngx
