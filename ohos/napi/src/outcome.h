// How a call ended, in the codes that JavaScript sees.
#pragma once

#include <netstack_websocket.h>

#include <string>

#include "js.h"

// No connection to send on, or no room to send now.
inline constexpr int32_t CONNECT_FAILED = -1;

struct Outcome {
    int32_t code = NSWS_OK;
    // A sentence for people, "" when the code says it all.
    std::string detail;
    // The message of 2302999.
    const char *unknown = "Internal error.";

    bool is_ok() const { return code == NSWS_OK; }
};

inline Outcome outcome(int32_t code, std::string detail) {
    Outcome outcome;
    outcome.code = code;
    outcome.detail = std::move(detail);
    return outcome;
}

inline Outcome wrong_parameter(const char *detail) {
    return outcome(NSWS_ERR_PARAMETER, detail);
}

// The library's answer. `state` is what JavaScript sees when the connection isn't in the right
// state for the call.
inline Outcome outcome_of(int32_t code, int32_t state = NSWS_ERR_INTERNAL) {
    switch (code) {
    case NSWS_OK:
        return {};
    case NSWS_ERR_NOT_CONNECTED:
        return outcome(state, nsws_last_error());
    case NSWS_ERR_QUEUE_FULL:
        return outcome(CONNECT_FAILED, nsws_last_error());
    case NSWS_ERR_PERMISSION_DENIED:
    case NSWS_ERR_PARAMETER:
    case NSWS_ERR_URL:
    case NSWS_ERR_CERT_FILE:
    case NSWS_ERR_ALREADY_CONNECTED:
    case NSWS_ERR_LISTEN_ADDRESS:
    case NSWS_ERR_LISTEN_PORT:
    case NSWS_ERR_NO_CONNECTION:
    case NSWS_ERR_PORT_IN_USE:
    case NSWS_ERR_DOMAIN_NOT_ALLOWED:
        return outcome(code, nsws_last_error());
    default:
        return outcome(NSWS_ERR_INTERNAL, nsws_last_error());
    }
}

inline napi_value error_of(napi_env env, const Outcome &outcome) {
    const char *message = outcome.code == CONNECT_FAILED      ? "Websocket connect failed"
                          : outcome.code == NSWS_ERR_INTERNAL ? outcome.unknown
                                                              : nsws_error_message(outcome.code);
    napi_value error = js::error(env, outcome.code, message);
    if (!outcome.detail.empty()) js::set(env, error, "data", js::text(env, outcome.detail));
    return error;
}
