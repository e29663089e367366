// What clients and servers of NetStack's JavaScript layer have in common with this engine: the way
// of an event to JavaScript.
//
// An event is posted on a thread of the library, as what to do on the JavaScript thread. All that
// wait are delivered in one turn, in order. rules/event_queue.h says how they are bounded.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <netstack_websocket.h>

#include "base_context.h"
#include "event_manager.h"
#include "libwebsockets.h"
#include "rules/close_codes.h"
#include "rules/contain.h"
#include "rules/event_queue.h"

namespace OHOS::NetStack::Websocket {
struct WebSocketConnection {
    std::string clientIP;
    uint32_t clientPort;
};

// The engine's part of a JavaScript object. EventManager owns it; the name is EventManager's.
class UserData final : public std::enable_shared_from_this<UserData> {
public:
    using Event = std::function<void(napi_env, EventManager &)>;
    using OnHandle = int32_t (*)(uint64_t);

    // `release` gives the library's object up.
    UserData(const std::shared_ptr<EventManager> &manager, uint64_t handle, OnHandle release)
        : manager_(manager), handle_(handle), release_(release) {}
    ~UserData() { release_(handle_); }
    UserData(const UserData &) = delete;

    // The JavaScript object was collected.
    void SetThreadStop(bool) { release_(handle_); }

    uint64_t Handle() const { return handle_; }

    // On any thread. A message holds `bytes` and counts for its connection.
    void Post(Event event);
    void PostMessage(Event event, uint64_t connection, size_t bytes);
    // The last event of a connection.
    void PostLast(Event event, uint64_t connection);

    // Of the client, or of a server's connections.
    nsws_rules::Flows flows;

    // What a listener's user_data is: it doesn't keep this, and this ends the library's object.
    void *UserDataOfListener() { return new std::weak_ptr<UserData>(weak_from_this()); }
    static std::shared_ptr<UserData> Of(void *userData) {
        return static_cast<std::weak_ptr<UserData> *>(userData)->lock();
    }
    static void Free(void *userData) { delete static_cast<std::weak_ptr<UserData> *>(userData); }

private:
    struct Waiting {
        Event deliver;
        nsws_rules::Flow *flow = nullptr;
        size_t bytes = 0;
        // The connection that it ends, or 0.
        uint64_t ends = 0;
    };

    static void Deliver(napi_env env, napi_status, void *data);
    void Put(Waiting waiting);
    void Wake(EventManager &manager);

    const std::weak_ptr<EventManager> manager_;
    const uint64_t handle_;
    const OnHandle release_;
    nsws_rules::EventQueue<Waiting> events_;
};

// A listener that no exception leaves: without the memory for an event, the connection ends.
template <auto listener, class Event>
void ClientListener(nsws_client client, const Event *event, void *userData) {
    nsws_rules::contain(
        [=] { listener(client, event, userData); },
        [=] { nsws_client_close(client, nsws_rules::CALLBACK_FAILED, "out of memory"); });
}

template <auto listener, class Event>
void ServerListener(nsws_server server, nsws_connection connection, const Event *event,
                    void *userData) {
    nsws_rules::contain(
        [=] { listener(server, connection, event, userData); },
        [=] { nsws_connection_close(connection, nsws_rules::CALLBACK_FAILED, "out of memory"); });
}

// Whether the program may use the network; if not, the context says so.
bool HasPermission(BaseContext &context);

// The client or server that a call is about, if there is one and the program may use it.
std::shared_ptr<UserData> Known(BaseContext &context);

// The same without asking for the permission; made where there is none yet.
std::shared_ptr<UserData>
KnownOrMade(BaseContext &context,
            std::shared_ptr<UserData> (*make)(const std::shared_ptr<EventManager> &));

// What a context has allocated for a message. The context doesn't free it; this does.
class Payload {
public:
    explicit Payload(void *&data) : allocated_(std::exchange(data, nullptr), std::free) {}

    // NULL when there is nothing.
    const char *Data() const {
        return allocated_ == nullptr
                   ? nullptr
                   : static_cast<const char *>(allocated_.get()) + LWS_SEND_BUFFER_PRE_PADDING;
    }

private:
    std::unique_ptr<void, void (*)(void *)> allocated_;
};

// What JavaScript gets for a call that succeeded, and for the last call of an object.
napi_value Succeeded(BaseContext *context);
napi_value SucceededLast(BaseContext *context);

// Puts the library's answer into a context. Whether it is success.
bool Report(BaseContext &context, int32_t code);

// The library's events as JavaScript values and event functions.
UserData::Event ErrorEvent(int32_t code, const std::string &message, int32_t httpStatus);
// All of a text; the layer's own function ends it at a NUL.
napi_value TextValue(napi_env env, const std::string &text);
napi_value MessageValue(napi_env env, const std::string &data, bool isText);
uint32_t CloseCode(uint16_t code);
}  // namespace OHOS::NetStack::Websocket
