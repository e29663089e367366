#include "websocket_exec_common.h"

#include <algorithm>
#include <cstring>

#include "constant.h"
#include "napi_utils.h"
#include "rules/close_codes.h"

namespace OHOS::NetStack::Websocket {
namespace {
constexpr size_t MOST_EVENTS = 4096;
constexpr size_t MOST_BYTES = 4 << 20;
} // namespace

void UserData::Post(Event event, uint64_t connection, size_t bytes)
{
    auto manager = manager_.lock();
    if (manager == nullptr || !NapiUtils::IsEnvValid(manager->env_)) {
        return;
    }
    std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(event));
    bytes_ += bytes;
    bool full = waiting_.size() >= MOST_EVENTS || bytes_ >= MOST_BYTES;
    if (full && connection != 0 && std::find(paused_.begin(), paused_.end(), connection) == paused_.end()) {
        paused_.push_back(connection);
        pause_(connection);
    }
    if (waiting_.size() == 1) {
        NapiUtils::CreateUvQueueWorkEnhanced(manager->env_, new std::shared_ptr<UserData>(shared_from_this()), Deliver);
    }
}

std::vector<UserData::Event> UserData::TakeAll()
{
    std::lock_guard<std::mutex> lock(mutex_);
    for (uint64_t connection : paused_) {
        resume_(connection);
    }
    paused_.clear();
    bytes_ = 0;
    return std::exchange(waiting_, {});
}

void UserData::Deliver(napi_env env, napi_status, void *data)
{
    std::unique_ptr<std::shared_ptr<UserData>> self(static_cast<std::shared_ptr<UserData> *>(data));
    auto manager = (*self)->manager_.lock();
    for (const Event &event : (*self)->TakeAll()) {
        if (manager == nullptr || !NapiUtils::IsEnvValid(env)) {
            return;
        }
        napi_handle_scope scope = NapiUtils::OpenScope(env);
        event(env, *manager);
        // A listener's exception must not hold back what follows.
        bool pending = false;
        napi_value exception = nullptr;
        if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
            napi_get_and_clear_last_exception(env, &exception) == napi_ok) {
            napi_fatal_exception(env, exception);
        }
        NapiUtils::CloseScope(env, scope);
    }
}

bool Report(BaseContext &context, int32_t code)
{
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

UserData::Event ErrorEvent(int32_t code, const std::string &message, int32_t httpStatus)
{
    return [code, message, httpStatus](napi_env env, EventManager &manager) {
        napi_value error = NapiUtils::CreateObject(env);
        NapiUtils::SetInt32Property(env, error, "code", code);
        NapiUtils::SetStringPropertyUtf8(env, error, "message", message);
        NapiUtils::SetStringPropertyUtf8(env, error, "data", std::to_string(httpStatus));
        manager.Emit(EventName::EVENT_ERROR, {NapiUtils::GetUndefined(env), error});
    };
}

napi_value MessageValue(napi_env env, const std::string &data, bool isText)
{
    if (isText) {
        return NapiUtils::CreateStringUtf8(env, data);
    }
    void *bytes = nullptr;
    napi_value value = NapiUtils::CreateArrayBuffer(env, data.size(), &bytes);
    if (bytes != nullptr && !data.empty()) {
        std::memcpy(bytes, data.data(), data.size());
    }
    return value;
}

uint32_t CloseCode(uint16_t code)
{
    return nsws_rules::seen(code);
}
} // namespace OHOS::NetStack::Websocket
