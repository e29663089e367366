// Listeners that share an object: it outlives the last callback.

#ifndef NSWS_SURFACE_LISTEN_H
#define NSWS_SURFACE_LISTEN_H

#include <memory>

#include "netstack_websocket.h"

namespace nsws_surface {

// Registers a listener whose user_data is a share of the object.
template <class Handle, class Function, class Object>
int32_t listen(int32_t (*on)(Handle, Function, void *, nsws_free_fn), Handle handle,
               Function function, const std::shared_ptr<Object> &object) {
    auto share = std::make_unique<std::shared_ptr<Object>>(object);
    const int32_t code = on(handle, function, share.get(), [](void *held) {
        delete static_cast<std::shared_ptr<Object> *>(held);
    });
    if (code == NSWS_OK) {
        (void)share.release();
    }
    return code;
}

template <class Object>
Object &shared_object(void *user_data) {
    return **static_cast<std::shared_ptr<Object> *>(user_data);
}

}  // namespace nsws_surface

#endif  // NSWS_SURFACE_LISTEN_H
