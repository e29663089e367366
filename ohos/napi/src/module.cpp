// The module net.webSocket: createWebSocket, createWebSocketServer and TlsProtocol.

#include "client.h"
#include "environment.h"
#include "server.h"

namespace {

napi_value instance(napi_env env, napi_ref Environment::*which) {
    Environment *environment = Environment::of(env);
    napi_value constructor = nullptr, result = nullptr;
    if (environment == nullptr ||
        napi_get_reference_value(env, environment->*which, &constructor) != napi_ok)
        return nullptr;
    napi_new_instance(env, constructor, 0, nullptr, &result);
    return result;
}

napi_value create_web_socket(napi_env env, napi_callback_info) {
    return instance(env, &Environment::client_class);
}

napi_value create_web_socket_server(napi_env env, napi_callback_info) {
    if (Server::is_supported()) return instance(env, &Environment::server_class);
    napi_value null = nullptr;
    napi_get_null(env, &null);
    return null;
}

napi_value tls_protocol(napi_env env) {
    napi_value result = js::object(env);
    double number = 0;
    for (const char *name : {"TLS_V_1_0", "TLS_V_1_1", "TLS_V_1_2", "TLS_V_1_3"})
        js::set(env, result, name, js::number(env, number++));
    return result;
}

napi_value define_module(napi_env env, napi_value exports) {
    Environment *environment = Environment::create(env);
    napi_value key = nullptr;
    if (environment == nullptr) return nullptr;
    napi_create_reference(env, Client::define(env), 1, &environment->client_class);
    napi_create_reference(env, Server::define(env), 1, &environment->server_class);
    napi_create_symbol(env, js::text(env, "listeners"), &key);
    napi_create_reference(env, key, 1, &environment->listeners_key);
    const auto seen = static_cast<napi_property_attributes>(napi_enumerable);
    const napi_property_descriptor properties[] = {
        {"createWebSocket", nullptr, create_web_socket, nullptr, nullptr, nullptr, seen, nullptr},
        {"createWebSocketServer", nullptr, create_web_socket_server, nullptr, nullptr, nullptr,
         seen, nullptr},
        {"TlsProtocol", nullptr, nullptr, nullptr, nullptr, tls_protocol(env), seen, nullptr},
    };
    napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
    return exports;
}

napi_module module = {1, 0, nullptr, define_module, "net.webSocket", nullptr, {nullptr}};

}  // namespace

// How OpenHarmony finds a module. Some headers of Node call it deprecated.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
extern "C" __attribute__((constructor)) void register_net_web_socket() {
    napi_module_register(&module);
}
#pragma GCC diagnostic pop

// How Node finds it when the library was loaded before, by another thread, and the constructor does
// not run again.
extern "C" __attribute__((visibility("default"))) napi_value
napi_register_module_v1(napi_env env, napi_value exports) {
    return define_module(env, exports);
}
