#include "queue.h"

#include <cstring>
#include <thread>
#include <utility>

void Queue::push(Event event) {
    bool wake = false;
    {
        std::unique_lock<std::mutex> lock(mutex_);
        if (closed_) {
            lock.unlock();
            event.source->release();
            return;
        }
        waiting_.push_back(std::move(event));
        wake = !std::exchange(awake_, true);
        if (wake) waking_++;
    }
    if (!wake) return;
    uv_async_send(wake_);
    waking_--;
}

void Queue::schedule() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (closed_ || std::exchange(awake_, true)) return;
    }
    uv_async_send(wake_);
}

bool Queue::take(std::vector<Event> &batch) {
    std::lock_guard<std::mutex> lock(mutex_);
    batch.swap(waiting_);
    return !batch.empty();
}

bool Queue::fall_asleep() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (waiting_.empty()) awake_ = false;
    return !awake_;
}

void Queue::close() {
    std::vector<Event> dropped;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        closed_ = true;
        dropped.swap(waiting_);
    }
    while (waking_.load() > 0) std::this_thread::yield();
    for (Event &event : dropped) event.source->release();
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

Flow *Source::add_flow(uint64_t id, int32_t (*pause)(uint64_t), int32_t (*resume)(uint64_t)) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto &flow = flows_[id];
    flow = std::make_unique<Flow>(pause, resume, id);
    return flow.get();
}

Flow *Source::flow(uint64_t id) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = flows_.find(id);
    return found == flows_.end() ? nullptr : found->second.get();
}

void Source::remove_flow(uint64_t id) {
    std::lock_guard<std::mutex> lock(mutex_);
    flows_.erase(id);
}
