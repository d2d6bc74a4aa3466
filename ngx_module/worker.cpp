// SPDX-License-Identifier: Apache-2.0
#include "worker.hpp"

#include <new>

#include "oidc/ptr.hpp"
#include "shm/session_zone.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

namespace {

Worker* g_worker = nullptr;

std::vector<std::unique_ptr<SessionSweeper>> make_sweepers(ngx_cycle_t* cycle) {
    std::vector<std::unique_ptr<SessionSweeper>> out;
    // One worker sweeps for all.
    if (ngx_worker == 0) {
        SessionZone::for_each(cycle, [&out, cycle](SessionZone& zone) {
            out.push_back(std::make_unique<SessionSweeper>(zone, cycle->log));
        });
    }
    return out;
}

}  // namespace

Worker::Stores::Stores(ngx_cycle_t* cycle, const MainConf& conf) {
    for (const auto& store : conf.stores) {
        if (store->sessions().init_process(cycle) != NGX_OK) {
            throw std::bad_alloc();
        }
    }
}

// Of the configuration that runs now: a single process goes on through reloads.
Worker::Stores::~Stores() {
    if (const MainConf* conf = running_main_conf()) {
        for (const auto& store : conf->stores) {
            store->sessions().exit_process();
        }
    }
}

Worker::Worker(ngx_cycle_t* cycle, MainConf& conf)
    : http_(CurlLoop::make(cycle)),
      sweepers_(make_sweepers(cycle)),
      stores_(cycle, conf),
      metadata_(MetadataCache::make(cycle, conf)),
      renewed_(conf, cycle->log),
      refresher_(Refresher::make()),
      introspector_(Introspector::make()),
      claim_check_(ClaimCheck::make()),
      tokens_(conf.takes_tokens ? TokenCache::make() : nullptr),
      upgraded_(Upgraded::make(cycle->log)) {}

ngx_int_t Worker::begin(ngx_cycle_t* cycle) noexcept try {
    MainConf* conf = cycle_main_conf(cycle);
    if (!is_worker() || conf == nullptr || g_worker != nullptr) {
        return NGX_OK;
    }
    OpensslErrorGuard guard;
    g_worker = new Worker(cycle, *conf);
    return NGX_OK;
} catch (...) {
    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "oidc: the worker cannot be initialised");
    return NGX_ERROR;
}

void Worker::end() noexcept {
    delete g_worker;
    g_worker = nullptr;
}

}  // namespace oidc::ngx
