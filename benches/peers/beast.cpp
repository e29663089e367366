// Boost.Beast, as its own asynchronous example uses it: a message is read, and written back.
extern "C" {
#include "peer.h"
}

#include <memory>
#include <type_traits>
#include <utility> // Boost 1.74 forgets it in C++20

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;

// One connection; it lives as long as something is under way.
template <class Stream>
class Link : public std::enable_shared_from_this<Link<Stream>> {
public:
    template <class... Arguments>
    explicit Link(Arguments &&...arguments) : stream_(std::forward<Arguments>(arguments)...) {}

    void start() {
        if constexpr (std::is_same_v<Stream, tcp::socket>) {
            accept();
        } else {
            stream_.next_layer().async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this()](auto error) {
                if (!error) self->accept();
            });
        }
    }

private:
    void accept() {
        if (peer.deflate) {
            beast::websocket::permessage_deflate deflate;
            deflate.server_enable = true;
            deflate.compLevel = 6;
            stream_.set_option(deflate);
        }
        stream_.read_message_max(16 << 20);
        stream_.auto_fragment(false);
        stream_.async_accept([self = this->shared_from_this()](auto error) {
            if (!error) self->read();
        });
    }

    void read() {
        stream_.async_read(buffer_, [self = this->shared_from_this()](auto error, std::size_t) {
            if (!error) self->write();
        });
    }

    void write() {
        stream_.text(stream_.got_text());
        stream_.async_write(buffer_.data(), [self = this->shared_from_this()](auto error, std::size_t size) {
            if (error) return;
            self->buffer_.consume(size);
            self->read();
        });
    }

    beast::websocket::stream<Stream> stream_;
    beast::flat_buffer buffer_;
};

static void listen(tcp::acceptor &acceptor, asio::ssl::context &tls) {
    acceptor.async_accept([&](auto error, tcp::socket socket) {
        if (!error) {
            socket.set_option(tcp::no_delay(true));
            if (peer.cert == nullptr) std::make_shared<Link<tcp::socket>>(std::move(socket))->start();
            else std::make_shared<Link<beast::ssl_stream<tcp::socket>>>(std::move(socket), tls)->start();
        }
        listen(acceptor, tls);
    });
}

int main(int argc, char **argv) {
    peer_parse(argc, argv);
    if (peer.client || peer.broadcast || peer.lanes || peer.stuck) peer_refuse();
    asio::io_context context(1);
    asio::ssl::context tls(asio::ssl::context::tls_server);
    if (peer.cert != nullptr) {
        tls.use_certificate_chain_file(peer.cert);
        tls.use_private_key_file(peer.key, asio::ssl::context::pem);
    }
    tcp::acceptor acceptor(context, { asio::ip::address_v4::loopback(), 0 });
    listen(acceptor, tls);
    peer_serving(acceptor.local_endpoint().port());
    context.run();
}
