// NetStack's C++ client: websocket_client_innerapi.h over the session that the C surface uses as
// well.

#include "websocket_client_innerapi.h"

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "../rules/contain.h"
#include "../rules/limits.h"
#include "../rules/text.h"
#include "message_buffer.h"
#include "session.h"

namespace OHOS::NetStack::WebSocketClient {

using nsws_rules::contain;
using nsws_rules::has_nul;
using nsws_surface::Session;

namespace {

// Results of the Ex functions beside the codes of WebSocketErrorCode.
constexpr int NO_CONNECTION = -1;

// NULL for an empty one, whose Data() the platform's own class doesn't end with a NUL.
const char *Text(const Secure::SecureChar &secret) {
    return secret.Length() == 0 ? nullptr : secret.Data();
}

}  // namespace

// The client's session. It outlives the client when that is deleted inside a callback.
class WebSocketClient::Link final : public Session {
public:
    explicit Link(WebSocketClient *client) : client_(client) {}

    // Uses what the client knows, in its turn. The program's own use of it is not ours to guard.
    template <class Use>
    auto With(ClientContext &context, Use use) {
        const std::lock_guard<std::mutex> guard(lock_);
        return use(context);
    }

    // The client is being deleted.
    void Forget() {
        const std::lock_guard<std::mutex> guard(lock_);
        client_ = nullptr;
    }

protected:
    bool wants_all_events() const override { return true; }

    const char *reason_of(uint32_t code, const char *reason) const override {
        return nsws_surface::readable_reason(code, reason);
    }

    void answered(const nsws_header_receive_event &event) override {
        std::map<std::string, std::string> headers;
        for (std::size_t i = 0; i < event.header_count; i++) {
            std::string &value = headers[nsws_rules::lower_case(event.headers[i].name)];
            value += (value.empty() ? "" : ", ") + std::string(event.headers[i].value);
        }
        Call(
            &WebSocketClient::onHeaderReceiveCallback_, [](ClientContext &) {}, headers);
    }

    void opened(const nsws_open_event &event) override {
        const OpenResult result{static_cast<unsigned int>(event.status), event.message};
        Call(
            &WebSocketClient::onOpenCallback_,
            [&](ClientContext &context) {
                context.openStatus = result.status;
                context.openMessage = result.message;
            },
            result);
    }

    void received(const nsws_message_event &event) override {
        message_.lend(event, [this](const std::string &message) {
            Call(
                &WebSocketClient::onMessageCallback_, [](ClientContext &) {}, message,
                message.size());
        });
    }

    void message_ended() override {
        Call(&WebSocketClient::onDataEndCallback_, [](ClientContext &) {});
    }

    void failed(const nsws_error_event &event) override {
        Call(
            &WebSocketClient::onErrorCallback_, [](ClientContext &) {},
            ErrorResult{nsws_surface::error_code(event), event.message});
    }

    void closed(const nsws_close_event &event, bool was_open) override {
        CloseResult result{event.code, event.reason};
        if (was_open) {
            const nsws_surface::CloseSeen seen = nsws_surface::seen(event);
            result = {seen.code, seen.reason};
        }
        Call(
            &WebSocketClient::onCloseCallback_,
            [&](ClientContext &context) {
                context.openStatus = 0;
                context.closeStatus = static_cast<lws_close_status>(result.code);
                context.closeReason = result.reason;
            },
            result);
    }

private:
    // Notes what the client should know, and calls the callback that it has now.
    template <class Callback, class Note, class... Values>
    void Call(std::atomic<Callback> WebSocketClient::*member, Note note, Values &&...values) {
        WebSocketClient *client = nullptr;
        Callback callback = nullptr;
        {
            const std::lock_guard<std::mutex> guard(lock_);
            if (client_ == nullptr) {
                return;
            }
            client = client_;
            callback = client->*member;
            note(*client->context_);
        }
        if (callback != nullptr) {
            callback(client, std::forward<Values>(values)...);
        }
    }

    // Guards client_ and its context.
    std::mutex lock_;
    WebSocketClient *client_;
    nsws_surface::MessageBuffer message_;
};

WebSocketClient::WebSocketClient()
    : context_(std::make_unique<ClientContext>()), link_(std::make_shared<Link>(this)) {
    static std::atomic<int> last_id{0};
    context_->SetClientId(++last_id);
}

WebSocketClient::~WebSocketClient() {
    link_->Forget();
    link_->end();
}

ClientContext *WebSocketClient::GetClientContext() const {
    return context_.get();
}

// What an attempt is made with, copied: another thread may begin the next.
struct WebSocketClient::Settings {
    std::map<std::string, std::string> header;
    std::string caPath, clientCert, proxyHost, proxyExclusions;
    Secure::SecureChar clientKey, keyPassword;
    WebsocketProxyType proxyType = WebsocketProxyType::USE_SYSTEM;
    int32_t proxyPort = 0;

    explicit Settings(const ClientContext &context)
        : header(context.header), caPath(context.caPath), clientCert(context.clientCert),
          proxyHost(context.websocketProxyHost), proxyExclusions(context.websocketProxyExclusions),
          clientKey(context.clientKey), keyPassword(context.keyPassword),
          proxyType(context.usingWebsocketProxyType), proxyPort(context.websocketProxyPort) {}
};

// Connects, and returns the code of the C ABI, or 1016.
int32_t WebSocketClient::Start(const std::string &url, const OpenOptions &options, bool user_cert) {
    if (const int32_t denied = link_->permission(); denied != NSWS_OK) {
        return Noted(denied);
    }
    if (options.headers.size() > nsws_rules::MOST_HEADERS) {
        return WEBSOCKET_ERROR_NO_HEADR_EXCEEDS;
    }
    const Settings settings = link_->With(*context_, [&](ClientContext &context) {
        for (const auto &[name, value] : options.headers) {
            context.header[name] = value;
        }
        if (user_cert && !context.GetUserCertPath().empty()) {
            context.caPath = context.GetUserCertPath();
        }
        context.supportOriginPort = options.supportOriginPort;
        context.errorCode = WEBSOCKET_NONE_ERR;
        return Settings(context);
    });
    if (has_nul(url)) {
        return NSWS_ERR_URL;
    }
    std::vector<nsws_header> headers;
    for (const auto &[name, value] : settings.header) {
        if (has_nul(name) || has_nul(value)) {
            return NSWS_ERR_PARAMETER;
        }
        headers.push_back({name.c_str(), value.c_str()});
    }
    nsws_connect_options given = nsws_rules::client_defaults();
    given.headers = headers.data();
    given.header_count = headers.size();
    given.support_origin_port = options.supportOriginPort ? 1 : 0;
    const bool wrong_path = has_nul(settings.caPath) || has_nul(settings.clientCert);
    given.ca_path = wrong_path                ? nsws_rules::NO_FILE
                    : settings.caPath.empty() ? nullptr
                                              : settings.caPath.c_str();
    if (!settings.clientCert.empty()) {
        given.client_cert_path = settings.clientCert.c_str();
        given.client_key_path = Text(settings.clientKey);
        given.client_key_password = Text(settings.keyPassword);
    }
    if (settings.proxyType == WebsocketProxyType::NOT_USE) {
        given.proxy_mode = NSWS_PROXY_NONE;
    } else if (settings.proxyType == WebsocketProxyType::USE_SPECIFIED) {
        given.proxy_mode = settings.proxyHost.empty() ? NSWS_PROXY_NONE : NSWS_PROXY_HTTP;
    }
    if (given.proxy_mode == NSWS_PROXY_HTTP) {
        if (has_nul(settings.proxyHost) || has_nul(settings.proxyExclusions)) {
            return NSWS_ERR_PARAMETER;
        }
        given.proxy_host = settings.proxyHost.c_str();
        // Of a port that is none, the library says so.
        given.proxy_port = static_cast<uint32_t>(settings.proxyPort);
        given.proxy_exclusion_list = settings.proxyExclusions.c_str();
    }
    return Noted(link_->connect(url.c_str(), given));
}

// A code of the C ABI; what the context says of it is set.
int32_t WebSocketClient::Noted(int32_t code) {
    link_->With(*context_, [=](ClientContext &context) {
        if (code == NSWS_ERR_PERMISSION_DENIED) {
            context.permissionDenied = true;
        } else if (code == NSWS_ERR_DOMAIN_NOT_ALLOWED) {
            context.noAllowedHost = true;
        } else if (code == NSWS_ERR_CERT_FILE) {
            context.errorCode = WEBSOCKET_ERROR_FILE_NOT_EXIST;
        }
    });
    return code;
}

int WebSocketClient::Connect(std::string URL, OpenOptions Options) {
    return contain(
        [&]() -> int {
            switch (const int32_t code = Start(URL, Options, false)) {
            case NSWS_OK:
                return WEBSOCKET_NONE_ERR;
            case NSWS_ERR_URL:
                return URL.find("://") == std::string::npos ? WEBSOCKET_CONNECTION_TO_SERVER_FAIL
                                                            : WEBSOCKET_CONNECTION_PARSEURL_ERROR;
            case NSWS_ERR_PARAMETER:
                return WEBSOCKET_CONNECTION_PARSEURL_ERROR;
            case NSWS_ERR_NO_RESOURCES:
                return WEBSOCKET_CONNECTION_NO_MEMOERY;
            case NSWS_ERR_CERT_FILE:
                return WEBSOCKET_ERROR_FILE_NOT_EXIST;
            case NSWS_ERR_PERMISSION_DENIED:
                return WEBSOCKET_ERROR_PERMISSION_DENIED;
            case NSWS_ERR_DOMAIN_NOT_ALLOWED:
                return WEBSOCKET_ERROR_DISALLOW_HOST;
            case WEBSOCKET_ERROR_NO_HEADR_EXCEEDS:
                return code;
            default:
                return WEBSOCKET_CONNECTION_ERROR;
            }
        },
        []() -> int { return WEBSOCKET_CONNECTION_NO_MEMOERY; });
}

int WebSocketClient::ConnectEx(std::string URL, OpenOptions Options) {
    return contain(
        [&]() -> int {
            switch (const int32_t code = Start(URL, Options, true)) {
            case NSWS_OK:
            case NSWS_ERR_URL:
            case NSWS_ERR_CERT_FILE:
            case NSWS_ERR_ALREADY_CONNECTED:
            case NSWS_ERR_PARAMETER:
            case WEBSOCKET_ERROR_NO_HEADR_EXCEEDS:
                return code;
            case NSWS_ERR_NO_RESOURCES:
                return WEBSOCKET_CONNECTION_NO_MEMOERY;
            case NSWS_ERR_PERMISSION_DENIED:
                return WEBSOCKET_ERROR_PERMISSION_DENIED;
            case NSWS_ERR_DOMAIN_NOT_ALLOWED:
                return WEBSOCKET_ERROR_DISALLOW_HOST;
            default:
                return WEBSOCKET_CONNECTION_ERROR;
            }
        },
        []() -> int { return WEBSOCKET_CONNECTION_NO_MEMOERY; });
}

int WebSocketClient::SendEx(const char *data, size_t length) {
    if (data == nullptr) {
        return WEBSOCKET_SEND_DATA_NULL;
    }
    if (length == 0) {
        return WEBSOCKET_NONE_ERR;
    }
    if (length > nsws_rules::CLIENT_SENDS) {
        return WEBSOCKET_DATA_LENGTH_EXCEEDS;
    }
    return contain(
        [&]() -> int {
            switch (Noted(link_->send(data, length))) {
            case NSWS_OK:
                return WEBSOCKET_NONE_ERR;
            case NSWS_ERR_NOT_CONNECTED:
                return NO_CONNECTION;
            case NSWS_ERR_QUEUE_FULL:
                return WEBSOCKET_QUEUE_LENGTH_EXCEEDS;
            case NSWS_ERR_PERMISSION_DENIED:
                return WEBSOCKET_ERROR_PERMISSION_DENIED;
            default:
                return WEBSOCKET_CONNECTION_ERROR;
            }
        },
        []() -> int { return WEBSOCKET_SEND_NO_MEMOERY_ERROR; });
}

int WebSocketClient::Send(const char *data, size_t length) {
    const int result = SendEx(data, length);
    if (result == NO_CONNECTION) {
        nsws_log(NSWS_LOG_WARN,
                 "WebSocketClient::Send: nothing is connected; the message was dropped.");
        return WEBSOCKET_NONE_ERR;
    }
    return result;
}

int WebSocketClient::CloseEx(CloseOption options) {
    return contain(
        [&]() -> int {
            switch (Noted(link_->close(options.code, options.reason))) {
            case NSWS_OK:
                return WEBSOCKET_NONE_ERR;
            case NSWS_ERR_NOT_CONNECTED:
                return NO_CONNECTION;
            case NSWS_ERR_PARAMETER:
                return nsws_surface::reason_is_too_long(options.reason)
                           ? WEBSOCKET_DATA_LENGTH_EXCEEDS
                           : WEBSOCKET_PROTOCOL_ERROR;
            case NSWS_ERR_PERMISSION_DENIED:
                return WEBSOCKET_ERROR_PERMISSION_DENIED;
            default:
                return WEBSOCKET_CONNECTION_ERROR;
            }
        },
        []() -> int { return WEBSOCKET_CONNECTION_ERROR; });
}

int WebSocketClient::Close(CloseOption options) {
    if (Noted(link_->permission()) != NSWS_OK) {
        return WEBSOCKET_ERROR_PERMISSION_DENIED;
    }
    if (link_->abandon()) {
        return WEBSOCKET_ERROR_HAVE_NO_CONNECT;
    }
    const int result = CloseEx(options);
    // What the program has been told by openStatus, or says itself by setting it.
    const bool is_open = link_->With(*context_, [](ClientContext &context) {
        return std::exchange(context.openStatus, 0) != 0;
    });
    return result != NO_CONNECTION ? result
           : is_open               ? WEBSOCKET_NONE_ERR
                                   : WEBSOCKET_ERROR_HAVE_NO_CONNECT;
}

int WebSocketClient::Registcallback(OnOpenCallback OnOpen, OnMessageCallback onMessage,
                                    OnErrorCallback OnError, OnCloseCallback onclose) {
    onOpenCallback_ = OnOpen;
    onMessageCallback_ = onMessage;
    onErrorCallback_ = OnError;
    onCloseCallback_ = onclose;
    return WEBSOCKET_NONE_ERR;
}

int WebSocketClient::Destroy() {
    return link_->destroy() ? WEBSOCKET_NONE_ERR : WEBSOCKET_ERROR_HAVE_NO_CONNECT_CONTEXT;
}

int WebSocketClient::AppendData(void *data, size_t length) {
    return contain(
        [&]() -> int {
            return link_->With(*context_, [&](ClientContext &) -> int {
                if (length > nsws_rules::CLIENT_RECEIVES - data_.size()) {
                    return WEBSOCKET_DATA_LENGTH_EXCEEDS;
                }
                data_.append(static_cast<const char *>(data), length);
                return WEBSOCKET_NONE_ERR;
            });
        },
        []() -> int { return WEBSOCKET_CONNECTION_NO_MEMOERY; });
}

const std::string &WebSocketClient::GetData() {
    return data_;
}

void WebSocketClient::ClearData() {
    link_->With(*context_, [this](ClientContext &) { data_.clear(); });
}

}  // namespace OHOS::NetStack::WebSocketClient
