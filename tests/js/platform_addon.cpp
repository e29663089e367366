// Plays the platform for the tests: sets the hooks of the library that the module under test uses.
//
//     allowNetwork(bool)    whether the program has the permission to use the network
//     allowHosts(bool)      whether it may connect to any host
//     beTv(bool)            whether the device may run servers
//     reset()               the defaults again

#include <netstack_websocket.h>
#include <node_api.h>

#include <atomic>

namespace {

std::atomic<bool> network{true}, hosts{true}, tv{true};

template <std::atomic<bool> *Answer> napi_value set(napi_env env, napi_callback_info info) {
    size_t count = 1;
    napi_value argument = nullptr;
    bool wanted = false;
    napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
    napi_get_value_bool(env, argument, &wanted);
    Answer->store(wanted);
    nsws_platform platform;
    nsws_platform_init(&platform, sizeof platform);
    platform.has_internet_permission = [](void *) { return static_cast<uint8_t>(network.load()); };
    platform.is_host_allowed = [](const char *, const char *, void *) { return static_cast<uint8_t>(hosts.load()); };
    platform.is_tv_device = [](void *) { return static_cast<uint8_t>(tv.load()); };
    nsws_set_platform(&platform);
    return nullptr;
}

napi_value reset(napi_env, napi_callback_info) {
    network = hosts = tv = true;
    nsws_set_platform(nullptr);
    return nullptr;
}

} // namespace

extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
    const auto method = [](const char *name, napi_callback call) {
        return napi_property_descriptor{name, nullptr, call, nullptr, nullptr, nullptr, napi_enumerable, nullptr};
    };
    const napi_property_descriptor methods[] = {
        method("allowNetwork", set<&network>), method("allowHosts", set<&hosts>), method("beTv", set<&tv>), method("reset", reset)};
    napi_define_properties(env, exports, sizeof methods / sizeof *methods, methods);
    return exports;
}
