// The events of one JavaScript environment, on their way from the library's threads;
// ohos/rules/event_queue.h says how they are bounded.
#pragma once

#include <netstack_websocket.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <uv.h>

#include "../../rules/event_queue.h"
#include "js.h"

using nsws_rules::Flow;

// A message's bytes, from malloc(), so that an ArrayBuffer can take them over.
struct FreeBytes {
    void operator()(char *bytes) const { std::free(bytes); }
};
using Bytes = std::unique_ptr<char, FreeBytes>;

class Source;

struct Event {
    // `call_error` is no event of the library's: a call has found what this surface reports as an
    // `error` event.
    enum class Kind : uint8_t {
        header_receive,
        open,
        message,
        close,
        error,
        call_error,
        drain,
        reconnecting,
        connect
    };

    // What the rarer events hold.
    struct Detail {
        std::vector<std::pair<std::string, std::string>> headers;
        // The sentence of an error, the status text of `open`, the reason of `close`, the address
        // of `connect`.
        std::string text;
        std::string protocol;
        // The code of an error or of `close`, the status of `open`, the port of `connect`, the
        // attempt of `reconnecting`.
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
    bool take(std::vector<Event> &batch) { return events_.take(batch); }
    bool fall_asleep() { return events_.fall_asleep(); }
    // On the JavaScript thread: the environment ends, and what is pushed from now on is dropped.
    void close();

private:
    void wake();

    uv_async_t *const wake_;
    nsws_rules::EventQueue<Event> events_;
};

// What the library's threads know of a JavaScript object: the user_data of its listeners. It lives
// until the last of them, the object and the events in the queue are gone.
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

    nsws_rules::Flows flows;

    // The object, or null when it was collected. On the JavaScript thread only.
    class Object *object = nullptr;

private:
    ~Source() = default;

    std::atomic<size_t> uses_{1};
    const std::shared_ptr<Queue> queue_;
};
