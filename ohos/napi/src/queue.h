// From the library's threads to one JavaScript thread: events in order, bounded for each connection, and nobody waits.
//
// A library callback copies its event into the queue of the environment that the object belongs to and returns. The first
// event wakes the JavaScript thread, which takes all that wait at once and delivers one after another. What bounds the queue
// is the socket: a connection of which MOST_EVENTS or MOST_BYTES wait is paused (nsws_client_pause), and goes on when half
// has been delivered. So a JavaScript thread that is busy slows its own peers, and neither side ever blocks the other.
#pragma once

#include <netstack_websocket.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <uv.h>

#include "js.h"

// How much of one connection waits for JavaScript.
class Flow {
  public:
    Flow(int32_t (*pause)(uint64_t), int32_t (*resume)(uint64_t), uint64_t id) : pause_(pause), resume_(resume), id_(id) {}

    // On the library's thread, before the event is put into the queue; a second step follows when it is there.
    void fill(size_t bytes) {
        events_.fetch_add(1);
        bytes_.fetch_add(bytes);
    }

    void filled() {
        if (!is_full() || paused_.load()) return;
        std::lock_guard<std::mutex> lock(mutex_);
        paused_.store(true);
        // What was delivered meanwhile has looked at `paused_` too early or will still see it.
        if (is_full()) {
            pause_(id_);
        } else {
            paused_.store(false);
        }
    }

    // On the JavaScript thread.
    void drain(size_t bytes) {
        events_.fetch_sub(1);
        bytes_.fetch_sub(bytes);
        if (!paused_.load() || !is_half_empty()) return;
        std::lock_guard<std::mutex> lock(mutex_);
        if (paused_.exchange(false)) resume_(id_);
    }

  private:
    static constexpr size_t MOST_EVENTS = 4096;
    static constexpr size_t MOST_BYTES = 4 << 20;

    bool is_full() const { return events_.load() >= MOST_EVENTS || bytes_.load() >= MOST_BYTES; }
    bool is_half_empty() const { return events_.load() <= MOST_EVENTS / 2 && bytes_.load() <= MOST_BYTES / 2; }

    int32_t (*const pause_)(uint64_t);
    int32_t (*const resume_)(uint64_t);
    const uint64_t id_;
    std::atomic<size_t> events_{0};
    std::atomic<size_t> bytes_{0};
    std::atomic<bool> paused_{false};
    std::mutex mutex_;
};

// A message's bytes, from malloc(), so that an ArrayBuffer can take them over.
struct FreeBytes {
    void operator()(char *bytes) const { std::free(bytes); }
};
using Bytes = std::unique_ptr<char, FreeBytes>;

class Source;

struct Event {
    // `call_error` is no event of the library's: a call has found what this surface reports as an `error` event.
    enum class Kind : uint8_t { header_receive, open, message, close, error, call_error, drain, reconnecting, connect };

    // What the rarer events hold.
    struct Detail {
        std::vector<std::pair<std::string, std::string>> headers;
        // The sentence of an error, the status text of `open`, the reason of `close`, the address of `connect`.
        std::string text;
        std::string protocol;
        // The code of an error or of `close`, the status of `open`, the port of `connect`, the attempt of `reconnecting`.
        int64_t number = 0;
        int32_t detail = 0;
        int32_t phase = 0;
        int32_t os_error = 0;
        int32_t http_status = 0;
        int64_t amount = 0;
        bool was_clean = false;
    };

    Kind kind;
    bool is_text = false;
    // The attempt or connection that this event ends is the last: the client is idle.
    bool is_last = false;
    size_t length = 0;
    Bytes data;
    // The server's connection, 0 for a client's.
    uint64_t connection = 0;
    Flow *flow = nullptr;
    std::unique_ptr<Detail> detail;
    Source *source = nullptr;
};

class Queue {
  public:
    // `wake` lives until after close().
    explicit Queue(uv_async_t *wake) : wake_(wake) {}
    Queue(const Queue &) = delete;

    // From any thread. Takes over one use of the event's source.
    void push(Event event);
    // On the JavaScript thread: it has something to do of its own.
    void schedule();
    // On the JavaScript thread, when what it took last is done: all that waits. Whether that is something.
    bool take(std::vector<Event> &batch);
    // On the JavaScript thread: whether nothing waits, and then the next event will wake it.
    bool fall_asleep();
    // On the JavaScript thread: the environment ends, and what is pushed from now on is dropped.
    void close();

  private:
    uv_async_t *const wake_;
    std::mutex mutex_;
    std::vector<Event> waiting_;
    // The JavaScript thread was woken and has not yet found the queue empty.
    bool awake_ = false;
    bool closed_ = false;
    // Threads that are about to wake it. Not under the mutex, which the woken thread wants at once.
    std::atomic<int> waking_{0};
};

// What the library's threads know of a JavaScript object: the user_data of its listeners. It lives until the last of them,
// the object and the events in the queue are gone.
class Source {
  public:
    explicit Source(std::shared_ptr<Queue> queue) : queue_(std::move(queue)) {}
    Source(const Source &) = delete;

    Source *use() {
        uses_.fetch_add(1, std::memory_order_relaxed);
        return this;
    }

    void release() {
        if (uses_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    static void release(void *source) { static_cast<Source *>(source)->release(); }

    void push(Event event) {
        event.source = use();
        queue_->push(std::move(event));
    }

    // A message, copied. Whether there was memory for it.
    bool push_message(Flow *flow, uint64_t connection, const nsws_message_event &message);

    // Flows of connections: added on the library's threads, removed on the JavaScript thread, which delivers `close` last.
    Flow *add_flow(uint64_t id, int32_t (*pause)(uint64_t), int32_t (*resume)(uint64_t));
    Flow *flow(uint64_t id);
    void remove_flow(uint64_t id);

    // The object, or null when it was collected. On the JavaScript thread only.
    class Object *object = nullptr;

  private:
    ~Source() = default;

    std::atomic<size_t> uses_{1};
    const std::shared_ptr<Queue> queue_;
    std::mutex mutex_;
    std::unordered_map<uint64_t, std::unique_ptr<Flow>> flows_;
};
