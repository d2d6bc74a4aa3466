// SPDX-License-Identifier: Apache-2.0
// The language of a page: the one, of those that the module speaks, that its reader asks for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace oidc {

enum class Language : std::uint8_t { en, de, fr, es, pl, it, nl, pt, count_ };

inline constexpr std::size_t kLanguageCount = static_cast<std::size_t>(Language::count_);

// Its tag (RFC 5646), for `lang` and Content-Language. Of a value that is none: English's.
std::string_view tag_of(Language language) noexcept;

// How it is written, for `dir`: "ltr" or "rtl".
std::string_view direction_of(Language language) noexcept;

// What Accept-Language asks for (RFC 9110 section 12.5.4), by the lookup of RFC 4647 section 3.4:
// of the ranges that lead to a language of ours (de-AT to de), the one of the greatest weight, the
// first of several. A language with q=0 is not taken. `*` asks for nothing in particular. What is
// not of the grammar counts as not there, element by element; nothing is left: English.
class LanguageChoice {
  public:
    // Of all fields together; the rest is not looked at, nor an element that would be cut.
    static constexpr std::size_t kMaxBytes = 1024;

    // The value of one field; several are one list, in their order.
    void add(std::string_view value) noexcept;

    [[nodiscard]] Language chosen() const noexcept;

  private:
    struct Wish {
        int weight = 0;      // in thousandths; 0: not asked for
        int place = 0;       // of the element that has this weight
        bool never = false;  // q=0
    };

    void add_element(std::string_view element) noexcept;

    std::array<Wish, kLanguageCount> wishes_{};
    std::size_t left_ = kMaxBytes;
    int place_ = 0;
};

}  // namespace oidc
