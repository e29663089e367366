// uWebSockets, as its own examples use it.
#include "App.h"

extern "C" {
#include "peer.h"
}

struct Nothing {};

template <bool SSL>
static void serve(uWS::TemplatedApp<SSL> &&app) {
    uWS::TemplatedApp<SSL> *everyone = &app;
    typename uWS::TemplatedApp<SSL>::template WebSocketBehavior<Nothing> behavior;
    // The window of 15 bits, the context kept, as everyone has it: that is what is asked for. This version takes any
    // compressor of its own for the smallest one (a bit test where an equality was meant): 9 bits, and more bytes.
    if (peer.deflate) behavior.compression = uWS::CompressOptions(uWS::DEDICATED_COMPRESSOR | uWS::DEDICATED_DECOMPRESSOR);
    behavior.maxPayloadLength = 16 << 20;
    behavior.maxBackpressure = 16 << 20;
    if (peer.no_ping) {
        behavior.idleTimeout = 0;
        behavior.sendPingsAutomatically = false;
    }
    if (peer.broadcast) {
        behavior.open = [](auto *socket) { socket->subscribe("all"); };
        behavior.message = [everyone](auto *, std::string_view message, uWS::OpCode code) {
            everyone->publish("all", message, code);
        };
    } else {
        behavior.message = [](auto *socket, std::string_view message, uWS::OpCode code) {
            socket->send(message, code, peer.deflate != 0);
        };
    }
    app.template ws<Nothing>("/*", std::move(behavior)).listen("127.0.0.1", 0, [](us_listen_socket_t *socket) {
        if (socket == nullptr) exit(1);
        peer_serving(us_socket_local_port(SSL, reinterpret_cast<us_socket_t *>(socket)));
    });
    app.run();
}

int main(int argc, char **argv) {
    peer_parse(argc, argv);
    if (peer.client || peer.lanes || peer.stuck) peer_refuse();
    if (peer.cert == nullptr) {
        serve<false>(uWS::App());
    } else {
        uWS::SocketContextOptions options;
        options.cert_file_name = peer.cert;
        options.key_file_name = peer.key;
        serve<true>(uWS::SSLApp(options));
    }
}
