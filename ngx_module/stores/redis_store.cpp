// Looking sessions up: local copies first, Redis then.
#include "stores/redis_store.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

#include "oidc/encode.hpp"
#include "oidc/ptr.hpp"
#include "signin/access.hpp"
#include "stores/redis_tls.hpp"

namespace oidc::ngx {

namespace {

// A local copy: the end of the session, whether it has been touched since it was read, and the
// stored record.
struct CopyHead {
    Seconds end = 0;
    std::uint64_t touched = 0;
};
static_assert(sizeof(CopyHead) == 16);

// What a request has learnt is used again by the phases that follow at once, not by a request that
// lives for minutes.
constexpr ngx_msec_t kAnswerLife = 1000;

// The end that a use of the session at `now` moves it to.
Seconds touched_end(const RecordTable::Meta& meta, Seconds now) noexcept {
    return meta.idle_timeout > 0 ? std::min(meta.expires, now + meta.idle_timeout) : meta.expires;
}

}  // namespace

Error redis_error(std::string_view command, const RedisReply& reply) {
    if (reply.error_code() == "OOM") {
        return fail(Reason::store_full, "redis has no memory left", "maxmemory of redis");
    }
    return fail(Reason::store_unavailable,
                "redis refused " + std::string(command) + ": " + std::string(reply.error_code()));
}

const RedisReply* first_error(std::span<const RedisReply> replies) noexcept {
    for (const RedisReply& reply : replies) {
        if (reply.is_error()) {
            return &reply;
        }
        if (const RedisReply* inner = first_error(reply.elements); inner != nullptr) {
            return inner;
        }
    }
    return nullptr;
}

// ---- life --------------------------------------------------------------------------------------

std::unique_ptr<SessionStore> RedisStore::make(ngx_conf_t* cf, const Store& store) {
    ngx_shm_zone_t* zone = SessionZone::add(cf, store.name + ":redis", store.size);
    ngx_ssl_t* ssl =
        zone != nullptr && store.redis.ssl ? redis_tls_create(cf, store.redis.ca_file) : nullptr;
    if (zone == nullptr || (store.redis.ssl && ssl == nullptr)) {
        return nullptr;
    }
    return std::make_unique<RedisStore>(store, zone, ssl);
}

RedisStore::RedisStore(const Store& store, ngx_shm_zone_t* zone, ngx_ssl_t* ssl)
    : store_(store), zone_(zone), ssl_(ssl), sealer_(store.keys) {}

ngx_int_t RedisStore::init_process(ngx_cycle_t* cycle) noexcept try {
    pool_ = std::make_unique<RedisPool>(store_.name, store_.redis, ssl_, cycle->log);
    return NGX_OK;
} catch (...) {
    return NGX_ERROR;
}

void RedisStore::exit_process() noexcept {
    pool_.reset();
    calls_.clear();
    fetches_.clear();
    waiters_.clear();
}

SessionStore::Ticket RedisStore::ticket_of(const CallBase& call) const noexcept {
    return calls_.contains(call.ticket) ? call.ticket : 0;
}

void RedisStore::post(RedisBatch batch) {
    if (pool_ != nullptr) {
        pool_->send(std::move(batch), nullptr);
    }
}

void RedisStore::cancel(Ticket ticket) noexcept {
    if (const auto it = calls_.find(ticket); it != calls_.end()) {
        it->second->forget();
        calls_.erase(it);
        return;
    }
    const auto it = waiters_.find(ticket);
    if (it == waiters_.end()) {
        return;
    }
    std::erase_if(it->second->waiters,
                  [ticket](const Fetch::Waiter& waiter) { return waiter.ticket == ticket; });
    waiters_.erase(it);
}

RecordTable::Stats RedisStore::stats() noexcept {
    return copies().stats();
}

void RedisStore::log(LogLevel level, std::string_view text) const noexcept {
    try {
        NgxLog(ngx_cycle->log)
            .write(level, "session store \"" + store_.name + "\": " + std::string(text));
    } catch (...) {
        // Only the line is lost.
    }
}

// ---- names -------------------------------------------------------------------------------------

std::string RedisStore::name(std::string_view kind, const Digest& digest) const {
    return store_.redis.prefix + std::string(kind) + base64url_encode(digest);
}

std::string RedisStore::owner_name(RecordTable::Tag which, std::uint64_t tag) const {
    std::uint8_t bytes[sizeof tag];
    for (std::size_t i = sizeof bytes; i > 0; --i, tag >>= 8) {
        bytes[i - 1] = static_cast<std::uint8_t>(tag & 255);
    }
    return store_.redis.prefix + (which == RecordTable::Tag::sid ? "o:sid:" : "o:sub:") +
           hex_encode(bytes);
}

// ---- local copies ------------------------------------------------------------------------------

void RedisStore::keep_copy(const Digest& key, const RecordTable::Meta& meta,
                           std::string_view record, Seconds end, bool touched) {
    const Seconds now = ngx_time();
    RecordTable::Meta local = meta;
    local.expires = std::min(now + store_.redis.local_copy, end);
    local.idle_timeout = 0;
    if (local.expires <= now) {
        drop_copy(key);
        return;
    }
    const CopyHead head{end, touched ? 1U : 0U};
    Secret copy;
    const Secret stored = encode_stored_record(meta, record);
    copy.reserve(sizeof head + stored.size());
    copy.append({reinterpret_cast<const char*>(&head), sizeof head});
    copy.append(stored.view());
    // Without room for it, every request asks Redis.
    static_cast<void>(copies().insert(key, local, as_bytes(copy.view()), now));
}

void RedisStore::drop_copy(const Digest& key) noexcept {
    copies().erase(key);
    // What is being read may be older than this.
    for (auto it = fetches_.begin(); it != fetches_.end();) {
        if (it->first.first == key) {
            it->second->keep = false;
            it = fetches_.erase(it);
        } else {
            ++it;
        }
    }
}

bool RedisStore::find_local(ngx_http_request_t* r, const Digest& binding, bool touch, Lookup& out) {
    if (store_.redis.local_copy == 0) {
        return false;
    }
    const Seconds now = ngx_time();
    std::string_view copy;
    if (copies().read(out.key, binding, now, r->pool, copy) != NGX_OK) {
        throw std::bad_alloc();
    }
    CopyHead head;
    if (copy.size() < sizeof head) {
        return false;
    }
    std::memcpy(&head, copy.data(), sizeof head);
    const auto stored = parse_stored_record(copy.substr(sizeof head));
    const auto view = stored ? SessionView::open(stored->record) : std::nullopt;
    if (!view || head.end <= now || stored->meta.expires <= now) {
        return false;
    }
    const Seconds end = touched_end(stored->meta, now);
    if (touch && head.touched == 0 && end > head.end) {
        head = {end, 1};
        Secret again;
        again.append({reinterpret_cast<const char*>(&head), sizeof head});
        again.append(copy.substr(sizeof head));
        copies().update(out.key, binding, as_bytes(again.view()), now);
        RedisBatch batch;
        batch.add({"PEXPIRE", name("s:", out.key), std::to_string((end - now) * 1000)});
        post(std::move(batch));
    }
    out.view = *view;
    out.expires = head.end;
    return true;
}

// ---- looking up --------------------------------------------------------------------------------

// What this store has learnt for one request.
struct RedisStore::Memo final : StoreMemo {
    explicit Memo(const RedisStore& owner) noexcept : store(&owner) {}
    const RedisStore* store;
    std::map<Place, AnswerPtr> answers;
};

RedisStore::Memo& RedisStore::memo_of(RequestContext& ctx, const RedisStore& store) {
    auto* memo = dynamic_cast<Memo*>(ctx.store_memo.get());
    if (memo == nullptr || memo->store != &store) {
        auto fresh = std::make_unique<Memo>(store);
        memo = fresh.get();
        ctx.store_memo = std::move(fresh);
    }
    return *memo;
}

bool RedisStore::key_of(ngx_http_request_t* /*r*/, RequestContext& /*ctx*/,
                        const Provider& /*provider*/, const Digest& /*binding*/,
                        std::string_view cookie, Digest& key) noexcept {
    bool failed = false;
    return session_key(cookie, key, failed);
}

SessionStore::Find RedisStore::find(ngx_http_request_t* r, RequestContext& ctx,
                                    const Provider& /*provider*/, const Digest& binding,
                                    std::string_view cookie, bool touch, Lookup& out) noexcept try {
    bool failed = false;
    if (!session_key(cookie, out.key, failed)) {
        return failed ? Find::failed : Find::missing;
    }
    if (find_local(r, binding, touch, out)) {
        return Find::found;
    }
    Memo& memo = memo_of(ctx, *this);
    if (const auto it = memo.answers.find({out.key, binding}); it != memo.answers.end()) {
        if (ngx_current_msec - it->second->at <= kAnswerLife) {
            return use(r, *it->second, out);
        }
        memo.answers.erase(it);
    }
    return fetch(r, ctx, binding, touch, out);
} catch (...) {
    return Find::failed;
}

SessionStore::Find RedisStore::use(ngx_http_request_t* r, const Answer& answer, Lookup& out) const {
    if (answer.find != Find::found) {
        return answer.find;
    }
    if (answer.expires <= ngx_time()) {
        return Find::missing;
    }
    auto* copy = static_cast<char*>(ngx_pnalloc(r->pool, answer.opened.record.size()));
    if (copy == nullptr) {
        return Find::failed;
    }
    const std::string_view record = answer.opened.record;
    std::memcpy(copy, record.data(), record.size());
    const auto view = SessionView::open({copy, record.size()});
    if (!view) {
        return Find::missing;  // written by another version
    }
    out.view = *view;
    out.expires = answer.expires;
    return Find::found;
}

SessionStore::Find RedisStore::fetch(ngx_http_request_t* r, RequestContext& ctx,
                                     const Digest& binding, bool touch, Lookup& out) {
    if (pool_ == nullptr) {
        return Find::unavailable;
    }
    const Place place{out.key, binding};
    // A subrequest may look while its main request waits.
    if (const auto it = waiters_.find(ctx.store_ticket);
        ctx.store == this && it != waiters_.end()) {
        if (it->second->place == place) {
            return Find::waiting;
        }
        cancel(ctx.store_ticket);
    }
    // Requests of one session that come at once ask once. Not with `local_copy 0`, because the
    // question may be older than the end of the session.
    const bool shared = store_.redis.local_copy > 0;
    FetchPtr fetch;
    if (const auto it = fetches_.find(place); shared && it != fetches_.end()) {
        fetch = it->second;
    } else {
        fetch = std::make_shared<Fetch>();
        fetch->place = place;
        fetch->keep = shared;
        RedisBatch batch;
        const std::string key = name("s:", out.key);
        batch.add({"GETEX", key});  // counts as a write: no replica answers it
        batch.add({"PTTL", key});
        pool_->send(std::move(batch),
                    [this, fetch](const Result<Replies>& replies) { fetched(fetch, replies); });
        if (fetch->answer != nullptr) {
            return use(r, *fetch->answer, out);
        }
        if (shared) {
            fetches_.emplace(place, fetch);
        }
    }
    fetch->touch = fetch->touch || touch;
    const Ticket ticket = ++last_;
    fetch->waiters.push_back({ticket, r->main, &ctx});
    waiters_.emplace(ticket, fetch);
    ctx.store = this;
    ctx.store_ticket = ticket;
    return Find::waiting;
}

void RedisStore::fetched(const FetchPtr& fetch, const Result<Replies>& replies) noexcept {
    const OpensslErrorGuard guard;
    try {
        if (const auto it = fetches_.find(fetch->place);
            it != fetches_.end() && it->second == fetch) {
            fetches_.erase(it);
        }
        fetch->answer = read_answer(*fetch, replies);
    } catch (...) {
        fetch->answer.reset();
    }
    for (const Fetch::Waiter& waiter : std::exchange(fetch->waiters, {})) {
        waiters_.erase(waiter.ticket);
        try {
            if (fetch->answer != nullptr) {
                memo_of(*waiter.ctx, *this).answers[fetch->place] = fetch->answer;
            }
        } catch (...) {
            // It asks again.
        }
        resume_request(waiter.request, *waiter.ctx);
    }
}

RedisStore::AnswerPtr RedisStore::read_answer(const Fetch& fetch, const Result<Replies>& replies) {
    auto answer = std::make_shared<Answer>();
    answer->at = ngx_current_msec;
    if (!replies || first_error(*replies) != nullptr || replies->size() != 2) {
        return answer;
    }
    const auto& [key, binding] = fetch.place;
    const RedisReply& value = (*replies)[0];
    const long long left = (*replies)[1].integer;  // milliseconds; -1: no end, -2: no key
    answer->find = Find::missing;
    if (!value.is_string() || left == -2) {
        return answer;
    }
    auto opened = open_value(key, value);
    const Seconds now = ngx_time();
    if (!opened || opened->meta.expires <= now ||
        !equal_constant_time(as_text(opened->meta.binding), as_text(binding)) ||
        !SessionView::open(opened->record)) {
        return answer;
    }
    const RecordTable::Meta& meta = opened->meta;
    Seconds end = session_end(meta, left, now);
    // At most one write a second, however many requests there are.
    const Seconds moved = touched_end(meta, now);
    const bool touch = fetch.touch && meta.idle_timeout > 0 && moved > end;
    if (touch) {
        RedisBatch batch;
        batch.add({"PEXPIRE", name("s:", key), std::to_string((moved - now) * 1000)});
        post(std::move(batch));
        end = moved;
    }
    if (fetch.keep) {
        keep_copy(key, meta, opened->record, end, touch);
    }
    answer->find = Find::found;
    answer->expires = end;
    answer->opened = *std::move(opened);
    return answer;
}

std::optional<RecordSealer::Opened> RedisStore::open_value(const Digest& key,
                                                           const RedisReply& value) {
    auto opened = sealer_.open(key, value.text);
    if (!opened) {
        log(LogLevel::warn,
            "a session in redis does not open: it was changed there, or its key is no longer in "
            "key_file");
    }
    return opened;
}

}  // namespace oidc::ngx
