// OpenHarmony's libraries, as far as ohos/platform/hooks.cpp calls them: they answer what the environment says. Built once under each
// of their names.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

namespace {

std::string setting(const char *name)
{
    const char *value = getenv(name);
    return value == nullptr ? "" : value;
}

void may_throw()
{
    if (!setting("STAND_IN_THROWS").empty()) throw std::runtime_error("a stand-in");
}

struct HttpProxy {
    char host[256];
    char exclusions[256][256];
    int32_t exclusion_count;
    uint16_t port;
};

} // namespace

extern "C" {

__attribute__((visibility("default"))) bool IsAtomicService(std::string &bundle)
{
    bundle = setting("STAND_IN_BUNDLE");
    return !bundle.empty();
}

__attribute__((visibility("default"))) int32_t CheckUrl(std::string bundle, std::string type, std::string url)
{
    may_throw();
    setenv("STAND_IN_ASKED", (bundle + " " + type + " " + url).c_str(), 1);
    return url == setting("STAND_IN_FORBIDDEN") ? 1 : 0;
}

__attribute__((visibility("default"))) int32_t OH_NetConn_GetDefaultHttpProxy(void *answer)
{
    may_throw();
    auto *proxy = static_cast<HttpProxy *>(answer);
    if (setting("STAND_IN_PROXY_PORT").empty()) return 2100002;
    strcpy(proxy->host, "127.0.0.1");
    strcpy(proxy->exclusions[0], "excluded.example");
    strcpy(proxy->exclusions[1], "127.0.0.2");
    proxy->exclusion_count = 2;
    proxy->port = static_cast<uint16_t>(std::stoi(setting("STAND_IN_PROXY_PORT")));
    return 0;
}

__attribute__((visibility("default"))) const char *OH_GetDeviceType()
{
    return getenv("STAND_IN_DEVICE");
}

} // extern "C"

namespace OHOS::NetManagerStandard {

class __attribute__((visibility("default"))) NetworkSecurityConfig {
  public:
    static NetworkSecurityConfig &GetInstance();
    bool TrustUserCa();
};

NetworkSecurityConfig &NetworkSecurityConfig::GetInstance()
{
    static NetworkSecurityConfig only;
    return only;
}

bool NetworkSecurityConfig::TrustUserCa()
{
    may_throw();
    return setting("STAND_IN_USER_CA") == "trusted";
}

} // namespace OHOS::NetManagerStandard
