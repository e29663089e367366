// What session.h promises.

#include "session.h"

#include <cstring>
#include <utility>

#include "../rules/contain.h"
#include "listen.h"

namespace nsws_surface {

namespace {

// TCP refuses a broadcast address at once and without a packet.
constexpr const char *NOWHERE = "ws://255.255.255.255/";

int32_t transmit(nsws_client client, const char *data, std::size_t length) {
    return nsws_rules::send_by_content(
        data, length,
        [=](const char *text, std::size_t size) {
            return nsws_client_send_text(client, text, size);
        },
        [=](const char *bytes, std::size_t size) {
            return nsws_client_send_binary(client, bytes, size);
        });
}

// A client that is destroyed has no connection either.
int32_t without_stale(int32_t code) {
    return code == NSWS_ERR_BAD_HANDLE ? NSWS_ERR_NOT_CONNECTED : code;
}

}  // namespace

const char *readable_reason(uint32_t code, const char *reason) {
    constexpr std::uintptr_t first_page = 4096;
    if (reason == nullptr) {
        return nullptr;
    }
    return code == 0 || reinterpret_cast<std::uintptr_t>(reason) < first_page ? "" : reason;
}

bool reason_is_too_long(const char *reason) {
    return strnlen(reason, nsws_rules::MOST_REASON + 1) > nsws_rules::MOST_REASON;
}

CloseSeen seen(const nsws_close_event &event) {
    if (event.code == nsws_rules::ABNORMAL) {
        return {LINK_LOST, "websocket close from server"};
    }
    return {nsws_rules::seen(event.code), event.reason};
}

uint32_t error_code(const nsws_error_event &event) {
    return event.detail == NSWS_DETAIL_MESSAGE_TOO_BIG ? DATA_LENGTH_EXCEEDED : CONNECTION_ERROR;
}

int32_t Session::connect(const char *url, const nsws_connect_options &options) {
    return start(url, options, "");
}

int32_t Session::connect_in_vain(const char *sentence, const nsws_connect_options &options) {
    nsws_connect_options direct = options;
    direct.proxy_mode = NSWS_PROXY_NONE;
    return start(NOWHERE, direct, sentence);
}

int32_t Session::start(const char *url, const nsws_connect_options &options, const char *sentence) {
    // Held throughout: the handlers of the attempt's events find its state set. In this order,
    // because the platform's hooks may call close(), and so may other threads.
    const std::lock_guard<std::recursive_mutex> behind(handing_over_);
    const std::lock_guard<std::recursive_mutex> guard(lock_);
    if (refuses_) {
        return NSWS_ERR_BAD_HANDLE;
    }
    std::string kept(sentence);
    if (client_.id == 0) {
        const int32_t code = create();
        if (code != NSWS_OK) {
            return code;
        }
    }
    // Whatever has waited fits into the library's queue, which the last message may have filled
    // beyond the bound.
    nsws_connect_options given = options;
    given.send_queue_size += nsws_rules::queued_cost(nsws_rules::CLIENT_SENDS);
    const int32_t code = nsws_client_connect(client_, url, &given);
    if (code == NSWS_OK) {
        started_++;
        stage_ = Stage::connecting;
        open_.store(0, std::memory_order_release);
        sentence_ = std::move(kept);
        waiting_most_ = options.send_queue_size;
    }
    return code;
}

int32_t Session::permission() {
    nsws_client client{0};
    {
        const std::lock_guard<std::recursive_mutex> guard(lock_);
        client = known_client();
    }
    // Asked for no URL, the library answers with what comes before it.
    const int32_t code = nsws_client_connect(client, nullptr, nullptr);
    return code == NSWS_ERR_PERMISSION_DENIED ? code : NSWS_OK;
}

nsws_client Session::known_client() {
    if (client_.id == 0 && !refuses_) {
        (void)create();
    }
    return client_;
}

int32_t Session::create() {
    int32_t code = nsws_client_create(&client_);
    if (code != NSWS_OK) {
        return code;
    }
    const std::shared_ptr<Session> self = shared_from_this();
    code = listen(nsws_client_on_open, client_, &entry<nsws_open_event, &Session::on_open>, self);
    if (code == NSWS_OK) {
        code = listen(nsws_client_on_message, client_,
                      &entry<nsws_message_event, &Session::on_message>, self);
    }
    if (code == NSWS_OK) {
        code = listen(nsws_client_on_error, client_, &entry<nsws_error_event, &Session::on_error>,
                      self);
    }
    if (code == NSWS_OK) {
        code = listen(nsws_client_on_close, client_, &entry<nsws_close_event, &Session::on_close>,
                      self);
    }
    if (code == NSWS_OK && wants_all_events()) {
        code = listen(nsws_client_on_header_receive, client_,
                      &entry<nsws_header_receive_event, &Session::on_header_receive>, self);
    }
    if (code == NSWS_OK && wants_all_events()) {
        code = listen(nsws_client_on_data_end, client_,
                      &entry<nsws_data_end_event, &Session::on_data_end>, self);
    }
    if (code != NSWS_OK) {
        nsws_client_release(std::exchange(client_, nsws_client{0}));
    }
    return code;
}

template <class Event, void (Session::*handle)(nsws_client, const Event &)>
void Session::entry(nsws_client client, const Event *event, void *user_data) {
    Session &session = shared_object<Session>(user_data);
    nsws_rules::contain([&] { (session.*handle)(client, *event); },
                        [&] {
                            nsws_log(NSWS_LOG_ERROR,
                                     "A callback threw an exception; its connection is closed.");
                            nsws_client_close(client, nsws_rules::CALLBACK_FAILED, "");
                        });
}

int32_t Session::send(const char *data, std::size_t length) {
    uint64_t open = open_.load(std::memory_order_acquire);
    if (open == 0) {
        const std::lock_guard<std::recursive_mutex> guard(lock_);
        // A message that is sent before open waits, within the bounds of the queue.
        if (stage_ == Stage::connecting || stage_ == Stage::flushing) {
            if (waiting_cost_ >= waiting_most_) {
                return NSWS_ERR_QUEUE_FULL;
            }
            waiting_.emplace_back(data, length);
            waiting_cost_ += nsws_rules::queued_cost(length);
            return NSWS_OK;
        }
        // Without an attempt nothing is sent, but the library knows in which order to say why.
        open = stage_ == Stage::open ? client_.id : known_client().id;
    }
    return without_stale(transmit(nsws_client{open}, data, length));
}

bool Session::abandon() {
    nsws_client abandoned{0};
    {
        const std::lock_guard<std::recursive_mutex> guard(lock_);
        if (stage_ != Stage::connecting) {
            return false;
        }
        // The next attempt gets a client of its own, so it needn't wait until this one is gone.
        abandoned = std::exchange(client_, nsws_client{0});
        reset();
    }
    nsws_client_release(abandoned);
    return true;
}

int32_t Session::close(uint32_t code, const char *reason) {
    const std::lock_guard<std::recursive_mutex> behind(handing_over_);
    nsws_client client{0};
    {
        const std::lock_guard<std::recursive_mutex> guard(lock_);
        client = known_client();
        if (stage_ == Stage::idle) {
            // Programs pass a reason that they never set.
            return without_stale(nsws_client_close(client, nsws_rules::NORMAL, ""));
        }
    }
    return without_stale(
        close_kindly(code, reason_of(code, reason), [=](uint16_t may_be_sent, const char *why) {
            return nsws_client_close(client, may_be_sent, why);
        }));
}

bool Session::destroy() {
    nsws_client client{0};
    bool had_attempt = false;
    {
        const std::lock_guard<std::recursive_mutex> guard(lock_);
        client = std::exchange(client_, nsws_client{0});
        had_attempt = started_ != 0;
        reset();
        started_ = ended_ = 0;
    }
    // Without the lock: the callback that this waits for may want it.
    if (client.id != 0) {
        nsws_client_destroy(client);
    }
    return had_attempt;
}

bool Session::end() {
    {
        const std::lock_guard<std::recursive_mutex> guard(lock_);
        refuses_ = true;
    }
    return destroy();
}

void Session::on_open(nsws_client client, const nsws_open_event &event) {
    {
        const std::lock_guard<std::recursive_mutex> handing_over(handing_over_);
        {
            const std::lock_guard<std::recursive_mutex> guard(lock_);
            if (client.id != client_.id) {
                return;
            }
            is_open_ = true;
            stage_ = Stage::flushing;
        }
        send_waiting(client);
    }
    opened(event);
}

// Without lock_: a send on another thread waits for no other.
void Session::send_waiting(nsws_client client) {
    for (;;) {
        std::deque<std::string> messages;
        {
            const std::lock_guard<std::recursive_mutex> guard(lock_);
            if (client.id != client_.id || stage_ != Stage::flushing) {
                return;
            }
            if (waiting_.empty()) {
                waiting_cost_ = 0;
                stage_ = Stage::open;
                open_.store(client.id, std::memory_order_release);
                return;
            }
            messages.swap(waiting_);
        }
        for (const std::string &message : messages) {
            if (transmit(client, message.data(), message.size()) != NSWS_OK) {
                nsws_log(NSWS_LOG_ERROR, "A message that was sent before open was dropped.");
            }
        }
    }
}

void Session::on_error(nsws_client client, const nsws_error_event &event) {
    nsws_error_event told = event;
    std::string sentence;
    {
        const std::lock_guard<std::recursive_mutex> guard(lock_);
        if (client.id != client_.id) {
            return;
        }
        if (!is_open_) {
            if (ended_ + 1 == started_) {
                sentence.swap(sentence_);
            }
            attempt_is_over();
        }
    }
    if (!sentence.empty()) {
        told.message = sentence.c_str();
    }
    failed(told);
}

void Session::on_close(nsws_client client, const nsws_close_event &event) {
    bool was_open = false;
    {
        const std::lock_guard<std::recursive_mutex> guard(lock_);
        if (client.id != client_.id) {
            return;
        }
        was_open = std::exchange(is_open_, false);
        attempt_is_over();
    }
    closed(event, was_open);
}

void Session::attempt_is_over() {
    if (++ended_ == started_) {
        reset();
    }
}

void Session::reset() {
    ended_ = started_;
    stage_ = Stage::idle;
    open_.store(0, std::memory_order_release);
    is_open_ = false;
    sentence_.clear();
    waiting_.clear();
    waiting_cost_ = 0;
}

}  // namespace nsws_surface
