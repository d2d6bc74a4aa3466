// SPDX-License-Identifier: Apache-2.0
#include "oidc/redis_codec.hpp"

#include "unit.hpp"

using namespace oidc;
using oidc::unit::raw;
using oidc::unit::Registration;

// A reply as text, nested ones in brackets.
static std::string shown(const RedisReply& reply) {
    switch (reply.type) {
        case RedisReply::Type::nil:
            return "nil";
        case RedisReply::Type::status:
            return "+" + reply.text;
        case RedisReply::Type::error:
            return "-" + reply.text;
        case RedisReply::Type::integer:
            return std::to_string(reply.integer);
        case RedisReply::Type::string:
            return "'" + reply.text + "'";
        case RedisReply::Type::array:
            break;
    }
    std::string out = "[";
    for (const RedisReply& element : reply.elements) {
        out += (out.size() > 1 ? " " : "") + shown(element);
    }
    return out + "]";
}

// All replies that are whole, and "..." for more, "broken" for no protocol.
static std::string drain(RedisReader& reader) {
    std::string out;
    for (;;) {
        RedisReply reply;
        switch (reader.next(reply)) {
            case RedisReader::Next::reply:
                out += shown(reply) + " ";
                break;
            case RedisReader::Next::more:
                return out + "...";
            case RedisReader::Next::broken:
                return out + "broken";
        }
    }
}

static std::string read_whole(std::string_view bytes) {
    RedisReader reader;
    ck_assert(reader.feed(bytes));
    return drain(reader);
}

static std::string read_by_byte(std::string_view bytes) {
    RedisReader reader;
    std::string out;
    for (const char& byte : bytes) {
        if (!reader.feed({&byte, 1})) {
            return out + "broken";
        }
        std::string some = drain(reader);
        if (some.ends_with("broken")) {
            return out + some;
        }
        out += some.substr(0, some.size() - 3);
    }
    return out + "...";
}

START_TEST(replies_of_every_type) {
    const struct {
        std::string bytes, expected;
    } rows[] = {
        {"", "..."},
        {"+OK\r\n", "+OK ..."},
        {"+\r\n", "+ ..."},
        {"-ERR no\r\n", "-ERR no ..."},
        {":0\r\n", "0 ..."},
        {":-9223372036854775808\r\n", "-9223372036854775808 ..."},
        {":9223372036854775807\r\n", "9223372036854775807 ..."},
        {"$-1\r\n", "nil ..."},
        {"*-1\r\n", "nil ..."},
        {"$0\r\n\r\n", "'' ..."},
        {"$3\r\nabc\r\n", "'abc' ..."},
        {raw("$4\r\n\0\r\n\xff\r\n"), raw("'\0\r\n\xff' ...")},
        {"*0\r\n", "[] ..."},
        {"*3\r\n$1\r\na\r\n:7\r\n$-1\r\n", "['a' 7 nil] ..."},
        {"*2\r\n*2\r\n+a\r\n-b\r\n*0\r\n", "[[+a -b] []] ..."},
        {"+QUEUED\r\n:1\r\n$1\r\nx\r\n", "+QUEUED 1 'x' ..."},
    };
    for (const auto& row : rows) {
        ck_assert_sv_eq(read_whole(row.bytes), row.expected);
        ck_assert_sv_eq(read_by_byte(row.bytes), row.expected);
    }
}
END_TEST

START_TEST(a_cut_reply_is_waited_for) {
    for (const char* bytes :
         {"+OK", "+OK\r", "$3\r\nab", "$3\r\nabc\r", "*2\r\n:1\r\n", ":", "*1"}) {
        ck_assert_sv_eq(read_whole(bytes), "...");
        ck_assert_sv_eq(read_by_byte(bytes), "...");
    }
}
END_TEST

START_TEST(what_is_no_protocol) {
    for (const char* bytes :
         {"HTTP/1.1 400 Bad Request\r\n", "\r\n", "OK\r\n", "$-2\r\n", "*-2\r\n", "!3\r\nabc\r\n",
          "*1\r\n?\r\n", "*4097\r\n", "*2147483647\r\n", "*4294967297\r\n",
          "*9223372036854775807\r\n", "*1\r\n*4097\r\n"}) {
        ck_assert_msg(read_whole(bytes) == "broken", "%s: %s", bytes, read_whole(bytes).c_str());
        ck_assert_msg(read_by_byte(bytes) == "broken", "%s", bytes);
    }
    ck_assert_sv_eq(read_whole("+OK\r\nnonsense\r\n"), "+OK broken");
    ck_assert_sv_eq(read_by_byte("+OK\r\nnonsense\r\n"), "+OK broken");
    RedisReader reader;
    ck_assert(reader.feed("nonsense\r\n"));
    ck_assert_sv_eq(drain(reader), "broken");
    ck_assert_msg(!reader.feed("+OK\r\n") || drain(reader) == "broken", "broken for good");
}
END_TEST

START_TEST(depth_is_bounded) {
    std::string nested;
    for (std::size_t depth = 1; depth <= RedisReader::kMaxDepth; ++depth) {
        nested += "*1\r\n";
    }
    ck_assert_sv_eq(read_whole(nested + ":1\r\n"), "[[[[[[[1]]]]]]] ...");
    ck_assert_sv_eq(read_whole(nested + "*1\r\n:1\r\n"), "broken");
    ck_assert_sv_eq(read_by_byte(nested + "*1\r\n:1\r\n"), "broken");
    ck_assert_sv_eq(read_whole("*2\r\n+OK\r\n" + nested + ":1\r\n"), "broken");
    std::string deep;
    while (deep.size() < RedisReader::kMaxReply - 8) {
        deep += "*1\r\n";
    }
    ck_assert_sv_eq(read_whole(deep), "broken");
}
END_TEST

START_TEST(elements_are_bounded) {
    std::string wide = "*" + std::to_string(RedisReader::kMaxElements) + "\r\n";
    for (std::size_t i = 0; i < RedisReader::kMaxElements; ++i) {
        wide += "$-1\r\n";
    }
    RedisReader reader;
    ck_assert(reader.feed(wide));
    RedisReply reply;
    ck_assert(reader.next(reply) == RedisReader::Next::reply);
    ck_assert_uint_eq(reply.elements.size(), RedisReader::kMaxElements);
}
END_TEST

START_TEST(bytes_are_bounded) {
    // A reply that announces more than there may be is given up when that much has come.
    RedisReader reader;
    ck_assert(reader.feed("$536870912\r\n"));
    const std::string part(64 * 1024, 'x');
    std::size_t taken = 0;
    while (reader.feed(part)) {
        ck_assert_sv_eq(drain(reader), "...");
        taken += part.size();
        ck_assert_uint_le(taken, RedisReader::kMaxReply);
    }
    ck_assert_uint_gt(taken, RedisReader::kMaxReply - 2 * part.size());

    // The bound is one reply's, not the connection's.
    RedisReader long_lived;
    const std::string reply = "$1048576\r\n" + std::string(1048576, 'y') + "\r\n";
    for (int i = 0; i < 6; ++i) {
        ck_assert(long_lived.feed(reply));
        RedisReply out;
        ck_assert(long_lived.next(out) == RedisReader::Next::reply);
        ck_assert_uint_eq(out.text.size(), 1048576);
        ck_assert(long_lived.next(out) == RedisReader::Next::more);
    }
}
END_TEST

START_TEST(what_an_error_says) {
    RedisReply reply;
    reply.type = RedisReply::Type::error;
    reply.text = "ERR unknown command 'X', with args beginning with: 'secret'";
    ck_assert(reply.is_error() && !reply.is_string() && !reply.is_ok());
    ck_assert_sv_eq(reply.error_code(), "ERR");
    ck_assert_sv_eq(reply.error_text(), "ERR unknown command 'X'");
    reply.text = "NOAUTH";
    ck_assert_sv_eq(reply.error_code(), "NOAUTH");
    ck_assert_sv_eq(reply.error_text(), "NOAUTH");
    reply.type = RedisReply::Type::string;
    ck_assert(reply.is_string());
    ck_assert_sv_eq(reply.error_code(), "");
    ck_assert_sv_eq(reply.error_text(), "");
    reply.text = "OK";
    ck_assert(!reply.is_ok());
    reply.type = RedisReply::Type::status;
    ck_assert(reply.is_ok());
    reply.text = "QUEUED";
    ck_assert(!reply.is_ok());
}
END_TEST

START_TEST(commands_are_written_as_counted_bytes) {
    RedisBatch batch;
    ck_assert_sv_eq(batch.wire(), "");
    ck_assert(batch.names().empty());
    const std::string value = raw("a\r\nb\0c");
    batch.add({"SET", "key", value});
    batch.add({"GET", ""});
    ck_assert_sv_eq(batch.wire(), raw("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$6\r\na\r\nb\0c\r\n"
                                      "*2\r\n$3\r\nGET\r\n$0\r\n\r\n"));
    ck_assert_uint_eq(batch.names().size(), 2);
    ck_assert_sv_eq(batch.names()[0], "SET");
    ck_assert_sv_eq(batch.names()[1], "GET");
    ck_assert(!batch.is_once());
    batch.once();
    ck_assert(batch.is_once());
    // What is written is what a reader takes for an array of the same bytes.
    ck_assert_sv_eq(read_whole(batch.wire()), raw("['SET' 'key' 'a\r\nb\0c'] ['GET' ''] ..."));
}
END_TEST

static Suite* redis_codec_suite() {
    Suite* suite = suite_create("redis_codec");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, replies_of_every_type);
    tcase_add_test(tcase, a_cut_reply_is_waited_for);
    tcase_add_test(tcase, what_is_no_protocol);
    tcase_add_test(tcase, depth_is_bounded);
    tcase_add_test(tcase, elements_are_bounded);
    tcase_add_test(tcase, bytes_are_bounded);
    tcase_add_test(tcase, what_an_error_says);
    tcase_add_test(tcase, commands_are_written_as_counted_bytes);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration redis_codec_registered("redis_codec", redis_codec_suite);
