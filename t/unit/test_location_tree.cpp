// SPDX-License-Identifier: Apache-2.0
// The location that nginx would choose, in trees of each shape that is known, and of one that is
// not.
#include "config/location_tree.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <string>
#include <vector>

#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;
using oidc::ngx::location_for;

namespace {

template <class Entry>
struct Node {
    Node* left = nullptr;
    Node* right = nullptr;
    Node* tree = nullptr;
    Entry* exact = nullptr;
    Entry* inclusive = nullptr;
    unsigned short len = 0;
    unsigned char auto_redirect = 0;
    std::array<unsigned char, 32> name{};
};

// nginx: the tree holds configurations.
struct NginxConf {
    std::string_view regex;
    unsigned noregex : 1 = 0;
    Node<NginxConf>* static_locations = nullptr;
    NginxConf** regex_locations = nullptr;
};

// Angie since 1.3: several entries may share one.
struct AngieConf;
struct AngieEntry {
    std::string_view regex;
    AngieConf* conf = nullptr;
    unsigned noregex : 1 = 0;
};
struct AngieConf {
    Node<AngieEntry>* static_locations = nullptr;
    AngieEntry** regex_locations = nullptr;
};

// nginx built without PCRE.
struct PlainConf {
    unsigned noregex : 1 = 0;
    Node<PlainConf>* static_locations = nullptr;
};

// Nobody's: handles in place of pointers.
struct StrangeConf {
    Node<int>* static_locations = nullptr;
    int** regex_locations = nullptr;
};
struct FlatConf {
    std::vector<std::string>* static_locations = nullptr;
};

static_assert(ngx::LocationTree<NginxConf>);
static_assert(ngx::LocationTree<AngieConf>);
static_assert(ngx::LocationTree<PlainConf>);
static_assert(!ngx::LocationTree<StrangeConf>);
static_assert(!ngx::LocationTree<FlatConf>);

// "Matches" for these tests: the URI ends in it.
const auto kEndsIn = [](const auto& entry, std::string_view uri) {
    return uri.ends_with(entry.regex);
};

template <class Entry>
Node<Entry> node(std::string_view name, Entry* exact, Entry* inclusive) {
    Node<Entry> made;
    made.exact = exact;
    made.inclusive = inclusive;
    made.len = static_cast<unsigned short>(name.size());
    std::copy(name.begin(), name.end(), made.name.begin());
    return made;
}

// A server with these locations, as nginx builds its tree:
//   /  = /cb  /cb  ^~ /fix/  /app/ { /app/in }  ~ .php { /app/x.php }  ~ .php5
template <class Conf, class Entry>
struct Server {
    Conf server{}, root{}, cb_exact{}, cb{}, fix{}, app{}, app_in{}, php{}, php_in{};
    std::deque<Entry> made;
    std::array<Entry*, 2> regex{};
    Node<Entry> slash, cb_node, fix_node, app_node, in_node, php_node;

    Entry* entry(Conf& conf) {
        if constexpr (std::same_as<Conf, Entry>) {
            return &conf;
        } else {
            Entry& out = made.emplace_back();
            out.conf = &conf;
            return &out;
        }
    }

    Server() {
        Entry* fixed = entry(fix);
        fixed->noregex = 1;
        Entry* by_regex = entry(php);
        by_regex->regex = ".php";
        regex = {by_regex, nullptr};
        slash = node<Entry>("/", nullptr, entry(root));
        cb_node = node("cb", entry(cb_exact), entry(cb));
        fix_node = node<Entry>("fix/", nullptr, fixed);
        app_node = node<Entry>("app/", nullptr, entry(app));
        in_node = node<Entry>("/app/in", nullptr, entry(app_in));
        php_node = node<Entry>("/app/x.php", entry(php_in), nullptr);
        slash.tree = &cb_node;
        cb_node.left = &app_node;
        cb_node.right = &fix_node;
        server.static_locations = &slash;
        server.regex_locations = regex.data();
        app.static_locations = &in_node;
        php.static_locations = &php_node;
    }

    const Conf* at(std::string_view uri) {
        const auto found = location_for(server, uri, kEndsIn);
        ck_assert(found.has_value());
        return *found;
    }

    void check() {
        ck_assert_ptr_eq(at("/"), &root);
        ck_assert_ptr_eq(at("/other"), &root);
        ck_assert_ptr_eq(at("/cb"), &cb_exact);
        ck_assert_ptr_eq(at("/cb/more"), &cb);
        ck_assert_ptr_eq(at("/app/"), &app);
        ck_assert_ptr_eq(at("/app/other"), &app);
        ck_assert_ptr_eq(at("/app/in"), &app_in);
        ck_assert_ptr_eq(at("/app/index"), &app_in);
        ck_assert_ptr_eq(at("/app"), &root);
        ck_assert_ptr_eq(at("/other.php"), &php);
        ck_assert_ptr_eq(at("/app/x.php"), &php_in);
        ck_assert_ptr_eq(at("/cb.php"), &php);
        ck_assert_ptr_eq(at("/fix/x.php"), &fix);
        ck_assert_ptr_null(at("relative"));
        ck_assert_ptr_null(at(""));
        server.static_locations = nullptr;
        ck_assert_ptr_eq(at("/x.php"), &php);
        ck_assert_ptr_null(at("/x"));
    }
};

}  // namespace

START_TEST(nginx_keeps_configurations) {
    Server<NginxConf, NginxConf>().check();
}
END_TEST

START_TEST(angie_keeps_entries) {
    Server<AngieConf, AngieEntry>().check();
}
END_TEST

START_TEST(no_regular_expressions) {
    PlainConf server;
    PlainConf root;
    auto slash = node<PlainConf>("/", nullptr, &root);
    server.static_locations = &slash;
    ck_assert_ptr_eq(*location_for(server, "/x.php", kEndsIn), &root);
    ck_assert_ptr_null(*location_for(server, "", kEndsIn));
}
END_TEST

START_TEST(no_answer_from_an_unknown_shape) {
    ck_assert(!location_for(StrangeConf(), "/", kEndsIn).has_value());
    ck_assert(!location_for(FlatConf(), "/", kEndsIn).has_value());
}
END_TEST

static Suite* location_tree_suite() {
    Suite* suite = suite_create("location_tree");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, nginx_keeps_configurations);
    tcase_add_test(tcase, angie_keeps_entries);
    tcase_add_test(tcase, no_regular_expressions);
    tcase_add_test(tcase, no_answer_from_an_unknown_shape);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration location_tree_registered("location_tree", location_tree_suite);
