// What a client and a server have in common as JavaScript objects: their listeners, and how long
// they live.
//
// The functions that listen belong to the JavaScript object (a hidden property holds them), and
// this side only knows them: so a listener that refers to its own object is no leak. What keeps an
// unreachable object alive is that something can still happen to it that somebody listens to; see
// update().
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "environment.h"

class Object {
public:
    // The events of a class; their places are their numbers.
    using Names = std::vector<std::string_view>;

    Object(Environment &environment, const Names &names);
    virtual ~Object();
    Object(const Object &) = delete;

    // Makes `self`, under construction, this object's, and this object `self`'s.
    bool attach(napi_value self);

    // The JavaScript object, held by the scope that is open; null when it has been collected and
    // only its end is to come.
    napi_value value() const;

    // An event, on its own thread.
    virtual void deliver(Event &event) = 0;
    // Gives the library's object up, without waiting.
    virtual void let_go_of_handle() = 0;

    static napi_value on(napi_env env, napi_callback_info info);
    static napi_value off(napi_env env, napi_callback_info info);

protected:
    // Whether the connection, or the server, lives: it keeps the event loop running.
    virtual bool is_active() const = 0;
    // To be called when is_active() may have changed.
    void update();

    bool has_listeners(size_t event) const { return !listeners_[event].empty(); }
    // Calls the listeners of an event, in the order of their registration.
    void emit(size_t event, size_t count, const napi_value *arguments);

    napi_env env() const { return environment_.env(); }
    Environment &environment() const { return environment_; }
    Source *source() const { return source_; }

private:
    struct Listener {
        napi_ref function;
        bool removed = false;
    };
    using Listeners = std::vector<std::shared_ptr<Listener>>;

    static Object *subject(napi_env env, napi_callback_info info, napi_value *arguments,
                           size_t &event);
    void add_listener(size_t event, napi_value function);
    void remove_listeners(size_t event, napi_value function);
    void keep_listeners();

    Environment &environment_;
    const Names &names_;
    Source *const source_;
    napi_ref self_ = nullptr;
    std::vector<Listeners> listeners_;
    size_t listener_count_ = 0;
    bool is_strong_ = false;
    bool is_holding_ = false;
};

// The object that a method was called on, if it is a T; else the call has thrown.
template <typename T>
T *receiver(napi_env env, napi_value self) {
    Environment *environment = Environment::of(env);
    auto *object = environment == nullptr ? nullptr : dynamic_cast<T *>(environment->unwrap(self));
    if (object == nullptr)
        napi_throw(env, js::error(env, NSWS_ERR_PARAMETER, nsws_error_message(NSWS_ERR_PARAMETER)));
    return object;
}

// A call's arguments: those that are missing are undefined.
struct Arguments {
    static constexpr size_t MOST = 3;

    Arguments(napi_env env, napi_callback_info info) {
        count = MOST;
        napi_get_cb_info(env, info, &count, values, &self, nullptr);
        if (count > MOST) count = MOST;
    }

    // The last argument, if it is a function.
    napi_value callback(napi_env env) const {
        return count > 0 && js::is_function(env, values[count - 1]) ? values[count - 1] : nullptr;
    }

    // How many there are beside the callback. Without one, those behind the first `least` may be
    // null or undefined: as if they weren't there.
    size_t others(napi_env env, napi_value callback, size_t least) const {
        if (callback != nullptr) return count - 1;
        size_t number = count;
        while (number > least && js::is_absent(env, values[number - 1]))
            number--;
        return number;
    }

    napi_value self = nullptr;
    napi_value values[MOST] = {};
    size_t count = 0;
};
