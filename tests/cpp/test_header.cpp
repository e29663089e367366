// The C API from C++17: lambdas as callbacks, a handle owned by an object, a session with every event.
#include "netstack_websocket.h"

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "check.hpp"

static_assert(std::is_trivially_copyable<nsws_client>::value, "a handle is a value");
static_assert(std::is_standard_layout<nsws_connect_options>::value, "options are a C struct");
static_assert(sizeof(nsws_client) == 8, "a handle is 64 bits");

// Owns a client. Each listener has a share of the log, and drops it in free_fn.
class Client {
public:
    explicit Client(std::shared_ptr<Events> log) : log_(std::move(log)) {
        CHECK(nsws_client_create(&handle_) == NSWS_OK);
    }
    Client(Client &&other) noexcept : log_(std::move(other.log_)), handle_(std::exchange(other.handle_, nsws_client{0})) {}
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;
    ~Client() {
        if (handle_.id != 0) CHECK(nsws_client_destroy(handle_) == NSWS_OK);
    }

    nsws_client get() const { return handle_; }

    void listen() {
        auto share = [this] { return static_cast<void *>(new std::shared_ptr<Events>(log_)); };
        nsws_free_fn unshare = [](void *user) { delete static_cast<std::shared_ptr<Events> *>(user); };
        nsws_client_on_header_receive(
            handle_,
            [](nsws_client, const nsws_header_receive_event *event, void *user) {
                std::string found = "no upgrade header";
                for (std::size_t i = 0; i < event->header_count; i++)
                    if (std::string(event->headers[i].name) == "Upgrade") found = "headers";
                log(user).add(found);
            },
            share(), unshare);
        nsws_client_on_open(
            handle_,
            [](nsws_client client, const nsws_open_event *event, void *user) {
                log(user).add("open " + std::to_string(event->status) + " " + event->message + " " + event->protocol);
                const std::string text = "hello from C++";
                CHECK(nsws_client_send_text(client, text.data(), text.size()) == NSWS_OK);
            },
            share(), unshare);
        nsws_client_on_message(
            handle_,
            [](nsws_client, const nsws_message_event *event, void *user) {
                const std::string data(reinterpret_cast<const char *>(event->data), event->length);
                log(user).add((event->is_text ? "text " : "binary ") + data);
            },
            share(), unshare);
        nsws_client_on_data_end(
            handle_, [](nsws_client, const nsws_data_end_event *, void *user) { log(user).add("data end"); }, share(),
            unshare);
        nsws_client_on_close(
            handle_,
            [](nsws_client, const nsws_close_event *event, void *user) {
                const std::string reason(event->reason, event->reason_length);
                log(user).add("close " + std::to_string(event->code) + " " + reason);
            },
            share(), unshare);
        nsws_client_on_error(
            handle_,
            [](nsws_client, const nsws_error_event *event, void *user) {
                log(user).add(std::string("error ") + nsws_phase_name(event->phase));
            },
            share(), unshare);
    }

private:
    static Events &log(void *user) { return **static_cast<std::shared_ptr<Events> *>(user); }

    std::shared_ptr<Events> log_;
    nsws_client handle_{};
};

static void a_session(const char *url, const nsws_connect_options *options, const char *protocol) {
    auto log = std::make_shared<Events>();
    {
        Client client(log);
        client.listen();
        CHECK(nsws_client_connect(client.get(), url, options) == NSWS_OK);
        CHECK(log->wait("text hello from C++"));
        const unsigned char bytes[] = {'a', 0, 'b'};
        CHECK(nsws_client_send_binary(client.get(), bytes, sizeof bytes) == NSWS_OK);
        CHECK(log->wait(std::string("binary a\0b", 10)));
        CHECK(nsws_client_close(client.get(), 1000, "done") == NSWS_OK);
        CHECK(log->wait("close 1000 done"));
        const std::string expected = std::string("headers, open 101 Switching Protocols ") + protocol +
                                     ", text hello from C++, data end, " + std::string("binary a\0b", 10) +
                                     ", data end, close 1000 done";
        SAME(log->all(), expected);
    }
    // Each free_fn has run.
    CHECK(log.use_count() == 1);
}

static void a_session_over_ws() {
    nsws_connect_options options;
    CHECK(nsws_connect_options_init(&options, sizeof options) == NSWS_OK);
    options.protocol = "chat.v1";
    a_session(setting("NSWS_ECHO_URL"), &options, "chat.v1");
    a_session(setting("NSWS_NODE_URL"), nullptr, "");
}

static void a_session_over_wss() {
    const std::string ca = std::string(setting("NSWS_CERT_DIR")) + "/ca.pem";
    nsws_connect_options options;
    CHECK(nsws_connect_options_init(&options, sizeof options) == NSWS_OK);
    options.ca_path = ca.c_str();
    a_session(setting("NSWS_ECHO_WSS_URL"), &options, "");
}

static void an_owner_may_move() {
    auto log = std::make_shared<Events>();
    {
        Client first(log);
        first.listen();
        Client second(std::move(first));
        CHECK(nsws_client_connect(second.get(), "ws://localhost.invalid/", nullptr) == NSWS_OK);
        CHECK(log->wait("error dns"));
    }
    CHECK(log.use_count() == 1);
}

static void exceptions_stay_on_the_program_s_side() {
    // What is thrown inside a callback is caught there; the library passes nothing on.
    auto log = std::make_shared<Events>();
    Client client(log);
    client.listen();
    nsws_client_on_message(
        client.get(),
        [](nsws_client, const nsws_message_event *, void *) {
            try {
                throw std::string("mine");
            } catch (const std::string &) {
            }
        },
        nullptr, nullptr);
    CHECK(nsws_client_connect(client.get(), setting("NSWS_ECHO_URL"), nullptr) == NSWS_OK);
    CHECK(log->wait("data end"));
    CHECK(nsws_client_close(client.get(), 1000, nullptr) == NSWS_OK);
    CHECK(log->wait("close 1000 "));
    SAME(log->all(), "headers, open 101 Switching Protocols , text hello from C++, data end, close 1000 ");
}

static void nothing_is_left() {
    CHECK_OK(nsws_shutdown(static_cast<uint32_t>(guard_seconds()) * 1000));
}

int main() {
    return run_tests({
        TEST(a_session_over_ws),
        TEST(a_session_over_wss),
        TEST(an_owner_may_move),
        TEST(exceptions_stay_on_the_program_s_side),
        TEST(nothing_is_left),
    });
}
