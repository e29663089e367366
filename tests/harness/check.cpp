#include "check.hpp"

#include <utility>

#include "raw_peer.h"

std::chrono::seconds guard() {
    return std::chrono::seconds(guard_seconds());
}

void Events::add(std::string what) {
    const std::lock_guard<std::mutex> guarded(lock_);
    events_.push_back(std::move(what));
    changed_.notify_all();
}

bool Events::wait(const std::string &what, std::size_t times) {
    std::unique_lock<std::mutex> guarded(lock_);
    if (changed_.wait_for(guarded, guard(), [&] { return count_locked(what) >= times; })) return true;
    guarded.unlock();
    return harness_fail("events", 0, "\"%s\" did not come; there were: %s", what.c_str(), all().c_str());
}

std::size_t Events::count(const std::string &what) {
    const std::lock_guard<std::mutex> guarded(lock_);
    return count_locked(what);
}

std::string Events::all() {
    const std::lock_guard<std::mutex> guarded(lock_);
    std::string text;
    for (const std::string &event : events_) text += (text.empty() ? "" : ", ") + event;
    return text;
}

void Events::clear() {
    const std::lock_guard<std::mutex> guarded(lock_);
    events_.clear();
}

std::size_t Events::count_locked(const std::string &what) const {
    std::size_t count = 0;
    for (const std::string &event : events_) count += event.compare(0, what.size(), what) == 0;
    return count;
}

void Gate::pass() {
    std::unique_lock<std::mutex> guarded(lock_);
    waiting_++;
    changed_.notify_all();
    changed_.wait(guarded, [&] { return open_; });
}

bool Gate::wait() {
    std::unique_lock<std::mutex> guarded(lock_);
    return changed_.wait_for(guarded, guard(), [&] { return waiting_ > 0; }) ||
           harness_fail("gate", 0, "no callback came to the gate");
}

void Gate::open() {
    const std::lock_guard<std::mutex> guarded(lock_);
    open_ = true;
    changed_.notify_all();
}

RawPeer::RawPeer() {
    static std::atomic<int> last{0};
    token_ = "cpp-" + std::to_string(getpid()) + "-" + std::to_string(++last);
}

std::string RawPeer::url(const std::string &path) const {
    return "ws://127.0.0.1:" + std::string(setting("NSWS_RAW_PORT")) + path + "?t=" + token_;
}

std::string RawPeer::get(const std::string &key) const {
    char *answer = ask_peer("get %s %s", token_.c_str(), key.c_str());
    const std::string value = answer != nullptr ? answer : "";
    free(answer);
    return value;
}

long RawPeer::number(const std::string &key) const {
    return std::atol(get(key).c_str());
}

bool RawPeer::wait(const std::string &key, long least) const {
    return wait_peer("peer", 0, token_.c_str(), key.c_str(), least);
}

void RawPeer::release() const {
    release_peer(token_.c_str());
}

int own_port() {
    int fd; // stays open
    return refused_port(&fd);
}

int run_tests(const std::vector<Test> &tests) {
    for (const Test &test : tests) run_test(test.name, test.run);
    return report_tests();
}
