// SPDX-License-Identifier: Apache-2.0
#include "oidc/encode.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::raw;
using oidc::unit::Registration;
using oidc::unit::unhex;

// RFC 4648 section 10.
static const struct {
    std::string_view plain, padded, bare;
} kVectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
};

START_TEST(base64_vectors) {
    for (const auto& vector : kVectors) {
        ck_assert_sv_eq(base64_encode(vector.plain).view(), vector.padded);
        ck_assert_sv_eq(base64url_encode(as_bytes(vector.plain)), vector.bare);
        const auto decoded = base64url_decode(vector.bare);
        ck_assert(decoded.has_value());
        ck_assert_sv_eq(*decoded, vector.plain);
    }
    // RFC 7515 appendix C.
    const std::string bytes = unhex("03ecffe0c1");
    ck_assert_sv_eq(base64url_encode(as_bytes(bytes)), "A-z_4ME");
    ck_assert_sv_eq(*base64url_decode("A-z_4ME"), bytes);
    ck_assert_sv_eq(base64_encode(unhex("fbff")).view(), "+/8=");
}
END_TEST

START_TEST(base64url_round_trip) {
    std::string bytes;
    for (int i = 0; i < 600; ++i) {
        const auto decoded = base64url_decode(base64url_encode(as_bytes(bytes)));
        ck_assert(decoded.has_value());
        ck_assert_sv_eq(*decoded, bytes);
        bytes.push_back(static_cast<char>(i * 37));
    }
}
END_TEST

START_TEST(base64url_is_strict) {
    const std::string bad[] = {
        "Zg==",         // padding
        "Zg=",          // cut padding
        "=",            //
        "Z",            // one character is no byte
        "Zm9vZ",        //
        "Zh",           // trailing bits: the canonical form is Zg
        "Zm9",          // the canonical form is Zm8
        "A+z/4ME",      // the other alphabet
        "Zm 9v",        // white space
        "Zm9v\n",       //
        "Zm9v\r\n",     //
        raw("Zm9\0"),   // NUL
        "Zm9v\xc3\xa9"  // not ASCII
    };
    for (const std::string& text : bad) {
        ck_assert_msg(!base64url_decode(text).has_value(), "decoded %s", text.c_str());
    }
}
END_TEST

START_TEST(base64url_exact_size) {
    std::array<std::uint8_t, 3> out{};
    ck_assert(base64url_decode_exact("Zm9v", out));
    ck_assert_sv_eq(as_text(out), "foo");
    ck_assert(!base64url_decode_exact("Zm8", out));
    ck_assert(!base64url_decode_exact("Zm9vYg", out));
    ck_assert(!base64url_decode_exact("Zm9vY", out));
    ck_assert(!base64url_decode_exact("Zm9=", out));
    ck_assert(!base64url_decode_exact("", out));
    ck_assert(base64url_decode_exact("", {}));
    std::array<std::uint8_t, 1> one{};
    ck_assert(!base64url_decode_exact("Zh", one));
    ck_assert(base64url_decode_exact("Zg", one));
}
END_TEST

START_TEST(hex) {
    ck_assert_sv_eq(hex_encode(as_bytes(raw("\x00\x7f\xff\x1a"))), "007fff1a");
    ck_assert_sv_eq(hex_encode({}), "");
}
END_TEST

static std::string form_encode(std::string_view text) {
    Secret out;
    append_form_encoded(out, text);
    return std::string(out.view());
}

START_TEST(percent) {
    ck_assert_sv_eq(percent_encode("azAZ09-._~"), "azAZ09-._~");
    ck_assert_sv_eq(percent_encode("a b+c&d=e/f?g#h%"), "a%20b%2Bc%26d%3De%2Ff%3Fg%23h%25");
    ck_assert_sv_eq(form_encode("a b+c"), "a+b%2Bc");
    ck_assert_sv_eq(percent_encode(raw("\x00\xc3\xa9\n")), "%00%C3%A9%0A");
    // RFC 6749 appendix B.
    ck_assert_sv_eq(form_encode("\x20\x25\x26\x2b\xc2\xa3\xe2\x82\xac"),
                    "+%25%26%2B%C2%A3%E2%82%AC");

    ck_assert_sv_eq(*percent_decode("a%20b+c%2bd", false), "a b+c+d");
    ck_assert_sv_eq(*percent_decode("a%20b+c%2Bd", true), "a b c+d");
    ck_assert_sv_eq(*percent_decode("%00%fF", true), raw("\x00\xff"));
    ck_assert_sv_eq(*percent_decode("", true), "");
    for (const char* bad : {"%", "%2", "a%", "%zz", "%2g", "%g2", "%%20", "% 2", "%+2"}) {
        ck_assert_msg(!percent_decode(bad, true).has_value(), "decoded %s", bad);
    }
    // Decoded once, not twice.
    ck_assert_sv_eq(*percent_decode("%252f", false), "%2f");
}
END_TEST

START_TEST(html) {
    ck_assert_sv_eq(html_escape("<a href=\"x\" id='y'>&amp;</a>"),
                    "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
    ck_assert_sv_eq(html_escape("Zo\xc3\xab"), "Zo\xc3\xab");
}
END_TEST

START_TEST(json_strings_are_quoted) {
    ck_assert_sv_eq(json_quote(""), "\"\"");
    ck_assert_sv_eq(json_quote("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    ck_assert_sv_eq(json_quote(raw("\x00\x1f\n\t\x7f")), "\"\\u0000\\u001f\\u000a\\u0009\x7f\"");
    ck_assert_sv_eq(json_quote("Zo\xc3\xab \xf0\x9f\x98\x80"), "\"Zo\xc3\xab \xf0\x9f\x98\x80\"");
    ck_assert_sv_eq(json_quote("a\xff"
                               "b\xc3"),
                    "\"a\xef\xbf\xbd"
                    "b\xef\xbf\xbd\"");
}
END_TEST

START_TEST(log_lines) {
    ck_assert_sv_eq(log_escape("plain text \"quoted\""), "plain text \"quoted\"");
    ck_assert_sv_eq(log_escape(raw("a\r\n\x1b\x00\\\x7f\xc3")),
                    "a\\x0D\\x0A\\x1B\\x00\\\\\\x7F\\xC3");
    ck_assert_sv_eq(log_escape("abcdef", 4), "abcd...");
    ck_assert_sv_eq(log_escape("abcd", 4), "abcd");
    ck_assert_sv_eq(log_escape("abcd", 0), "...");
    ck_assert_sv_eq(log_escape("", 0), "");
    const std::string big(64 * 1024, '\x01');
    ck_assert_uint_eq(log_escape(big).size(), 4 * 256 + 3);
}
END_TEST

START_TEST(utf8_well_formed) {
    const std::string good[] = {
        "",
        "ascii",
        raw("\x00"),
        "\x7f",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "\xe6\xbc\xa2\xe5\xad\x97",
    };
    for (const std::string& text : good) {
        ck_assert_msg(is_utf8(text), "refused %s", hex_encode(as_bytes(text)).c_str());
    }
    const std::string bad[] = {
        "\x80",              // continuation alone
        "\xbf",              //
        "\xc0\x80",          // overlong
        "\xc1\xbf",          //
        "\xe0\x9f\xbf",      //
        "\xf0\x8f\xbf\xbf",  //
        "\xed\xa0\x80",      // surrogates
        "\xed\xbf\xbf",      //
        "\xf4\x90\x80\x80",  // above U+10FFFF
        "\xf5\x80\x80\x80",  //
        "\xff",              //
        "\xc3",              // cut
        "\xe2\x82",          //
        "\xf0\x9f\x98",      //
        "\xc3(",             // continuation missing
        "\xe2\x82(",         //
        "\xe2(\xac",         //
        "\xf0\x9f\x98(",     //
        "ok\xfe",            //
    };
    for (const std::string& text : bad) {
        ck_assert_msg(!is_utf8(text), "took %s", hex_encode(as_bytes(text)).c_str());
    }
}
END_TEST

START_TEST(text_is_made_utf8) {
    ck_assert_sv_eq(utf8_text(""), "");
    ck_assert_sv_eq(utf8_text("Zo\xc3\xab \xf0\x9f\x98\x80"), "Zo\xc3\xab \xf0\x9f\x98\x80");
    ck_assert_sv_eq(utf8_text("a\xff"
                              "b\xc3"),
                    "a\xef\xbf\xbd"
                    "b\xef\xbf\xbd");
    ck_assert_sv_eq(utf8_text("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");
}
END_TEST

static Suite* encode_suite() {
    Suite* suite = suite_create("encode");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, base64_vectors);
    tcase_add_test(tcase, base64url_round_trip);
    tcase_add_test(tcase, base64url_is_strict);
    tcase_add_test(tcase, base64url_exact_size);
    tcase_add_test(tcase, hex);
    tcase_add_test(tcase, percent);
    tcase_add_test(tcase, html);
    tcase_add_test(tcase, json_strings_are_quoted);
    tcase_add_test(tcase, log_lines);
    tcase_add_test(tcase, utf8_well_formed);
    tcase_add_test(tcase, text_is_made_utf8);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration encode_registered("encode", encode_suite);
