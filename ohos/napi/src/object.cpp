#include "object.h"

Object::Object(Environment &environment, const Names &names)
    : environment_(environment), names_(names), source_(new Source(environment.queue())),
      listeners_(names.size()) {
    source_->object = this;
    environment_.add(this);
}

Object::~Object() {
    source_->object = nullptr;
    source_->release();
    if (is_holding_) environment_.let_go();
    for (Listeners &listeners : listeners_) {
        for (auto &listener : listeners)
            napi_delete_reference(env(), listener->function);
    }
    if (self_ != nullptr) napi_delete_reference(env(), self_);
    // May end the environment.
    environment_.remove(this);
}

bool Object::attach(napi_value self) {
    auto finalize = [](napi_env, void *data, void *) {
        auto *object = static_cast<Object *>(data);
        object->let_go_of_handle();
        delete object;
    };
    napi_value key = nullptr;
    napi_get_reference_value(env(), environment_.listeners_key, &key);
    const napi_property_descriptor hidden = {
        nullptr, key, nullptr, nullptr, nullptr, js::undefined(env()), napi_writable, nullptr};
    return napi_define_properties(env(), self, 1, &hidden) == napi_ok &&
           napi_create_reference(env(), self, 0, &self_) == napi_ok &&
           napi_wrap(env(), self, this, finalize, nullptr, nullptr) == napi_ok;
}

napi_value Object::value() const {
    napi_value value = nullptr;
    napi_get_reference_value(env(), self_, &value);
    return value;
}

void Object::update() {
    bool holding = is_active();
    if (holding != is_holding_) {
        is_holding_ = holding;
        holding ? environment_.hold() : environment_.let_go();
    }
    bool strong = holding && listener_count_ > 0;
    if (strong != is_strong_) {
        is_strong_ = strong;
        uint32_t count = 0;
        strong ? napi_reference_ref(env(), self_, &count)
               : napi_reference_unref(env(), self_, &count);
    }
}

void Object::emit(size_t event, size_t count, const napi_value *arguments) {
    const Listeners &listeners = listeners_[event];
    napi_value function = nullptr;
    if (listeners.size() == 1) {
        if (napi_get_reference_value(env(), listeners[0]->function, &function) == napi_ok &&
            function != nullptr) {
            environment_.call(function, count, arguments);
        }
        return;
    }
    // Those that are registered now, less those that are removed before their turn.
    const Listeners now = listeners;
    for (const auto &listener : now) {
        if (listener->removed) continue;
        if (napi_get_reference_value(env(), listener->function, &function) == napi_ok &&
            function != nullptr) {
            environment_.call(function, count, arguments);
        }
    }
}

void Object::add_listener(size_t event, napi_value function) {
    for (const auto &listener : listeners_[event]) {
        napi_value known = nullptr;
        bool same = false;
        napi_get_reference_value(env(), listener->function, &known);
        if (known != nullptr && napi_strict_equals(env(), known, function, &same) == napi_ok &&
            same)
            return;
    }
    auto listener = std::make_shared<Listener>();
    if (napi_create_reference(env(), function, 0, &listener->function) != napi_ok) return;
    listeners_[event].push_back(std::move(listener));
    listener_count_++;
    keep_listeners();
}

void Object::remove_listeners(size_t event, napi_value function) {
    Listeners kept;
    for (auto &listener : listeners_[event]) {
        napi_value known = nullptr;
        bool same = function == nullptr;
        if (!same) {
            napi_get_reference_value(env(), listener->function, &known);
            if (known != nullptr) napi_strict_equals(env(), known, function, &same);
        }
        if (!same) {
            kept.push_back(std::move(listener));
            continue;
        }
        listener->removed = true;
        napi_delete_reference(env(), listener->function);
        listener_count_--;
    }
    listeners_[event] = std::move(kept);
    keep_listeners();
}

void Object::keep_listeners() {
    napi_value self = nullptr, key = nullptr, functions = nullptr;
    uint32_t length = 0;
    napi_get_reference_value(env(), self_, &self);
    napi_get_reference_value(env(), environment_.listeners_key, &key);
    napi_create_array_with_length(env(), listener_count_, &functions);
    for (const Listeners &listeners : listeners_) {
        for (const auto &listener : listeners) {
            napi_value function = nullptr;
            napi_get_reference_value(env(), listener->function, &function);
            if (function != nullptr) napi_set_element(env(), functions, length++, function);
        }
    }
    if (self != nullptr) napi_set_property(env(), self, key, functions);
    update();
}

// on() and off() are the only ones to throw.
Object *Object::subject(napi_env env, napi_callback_info info, napi_value *listener,
                        size_t &event) {
    Arguments arguments(env, info);
    auto *object = receiver<Object>(env, arguments.self);
    if (object == nullptr) return nullptr;
    std::string name = js::as_string(env, arguments.values[0]).value_or("");
    for (event = 0; event < object->names_.size(); event++) {
        if (object->names_[event] == name) break;
    }
    bool given = arguments.count > 1 && js::type_of(env, arguments.values[1]) != napi_undefined;
    *listener = given ? arguments.values[1] : nullptr;
    bool fits =
        event < object->names_.size() && (*listener == nullptr || js::is_function(env, *listener));
    if (fits) return object;
    napi_throw(
        env,
        error_of(
            env,
            wrong_parameter(
                "on() takes an event's name and a function, off() the same or the name alone.")));
    return nullptr;
}

napi_value Object::on(napi_env env, napi_callback_info info) {
    napi_value function = nullptr;
    size_t event = 0;
    if (Object *object = subject(env, info, &function, event)) {
        if (function != nullptr) {
            object->add_listener(event, function);
        } else {
            napi_throw(env, error_of(env, wrong_parameter("on() needs a function.")));
        }
    }
    return js::undefined(env);
}

napi_value Object::off(napi_env env, napi_callback_info info) {
    napi_value function = nullptr;
    size_t event = 0;
    if (Object *object = subject(env, info, &function, event))
        object->remove_listeners(event, function);
    return js::undefined(env);
}
