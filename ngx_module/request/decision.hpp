// SPDX-License-Identifier: Apache-2.0
// Decision: what a request's cookies say about one provider.
#pragma once

#include <list>
#include <string>

#include "config/conf.hpp"
#include "oidc/session.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

struct Decision {
    Provider* provider = nullptr;
    const std::string* cookie_name = nullptr;  // the spelling that counts at the location
    bool taken = false;
    bool authenticated = false;
    // Of an authenticated one.
    SessionRef ref;
    SessionView session;  // borrows the request's pool
    Seconds expires = 0;
    // Made once for an oidc_assertion; the location of a subrequest may have another.
    ngx_str_t assertion{};
    const Assertion* assertion_by = nullptr;

    // Nobody is signed in.
    void clear() noexcept {
        authenticated = false;
        session = {};
        assertion = {0, nullptr};
    }
    // It is to be taken again.
    void forget() noexcept {
        clear();
        taken = false;
    }
};

// The decisions about one request, for its subrequests as well: each is taken once. Their addresses
// last as long as the request.
class Decisions {
  public:
    // The one about this provider and cookie; not taken yet when it is asked for the first time.
    Decision& of(Provider& provider, const std::string& cookie_name) {
        if (first_.provider == nullptr) {
            first_.provider = &provider;
            first_.cookie_name = &cookie_name;
        }
        return is(first_, provider, cookie_name) ? first_ : further(provider, cookie_name);
    }

  private:
    static bool is(const Decision& decision, const Provider& provider,
                   const std::string& cookie_name) noexcept {
        return decision.provider == &provider && decision.cookie_name == &cookie_name;
    }
    Decision& further(Provider& provider, const std::string& cookie_name) {
        for (Decision& decision : more_) {
            if (is(decision, provider, cookie_name)) {
                return decision;
            }
        }
        Decision& decision = more_.emplace_back();
        decision.provider = &provider;
        decision.cookie_name = &cookie_name;
        return decision;
    }

    Decision first_;  // nearly always the only one
    std::list<Decision> more_;
};

}  // namespace oidc::ngx
