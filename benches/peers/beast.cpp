// Boost.Beast, as its own asynchronous examples use it: a message is read, and written back.
extern "C" {
#include "client.h"
}

#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <utility> // Boost 1.74 forgets it in C++20
#include <vector>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;
using Tls = beast::ssl_stream<tcp::socket>;

template <class Stream>
static constexpr bool is_plain = std::is_same_v<Stream, tcp::socket>;

template <class Stream>
static void set_up(beast::websocket::stream<Stream> &stream) {
    if (peer.deflate || peer.documents != nullptr) {
        // The window of 15 bits and the context kept are its defaults; zlib's own amount of memory is not.
        beast::websocket::permessage_deflate deflate;
        deflate.server_enable = deflate.client_enable = true;
        deflate.compLevel = 6;
        deflate.memLevel = 8;
        stream.set_option(deflate);
    }
    stream.read_message_max(16 << 20);
    stream.auto_fragment(false);
    // What is masked or compressed passes through this buffer.
    if (peer.size > 4096) stream.write_buffer_bytes(64 << 10);
}

// A server's connection; it lives as long as something is under way.
template <class Stream>
class Link : public std::enable_shared_from_this<Link<Stream>> {
public:
    template <class... Arguments>
    explicit Link(Arguments &&...arguments) : stream_(std::forward<Arguments>(arguments)...) {}

    ~Link() { everyone().erase(this); }

    void start() {
        if constexpr (is_plain<Stream>) {
            accept();
        } else {
            stream_.next_layer().async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this()](auto error) {
                if (!error) self->accept();
            });
        }
    }

private:
    using Message = std::shared_ptr<const std::string>;

    static std::set<Link *> &everyone() {
        static std::set<Link *> all;
        return all;
    }

    void accept() {
        set_up(stream_);
        stream_.async_accept([self = this->shared_from_this()](auto error) {
            if (error) return;
            if (peer.broadcast) everyone().insert(self.get());
            self->read();
        });
    }

    void read() {
        stream_.async_read(buffer_, [self = this->shared_from_this()](auto error, std::size_t) {
            if (error) return;
            self->stream_.text(self->stream_.got_text());
            if (peer.broadcast) self->tell_all();
            else self->write();
        });
    }

    void write() {
        stream_.async_write(buffer_.data(), [self = this->shared_from_this()](auto error, std::size_t size) {
            if (error) return;
            self->buffer_.consume(size);
            self->read();
        });
    }

    void tell_all() {
        auto message = std::make_shared<const std::string>(beast::buffers_to_string(buffer_.data()));
        buffer_.consume(buffer_.size());
        for (Link *link : everyone()) {
            link->waiting_.push_back(message);
            if (link->waiting_.size() == 1) link->write_waiting();
        }
        read();
    }

    void write_waiting() {
        stream_.async_write(asio::buffer(*waiting_.front()), [self = this->shared_from_this()](auto error, std::size_t) {
            if (error) return;
            self->waiting_.erase(self->waiting_.begin());
            if (!self->waiting_.empty()) self->write_waiting();
        });
    }

    beast::websocket::stream<Stream> stream_;
    beast::flat_buffer buffer_;
    std::vector<Message> waiting_; // of broadcasts
};

static void listen(tcp::acceptor &acceptor, asio::ssl::context &tls) {
    acceptor.async_accept([&](auto error, tcp::socket socket) {
        if (!error) {
            socket.set_option(tcp::no_delay(true));
            if (peer.cert == nullptr) std::make_shared<Link<tcp::socket>>(std::move(socket))->start();
            else std::make_shared<Link<Tls>>(std::move(socket), tls)->start();
        }
        listen(acceptor, tls);
    });
}

static void serve() {
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

// The last TLS session, which the next connection resumes.
static SSL_SESSION *session;

static int keep_session(SSL *, SSL_SESSION *fresh) {
    SSL_SESSION_free(session);
    session = fresh;
    return 1;
}

static long busy; // flows whose phase isn't over
static double *times, sent_at;
static long timed;

// A client's connection: each answer sends the next message.
template <class Stream>
class Flow {
public:
    template <class... Arguments>
    explicit Flow(asio::io_context &context, Arguments &&...arguments)
        : context_(context), stream_(context, std::forward<Arguments>(arguments)...) {
        auto &socket = beast::get_lowest_layer(stream_);
        socket.connect({ asio::ip::address_v4::loopback(), static_cast<unsigned short>(peer.port) });
        socket.set_option(tcp::no_delay(true));
        if constexpr (!is_plain<Stream>) {
            auto &tls = stream_.next_layer();
            SSL_set_tlsext_host_name(tls.native_handle(), "localhost");
            tls.set_verify_callback(asio::ssl::host_name_verification("localhost"));
            if (session != nullptr) SSL_set_session(tls.native_handle(), session);
            tls.handshake(asio::ssl::stream_base::client);
        }
        set_up(stream_);
        stream_.text(peer.documents != nullptr);
        stream_.handshake("localhost", "/");
    }

    void begin(long share) {
        to_send_ = to_receive_ = share;
        allowed_ = peer.window;
        write();
        if (!reading_) read();
        reading_ = true;
    }

    void close() {
        beast::error_code ignored; // OpenSSL calls it an error that the other side ends TLS with TCP
        stream_.close(beast::websocket::close_code::normal, ignored);
    }

private:
    static void check(beast::error_code error) {
        if (!error) return;
        std::cerr << error.message() << '\n';
        exit(1);
    }

    // One write at a time is allowed.
    void write() {
        if (writing_ || allowed_ == 0 || to_send_ == 0) return;
        writing_ = true;
        allowed_--;
        to_send_--;
        if (times != nullptr) sent_at = client_now();
        stream_.async_write(asio::buffer(client_next(), peer.size), [this](auto error, std::size_t) {
            check(error);
            writing_ = false;
            write();
        });
    }

    void read() {
        stream_.async_read(buffer_, [this](auto error, std::size_t size) {
            check(error);
            if (size != peer.size) exit(1);
            if (times != nullptr) times[timed++] = client_now() - sent_at;
            buffer_.consume(size);
            allowed_++;
            if (--to_receive_ == 0 && --busy == 0) context_.stop();
            write();
            read();
        });
    }

    asio::io_context &context_;
    beast::websocket::stream<Stream> stream_;
    beast::flat_buffer buffer_;
    long to_send_ = 0, to_receive_ = 0;
    int allowed_ = 0; // messages that may be sent: those that they wait for have come back
    bool reading_ = false, writing_ = false;
};

template <class Stream>
static void run_phase(asio::io_context &context, std::vector<std::unique_ptr<Flow<Stream>>> &flows, long share) {
    busy = peer.connections;
    for (auto &flow : flows) flow->begin(share);
    context.restart();
    context.run();
}

template <class Stream, class... Arguments>
static void run_flows(double start, Arguments &...arguments) {
    asio::io_context context(1);
    auto visits = [&](long count) {
        for (long i = 0; i < count; i++) Flow<Stream>(context, arguments...).close();
    };
    if (peer.connect) {
        visits(peer.count / 20 + 5);
        client_ready();
        start = client_now();
        visits(peer.count);
        client_report(start, nullptr, peer.count, peer.count / 20 + 5);
    }
    std::vector<std::unique_ptr<Flow<Stream>>> flows;
    for (int i = 0; i < peer.connections; i++) {
        flows.push_back(std::make_unique<Flow<Stream>>(context, arguments...));
        if (i == 0) client_opened_in = client_now() - start;
    }
    run_phase(context, flows, client_warm_up());
    client_ready();
    if (peer.window == 1 && peer.connections == 1) times = new double[peer.count + 1];
    start = client_now();
    run_phase(context, flows, client_share(peer.count));
    client_report(start, times, client_share(peer.count) * peer.connections, client_warm_up() * peer.connections);
}

static void run_client() {
    client_make_payload();
    double start = client_now();
    if (peer.ca == nullptr) {
        run_flows<tcp::socket>(start);
        return;
    }
    asio::ssl::context tls(asio::ssl::context::tls_client);
    tls.load_verify_file(peer.ca);
    tls.set_verify_mode(asio::ssl::verify_peer);
    SSL_CTX_set_session_cache_mode(tls.native_handle(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls.native_handle(), keep_session);
    run_flows<Tls>(start, tls);
}

int main(int argc, char **argv) {
    peer_parse(argc, argv);
    if (peer.thread || peer.lanes || peer.stuck) peer_refuse();
    if (peer.client) run_client();
    else serve();
}
