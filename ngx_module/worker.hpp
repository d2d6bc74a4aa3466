// SPDX-License-Identifier: Apache-2.0
// Worker: what a process that serves requests has beside its configuration. Everything in it is
// made and ended here, in one order.
#pragma once

#include <memory>
#include <vector>

#include "base/ngx.hpp"
#include "base/ports_ngx.hpp"
#include "base/refusal_log.hpp"
#include "config/conf.hpp"
#include "http/curl_loop.hpp"
#include "provider/metadata_cache.hpp"
#include "provider/renewed_files.hpp"
#include "shm/session_sweeper.hpp"
#include "signin/claim_check.hpp"
#include "signin/introspector.hpp"
#include "signin/refresher.hpp"
#include "signin/token_cache.hpp"
#include "signin/upgraded.hpp"

namespace oidc::ngx {

class Worker {
  public:
    // For nginx's init_process and exit_process: does nothing in its cache helpers, which serve no
    // requests, and where nothing is configured. NGX_ERROR: an error was logged.
    static ngx_int_t begin(ngx_cycle_t* cycle) noexcept;
    static void end() noexcept;

    Worker(ngx_cycle_t* cycle, MainConf& conf);
    ~Worker() = default;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

  private:
    // What the stores of the configuration need in a process.
    class Stores {
      public:
        Stores(ngx_cycle_t* cycle, const MainConf& conf);
        ~Stores();
        Stores(const Stores&) = delete;
        Stores& operator=(const Stores&) = delete;
    };

    // Each uses what stands above it, and ends before it.
    WorkerPorts ports_;
    RefusalLog refusals_;
    std::unique_ptr<CurlLoop> http_;
    std::vector<std::unique_ptr<SessionSweeper>> sweepers_;
    Stores stores_;
    std::unique_ptr<MetadataCache> metadata_;
    RenewedFiles renewed_;
    std::unique_ptr<Refresher> refresher_;
    std::unique_ptr<Introspector> introspector_;
    std::unique_ptr<ClaimCheck> claim_check_;
    std::unique_ptr<TokenCache> tokens_;
    std::unique_ptr<Upgraded> upgraded_;
};

}  // namespace oidc::ngx
