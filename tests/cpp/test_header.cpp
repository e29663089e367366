// The same header from C++17: lambdas as callbacks, handles as values, a session against the echo server.
#include <netstack_websocket.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

static_assert(std::is_trivially_copyable_v<nsws_client> && sizeof(nsws_client) == 8);

static int failed;

static void check(bool ok, const char *what) {
    if (ok) return;
    failed++;
    std::fprintf(stderr, "not so: %s; %s\n", what, nsws_last_error());
}
#define CHECK(condition) check((condition), #condition)

struct Session {
    std::mutex lock;
    std::condition_variable changed;
    std::vector<std::string> events;
    bool over = false;
    int freed = 0;

    void add(std::string event) {
        std::lock_guard guard(lock);
        over = over || event.rfind("close", 0) == 0 || event.rfind("error", 0) == 0;
        events.push_back(std::move(event));
        changed.notify_all();
    }

    bool wait() {
        const char *slow = std::getenv("NSWS_TEST_SLOW");
        std::unique_lock guard(lock);
        return changed.wait_for(guard, std::chrono::seconds(20 * (slow ? std::atoi(slow) : 1)), [this] { return over; });
    }
};

struct Destroy {
    using pointer = nsws_client *;
    void operator()(nsws_client *client) const { CHECK(nsws_client_destroy(*client) == NSWS_OK); }
};

int main() {
    const char *url = std::getenv("NSWS_ECHO_URL");
    if (url == nullptr) return 2;
    Session session;
    const nsws_free_fn freed = [](void *data) { static_cast<Session *>(data)->freed++; };
    {
        nsws_client client{};
        CHECK(nsws_client_create(&client) == NSWS_OK);
        const std::unique_ptr<nsws_client, Destroy> owner(&client);
        CHECK(nsws_client_on_open(
                  client,
                  [](nsws_client c, const nsws_open_event *event, void *data) {
                      static_cast<Session *>(data)->add("open " + std::to_string(event->status));
                      const std::string text = "from C++";
                      CHECK(nsws_client_send_text(c, text.data(), text.size()) == NSWS_OK);
                  },
                  &session, freed) == NSWS_OK);
        CHECK(nsws_client_on_message(
                  client,
                  [](nsws_client c, const nsws_message_event *event, void *data) {
                      const std::string text(reinterpret_cast<const char *>(event->data), event->length);
                      static_cast<Session *>(data)->add("message " + text);
                      CHECK(nsws_client_close(c, 1000, "bye") == NSWS_OK);
                  },
                  &session, freed) == NSWS_OK);
        CHECK(nsws_client_on_close(
                  client,
                  [](nsws_client, const nsws_close_event *event, void *data) {
                      static_cast<Session *>(data)->add("close " + std::to_string(event->code) + " " + event->reason);
                  },
                  &session, freed) == NSWS_OK);
        CHECK(nsws_client_on_error(
                  client,
                  [](nsws_client, const nsws_error_event *event, void *data) {
                      static_cast<Session *>(data)->add(std::string("error ") + event->message);
                  },
                  &session, freed) == NSWS_OK);
        nsws_connect_options options;
        CHECK(nsws_connect_options_init(&options, sizeof options) == NSWS_OK);
        options.ping_interval_ms = 0;
        CHECK(nsws_client_connect(client, url, &options) == NSWS_OK);
        CHECK(session.wait());
    }
    CHECK(session.freed == 4);
    CHECK((session.events == std::vector<std::string>{"open 101", "message from C++", "close 1000 bye"}));
    CHECK(nsws_shutdown(60000) == NSWS_OK);
    std::printf("%d passed, %d failed\n", failed == 0, failed != 0);
    return failed != 0;
}
