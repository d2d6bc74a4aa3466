// SPDX-License-Identifier: Apache-2.0
#include "oidc/redis_codec.hpp"

#include <hiredis/hiredis.h>

#include <new>

namespace oidc {

namespace {

// Where hiredis puts what it reads: into the element of the array around it, or into a new object.
RedisReply* place(const redisReadTask* task, RedisReply::Type type) noexcept {
    RedisReply* reply = nullptr;
    if (task->parent != nullptr) {
        auto* array = static_cast<RedisReply*>(task->parent->obj);
        reply = &array->elements[static_cast<std::size_t>(task->idx)];
    } else {
        reply = new (std::nothrow) RedisReply;
    }
    if (reply != nullptr) {
        reply->type = type;
    }
    return reply;
}

void destroy(void* reply) noexcept {
    delete static_cast<RedisReply*>(reply);
}

// The element of an array belongs to the array.
void* refuse(const redisReadTask* task, RedisReply* reply) noexcept {
    if (task->parent == nullptr) {
        destroy(reply);
    }
    return nullptr;
}

// hiredis has `int` or `size_t` for sizes, by its version; the table below decides.
template <class Size>
void* make_string(const redisReadTask* task, char* text, Size size) noexcept {
    RedisReply* reply = place(task, task->type == REDIS_REPLY_ERROR    ? RedisReply::Type::error
                                    : task->type == REDIS_REPLY_STATUS ? RedisReply::Type::status
                                                                       : RedisReply::Type::string);
    if (reply == nullptr) {
        return nullptr;
    }
    try {
        reply->text.assign(text, static_cast<std::size_t>(size));
    } catch (...) {
        return refuse(task, reply);
    }
    return reply;
}

// How many arrays an array lies in, with itself. hiredis has no limit since 1.1.
std::size_t depth_of(const redisReadTask* task) noexcept {
    std::size_t depth = 1;
    for (; task->parent != nullptr; task = task->parent) {
        ++depth;
    }
    return depth;
}

template <class Size>
void* make_array(const redisReadTask* task, Size size) noexcept {
    RedisReply* reply = place(task, RedisReply::Type::array);
    if (reply == nullptr) {
        return nullptr;
    }
    if (static_cast<std::size_t>(size) > RedisReader::kMaxElements ||
        depth_of(task) > RedisReader::kMaxDepth) {
        return refuse(task, reply);
    }
    try {
        reply->elements.resize(static_cast<std::size_t>(size));
    } catch (...) {
        return refuse(task, reply);
    }
    return reply;
}

void* make_integer(const redisReadTask* task, long long value) noexcept {
    RedisReply* reply = place(task, RedisReply::Type::integer);
    if (reply != nullptr) {
        reply->integer = value;
    }
    return reply;
}

void* make_nil(const redisReadTask* task) noexcept {
    return place(task, RedisReply::Type::nil);
}

// hiredis takes it by pointer to non-const, and only reads it.
redisReplyObjectFunctions* functions() noexcept {
    static redisReplyObjectFunctions table = [] {
        redisReplyObjectFunctions made{};
        made.createString = make_string;
        made.createArray = make_array;
        made.createInteger = make_integer;
        made.createNil = make_nil;
        made.freeObject = destroy;
        return made;
    }();
    return &table;
}

}  // namespace

std::string_view RedisReply::error_code() const noexcept {
    if (!is_error()) {
        return {};
    }
    const std::string_view all(text);
    return all.substr(0, all.find(' '));
}

std::string_view RedisReply::error_text() const noexcept {
    if (!is_error()) {
        return {};
    }
    const std::string_view all(text);
    return all.substr(0, all.find(", with args"));
}

void RedisBatch::add(std::span<const std::string_view> args) {
    std::vector<const char*> values;
    std::vector<std::size_t> sizes;
    values.reserve(args.size());
    sizes.reserve(args.size());
    for (const std::string_view arg : args) {
        // memcpy() of nothing still wants an address.
        values.push_back(arg.empty() ? "" : arg.data());
        sizes.push_back(arg.size());
    }
    char* formatted = nullptr;
    const auto size = redisFormatCommandArgv(&formatted, static_cast<int>(args.size()),
                                             values.data(), sizes.data());
    if (size < 0 || formatted == nullptr) {
        throw std::bad_alloc();
    }
    const auto length = static_cast<std::size_t>(size);
    try {
        wire_.append({formatted, length});
        names_.emplace_back(args.front());
    } catch (...) {
        cleanse(formatted, length);
        redisFreeCommand(formatted);
        throw;
    }
    cleanse(formatted, length);
    redisFreeCommand(formatted);
}

RedisReader::RedisReader() : reader_(redisReaderCreateWithFunctions(functions())) {
    if (reader_ == nullptr) {
        throw std::bad_alloc();
    }
}

RedisReader::~RedisReader() {
    redisReaderFree(reader_);
}

bool RedisReader::feed(std::string_view bytes) noexcept {
    pending_ += bytes.size();
    return pending_ <= kMaxReply &&
           redisReaderFeed(reader_, bytes.data(), bytes.size()) == REDIS_OK;
}

RedisReader::Next RedisReader::next(RedisReply& out) noexcept {
    void* reply = nullptr;
    if (redisReaderGetReply(reader_, &reply) != REDIS_OK) {
        return Next::broken;
    }
    if (reply == nullptr) {
        return Next::more;
    }
    // What is left in hiredis's buffer belongs to the next reply.
    pending_ = reader_->len - reader_->pos;
    out = std::move(*static_cast<RedisReply*>(reply));
    destroy(reply);
    return Next::reply;
}

}  // namespace oidc
