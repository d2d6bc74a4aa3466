// SPDX-License-Identifier: Apache-2.0
#include "request/sanitize.hpp"

#include <algorithm>
#include <array>

#include "oidc/cookie.hpp"
#include "oidc/former_state.hpp"
#include "oidc/header_name.hpp"
#include "oidc/state.hpp"
#include "oidc/text.hpp"
#include "request/callback_arguments.hpp"
#include "request/cookies_in.hpp"
#include "request/own_cookies.hpp"
#include "request/request_ctx.hpp"
#include "request/token_headers.hpp"

namespace oidc::ngx {
namespace {

constexpr std::string_view kReservedPrefix = "x-oidc";
// Of one name.
constexpr std::ptrdiff_t kMaxPassedHeaders = 4;
// Both spellings of all slots, and some of an earlier build.
constexpr std::size_t kMaxPendingSeen = 2 * kLoginSlots + 20;

bool is_handle(std::string_view text) noexcept {
    return is_login_slot(text) || is_former_handle(text);
}

bool is_reserved_folded(const MainConf& conf, std::string_view folded) noexcept {
    if (folded.starts_with(kReservedPrefix) &&
        (folded.size() == kReservedPrefix.size() || folded[kReservedPrefix.size()] == '-')) {
        return true;
    }
    return std::any_of(conf.folded_headers.begin(), conf.folded_headers.end(),
                       [folded](const std::string& name) { return folded == name; });
}

bool is_reserved_name(const MainConf& conf, std::string_view name) noexcept {
    if (name.empty() || name.size() < conf.header_min[static_cast<u_char>(name.front())]) {
        return false;
    }
    FoldedName buffer;
    if (is_reserved_folded(conf, {buffer.data(), fold_header_name(name, buffer)})) {
        return true;
    }
    // PHP reads NAME[x] as an element of NAME.
    const std::size_t bracket = name.find('[');
    return bracket != std::string_view::npos &&
           is_reserved_folded(conf,
                              {buffer.data(), fold_header_name(name.substr(0, bracket), buffer)});
}

// A sibling subdomain can set plain cookies for this host but none with "__Host-", so those never
// lose their place to others.
void keep_session_cookie(OwnCookies& cookies, const CookiePair& cookie) noexcept {
    if (cookies.session_count < OwnCookies::kMaxSessions) {
        cookies.sessions[cookies.session_count++] = cookie;
        return;
    }
    if (!cookie.name.starts_with(kHostPrefix)) {
        return;
    }
    for (CookiePair& kept : cookies.sessions) {
        if (!kept.name.starts_with(kHostPrefix)) {
            kept = cookie;
            return;
        }
    }
}

// One of our cookies.
void keep_cookie(OwnCookie kind, RequestContext& ctx, std::string_view name,
                 std::string_view value) {
    OwnCookies& cookies = ctx.cookies;
    if (kind == OwnCookie::session) {
        keep_session_cookie(cookies, {name, value});
        return;
    }
    if (kind == OwnCookie::choice) {
        CookiePair& kept = ctx.last_choice[name.starts_with(kHostPrefix) ? 1 : 0];
        if (kept.name.empty()) {
            kept = {name, value};
        }
        return;
    }
    const std::string_view bare = without_host_prefix(name);
    if (kind == OwnCookie::pending) {
        const std::string_view handle = bare.substr(kPendingCookie.size());
        if (is_handle(handle) && cookies.pending.size() < kMaxPendingSeen) {
            cookies.pending.push_back({name, handle, value});
        }
    } else if (kind == OwnCookie::target) {
        if (cookies.targets.size() < 2) {
            cookies.targets.push_back({name, value});
        }
    } else if (is_handle(bare.substr(kFragmentCookie.size())) &&
               cookies.fragments.size() < kMaxPendingSeen) {
        cookies.fragments.push_back({name, value});
    }
}

// A header whose key is empty is to be dropped; nginx never makes one.
void mark_dropped(ngx_table_elt_t& header) noexcept {
    header.key.len = 0;
}
bool is_dropped(const ngx_table_elt_t& header) noexcept {
    return header.key.len == 0;
}

// nginx's own pointers to a header that goes.
void forget_pointers(ngx_http_request_t* r, const ngx_table_elt_t& header) noexcept {
    for (const ngx_http_header_t* known = ngx_http_headers_in; known->name.len != 0; ++known) {
        if (known->offset == 0) {
            continue;
        }
        auto** pointer = reinterpret_cast<ngx_table_elt_t**>(
            reinterpret_cast<char*>(&r->headers_in) + known->offset);
        if (*pointer == &header) {
            *pointer = nullptr;
        }
    }
#if (nginx_version < 1023000 && NGX_HTTP_X_FORWARDED_FOR)
    ngx_array_t& forwarded = r->headers_in.x_forwarded_for;
    auto** elements = static_cast<ngx_table_elt_t**>(forwarded.elts);
    ngx_uint_t kept = 0;
    for (ngx_uint_t i = 0; i < forwarded.nelts; ++i) {
        if (elements[i] != &header) {
            elements[kept++] = elements[i];
        }
    }
    forwarded.nelts = kept;
#endif
}

// Rebuilds the list of parts from the runs of headers that stay. False: no memory.
bool drop_marked(ngx_http_request_t* r) noexcept {
    ngx_list_t& list = r->headers_in.headers;
    const ngx_list_part_t first = list.part;
    ngx_list_part_t* tail = nullptr;
    list.part.next = nullptr;
    list.part.nelts = 0;
    const ngx_list_part_t* part = &first;
    while (part != nullptr) {
        auto* headers = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts;) {
            if (is_dropped(headers[i])) {
                ++i;
                continue;
            }
            ngx_uint_t end = i + 1;
            while (end < part->nelts && !is_dropped(headers[end])) {
                ++end;
            }
            ngx_list_part_t* run = &list.part;
            if (tail != nullptr) {
                run = static_cast<ngx_list_part_t*>(ngx_palloc(r->pool, sizeof(ngx_list_part_t)));
                if (run == nullptr) {
                    return false;
                }
                tail->next = run;
            }
            *run = {&headers[i], end - i, nullptr};
            tail = run;
            i = end;
        }
        part = part->next;
    }
    // The last part counts as full, so that a later push starts a part of its own. Nothing left:
    // the first part is empty and keeps its room.
    list.last = &list.part;
    if (tail != nullptr) {
        list.last = tail;
        list.nalloc = tail->nelts;
    }
    return true;
}

// A header of another application, which some location passes on. In one spelling only: what else
// a backend takes for that name stays out.
bool is_passed(const MainConf& conf, const ngx_table_elt_t& header) noexcept {
    const std::string_view name{reinterpret_cast<const char*>(header.lowcase_key), header.key.len};
    return std::any_of(conf.passed_headers.begin(), conf.passed_headers.end(),
                       [name](const PassedHeader& passed) { return passed.lowcase == name; });
}

void keep_passed(RequestContext& ctx, const ngx_table_elt_t& header) {
    const auto same = [&header](const ngx_table_elt_t& kept) {
        return kept.key.len == header.key.len &&
               ngx_memcmp(kept.lowcase_key, header.lowcase_key, header.key.len) == 0;
    };
    std::vector<ngx_table_elt_t>& headers = ctx.passed_headers;
    if (std::count_if(headers.begin(), headers.end(), same) < kMaxPassedHeaders) {
        headers.push_back(header);
    }
}

// True when some header has to go. None of nginx's pointers to them is left.
bool mark_reserved(ngx_http_request_t* r, const MainConf& conf, RequestContext& ctx) {
    bool found = false;
    for (ngx_list_part_t* part = &r->headers_in.headers.part; part != nullptr; part = part->next) {
        auto* headers = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (is_reserved_name(conf, view(headers[i].key))) {
                if (is_passed(conf, headers[i])) {
                    keep_passed(ctx, headers[i]);
                }
                forget_pointers(r, headers[i]);
                mark_dropped(headers[i]);
                found = true;
            }
        }
    }
    return found;
}

// For strip_cookies, which must not see an exception: keeps those of our cookies that it names, and
// takes those that the configuration keeps from the application.
class Taker {
  public:
    Taker(const MainConf& conf, const std::vector<std::string>& others,
          RequestContext& ctx) noexcept
        : conf_(conf), others_(others), ctx_(ctx) {}
    bool operator()(std::string_view name, std::string_view value) noexcept {
        const OwnCookie kind = own_cookie(conf_, name);
        if (kind == OwnCookie::none) {
            const bool other = is_stripped(others_, name);
            any_ = any_ || other;
            return other;
        }
        any_ = true;
        try {
            keep_cookie(kind, ctx_, name, value);
        } catch (...) {
            failed_ = true;
        }
        return true;
    }
    [[nodiscard]] bool any() const noexcept { return any_; }
    [[nodiscard]] bool failed() const noexcept { return failed_; }

  private:
    const MainConf& conf_;
    const std::vector<std::string>& others_;
    RequestContext& ctx_;
    bool any_ = false;
    bool failed_ = false;
};

// Keeps our cookies and takes them out of the header. NGX_DONE: nothing else was in it.
ngx_int_t take_cookies(ngx_http_request_t* r, const MainConf& conf, RequestContext& ctx,
                       ngx_table_elt_t& header) noexcept {
    const std::string_view value = view(header.value);
    auto* out = static_cast<u_char*>(ngx_pnalloc(r->pool, value.size() + 1));
    if (out == nullptr) {
        return NGX_ERROR;
    }
    Taker taker(conf, srv_conf(r).strip_cookies, ctx);
    const std::size_t left =
        strip_cookies(value, reinterpret_cast<char*>(out),
                      [&taker](std::string_view name, std::string_view text) noexcept {
                          return taker(name, text);
                      });
    if (taker.failed()) {
        return NGX_ERROR;
    }
    if (!taker.any()) {
        return NGX_OK;
    }
    out[left] = '\0';
    header.value = {left, out};
    return left == 0 ? NGX_DONE : NGX_OK;
}

ngx_int_t sanitize(ngx_http_request_t* r, const MainConf& conf, RequestContext& ctx) {
    if (conf.takes_tokens) {
        keep_token_headers(r, ctx);
    }
    bool drop = mark_reserved(r, conf, ctx);
    ngx_int_t rc = NGX_OK;
    for_each_cookie_header(r, [&](ngx_table_elt_t& header) {
        const ngx_int_t taken = take_cookies(r, conf, ctx, header);
        if (taken == NGX_DONE) {
            mark_dropped(header);
            drop = true;
        } else if (taken != NGX_OK) {
            rc = taken;
        }
    });
    if (rc != NGX_OK) {
        return rc;
    }
    if (drop) {
        forget_cookie_headers(r, [](const ngx_table_elt_t& header) { return is_dropped(header); });
        if (!drop_marked(r)) {
            return NGX_ERROR;
        }
    }
    ctx.sanitized = true;
    return NGX_OK;
}

}  // namespace

bool drop_headers(ngx_http_request_t* r,
                  bool (*goes)(const ngx_table_elt_t& header) noexcept) noexcept {
    bool found = false;
    for (ngx_list_part_t* part = &r->headers_in.headers.part; part != nullptr; part = part->next) {
        auto* headers = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (goes(headers[i])) {
                forget_pointers(r, headers[i]);
                mark_dropped(headers[i]);
                found = true;
            }
        }
    }
    return !found || drop_marked(r);
}

void prepare_sanitizer(MainConf& conf) {
    conf.folded_headers.clear();
    FoldedName buffer;
    for (int c = 0; c < 256; ++c) {
        // A name that starts with anything else is folded to know what it starts with.
        conf.header_min[c] = is_alnum(static_cast<char>(c)) ? 255 : 0;
    }
    const auto reserve = [&conf](std::string_view folded) {
        const auto length = static_cast<unsigned char>(std::min<std::size_t>(folded.size(), 255));
        const auto first = static_cast<u_char>(folded.front());
        for (const int c : {static_cast<int>(first), static_cast<int>(ngx_toupper(first))}) {
            conf.header_min[c] = std::min(conf.header_min[c], length);
        }
    };
    reserve(kReservedPrefix);
    for (const std::string& name : conf.reserved_headers) {
        const std::string_view folded{buffer.data(), fold_header_name(name, buffer)};
        if (!folded.empty()) {
            reserve(folded);
            conf.folded_headers.emplace_back(folded);
        }
    }
    conf.cookie_first[static_cast<u_char>(kHostPrefix.front())] = true;
    conf.cookie_first[static_cast<u_char>(kPendingCookie.front())] = true;
    conf.cookie_first[static_cast<u_char>(kFragmentCookie.front())] = true;
    for (const std::string& name : conf.session_cookies) {
        if (!name.empty()) {
            conf.cookie_first[static_cast<u_char>(name.front())] = true;
        }
    }
    conf.sanitizer_ready = true;
}

ngx_int_t sanitize_handler(ngx_http_request_t* r) noexcept try {
    if (r != r->main || !srv_conf(r).uses_oidc) {
        return NGX_DECLINED;
    }
    RequestContext* ctx = get_context(r);
    if (ctx == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (ctx->sanitized) {
        return NGX_DECLINED;
    }
    MainConf& conf = main_conf(r);
    if (!conf.sanitizer_ready) {
        prepare_sanitizer(conf);
    }
    return take_response(r, *ctx) && sanitize(r, conf, *ctx) == NGX_OK
               ? NGX_DECLINED
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
} catch (...) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

}  // namespace oidc::ngx
