// What these headers take from libwebsockets and from OpenHarmony, where that is not there. A
// program and the library must see the same: build both with the same include path.

#ifndef COMMUNICATIONNETSTACK_WEBSOCKET_SHIMS_H
#define COMMUNICATIONNETSTACK_WEBSOCKET_SHIMS_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#if __has_include(<libwebsockets.h>)
#include <libwebsockets.h>
#else
// The close codes of RFC 6455, under the names that programs use.
enum lws_close_status {
    LWS_CLOSE_STATUS_NOSTATUS = 0,
    LWS_CLOSE_STATUS_NORMAL = 1000,
    LWS_CLOSE_STATUS_GOINGAWAY = 1001,
    LWS_CLOSE_STATUS_PROTOCOL_ERR = 1002,
    LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE = 1003,
    LWS_CLOSE_STATUS_RESERVED = 1004,
    LWS_CLOSE_STATUS_NO_STATUS = 1005,
    LWS_CLOSE_STATUS_ABNORMAL_CLOSE = 1006,
    LWS_CLOSE_STATUS_INVALID_PAYLOAD = 1007,
    LWS_CLOSE_STATUS_POLICY_VIOLATION = 1008,
    LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE = 1009,
    LWS_CLOSE_STATUS_EXTENSION_REQUIRED = 1010,
    LWS_CLOSE_STATUS_UNEXPECTED_CONDITION = 1011,
    LWS_CLOSE_STATUS_TLS_FAILURE = 1015,
    LWS_CLOSE_STATUS_CLIENT_TRANSACTION_DONE = 2000,
    LWS_CLOSE_STATUS_NOSTATUS_CONTEXT_DESTROY = 9999
};

enum lws_write_protocol {
    LWS_WRITE_TEXT = 0,
    LWS_WRITE_BINARY = 1,
    LWS_WRITE_CONTINUATION = 2,
    LWS_WRITE_HTTP = 3
};
#endif

#if __has_include("secure_char.h")
#include "secure_char.h"
#else
namespace OHOS::NetStack::Secure {

// A string that wipes its memory when it ends.
class SecureChar {
public:
    SecureChar() : SecureChar(std::string()) {}
    explicit SecureChar(const std::string &text)
        : SecureChar(reinterpret_cast<const uint8_t *>(text.data()), text.size()) {}
    SecureChar(const uint8_t *text, size_t length)
        : length_(length), data_(std::make_unique<char[]>(length + 1)) {
        std::copy_n(text, length, data_.get());
    }
    SecureChar(const SecureChar &other)
        : SecureChar(reinterpret_cast<const uint8_t *>(other.Data()), other.Length()) {}
    SecureChar &operator=(const SecureChar &other) {
        SecureChar copy(other);
        std::swap(length_, copy.length_);
        data_.swap(copy.data_);
        return *this;
    }
    ~SecureChar() {
        // Volatile, or the compiler would see that nobody reads it again.
        volatile char *bytes = data_.get();
        for (size_t i = 0; i < length_; i++) {
            bytes[i] = 0;
        }
    }

    const char *Data() const { return data_.get(); }
    size_t Length() const { return length_; }

private:
    size_t length_;
    std::unique_ptr<char[]> data_;
};

}  // namespace OHOS::NetStack::Secure
#endif

#if __has_include("netstack_log.h")
#include "netstack_log.h"
#else
// Errors go to the standard error output, the rest nowhere. hilog's "%{public}s" reads "%s".
#define NETSTACK_LOGE(format, ...) OHOS::NetStack::ShimLog(format, ##__VA_ARGS__)
#define NETSTACK_LOGI(format, ...) ((void)0)
#define NETSTACK_LOGD(format, ...) ((void)0)

namespace OHOS::NetStack {

template <class... Values>
void ShimLog(const char *format, Values... values) {
    std::string plain = "NETSTACK: ";
    for (const char *next = format; *next != '\0'; next++) {
        const bool annotation = next != format && next[-1] == '%' && *next == '{';
        const char *end = annotation ? std::strchr(next, '}') : nullptr;
        next = end != nullptr ? end : next;
        if (end == nullptr) {
            plain += *next;
        }
    }
    plain += '\n';
    if constexpr (sizeof...(values) == 0) {
        std::fputs(plain.c_str(), stderr);
    } else {
        // The format is the program's own, with its annotations taken out.
        std::fprintf(stderr, plain.c_str(), values...);
    }
}

}  // namespace OHOS::NetStack
#endif

#endif  // COMMUNICATIONNETSTACK_WEBSOCKET_SHIMS_H
