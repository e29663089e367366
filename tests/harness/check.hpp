// What the tests in C++ are made of, over check.h: checks of values, events that can be waited for, the raw peer. Programs that
// include this run under tests/interop/run.py.
#ifndef HARNESS_CHECK_HPP
#define HARNESS_CHECK_HPP

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "check.h"
#include "process.h"

template <class Value>
std::string shown(const Value &value) {
    std::ostringstream text;
    text << value;
    return text.str();
}

template <class One, class Other>
bool check_same(const char *file, int line, const char *what, const One &one, const Other &other) {
    return one == other || harness_fail(file, line, "%s is %s, not %s", what, shown(one).c_str(), shown(other).c_str());
}

#define SAME(actual, expected) check_same(__FILE__, __LINE__, #actual, actual, expected)

std::chrono::seconds guard();

// What happened, in order, as text; and a wait for it.
class Events {
public:
    void add(std::string what);
    // Waits until so many of the events begin with this.
    bool wait(const std::string &what, std::size_t times = 1);
    std::size_t count(const std::string &what);
    std::string all();
    void clear();

private:
    std::size_t count_locked(const std::string &what) const;

    std::mutex lock_;
    std::condition_variable changed_;
    std::vector<std::string> events_;
};

// Something that a callback waits for.
class Gate {
public:
    void pass();
    // Waits until a callback waits at the gate.
    bool wait();
    void open();

private:
    std::mutex lock_;
    std::condition_variable changed_;
    int waiting_ = 0;
    bool open_ = false;
};

// The raw peer (tests/interop/raw_peer.py): its behaviours as URLs, and what it saw under a token of its own.
class RawPeer {
public:
    RawPeer();

    std::string url(const std::string &path) const;
    std::string get(const std::string &key) const;
    long number(const std::string &key) const;
    bool wait(const std::string &key, long least) const;
    void release() const;

private:
    std::string token_;
};

// A port of loopback that nobody else is given until the program ends.
int own_port();

// Readable memory that ends where a page begins that can't be touched.
class GuardedPage {
public:
    GuardedPage() : page_(guarded_page()) {}
    ~GuardedPage() { free_guarded(page_); }
    GuardedPage(const GuardedPage &) = delete;
    GuardedPage &operator=(const GuardedPage &) = delete;

    char *end() const { return page_.end; }

private:
    guarded page_;
};

struct Test {
    const char *name;
    void (*run)();
};

// Runs the tests; returns what main returns.
int run_tests(const std::vector<Test> &tests);

#define TEST(function) Test{#function, function}

#endif
