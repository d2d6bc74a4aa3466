// SPDX-License-Identifier: Apache-2.0
// How sessions stand in Redis: the names of keys, sealed values, and what Redis says of them.
//
// After the prefix (digests in base64url, tags in hexadecimal):
//   s:KEY               the sealed record, which lives as long as the session (idle timeout, end)
//   o:sid:TAG o:sub:TAG sessions of an owner: BINDING.KEY.CREATED, scored with their absolute end
//   l:KEY               the lease of a session that is being refreshed
//   u:DIGEST            a value that has been used
// Redis sees hashes, tags and sealed text only.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/ports_ngx.hpp"
#include "config/conf.hpp"
#include "oidc/redis_codec.hpp"
#include "oidc/sealed_record.hpp"

namespace oidc::ngx {

class RedisRecords {
  public:
    // Borrows the store's configuration. Throws as RecordSealer does.
    explicit RedisRecords(const Store& store);

    [[nodiscard]] std::string session_name(const Digest& key) const;
    [[nodiscard]] std::string lease_name(const Digest& key) const;
    [[nodiscard]] std::string used_name(const Digest& digest) const;
    [[nodiscard]] std::string owner_name(RecordTable::Tag which, std::uint64_t tag) const;

    // Errors: internal_error.
    Result<std::string> seal(const Digest& key, const RecordTable::Meta& meta,
                             std::string_view record);
    // nullopt: no string, not sealed under this key by a key of the ring, or over.
    [[nodiscard]] std::optional<RecordSealer::Opened> open(const Digest& key,
                                                           const RedisReply& value) const;
    // The same; a value that does not open is told in the log.
    [[nodiscard]] std::optional<RecordSealer::Opened> open_or_tell(const Digest& key,
                                                                   const RedisReply& value) const;
    // The same, for this binding only.
    [[nodiscard]] std::optional<RecordSealer::Opened> open_bound(const Digest& key,
                                                                 const Digest& binding,
                                                                 const RedisReply& value) const;

  private:
    [[nodiscard]] std::string name(std::string_view kind, const Digest& digest) const;

    const Store& store_;
    RecordSealer sealer_;
    OpensslRandom random_;
};

bool is_bound(const RecordTable::Meta& meta, const Digest& binding) noexcept;
// The end of a session that PTTL says to live for `left` more milliseconds; negative: no end of its
// own.
Seconds session_end(const RecordTable::Meta& meta, long long left, Seconds now) noexcept;
// The end that a use of the session at `now` moves it to.
Seconds touched_end(const RecordTable::Meta& meta, Seconds now) noexcept;
// As commands take a time.
std::string milliseconds(Seconds seconds);

// What an answer of Redis that is an error means to a caller. Errors: store_full, when Redis has no
// memory left; store_unavailable.
Error redis_error(std::string_view command, const RedisReply& reply);
// The first error of some replies, in an EXEC as well; null: none.
const RedisReply* first_error(std::span<const RedisReply> replies) noexcept;

}  // namespace oidc::ngx
