// SPDX-License-Identifier: Apache-2.0
#include "oidc/sealed_record.hpp"

#include <memory>
#include <stdexcept>

#include "oidc/session.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

AeadKey key_of(std::uint8_t byte) {
    AeadKey key{};
    key.fill(byte);
    key[0] = static_cast<std::uint8_t>(byte + 1);
    return key;
}

Digest digest_of(std::uint8_t byte) {
    Digest digest{};
    digest.fill(byte);
    return digest;
}

RecordTable::Meta full_meta() {
    RecordTable::Meta meta;
    meta.binding = digest_of(7);
    meta.expires = 5'000'000'000;  // beyond 2106 (C-26)
    meta.idle_timeout = 3600;
    meta.created = 1'700'000'000;
    meta.sid_tag = 0x0123456789abcdefULL;
    meta.sub_tag = 0xfedcba9876543210ULL;
    return meta;
}

const std::string kRecord("a record\0of any \xff bytes", 23);

void same_meta(const RecordTable::Meta& a, const RecordTable::Meta& b) {
    ck_assert_int_eq(a.expires, b.expires);
    ck_assert_int_eq(a.idle_timeout, b.idle_timeout);
    ck_assert_int_eq(a.created, b.created);
    ck_assert(a.sid_tag == b.sid_tag);
    ck_assert(a.sub_tag == b.sub_tag);
}

struct Sealed {
    FakeRandom random;
    RecordSealer sealer{std::vector<AeadKey>{key_of(1)}};
    std::string value;
    Sealed() {
        auto sealed = sealer.seal(digest_of(9), full_meta(), kRecord, random);
        ck_assert_result_ok(sealed);
        value = *sealed;
    }
};

START_TEST(stored_record_keeps_all) {
    const Secret text = encode_stored_record(full_meta(), kRecord);
    const auto stored = parse_stored_record(text.view());
    ck_assert(stored.has_value());
    same_meta(stored->meta, full_meta());
    ck_assert_sv_eq(stored->record, kRecord);
    const Secret empty = encode_stored_record({}, "");
    ck_assert(parse_stored_record(empty.view()).has_value());
}
END_TEST

START_TEST(stored_record_is_the_same_on_every_machine) {
    RecordTable::Meta meta;
    meta.expires = 1;
    meta.idle_timeout = 2;
    meta.created = 3;
    meta.sid_tag = 4;
    meta.sub_tag = 0x0500000000000006ULL;
    const Secret text = encode_stored_record(meta, "R");
    const std::string expected(
        "OSR1"
        "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0"
        "\4\0\0\0\0\0\0\0\6\0\0\0\0\0\0\5R",
        45);
    ck_assert_sv_eq(text.view(), expected);
}
END_TEST

START_TEST(f_24_stored_record_of_another_form_is_refused) {
    const Secret text = encode_stored_record(full_meta(), "");
    for (std::size_t size = 0; size < text.size(); ++size) {
        // A heap copy, so that a sanitizer sees any byte too many.
        const std::unique_ptr<char[]> cut(new char[size]);
        text.view().copy(cut.get(), size);
        ck_assert(!parse_stored_record({cut.get(), size}));
    }
    std::string other(text.view());
    other[3] = '2';  // C-27
    ck_assert(!parse_stored_record(other));
    for (const std::size_t high : {11U, 19U, 27U}) {  // no time is negative
        std::string negative(text.view());
        negative[high] = '\x80';
        ck_assert(!parse_stored_record(negative));
    }
    ck_assert(
        !parse_stored_record(std::string(text.view()) + std::string(kMaxSessionRecord, 'x') + "x"));
    ck_assert(parse_stored_record(std::string(text.view()) + std::string(kMaxSessionRecord, 'x'))
                  .has_value());
}
END_TEST

START_TEST(c_23_what_was_sealed_opens_where_it_belongs) {
    const Sealed s;
    const auto opened = s.sealer.open(digest_of(9), s.value);
    ck_assert(opened.has_value());
    same_meta(opened->meta, full_meta());
    ck_assert(opened->meta.binding == digest_of(7));
    ck_assert_sv_eq(opened->record, kRecord);
    ck_assert(s.value.find("a record") == std::string::npos);
    // The record is read in the text that is returned, wherever that has moved to.
    auto moved =
        std::make_unique<RecordSealer::Opened>(std::move(*s.sealer.open(digest_of(9), s.value)));
    ck_assert(moved->record.data() > moved->text.view().data());
    ck_assert_sv_eq(moved->record, kRecord);
}
END_TEST

START_TEST(c_23_not_under_another_key_or_binding) {
    Sealed s;
    ck_assert(!s.sealer.open(digest_of(8), s.value));
    std::string other_binding = s.value;
    other_binding[1] = static_cast<char>(other_binding[1] ^ 1);
    ck_assert(!s.sealer.open(digest_of(9), other_binding));
    // Another key ring, and the same key used for another purpose.
    ck_assert(!RecordSealer(std::vector<AeadKey>{key_of(2)}).open(digest_of(9), s.value));
    const std::vector<AeadKey> raw{key_of(1)};
    const auto plain = encode_stored_record(full_meta(), kRecord);
    const auto foreign = Aead(raw).seal(plain.view(), {}, s.random);
    ck_assert_result_ok(foreign);
    ck_assert(!s.sealer.open(digest_of(9), s.value.substr(0, 33) + *foreign));
}
END_TEST

START_TEST(c_23_every_bit_counts) {
    const Sealed s;
    for (std::size_t i = 0; i < s.value.size(); ++i) {
        std::string damaged = s.value;
        damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
        ck_assert(!s.sealer.open(digest_of(9), damaged));
        ck_assert(!s.sealer.open(digest_of(9), s.value.substr(0, i)));
    }
    ck_assert(!s.sealer.open(digest_of(9), s.value + std::string(1, '\0')));
}
END_TEST

START_TEST(c_06_key_rotation) {
    const Sealed s;
    const std::vector<AeadKey> both{key_of(2), key_of(1)};
    const RecordSealer rotated(both);
    const auto old = rotated.open(digest_of(9), s.value);
    ck_assert(old.has_value());
    FakeRandom random;
    const auto fresh = rotated.seal(digest_of(9), old->meta, old->record, random);
    ck_assert_result_ok(fresh);
    const RecordSealer only_new(std::vector<AeadKey>{key_of(2)});
    ck_assert(only_new.open(digest_of(9), *fresh).has_value());
    ck_assert(!only_new.open(digest_of(9), s.value));
    ck_assert(!s.sealer.open(digest_of(9), *fresh));
}
END_TEST

START_TEST(nothing_is_sealed_without_randomness_or_keys) {
    const Sealed s;
    FakeRandom none(0);
    ck_assert(!s.sealer.seal(digest_of(9), full_meta(), kRecord, none).ok());
    bool refused = false;
    try {
        const RecordSealer empty(std::vector<AeadKey>{});
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    ck_assert(refused);
}
END_TEST

Suite* sealed_record_suite() {
    Suite* suite = suite_create("sealed_record");
    TCase* tests = tcase_create("all");
    tcase_add_test(tests, stored_record_keeps_all);
    tcase_add_test(tests, stored_record_is_the_same_on_every_machine);
    tcase_add_test(tests, f_24_stored_record_of_another_form_is_refused);
    tcase_add_test(tests, c_23_what_was_sealed_opens_where_it_belongs);
    tcase_add_test(tests, c_23_not_under_another_key_or_binding);
    tcase_add_test(tests, c_23_every_bit_counts);
    tcase_add_test(tests, c_06_key_rotation);
    tcase_add_test(tests, nothing_is_sealed_without_randomness_or_keys);
    suite_add_tcase(suite, tests);
    return suite;
}

const Registration registered("sealed_record", sealed_record_suite);

}  // namespace
