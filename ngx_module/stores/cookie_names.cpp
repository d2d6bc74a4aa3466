// SPDX-License-Identifier: Apache-2.0
#include "stores/cookie_names.hpp"

#include <algorithm>

#include "config/block.hpp"
#include "oidc/session_cookie.hpp"

namespace oidc::ngx {
namespace {

bool has_cookie_store(const Provider& provider) noexcept {
    return provider.store != nullptr && provider.store->type == Store::Type::cookie;
}

}  // namespace

char* reserve_session_cookies(ngx_conf_t* cf, MainConf& main) {
    std::vector<std::string> chunks;
    for (const auto& p : main.providers) {
        if (!has_cookie_store(*p)) {
            continue;
        }
        const Place& place = p->place;
        const std::string where = " in oidc_provider " + in_quotes(p->config.name);
        if (p->session_limit_given && p->session_limit > 0) {
            return conf_error(cf, place,
                              "\"session_limit\"" + where +
                                  " needs a session store that knows all sessions, and " +
                                  in_quotes(p->store->name) + " is of \"type cookie\"");
        }
        for (const bool https : {false, true}) {
            const std::string& name = https ? p->session_cookie_https : p->session_cookie_http;
            if (!session_cookie_fits(name, session_cookie_attributes(*p, https))) {
                return conf_error(cf, place,
                                  "\"cookie_name\", \"cookie_path\" and \"cookie_domain\"" + where +
                                      " are too long together for \"type cookie\"");
            }
            for (std::size_t i = 1; i < kMaxSessionChunks; ++i) {
                chunks.push_back(session_chunk_name(name, i));
            }
        }
    }
    for (const auto& p : main.providers) {
        for (const std::string* name : {&p->session_cookie_http, &p->session_cookie_https}) {
            if (std::find(chunks.begin(), chunks.end(), *name) != chunks.end()) {
                return conf_error(cf, p->place,
                                  "the session cookie " + in_quotes(*name) + " of oidc_provider " +
                                      in_quotes(p->config.name) +
                                      " is also a part of another provider's");
            }
        }
    }
    for (const std::string& name : chunks) {
        if (std::find(main.session_cookies.begin(), main.session_cookies.end(), name) ==
            main.session_cookies.end()) {
            main.session_cookies.push_back(name);
        }
    }
    return conf_ok();
}

}  // namespace oidc::ngx
