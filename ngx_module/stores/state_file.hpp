// SPDX-License-Identifier: Apache-2.0
// `state_file`: the sessions of a memory store survive stop and start. The master writes them,
// sealed, when it leaves, and reads them once when it starts; the file is gone before the first
// request, so that no session comes back that has ended since.
#pragma once

#include "base/ngx.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

// Whether the state files of the configuration can be written where they are to be. Reads, removes
// and writes nothing. NGX_CONF_ERROR: an error was logged.
char* check_state_files(ngx_conf_t* cf, const MainConf& main);

// At a start, not in an upgrade or a reload: nobody is served yet. Whatever is wrong with a file,
// the store starts empty, and nginx starts.
void load_states(ngx_cycle_t* cycle) noexcept;

// When the master leaves and the sessions do not live on in the other binary of an upgrade. The
// workers are gone.
void save_states(ngx_cycle_t* cycle) noexcept;

}  // namespace oidc::ngx
