// SPDX-License-Identifier: Apache-2.0
#include "status/sessions_admin.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "oidc/encode.hpp"
#include "oidc/tenants.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "shm/counters_zone.hpp"
#include "signin/upgraded.hpp"
#include "status/json_answer.hpp"
#include "stores/session_ids.hpp"

namespace oidc::ngx {
namespace {

constexpr std::size_t kMaxSub = 255;  // OIDC Core 2
constexpr std::size_t kIdBytes = 8;   // as $oidc_session_id shows it

struct Question {
    Provider* provider = nullptr;
    std::string iss;  // whose subject it is; not said where there is one issuer
    std::string sub;
    std::string id;  // empty: all of the user's
};

std::uint64_t tag_of(const Question& question) {
    const Provider& provider = *question.provider;
    return sub_tag(provider, question.iss.empty() ? provider.config.issuer : question.iss,
                   question.sub);
}

// ---- answers ---------------------------------------------------------------------------------

ngx_int_t send_error(ngx_http_request_t* r, int status, std::string_view code,
                     std::string_view message) {
    JsonObject json;
    json.add("error", code);
    json.add("message", message);
    return send_json(r, status, json,
                     status == NGX_HTTP_NOT_ALLOWED ? "GET, HEAD, DELETE" : std::string_view());
}

ngx_int_t send_failure(ngx_http_request_t* r, const Question& question, const Error& error) {
    const ReasonInfo& info = reason_info(error.reason);
    NgxLog(r->connection->log)
        .write(info.level, "oidc_sessions cannot be answered for provider \"" +
                               question.provider->config.name + "\": " + std::string(info.code) +
                               ": " + error.detail);
    return send_error(r, info.status, info.code, info.title);
}

void add_subject(JsonObject& json, const Question& question) {
    if (!question.iss.empty()) {
        json.add("iss", question.iss);
    }
    json.add("sub", question.sub);
}

std::string short_id(const Digest& key) {
    return hex_encode(ByteView(key).first(kIdBytes));
}

JsonObject session_json(const RecordTable::Listed& session, bool seen) {
    JsonObject json;
    const auto add_seconds = [&json](std::string_view name, Seconds time) {
        json.add(name, static_cast<std::uint64_t>(std::max<Seconds>(time, 0)));
    };
    json.add("id", short_id(session.key));
    add_seconds("created", session.created);
    if (seen) {
        add_seconds("last_seen", session.last_seen);
    } else {
        json.add_null("last_seen");
    }
    add_seconds("expires", session.expires);
    return json;
}

ngx_int_t send_list(ngx_http_request_t* r, RequestContext& ctx, const Question& question) {
    std::sort(ctx.task->listed.begin(), ctx.task->listed.end(), [](const auto& a, const auto& b) {
        return std::pair(a.created, a.key) < std::pair(b.created, b.key);
    });
    // Nobody writes down when a session was used unless its end depends on it.
    const bool seen = question.provider->config.session_idle_timeout > 0;
    std::vector<JsonObject> sessions;
    sessions.reserve(ctx.task->listed.size());
    for (const RecordTable::Listed& session : ctx.task->listed) {
        sessions.push_back(session_json(session, seen));
    }
    JsonObject json;
    json.add("provider", question.provider->config.name);
    add_subject(json, question);
    json.add("sessions", sessions);
    return send_json(r, NGX_HTTP_OK, json);
}

// `count` null: the store does not know how many there were.
ngx_int_t send_ended(ngx_http_request_t* r, const Question& question,
                     std::optional<std::size_t> count) {
    if (!count || *count > 0) {
        counters(r).count_logout(LogoutKind::admin);
        const std::string tenant =
            question.iss.empty() ? std::string() : " of the issuer \"" + question.iss + "\"";
        const std::string which =
            question.id.empty() ? std::string() : ", the one with the id \"" + question.id + "\"";
        NgxLog(r->connection->log)
            .write(LogLevel::notice,
                   "oidc_sessions ended " + (count ? std::to_string(*count) : std::string("the")) +
                       " sessions of the sub \"" + question.sub + "\" at provider \"" +
                       question.provider->config.name + "\"" + tenant + which);
    }
    JsonObject json;
    json.add("provider", question.provider->config.name);
    add_subject(json, question);
    if (count) {
        json.add("ended", static_cast<std::uint64_t>(*count));
    } else {
        json.add_null("ended");
    }
    return send_json(r, NGX_HTTP_OK, json);
}

// ---- waiting in the content phase ------------------------------------------------------------

void on_ready(ngx_http_request_t* r) noexcept {
    RequestContext* ctx = find_context(r);
    if (ctx != nullptr && !is_task_due(*ctx)) {
        return;  // some other event of the connection
    }
    ngx_int_t rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    r->write_event_handler = ngx_http_request_empty_handler;
    try {
        if (ctx != nullptr) {
            rc = resume_task(r, *ctx);
        }
    } catch (...) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                      "oidc: oidc_sessions ended in an exception");
    }
    ngx_http_finalize_request(r, rc);
}

// when_ready() for a content handler, whose phase is not run again.
ngx_int_t content_when_ready(ngx_http_request_t* r, RequestContext& ctx, bool ready,
                             std::function<ngx_int_t(Event)> next) {
    const ngx_int_t rc = when_ready(r, ctx, ready, std::move(next));
    if (ready || rc != NGX_AGAIN) {
        return rc;
    }
    r->write_event_handler = on_ready;
    ++r->main->count;  // given back by the caller's finalisation of NGX_DONE
    return NGX_DONE;
}

// ---- what is asked for -----------------------------------------------------------------------

ngx_int_t with_list(ngx_http_request_t* r, RequestContext& ctx, const Question& question,
                    const std::function<ngx_int_t()>& next) {
    const std::uint64_t tag = tag_of(question);
    RequestTask& task = *ctx.task;
    const bool ready = ask_store(task, *question.provider, task.listed, [&](auto done) {
        return question.provider->store->sessions().list_owner(RecordTable::Tag::sub, tag,
                                                               std::move(done));
    });
    return content_when_ready(r, ctx, ready, [r, question, next](const Event& event) {
        const auto* error = std::get_if<Error>(&event);
        return error != nullptr ? send_failure(r, question, *error) : next();
    });
}

ngx_int_t end_all(ngx_http_request_t* r, RequestContext& ctx, const Question& question) {
    const std::uint64_t tag = tag_of(question);
    RequestTask& task = *ctx.task;
    const bool ready = ask_store(task, *question.provider, task.ended, [&](auto done) {
        return question.provider->store->sessions().erase_owner(RecordTable::Tag::sub, tag,
                                                                std::move(done));
    });
    return content_when_ready(r, ctx, ready, [r, &ctx, question](const Event& event) {
        if (const auto* error = std::get_if<Error>(&event)) {
            return send_failure(r, question, *error);
        }
        look_at_upgraded();
        return send_ended(
            r, question,
            ctx.task->ended.counted ? std::optional(ctx.task->ended.sessions) : std::nullopt);
    });
}

// The one of the user's sessions that the id names.
ngx_int_t end_one(ngx_http_request_t* r, RequestContext& ctx, const Question& question) {
    std::vector<Digest> keys;
    for (const RecordTable::Listed& session : ctx.task->listed) {
        if (short_id(session.key) == question.id) {
            keys.push_back(session.key);
        }
    }
    if (keys.empty()) {
        return send_ended(r, question, 0);
    }
    RequestTask& task = *ctx.task;
    const bool ready = ask_store(task, *question.provider, task.erased, [&](auto done) {
        return question.provider->store->sessions().erase(keys, std::move(done));
    });
    return content_when_ready(r, ctx, ready,
                              [r, question, keys = std::move(keys)](const Event& event) {
                                  if (const auto* error = std::get_if<Error>(&event)) {
                                      return send_failure(r, question, *error);
                                  }
                                  close_upgraded(keys);
                                  return send_ended(r, question, keys.size());
                              });
}

// False: the argument is there more than once, or cannot be read.
bool read_argument(ngx_http_request_t* r, std::string_view name, std::string& out) {
    Argument found = decoded_argument(view(r->args), name);
    if (found.count == 0) {
        return true;
    }
    if (found.count != 1 || !found.value || found.value->empty() ||
        has_control_bytes(*found.value)) {
        return false;
    }
    out = *std::move(found.value);
    return true;
}

bool is_short_id(std::string_view text) noexcept {
    return text.size() == 2 * kIdBytes && std::all_of(text.begin(), text.end(), is_lower_hex);
}

ngx_int_t answer(ngx_http_request_t* r, RequestContext& ctx) {
    // No page of another site can make an administrator's browser ask. No CORS header is ever sent.
    if (!is_own_request(r, nullptr)) {
        return send_error(r, NGX_HTTP_FORBIDDEN, "cross_site", "The request is of another site.");
    }
    if ((r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD | NGX_HTTP_DELETE)) == 0) {
        return send_error(r, NGX_HTTP_NOT_ALLOWED, "invalid_method", "GET lists, DELETE ends.");
    }
    const MainConf& conf = main_conf(r);
    Question question;
    std::string name;
    if (!read_argument(r, "provider", name) || !read_argument(r, "iss", question.iss) ||
        !read_argument(r, "sub", question.sub) || !read_argument(r, "id", question.id)) {
        return send_error(r, NGX_HTTP_BAD_REQUEST, "invalid_request",
                          "An argument is empty, malformed or there twice.");
    }
    if (question.sub.empty() || question.sub.size() > kMaxSub) {
        return send_error(r, NGX_HTTP_BAD_REQUEST, "invalid_request",
                          "The argument sub, 1 to 255 characters, names the user.");
    }
    const bool ends = r->method == NGX_HTTP_DELETE;
    if (!question.id.empty() && (!ends || !is_short_id(question.id))) {
        return send_error(r, NGX_HTTP_BAD_REQUEST, "invalid_request",
                          "The argument id is for DELETE, 16 hexadecimal digits as listed.");
    }
    if (name.empty() && conf.providers.size() != 1) {
        return send_error(r, NGX_HTTP_BAD_REQUEST, "invalid_request",
                          "There are several providers, the argument provider names one.");
    }
    question.provider = name.empty() ? conf.providers.front().get() : conf.find_provider(name);
    if (question.provider == nullptr) {
        return send_error(r, NGX_HTTP_NOT_FOUND, "unknown_provider", "There is no such provider.");
    }
    const ProviderConfig& config = question.provider->config;
    if (question.iss.empty() && !config.tenants.empty()) {
        return send_error(r, NGX_HTTP_BAD_REQUEST, "invalid_request",
                          "The provider has several tenants, the argument iss names the user's.");
    }
    if (!question.iss.empty() && !is_issuer(config, question.iss) &&
        !is_tenant_name(tenant_of(config, question.iss).value_or(std::string_view{}))) {
        return send_error(r, NGX_HTTP_NOT_FOUND, "unknown_issuer",
                          "The argument iss names no issuer of this provider.");
    }
    // The provider may be another one than the location is protected by.
    begin_task(r, ctx, RequestTask::Kind::none, *question.provider);
    if (!ends) {
        return with_list(r, ctx, question,
                         [r, &ctx, question] { return send_list(r, ctx, question); });
    }
    return question.id.empty() ? end_all(r, ctx, question)
                               : with_list(r, ctx, question, [r, &ctx, question] {
                                     return end_one(r, ctx, question);
                                 });
}

}  // namespace

ngx_int_t sessions_handler(ngx_http_request_t* r) noexcept try {
    RequestContext* ctx = find_context(r);
    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }
    if (ctx == nullptr || !ctx->sanitized) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return answer(r, *ctx);
} catch (...) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

}  // namespace oidc::ngx
