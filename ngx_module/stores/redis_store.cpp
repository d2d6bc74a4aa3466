// Looking sessions up: local copies first, Redis then.
#include "stores/redis_store.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

#include "oidc/encode.hpp"
#include "oidc/ptr.hpp"
#include "stores/redis_tls.hpp"
#include "stores/session_ids.hpp"

namespace oidc::ngx {

namespace {

// A local copy: the end of the session, whether it has been touched since it was read, and the
// stored record.
struct CopyHead {
    Seconds end = 0;
    std::uint64_t touched = 0;
};
static_assert(sizeof(CopyHead) == 16);

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
                  [ticket](const Waiter& waiter) { return waiter.ticket == ticket; });
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

bool RedisStore::find_local(const Query& query, Found& out) {
    if (store_.redis.local_copy == 0) {
        return false;
    }
    const Digest& key = out.ref.key;
    const Digest& binding = *query.binding;
    const Seconds now = ngx_time();
    std::string_view copy;
    if (copies().read(key, binding, now, query.pool, copy) != NGX_OK) {
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
    if (query.touch && head.touched == 0 && end > head.end) {
        head = {end, 1};
        Secret again;
        again.append({reinterpret_cast<const char*>(&head), sizeof head});
        again.append(copy.substr(sizeof head));
        copies().update(key, binding, as_bytes(again.view()), now);
        RedisBatch batch;
        batch.add({"PEXPIRE", name("s:", key), std::to_string((end - now) * 1000)});
        post(std::move(batch));
    }
    out.ref.binding = binding;
    out.view = *view;
    out.expires = head.end;
    return true;
}

// ---- looking up --------------------------------------------------------------------------------

bool RedisStore::key_of(const Query& query, Digest& key) noexcept {
    bool failed = false;
    return session_key(query.cookie, key, failed);
}

SessionStore::Find RedisStore::find(const Query& query, Found& out) noexcept try {
    bool failed = false;
    if (!session_key(query.cookie, out.ref.key, failed)) {
        return failed ? Find::failed : Find::missing;
    }
    if (find_local(query, out)) {
        return Find::found;
    }
    return pool_ == nullptr ? Find::unavailable : Find::waiting;
} catch (...) {
    return Find::failed;
}

SessionStore::Ticket RedisStore::ask(const Query& query, Done<std::optional<Found>> done) {
    Place place;
    place.second = *query.binding;
    bool failed = false;
    if (pool_ == nullptr || !session_key(query.cookie, place.first, failed)) {
        if (pool_ == nullptr) {
            done(fail(Reason::store_unavailable, "this process has no redis"));
        } else if (failed) {
            done(fail(Reason::internal_error, "the session has no key"));
        } else {
            done(std::optional<Found>());
        }
        return 0;
    }
    bool fresh = false;
    const FetchPtr fetch = fetch_of(place, fresh);
    fetch->touch = fetch->touch || query.touch;
    const Ticket ticket = ++last_;
    fetch->waiters.push_back({ticket, query.pool, std::move(done)});
    waiters_.emplace(ticket, fetch);
    if (fresh) {
        try {
            send_fetch(fetch);
        } catch (...) {
            fetched(fetch, fail(Reason::internal_error, "no memory"));
        }
    }
    return waiters_.contains(ticket) ? ticket : 0;
}

RedisStore::FetchPtr RedisStore::fetch_of(const Place& place, bool& fresh) {
    // Those of one session that come at once ask once. Not with `local_copy 0`, because the
    // question may be older than the end of the session.
    const bool shared = store_.redis.local_copy > 0;
    if (const auto it = fetches_.find(place); shared && it != fetches_.end()) {
        return it->second;
    }
    auto fetch = std::make_shared<Fetch>();
    fetch->place = place;
    fetch->keep = shared;
    if (shared) {
        fetches_.emplace(place, fetch);
    }
    fresh = true;
    return fetch;
}

void RedisStore::send_fetch(const FetchPtr& fetch) {
    RedisBatch batch;
    const std::string key = name("s:", fetch->place.first);
    batch.add({"GETEX", key});  // counts as a write: no replica answers it
    batch.add({"PTTL", key});
    pool_->send(std::move(batch),
                [this, fetch](const Result<Replies>& replies) { fetched(fetch, replies); });
}

void RedisStore::fetched(const FetchPtr& fetch, const Result<Replies>& replies) noexcept {
    const OpensslErrorGuard guard;
    if (const auto it = fetches_.find(fetch->place); it != fetches_.end() && it->second == fetch) {
        fetches_.erase(it);
    }
    Answer answer;
    try {
        answer = read_answer(*fetch, replies);
    } catch (...) {
        answer.find = Find::failed;
    }
    // One that is called may cancel others.
    while (!fetch->waiters.empty()) {
        const Waiter waiter = std::move(fetch->waiters.front());
        fetch->waiters.erase(fetch->waiters.begin());
        waiters_.erase(waiter.ticket);
        try {
            waiter.done(found_of(answer, fetch->place, waiter.pool));
        } catch (...) {
            log(LogLevel::error, "no memory for an answer of redis");
        }
    }
}

// The answer in the pool of the one who asked.
Result<std::optional<SessionStore::Found>> RedisStore::found_of(const Answer& answer,
                                                                const Place& place,
                                                                ngx_pool_t* pool) {
    if (answer.find == Find::unavailable || answer.find == Find::failed) {
        return answer.find == Find::failed
                   ? fail(Reason::internal_error, "no memory")
                   : fail(Reason::store_unavailable, "redis does not answer");
    }
    if (answer.find == Find::missing) {
        return std::optional<Found>();
    }
    const std::string_view record = answer.opened.record;
    auto* copy = static_cast<char*>(ngx_pnalloc(pool, record.size()));
    if (copy == nullptr) {
        return fail(Reason::internal_error, "no memory");
    }
    std::memcpy(copy, record.data(), record.size());
    const auto view = SessionView::open({copy, record.size()});
    if (!view) {
        return std::optional<Found>();  // written by another version
    }
    Found found;
    found.ref.key = place.first;
    found.ref.binding = place.second;
    found.view = *view;
    found.expires = answer.expires;
    return std::optional<Found>(std::move(found));
}

RedisStore::Answer RedisStore::read_answer(const Fetch& fetch, const Result<Replies>& replies) {
    Answer answer;
    if (!replies || first_error(*replies) != nullptr || replies->size() != 2) {
        return answer;
    }
    const auto& [key, binding] = fetch.place;
    const RedisReply& value = (*replies)[0];
    const long long left = (*replies)[1].integer;  // milliseconds; -1: no end, -2: no key
    answer.find = Find::missing;
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
    answer.find = Find::found;
    answer.expires = end;
    answer.opened = *std::move(opened);
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
