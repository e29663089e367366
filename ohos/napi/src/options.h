// The options of calls: objects as the reference describes them, in the form that the library
// takes.
#pragma once

#include <netstack_websocket.h>

#include <deque>
#include <string>
#include <vector>

#include "../../rules/server.h"
#include "js.h"
#include "outcome.h"

// Overwrites what may be a password.
void wipe(std::string &text);

// Wipes a string at its end.
class Wiped {
public:
    explicit Wiped(std::string &text) : text_(text) {}
    Wiped(const Wiped &) = delete;
    ~Wiped() { wipe(text_); }

private:
    std::string &text_;
};

// Strings that live as long as this, for the library, and are wiped: some are passwords.
class Texts {
public:
    Texts() = default;
    Texts(const Texts &) = delete;
    ~Texts();

    const char *keep(std::string text) { return texts_.emplace_back(std::move(text)).c_str(); }

private:
    std::deque<std::string> texts_;
};

// The options of connect(). Ill-typed members count as absent, but for `protocol` and `proxy`.
class ConnectOptions {
public:
    ConnectOptions();
    // `value` is an object.
    Outcome read(napi_env env, napi_value value);
    const nsws_connect_options *get();
    // Whether a call was refused because this build has no compression; then it is no longer asked
    // for.
    bool leave_out_compression(int32_t code);
    // Whether a path is one that no file can have; the library is given another that none has.
    bool has_wrong_path() const { return has_wrong_path_; }

private:
    Outcome read_headers(napi_env env, napi_value value);
    Outcome read_heartbeat(napi_env env, napi_value value);
    Outcome read_files(napi_env env, napi_value value);
    Outcome read_proxy(napi_env env, napi_value value);
    void read_reconnect(napi_env env, napi_value value);

    nsws_connect_options options_{};
    std::vector<nsws_header> headers_;
    bool has_wrong_path_ = false;
    Texts texts_;
};

// The arguments of close(): 1000 and "", but for what may be sent.
struct CloseOptions {
    uint16_t code = 1000;
    std::string reason;

    Outcome read(napi_env env, napi_value value);
};

// The options of start().
class ServerOptions {
public:
    ServerOptions();
    // `value` is an object.
    Outcome read(napi_env env, napi_value value);
    Outcome start(nsws_server server);

private:
    Outcome read_origins(napi_env env, napi_value value);

    nsws_server_options options_{};
    nsws_rules::WrongConfig wrong_;
    Texts texts_;
};
