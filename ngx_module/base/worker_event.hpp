// SPDX-License-Identifier: Apache-2.0
// WorkerEvent: a timer or posted event of the worker that belongs to no connection.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

class WorkerEvent {
  public:
    // The handler finds `owner` again with of().
    WorkerEvent(void* owner, ngx_event_handler_pt handler, ngx_log_t* log) noexcept {
        // nginx's debug log reads a descriptor through event.data.
        dummy_.fd = static_cast<ngx_socket_t>(-1);
        dummy_.data = owner;
        event_.data = &dummy_;
        event_.handler = handler;
        event_.log = log;
        event_.cancelable = 1;
    }
    ~WorkerEvent() { stop(); }
    WorkerEvent(const WorkerEvent&) = delete;
    WorkerEvent& operator=(const WorkerEvent&) = delete;

    template <class Owner>
    static Owner& of(const ngx_event_t* event) noexcept {
        return *static_cast<Owner*>(static_cast<ngx_connection_t*>(event->data)->data);
    }

    [[nodiscard]] bool is_timed() const noexcept { return event_.timer_set != 0; }
    [[nodiscard]] bool is_posted() const noexcept { return event_.posted != 0; }
    // Whether a worker that shuts down waits for the timer; it does not at first.
    void hold_worker(bool hold) noexcept { event_.cancelable = hold ? 0 : 1; }

    void post() noexcept {
        if (!event_.posted) {
            ngx_post_event(&event_, &ngx_posted_events);
        }
    }
    void set(ngx_msec_t delay) noexcept {
        // Without the removal nginx keeps an old value that is near the new one.
        unset();
        ngx_add_timer(&event_, delay);
    }
    void unset() noexcept {
        if (event_.timer_set) {
            ngx_del_timer(&event_);
        }
    }
    void stop() noexcept {
        unset();
        if (event_.posted) {
            ngx_delete_posted_event(&event_);
        }
    }

  private:
    ngx_event_t event_{};
    ngx_connection_t dummy_{};
};

}  // namespace oidc::ngx
