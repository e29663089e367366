// From the library's threads to a JavaScript thread: events in order, bounded for each connection,
// and nobody waits.
//
// A library callback copies its event into a queue and returns. The first event wakes the
// JavaScript thread, which takes all that wait at once and delivers one after another. What bounds
// a queue is the socket: a connection of which MOST_WAITING_EVENTS or MOST_WAITING_BYTES wait is
// paused, and goes on when half has been delivered. So a JavaScript thread that is busy slows its
// own peers, and neither side ever blocks the other.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nsws_rules {

constexpr size_t MOST_WAITING_EVENTS = 4096;
constexpr size_t MOST_WAITING_BYTES = 4u << 20;

// How much of one connection waits for JavaScript.
class Flow {
public:
    using OnConnection = int32_t (*)(uint64_t);

    Flow(OnConnection pause, OnConnection resume, uint64_t id)
        : pause_(pause), resume_(resume), id_(id) {}

    // On the library's thread, before the event is put into the queue; filled() follows when it is
    // there.
    void fill(size_t bytes) {
        events_.fetch_add(1);
        bytes_.fetch_add(bytes);
    }

    void filled() {
        if (!is_full() || paused_.load()) {
            return;
        }
        const std::lock_guard<std::mutex> lock(mutex_);
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
        if (!paused_.load() || !is_half_empty()) {
            return;
        }
        const std::lock_guard<std::mutex> lock(mutex_);
        if (paused_.exchange(false)) {
            resume_(id_);
        }
    }

private:
    bool is_full() const {
        return events_.load() >= MOST_WAITING_EVENTS || bytes_.load() >= MOST_WAITING_BYTES;
    }
    bool is_half_empty() const {
        return events_.load() <= MOST_WAITING_EVENTS / 2 && bytes_.load() <= MOST_WAITING_BYTES / 2;
    }

    const OnConnection pause_;
    const OnConnection resume_;
    const uint64_t id_;
    std::atomic<size_t> events_{0};
    std::atomic<size_t> bytes_{0};
    std::atomic<bool> paused_{false};
    std::mutex mutex_;
};

// The flows of an object's connections. They are added on the library's threads and removed on the
// JavaScript thread, which delivers a connection's `close` last.
class Flows {
public:
    Flow *add(uint64_t id, Flow::OnConnection pause, Flow::OnConnection resume) {
        const std::lock_guard<std::mutex> lock(mutex_);
        auto &flow = flows_[id];
        flow = std::make_unique<Flow>(pause, resume, id);
        return flow.get();
    }

    // Null when there is none.
    Flow *find(uint64_t id) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto found = flows_.find(id);
        return found == flows_.end() ? nullptr : found->second.get();
    }

    void remove(uint64_t id) {
        const std::lock_guard<std::mutex> lock(mutex_);
        flows_.erase(id);
    }

private:
    std::mutex mutex_;
    std::unordered_map<uint64_t, std::unique_ptr<Flow>> flows_;
};

// What waits for a JavaScript thread. A thread that must wake it does so outside the lock, which
// the woken thread wants at once.
template <class Event>
class EventQueue {
public:
    EventQueue() = default;
    EventQueue(const EventQueue &) = delete;

    // From any thread: false when the queue is closed, and the event is still the caller's. `wake`:
    // the JavaScript thread sleeps; woken() must follow.
    bool push(Event &event, bool &wake) {
        const std::lock_guard<std::mutex> lock(mutex_);
        wake = false;
        if (closed_) {
            return false;
        }
        waiting_.push_back(std::move(event));
        wake = begin_waking();
        return true;
    }

    // As push(), without an event: the JavaScript thread has something to do of its own.
    bool schedule() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return !closed_ && begin_waking();
    }

    void woken() { waking_--; }

    // On the JavaScript thread, when what it took last is done: all that waits. Whether that is
    // something.
    bool take(std::vector<Event> &batch) {
        const std::lock_guard<std::mutex> lock(mutex_);
        batch.swap(waiting_);
        return !batch.empty();
    }

    // On the JavaScript thread: whether nothing waits, and then the next event will wake it.
    bool fall_asleep() {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (waiting_.empty()) {
            awake_ = false;
        }
        return !awake_;
    }

    // On the JavaScript thread: takes what waits; nothing is taken in from now on.
    std::vector<Event> close() {
        const std::lock_guard<std::mutex> lock(mutex_);
        closed_ = true;
        return std::exchange(waiting_, {});
    }

    // Whether some thread has been told to wake the JavaScript thread and has not done so yet.
    bool is_being_woken() const { return waking_.load() > 0; }

private:
    bool begin_waking() {
        if (std::exchange(awake_, true)) {
            return false;
        }
        waking_++;
        return true;
    }

    std::mutex mutex_;
    std::vector<Event> waiting_;
    // The JavaScript thread was woken and has not yet found the queue empty.
    bool awake_ = false;
    bool closed_ = false;
    std::atomic<int> waking_{0};
};

}  // namespace nsws_rules
