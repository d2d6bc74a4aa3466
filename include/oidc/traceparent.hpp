// SPDX-License-Identifier: Apache-2.0
// The header traceparent of W3C Trace Context: which trace, and which span of it, a request is
// made for.
#pragma once

#include <string_view>

namespace oidc {

// Name of the header, in requests to the provider.
inline constexpr std::string_view kTraceparent = "traceparent";

// Whether the text is a traceparent of version 00 (section 3.2): 32 and 16 lower-case hexadecimal
// digits that are not all zero, and two of flags. A later version is none: what its flags mean is
// not known, and whoever makes one can say the same in this version.
bool is_traceparent(std::string_view text) noexcept;

}  // namespace oidc
