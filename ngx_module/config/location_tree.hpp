// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which location takes a URI that is known at start: the steps of ngx_http_core_find_location().
// nginx's tree of locations is no interface. nginx itself keeps configurations in it, Angie since
// 1.3 keeps entries that point to configurations. A tree of another shape is not guessed at.
// Knows no header of nginx, so that every shape can be tested.
#include <algorithm>
#include <concepts>
#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace oidc::ngx {

template <class Entry, class Conf>
concept LocationEntry = (std::same_as<Entry, Conf> ||
                         requires(const Entry& entry) {
                             { entry.conf } -> std::convertible_to<const Conf*>;
                         }) &&
                        requires(const Entry& entry) {
    { entry.noregex } -> std::convertible_to<unsigned>;
};

template <class Conf>
concept HasRegexLocations = requires(const Conf& conf) {
    conf.regex_locations;
};

template <class Conf, class Entry>
concept RegexLocations = requires(const Conf& conf) {
    requires std::same_as<decltype(conf.regex_locations), Entry>;
};

template <class Conf>
concept LocationTree = requires(const Conf& conf) {
    requires std::same_as<decltype(conf.static_locations->left), decltype(conf.static_locations)>;
    requires std::same_as<decltype(conf.static_locations->right), decltype(conf.static_locations)>;
    requires std::same_as<decltype(conf.static_locations->tree), decltype(conf.static_locations)>;
    { conf.static_locations->len } -> std::convertible_to<std::size_t>;
    { &conf.static_locations->name[0] } -> std::convertible_to<const unsigned char*>;
    requires std::same_as<decltype(conf.static_locations->exact),
                          decltype(conf.static_locations->inclusive)>;
    requires LocationEntry<std::remove_pointer_t<decltype(conf.static_locations->exact)>, Conf>;
    // An nginx without regular expressions has no list of such locations.
    requires !HasRegexLocations<Conf> ||
        RegexLocations<Conf, std::add_pointer_t<decltype(conf.static_locations->exact)>>;
};

namespace detail {

template <class Entry>
struct LocationMatch {
    enum class Kind { none, prefix, final };
    const Entry* location = nullptr;
    Kind kind = Kind::none;
};

template <class Conf, class Entry>
const Conf& conf_of(const Entry& entry) noexcept {
    if constexpr (std::same_as<Entry, Conf>) {
        return entry;
    } else {
        return *entry.conf;
    }
}

template <class Conf>
using MatchIn = LocationMatch<
    std::remove_pointer_t<decltype(std::declval<const Conf&>().static_locations->exact)>>;

template <class Conf>
MatchIn<Conf> match_static(const Conf& parent, std::string_view uri) noexcept {
    using Match = MatchIn<Conf>;
    using Kind = typename Match::Kind;
    const auto* node = parent.static_locations;
    Match best;
    while (node != nullptr) {
        const std::size_t n = std::min<std::size_t>(uri.size(), node->len);
        const int rc = n == 0 ? 0 : std::memcmp(uri.data(), &node->name[0], n);
        if (rc != 0) {
            node = rc < 0 ? node->left : node->right;
        } else if (uri.size() > node->len) {
            if (node->inclusive != nullptr) {
                best = {node->inclusive, Kind::prefix};
                node = node->tree;
                uri.remove_prefix(n);
            } else {
                node = node->right;
            }
        } else if (uri.size() == node->len) {
            return node->exact != nullptr ? Match{node->exact, Kind::final}
                                          : Match{node->inclusive, Kind::prefix};
        } else {
            node = node->left;
        }
    }
    return best;
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as locations are nested
template <class Conf, class RegexMatches>
MatchIn<Conf> match_location(const Conf& parent, std::string_view uri,
                             const RegexMatches& regex_matches) noexcept {
    using Match = MatchIn<Conf>;
    using Kind = typename Match::Kind;
    Match match = match_static(parent, uri);
    bool noregex = false;
    if (match.kind == Kind::prefix) {
        noregex = match.location->noregex != 0;
        const Match inner = match_location(conf_of<Conf>(*match.location), uri, regex_matches);
        if (inner.kind != Kind::none) {
            match = inner;
        }
    }
    if constexpr (HasRegexLocations<Conf>) {
        if (match.kind == Kind::final || noregex || parent.regex_locations == nullptr) {
            return match;
        }
        for (auto regex = parent.regex_locations; *regex != nullptr; regex++) {
            if (!regex_matches(**regex, uri)) {
                continue;
            }
            const Match inner = match_location(conf_of<Conf>(**regex), uri, regex_matches);
            return Match{inner.kind == Kind::none ? *regex : inner.location, Kind::final};
        }
    }
    return match;
}

}  // namespace detail

// The location of a server, by the configuration of the server's own level. Null: no location
// takes it. Nothing: the tree has a shape that is not known here. `regex_matches(entry, uri)` says
// whether the regular expression of a location matches.
template <class Conf, class RegexMatches>
std::optional<const Conf*> location_for(const Conf& server, std::string_view uri,
                                        const RegexMatches& regex_matches) noexcept {
    if constexpr (LocationTree<Conf>) {
        const auto match = detail::match_location(server, uri, regex_matches);
        return match.location == nullptr ? nullptr : &detail::conf_of<Conf>(*match.location);
    } else {
        return std::nullopt;
    }
}

}  // namespace oidc::ngx
