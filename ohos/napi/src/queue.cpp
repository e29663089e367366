#include "queue.h"

#include <cstring>
#include <thread>

void Queue::push(Event event) {
    bool sleeps = false;
    if (!events_.push(event, sleeps)) event.source->release();
    if (sleeps) wake();
}

void Queue::schedule() {
    if (events_.schedule()) wake();
}

void Queue::wake() {
    uv_async_send(wake_);
    events_.woken();
}

void Queue::close() {
    std::vector<Event> dropped = events_.close();
    while (events_.is_being_woken())
        std::this_thread::yield();
    for (Event &event : dropped)
        event.source->release();
}

bool Source::push_message(Flow *flow, uint64_t connection, const nsws_message_event &message) {
    Event event{};
    event.kind = Event::Kind::message;
    // malloc(0) may be null.
    event.data.reset(static_cast<char *>(std::malloc(message.length + 1)));
    if (!event.data) return false;
    std::memcpy(event.data.get(), message.data, message.length);
    event.length = message.length;
    event.is_text = message.is_text != 0;
    event.connection = connection;
    event.flow = flow;
    flow->fill(message.length);
    push(std::move(event));
    flow->filled();
    return true;
}
