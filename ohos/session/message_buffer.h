// The string that a message is given to a callback in, kept from one message to the next.

#ifndef NSWS_SURFACE_MESSAGE_BUFFER_H
#define NSWS_SURFACE_MESSAGE_BUFFER_H

#include <cstddef>
#include <mutex>
#include <string>

#include "netstack_websocket.h"

namespace nsws_surface {

class MessageBuffer {
public:
    // Calls with the message as a string: writable, with a NUL behind it. Callbacks of a connection
    // that was destroyed and of its successor may use this at the same time.
    template <class Use>
    void lend(const nsws_message_event &event, Use use) {
        std::string message;
        {
            const std::lock_guard<std::mutex> guard(lock_);
            message.swap(kept_);
        }
        message.assign(reinterpret_cast<const char *>(event.data), event.length);
        use(message);
        if (message.capacity() <= MOST_KEPT) {
            const std::lock_guard<std::mutex> guard(lock_);
            message.swap(kept_);
        }
    }

private:
    static constexpr std::size_t MOST_KEPT = 64u << 10;

    std::mutex lock_;
    std::string kept_;
};

}  // namespace nsws_surface

#endif  // NSWS_SURFACE_MESSAGE_BUFFER_H
