// Events as JavaScript values, the same for clients and servers.
#pragma once

#include "js.h"
#include "outcome.h"
#include "queue.h"

// A message: a string, or an ArrayBuffer that takes the event's bytes over.
napi_value message_value(napi_env env, Event &event);
// An `error` event: Error-like, {code, message, data}, and what else is known.
napi_value error_value(napi_env env, const Event::Detail &detail);
// Response headers: names in lower case; a name that is repeated, and set-cookie always, has an
// array.
napi_value headers_value(napi_env env,
                         const std::vector<std::pair<std::string, std::string>> &headers);
// A close code as JavaScript sees it.
double close_code(const Event::Detail &detail);

// What the library's events hold, copied.
std::unique_ptr<Event::Detail> detail_of(const nsws_close_event &event);
std::unique_ptr<Event::Detail> detail_of(const nsws_error_event &event);

// An `error` event that a call leads to.
std::unique_ptr<Event::Detail> error_detail(const Outcome &outcome);

// A string or an ArrayBuffer that JavaScript gives to be sent; points into the value or the
// environment's scratch, so it is to be used at once.
struct Payload {
    const char *data = nullptr;
    size_t length = 0;
    bool is_text = false;
    bool is_valid = false;
};
Payload payload_of(class Environment &environment, napi_value value);
