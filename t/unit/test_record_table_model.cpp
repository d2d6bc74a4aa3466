// SPDX-License-Identifier: Apache-2.0
// RecordTable against a map, over random operations.
#include <algorithm>
#include <map>
#include <random>
#include <tuple>
#include <vector>

#include "oidc/record_table.hpp"
#include "record_table_fixture.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::uint32_t kKeys = 600;
constexpr std::uint32_t kOwners = 40;
const std::array<Digest, 2> kBindings = {kBinding, sha256("another binding")};

struct Entry {
    std::string text;
    RecordTable::Meta meta;
    Seconds last_seen = 0;
    int order = 0;  // of insertion
    [[nodiscard]] bool live(Seconds now) const { return end() > now; }
    [[nodiscard]] Seconds end() const {
        return meta.idle_timeout == 0 ? meta.expires
                                      : std::min(meta.expires, last_seen + meta.idle_timeout);
    }
};

// Tags of few owners, of which two share a list whatever the number of lists.
std::uint64_t tag_of(std::uint32_t owner) {
    return owner == 0 ? 0 : (std::uint64_t{owner % 4 + 1} << 40) + owner / 4;
}

class Run {
  public:
    Run() : region_(128 * 1024), table_(RecordTable::create(region_.span())) {}

    void step(int number) {
        number_ = number;
        const std::uint32_t what = below(100);
        if (what < 34) {
            insert(below(kKeys));
        } else if (what < 60) {
            find(below(kKeys));
        } else if (what < 67) {
            erase(below(kKeys));
        } else if (what < 79) {
            update(below(kKeys));
        } else if (what < 83) {
            erase_tagged();
        } else if (what < 87) {
            list_tagged();
        } else if (what < 92) {
            keep_newest();
        } else {
            now_ += below(4);
            table_.sweep(below(64), now_);
        }
    }

    void check() { ck_assert(table_.check()); }

    void finish() {
        for (const auto& [n, entry] : model_) {
            ck_assert_int_eq(holds(n, entry), entry.live(now_));
        }
        table_.sweep(table_.bucket_count(), now_ + 100000);
        ck_assert_uint_eq(table_.stats().blocks_used, 0);
        ck_assert_uint_eq(table_.stats().recoveries, 0);
        ck_assert(table_.check());
        ck_assert_uint_gt(full_, 0);
        ck_assert_uint_gt(updated_, 100);
        ck_assert_uint_gt(ended_by_tag_, 100);
        ck_assert_uint_gt(ended_by_limit_, 100);
    }

  private:
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
    std::string some_text() {
        const std::size_t size = below(20) == 0 ? below(12000) : below(1200);
        return content(static_cast<std::uint32_t>(number_), size);
    }
    std::map<std::uint32_t, Entry>::iterator live(std::uint32_t n) {
        const auto it = model_.find(n);
        return it != model_.end() && it->second.live(now_) ? it : model_.end();
    }

    bool holds(std::uint32_t n, const Entry& entry) {
        RecordTable::Found found;
        if (table_.find(key_of(n), entry.meta.binding, now_, false, found) !=
            RecordTable::Find::found) {
            return false;
        }
        std::string text(found.size, 'x');
        table_.copy(found, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
        ck_assert_sv_eq(text, entry.text);
        ck_assert_int_eq(found.expires, entry.end());
        return true;
    }

    void insert(std::uint32_t n) {
        Entry entry;
        entry.text = some_text();
        entry.meta.binding = kBindings[below(2)];
        entry.meta.expires = now_ + 1 + below(400);
        entry.meta.idle_timeout = below(2) * (1 + below(100));
        entry.meta.sid_tag = tag_of(below(kOwners));
        entry.meta.sub_tag = tag_of(below(kOwners));
        entry.meta.created = now_ - below(3);
        entry.last_seen = now_;
        entry.order = number_;
        const std::size_t wanted = blocks_of(entry.text.size());
        const auto result = table_.insert(key_of(n), entry.meta, as_bytes(entry.text), now_);
        if (result == RecordTable::Insert::ok) {
            model_[n] = std::move(entry);
            return;
        }
        ck_assert(result == RecordTable::Insert::full);
        ++full_;
        // Not full without a reason: what is alive leaves too little room.
        const RecordTable::Stats stats = table_.stats();
        ck_assert_uint_lt(stats.blocks_total - stats.blocks_used, wanted + stats.blocks_reserved);
    }

    void find(std::uint32_t n) {
        const auto it = live(n);
        if (it == model_.end()) {
            RecordTable::Found found;
            for (const Digest& binding : kBindings) {
                ck_assert(table_.find(key_of(n), binding, now_, true, found) ==
                          RecordTable::Find::missing);
            }
            model_.erase(n);
            return;
        }
        ck_assert(holds(n, it->second));
        RecordTable::Found found;
        const Digest& other = kBindings[it->second.meta.binding == kBindings[0] ? 1 : 0];
        ck_assert(table_.find(key_of(n), other, now_, true, found) == RecordTable::Find::missing);
        if (below(2) == 0) {
            ck_assert(table_.find(key_of(n), it->second.meta.binding, now_, true, found) ==
                      RecordTable::Find::found);
            if (it->second.meta.idle_timeout > 0) {
                it->second.last_seen = now_;
            }
        }
    }

    void erase(std::uint32_t n) {
        const bool expected = live(n) != model_.end();
        const bool erased = table_.erase(key_of(n));
        ck_assert(erased || !expected);  // an expired one may be swept already
        model_.erase(n);
    }

    void update(std::uint32_t n) {
        std::string text = some_text();
        const Digest& binding = kBindings[below(2)];
        const auto it = live(n);
        const auto result = table_.update(key_of(n), binding, as_bytes(text), now_);
        if (it == model_.end() || it->second.meta.binding != binding) {
            ck_assert(result == RecordTable::Update::missing);
        } else if (result == RecordTable::Update::ok) {
            it->second.text = std::move(text);
            it->second.order = number_;
            ++updated_;
        } else {
            ck_assert(result == RecordTable::Update::full);
            const RecordTable::Stats stats = table_.stats();
            ck_assert_uint_lt(stats.blocks_total - stats.blocks_used, blocks_of(text.size()));
            ck_assert(holds(n, it->second));
        }
    }

    [[nodiscard]] static std::uint64_t tag_in(const Entry& entry, RecordTable::Tag which) {
        return which == RecordTable::Tag::sid ? entry.meta.sid_tag : entry.meta.sub_tag;
    }

    void erase_tagged() {
        const auto which = below(2) == 0 ? RecordTable::Tag::sid : RecordTable::Tag::sub;
        const std::uint64_t tag = tag_of(below(kOwners));
        const Digest* binding = below(2) == 0 ? nullptr : &kBindings[below(2)];
        std::size_t expected = 0;
        for (auto it = model_.begin(); it != model_.end();) {
            const Entry& entry = it->second;
            if (tag != 0 && tag_in(entry, which) == tag &&
                (binding == nullptr || entry.meta.binding == *binding)) {
                expected += entry.live(now_) ? 1 : 0;
                it = model_.erase(it);
            } else {
                ++it;
            }
        }
        ck_assert_uint_eq(table_.erase_tagged(which, tag, binding, now_), expected);
        ended_by_tag_ += expected;
    }

    void list_tagged() {
        const auto which = below(2) == 0 ? RecordTable::Tag::sid : RecordTable::Tag::sub;
        const std::uint64_t tag = tag_of(below(kOwners));
        std::array<RecordTable::Listed, kKeys> listed;
        std::map<Digest, const Entry*> expected;
        for (const auto& [n, entry] : model_) {
            if (tag != 0 && tag_in(entry, which) == tag && entry.live(now_)) {
                expected[key_of(n)] = &entry;
            }
        }
        const std::size_t total = table_.list_tagged(which, tag, now_, listed);
        ck_assert_uint_eq(total, expected.size());
        for (std::size_t i = 0; i < total; ++i) {
            const auto it = expected.find(listed[i].key);
            ck_assert(it != expected.end());
            const Entry& entry = *it->second;
            ck_assert(listed[i].binding == entry.meta.binding);
            ck_assert_int_eq(listed[i].created, entry.meta.created);
            ck_assert_int_eq(listed[i].expires, entry.end());
            ck_assert_int_eq(listed[i].last_seen, entry.last_seen);
            expected.erase(it);
        }
    }

    void keep_newest() {
        const std::uint64_t tag = tag_of(below(kOwners));
        const Digest& binding = kBindings[below(2)];
        const std::size_t limit = below(6);
        std::vector<std::uint32_t> theirs;
        for (const auto& [n, entry] : model_) {
            if (tag != 0 && entry.meta.sub_tag == tag && entry.meta.binding == binding &&
                entry.live(now_)) {
                theirs.push_back(n);
            }
        }
        const bool spare = !theirs.empty() && limit > 0 && below(2) == 0;
        const std::uint32_t spared =
            spare ? theirs[below(static_cast<std::uint32_t>(theirs.size()))] : 0;
        std::sort(theirs.begin(), theirs.end(), [&](std::uint32_t a, std::uint32_t b) {
            const Entry& x = model_[a];
            const Entry& y = model_[b];
            return std::tuple(spare && a == spared, x.meta.created, x.order) >
                   std::tuple(spare && b == spared, y.meta.created, y.order);
        });
        const Digest key = key_of(spared);
        const std::size_t ended =
            table_.keep_newest(tag, binding, limit, now_, spare ? &key : nullptr);
        ck_assert_uint_eq(ended, theirs.size() - std::min(theirs.size(), limit));
        for (std::size_t i = limit; i < theirs.size(); ++i) {
            model_.erase(theirs[i]);
        }
        for (std::size_t i = 0; i < std::min(limit, theirs.size()); ++i) {
            ck_assert(holds(theirs[i], model_[theirs[i]]));
        }
        ended_by_limit_ += ended;
    }

    Region region_;
    RecordTable table_;
    std::map<std::uint32_t, Entry> model_;
    std::mt19937 random_{20240501};  // NOLINT: the same run every time
    Seconds now_ = kNow;
    int number_ = 0;
    std::size_t full_ = 0;
    std::size_t updated_ = 0;
    std::size_t ended_by_tag_ = 0;
    std::size_t ended_by_limit_ = 0;
};

}  // namespace

START_TEST(e_15_agrees_with_a_map_over_random_operations) {
    Run run;
    for (int step = 0; step < 40000; ++step) {
        run.step(step);
        if (step % 500 == 0) {
            run.check();
        }
    }
    run.finish();
}
END_TEST

static Suite* record_table_model_suite() {
    Suite* suite = suite_create("record_table_model");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, e_15_agrees_with_a_map_over_random_operations);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration record_table_model_registered("record_table_model",
                                                        record_table_model_suite);
