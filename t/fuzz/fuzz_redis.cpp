// SPDX-License-Identifier: Apache-2.0
// Redis's protocol: however the bytes are cut, the replies are the same; what is read is bounded;
// what is written is read back. The first byte says where to cut.
#include <vector>

#include "fuzz.hpp"
#include "oidc/redis_codec.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

void check(const RedisReply& reply, std::size_t depth) {
    promise(reply.type != RedisReply::Type::array || depth <= RedisReader::kMaxDepth, "depth");
    promise(reply.elements.size() <= RedisReader::kMaxElements, "elements");
    promise(reply.text.size() <= RedisReader::kMaxReply, "bytes");
    promise(reply.elements.empty() || reply.type == RedisReply::Type::array, "only arrays nest");
    promise(reply.error_text().size() <= reply.text.size(), "part of the error");
    promise(reply.error_code().find(' ') == std::string_view::npos, "one word");
    for (const RedisReply& element : reply.elements) {
        check(element, depth + 1);
    }
}

bool equal(const RedisReply& a, const RedisReply& b) {
    if (a.type != b.type || a.integer != b.integer || a.text != b.text ||
        a.elements.size() != b.elements.size()) {
        return false;
    }
    for (std::size_t i = 0; i < a.elements.size(); ++i) {
        if (!equal(a.elements[i], b.elements[i])) {
            return false;
        }
    }
    return true;
}

// The whole replies in `bytes`, fed in pieces of `step`.
std::vector<RedisReply> read(std::string_view bytes, std::size_t step, bool& broken) {
    RedisReader reader;
    std::vector<RedisReply> replies;
    broken = false;
    while (!bytes.empty() && !broken) {
        const std::string_view piece = bytes.substr(0, step);
        bytes.remove_prefix(piece.size());
        broken = !reader.feed(piece);
        for (RedisReply reply; !broken;) {
            const RedisReader::Next next = reader.next(reply);
            broken = next == RedisReader::Next::broken;
            if (next != RedisReader::Next::reply) {
                break;
            }
            check(reply, 1);
            replies.push_back(std::move(reply));
        }
    }
    return replies;
}

void write_and_read(std::string_view text) {
    const std::size_t middle = text.size() / 2;
    RedisBatch batch;
    batch.add({"SET", text.substr(0, middle), text.substr(middle)});
    bool broken = false;
    const std::vector<RedisReply> back = read(batch.wire(), batch.wire().size(), broken);
    promise(!broken && back.size() == 1 && back[0].elements.size() == 3, "one command");
    promise(back[0].elements[1].text == text.substr(0, middle) &&
                back[0].elements[2].text == text.substr(middle),
            "the same arguments");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view bytes = text_of(data + 1, size - 1);
    bool whole_broken = false;
    bool cut_broken = false;
    const std::vector<RedisReply> whole = read(bytes, bytes.size() + 1, whole_broken);
    const std::vector<RedisReply> cut = read(bytes, 1 + data[0] % 16, cut_broken);
    promise(whole_broken == cut_broken && whole.size() == cut.size(), "the same replies");
    for (std::size_t i = 0; i < whole.size(); ++i) {
        promise(equal(whole[i], cut[i]), "the same reply");
    }
    write_and_read(bytes);
    return 0;
}
