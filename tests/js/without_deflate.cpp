// The C ABI as a build without compression has it, under other names: the module is compiled once more with those.
#include <netstack_websocket.h>

#include <cstdio>

extern "C" {
int32_t without_deflate_client_connect(nsws_client client, const char *url, const nsws_connect_options *options);
int32_t without_deflate_server_start(nsws_server server, const nsws_server_options *options);
int32_t without_deflate_log(int32_t level, const char *line);
}

int32_t without_deflate_client_connect(nsws_client client, const char *url, const nsws_connect_options *options) {
    return options->compression != 0 ? NSWS_ERR_NOT_SUPPORTED : nsws_client_connect(client, url, options);
}

int32_t without_deflate_server_start(nsws_server server, const nsws_server_options *options) {
    return options->compression != 0 ? NSWS_ERR_NOT_SUPPORTED : nsws_server_start(server, options);
}

int32_t without_deflate_log(int32_t level, const char *line) {
    std::fprintf(stderr, "log %d: %s\n", static_cast<int>(level), line);
    return nsws_log(level, line);
}
