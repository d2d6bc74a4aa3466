// SPDX-License-Identifier: Apache-2.0
#include "directives.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "config/assertion_directives.hpp"
#include "config/block.hpp"
#include "config/claim_rule.hpp"
#include "config/conf.hpp"
#include "config/group_directives.hpp"
#include "config/header_rules.hpp"
#include "config/provider_directives.hpp"
#include "config/script_text.hpp"
#include "config/store_directives.hpp"
#include "oidc/header_name.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"
#include "request/variables.hpp"
#include "status/resource_metadata.hpp"
#include "status/session_info.hpp"
#include "status/sessions_admin.hpp"
#include "status/status.hpp"

namespace oidc::ngx {

namespace {

std::span<ngx_str_t> arguments(ngx_conf_t* cf) noexcept {
    auto* values = static_cast<ngx_str_t*>(cf->args->elts);
    return {values + 1, cf->args->nelts - 1};
}

// ---- auth_oidc and its companions ------------------------------------------------------------

char* set_auth_oidc(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (loc.said.provider != LevelRules::Provider::unsaid) {
        return conf_duplicate();
    }
    const ngx_str_t value = arguments(cf)[0];
    loc.places.provider = place_of(cf);
    if (view(value) == "off") {
        loc.said.provider = LevelRules::Provider::off;
        return conf_ok();
    }
    loc.said.provider = LevelRules::Provider::named;
    if (value.len == 0) {
        return conf_error(cf, "\"auth_oidc\" must not be empty, \"off\" switches it off");
    }
    loc.provider = compile_value(cf, value);
    return loc.provider == nullptr ? conf_fail() : conf_ok();
} catch (...) {
    return conf_exception(cf);
}

char* set_mode(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept {
    LocConf& loc = as_loc_conf(conf);
    char* rv = ngx_conf_set_enum_slot(cf, cmd, conf);
    if (rv == conf_ok()) {
        loc.said.mode = static_cast<Mode>(loc.mode);
        loc.places.mode = place_of(cf);
    }
    return rv;
}

// The demands of a level are refused at the first of them.
void note_requirement(ngx_conf_t* cf, LocConf& loc, const char* directive) noexcept {
    if (!loc.said.require) {
        loc.said.require = true;
        loc.places.require = place_of(cf);
        loc.required_by = directive;
    }
}

char* set_require(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    LocConf::Require require;
    std::span<ngx_str_t> values = arguments(cf);
    if (view(values.back()).starts_with("error=")) {
        const std::string_view status = view(values.back()).substr(6);
        if (status != "401" && status != "403") {
            return conf_error(cf, "invalid value " + in_quotes(view(values.back())) +
                                      " in \"auth_oidc_require\" directive, it must be "
                                      "\"error=401\" or \"error=403\"");
        }
        require.status = status == "401" ? NGX_HTTP_UNAUTHORIZED : NGX_HTTP_FORBIDDEN;
        values = values.first(values.size() - 1);
    }
    if (values.empty()) {
        return conf_error(cf, "\"auth_oidc_require\" needs at least one variable");
    }
    for (const ngx_str_t& value : values) {
        ngx_http_complex_value_t* compiled = compile_value(cf, value);
        if (compiled == nullptr) {
            return conf_fail();
        }
        if (compiled->lengths == nullptr) {
            return conf_error(cf, in_quotes(view(value)) +
                                      " in \"auth_oidc_require\" directive holds no variable");
        }
        // Beside anything else a "0" would be no "0" any more.
        const ScriptText text = read_script_text(view(value));
        if (text.constant || text.variables.size() != 1) {
            return conf_error(cf,
                              in_quotes(view(value)) +
                                  " in \"auth_oidc_require\" directive must be one variable and "
                                  "nothing else");
        }
        require.values.push_back(compiled);
    }
    loc.require.push_back(std::move(require));
    note_requirement(cf, loc, "auth_oidc_require");
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

char* set_require_claim(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    ClaimRule rule;
    if (!read_claim_rule(cf, arguments(cf), rule)) {
        return conf_fail();
    }
    if (loc.claim_rules == nullptr) {
        loc.claim_rules = std::make_shared<ClaimRules>();
    }
    loc.claim_rules->add(std::move(rule));
    note_requirement(cf, loc, "auth_oidc_require_claim");
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

// Headers that frame or steer the request itself: the module decides or nginx relies on them.
constexpr std::array<std::string_view, 34> kForbiddenHeaders{"accept",
                                                             "accept-encoding",
                                                             "connection",
                                                             "content-encoding",
                                                             "content-length",
                                                             "content-type",
                                                             "cookie",
                                                             "date",
                                                             "expect",
                                                             "host",
                                                             "http2-settings",
                                                             "if-match",
                                                             "if-modified-since",
                                                             "if-none-match",
                                                             "if-range",
                                                             "if-unmodified-since",
                                                             "keep-alive",
                                                             "origin",
                                                             "proxy-connection",
                                                             "purpose",
                                                             "range",
                                                             "referer",
                                                             "sec-fetch-dest",
                                                             "sec-fetch-mode",
                                                             "sec-fetch-site",
                                                             "sec-fetch-user",
                                                             "sec-purpose",
                                                             "te",
                                                             "trailer",
                                                             "transfer-encoding",
                                                             "upgrade",
                                                             "via",
                                                             "x-moz",
                                                             "x-requested-with"};

bool is_set_by_us(std::string_view name) {
    const std::string folded = folded_header_name(name);
    return folded == "x-oidc-assertion" || folded == "x-oidc-return-to";
}

char* set_header(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    const std::span<ngx_str_t> values = arguments(cf);
    const std::string_view name = view(values[0]);
    if (!is_token(name)) {
        return conf_error(
            cf, "invalid header name " + in_quotes(name) + " in \"auth_oidc_header\" directive");
    }
    const std::string normal_name = normal_header_name(name);
    if (std::find(kForbiddenHeaders.begin(), kForbiddenHeaders.end(), normal_name) !=
        kForbiddenHeaders.end()) {
        return conf_error(
            cf, "header " + in_quotes(name) + " cannot be set by \"auth_oidc_header\" directive");
    }
    if (is_set_by_us(view(values[0]))) {
        return conf_error(cf, "header " + in_quotes(name) + " is set by the module itself");
    }
    for (const HeaderRule& rule : loc.header_rules) {
        if (rule.normal_name == normal_name) {
            return conf_error(
                cf, "duplicate header " + in_quotes(name) + " in \"auth_oidc_header\" directive");
        }
    }
    HeaderRule rule;
    if (!make_header_rule(cf, values[0], values[1], rule)) {
        return conf_fail();
    }
    if (values.size() == 3) {
        const std::string_view encoding = view(values[2]);
        if (encoding != "percent" && encoding != "base64") {
            return conf_error(cf, "invalid value " + in_quotes(encoding) +
                                      " in \"auth_oidc_header\" directive, it must be \"percent\" "
                                      "or \"base64\"");
        }
        rule.encoding =
            encoding == "percent" ? HeaderRule::Encoding::percent : HeaderRule::Encoding::base64;
    }
    reserve_header(conf_main(cf), rule.normal_name);
    loc.header_rules.push_back(std::move(rule));
    loc.header_rules_set = true;
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

// ---- auth_oidc_pass_header -------------------------------------------------------------------

char* set_pass_header(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (loc.passed_headers_set) {
        return conf_duplicate();
    }
    loc.passed_headers_set = true;
    const std::span<ngx_str_t> values = arguments(cf);
    if (values.size() == 1 && view(values[0]) == "off") {
        return conf_ok();
    }
    for (const ngx_str_t& value : values) {
        const std::string name = ascii_lower(view(value));
        if (!is_token(name) || !name.starts_with("x-oidc-")) {
            return conf_error(cf, in_quotes(view(value)) +
                                      " in \"auth_oidc_pass_header\" directive is no name of a "
                                      "header that begins with \"X-Oidc-\"; others go through "
                                      "unless \"auth_oidc_header\" sets them");
        }
        if (is_set_by_us(name)) {
            return conf_error(cf,
                              "header " + in_quotes(view(value)) + " is set by the module itself");
        }
        loc.passed_headers.push_back(name);
        conf_main(cf).passed_headers.push_back({name, place_of(cf)});
    }
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

// ---- auth_oidc_max_age, auth_oidc_acr_values -------------------------------------------------

// A page takes a moment to be reached after the login.
constexpr ngx_int_t kShortestMaxAge = 10;
constexpr ngx_int_t kLongestMaxAge = 365 * 24 * 3600;
constexpr std::size_t kMaxAcrValues = 512;  // bytes in all: they travel in the login's cookie

char* set_max_age(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (loc.said.max_age) {
        return conf_duplicate();
    }
    ngx_str_t value = arguments(cf)[0];
    loc.said.max_age = view(value) != "off";
    loc.places.max_age = place_of(cf);
    if (view(value) == "off") {
        return conf_ok();
    }
    const ngx_int_t seconds = ngx_parse_time(&value, 1);
    if (seconds < kShortestMaxAge || seconds > kLongestMaxAge) {
        return conf_error(cf, "invalid value " + in_quotes(view(value)) +
                                  " in \"auth_oidc_max_age\" directive, it must be \"off\" or a "
                                  "time between 10s and 365d");
    }
    loc.demand.max_age = seconds;
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

char* set_acr_values(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (loc.said.acr_values) {
        return conf_duplicate();
    }
    const std::span<ngx_str_t> values = arguments(cf);
    const bool off = values.size() == 1 && view(values[0]) == "off";
    loc.said.acr_values = !off;
    loc.places.acr_values = place_of(cf);
    if (off) {
        return conf_ok();
    }
    for (const ngx_str_t& value : values) {
        if (!is_acr_value(view(value)) || view(value) == "off") {
            return conf_error(cf, "invalid value " + in_quotes(view(value)) +
                                      " in \"auth_oidc_acr_values\" directive, each must be of "
                                      "printable characters without blanks, quotes and "
                                      "backslashes, and \"off\" stands alone");
        }
        loc.demand.acr_values.emplace_back(view(value));
    }
    if (join_values(loc.demand.acr_values).size() > kMaxAcrValues) {
        return conf_error(cf, "the values of \"auth_oidc_acr_values\" are longer than 512 bytes");
    }
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

// ---- auth_oidc_csrf --------------------------------------------------------------------------

char* set_csrf(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (loc.csrf != NGX_CONF_UNSET) {
        return conf_duplicate();
    }
    const std::span<ngx_str_t> values = arguments(cf);
    const std::string_view first = view(values[0]);
    if (values.size() == 1 && (first == "on" || first == "off")) {
        loc.csrf = first == "on" ? 1 : 0;
        return conf_ok();
    }
    if (first != "origins" || values.size() == 1) {
        return conf_error(cf, "invalid value " + in_quotes(first) +
                                  " in \"auth_oidc_csrf\" directive, it must be \"on\", \"off\" "
                                  "or \"origins\" with an origin or several");
    }
    loc.csrf = 1;
    for (const ngx_str_t& value : values.subspan(1)) {
        const Result<Url> url = parse_url(view(value));
        if (!url || url->origin() != view(value)) {
            return conf_error(cf, "invalid origin " + in_quotes(view(value)) +
                                      " in \"auth_oidc_csrf\" directive, it must be as browsers "
                                      "write it, as in https://portal.example.com");
        }
        loc.csrf_origins.emplace_back(view(value));
    }
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

// ---- auth_oidc_bearer and its companions -----------------------------------------------------

char* set_bearer(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (loc.bearer != NGX_CONF_UNSET) {
        return conf_duplicate();
    }
    const std::string_view value = view(arguments(cf)[0]);
    constexpr std::pair<std::string_view, ngx_int_t> kKinds[] = {
        {"off", kBearerOff},
        {"on", kBearerJwt},
        {"introspection", kBearerIntrospection},
        {"auto", kBearerAuto}};
    const auto* const kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                          [value](const auto& k) { return k.first == value; });
    if (kind == std::end(kKinds)) {
        return conf_error(cf, "invalid value " + in_quotes(value) +
                                  " in \"auth_oidc_bearer\" directive, it must be \"on\", "
                                  "\"introspection\", \"auto\" or \"off\"");
    }
    loc.bearer = kind->second;
    loc.bearer_place = place_of(cf);
    conf_main(cf).takes_tokens = conf_main(cf).takes_tokens || loc.takes_tokens();
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

const ngx_conf_enum_t bearer_types[] = {
    {ngx_string("at+jwt"), static_cast<ngx_uint_t>(AccessTokenTyp::at_jwt)},
    {ngx_string("jwt"), static_cast<ngx_uint_t>(AccessTokenTyp::jwt)},
};

char* set_bearer_typ(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (loc.bearer_typ != NGX_CONF_UNSET_UINT) {
        return conf_duplicate();
    }
    const std::string_view value = view(arguments(cf)[0]);
    for (const ngx_conf_enum_t& type : bearer_types) {
        if (value == view(type.name)) {
            loc.bearer_typ = type.value;
            return conf_ok();
        }
    }
    return conf_error(cf, "invalid value " + in_quotes(value) +
                              " in \"auth_oidc_bearer_typ\" directive, it must be \"at+jwt\" or "
                              "\"jwt\"");
} catch (...) {
    return conf_exception(cf);
}

char* set_bearer_audience(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (!loc.bearer_audience.empty()) {
        return conf_duplicate();
    }
    for (const ngx_str_t& value : arguments(cf)) {
        const std::string_view name = view(value);
        if (name.empty() || has_control_bytes(name) || name.find('$') != std::string_view::npos) {
            return conf_error(cf, "invalid value " + in_quotes(name) +
                                      " in \"auth_oidc_bearer_audience\" directive, it must be "
                                      "what tokens have as \"aud\", without variables");
        }
        loc.bearer_audience.emplace_back(name);
    }
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

// RFC 6749 3.3.
bool is_scope_name(std::string_view name) noexcept {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return c > ' ' && c <= '~' && c != '"' && c != '\\';
    });
}

char* set_bearer_scope(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (loc.bearer_scope_set) {
        return conf_duplicate();
    }
    loc.bearer_scope_set = true;
    const std::span<ngx_str_t> values = arguments(cf);
    if (values.size() == 1 && view(values[0]) == "off") {
        return conf_ok();
    }
    for (const ngx_str_t& value : values) {
        if (!is_scope_name(view(value)) || view(value) == "off") {
            return conf_error(cf, "invalid value " + in_quotes(view(value)) +
                                      " in \"auth_oidc_bearer_scope\" directive, each must be the "
                                      "name of one scope, and \"off\" stands alone");
        }
        loc.bearer_scope.emplace_back(view(value));
    }
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

// ---- oidc_page_language ----------------------------------------------------------------------

ngx_conf_enum_t page_languages[] = {
    {ngx_string("auto"), static_cast<ngx_uint_t>(Language::count_)},
    {ngx_string("en"), static_cast<ngx_uint_t>(Language::en)},
    {ngx_string("de"), static_cast<ngx_uint_t>(Language::de)},
    {ngx_string("fr"), static_cast<ngx_uint_t>(Language::fr)},
    {ngx_string("es"), static_cast<ngx_uint_t>(Language::es)},
    {ngx_string("pl"), static_cast<ngx_uint_t>(Language::pl)},
    {ngx_string("it"), static_cast<ngx_uint_t>(Language::it)},
    {ngx_string("nl"), static_cast<ngx_uint_t>(Language::nl)},
    {ngx_string("pt"), static_cast<ngx_uint_t>(Language::pt)},
};
static_assert(std::size(page_languages) == kLanguageCount + 1, "every language can be chosen");

char* set_page_language(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (loc.page_language != NGX_CONF_UNSET_UINT) {
        return conf_duplicate();
    }
    const std::string_view value = view(arguments(cf)[0]);
    std::string words;
    for (const ngx_conf_enum_t& word : page_languages) {
        if (value == view(word.name)) {
            loc.page_language = word.value;
            return conf_ok();
        }
        words.append(words.empty() ? "" : ", ").append(view(word.name));
    }
    return conf_error(cf, "invalid value " + in_quotes(value) +
                              " in \"oidc_page_language\" directive, it must be one of " + words);
} catch (...) {
    return conf_exception(cf);
}

char* set_base_url(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (!loc.base_url.empty()) {
        return conf_duplicate();
    }
    const std::string_view value = view(arguments(cf)[0]);
    const Result<Url> url = parse_url(value);
    if (!url || url->path != "/" || !url->query.empty() ||
        value.find('?') != std::string_view::npos) {
        return conf_error(cf, "invalid value " + in_quotes(value) +
                                  " in \"oidc_base_url\" directive, it must be an origin, as in "
                                  "https://crm.example or https://crm.example:8443");
    }
    loc.base_url = url->origin();
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

template <auto Handler>
char* set_handler(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* /*conf*/) noexcept {
    auto* clcf = static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (clcf->handler == Handler) {
        return conf_duplicate();
    }
    clcf->handler = Handler;
    return conf_ok();
}

char* set_jwks(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    loc.jwks = true;
    if (cf->args->nelts == 2) {
        loc.jwks_provider = view(static_cast<ngx_str_t*>(cf->args->elts)[1]);
    }
    return set_handler<jwks_handler>(cf, cmd, conf);
} catch (...) {
    return conf_exception(cf);
}

// Where it stands is judged when the location is complete.
char* set_resource_metadata(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (char* rv = set_handler<resource_metadata_handler>(cf, cmd, conf); rv != conf_ok()) {
        return rv;
    }
    loc.resource_metadata = true;
    loc.resource_place = place_of(cf);
    constexpr std::string_view kProvider = "provider=";
    for (const ngx_str_t& value : arguments(cf)) {
        const std::string_view text = view(value);
        if (text.starts_with(kProvider)) {
            loc.resource_provider = text.substr(kProvider.size());
            continue;
        }
        const Result<Url> url = parse_url(text);
        if (!url || url->scheme != "https" || !loc.resource.empty()) {
            return conf_error(cf, "invalid value " + in_quotes(text) +
                                      " in \"oidc_resource_metadata\" directive, it must be one "
                                      "https URL, or \"provider=\" with a name");
        }
        loc.resource = text;
    }
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

// Who may use them is judged when the location is complete.
char* set_status(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept {
    LocConf& loc = as_loc_conf(conf);
    loc.status = true;
    loc.status_place = place_of(cf);
    return set_handler<status_handler>(cf, cmd, conf);
}

char* set_sessions(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept {
    LocConf& loc = as_loc_conf(conf);
    loc.sessions = true;
    loc.sessions_place = place_of(cf);
    return set_handler<sessions_handler>(cf, cmd, conf);
}

char* set_session_info(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept try {
    LocConf& loc = as_loc_conf(conf);
    if (char* rv = set_handler<session_info_handler>(cf, cmd, conf); rv != conf_ok()) {
        return rv;
    }
    loc.session_info = true;
    loc.session_info_place = place_of(cf);
    for (const ngx_str_t& value : arguments(cf)) {
        const std::string_view name = view(value);
        std::vector<std::string>& names = loc.session_info_claims;
        if (name.empty() || std::find(names.begin(), names.end(), name) != names.end()) {
            return conf_error(cf, (name.empty() ? "empty" : "duplicate") +
                                      std::string(" claim name ") + in_quotes(name) +
                                      " in \"oidc_session_info\" directive");
        }
        names.emplace_back(name);
    }
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

// ---- oidc_claim_set --------------------------------------------------------------------------

char* set_claim_set(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    auto& main = *static_cast<MainConf*>(conf);
    const std::span<ngx_str_t> values = arguments(cf);
    const std::string_view variable = view(values[0]);
    if (variable.size() < 2 || variable.front() != '$') {
        return conf_error(cf, "invalid variable name " + in_quotes(variable) +
                                  " in \"oidc_claim_set\" directive");
    }
    ClaimSet set;
    set.variable = ascii_lower(variable.substr(1));
    for (const ngx_str_t& name : values.subspan(1)) {
        if (name.len == 0 || view(name).find('\x1f') != std::string_view::npos) {
            return conf_error(cf, "invalid claim name " + in_quotes(view(name)) +
                                      " in \"oidc_claim_set\" directive");
        }
        if (!set.key.empty()) {
            set.key += '\x1f';
        }
        set.key += view(name);
        set.path.emplace_back(view(name));
    }
    for (const ClaimSet& other : main.claim_sets) {
        if (other.variable == set.variable) {
            return conf_error(cf, "duplicate variable " + in_quotes(variable) +
                                      " in \"oidc_claim_set\" directive");
        }
    }
    if (!add_claim_set_variable(cf, set)) {
        return conf_fail();
    }
    main.claim_sets.push_back(std::move(set));
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

ngx_conf_enum_t modes[] = {
    {ngx_string("require"), static_cast<ngx_uint_t>(Mode::require)},
    {ngx_string("verify"), static_cast<ngx_uint_t>(Mode::verify)},
    {ngx_string("off"), static_cast<ngx_uint_t>(Mode::off)},
    {ngx_null_string, 0},
};

ngx_conf_enum_t unauthorized_policies[] = {
    {ngx_string("auto"), static_cast<ngx_uint_t>(Unauthorized::automatic)},
    {ngx_string("redirect"), static_cast<ngx_uint_t>(Unauthorized::redirect)},
    {ngx_string("401"), static_cast<ngx_uint_t>(Unauthorized::status_401)},
    {ngx_null_string, 0},
};

constexpr ngx_uint_t kAnyLevel = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

}  // namespace

ngx_command_t oidc_commands[] = {
    {ngx_string("oidc_provider"), NGX_HTTP_MAIN_CONF | NGX_CONF_BLOCK | NGX_CONF_TAKE1,
     set_provider, NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},

    {ngx_string("oidc_provider_group"), NGX_HTTP_MAIN_CONF | NGX_CONF_BLOCK | NGX_CONF_TAKE1,
     set_provider_group, NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},

    {ngx_string("oidc_session_store"), NGX_HTTP_MAIN_CONF | NGX_CONF_BLOCK | NGX_CONF_TAKE1,
     set_session_store, NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},

    {ngx_string("oidc_assertion"), kAnyLevel | NGX_CONF_BLOCK | NGX_CONF_NOARGS, set_assertion,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("oidc_claim_set"), NGX_HTTP_MAIN_CONF | NGX_CONF_2MORE, set_claim_set,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},

    {ngx_string("auth_oidc"), kAnyLevel | NGX_CONF_TAKE1, set_auth_oidc, NGX_HTTP_LOC_CONF_OFFSET,
     0, nullptr},

    {ngx_string("auth_oidc_mode"), kAnyLevel | NGX_CONF_TAKE1, set_mode, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConfPod, mode), &modes},

    {ngx_string("auth_oidc_unauthorized"), kAnyLevel | NGX_CONF_TAKE1, ngx_conf_set_enum_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConfPod, unauthorized), &unauthorized_policies},

    {ngx_string("auth_oidc_require"), kAnyLevel | NGX_CONF_1MORE, set_require,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("auth_oidc_require_claim"), kAnyLevel | NGX_CONF_2MORE, set_require_claim,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("auth_oidc_max_age"), kAnyLevel | NGX_CONF_TAKE1, set_max_age,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("auth_oidc_acr_values"), kAnyLevel | NGX_CONF_1MORE, set_acr_values,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("auth_oidc_csrf"), kAnyLevel | NGX_CONF_1MORE, set_csrf, NGX_HTTP_LOC_CONF_OFFSET,
     0, nullptr},

    {ngx_string("auth_oidc_bearer"), kAnyLevel | NGX_CONF_TAKE1, set_bearer,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("auth_oidc_bearer_audience"), kAnyLevel | NGX_CONF_1MORE, set_bearer_audience,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("auth_oidc_bearer_scope"), kAnyLevel | NGX_CONF_1MORE, set_bearer_scope,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("auth_oidc_bearer_typ"), kAnyLevel | NGX_CONF_TAKE1, set_bearer_typ,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("auth_oidc_header"), kAnyLevel | NGX_CONF_TAKE23, set_header,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("auth_oidc_headers"), kAnyLevel | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConfPod, headers), nullptr},

    {ngx_string("auth_oidc_pass_header"), kAnyLevel | NGX_CONF_1MORE, set_pass_header,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("auth_oidc_assertion"), kAnyLevel | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConfPod, assertion), nullptr},

    {ngx_string("oidc_base_url"), kAnyLevel | NGX_CONF_TAKE1, set_base_url,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("oidc_page_language"), kAnyLevel | NGX_CONF_TAKE1, set_page_language,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("oidc_status"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, set_status,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("oidc_sessions"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, set_sessions,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("oidc_session_info"), NGX_HTTP_LOC_CONF | NGX_CONF_ANY, set_session_info,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("oidc_jwks"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS | NGX_CONF_TAKE1, set_jwks,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_string("oidc_resource_metadata"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS | NGX_CONF_TAKE12,
     set_resource_metadata, NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},

    {ngx_null_string, 0, nullptr, 0, 0, nullptr},
};

}  // namespace oidc::ngx
