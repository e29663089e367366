// NetStack's C++ client, function by function: results, callbacks, what goes over the wire.
#include "check.hpp"

#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <unordered_map>

#include "netstack_websocket.h"
#include "websocket_client_innerapi.h"

using OHOS::NetStack::Secure::SecureChar;
using namespace OHOS::NetStack::WebSocketClient;

namespace {

constexpr std::size_t MAX_SEND = 4u << 20;

// The callbacks are plain functions: the client's address finds what belongs to it.
struct App {
    Events events;
    std::atomic<int> running{0};
    std::atomic<int> overlaps{0};
    // Called in each callback, with the event.
    std::function<void(WebSocketClient *, const std::string &)> hook;
};

std::mutex apps_lock;
std::unordered_map<WebSocketClient *, std::shared_ptr<App>> apps;

std::shared_ptr<App> app_of(WebSocketClient *client) {
    const std::lock_guard<std::mutex> guarded(apps_lock);
    return apps.at(client);
}

void happened(WebSocketClient *client, const std::string &event) {
    const std::shared_ptr<App> app = app_of(client);
    if (++app->running != 1) app->overlaps++;
    app->events.add(event);
    if (app->hook) app->hook(client, event);
    app->running--;
}

void on_open(WebSocketClient *client, OpenResult result) {
    happened(client, "open " + std::to_string(result.status) + " " + result.message);
}
void on_message(WebSocketClient *client, const std::string &data, size_t length) {
    CHECK(data.size() == length);
    happened(client, "message " + (length > 100 ? std::to_string(length) : data));
}
void on_error(WebSocketClient *client, ErrorResult error) {
    happened(client, "error " + std::to_string(error.errorCode) + " " + error.errorMessage);
}
void on_close(WebSocketClient *client, CloseResult result) {
    happened(client, "close " + std::to_string(result.code) + " " + result.reason);
}
void on_headers(WebSocketClient *client, const std::map<std::string, std::string> &headers) {
    std::string text = "headers";
    for (const auto &[name, value] : headers) text += "|" + name + ": " + value;
    happened(client, text);
}
void on_data_end(WebSocketClient *client) {
    happened(client, "end");
}

// A client with its callbacks, and their events.
struct Fixture {
    std::shared_ptr<App> app = std::make_shared<App>();
    std::unique_ptr<WebSocketClient> client = std::make_unique<WebSocketClient>();
    RawPeer peer;

    Fixture() {
        const std::lock_guard<std::mutex> guarded(apps_lock);
        apps[client.get()] = app;
        SAME(client->Registcallback(on_open, on_message, on_error, on_close), WEBSOCKET_NONE_ERR);
    }
    ~Fixture() {
        client.reset();
        SAME(app->overlaps, 0);
    }

    Events &events() { return app->events; }
    int connect(const std::string &path) { return client->Connect(peer.url(path), {}); }
    int connect_ex(const std::string &path) { return client->ConnectEx(peer.url(path), {}); }
    bool opens(const std::string &path) {
        const std::size_t before = events().count("open");
        return SAME(connect_ex(path), 0) && events().wait("open", before + 1);
    }
    int send(const std::string &text) { return client->Send(text.data(), text.size()); }
};

std::string certificate(const std::string &name) {
    return std::string(setting("NSWS_CERT_DIR")) + "/" + name;
}

// Sessions.

void a_session_goes_headers_open_message_end_close() {
    Fixture f;
    f.client->onHeaderReceiveCallback_ = on_headers;
    f.client->onDataEndCallback_ = on_data_end;
    SAME(f.client->Connect(setting("NSWS_ECHO_URL"), {}), WEBSOCKET_NONE_ERR);
    if (!f.events().wait("open")) return;
    SAME(f.client->GetClientContext()->openStatus, 101u);
    SAME(f.client->GetClientContext()->openMessage, "Switching Protocols");
    SAME(f.send("hello"), WEBSOCKET_NONE_ERR);
    f.events().wait("end");
    SAME(f.client->Close({1000, "done"}), WEBSOCKET_NONE_ERR);
    f.events().wait("close");
    SAME(f.client->GetClientContext()->closeStatus, LWS_CLOSE_STATUS_NORMAL);
    SAME(f.client->GetClientContext()->closeReason, "done");
    SAME(f.client->GetClientContext()->openStatus, 0u);
    // A program that says itself that it is open has closed nothing without an error, once.
    f.client->GetClientContext()->openStatus = 101;
    SAME(f.client->Close({1000, ""}), WEBSOCKET_NONE_ERR);
    SAME(f.client->Close({1000, ""}), WEBSOCKET_ERROR_HAVE_NO_CONNECT);
    const std::string all = f.events().all();
    SAME(all.substr(all.find(", open")), ", open 101 Switching Protocols, message hello, end, close 1000 done");
    // Names in lower case, the values of a repeated one together.
    CHECK(all.find("|set-cookie: first=1, second=2") != std::string::npos);
    CHECK(all.find("|upgrade: websocket") != std::string::npos);
}

void the_ex_functions_do_the_same() {
    Fixture f;
    SAME(f.client->ConnectEx(setting("NSWS_ECHO_URL"), {}), 0);
    if (!f.events().wait("open")) return;
    SAME(f.client->SendEx("hello", 5), 0);
    f.events().wait("message hello");
    SAME(f.client->CloseEx({4000, "done"}), 0);
    f.events().wait("close 4000 done");
    SAME(f.client->CloseEx({1000, ""}), -1);
    SAME(f.client->SendEx("x", 1), -1);
}

void callbacks_may_be_null_and_change() {
    Fixture f;
    SAME(f.client->Registcallback(nullptr, nullptr, nullptr, nullptr), WEBSOCKET_NONE_ERR);
    SAME(f.connect("/echo"), 0);
    SAME(f.send("unheard"), 0);
    f.peer.wait("messages", 1);
    f.client->onMessageCallback_ = on_message;
    SAME(f.send("heard"), 0);
    f.events().wait("message heard");
    f.client->onCloseCallback_ = on_close;
    SAME(f.client->Close({1000, ""}), 0);
    f.events().wait("close 1000");
}

void clients_have_numbers() {
    WebSocketClient one, other;
    CHECK(one.GetClientContext()->GetClientId() > 0);
    CHECK(other.GetClientContext()->GetClientId() > one.GetClientContext()->GetClientId());
}

// Connect.

void invalid_urls_are_refused_at_once() {
    Fixture f;
    const std::string too_long = "ws://127.0.0.1/" + std::string(8196, 'a');
    for (const std::string &url : {std::string("http://127.0.0.1/"), std::string("ws://"), std::string("ws://127.0.0.1/#x"), too_long,
                                   std::string("ws://127.0.0.1/\0hidden", 22)}) {
        SAME(f.client->Connect(url, {}), WEBSOCKET_CONNECTION_PARSEURL_ERROR);
        SAME(f.client->ConnectEx(url, {}), 2302001);
    }
    for (const std::string url : {"www.example.com", "", "hello"}) {
        SAME(f.client->Connect(url, {}), WEBSOCKET_CONNECTION_TO_SERVER_FAIL);
        SAME(f.client->ConnectEx(url, {}), 2302001);
    }
    SAME(f.client->Destroy(), WEBSOCKET_ERROR_HAVE_NO_CONNECT_CONTEXT);
    SAME(f.events().all(), "");
}

void a_second_connect_is_refused_and_the_first_unharmed() {
    Fixture f;
    SAME(f.connect("/hold"), 0);
    f.peer.wait("connections", 1);
    SAME(f.connect("/hold"), WEBSOCKET_CONNECTION_ERROR);
    SAME(f.connect_ex("/hold"), 2302003);
    // The parameters are checked first.
    SAME(f.client->ConnectEx("http://127.0.0.1/", {}), 2302001);
    f.peer.release();
    if (!f.events().wait("open")) return;
    SAME(f.connect("/hold"), WEBSOCKET_CONNECTION_ERROR);
    SAME(f.connect_ex("/hold"), 2302003);
    SAME(f.send("still there"), 0);
    f.events().wait("message still there");
}

void a_failed_attempt_is_one_error_1003() {
    Fixture f;
    SAME(f.connect("/status/404"), 0);
    f.events().wait("error 1003");
    CHECK(f.events().all().find("404") != std::string::npos);
    // And another Connect may follow.
    CHECK(f.opens("/echo"));
    SAME(f.events().count("error"), 1u);
}

void headers_of_options_and_context_reach_the_server() {
    Fixture f;
    f.client->GetClientContext()->header["X-Context"] = "1";
    OpenOptions options;
    options.headers["X-Options"] = "2";
    SAME(f.client->Connect(f.peer.url("/echo"), options), 0);
    if (!f.events().wait("open")) return;
    const std::string head = f.peer.get("head");
    CHECK(head.find("X-Context: 1\r\n") != std::string::npos);
    CHECK(head.find("X-Options: 2\r\n") != std::string::npos);
    SAME(f.client->GetClientContext()->header["X-Options"], "2");
}

void the_origin_s_port_is_an_option() {
    Fixture f;
    OpenOptions options;
    SAME(f.client->ConnectEx(f.peer.url("/echo"), options), 0);
    if (!f.events().wait("open")) return;
    CHECK(f.peer.get("head").find("Origin: http://127.0.0.1\r\n") != std::string::npos);
    SAME(f.client->CloseEx({1000, ""}), 0);
    f.events().wait("close");
    options.supportOriginPort = true;
    SAME(f.client->ConnectEx(f.peer.url("/echo"), options), 0);
    if (!f.events().wait("open", 2)) return;
    CHECK(f.peer.get("head").find("Origin: http://127.0.0.1:" + std::string(setting("NSWS_RAW_PORT")) + "\r\n") != std::string::npos);
    CHECK(f.client->GetClientContext()->supportOriginPort);
}

void headers_that_can_not_be_sent_are_refused() {
    Fixture f;
    OpenOptions options;
    options.headers["X-Test"] = "1\r\nX-More: 2";
    SAME(f.client->Connect(f.peer.url("/echo"), options), WEBSOCKET_CONNECTION_PARSEURL_ERROR);
    SAME(f.client->ConnectEx(f.peer.url("/echo"), options), 401);
    f.client->GetClientContext()->header.clear();
    options.headers = {{"X-Test", std::string("1\0", 2)}};
    SAME(f.client->ConnectEx(f.peer.url("/echo"), options), 401);
    f.client->GetClientContext()->header.clear();
    OpenOptions many;
    for (int i = 0; i <= 8192; i++) many.headers["X-" + std::to_string(i)] = "";
    SAME(f.client->Connect(f.peer.url("/echo"), many), WEBSOCKET_ERROR_NO_HEADR_EXCEEDS);
    SAME(f.client->ConnectEx(f.peer.url("/echo"), many), WEBSOCKET_ERROR_NO_HEADR_EXCEEDS);
    many.headers.erase("X-8192");
    SAME(f.client->Connect(f.peer.url("/echo"), many), 0);
    f.events().wait("open");
}

// Proxies. The raw peer is not one: it refuses CONNECT.

void the_context_says_which_proxy() {
    Fixture f;
    ClientContext &context = *f.client->GetClientContext();
    context.usingWebsocketProxyType = WebsocketProxyType::USE_SPECIFIED;
    context.websocketProxyHost = "127.0.0.1";
    context.websocketProxyPort = std::stoi(setting("NSWS_RAW_PORT"));
    SAME(f.connect("/echo"), 0);
    f.events().wait("error 1003");
    CHECK(f.events().all().find("proxy") != std::string::npos);
    // A host that is excluded is reached without it.
    context.websocketProxyExclusions = "localhost,127.0.0.1";
    CHECK(f.opens("/echo"));
    SAME(f.client->Destroy(), 0);
    context.websocketProxyExclusions.clear();
    context.websocketProxyPort = -1;
    SAME(f.connect("/echo"), WEBSOCKET_CONNECTION_PARSEURL_ERROR);
    SAME(f.connect_ex("/echo"), 401);
    // Without a host there is no proxy.
    context.websocketProxyHost.clear();
    CHECK(f.opens("/echo"));
    SAME(f.client->Destroy(), 0);

    setenv("ws_proxy", ("http://127.0.0.1:" + std::string(setting("NSWS_RAW_PORT"))).c_str(), 1);
    context.usingWebsocketProxyType = WebsocketProxyType::USE_SYSTEM;
    SAME(f.connect("/echo"), 0);
    f.events().wait("error 1003", 2);
    context.usingWebsocketProxyType = WebsocketProxyType::NOT_USE;
    CHECK(f.opens("/echo"));
    unsetenv("ws_proxy");
}

// TLS.

void a_server_is_verified_with_the_ca_path_over_tls() {
    Fixture f;
    f.client->GetClientContext()->caPath = certificate("ca.pem");
    SAME(f.client->Connect(setting("NSWS_ECHO_WSS_URL"), {}), 0);
    if (!f.events().wait("open")) return;
    SAME(f.send("hello"), 0);
    f.events().wait("message hello");
}

void the_user_s_ca_path_is_the_ex_functions_over_tls() {
    Fixture f;
    f.client->GetClientContext()->SetUserCertPath(certificate("ca.pem"));
    SAME(f.client->ConnectEx(setting("NSWS_ECHO_WSS_URL"), {}), 0);
    SAME(f.client->GetClientContext()->caPath, certificate("ca.pem"));
    f.events().wait("open");
}

void what_is_not_trusted_is_refused_over_tls() {
    for (const char *port : {"NSWS_WSS_UNKNOWN_CA_PORT", "NSWS_WSS_WRONG_NAME_PORT", "NSWS_WSS_EXPIRED_PORT"}) {
        Fixture f;
        f.client->GetClientContext()->caPath = certificate("ca.pem");
        SAME(f.client->ConnectEx("wss://127.0.0.1:" + std::string(setting(port)) + "/", {}), 0);
        f.events().wait("error 1003");
        SAME(f.events().count("open"), 0u);
    }
}

void a_missing_file_is_refused_at_once() {
    Fixture f;
    f.client->GetClientContext()->caPath = "/nowhere/ca.pem";
    SAME(f.client->Connect("wss://127.0.0.1/", {}), WEBSOCKET_ERROR_FILE_NOT_EXIST);
    SAME(f.client->GetClientContext()->errorCode, static_cast<uint32_t>(WEBSOCKET_ERROR_FILE_NOT_EXIST));
    SAME(f.client->ConnectEx("wss://127.0.0.1/", {}), 2302002);
    f.client->GetClientContext()->caPath = std::string("/dev/null\0/ca", 13);
    SAME(f.client->ConnectEx("wss://127.0.0.1/", {}), 2302002);
    // The URL comes first.
    SAME(f.client->ConnectEx("hello", {}), 2302001);
}

// Send.

void the_parameters_of_send_are_checked_in_any_state() {
    Fixture f;
    const std::string large(MAX_SEND + 1, 'a');
    for (int state = 0; state < 2; state++) {
        if (state == 1 && !f.opens("/sink")) return;
        SAME(f.client->Send(nullptr, 0), WEBSOCKET_SEND_DATA_NULL);
        SAME(f.client->SendEx(nullptr, 5), WEBSOCKET_SEND_DATA_NULL);
        SAME(f.client->Send("x", 0), 0);
        SAME(f.client->SendEx("x", 0), 0);
        SAME(f.client->Send(large.data(), large.size()), WEBSOCKET_DATA_LENGTH_EXCEEDS);
        SAME(f.client->SendEx(large.data(), SIZE_MAX), WEBSOCKET_DATA_LENGTH_EXCEEDS);
    }
    SAME(f.send("only this"), 0);
    f.peer.wait("messages", 1);
    SAME(f.peer.get("last"), "only this");
}

void without_a_connection_send_drops_and_send_ex_says_so() {
    Fixture f;
    SAME(f.send("x"), 0);
    SAME(f.client->SendEx("x", 1), -1);
    SAME(f.connect("/status/500"), 0);
    f.events().wait("error");
    SAME(f.send("x"), 0);
    SAME(f.client->SendEx("x", 1), -1);
}

void the_bytes_decide_between_text_and_binary() {
    Fixture f;
    if (!f.opens("/sink")) return;
    long texts = 0, binaries = 0;
    for (const std::string &text : {std::string("text"), std::string("gr\xc3\xbc\xc3\x9f")}) {
        SAME(f.send(text), 0);
        f.peer.wait("text", ++texts);
    }
    for (const std::string &bytes : {std::string("a\0b", 3), std::string("\xff"), std::string("\xed\xa0\x80"), std::string("x\0", 2)}) {
        SAME(f.send(bytes), 0);
        f.peer.wait("binary", ++binaries);
    }
    SAME(f.peer.number("messages"), texts + binaries);
}

void send_never_reads_past_the_length() {
    Fixture f;
    const GuardedPage page;
    std::memset(page.end() - 256, 'a', 256);
    if (!f.opens("/sink")) return;
    for (std::size_t length = 1; length <= 128; length++) SAME(f.client->Send(page.end() - length, length), 0);
    for (std::size_t length = 1; length <= 128; length++) SAME(f.client->SendEx(page.end() - length, length), 0);
    f.peer.wait("text", 256);
}

void what_is_sent_before_open_is_sent_after_it_in_order() {
    Fixture f;
    f.app->hook = [](WebSocketClient *client, const std::string &event) {
        if (event.compare(0, 4, "open") == 0) SAME(client->SendEx("2:in open", 9), 0);
    };
    SAME(f.connect_ex("/hold"), 0);
    SAME(f.send("0:first"), 0);
    f.peer.wait("connections", 1);
    SAME(f.client->SendEx("1:second", 8), 0);
    f.peer.release();
    f.peer.wait("messages", 3);
    SAME(f.send("3:after"), 0);
    f.peer.wait("messages", 4);
    SAME(f.peer.number("ordered"), 4);
}

void a_full_queue_is_1013() {
    Fixture f;
    const std::string large(MAX_SEND, 'a');
    SAME(f.connect("/hold"), 0);
    for (int i = 0; i < 4; i++) SAME(f.send(large), 0);
    SAME(f.send("x"), WEBSOCKET_QUEUE_LENGTH_EXCEEDS);
    SAME(f.client->SendEx("x", 1), WEBSOCKET_QUEUE_LENGTH_EXCEEDS);
    f.peer.wait("connections", 1);
    f.peer.release();
    f.peer.wait("messages", 4);
}

// Close.

void close_before_open_is_1017_and_no_callback_tells() {
    Fixture f;
    CloseOption never_set;
    __asm__("" : "=m"(never_set));
    SAME(f.client->Close(never_set), WEBSOCKET_ERROR_HAVE_NO_CONNECT);
    SAME(f.client->CloseEx(never_set), -1);
    SAME(f.connect("/hold"), 0);
    f.peer.wait("connections", 1);
    SAME(f.client->Close({1000, ""}), WEBSOCKET_ERROR_HAVE_NO_CONNECT);
    f.peer.wait("ended", 1);
    CHECK(f.opens("/echo"));
    SAME(f.events().all(), "open 101 Switching Protocols");
}

void close_ex_before_open_is_an_abandoned_attempt() {
    Fixture f;
    SAME(f.connect_ex("/hold"), 0);
    f.peer.wait("connections", 1);
    SAME(f.client->CloseEx({1000, "no more"}), 0);
    f.events().wait("close 1006");
    f.peer.wait("ended", 1);
    CHECK(f.opens("/echo"));
    SAME(f.events().all(), "close 1006 , open 101 Switching Protocols");
}

void the_peer_sees_code_and_reason() {
    struct {
        unsigned int code;
        const char *reason;
        long seen_code;
        const char *seen_reason;
    } closes[] = {
        {1000, "done", 1000, "done"}, {3000, "mine", 3000, "mine"}, {0, "not read", 1000, ""}, {4000, nullptr, 1000, ""},
        {1005, "x", 1000, "x"},       {70000, "x", 1000, "x"},      {0, nullptr, 1000, ""},
    };
    for (const auto &close : closes) {
        for (const bool ex : {false, true}) {
            Fixture f;
            if (!f.opens("/sink")) return;
            SAME(ex ? f.client->CloseEx({close.code, close.reason}) : f.client->Close({close.code, close.reason}), 0);
            f.events().wait("close " + std::to_string(close.seen_code) + " " + close.seen_reason);
            SAME(f.peer.number("close_code"), close.seen_code);
            SAME(f.peer.get("close_reason"), close.seen_reason);
        }
    }
}

void a_reason_that_points_nowhere_is_empty() {
    // As an empty Rust string does, which ArkTS's layer passes on.
    for (const unsigned int code : {0u, 1000u}) {
        Fixture f;
        if (!f.opens("/sink")) return;
        SAME(f.client->CloseEx({code, reinterpret_cast<const char *>(1)}), 0);
        f.events().wait("close 1000 ");
    }
}

void a_reason_that_can_not_be_sent_is_refused() {
    Fixture f;
    if (!f.opens("/sink")) return;
    const std::string reason(124, 'a');
    SAME(f.client->Close({1000, reason.c_str()}), WEBSOCKET_DATA_LENGTH_EXCEEDS);
    SAME(f.client->CloseEx({1000, "\xff"}), WEBSOCKET_PROTOCOL_ERROR);
    SAME(f.client->Close({1000, reason.c_str() + 1}), 0);
    f.events().wait("close 1000 aaa");
}

void close_twice_is_1017() {
    Fixture f;
    if (!f.opens("/close-late")) return;
    SAME(f.client->Close({1000, "first"}), 0);
    SAME(f.client->Close({1000, "second"}), WEBSOCKET_ERROR_HAVE_NO_CONNECT);
    SAME(f.client->CloseEx({1000, "third"}), -1);
    SAME(f.client->SendEx("x", 1), -1);
    f.peer.release();
    f.events().wait("close 1000 first");
}

void a_lost_link_is_an_error_and_close_1001() {
    Fixture f;
    if (!f.opens("/rst-after-open")) return;
    SAME(f.send("x"), 0);
    f.events().wait("close 1001 websocket close from server");
    SAME(f.events().count("error 1003"), 1u);
}

void a_close_by_the_peer_arrives_with_code_and_reason() {
    Fixture with_reason, without_code;
    SAME(with_reason.connect("/close-code/4001/enough"), 0);
    with_reason.events().wait("close 4001 enough");
    SAME(without_code.connect("/close-frame-hex"), 0);
    without_code.events().wait("close 1000 ");
    SAME(without_code.events().all(), "open 101 Switching Protocols, close 1000 ");
}

void a_message_above_1_gib_is_error_1012() {
    Fixture f;
    SAME(f.connect("/announce/1073741825"), 0);
    f.events().wait("close 1009");
    SAME(f.events().count("error 1012"), 1u);
}

void a_message_of_20_mib_is_received() {
    Fixture f;
    SAME(f.connect("/big/20971520"), 0);
    f.events().wait("message 20971520");
}

// Destroy and deletion.

void destroy_is_1018_without_an_attempt() {
    Fixture f;
    SAME(f.client->Destroy(), WEBSOCKET_ERROR_HAVE_NO_CONNECT_CONTEXT);
    SAME(f.send("x"), 0);
    SAME(f.client->Destroy(), WEBSOCKET_ERROR_HAVE_NO_CONNECT_CONTEXT);
    if (!f.opens("/sink")) return;
    SAME(f.client->Destroy(), 0);
    SAME(f.client->Destroy(), WEBSOCKET_ERROR_HAVE_NO_CONNECT_CONTEXT);
    f.peer.wait("close_frames", 1);
    SAME(f.peer.number("close_code"), 1001);
    // It can be used like a new one.
    SAME(f.client->SendEx("x", 1), -1);
    CHECK(f.opens("/echo"));
    SAME(f.events().all(), "open 101 Switching Protocols, open 101 Switching Protocols");
}

void close_and_destroy_at_once_still_sends_the_close_frame() {
    for (int i = 0; i < 10; i++) {
        Fixture f;
        if (!f.opens("/sink")) return;
        SAME(f.send("last words"), 0);
        SAME(f.client->Close({3333, "bye"}), 0);
        if (i % 2 == 0) {
            SAME(f.client->Destroy(), 0);
        } else {
            f.client.reset();
        }
        if (!f.peer.wait("close_frames", 1)) return;
        SAME(f.peer.number("close_code"), 3333);
        SAME(f.peer.get("last"), "last words");
    }
}

void no_callback_comes_after_destroy() {
    for (int i = 0; i < 20; i++) {
        Fixture f;
        SAME(f.connect("/flow"), 0);
        if (!f.events().wait("message", static_cast<std::size_t>(i) + 1)) return;
        SAME(f.client->Destroy(), 0);
        const std::size_t before = f.events().count("");
        f.app->hook = [](WebSocketClient *, const std::string &) { CHECK(!"a callback after Destroy"); };
        f.peer.wait("ended", 1);
        SAME(f.events().count(""), before);
    }
}

void the_destructor_waits_for_the_callback_that_runs() {
    Fixture f;
    Gate gate;
    std::atomic<bool> ended{false}, started{false};
    f.app->hook = [&](WebSocketClient *, const std::string &) {
        gate.pass();
        ended = true;
    };
    SAME(f.connect("/sink"), 0);
    if (!gate.wait()) return;
    std::thread deleting([&] {
        started = true;
        f.client.reset();
        CHECK(ended);
    });
    while (!started) std::this_thread::yield();
    gate.open();
    deleting.join();
}

// In which callback, and how to get there.
const std::pair<const char *, const char *> PLACES[] = {
    {"headers", "/echo"},
    {"open", "/echo"},
    {"message", "/echo"},
    {"end", "/echo"},
    {"close", "/close-after-message/1000"},
    {"error", "/status/404"},
    {"error", "/rst-after-open"},
    {"close", "/rst-after-open"},
};

void in_each_callback(const std::function<void(Fixture &)> &act) {
    for (const auto &[place, path] : PLACES) {
        Fixture f;
        f.client->onHeaderReceiveCallback_ = on_headers;
        f.client->onDataEndCallback_ = on_data_end;
        const std::string event = place;
        Events acted;
        f.app->hook = [&, event](WebSocketClient *, const std::string &happened) {
            if (happened.compare(0, event.size(), event) != 0) return;
            act(f);
            acted.add("acted");
        };
        SAME(f.connect(path), 0);
        if (f.client) f.client->Send("x", 1);
        if (!acted.wait("acted")) return;
    }
}

void destroy_is_safe_inside_each_callback() {
    in_each_callback([](Fixture &f) {
        SAME(f.client->Destroy(), 0);
        SAME(f.client->SendEx("x", 1), -1);
    });
}

void a_client_may_be_deleted_inside_each_callback() {
    for (const auto &[place, path] : PLACES) {
        auto app = std::make_shared<App>();
        auto *client = new WebSocketClient;
        RawPeer peer;
        {
            const std::lock_guard<std::mutex> guarded(apps_lock);
            apps[client] = app;
        }
        client->Registcallback(on_open, on_message, on_error, on_close);
        client->onHeaderReceiveCallback_ = on_headers;
        client->onDataEndCallback_ = on_data_end;
        const std::string event = place;
        Events deleted;
        Gate sent;
        app->hook = [&, event](WebSocketClient *self, const std::string &happened) {
            if (happened.compare(0, event.size(), event) != 0) return;
            sent.pass();
            delete self;
            deleted.add("deleted");
        };
        SAME(client->Connect(peer.url(path), {}), 0);
        client->Send("x", 1);
        sent.open();
        if (!deleted.wait("deleted")) return;
    }
}

void a_client_may_be_deleted_in_every_state() {
    { WebSocketClient never_connected; }
    {
        Fixture connecting;
        SAME(connecting.connect("/hold"), 0);
    }
    {
        Fixture held;
        SAME(held.connect("/hold"), 0);
        held.peer.wait("connections", 1);
        held.send("x");
        held.client.reset();
        held.peer.wait("ended", 1);
    }
    {
        Fixture abandoned;
        SAME(abandoned.connect("/hold"), 0);
        abandoned.client->Close({1000, ""});
    }
    {
        Fixture open;
        open.opens("/sink");
        open.client.reset();
        open.peer.wait("close_frames", 1);
        SAME(open.peer.number("close_code"), 1001);
    }
    {
        Fixture closing;
        if (closing.opens("/close-late")) SAME(closing.client->Close({1000, ""}), 0);
        closing.client.reset();
        closing.peer.release();
        closing.peer.wait("ended", 1);
    }
    {
        Fixture failed;
        SAME(failed.connect("/status/500"), 0);
        failed.events().wait("error");
    }
    {
        Fixture destroyed;
        destroyed.opens("/sink");
        SAME(destroyed.client->Destroy(), 0);
    }
}

void an_exception_in_a_callback_ends_its_connection_only() {
    Fixture f, other;
    f.app->hook = [&](WebSocketClient *, const std::string &event) {
        if (event == "message mine") {
            f.app->running--;
            throw std::string("mine");
        }
    };
    if (!f.opens("/echo") || !other.opens("/echo")) return;
    SAME(f.send("mine"), 0);
    f.events().wait("close 1011");
    SAME(other.send("hello"), 0);
    other.events().wait("message hello");
}

// Connect, Close, Send and the context's fields, from several threads at once: for the sanitizers.
void every_function_may_be_called_from_any_thread() {
    Fixture f;
    std::atomic<int> opens{0};
    const std::string url = f.peer.url("/echo");
    f.app->hook = [&](WebSocketClient *client, const std::string &event) {
        if (event.rfind("open", 0) == 0) {
            opens++;
            client->Close({1000, ""});
        }
    };
    const auto connect = [&](int thread) {
        for (int i = 0; i < 2000 && opens < 50; i++) {
            OpenOptions options;
            for (int k = 0; k < 20; k++) options.headers["X-Name-" + std::to_string(k)] = std::string(30 + (i * 37 + thread) % 400, 'v');
            if (i % 2 == 0) f.client->Connect(url, options);
            else f.client->ConnectEx(url, options);
            f.client->SendEx("x", 1);
            f.client->AppendData(&i, sizeof i);
            if (i % 10 == 0) f.client->ClearData();
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++) threads.emplace_back(connect, i);
    for (std::thread &thread : threads) thread.join();
    SAME(f.client->Destroy(), WEBSOCKET_NONE_ERR);
}

// The platform.

std::atomic<int> permission{1}, host{1};

void without_permission_or_host_nothing_goes() {
    nsws_platform platform;
    nsws_platform_init(&platform, sizeof platform);
    platform.has_internet_permission = [](void *) { return static_cast<uint8_t>(permission.load()); };
    platform.is_host_allowed = [](const char *, const char *, void *) { return static_cast<uint8_t>(host.load()); };
    CHECK(nsws_set_platform(&platform) == NSWS_OK);
    {
        Fixture f;
        CHECK(f.opens("/sink"));
        permission = 0;
        SAME(f.connect("/sink"), WEBSOCKET_ERROR_PERMISSION_DENIED);
        // Whatever the URL is.
        for (const char *url : {"ws://", "", "hello"}) {
            SAME(f.client->Connect(url, {}), WEBSOCKET_ERROR_PERMISSION_DENIED);
            SAME(f.client->ConnectEx(url, {}), WEBSOCKET_ERROR_PERMISSION_DENIED);
        }
        SAME(f.client->Close({1000, ""}), WEBSOCKET_ERROR_PERMISSION_DENIED);
        SAME(f.client->SendEx("x", 1), WEBSOCKET_ERROR_PERMISSION_DENIED);
        SAME(f.send("x"), WEBSOCKET_ERROR_PERMISSION_DENIED);
        SAME(f.client->CloseEx({1000, ""}), WEBSOCKET_ERROR_PERMISSION_DENIED);
        CHECK(f.client->GetClientContext()->permissionDenied);
        Fixture idle;
        SAME(idle.connect_ex("/sink"), WEBSOCKET_ERROR_PERMISSION_DENIED);
        // Whatever the files are.
        Fixture nul;
        nul.client->GetClientContext()->caPath = std::string("/dev/null\0/ca", 13);
        SAME(nul.connect_ex("/sink"), WEBSOCKET_ERROR_PERMISSION_DENIED);
        // Whatever the state.
        SAME(idle.client->SendEx("x", 1), WEBSOCKET_ERROR_PERMISSION_DENIED);
        SAME(idle.client->CloseEx({1000, ""}), WEBSOCKET_ERROR_PERMISSION_DENIED);
        permission = 1;
        host = 0;
        SAME(idle.connect("/sink"), WEBSOCKET_ERROR_DISALLOW_HOST);
        SAME(idle.connect_ex("/sink"), WEBSOCKET_ERROR_DISALLOW_HOST);
        CHECK(idle.client->GetClientContext()->noAllowedHost);
        SAME(nul.connect_ex("/sink"), WEBSOCKET_ERROR_DISALLOW_HOST);
        host = 1;
    }
    CHECK(nsws_set_platform(nullptr) == NSWS_OK);
}

// The rest.

void the_buffer_is_the_program_s() {
    WebSocketClient client;
    std::string abc = "abc";
    SAME(client.AppendData(abc.data(), 3), WEBSOCKET_NONE_ERR);
    SAME(client.AppendData(abc.data(), 2), WEBSOCKET_NONE_ERR);
    SAME(client.GetData(), "abcab");
    SAME(client.AppendData(abc.data(), 1u << 30), WEBSOCKET_DATA_LENGTH_EXCEEDS);
    client.ClearData();
    CHECK(client.GetData().empty());
}

void a_secure_char_holds_a_string() {
    const SecureChar empty, text(std::string("secret"));
    SecureChar copy(text), assigned;
    assigned = text;
    const auto &itself = copy;
    copy = itself;
    SAME(empty.Length(), 0u);
    SAME(std::string(empty.Data()), "");
    SAME(text.Length(), 6u);
    SAME(std::string(copy.Data()), "secret");
    SAME(std::string(assigned.Data()), "secret");
    const uint8_t bytes[] = {'a', 0, 'b'};
    SAME(SecureChar(bytes, 3).Length(), 3u);
}

void nothing_is_left() {
    CHECK(nsws_shutdown(guard_seconds() * 1000u) == NSWS_OK);
}

}  // namespace

int main() {
    return run_tests({
        TEST(a_session_goes_headers_open_message_end_close),
        TEST(the_ex_functions_do_the_same),
        TEST(callbacks_may_be_null_and_change),
        TEST(clients_have_numbers),
        TEST(invalid_urls_are_refused_at_once),
        TEST(a_second_connect_is_refused_and_the_first_unharmed),
        TEST(a_failed_attempt_is_one_error_1003),
        TEST(headers_of_options_and_context_reach_the_server),
        TEST(the_origin_s_port_is_an_option),
        TEST(headers_that_can_not_be_sent_are_refused),
        TEST(the_context_says_which_proxy),
        TEST(a_server_is_verified_with_the_ca_path_over_tls),
        TEST(the_user_s_ca_path_is_the_ex_functions_over_tls),
        TEST(what_is_not_trusted_is_refused_over_tls),
        TEST(a_missing_file_is_refused_at_once),
        TEST(the_parameters_of_send_are_checked_in_any_state),
        TEST(without_a_connection_send_drops_and_send_ex_says_so),
        TEST(the_bytes_decide_between_text_and_binary),
        TEST(send_never_reads_past_the_length),
        TEST(what_is_sent_before_open_is_sent_after_it_in_order),
        TEST(a_full_queue_is_1013),
        TEST(close_before_open_is_1017_and_no_callback_tells),
        TEST(close_ex_before_open_is_an_abandoned_attempt),
        TEST(the_peer_sees_code_and_reason),
        TEST(a_reason_that_points_nowhere_is_empty),
        TEST(a_reason_that_can_not_be_sent_is_refused),
        TEST(close_twice_is_1017),
        TEST(a_lost_link_is_an_error_and_close_1001),
        TEST(a_close_by_the_peer_arrives_with_code_and_reason),
        TEST(a_message_above_1_gib_is_error_1012),
        TEST(a_message_of_20_mib_is_received),
        TEST(destroy_is_1018_without_an_attempt),
        TEST(close_and_destroy_at_once_still_sends_the_close_frame),
        TEST(no_callback_comes_after_destroy),
        TEST(the_destructor_waits_for_the_callback_that_runs),
        TEST(destroy_is_safe_inside_each_callback),
        TEST(a_client_may_be_deleted_inside_each_callback),
        TEST(a_client_may_be_deleted_in_every_state),
        TEST(an_exception_in_a_callback_ends_its_connection_only),
        TEST(every_function_may_be_called_from_any_thread),
        TEST(without_permission_or_host_nothing_goes),
        TEST(the_buffer_is_the_program_s),
        TEST(a_secure_char_holds_a_string),
        TEST(nothing_is_left),
    });
}
