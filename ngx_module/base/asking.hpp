// SPDX-License-Identifier: Apache-2.0
// Asking: marks the time inside a call that may answer at once, also when the call throws.
#pragma once

namespace oidc::ngx {

class Asking {
  public:
    explicit Asking(bool& flag) noexcept : flag_(flag) { flag_ = true; }
    ~Asking() { flag_ = false; }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;

  private:
    bool& flag_;
};

}  // namespace oidc::ngx
