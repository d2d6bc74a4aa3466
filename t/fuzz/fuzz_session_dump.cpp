// SPDX-License-Identifier: Apache-2.0
// State files: the frames as anybody could write them, and the stream inside as only a holder of
// the key could. Whatever comes, the tables stay whole.

#include <algorithm>
#include <array>

#include "fuzz.hpp"
#include "oidc/session_dump.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

constexpr Seconds kNow = 1'700'000'000;

alignas(64) std::array<std::byte, 64 * 1024> g_sessions;
alignas(64) std::array<std::byte, 4 * 1024> g_used;

DumpTables empty_tables() {
    return {RecordTable::create(g_sessions), OnceTable::create(g_used)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = text_of(data, size);
    DumpCounts counts;
    {
        DumpTables tables = empty_tables();
        const std::array<AeadKey, 1> ring{};
        std::string_view left = input;
        const DumpError error = read_dump(
            [&left](std::span<char> out) {
                const std::size_t n = std::min(out.size(), left.size());
                std::copy_n(left.begin(), n, out.begin());
                left.remove_prefix(n);
                return static_cast<std::ptrdiff_t>(n);
            },
            ring, "store", kNow, tables, counts);
        promise(error != DumpError::none, "nobody guesses a tag");
        promise(tables.sessions.stats().records == 0, "nothing is taken from an unsealed file");
    }
    DumpTables tables = empty_tables();
    counts = {};
    DumpItems whole(tables, kNow, counts);
    const bool taken = whole.take(input);
    promise(tables.sessions.check(), "the table is whole");
    promise(tables.sessions.stats().records <= counts.sessions, "what is counted is there");
    // The same in two pieces.
    tables = empty_tables();
    DumpCounts again;
    DumpItems pieces(tables, kNow, again);
    const std::size_t cut = size == 0 ? 0 : data[size - 1] % size;
    const bool both = pieces.take(input.substr(0, cut)) && pieces.take(input.substr(cut));
    promise(both == taken, "pieces do not matter");
    promise(!taken || (again.sessions == counts.sessions && again.used == counts.used),
            "pieces do not matter for what is taken");
    return 0;
}
