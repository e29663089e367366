// What clients and servers of NetStack's JavaScript layer have in common with this engine: the way of an event to JavaScript.
//
// An event is posted on a thread of the library, as what to do on the JavaScript thread. All that wait are delivered in one turn,
// in order. What bounds them is the socket: a connection of which much waits is paused, and goes on when it was delivered.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <netstack_websocket.h>

#include "base_context.h"
#include "event_manager.h"
#include "libwebsockets.h"

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

    // `release` gives the library's object up; `pause` and `resume` are a connection's.
    UserData(const std::shared_ptr<EventManager> &manager, uint64_t handle, OnHandle release, OnHandle pause, OnHandle resume)
        : manager_(manager), handle_(handle), release_(release), pause_(pause), resume_(resume)
    {
    }
    ~UserData() { release_(handle_); }
    UserData(const UserData &) = delete;

    // The JavaScript object was collected.
    void SetThreadStop(bool) { release_(handle_); }

    uint64_t Handle() const { return handle_; }

    // On any thread. `connection` is paused if too much of it waits; `bytes` is what the event holds.
    void Post(Event event, uint64_t connection = 0, size_t bytes = 0);

    // What a listener's user_data is: it doesn't keep this, and this ends the library's object.
    void *UserDataOfListener() { return new std::weak_ptr<UserData>(weak_from_this()); }
    static std::shared_ptr<UserData> Of(void *userData) { return static_cast<std::weak_ptr<UserData> *>(userData)->lock(); }
    static void Free(void *userData) { delete static_cast<std::weak_ptr<UserData> *>(userData); }

private:
    static void Deliver(napi_env env, napi_status, void *data);
    std::vector<Event> TakeAll();

    const std::weak_ptr<EventManager> manager_;
    const uint64_t handle_;
    const OnHandle release_;
    const OnHandle pause_;
    const OnHandle resume_;
    std::mutex mutex_;
    std::vector<Event> waiting_;
    size_t bytes_ = 0;
    std::vector<uint64_t> paused_;
};

// Puts the library's answer into a context. Whether it is success.
bool Report(BaseContext &context, int32_t code);

// The library's events as JavaScript values and event functions.
UserData::Event ErrorEvent(int32_t code, const std::string &message, int32_t httpStatus);
napi_value MessageValue(napi_env env, const std::string &data, bool isText);
uint32_t CloseCode(uint16_t code);
} // namespace OHOS::NetStack::Websocket
