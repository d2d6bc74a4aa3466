// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_records.hpp"

#include <algorithm>

#include "oidc/encode.hpp"
#include "oidc/ptr.hpp"

namespace oidc::ngx {

RedisRecords::RedisRecords(const Store& store) : store_(store), sealer_(store.keys) {}

// ---- names -------------------------------------------------------------------------------------

std::string RedisRecords::name(std::string_view kind, const Digest& digest) const {
    return store_.redis.prefix + std::string(kind) + base64url_encode(digest);
}

std::string RedisRecords::session_name(const Digest& key) const {
    return name("s:", key);
}

std::string RedisRecords::lease_name(const Digest& key) const {
    return name("l:", key);
}

std::string RedisRecords::used_name(const Digest& digest) const {
    return name("u:", digest);
}

std::string RedisRecords::owner_name(RecordTable::Tag which, std::uint64_t tag) const {
    std::uint8_t bytes[sizeof tag];
    for (std::size_t i = sizeof bytes; i > 0; --i, tag >>= 8) {
        bytes[i - 1] = static_cast<std::uint8_t>(tag & 255);
    }
    return store_.redis.prefix + (which == RecordTable::Tag::sid ? "o:sid:" : "o:sub:") +
           hex_encode(bytes);
}

// ---- values ------------------------------------------------------------------------------------

Result<std::string> RedisRecords::seal(const Digest& key, const RecordTable::Meta& meta,
                                       std::string_view record) {
    const OpensslErrorGuard guard;
    return sealer_.seal(key, meta, record, random_);
}

std::optional<RecordSealer::Opened> RedisRecords::open(const Digest& key,
                                                       const RedisReply& value) const {
    const OpensslErrorGuard guard;
    auto opened =
        value.is_string() ? sealer_.open(key, value.text) : std::optional<RecordSealer::Opened>();
    if (opened && opened->meta.expires <= ngx_time()) {
        opened.reset();
    }
    return opened;
}

std::optional<RecordSealer::Opened> RedisRecords::open_or_tell(const Digest& key,
                                                               const RedisReply& value) const {
    const OpensslErrorGuard guard;
    if (!value.is_string()) {
        return std::nullopt;
    }
    auto opened = sealer_.open(key, value.text);
    if (!opened) {
        NgxLog(ngx_cycle->log)
            .write(LogLevel::warn,
                   "session store \"" + store_.name +
                       "\": a session in redis does not open: it was changed there, or its key is "
                       "no longer in key_file");
        return std::nullopt;
    }
    if (opened->meta.expires <= ngx_time()) {
        opened.reset();
    }
    return opened;
}

std::optional<RecordSealer::Opened> RedisRecords::open_bound(const Digest& key,
                                                             const Digest& binding,
                                                             const RedisReply& value) const {
    auto opened = open_or_tell(key, value);
    if (opened && !is_bound(opened->meta, binding)) {
        opened.reset();
    }
    return opened;
}

bool is_bound(const RecordTable::Meta& meta, const Digest& binding) noexcept {
    return equal_constant_time(as_text(meta.binding), as_text(binding));
}

Seconds session_end(const RecordTable::Meta& meta, long long left, Seconds now) noexcept {
    const auto end = now + static_cast<Seconds>((left + 999) / 1000);
    return left < 0 || meta.expires < end ? meta.expires : end;
}

Seconds touched_end(const RecordTable::Meta& meta, Seconds now) noexcept {
    return meta.idle_timeout > 0 ? std::min(meta.expires, now + meta.idle_timeout) : meta.expires;
}

std::string milliseconds(Seconds seconds) {
    return std::to_string(seconds * 1000);
}

// ---- errors ------------------------------------------------------------------------------------

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

}  // namespace oidc::ngx
