// JavaScript values: what this module needs of Node-API, in a form that is short to use.
//
// A function here that fails (a getter throws, the environment ends) answers as if the value were
// undefined, and leaves the exception pending: a reader of arguments calls take_exception() once,
// at the end.
#pragma once

#if defined(__OHOS__)
#include <napi/native_api.h>
#else
#include <node_api.h>
#endif

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace js {

inline napi_value undefined(napi_env env) {
    napi_value value = nullptr;
    napi_get_undefined(env, &value);
    return value;
}

inline napi_value boolean(napi_env env, bool wanted) {
    napi_value value = nullptr;
    napi_get_boolean(env, wanted, &value);
    return value;
}

inline napi_value number(napi_env env, double wanted) {
    napi_value value = nullptr;
    napi_create_double(env, wanted, &value);
    return value;
}

inline napi_value text(napi_env env, std::string_view wanted) {
    napi_value value = nullptr;
    napi_create_string_utf8(env, wanted.data(), wanted.size(), &value);
    return value;
}

inline napi_value object(napi_env env) {
    napi_value value = nullptr;
    napi_create_object(env, &value);
    return value;
}

inline napi_valuetype type_of(napi_env env, napi_value value) {
    napi_valuetype type = napi_undefined;
    if (value != nullptr) napi_typeof(env, value, &type);
    return type;
}

inline bool is_function(napi_env env, napi_value value) {
    return type_of(env, value) == napi_function;
}

inline bool is_absent(napi_env env, napi_value value) {
    napi_valuetype type = type_of(env, value);
    return type == napi_undefined || type == napi_null;
}

inline bool is_array_buffer(napi_env env, napi_value value) {
    bool result = false;
    napi_is_arraybuffer(env, value, &result);
    return result;
}

inline bool has(napi_env env, napi_value object, const char *name) {
    bool result = false;
    napi_has_named_property(env, object, name, &result);
    return result;
}

inline napi_value get(napi_env env, napi_value object, const char *name) {
    napi_value value = nullptr;
    return napi_get_named_property(env, object, name, &value) == napi_ok ? value : undefined(env);
}

inline void set(napi_env env, napi_value object, const char *name, napi_value value) {
    napi_set_named_property(env, object, name, value);
}

// A property of the object's own, whatever its name: setting `__proto__` would do something else.
inline void define(napi_env env, napi_value object, std::string_view name, napi_value value) {
    const auto ordinary =
        static_cast<napi_property_attributes>(napi_writable | napi_enumerable | napi_configurable);
    const napi_property_descriptor property = {nullptr, text(env, name), nullptr,  nullptr,
                                               nullptr, value,           ordinary, nullptr};
    napi_define_properties(env, object, 1, &property);
}

// A string's UTF-8 (lone surrogates become U+FFFD), or nothing for any other value.
inline std::optional<std::string> as_string(napi_env env, napi_value value) {
    size_t length = 0;
    if (type_of(env, value) != napi_string) return std::nullopt;
    if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return std::nullopt;
    std::string result;
    // On the heap: moving a short string leaves a copy behind, and some are passwords.
    result.reserve(2 * sizeof result);
    result.resize(length + 1);
    napi_get_value_string_utf8(env, value, result.data(), result.size(), &length);
    result.resize(length);
    return result;
}

inline std::optional<double> as_number(napi_env env, napi_value value) {
    double result = 0;
    if (type_of(env, value) != napi_number || napi_get_value_double(env, value, &result) != napi_ok)
        return std::nullopt;
    return result;
}

inline std::optional<bool> as_boolean(napi_env env, napi_value value) {
    bool result = false;
    if (type_of(env, value) != napi_boolean || napi_get_value_bool(env, value, &result) != napi_ok)
        return std::nullopt;
    return result;
}

// The elements of an array that are strings; none for any other value.
inline std::vector<std::string> as_strings(napi_env env, napi_value value) {
    std::vector<std::string> result;
    bool is_array = false;
    uint32_t length = 0;
    napi_is_array(env, value, &is_array);
    if (!is_array || napi_get_array_length(env, value, &length) != napi_ok) return result;
    for (uint32_t i = 0; i < length; i++) {
        napi_value element = nullptr;
        if (napi_get_element(env, value, i, &element) != napi_ok) break;
        if (auto string = as_string(env, element)) result.push_back(std::move(*string));
    }
    return result;
}

inline napi_value array(napi_env env, const std::vector<std::string> &elements) {
    napi_value result = nullptr;
    napi_create_array_with_length(env, elements.size(), &result);
    for (size_t i = 0; i < elements.size(); i++)
        napi_set_element(env, result, static_cast<uint32_t>(i), text(env, elements[i]));
    return result;
}

// What a call threw, if it did; it is no longer pending then.
inline napi_value take_exception(napi_env env) {
    bool pending = false;
    napi_value exception = nullptr;
    if (napi_is_exception_pending(env, &pending) != napi_ok || !pending) return nullptr;
    return napi_get_and_clear_last_exception(env, &exception) == napi_ok ? exception : nullptr;
}

// An Error whose `code` is a number and whose message is seen by JSON.stringify() as well.
inline napi_value error(napi_env env, int32_t code, std::string_view message) {
    napi_value result = nullptr, sentence = text(env, message);
    if (napi_create_error(env, nullptr, sentence, &result) != napi_ok) return undefined(env);
    const auto ordinary =
        static_cast<napi_property_attributes>(napi_writable | napi_enumerable | napi_configurable);
    const napi_property_descriptor properties[] = {
        {"code", nullptr, nullptr, nullptr, nullptr, number(env, code), ordinary, nullptr},
        {"message", nullptr, nullptr, nullptr, nullptr, sentence, ordinary, nullptr},
    };
    napi_define_properties(env, result, sizeof properties / sizeof *properties, properties);
    return result;
}

}  // namespace js
