// NetStack's C++ client with servers that ask for a client certificate.
#include "check.hpp"

#include "netstack_websocket.h"
#include "websocket_client_innerapi.h"

using OHOS::NetStack::Secure::SecureChar;
using namespace OHOS::NetStack::WebSocketClient;

namespace {

Events events;

void on_message(WebSocketClient *, const std::string &data, size_t) {
    events.add("message " + data);
}
void on_error(WebSocketClient *, ErrorResult error) {
    events.add("error " + std::to_string(error.errorCode) + " " + error.errorMessage);
}

std::string file(const std::string &name) {
    return std::string(setting("NSWS_CERT_DIR")) + "/" + name;
}

std::string url(const char *server) {
    return "wss://127.0.0.1:" + std::string(setting((std::string("NSWS_IDENTITY_") + server + "_PORT").c_str())) + "/";
}

// A client that trusts the server, and whose events are recorded.
struct Visitor {
    WebSocketClient client;

    Visitor() {
        events.clear();
        client.Registcallback(nullptr, on_message, on_error, nullptr);
        client.GetClientContext()->caPath = file("ca.pem");
    }
    void carries(const std::string &cert, const std::string &key, const std::string &password) {
        ClientContext &context = *client.GetClientContext();
        context.clientCert = file(cert);
        context.clientKey = SecureChar(file(key));
        context.keyPassword = SecureChar(password);
    }
};

void a_certificate_tells_the_server_who_it_is() {
    for (const char *kind : {"rsa", "p256", "ed25519"}) {
        Visitor visitor;
        const std::string name = std::string("identity/") + kind;
        visitor.carries(name + ".pem", name + ".key", "");
        SAME(visitor.client.ConnectEx(url("DEMANDS"), {}), 0);
        events.wait(std::string("message ") + kind);
    }
    Visitor visitor;
    visitor.carries("identity/rsa.pem", "identity/rsa.key", "");
    SAME(visitor.client.Connect(url("DEMANDS_1_2"), {}), 0);
    events.wait("message rsa");
}

void an_encrypted_key_is_opened_with_its_password() {
    Visitor visitor;
    visitor.carries("identity/rsa.pem", "identity/rsa-aes-256.key", setting("NSWS_IDENTITY_PASSWORD"));
    SAME(visitor.client.ConnectEx(url("DEMANDS"), {}), 0);
    events.wait("message rsa");
    for (const std::string password : {"wrong", ""}) {
        Visitor locked;
        locked.carries("identity/rsa.pem", "identity/rsa-aes-256.key", password);
        SAME(locked.client.ConnectEx(url("DEMANDS"), {}), 0);
        events.wait("error 1003");
        CHECK(events.all().find("password") != std::string::npos);
    }
}

void without_a_certificate_the_key_is_not_looked_at() {
    Visitor visitor;
    visitor.client.GetClientContext()->clientKey = SecureChar(std::string("/nowhere/key.pem"));
    visitor.client.GetClientContext()->keyPassword = SecureChar(std::string("secret"));
    SAME(visitor.client.ConnectEx(url("ASKS"), {}), 0);
    events.wait("message nobody");
}

void a_missing_file_is_refused_at_once() {
    Visitor visitor;
    for (const auto &[cert, key] : {std::pair<const char *, const char *>{"nowhere.pem", "identity/rsa.key"},
                                    {"identity/rsa.pem", "nowhere.key"}}) {
        visitor.carries(cert, key, "");
        SAME(visitor.client.Connect(url("DEMANDS"), {}), WEBSOCKET_ERROR_FILE_NOT_EXIST);
        SAME(visitor.client.GetClientContext()->errorCode, static_cast<uint32_t>(WEBSOCKET_ERROR_FILE_NOT_EXIST));
        SAME(visitor.client.ConnectEx(url("DEMANDS"), {}), 2302002);
    }
    visitor.carries("identity/rsa.pem", "identity/rsa.key", "");
    visitor.client.GetClientContext()->clientCert += std::string("\0x", 2);
    SAME(visitor.client.ConnectEx(url("DEMANDS"), {}), 2302002);
}

void a_server_that_demands_one_refuses_nobody() {
    Visitor visitor;
    SAME(visitor.client.ConnectEx(url("DEMANDS"), {}), 0);
    events.wait("error 1003");
    Visitor mixed;
    mixed.carries("identity/rsa.pem", "identity/p256.key", "");
    SAME(mixed.client.ConnectEx(url("DEMANDS"), {}), 0);
    events.wait("error 1003");
}

void nothing_is_left() {
    CHECK(nsws_shutdown(guard_seconds() * 1000u) == NSWS_OK);
}

}  // namespace

int main() {
    return run_tests({
        TEST(a_certificate_tells_the_server_who_it_is),
        TEST(an_encrypted_key_is_opened_with_its_password),
        TEST(without_a_certificate_the_key_is_not_looked_at),
        TEST(a_missing_file_is_refused_at_once),
        TEST(a_server_that_demands_one_refuses_nobody),
        TEST(nothing_is_left),
    });
}
