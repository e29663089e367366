// One WebSocket client as NetStack's C and C++ programs know it, over the C ABI: what is sent
// between connect and open waits for open, the bytes decide between text and binary, and an attempt
// can be abandoned without a word.

#ifndef NSWS_SURFACE_SESSION_H
#define NSWS_SURFACE_SESSION_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "../rules/close_codes.h"
#include "../rules/limits.h"
#include "../rules/text.h"
#include "netstack_websocket.h"

namespace nsws_surface {

// What NetStack's clients say when the link broke.
constexpr uint32_t LINK_LOST = 1001;

// What every numbering of NetStack's clients calls a connection that failed, and a message that is
// too large.
constexpr uint32_t CONNECTION_ERROR = 1003;
constexpr uint32_t DATA_LENGTH_EXCEEDED = 1012;

// A connection's end as NetStack's clients tell it: a lost link is 1001, a close frame without a
// code is 1000.
struct CloseSeen {
    uint32_t code;
    const char *reason;
};
CloseSeen seen(const nsws_close_event &event);

// An error's number, the same in every numbering of NetStack's clients.
uint32_t error_code(const nsws_error_event &event);

bool reason_is_too_long(const char *reason);

// A reason of which ArkTS's layer may have made a Rust string: when that is empty, its address is
// neither NULL nor readable; and its own default, which comes with code 0, has no NUL at its end.
const char *readable_reason(uint32_t code, const char *reason);

// Closes with a code that may be sent: any other, and a missing reason, stand for 1000. `close`
// does the closing.
template <class Close>
int32_t close_kindly(uint32_t code, const char *reason, Close close);

// All functions return codes of the C ABI. Every one may be called from any thread and inside
// callbacks.
class Session : public std::enable_shared_from_this<Session> {
public:
    Session() = default;
    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;
    virtual ~Session() = default;

    int32_t connect(const char *url, const nsws_connect_options &options);

    // An attempt that fails, with this sentence: for a URL that the program must hear about in an
    // event.
    int32_t connect_in_vain(const char *sentence, const nsws_connect_options &options);

    // NSWS_ERR_PERMISSION_DENIED, or 0: for what a surface checks itself, and later.
    int32_t permission();

    // Between connect and open, messages wait, within the bound of the send queue.
    int32_t send(const char *data, std::size_t length);

    // Ends an attempt that has not opened, and no event tells of it. Whether there was one.
    bool abandon();

    // As close_kindly. An attempt that has not opened ends in closed. Without either, code and
    // reason aren't looked at.
    int32_t close(uint32_t code, const char *reason);

    // Ends the connection or attempt; afterwards no event comes, unless connect starts anew.
    // Whether there was anything to end. Outside callbacks it waits for the callback that runs.
    bool destroy();

    // As destroy, and connect is refused from now on.
    bool end();

protected:
    // What happened; on a thread of the library, one at a time. None is called inside a call.
    virtual void answered(const nsws_header_receive_event &) {}
    virtual void opened(const nsws_open_event &event) = 0;
    virtual void received(const nsws_message_event &event) = 0;
    virtual void message_ended() {}
    virtual void failed(const nsws_error_event &event) = 0;
    // `was_open`: whether there was a connection, not just an attempt.
    virtual void closed(const nsws_close_event &event, bool was_open) = 0;

    // The reason as the surface reads it.
    virtual const char *reason_of(uint32_t, const char *reason) const { return reason; }

    // Whether answered and message_ended are wanted.
    virtual bool wants_all_events() const { return false; }

private:
    // `flushing`: it is open, and what has waited is being sent; what is sent meanwhile waits
    // behind it.
    enum class Stage { idle, connecting, flushing, open };

    int32_t start(const char *url, const nsws_connect_options &options, const char *sentence);
    int32_t create();
    nsws_client known_client();
    template <class Event, void (Session::*handle)(nsws_client, const Event &)>
    static void entry(nsws_client client, const Event *event, void *user_data);

    void on_header_receive(nsws_client, const nsws_header_receive_event &event) { answered(event); }
    void on_open(nsws_client client, const nsws_open_event &event);
    void on_message(nsws_client, const nsws_message_event &event) { received(event); }
    void on_data_end(nsws_client, const nsws_data_end_event &) { message_ended(); }
    void on_error(nsws_client client, const nsws_error_event &event);
    void on_close(nsws_client client, const nsws_close_event &event);

    void send_waiting(nsws_client client);
    void attempt_is_over();
    void reset();

    // Recursive: connect asks the platform's hooks under it, and those may call back.
    std::recursive_mutex lock_;
    // Held while what has waited is handed over, and by close, which comes behind it; taken before
    // lock_. Recursive, as above.
    std::recursive_mutex handing_over_;
    // The client of the C ABI; 0 before the first attempt, and after one that was abandoned.
    nsws_client client_{0};
    Stage stage_ = Stage::idle;
    // client_ while it is open: then send needs no lock.
    std::atomic<uint64_t> open_{0};
    // A new attempt can begin before the handler of the old one's last event has the lock: these
    // tell.
    uint32_t started_ = 0;
    uint32_t ended_ = 0;
    bool is_open_ = false;
    bool refuses_ = false;
    std::string sentence_;
    std::deque<std::string> waiting_;
    // What all that has waited since connect costs.
    std::size_t waiting_cost_ = 0;
    std::size_t waiting_most_ = 0;
};

template <class Close>
int32_t close_kindly(uint32_t code, const char *reason, Close close) {
    return close(reason == nullptr ? nsws_rules::NORMAL : nsws_rules::to_send(code), reason);
}

}  // namespace nsws_surface

#endif  // NSWS_SURFACE_SESSION_H
