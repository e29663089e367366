// For system images: answers what only the platform knows with OpenHarmony's own functions, in
// every library that has this file, as soon as it is loaded. They are looked up at run time and
// called when they are asked for; where one is missing, the library's default holds (for the proxy:
// there is none).
//
//     permission       the kernel lets processes without ohos.permission.INTERNET make no socket
//     allowed hosts    of atomic services alone: libnet_bundle_utils, libapipolicy_client
//     proxy            NetManager's: libnet_connection (API 11)
//     user's CAs       the program's network security configuration: libnet_security_config_if
//     device           TVs run servers: libdeviceinfo_ndk
//
// With NSWS_SERVERS_ON_ALL_DEVICES, every device runs servers.

#include <dlfcn.h>
#include <netstack_websocket.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "../rules/contain.h"

#if defined(__clang__)
#define NSWS_FOREIGN_CALL __attribute__((no_sanitize("cfi")))
#else
#define NSWS_FOREIGN_CALL
#endif

namespace {

// A function of a library that stays loaded; null where either is missing.
template <class Function>
Function *find(const char *library, const char *name) {
    void *handle = dlopen(library, RTLD_NOW);
    return handle == nullptr ? nullptr : reinterpret_cast<Function *>(dlsym(handle, name));
}

// The permission is granted at installation and lasts as long as the process.
uint8_t has_permission(void *) {
    static std::atomic<bool> granted{false};
    if (granted.load(std::memory_order_relaxed)) {
        return 1;
    }
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        return errno == EPERM ? 0 : 1;
    }
    close(probe);
    granted.store(true, std::memory_order_relaxed);
    return 1;
}

// "wss://host:port": all of a URL that a list of hosts is about.
std::string origin_of(std::string_view url) {
    const size_t scheme = url.find("://");
    if (scheme == std::string_view::npos) {
        return "";
    }
    const size_t start = scheme + strlen("://");
    const size_t end = std::min(url.find_first_of("/?", start), url.size());
    std::string_view authority = url.substr(start, end - start);
    authority.remove_prefix(authority.rfind('@') + 1);
    return std::string(url.substr(0, start)).append(authority);
}

NSWS_FOREIGN_CALL uint8_t is_allowed(const char *, const char *url, void *) {
    using IsAtomicService = bool(std::string &);
    using CheckUrl = int32_t(std::string, std::string, std::string);
    static const auto is_atomic_service =
        find<IsAtomicService>("libnet_bundle_utils.z.so", "IsAtomicService");
    std::string bundle;
    if (is_atomic_service == nullptr || !is_atomic_service(bundle) || bundle.empty()) {
        return 1;
    }
    static const auto check_url = find<CheckUrl>("libapipolicy_client.z.so", "CheckUrl");
    return check_url == nullptr || check_url(bundle, "webSocket", origin_of(url)) == 0 ? 1 : 0;
}

// NetConn_HttpProxy of <network/netmanager/net_connection_type.h>.
struct HttpProxy {
    static constexpr size_t MOST = 256;

    char host[MOST];
    char exclusions[MOST][MOST];
    int32_t exclusion_count;
    uint16_t port;
};

NSWS_FOREIGN_CALL void get_proxy(const char *, nsws_system_proxy_answer *answer, void *) {
    static const auto get_default =
        find<int32_t(HttpProxy *)>("libnet_connection.so", "OH_NetConn_GetDefaultHttpProxy");
    // Too large for the stack of some threads.
    const auto found = std::make_unique<HttpProxy>();
    if (get_default == nullptr || get_default(found.get()) != 0 || found->host[0] == '\0') {
        return;
    }
    std::string exclusions;
    const size_t count =
        std::clamp(found->exclusion_count, 0, static_cast<int32_t>(HttpProxy::MOST));
    for (size_t i = 0; i < count; i++) {
        exclusions.append(found->exclusions[i], strnlen(found->exclusions[i], HttpProxy::MOST))
            .append(",");
    }
    const std::string host(found->host, strnlen(found->host, HttpProxy::MOST));
    nsws_system_proxy proxy{};
    nsws_system_proxy_init(&proxy, sizeof proxy);
    proxy.host = host.c_str();
    proxy.exclusion_list = exclusions.c_str();
    proxy.port = found->port;
    nsws_system_proxy_set(answer, &proxy);
}

NSWS_FOREIGN_CALL uint8_t trusts_user_ca(void *) {
    // OHOS::NetManagerStandard::NetworkSecurityConfig::GetInstance() and ::TrustUserCa(), under the
    // names of C++'s ABI.
    constexpr const char *library = "libnet_security_config_if.z.so";
    static const auto instance = find<void *()>(
        library, "_ZN4OHOS18NetManagerStandard21NetworkSecurityConfig11GetInstanceEv");
    static const auto trusts = find<bool(void *)>(
        library, "_ZN4OHOS18NetManagerStandard21NetworkSecurityConfig11TrustUserCaEv");
    return instance != nullptr && trusts != nullptr && trusts(instance()) ? 1 : 0;
}

#if !defined(NSWS_SERVERS_ON_ALL_DEVICES)
NSWS_FOREIGN_CALL uint8_t is_tv(void *) {
    static const auto device_type =
        find<const char *()>("libdeviceinfo_ndk.z.so", "OH_GetDeviceType");
    const char *type = device_type == nullptr ? nullptr : device_type();
    return type == nullptr || strcmp(type, "tv") == 0 ? 1 : 0;
}
#endif

// A hook that no exception leaves, whether of the platform's code or for lack of memory: then it
// answers no, or fails the attempt.
template <auto hook, uint8_t otherwise, class... Arguments>
uint8_t contained(Arguments... arguments) {
    return nsws_rules::contain([=] { return hook(arguments...); }, [] { return otherwise; });
}

void contained_proxy(const char *url, nsws_system_proxy_answer *answer, void *user_data) {
    nsws_rules::contain([=] { get_proxy(url, answer, user_data); },
                        [=] {
                            // Without an answer, the attempt would go on without a proxy.
                            nsws_system_proxy none{};
                            nsws_system_proxy_init(&none, sizeof none);
                            none.host = "?";
                            nsws_system_proxy_set(answer, &none);
                        });
}

__attribute__((constructor)) void set_hooks() {
    nsws_platform platform{};
    nsws_platform_init(&platform, sizeof platform);
    platform.has_internet_permission = has_permission;
    platform.is_host_allowed = contained<is_allowed, 0>;
    platform.get_system_proxy = contained_proxy;
    platform.trusts_user_ca = contained<trusts_user_ca, 0>;
#if !defined(NSWS_SERVERS_ON_ALL_DEVICES)
    platform.is_tv_device = is_tv;
#endif
    nsws_set_platform(&platform);
}

}  // namespace
