// Keeps C++ exceptions where they may be: none leaves a callback of the library or an exported C
// function.
#pragma once

namespace nsws_rules {

// Runs the body; when it throws, runs `thrown` instead of its rest. Programs built without
// exceptions have none.
template <class Body, class Thrown>
auto contain(Body body, Thrown thrown) noexcept -> decltype(body()) {
#if defined(__cpp_exceptions)
    try {
        return body();
    } catch (...) {
        return thrown();
    }
#else
    (void)thrown;
    return body();
#endif
}

}  // namespace nsws_rules
