// SPDX-License-Identifier: Apache-2.0
// The time at which the tests of flows and of RecordTable take place.
#pragma once

#include "oidc/ports.hpp"

namespace oidc::unit {

inline constexpr Seconds kNow = 1'700'000'000;

}  // namespace oidc::unit
