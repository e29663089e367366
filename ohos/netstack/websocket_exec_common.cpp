#include "websocket_exec_common.h"

#include <cstring>
#include <mutex>

#include "constant.h"
#include "napi_utils.h"
#include "netstack_common_utils.h"

namespace OHOS::NetStack::Websocket {
void UserData::Post(Event event) {
    Put({std::move(event)});
}

void UserData::PostMessage(Event event, uint64_t connection, size_t bytes) {
    Put({std::move(event), flows.find(connection), bytes});
}

void UserData::PostLast(Event event, uint64_t connection) {
    Put({std::move(event), nullptr, 0, connection});
}

void UserData::Put(Waiting waiting) {
    auto manager = manager_.lock();
    if (manager == nullptr || !NapiUtils::IsEnvValid(manager->env_)) {
        return;
    }
    nsws_rules::Flow *flow = waiting.flow;
    bool sleeps = false;
    if (flow != nullptr) {
        flow->fill(waiting.bytes);
    }
    events_.push(waiting, sleeps);
    if (flow != nullptr) {
        flow->filled();
    }
    if (sleeps) {
        Wake(*manager);
        events_.woken();
    }
}

void UserData::Wake(EventManager &manager) {
    NapiUtils::CreateUvQueueWorkEnhanced(
        manager.env_, new std::shared_ptr<UserData>(shared_from_this()), Deliver);
}

void UserData::Deliver(napi_env env, napi_status, void *data) {
    std::unique_ptr<std::shared_ptr<UserData>> held(static_cast<std::shared_ptr<UserData> *>(data));
    UserData &self = **held;
    auto manager = self.manager_.lock();
    std::vector<Waiting> batch;
    self.events_.take(batch);
    for (const Waiting &waiting : batch) {
        if (manager == nullptr || !NapiUtils::IsEnvValid(env)) {
            return;
        }
        if (waiting.flow != nullptr) {
            waiting.flow->drain(waiting.bytes);
        }
        napi_handle_scope scope = NapiUtils::OpenScope(env);
        waiting.deliver(env, *manager);
        // A listener's exception must not hold back what follows.
        bool pending = false;
        napi_value exception = nullptr;
        if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
            napi_get_and_clear_last_exception(env, &exception) == napi_ok) {
            napi_fatal_exception(env, exception);
        }
        NapiUtils::CloseScope(env, scope);
        if (waiting.ends != 0) {
            self.flows.remove(waiting.ends);
        }
    }
    if (manager != nullptr && !self.events_.fall_asleep()) {
        self.Wake(*manager);
    }
}

bool HasPermission(BaseContext &context) {
    if (CommonUtils::HasInternetPermission()) {
        return true;
    }
    context.SetPermissionDenied(true);
    return false;
}

std::shared_ptr<UserData> Known(BaseContext &context) {
    auto manager = HasPermission(context) ? context.GetSharedManager() : nullptr;
    return manager == nullptr ? nullptr : manager->GetWebSocketUserData();
}

std::shared_ptr<UserData>
KnownOrMade(BaseContext &context,
            std::shared_ptr<UserData> (*make)(const std::shared_ptr<EventManager> &)) {
    auto manager = context.GetSharedManager();
    if (manager == nullptr) {
        return nullptr;
    }
    // Two calls may run at once.
    static std::mutex mutex;
    std::lock_guard<std::mutex> lock(mutex);
    auto self = manager->GetWebSocketUserData();
    if (self == nullptr && (self = make(manager)) != nullptr) {
        manager->SetWebSocketUserData(self);
    }
    return self;
}

napi_value Succeeded(BaseContext *context) {
    return context == nullptr ? nullptr : NapiUtils::GetBoolean(context->GetEnv(), true);
}

napi_value SucceededLast(BaseContext *context) {
    if (auto manager = context == nullptr ? nullptr : context->GetSharedManager()) {
        manager->DeleteEventReference(context->GetEnv());
    }
    return Succeeded(context);
}

bool Report(BaseContext &context, int32_t code) {
    switch (code) {
    case NSWS_OK:
        return true;
    case NSWS_ERR_PERMISSION_DENIED:
        context.SetPermissionDenied(true);
        return false;
    case NSWS_ERR_DOMAIN_NOT_ALLOWED:
        context.SetNoAllowedHost(true);
        return false;
    case NSWS_ERR_BAD_HANDLE:
    case NSWS_ERR_NOT_CONNECTED:
    case NSWS_ERR_QUEUE_FULL:
        // The context has a code of its own for these.
        return false;
    default:
        // Those that the layer doesn't know, it shows as 2302999.
        context.SetErrorCode(code);
        return false;
    }
}

UserData::Event ErrorEvent(int32_t code, const std::string &message, int32_t httpStatus) {
    return [code, message, httpStatus](napi_env env, EventManager &manager) {
        napi_value error = NapiUtils::CreateObject(env);
        NapiUtils::SetInt32Property(env, error, "code", code);
        NapiUtils::SetStringPropertyUtf8(env, error, "message", message);
        NapiUtils::SetStringPropertyUtf8(env, error, "data", std::to_string(httpStatus));
        manager.Emit(EventName::EVENT_ERROR, {NapiUtils::GetUndefined(env), error});
    };
}

napi_value TextValue(napi_env env, const std::string &text) {
    napi_value value = nullptr;
    napi_create_string_utf8(env, text.data(), text.size(), &value);
    return value;
}

napi_value MessageValue(napi_env env, const std::string &data, bool isText) {
    if (isText) {
        return TextValue(env, data);
    }
    void *bytes = nullptr;
    napi_value value = NapiUtils::CreateArrayBuffer(env, data.size(), &bytes);
    if (bytes != nullptr && !data.empty()) {
        std::memcpy(bytes, data.data(), data.size());
    }
    return value;
}

uint32_t CloseCode(uint16_t code) {
    return nsws_rules::seen(code);
}
}  // namespace OHOS::NetStack::Websocket
