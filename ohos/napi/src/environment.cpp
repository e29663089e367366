#include "environment.h"

#include "object.h"

namespace {

constexpr size_t SCRATCH = 16u << 10;
// Events delivered before the loop has its turn.
constexpr int MOST_AT_ONCE = 1000;

napi_ref strong(napi_env env, napi_value value) {
    napi_ref reference = nullptr;
    napi_create_reference(env, value, 1, &reference);
    return reference;
}

// The value of a reference, which is deleted.
napi_value taken(napi_env env, napi_ref reference) {
    napi_value value = nullptr;
    if (reference == nullptr) return nullptr;
    napi_get_reference_value(env, reference, &value);
    napi_delete_reference(env, reference);
    return value;
}

}  // namespace

Environment *Environment::create(napi_env env) {
    uv_loop_t *loop = nullptr;
    if (napi_get_uv_event_loop(env, &loop) != napi_ok) return nullptr;
    auto *environment = new Environment(env);
    environment->scratch_.resize(SCRATCH);
    uv_async_init(loop, environment->wake_,
                  [](uv_async_t *wake) { static_cast<Environment *>(wake->data)->deliver(); });
    environment->wake_->data = environment;
    // An environment without open connections may end.
    uv_unref(reinterpret_cast<uv_handle_t *>(environment->wake_));
    environment->queue_ = std::make_shared<Queue>(environment->wake_);
    napi_value resource = js::object(env);
    environment->resource_ = strong(env, resource);
    napi_async_init(env, resource, js::text(env, "net.webSocket"), &environment->context_);
    napi_deferred deferred = nullptr;
    napi_value promise = nullptr;
    napi_create_promise(env, &deferred, &promise);
    napi_resolve_deferred(env, deferred, js::boolean(env, true));
    environment->success_ = strong(env, promise);
    auto gone = [](napi_env, void *data, void *) {
        auto *environment = static_cast<Environment *>(data);
        environment->instance_data_gone_ = true;
        environment->release();
    };
    napi_set_instance_data(env, environment, gone, nullptr);
    napi_add_async_cleanup_hook(env, end, environment, nullptr);
    return environment;
}

Environment *Environment::of(napi_env env) {
    void *environment = nullptr;
    napi_get_instance_data(env, &environment);
    return static_cast<Environment *>(environment);
}

void Environment::end(napi_async_cleanup_hook_handle hook, void *data) {
    auto *environment = static_cast<Environment *>(data);
    environment->ended_ = true;
    environment->queue_->close();
    for (Object *object : environment->objects_)
        object->let_go_of_handle();
    for (; environment->next_ < environment->batch_.size(); environment->next_++) {
        environment->batch_[environment->next_].source->release();
    }
    if (environment->bystander_.id != 0) nsws_client_release(environment->bystander_);
    environment->forget_references();
    struct Closing {
        Environment *environment;
        napi_async_cleanup_hook_handle hook;
    };
    environment->wake_->data = new Closing{environment, hook};
    uv_close(reinterpret_cast<uv_handle_t *>(environment->wake_), [](uv_handle_t *wake) {
        std::unique_ptr<Closing> closing(static_cast<Closing *>(wake->data));
        delete reinterpret_cast<uv_async_t *>(wake);
        napi_remove_async_cleanup_hook(closing->hook);
        closing->environment->is_closed_ = true;
        closing->environment->release();
    });
}

void Environment::forget_references() {
    for (const Completion &completion : completions_) {
        napi_delete_reference(env_, completion.callback);
        if (completion.exception != nullptr) napi_delete_reference(env_, completion.exception);
    }
    completions_.clear();
    if (context_ != nullptr) napi_async_destroy(env_, context_);
    for (napi_ref *reference :
         {&client_class, &server_class, &listeners_key, &resource_, &success_}) {
        if (*reference != nullptr) napi_delete_reference(env_, *reference);
        *reference = nullptr;
    }
}

void Environment::release() {
    if (is_closed_ && instance_data_gone_ && objects_.empty()) delete this;
}

Object *Environment::unwrap(napi_value value) {
    void *object = nullptr;
    if (value == nullptr || napi_unwrap(env_, value, &object) != napi_ok) return nullptr;
    // It may be wrapped by somebody else.
    return objects_.count(static_cast<Object *>(object)) != 0 ? static_cast<Object *>(object)
                                                              : nullptr;
}

void Environment::add(Object *object) {
    objects_.insert(object);
}

void Environment::remove(Object *object) {
    objects_.erase(object);
    release();
}

napi_value Environment::settle(napi_value callback, const Outcome &outcome) {
    if (callback != nullptr) {
        complete({strong(env_, callback), outcome, nullptr});
        return js::undefined(env_);
    }
    napi_value promise = nullptr;
    if (outcome.is_ok()) {
        // All that it says is true, so one does for all.
        napi_get_reference_value(env_, success_, &promise);
        return promise;
    }
    napi_deferred deferred = nullptr;
    if (napi_create_promise(env_, &deferred, &promise) != napi_ok) return nullptr;
    napi_reject_deferred(env_, deferred, error_of(env_, outcome));
    return promise;
}

napi_value Environment::settle_with(napi_value callback, napi_value exception) {
    if (callback != nullptr) {
        // A reference to a primitive can't be had everywhere.
        napi_value holder = js::object(env_);
        js::set(env_, holder, "thrown", exception);
        complete({strong(env_, callback), Outcome(), strong(env_, holder)});
        return js::undefined(env_);
    }
    napi_deferred deferred = nullptr;
    napi_value promise = nullptr;
    if (napi_create_promise(env_, &deferred, &promise) != napi_ok) return nullptr;
    napi_reject_deferred(env_, deferred, exception);
    return promise;
}

void Environment::complete(Completion completion) {
    hold();
    completions_.push_back(std::move(completion));
    queue_->schedule();
}

void Environment::call(napi_value function, size_t count, const napi_value *arguments) {
    napi_value result = nullptr;
    if (napi_call_function(env_, js::undefined(env_), function, count, arguments, &result) ==
        napi_ok)
        return;
    if (napi_value exception = js::take_exception(env_)) napi_fatal_exception(env_, exception);
}

void Environment::hold() {
    if (holders_++ == 0 && !ended_) uv_ref(reinterpret_cast<uv_handle_t *>(wake_));
}

void Environment::let_go() {
    if (--holders_ == 0 && !ended_) uv_unref(reinterpret_cast<uv_handle_t *>(wake_));
}

nsws_client Environment::bystander() {
    if (bystander_.id == 0) nsws_client_create(&bystander_);
    return bystander_;
}

void Environment::deliver() {
    int count = 0;
    while (count < MOST_AT_ONCE && deliver_one())
        count++;
    uncork();
    if (ended_) return;
    bool has_more = count == MOST_AT_ONCE || !completions_.empty() || !queue_->fall_asleep();
    // The loop has its turn first.
    if (has_more) uv_async_send(wake_);
}

void Environment::cork(nsws_client client) {
    if (!is_in_batch()) return;
    for (nsws_client known : corked_clients_) {
        if (known.id == client.id) return;
    }
    if (nsws_client_cork(client) == NSWS_OK) corked_clients_.push_back(client);
}

void Environment::cork(nsws_connection connection) {
    if (!is_in_batch()) return;
    for (nsws_connection known : corked_connections_) {
        if (known.id == connection.id) return;
    }
    if (nsws_connection_cork(connection) == NSWS_OK) corked_connections_.push_back(connection);
}

// One that is over by now is none to send on.
void Environment::uncork() {
    for (nsws_client client : corked_clients_)
        nsws_client_uncork(client);
    for (nsws_connection connection : corked_connections_)
        nsws_connection_uncork(connection);
    corked_clients_.clear();
    corked_connections_.clear();
}

// One event or callback, in a scope of its own: what its promises lead to comes before the next.
// Whether there was one.
bool Environment::deliver_one() {
    if (ended_) return false;
    if (next_ == batch_.size()) {
        batch_.clear();
        next_ = 0;
        if (queue_->take(batch_))
            owed_ = completions_.size();
        else if (completions_.empty())
            return false;
    }
    napi_handle_scope handles = nullptr;
    napi_callback_scope scope = nullptr;
    napi_value resource = nullptr;
    napi_open_handle_scope(env_, &handles);
    napi_get_reference_value(env_, resource_, &resource);
    napi_open_callback_scope(env_, resource, context_, &scope);
    // The callbacks of calls come before later events, and those that make such calls again come
    // after the next.
    if (!completions_.empty() && (owed_ > 0 || !is_in_batch())) {
        if (owed_ > 0) owed_--;
        Completion completion = std::move(completions_.front());
        completions_.pop_front();
        run(std::move(completion));
    } else {
        run(std::move(batch_[next_++]));
        owed_ = completions_.size();
    }
    if (scope != nullptr) napi_close_callback_scope(env_, scope);
    if (napi_value exception = js::take_exception(env_)) napi_fatal_exception(env_, exception);
    napi_close_handle_scope(env_, handles);
    return true;
}

void Environment::run(Completion completion) {
    napi_value callback = taken(env_, completion.callback);
    napi_value arguments[] = {js::undefined(env_), js::boolean(env_, true)};
    size_t count = 2;
    if (napi_value holder = taken(env_, completion.exception)) {
        arguments[0] = js::get(env_, holder, "thrown");
        count = 1;
    } else if (!completion.outcome.is_ok()) {
        arguments[0] = error_of(env_, completion.outcome);
        count = 1;
    }
    let_go();
    if (callback != nullptr) call(callback, count, arguments);
}

void Environment::run(Event event) {
    Source *source = event.source;
    if (event.flow != nullptr) event.flow->drain(event.length);
    // What its listeners forget may be collected while they run: not before the event has been
    // delivered.
    if (source->object != nullptr && source->object->value() != nullptr)
        source->object->deliver(event);
    source->release();
}
