// The WebSocket class.
#pragma once

#include "object.h"
#include "options.h"

class Client final : public Object {
public:
    // The class, for createWebSocket().
    static napi_value define(napi_env env);

    void deliver(Event &event) override;
    void let_go_of_handle() override;

protected:
    bool is_active() const override;

private:
    // Where the connection stands as JavaScript has been told. The library is ahead of it by what
    // waits in the queue.
    enum class State {
        idle,
        connecting,
        // Closed while connecting: only the end of the attempt is still told, as `close`.
        abandoned,
        open,
        closing,
        // `close` was told, and something of the session is still to come which is not.
        ending,
    };

    explicit Client(Environment &environment);
    bool create();

    static napi_value construct(napi_env env, napi_callback_info info);
    static napi_value connect(napi_env env, napi_callback_info info);
    static napi_value send(napi_env env, napi_callback_info info);
    static napi_value close(napi_env env, napi_callback_info info);
    static napi_value get_statistics(napi_env env, napi_callback_info info);

    Outcome connect(const std::string &url, ConnectOptions &options);
    Outcome close(const CloseOptions &options);
    void enter(State state);
    void deliver_error(const Event::Detail &detail);
    void deliver_reconnecting(const Event::Detail &detail);
    void deliver_headers(const Event::Detail &detail);
    void deliver_open(const Event::Detail &detail);
    void deliver_message(Event &event);
    void emit_close(double code, std::string_view reason, bool was_clean);

    nsws_client handle_{};
    Flow *flow_ = nullptr;
    State state_ = State::idle;
    // `error` events of calls, on their way.
    size_t own_errors_ = 0;
};
