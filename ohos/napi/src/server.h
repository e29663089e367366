// The WebSocketServer class.
#pragma once

#include <map>
#include <string>
#include <unordered_map>

#include "object.h"
#include "options.h"

class Server final : public Object {
public:
    // The class, for createWebSocketServer().
    static napi_value define(napi_env env);
    // Whether this device has servers. If not, createWebSocketServer() returns null.
    static bool is_supported();

    void deliver(Event &event) override;
    void let_go_of_handle() override;
    ~Server() override;

protected:
    bool is_active() const override;

private:
    // A connection that JavaScript knows of: `connect` was delivered, `close` was not.
    struct Peer {
        // The server was stopped since: it is no longer listed.
        bool is_leaving = false;
        std::string name;
        std::string address;
        uint32_t port;
        // {clientIP, clientPort}, the same object in all events.
        napi_ref value;
    };

    explicit Server(Environment &environment);
    bool create();

    static napi_value construct(napi_env env, napi_callback_info info);
    static napi_value start(napi_env env, napi_callback_info info);
    static napi_value send(napi_env env, napi_callback_info info);
    static napi_value close(napi_env env, napi_callback_info info);
    static napi_value list_all_connections(napi_env env, napi_callback_info info);
    static napi_value stop(napi_env env, napi_callback_info info);

    // The connection that {clientIP, clientPort} names.
    Outcome find(napi_value value, nsws_connection &connection);
    // A start that has failed is an `error` event as well.
    void tell_failed_start(const Outcome &outcome);
    // Ends a call.
    napi_value settle(Outcome outcome);
    // 201 if the library would say so, else `outcome`: permission is asked for before the state.
    Outcome after_permission(Outcome outcome) const;
    napi_value value_of(uint64_t connection);
    void deliver_connect(Event &event);
    void deliver_message(Event &event);
    void deliver_close(Event &event);
    void deliver_error(Event &event);

    nsws_server handle_{};
    bool is_listening_ = false;
    // `error` events of calls, on their way.
    size_t own_errors_ = 0;
    std::unordered_map<uint64_t, Peer> peers_;
    std::unordered_map<std::string, uint64_t> names_;
};
