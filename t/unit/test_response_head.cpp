// SPDX-License-Identifier: Apache-2.0
#include "oidc/response_head.hpp"

#include <initializer_list>

#include "unit.hpp"

using namespace oidc;
using oidc::unit::raw;
using oidc::unit::Registration;

// Feeds lines until one is refused; what is wrong with it, or "".
static std::string feed(ResponseHead& head, std::initializer_list<std::string_view> lines) {
    for (const std::string_view line : lines) {
        if (!head.accept(line)) {
            ck_assert_ptr_nonnull(head.problem());
            return head.problem();
        }
        ck_assert_ptr_null(head.problem());
    }
    return "";
}

static std::string problem_of(std::initializer_list<std::string_view> lines) {
    ResponseHead head;
    return feed(head, lines);
}

START_TEST(a_usual_head) {
    ResponseHead head;
    ck_assert_int_eq(head.status(), 0);
    ck_assert_sv_eq(
        feed(head, {"HTTP/1.1 200 OK\r\n", "Content-Type: Application/JSON; charset=UTF-8\r\n",
                    "content-LENGTH:\t17 \r\n", "Location: https://op.example/x?y=Z\r\n",
                    "Retry-After:  120\t\r\n", "X-Other: \xc3\xa9\r\n", "X-Empty:\r\n", "\r\n"}),
        "");
    ck_assert_int_eq(head.status(), 200);
    ck_assert_sv_eq(head.content_type(), "application/json");
    ck_assert(head.content_length() == 17U);
    ck_assert_sv_eq(head.location(), "https://op.example/x?y=Z");
    ck_assert_sv_eq(head.retry_after(), "120");
}
END_TEST

START_TEST(nothing_but_a_status) {
    ResponseHead head;
    ck_assert_sv_eq(feed(head, {"HTTP/1.0 503\r\n", "\r\n"}), "");
    ck_assert_int_eq(head.status(), 503);
    ck_assert_sv_eq(head.content_type(), "");
    ck_assert(!head.content_length().has_value());
}
END_TEST

START_TEST(status_lines) {
    for (const char* line : {"HTTP/1.1 200 \r\n", "HTTP/1.1 599 any words\r\n", "HTTP/1.0 100\r\n",
                             "HTTP/1.1 200 \xc3\xa9\r\n", "HTTP/1.1 204 a\tb\r\n"}) {
        ck_assert_sv_eq(problem_of({line}), "");
    }
    for (const char* line :
         {"\r\n", "200 OK\r\n", "HTTP/2 200 OK\r\n", "HTTP/1.2 200 OK\r\n", "http/1.1 200 OK\r\n",
          "HTTP/1.1  200 OK\r\n", "HTTP/1.1\t200 OK\r\n", " HTTP/1.1 200 OK\r\n",
          "HTTP/1.1 20 OK\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 200OK\r\n", "HTTP/1.1 +20 OK\r\n",
          "HTTP/1.1 2x0 OK\r\n", "HTTP/1.1 \r\n", "ICY 200 OK\r\n"}) {
        ck_assert_msg(problem_of({line}) == "malformed status line", "%s", line);
    }
    for (const char* line :
         {"HTTP/1.1 000 x\r\n", "HTTP/1.1 099 x\r\n", "HTTP/1.1 600 x\r\n", "HTTP/1.1 999 x\r\n"}) {
        ResponseHead head;
        ck_assert_msg(feed(head, {line}) == "response status out of range", "%s", line);
        ck_assert_int_eq(head.status(), 0);
    }
    ck_assert_sv_eq(problem_of({"HTTP/1.1 101 Switching Protocols\r\n"}),
                    "unasked switch of protocols");
}
END_TEST

START_TEST(line_ends_and_control_bytes) {
    for (const char* line : {"HTTP/1.1 200 OK\n", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r", ""}) {
        ck_assert_msg(problem_of({line}) == "response header line without CRLF", "%s", line);
    }
    const std::string control = "control byte in response header";
    for (const std::string& line :
         {raw("X: a\0b\r\n"), raw("X: a\rb\r\n"), raw("X: a\nb\r\n"), raw("X: a\x1b[2J\r\n"),
          raw("X: a\x7f\r\n"), raw("X\0: a\r\n"), raw("X: a\r\r\n")}) {
        ck_assert_sv_eq(problem_of({"HTTP/1.1 200 OK\r\n", line}), control);
    }
    ck_assert_sv_eq(problem_of({"HTTP/1.1 200 O\x01K\r\n"}), control);
}
END_TEST

// RFC 9112 5.1 and 5.2: no blank before the colon, no line that continues the one above.
START_TEST(field_lines) {
    for (const char* line : {"no colon\r\n", ": value\r\n", "Name : value\r\n", " Name: value\r\n",
                             "\tfolded: value\r\n", " folded\r\n", "Na me: value\r\n",
                             "Na\xc3\xa9: value\r\n", "(Name): value\r\n", "\"N\": v\r\n"}) {
        ck_assert_msg(problem_of({"HTTP/1.1 200 OK\r\n", line}) == "malformed response header line",
                      "%s", line);
    }
    ck_assert_sv_eq(problem_of({"HTTP/1.1 200 OK\r\n", "!#$%&'*+-.^_`|~09azAZ: value\r\n"}), "");
}
END_TEST

START_TEST(framing_is_told_once_and_in_one_way) {
    const std::string length = "malformed or repeated Content-Length";
    for (const char* line :
         {"Content-Length: \r\n", "Content-Length: -1\r\n", "Content-Length: +1\r\n",
          "Content-Length: 1 2\r\n", "Content-Length: 1,1\r\n", "Content-Length: 0x10\r\n",
          "Content-Length: 1e3\r\n", "Content-Length: 1000000000000000000\r\n"}) {
        ck_assert_msg(problem_of({"HTTP/1.1 200 OK\r\n", line}) == length, "%s", line);
    }
    ck_assert_sv_eq(
        problem_of({"HTTP/1.1 200 OK\r\n", "Content-Length: 7\r\n", "Content-Length: 7\r\n"}),
        length);
    ResponseHead largest;
    ck_assert_sv_eq(
        feed(largest, {"HTTP/1.1 200 OK\r\n", "Content-Length: 999999999999999999\r\n"}), "");
    ck_assert(largest.content_length() == 999'999'999'999'999'999U);

    const std::string encoding = "unsupported Transfer-Encoding";
    ck_assert_sv_eq(problem_of({"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: Chunked\r\n"}), "");
    for (const char* line :
         {"Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked, chunked\r\n",
          "Transfer-Encoding: identity\r\n", "Transfer-Encoding: xchunked\r\n",
          "Transfer-Encoding:\r\n"}) {
        ck_assert_msg(problem_of({"HTTP/1.1 200 OK\r\n", line}) == encoding, "%s", line);
    }
    ck_assert_sv_eq(problem_of({"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n",
                                "Transfer-Encoding: chunked\r\n"}),
                    encoding);
    // RFC 9112 6.3: one of the two is a lie, in whatever order they come.
    const std::string both = "both Content-Length and Transfer-Encoding";
    ck_assert_sv_eq(problem_of({"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n",
                                "Content-Length: 7\r\n", "\r\n"}),
                    both);
    ck_assert_sv_eq(problem_of({"HTTP/1.1 200 OK\r\n", "Content-Length: 7\r\n",
                                "Transfer-Encoding: chunked\r\n", "\r\n"}),
                    both);
}
END_TEST

START_TEST(content_is_neither_encoded_nor_of_two_types) {
    ck_assert_sv_eq(problem_of({"HTTP/1.1 200 OK\r\n", "Content-Encoding: Identity\r\n"}), "");
    for (const char* line : {"Content-Encoding: gzip\r\n", "Content-Encoding: identity, br\r\n",
                             "Content-Encoding:\r\n"}) {
        ck_assert_msg(problem_of({"HTTP/1.1 200 OK\r\n", line}) == "unasked Content-Encoding", "%s",
                      line);
    }
    ck_assert_sv_eq(problem_of({"HTTP/1.1 200 OK\r\n", "Content-Type: text/html; a=1\r\n",
                                "Content-Type: Text/HTML; a=2\r\n"}),
                    "");
    ck_assert_sv_eq(problem_of({"HTTP/1.1 200 OK\r\n", "Content-Type: text/html\r\n",
                                "Content-Type: application/json\r\n"}),
                    "two different Content-Type");
}
END_TEST

START_TEST(interim_responses_leave_nothing_behind) {
    ResponseHead head;
    ck_assert_sv_eq(feed(head, {"HTTP/1.1 103 Early Hints\r\n", "Content-Type: text/html\r\n",
                                "Content-Length: 5\r\n", "Location: /early\r\n", "\r\n"}),
                    "");
    ck_assert_int_eq(head.status(), 0);
    ck_assert_sv_eq(feed(head, {"HTTP/1.1 200 OK\r\n", "Content-Length: 7\r\n", "\r\n"}), "");
    ck_assert_int_eq(head.status(), 200);
    ck_assert(head.content_length() == 7U);
    ck_assert_sv_eq(head.content_type(), "");
    ck_assert_sv_eq(head.location(), "");

    ResponseHead many;
    for (unsigned i = 0; i < ResponseHead::kMaxInterim; ++i) {
        ck_assert_sv_eq(feed(many, {"HTTP/1.1 100 Continue\r\n", "\r\n"}), "");
    }
    ck_assert_sv_eq(feed(many, {"HTTP/1.1 100 Continue\r\n"}), "too many interim responses");
}
END_TEST

START_TEST(trailers_change_nothing) {
    ResponseHead head;
    ck_assert_sv_eq(feed(head, {"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n", "\r\n",
                                "Content-Type: text/html\r\n", "Content-Length: 5\r\n",
                                "Location: /trailer\r\n", "\r\n"}),
                    "");
    ck_assert_sv_eq(head.content_type(), "");
    ck_assert_sv_eq(head.location(), "");
    ck_assert(!head.content_length().has_value());
    // A second response on the same connection is none of ours.
    ck_assert_sv_eq(feed(head, {"HTTP/1.1 200 OK\r\n"}), "malformed response header line");
}
END_TEST

START_TEST(size_is_bounded) {
    ResponseHead lines;
    ck_assert_sv_eq(feed(lines, {"HTTP/1.1 200 OK\r\n"}), "");
    for (unsigned i = 1; i < ResponseHead::kMaxLines; ++i) {
        ck_assert_sv_eq(feed(lines, {"A: b\r\n"}), "");
    }
    ck_assert_sv_eq(feed(lines, {"\r\n"}), "response header is too large");

    const std::string_view status = "HTTP/1.1 200 OK\r\n";
    const std::size_t room = ResponseHead::kMaxBytes - status.size();
    const std::string full = "A:" + std::string(room - 4, 'x') + "\r\n";
    ResponseHead bytes;
    ck_assert_sv_eq(feed(bytes, {status, full}), "");
    ck_assert_sv_eq(feed(bytes, {"\r\n"}), "response header is too large");
    ck_assert_sv_eq(problem_of({status, "A" + full}), "response header is too large");
}
END_TEST

START_TEST(the_first_problem_stays) {
    ResponseHead head;
    ck_assert_sv_eq(feed(head, {"HTTP/1.1 600 x\r\n"}), "response status out of range");
    ck_assert_sv_eq(feed(head, {"HTTP/1.1 200 OK\r\n"}), "response status out of range");
    ck_assert_sv_eq(feed(head, {"no line end"}), "response status out of range");
}
END_TEST

static Suite* response_head_suite() {
    Suite* suite = suite_create("response_head");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, a_usual_head);
    tcase_add_test(tcase, nothing_but_a_status);
    tcase_add_test(tcase, status_lines);
    tcase_add_test(tcase, line_ends_and_control_bytes);
    tcase_add_test(tcase, field_lines);
    tcase_add_test(tcase, framing_is_told_once_and_in_one_way);
    tcase_add_test(tcase, content_is_neither_encoded_nor_of_two_types);
    tcase_add_test(tcase, interim_responses_leave_nothing_behind);
    tcase_add_test(tcase, trailers_change_nothing);
    tcase_add_test(tcase, size_is_bounded);
    tcase_add_test(tcase, the_first_problem_stays);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration response_head_registered("response_head", response_head_suite);
