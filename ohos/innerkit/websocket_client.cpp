// NetStack's C++ client: websocket_client_innerapi.h over the session that the C surface uses as well.

#include "websocket_client_innerapi.h"

#include <atomic>
#include <cctype>
#include <mutex>
#include <utility>
#include <vector>

#include "contain.h"
#include "message_buffer.h"
#include "session.h"

namespace OHOS::NetStack::WebSocketClient {

using nsws_surface::contain;
using nsws_surface::Session;

namespace {

// Results of the Ex functions beside the codes of WebSocketErrorCode.
constexpr int kNoConnection = -1;

std::string LowerCase(std::string text) {
    for (char &letter : text) {
        letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    }
    return text;
}

// NULL for an empty one, whose Data() the platform's own class doesn't end with a NUL.
const char *Text(const Secure::SecureChar &secret) {
    return secret.Length() == 0 ? nullptr : secret.Data();
}

// A NUL would hide what follows it.
bool HoldsNul(const std::string &text) {
    return text.find('\0') != std::string::npos;
}

}  // namespace

// The client's session. It outlives the client when that is deleted inside a callback.
class WebSocketClient::Link final : public Session {
public:
    explicit Link(WebSocketClient *client) : client_(client) {}

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
            std::string &value = headers[LowerCase(event.headers[i].name)];
            value += (value.empty() ? "" : ", ") + std::string(event.headers[i].value);
        }
        Call(&WebSocketClient::onHeaderReceiveCallback_, [](ClientContext &) {}, headers);
    }

    void opened(const nsws_open_event &event) override {
        const OpenResult result{static_cast<unsigned int>(event.status), event.message};
        Call(&WebSocketClient::onOpenCallback_,
             [&](ClientContext &context) {
                 context.openStatus = result.status;
                 context.openMessage = result.message;
             },
             result);
    }

    void received(const nsws_message_event &event) override {
        message_.lend(event, [this](const std::string &message) {
            Call(&WebSocketClient::onMessageCallback_, [](ClientContext &) {}, message, message.size());
        });
    }

    void message_ended() override {
        Call(&WebSocketClient::onDataEndCallback_, [](ClientContext &) {});
    }

    void failed(const nsws_error_event &event) override {
        Call(&WebSocketClient::onErrorCallback_, [](ClientContext &) {},
             ErrorResult{nsws_surface::error_code(event), event.message});
    }

    void closed(const nsws_close_event &event, bool was_open) override {
        CloseResult result{event.code, event.reason};
        if (was_open) {
            const nsws_surface::CloseSeen seen = nsws_surface::seen(event);
            result = {seen.code, seen.reason};
        }
        Call(&WebSocketClient::onCloseCallback_,
             [&](ClientContext &context) {
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

// Connects, and returns the code of the C ABI, or 1016.
int32_t WebSocketClient::Start(const std::string &url, const OpenOptions &options) {
    if (options.headers.size() > nsws_surface::kMaxHeaders) {
        return WEBSOCKET_ERROR_NO_HEADR_EXCEEDS;
    }
    for (const auto &[name, value] : options.headers) {
        context_->header[name] = value;
    }
    context_->supportOriginPort = options.supportOriginPort;
    context_->errorCode = WEBSOCKET_NONE_ERR;
    if (HoldsNul(url)) {
        return NSWS_ERR_URL;
    }
    std::vector<nsws_header> headers;
    for (const auto &[name, value] : context_->header) {
        if (HoldsNul(name) || HoldsNul(value)) {
            return NSWS_ERR_PARAMETER;
        }
        headers.push_back({name.c_str(), value.c_str()});
    }
    nsws_connect_options given = nsws_surface::connect_defaults();
    given.headers = headers.data();
    given.header_count = headers.size();
    given.support_origin_port = options.supportOriginPort ? 1 : 0;
    given.ca_path = context_->caPath.empty() ? nullptr : context_->caPath.c_str();

    if (HoldsNul(context_->caPath)) {
        return NSWS_ERR_CERT_FILE;
    }
    if (!context_->clientCert.empty()) {
        if (HoldsNul(context_->clientCert)) {
            return NSWS_ERR_CERT_FILE;
        }
        given.client_cert_path = context_->clientCert.c_str();
        given.client_key_path = Text(context_->clientKey);
        given.client_key_password = Text(context_->keyPassword);
    }
    if (context_->usingWebsocketProxyType == WebsocketProxyType::NOT_USE) {
        given.proxy_mode = NSWS_PROXY_NONE;
    } else if (context_->usingWebsocketProxyType == WebsocketProxyType::USE_SPECIFIED) {
        given.proxy_mode = context_->websocketProxyHost.empty() ? NSWS_PROXY_NONE : NSWS_PROXY_HTTP;
    }
    if (given.proxy_mode == NSWS_PROXY_HTTP) {
        if (HoldsNul(context_->websocketProxyHost) || HoldsNul(context_->websocketProxyExclusions)) {
            return NSWS_ERR_PARAMETER;
        }
        given.proxy_host = context_->websocketProxyHost.c_str();
        // Of a port that is none, the library says so.
        given.proxy_port = static_cast<uint32_t>(context_->websocketProxyPort);
        given.proxy_exclusion_list = context_->websocketProxyExclusions.c_str();
    }
    const int32_t code = link_->connect(url.c_str(), given);
    if (code == NSWS_ERR_PERMISSION_DENIED) {
        context_->permissionDenied = true;
    } else if (code == NSWS_ERR_DOMAIN_NOT_ALLOWED) {
        context_->noAllowedHost = true;
    } else if (code == NSWS_ERR_CERT_FILE) {
        context_->errorCode = WEBSOCKET_ERROR_FILE_NOT_EXIST;
    }
    return code;
}

int WebSocketClient::Connect(std::string URL, OpenOptions Options) {
    return contain(
        [&]() -> int {
            switch (const int32_t code = Start(URL, Options)) {
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
            if (!context_->GetUserCertPath().empty()) {
                context_->caPath = context_->GetUserCertPath();
            }
            switch (const int32_t code = Start(URL, Options)) {
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
    if (length > nsws_surface::kMaxSend) {
        return WEBSOCKET_DATA_LENGTH_EXCEEDS;
    }
    return contain(
        [&]() -> int {
            switch (link_->send(data, length)) {
                case NSWS_OK:
                    return WEBSOCKET_NONE_ERR;
                case NSWS_ERR_NOT_CONNECTED:
                    return kNoConnection;
                case NSWS_ERR_QUEUE_FULL:
                    return WEBSOCKET_QUEUE_LENGTH_EXCEEDS;
                case NSWS_ERR_PERMISSION_DENIED:
                    context_->permissionDenied = true;
                    return WEBSOCKET_ERROR_PERMISSION_DENIED;
                default:
                    return WEBSOCKET_CONNECTION_ERROR;
            }
        },
        []() -> int { return WEBSOCKET_SEND_NO_MEMOERY_ERROR; });
}

int WebSocketClient::Send(const char *data, size_t length) {
    const int result = SendEx(data, length);
    if (result == kNoConnection) {
        nsws_log(NSWS_LOG_WARN, "WebSocketClient::Send: nothing is connected; the message was dropped.");
        return WEBSOCKET_NONE_ERR;
    }
    return result;
}

int WebSocketClient::CloseEx(CloseOption options) {
    return contain(
        [&]() -> int {
            switch (link_->close(options.code, options.reason)) {
                case NSWS_OK:
                    return WEBSOCKET_NONE_ERR;
                case NSWS_ERR_NOT_CONNECTED:
                    return kNoConnection;
                case NSWS_ERR_PARAMETER:
                    return nsws_surface::reason_is_too_long(options.reason) ? WEBSOCKET_DATA_LENGTH_EXCEEDS : WEBSOCKET_PROTOCOL_ERROR;
                case NSWS_ERR_PERMISSION_DENIED:
                    context_->permissionDenied = true;
                    return WEBSOCKET_ERROR_PERMISSION_DENIED;
                default:
                    return WEBSOCKET_CONNECTION_ERROR;
            }
        },
        []() -> int { return WEBSOCKET_CONNECTION_ERROR; });
}

int WebSocketClient::Close(CloseOption options) {
    if (link_->abandon()) {
        return WEBSOCKET_ERROR_HAVE_NO_CONNECT;
    }
    const int result = CloseEx(options);
    return result == kNoConnection ? WEBSOCKET_ERROR_HAVE_NO_CONNECT : result;
}

int WebSocketClient::Registcallback(OnOpenCallback OnOpen, OnMessageCallback onMessage, OnErrorCallback OnError,
                                    OnCloseCallback onclose) {
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
    if (length > nsws_surface::kMaxReceive - data_.size()) {
        return WEBSOCKET_DATA_LENGTH_EXCEEDS;
    }
    data_.append(static_cast<const char *>(data), length);
    return WEBSOCKET_NONE_ERR;
}

const std::string &WebSocketClient::GetData() {
    return data_;
}

void WebSocketClient::ClearData() {
    data_.clear();
}

}  // namespace OHOS::NetStack::WebSocketClient
