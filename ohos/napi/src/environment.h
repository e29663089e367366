// One JavaScript environment (the main thread, a Worker): its queue, its objects, and what keeps it
// running.
#pragma once

#include <deque>
#include <memory>
#include <unordered_set>
#include <vector>

#include "js.h"
#include "outcome.h"
#include "queue.h"

class Object;

class Environment {
public:
    // Makes the environment's part of the module; `exports` gets nothing yet. Null when it can't.
    static Environment *create(napi_env env);
    static Environment *of(napi_env env);

    // The object that a method was called on, or null when it is none of this module's.
    Object *unwrap(napi_value value);
    // Objects are known here from their construction to their finaliser, which may run when the
    // environment is gone.
    void add(Object *object);
    void remove(Object *object);

    // Ends a call: through the callback, in a turn of its own, or else by the promise that is
    // returned.
    napi_value settle(napi_value callback, const Outcome &outcome);
    napi_value settle_with(napi_value callback, napi_value exception);
    // Calls JavaScript; an exception is reported as uncaught, as an event's has nowhere else to go.
    void call(napi_value function, size_t count, const napi_value *arguments);

    // A message is about to be sent on this: those that are sent while events are delivered go out
    // together.
    void cork(nsws_client client);
    void cork(nsws_connection connection);

    // While somebody holds it, the event loop goes on.
    void hold();
    void let_go();

    // A client that never connects: it is asked in place of one whose connection JavaScript doesn't
    // know of yet, or no longer, since it answers with what comes before the state: wrong
    // parameters, no permission.
    nsws_client bystander();

    napi_env env() const { return env_; }
    const std::shared_ptr<Queue> &queue() const { return queue_; }
    // Where a string is put to be sent.
    std::vector<char> &scratch() { return scratch_; }

    napi_ref client_class = nullptr;
    napi_ref server_class = nullptr;
    // The property that holds an object's listeners.
    napi_ref listeners_key = nullptr;

private:
    explicit Environment(napi_env env) : env_(env) {}
    ~Environment() = default;

    // A callback of a call, to be called in a turn of its own.
    struct Completion {
        napi_ref callback;
        Outcome outcome;
        napi_ref exception;
    };

    static void end(napi_async_cleanup_hook_handle hook, void *environment);
    // More events follow in this turn of the loop.
    bool is_in_batch() const { return next_ < batch_.size(); }
    void deliver();
    void uncork();
    bool deliver_one();
    void run(Completion completion);
    void run(Event event);
    void complete(Completion completion);
    void forget_references();
    void release();

    const napi_env env_;
    std::shared_ptr<Queue> queue_;
    // The event loop's: freed when the loop has closed it.
    uv_async_t *const wake_ = new uv_async_t;
    napi_async_context context_ = nullptr;
    napi_ref resource_ = nullptr;
    // A promise that is resolved to true.
    napi_ref success_ = nullptr;
    size_t holders_ = 0;
    std::deque<Completion> completions_;
    std::vector<Event> batch_;
    size_t next_ = 0;
    // So many completions come before the next event.
    size_t owed_ = 0;
    // What is corked while events are delivered: few, so that looking through them is quick.
    std::vector<nsws_client> corked_clients_;
    std::vector<nsws_connection> corked_connections_;
    std::unordered_set<Object *> objects_;
    std::vector<char> scratch_;
    nsws_client bystander_{};
    // Its end has begun; the loop has closed the handle; Node has forgotten it.
    bool ended_ = false;
    bool is_closed_ = false;
    bool instance_data_gone_ = false;
};
