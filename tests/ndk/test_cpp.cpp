// The C client from C++17: lambdas as callbacks, enumerators with their type's name, exceptions that stay inside.
#include "net_websocket.h"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

static_assert(std::is_trivially_copyable<WebSocket>::value && std::is_standard_layout<WebSocket>::value, "a C struct");
static_assert(WebSocket_ErrCode::WEBSOCKET_CLIENT_NULL == 1001, "named as programs name it");

static int failures = 0;

static bool check(bool condition, const char *text, int line) {
    if (!condition) {
        std::fprintf(stderr, "test_cpp.cpp:%d: not so: %s\n", line, text);
        failures++;
    }
    return condition;
}
#define CHECK(condition) check((condition), #condition, __LINE__)

static std::mutex lock;
static std::condition_variable changed;
static std::vector<std::string> happened;

static void add(std::string what) {
    const std::lock_guard<std::mutex> guard(lock);
    happened.push_back(std::move(what));
    changed.notify_all();
}

static bool wait(const std::string &what) {
    const char *slow = std::getenv("NSWS_TEST_SLOW");
    std::unique_lock<std::mutex> guard(lock);
    const bool came = changed.wait_for(guard, std::chrono::seconds(20 * (slow ? std::atoi(slow) : 1)), [&] {
        for (const auto &event : happened)
            if (event == what) return true;
        return false;
    });
    if (!came)
        for (const auto &event : happened) std::fprintf(stderr, "    %s\n", event.c_str());
    return came;
}

static const char *echo_url() {
    const char *value = std::getenv("NSWS_ECHO_URL");
    if (value == nullptr) std::exit(2);
    return value;
}

static WebSocket *make(WebSocket_OnMessageCallback on_message) {
    happened.clear();
    return OH_WebSocketClient_Constructor(
        [](WebSocket *client, WebSocket_OpenResult result) {
            add("open " + std::to_string(result.code) + " " + result.reason);
            std::string hello = "hello";
            CHECK(OH_WebSocketClient_Send(client, hello.data(), hello.size()) == WebSocket_ErrCode::WEBSOCKET_OK);
        },
        on_message,
        [](WebSocket *, WebSocket_ErrorResult result) { add("error " + std::to_string(result.errorCode)); },
        [](WebSocket *, WebSocket_CloseResult result) { add("close " + std::to_string(result.code) + " " + result.reason); });
}

static void a_session() {
    WebSocket *client = make([](WebSocket *, char *data, uint32_t length) { add("message " + std::string(data, length)); });
    const WebSocket_Header header{"X-Test", "1", nullptr};
    CHECK(OH_WebSocketClient_AddHeader(client, header) == WebSocket_ErrCode::WEBSOCKET_OK);
    CHECK(OH_WebSocketClient_Connect(client, echo_url(), client->requestOptions) == WebSocket_ErrCode::WEBSOCKET_OK);
    CHECK(wait("message hello"));
    CHECK(OH_WebSocketClient_Close(client, {1000, "done"}) == WebSocket_ErrCode::WEBSOCKET_OK);
    CHECK(wait("close 1000 done"));
    CHECK(OH_WebSocketClient_Destroy(client) == WebSocket_ErrCode::WEBSOCKET_OK);
    CHECK(happened == (std::vector<std::string>{"open 101 Switching Protocols", "message hello", "close 1000 done"}));
}

static void an_exception_in_a_callback_ends_its_connection_only() {
    WebSocket *client = make([](WebSocket *, char *, uint32_t) { throw std::runtime_error("mine"); });
    CHECK(OH_WebSocketClient_Connect(client, echo_url(), client->requestOptions) == WebSocket_ErrCode::WEBSOCKET_OK);
    CHECK(wait("close 1011 "));
    CHECK(OH_WebSocketClient_Destroy(client) == WebSocket_ErrCode::WEBSOCKET_OK);
    a_session();
}

int main() {
    const std::pair<const char *, void (*)()> tests[] = {
        {"a_session", a_session},
        {"an_exception_in_a_callback_ends_its_connection_only", an_exception_in_a_callback_ends_its_connection_only},
    };
    for (const auto &[name, test] : tests) {
        const int before = failures;
        test();
        std::printf("%s %s\n", failures == before ? "ok" : "FAILED", name);
    }
    return failures != 0;
}
