// SPDX-License-Identifier: Apache-2.0
// The sealed form in which a session store survives a restart: its records, and the values that
// were used once.
//
//   "OIDCSTA1" | id of the file (16) | frames
//   frame: length (4, big-endian) | sealed text of at most 64 KiB
//
// Each frame is sealed with the purpose, the store's name, the version, the file's id and the
// frame's number as additional data; the first byte inside says whether it is the last. So a frame
// that is changed, left out, moved, taken from another file or cut off is noticed. Inside, the
// frames are one stream of items: type (1) | length (4) | content.
//
// Neither side holds more than a frame and a record in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "oidc/bytes.hpp"
#include "oidc/crypto.hpp"
#include "oidc/once_table.hpp"
#include "oidc/ports.hpp"
#include "oidc/record_table.hpp"

namespace oidc {

inline constexpr std::string_view kDumpMagic = "OIDCSTA1";

enum class DumpError : std::uint8_t {
    none,
    io,       // the callback said so
    no_dump,  // something else, perhaps not ours
    sealed,   // of another key or store, or changed
    cut,      // not all of it is there
    content,  // sealed with our key, but not by these rules
    failed,   // no memory, no randomness, or OpenSSL failed
};
// What is wrong, for a log line; empty for none.
std::string_view text_of(DumpError error) noexcept;

struct DumpCounts {
    std::size_t sessions = 0;  // written, or taken over
    std::size_t expired = 0;   // left out
    std::size_t foreign = 0;   // records of another version, left out
    std::size_t full = 0;      // left out, because the table has no room for them
    std::size_t used = 0;      // values that were used once
    std::size_t bytes = 0;     // of the file
};

// What is dumped: the caller holds their locks.
struct DumpTables {
    RecordTable sessions;
    OnceTable used;
};

// Writes the live records. `ring`: 1 to 8 keys for this purpose, the first seals. False from `sink`
// ends it with `io`.
using DumpSink = std::function<bool(std::string_view)>;
DumpError write_dump(const DumpTables& from, std::span<const AeadKey> ring, std::string_view store,
                     Seconds now, Random& random, const DumpSink& sink,
                     DumpCounts& counts) noexcept;

// Puts what is still live into the tables. After an error they may hold a part of it, and are to be
// made anew. `source` fills `out` as far as the file goes and returns how much that is, or -1.
using DumpSource = std::function<std::ptrdiff_t(std::span<char> out)>;
DumpError read_dump(const DumpSource& source, std::span<const AeadKey> ring, std::string_view store,
                    Seconds now, DumpTables& to, DumpCounts& counts) noexcept;

// The stream inside the frames, for read_dump and its tests.
class DumpItems {
  public:
    DumpItems(DumpTables& to, Seconds now, DumpCounts& counts) noexcept
        : to_(to), now_(now), counts_(counts) {}
    // Takes the next bytes. False: the stream breaks the rules.
    [[nodiscard]] bool take(std::string_view bytes);
    // True when the stream may end here.
    [[nodiscard]] bool is_complete() const noexcept { return rest_.empty(); }

  private:
    bool item(std::uint8_t type, std::string_view content);
    bool session(std::string_view content);
    bool used(std::string_view content);

    DumpTables& to_;
    Seconds now_;
    DumpCounts& counts_;
    Secret rest_;  // an item whose end has not come yet
};

}  // namespace oidc
