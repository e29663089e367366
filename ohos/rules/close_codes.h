// Close codes (RFC 6455 7.4): which a program may send, and how NetStack's programs see those that
// nobody sent.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nsws_rules {

constexpr uint16_t NORMAL = 1000;
// The peer's close frame had no code.
constexpr uint16_t NO_STATUS = 1005;
// There was no close frame.
constexpr uint16_t ABNORMAL = 1006;
// A callback of the program has failed.
constexpr uint16_t CALLBACK_FAILED = 1011;

// The longest reason, in bytes.
constexpr std::size_t MOST_REASON = 123;

constexpr bool may_be_sent(double code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

// A code that may be sent; any other is sent as 1000.
constexpr uint16_t to_send(double code) {
    return may_be_sent(code) && code == static_cast<uint16_t>(code) ? static_cast<uint16_t>(code)
                                                                    : NORMAL;
}

// A received code: without one, the connection was closed normally.
constexpr uint16_t seen(uint16_t code) {
    return code == NO_STATUS ? NORMAL : code;
}

}  // namespace nsws_rules
