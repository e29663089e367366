// The hooks of system images, over stand-ins for OpenHarmony's libraries that refuse; and where there are no such libraries.
#include "check.hpp"

// The source itself: not every answer can be seen from outside.
#include "../../ohos/platform/hooks.cpp"

namespace {

std::atomic<bool> kernel_refuses{false};

const bool HAS_STAND_INS = getenv("STAND_INS") != nullptr;

// A client's attempt, and how it ends.
struct Attempt {
    Events events;
    nsws_client client{};

    Attempt()
    {
        nsws_client_create(&client);
        nsws_client_on_error(
            client,
            [](nsws_client, const nsws_error_event *event, void *user_data) {
                static_cast<Attempt *>(user_data)->events.add(std::string(nsws_phase_name(event->phase)) + " " + event->message);
            },
            this, nullptr);
    }
    ~Attempt() { nsws_client_destroy(client); }
    int32_t connect(const std::string &url) { return nsws_client_connect(client, url.c_str(), nullptr); }
};

void without_the_permission_it_is_201()
{
    Attempt attempt;
    kernel_refuses = true;
    SAME(attempt.connect("ws://127.0.0.1:9/"), NSWS_ERR_PERMISSION_DENIED);
    SAME(attempt.connect("hello"), NSWS_ERR_PERMISSION_DENIED);
    SAME(nsws_client_send_text(attempt.client, "x", 1), NSWS_ERR_PERMISSION_DENIED);
    kernel_refuses = false;
    SAME(nsws_client_send_text(attempt.client, "x", 1), NSWS_ERR_NOT_CONNECTED);
}

void a_host_that_an_atomic_service_may_not_reach_is_2302998()
{
    Attempt attempt;
    const std::string url = "ws://user:secret@127.0.0.1:9/path?query@x";
    // Not an atomic service: the hook is not called.
    setenv("STAND_IN_FORBIDDEN", "ws://127.0.0.1:9", 1);
    SAME(attempt.connect(url), NSWS_OK);
    attempt.events.wait("tcp");
    setenv("STAND_IN_BUNDLE", "com.example.service", 1);
    SAME(attempt.connect(url), HAS_STAND_INS ? NSWS_ERR_DOMAIN_NOT_ALLOWED : NSWS_OK);
    if (HAS_STAND_INS) SAME(std::string(getenv("STAND_IN_ASKED")), "com.example.service webSocket ws://127.0.0.1:9");
    unsetenv("STAND_IN_BUNDLE");
}

void the_proxy_is_net_manager_s()
{
    setenv("STAND_IN_PROXY_PORT", "9", 1);
    Attempt attempt;
    SAME(attempt.connect("ws://127.0.0.1:10/"), NSWS_OK);
    attempt.events.wait(HAS_STAND_INS ? "proxy" : "tcp");
    Attempt excluded;
    SAME(excluded.connect("ws://127.0.0.2:10/"), NSWS_OK);
    excluded.events.wait("tcp");
    unsetenv("STAND_IN_PROXY_PORT");
    Attempt direct;
    SAME(direct.connect("ws://127.0.0.1:10/"), NSWS_OK);
    direct.events.wait("tcp");
}

void the_user_s_cas_are_the_configuration_s()
{
    SAME(trusts_user_ca(nullptr), 0);
    setenv("STAND_IN_USER_CA", "trusted", 1);
    SAME(trusts_user_ca(nullptr), HAS_STAND_INS ? 1 : 0);
}

void what_the_platform_throws_goes_no_further()
{
    setenv("STAND_IN_THROWS", "1", 1);
    setenv("STAND_IN_PROXY_PORT", "9", 1);
    Attempt failed;
    SAME(failed.connect("ws://127.0.0.1:10/"), NSWS_OK);
    failed.events.wait(HAS_STAND_INS ? "proxy" : "tcp");
    Attempt refused;
    setenv("STAND_IN_BUNDLE", "com.example.service", 1);
    SAME(refused.connect("ws://127.0.0.1:10/"), HAS_STAND_INS ? NSWS_ERR_DOMAIN_NOT_ALLOWED : NSWS_OK);
    unsetenv("STAND_IN_BUNDLE");
    setenv("STAND_IN_USER_CA", "trusted", 1);
    SAME((contained<trusts_user_ca, 0>(nullptr)), 0);
    for (const char *name : {"STAND_IN_THROWS", "STAND_IN_PROXY_PORT", "STAND_IN_USER_CA"}) unsetenv(name);
}

void servers_are_a_matter_of_the_device()
{
    const auto create = [] {
        nsws_server server{};
        const int32_t code = nsws_server_create(&server);
        if (code == NSWS_OK) nsws_server_destroy(server);
        return code;
    };
#if defined(NSWS_SERVERS_ON_ALL_DEVICES)
    const int32_t elsewhere = NSWS_OK;
#else
    const int32_t elsewhere = HAS_STAND_INS ? NSWS_ERR_NOT_SUPPORTED : NSWS_OK;
#endif
    for (const char *device : {"phone", "tablet", "2in1", "wearable", "tvx", ""}) {
        setenv("STAND_IN_DEVICE", device, 1);
        SAME(create(), elsewhere);
    }
    setenv("STAND_IN_DEVICE", "tv", 1);
    SAME(create(), NSWS_OK);
}

}  // namespace

// Replaces the system's, for the library, too: the kernel refuses processes without the permission.
extern "C" int socket(int domain, int type, int protocol) noexcept
{
    using Socket = int(int, int, int);
    static const auto real = reinterpret_cast<Socket *>(dlsym(RTLD_NEXT, "socket"));
    if (kernel_refuses) {
        errno = EPERM;
        return -1;
    }
    return real(domain, type, protocol);
}

int main()
{
    return run_tests({
        TEST(without_the_permission_it_is_201),
        TEST(a_host_that_an_atomic_service_may_not_reach_is_2302998),
        TEST(the_proxy_is_net_manager_s),
        TEST(the_user_s_cas_are_the_configuration_s),
        TEST(what_the_platform_throws_goes_no_further),
        TEST(servers_are_a_matter_of_the_device),
    });
}
