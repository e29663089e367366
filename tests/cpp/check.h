// What the tests in C++ are made of: checks that print what they saw, events that can be waited for, the raw peer's
// control port. Programs that include this run under tests/interop/run.py.
#ifndef CHECK_H
#define CHECK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

inline std::atomic<int> failed_checks{0};

template <class Value>
std::string shown(const Value &value) {
    std::ostringstream text;
    text << value;
    return text.str();
}

inline bool check(const char *file, int line, bool condition, const std::string &text) {
    if (!condition) {
        failed_checks++;
        std::fprintf(stderr, "%s:%d: %s\n", file, line, text.c_str());
    }
    return condition;
}

template <class One, class Other>
bool check_same(const char *file, int line, const char *what, const One &one, const Other &other) {
    const bool same = one == other;
    return check(file, line, same, same ? "" : std::string(what) + " is " + shown(one) + ", not " + shown(other));
}

#define CHECK(condition) check(__FILE__, __LINE__, static_cast<bool>(condition), "not so: " #condition)
#define SAME(actual, expected) check_same(__FILE__, __LINE__, #actual, actual, expected)

// How many times slower than usual things are, under valgrind.
inline std::chrono::seconds guard() {
    const char *slow = std::getenv("NSWS_TEST_SLOW");
    return std::chrono::seconds(20 * (slow != nullptr ? std::max(1, std::atoi(slow)) : 1));
}

inline std::string setting(const char *name) {
    const char *value = std::getenv(name);
    if (value == nullptr) {
        std::fprintf(stderr, "%s is not set: run this program under tests/interop/run.py\n", name);
        std::exit(2);
    }
    return value;
}

// What happened, in order, as text; and a wait for it.
class Events {
public:
    void add(std::string what) {
        const std::lock_guard<std::mutex> guarded(lock_);
        events_.push_back(std::move(what));
        changed_.notify_all();
    }

    // Until so many of the events begin with this.
    bool wait(const std::string &what, std::size_t times = 1) {
        std::unique_lock<std::mutex> guarded(lock_);
        const bool came = changed_.wait_for(guarded, guard(), [&] { return count_locked(what) >= times; });
        return came || check("events", 0, false, "\"" + what + "\" did not come; there were: " + all_locked());
    }

    std::size_t count(const std::string &what) {
        const std::lock_guard<std::mutex> guarded(lock_);
        return count_locked(what);
    }

    std::string all() {
        const std::lock_guard<std::mutex> guarded(lock_);
        return all_locked();
    }

    void clear() {
        const std::lock_guard<std::mutex> guarded(lock_);
        events_.clear();
    }

private:
    std::size_t count_locked(const std::string &what) const {
        std::size_t count = 0;
        for (const std::string &event : events_) count += event.compare(0, what.size(), what) == 0;
        return count;
    }

    std::string all_locked() const {
        std::string text;
        for (const std::string &event : events_) text += (text.empty() ? "" : ", ") + event;
        return text;
    }

    std::mutex lock_;
    std::condition_variable changed_;
    std::vector<std::string> events_;
};

// Something that a callback waits for.
class Gate {
public:
    void pass() {
        std::unique_lock<std::mutex> guarded(lock_);
        waiting_++;
        changed_.notify_all();
        changed_.wait(guarded, [&] { return open_; });
    }
    bool wait() {
        std::unique_lock<std::mutex> guarded(lock_);
        return check("gate", 0, changed_.wait_for(guarded, guard(), [&] { return waiting_ > 0; }), "nobody came to the gate");
    }
    void open() {
        const std::lock_guard<std::mutex> guarded(lock_);
        open_ = true;
        changed_.notify_all();
    }

private:
    std::mutex lock_;
    std::condition_variable changed_;
    int waiting_ = 0;
    bool open_ = false;
};

// The raw peer (tests/interop/raw_peer.py): its behaviours as URLs, and what it saw under a token of one's own.
class RawPeer {
public:
    RawPeer() : token_("cpp-" + std::to_string(getpid()) + "-" + std::to_string(++last())) {}

    std::string url(const std::string &path) const {
        return "ws://127.0.0.1:" + setting("NSWS_RAW_PORT") + path + "?t=" + token_;
    }
    std::string get(const std::string &key) const { return ask("get " + token_ + " " + key); }
    long number(const std::string &key) const { return std::atol(get(key).c_str()); }
    bool wait(const std::string &key, long least) const {
        const bool came = !ask("wait " + token_ + " " + key + " " + std::to_string(least)).empty();
        return check("peer", 0, came, "the peer counts " + get(key) + " " + key);
    }
    void release() const { ask("release " + token_); }

private:
    static int &last() {
        static int number = 0;
        return number;
    }

    static std::string ask(const std::string &line) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(static_cast<uint16_t>(std::stoi(setting("NSWS_CONTROL_PORT"))));
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const timeval limit{static_cast<time_t>(guard().count()), 0};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        const std::string text = line + "\n";
        std::string answer;
        if (connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0 &&
            write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
            char part[65536];
            for (ssize_t count; (count = read(fd, part, sizeof part)) > 0;) answer.append(part, static_cast<std::size_t>(count));
        }
        close(fd);
        return answer;
    }

    std::string token_;
};

// A port of loopback that was free a moment ago.
inline int free_port() {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0) std::abort();
    getsockname(fd, reinterpret_cast<sockaddr *>(&address), &size);
    close(fd);
    return ntohs(address.sin_port);
}

// Readable memory that ends where a page begins that nobody may touch.
class GuardedPage {
public:
    GuardedPage() : size_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
        void *pages = mmap(nullptr, 2 * size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED || mprotect(static_cast<char *>(pages) + size_, size_, PROT_NONE) != 0) std::abort();
        page_ = static_cast<char *>(pages);
    }
    ~GuardedPage() { munmap(page_, 2 * size_); }
    GuardedPage(const GuardedPage &) = delete;
    GuardedPage &operator=(const GuardedPage &) = delete;

    char *end() const { return page_ + size_; }

private:
    std::size_t size_;
    char *page_;
};

inline bool is_listed(const char *variable, const std::string &name) {
    const char *value = std::getenv(variable);
    std::istringstream words(value != nullptr ? value : "");
    for (std::string word; std::getline(words, word, ',');)
        if (!word.empty() && name.find(word) != std::string::npos) return true;
    return false;
}

struct Test {
    const char *name;
    void (*run)();
};

// Runs the tests; what main returns. NSWS_TEST_ONLY and NSWS_TEST_SKIP choose by parts of their names.
inline int run_tests(const std::vector<Test> &tests) {
    int passed = 0, failed = 0;
    for (const Test &test : tests) {
        if (std::getenv("NSWS_TEST_ONLY") != nullptr && !is_listed("NSWS_TEST_ONLY", test.name)) continue;
        if (is_listed("NSWS_TEST_SKIP", test.name)) continue;
        const int before = failed_checks;
        test.run();
        const bool ok = failed_checks == before;
        std::printf("%s %s\n", ok ? "ok" : "FAILED", test.name);
        std::fflush(stdout);
        (ok ? passed : failed)++;
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed != 0 || passed == 0;
}

#define TEST(function) Test{#function, function}

#endif
