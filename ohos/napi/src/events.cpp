#include "events.h"

#include <cstring>
#include <map>

#include "../../rules/close_codes.h"
#include "../../rules/text.h"
#include "environment.h"

namespace {

// Smaller messages are copied into an ArrayBuffer of the engine's own, which is cheaper than
// telling it of foreign memory.
constexpr size_t COPIED = 4u << 10;
constexpr size_t KEPT_SCRATCH = 1u << 20;

void free_bytes(napi_env, void *bytes, void *) {
    std::free(bytes);
}

}  // namespace

napi_value message_value(napi_env env, Event &event) {
    napi_value value = nullptr;
    if (event.is_text) return js::text(env, {event.data.get(), event.length});
    if (event.length >= COPIED) {
        char *bytes = event.data.get();
        if (napi_create_external_arraybuffer(env, bytes, event.length, free_bytes, nullptr,
                                             &value) == napi_ok) {
            event.data.release();
            return value;
        }
        // Some engines allow no foreign memory.
    }
    void *copy = nullptr;
    if (napi_create_arraybuffer(env, event.length, &copy, &value) != napi_ok)
        return js::undefined(env);
    if (event.length != 0) std::memcpy(copy, event.data.get(), event.length);
    return value;
}

napi_value error_value(napi_env env, const Event::Detail &detail) {
    napi_value error = js::error(env, static_cast<int32_t>(detail.number), detail.text);
    js::set(env, error, "data", js::text(env, std::to_string(detail.http_status)));
    if (detail.phase != 0)
        js::set(env, error, "phase", js::text(env, nsws_phase_name(detail.phase)));
    if (detail.detail != 0)
        js::set(env, error, "detail", js::text(env, nsws_error_name(detail.detail)));
    if (detail.os_error != 0) js::set(env, error, "osError", js::number(env, detail.os_error));
    return error;
}

napi_value headers_value(napi_env env,
                         const std::vector<std::pair<std::string, std::string>> &headers) {
    std::vector<std::string> order;
    std::map<std::string, std::vector<std::string>> by_name;
    for (const auto &[written, value] : headers) {
        std::string name = nsws_rules::lower_case(written);
        auto &values = by_name[name];
        if (values.empty()) order.push_back(name);
        values.push_back(value);
    }
    napi_value object = js::object(env);
    for (const std::string &name : order) {
        const auto &values = by_name[name];
        bool single = values.size() == 1 && name != "set-cookie";
        js::define(env, object, name, single ? js::text(env, values[0]) : js::array(env, values));
    }
    return object;
}

double close_code(const Event::Detail &detail) {
    return nsws_rules::seen(static_cast<uint16_t>(detail.number));
}

std::unique_ptr<Event::Detail> detail_of(const nsws_close_event &event) {
    auto detail = std::make_unique<Event::Detail>();
    detail->text.assign(event.reason, event.reason_length);
    detail->number = event.code;
    detail->was_clean = event.was_clean != 0;
    return detail;
}

std::unique_ptr<Event::Detail> detail_of(const nsws_error_event &event) {
    auto detail = std::make_unique<Event::Detail>();
    detail->text = event.message;
    detail->number = event.code;
    detail->detail = event.detail;
    detail->phase = event.phase;
    detail->os_error = event.os_error;
    detail->http_status = event.http_status;
    return detail;
}

std::unique_ptr<Event::Detail> error_detail(const Outcome &outcome) {
    auto detail = std::make_unique<Event::Detail>();
    detail->text = outcome.detail.empty() ? nsws_error_message(outcome.code) : outcome.detail;
    detail->number = NSWS_ERR_CONNECT_FAILED;
    if (outcome.code > 0) detail->detail = outcome.code;
    return detail;
}

Payload payload_of(Environment &environment, napi_value value) {
    napi_env env = environment.env();
    std::vector<char> &scratch = environment.scratch();
    Payload payload;
    if (js::type_of(env, value) == napi_string) {
        payload.is_text = true;
        if (scratch.size() > KEPT_SCRATCH) std::vector<char>(KEPT_SCRATCH).swap(scratch);
        if (napi_get_value_string_utf8(env, value, scratch.data(), scratch.size(),
                                       &payload.length) != napi_ok)
            return payload;
        // A character that doesn't fit is left out whole, so this much room means that nothing was.
        if (payload.length + 4 >= scratch.size()) {
            if (napi_get_value_string_utf8(env, value, nullptr, 0, &payload.length) != napi_ok)
                return payload;
            scratch.resize(payload.length + 5);
            napi_get_value_string_utf8(env, value, scratch.data(), scratch.size(), &payload.length);
        }
        payload.data = scratch.data();
        payload.is_valid = true;
    } else if (js::is_array_buffer(env, value)) {
        void *bytes = nullptr;
        payload.is_valid =
            napi_get_arraybuffer_info(env, value, &bytes, &payload.length) == napi_ok;
        payload.data = static_cast<const char *>(bytes);
        if (bytes == nullptr) payload.length = 0;
    }
    return payload;
}
