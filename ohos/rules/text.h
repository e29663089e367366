// Rules of text: what a C string can't hold, how names are written, and which bytes are text.
#pragma once

#include <netstack_websocket.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace nsws_rules {

// A NUL would hide what follows it.
inline bool has_nul(std::string_view text) {
    return text.find('\0') != std::string_view::npos;
}

// A path that no file has, in place of one that holds a NUL: the library refuses it when files have
// their turn.
constexpr const char *NO_FILE = "/dev/null/";

// ASCII letters alone, whatever the locale.
inline std::string lower_case(std::string text) {
    for (char &letter : text) {
        if (letter >= 'A' && letter <= 'Z') {
            letter = static_cast<char>(letter - 'A' + 'a');
        }
    }
    return text;
}

// "ws://" and nothing else, which fails in a way of its own in JavaScript.
inline bool is_bare_scheme(const std::string &url) {
    // A longer one may hold a password, and is not copied.
    const std::string lower = url.size() > 6 ? "" : lower_case(url);
    return lower == "ws://" || lower == "wss://";
}

// Sends bytes as text when they hold no NUL and are UTF-8, else as binary. `text` and `binary` do
// the sending.
template <class Text, class Binary>
int32_t send_by_content(const char *data, size_t length, Text text, Binary binary) {
    if (!has_nul({data, length})) {
        const int32_t code = text(data, length);
        // 401: not UTF-8, or too large, which it is as binary as well.
        if (code != NSWS_ERR_PARAMETER) {
            return code;
        }
    }
    return binary(data, length);
}

}  // namespace nsws_rules
