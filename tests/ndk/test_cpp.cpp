// The C client from C++17: lambdas as callbacks, enumerators with their type's name, exceptions that stay inside.
#include "net_websocket.h"

#include <stdexcept>
#include <string>
#include <type_traits>

#include "check.hpp"

static_assert(std::is_trivially_copyable<WebSocket>::value && std::is_standard_layout<WebSocket>::value, "a C struct");
static_assert(WebSocket_ErrCode::WEBSOCKET_CLIENT_NULL == 1001, "named as programs name it");

static Events happened;

static WebSocket *make(WebSocket_OnMessageCallback on_message) {
    happened.clear();
    return OH_WebSocketClient_Constructor(
        [](WebSocket *client, WebSocket_OpenResult result) {
            happened.add("open " + std::to_string(result.code) + " " + result.reason);
            std::string hello = "hello";
            CHECK(OH_WebSocketClient_Send(client, hello.data(), hello.size()) == WebSocket_ErrCode::WEBSOCKET_OK);
        },
        on_message,
        [](WebSocket *, WebSocket_ErrorResult result) { happened.add("error " + std::to_string(result.errorCode)); },
        [](WebSocket *, WebSocket_CloseResult result) { happened.add("close " + std::to_string(result.code) + " " + result.reason); });
}

static void a_session() {
    WebSocket *client = make([](WebSocket *, char *data, uint32_t length) { happened.add("message " + std::string(data, length)); });
    const WebSocket_Header header{"X-Test", "1", nullptr};
    CHECK(OH_WebSocketClient_AddHeader(client, header) == WebSocket_ErrCode::WEBSOCKET_OK);
    CHECK(OH_WebSocketClient_Connect(client, setting("NSWS_ECHO_URL"), client->requestOptions) == WebSocket_ErrCode::WEBSOCKET_OK);
    CHECK(happened.wait("message hello"));
    CHECK(OH_WebSocketClient_Close(client, {1000, "done"}) == WebSocket_ErrCode::WEBSOCKET_OK);
    CHECK(happened.wait("close 1000 done"));
    CHECK(OH_WebSocketClient_Destroy(client) == WebSocket_ErrCode::WEBSOCKET_OK);
    SAME(happened.all(), "open 101 Switching Protocols, message hello, close 1000 done");
}

static void an_exception_in_a_callback_ends_its_connection_only() {
    WebSocket *client = make([](WebSocket *, char *, uint32_t) { throw std::runtime_error("mine"); });
    CHECK(OH_WebSocketClient_Connect(client, setting("NSWS_ECHO_URL"), client->requestOptions) == WebSocket_ErrCode::WEBSOCKET_OK);
    CHECK(happened.wait("close 1011 "));
    CHECK(happened.count("close") == 1);
    CHECK(OH_WebSocketClient_Destroy(client) == WebSocket_ErrCode::WEBSOCKET_OK);
    a_session();
}

int main() {
    return run_tests({TEST(a_session), TEST(an_exception_in_a_callback_ends_its_connection_only)});
}
