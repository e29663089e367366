// OpenHarmony's C client: the six functions of net_websocket.h, and the registry that knows which
// pointers are clients.

#include "network/netstack/net_websocket.h"

#include <strings.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../rules/contain.h"
#include "../rules/limits.h"
#include "message_buffer.h"
#include "session.h"

namespace {

using nsws_rules::contain;
using nsws_surface::Session;

constexpr std::size_t MOST_CLIENTS = 100;

constexpr int PERMISSION_DENIED = E_BASE + 20;
constexpr int HOST_NOT_ALLOWED = E_BASE + 21;

struct Client final : Session {
    // What the program holds. It lives as long as the client, whose last callback may still read
    // it.
    WebSocket shown{};
    // The caller must hold the registry's lock.
    int add_header(const WebSocket_Header &header);
    // An attempt has begun with the headers of this list: those that were added go.
    void take_headers(WebSocket_Header *first);

protected:
    void opened(const nsws_open_event &event) override {
        if (shown.onOpen != nullptr) {
            shown.onOpen(&shown,
                         WebSocket_OpenResult{static_cast<uint32_t>(event.status), event.message});
        }
    }

    void received(const nsws_message_event &event) override {
        if (shown.onMessage != nullptr) {
            message_.lend(event, [this](std::string &message) {
                shown.onMessage(&shown, message.data(), static_cast<uint32_t>(message.size()));
            });
        }
    }

    void failed(const nsws_error_event &event) override {
        if (shown.onError != nullptr) {
            shown.onError(&shown,
                          WebSocket_ErrorResult{nsws_surface::error_code(event), event.message});
        }
    }

    void closed(const nsws_close_event &event, bool was_open) override {
        if (shown.onClose != nullptr && was_open) {
            const nsws_surface::CloseSeen seen = nsws_surface::seen(event);
            shown.onClose(&shown, WebSocket_CloseResult{seen.code, seen.reason});
        }
    }

private:
    nsws_surface::MessageBuffer message_;
    // The nodes of OH_WebSocketClient_AddHeader, and those of the last attempt, which a copy of
    // requestOptions may still name.
    std::deque<WebSocket_Header> headers_;
    std::deque<WebSocket_Header> taken_;
};

struct Registry {
    std::mutex lock;
    std::unordered_map<const WebSocket *, std::shared_ptr<Client>> clients;
};

// Never destroyed: callbacks may still run when the program exits.
Registry &registry() {
    static Registry &only = *new Registry;
    return only;
}

std::shared_ptr<Client> find(const WebSocket *shown) {
    Registry &all = registry();
    const std::lock_guard<std::mutex> guard(all.lock);
    const auto found = all.clients.find(shown);
    return found == all.clients.end() ? nullptr : found->second;
}

int Client::add_header(const WebSocket_Header &header) {
    WebSocket_Header **end = &shown.requestOptions.headers;
    if (!headers_.empty() && *end == &headers_.front()) {
        end = &headers_.back().next;
    }
    // What follows, if anything, is a list of the program's own.
    for (std::size_t passed = 0; *end != nullptr; end = &(*end)->next) {
        if (++passed > nsws_rules::MOST_HEADERS) {
            return WEBSOCKET_HEADER_EXCEEDED;
        }
    }
    headers_.push_back({header.fieldName, header.fieldValue, nullptr});
    *end = &headers_.back();
    return WEBSOCKET_OK;
}

void Client::take_headers(WebSocket_Header *first) {
    const auto added = [this](const WebSocket_Header *header) {
        return std::any_of(headers_.begin(), headers_.end(),
                           [=](const WebSocket_Header &node) { return &node == header; });
    };
    // They begin the client's list, or follow headers of the program's own in the one that Connect
    // was given.
    WebSocket_Header **link = &shown.requestOptions.headers;
    if (!added(*link)) {
        for (link = &first; *link != nullptr && !added(*link); link = &(*link)->next) {
        }
    }
    if (*link != nullptr) {
        *link = nullptr;
        taken_ = std::exchange(headers_, {});
    }
}

struct IgnoringCase {
    bool operator()(const char *one, const char *other) const { return strcasecmp(one, other) < 0; }
};

// The program's list; of several headers with one name, the last counts.
int read_headers(const WebSocket_Header *first, std::vector<nsws_header> &headers) {
    std::map<const char *, std::size_t, IgnoringCase> places;
    std::size_t count = 0;
    for (const WebSocket_Header *header = first; header != nullptr; header = header->next) {
        if (++count > nsws_rules::MOST_HEADERS) {
            return WEBSOCKET_HEADER_EXCEEDED;
        }
        if (header->fieldName == nullptr || header->fieldValue == nullptr) {
            return WEBSOCKET_NO_HEADER_CONTEXT;
        }
        const auto place = places.emplace(header->fieldName, headers.size());
        if (place.second) {
            headers.push_back({header->fieldName, header->fieldValue});
        } else {
            headers[place.first->second] = {header->fieldName, header->fieldValue};
        }
    }
    return WEBSOCKET_OK;
}

int result_of_connect(int32_t code) {
    switch (code) {
    case NSWS_OK:
        return WEBSOCKET_OK;
    case NSWS_ERR_URL:
    case NSWS_ERR_PARAMETER:
        return WEBSOCKET_CONNECTION_PARSE_URL_ERROR;
    case NSWS_ERR_PERMISSION_DENIED:
        return PERMISSION_DENIED;
    case NSWS_ERR_DOMAIN_NOT_ALLOWED:
        return HOST_NOT_ALLOWED;
    case NSWS_ERR_BAD_HANDLE:
        return WEBSOCKET_CLIENT_NOT_CREATED;
    case NSWS_ERR_NO_RESOURCES:
        return WEBSOCKET_CONNECTION_NO_MEMORY;
    default:
        return WEBSOCKET_CONNECTION_ERROR;
    }
}

int connect(Client &client, const char *url, const WebSocket_RequestOptions &given) {
    if (client.permission() != NSWS_OK) {
        return PERMISSION_DENIED;
    }
    std::vector<nsws_header> headers;
    {
        const std::lock_guard<std::mutex> guard(registry().lock);
        const int read = read_headers(given.headers, headers);
        if (read != WEBSOCKET_OK) {
            return read;
        }
    }
    if (url == nullptr || strnlen(url, nsws_rules::LONGEST_URL + 1) > nsws_rules::LONGEST_URL) {
        return WEBSOCKET_CONNECTION_PARSE_URL_ERROR;
    }
    if (*url == '\0') {
        return WEBSOCKET_CONNECTION_NO_MEMORY;
    }
    nsws_connect_options options = nsws_rules::client_defaults();
    options.headers = headers.data();
    options.header_count = headers.size();
    const bool is_bare = std::strstr(url, "://") == nullptr;
    const int32_t code =
        is_bare ? client.connect_in_vain(
                      "The URL has no scheme: it must begin with ws:// or wss://.", options)
                : client.connect(url, options);
    if (code == NSWS_OK) {
        const std::lock_guard<std::mutex> guard(registry().lock);
        client.take_headers(given.headers);
    }
    return result_of_connect(code);
}

// ohos/session keeps what is sent before open, and sends it right after.
int send(Client &client, const char *data, std::size_t length) {
    if (data == nullptr) {
        return WEBSOCKET_SEND_DATA_NULL;
    }
    if (length == 0) {
        return WEBSOCKET_OK;
    }
    if (length > nsws_rules::CLIENT_SENDS) {
        return WEBSOCKET_DATA_LENGTH_EXCEEDED;
    }
    switch (client.send(data, length)) {
    case NSWS_OK:
        return WEBSOCKET_OK;
    case NSWS_ERR_NOT_CONNECTED:
        nsws_log(NSWS_LOG_WARN,
                 "OH_WebSocketClient_Send: nothing is connected; the message was dropped.");
        return WEBSOCKET_OK;
    case NSWS_ERR_QUEUE_FULL:
        return WEBSOCKET_QUEUE_LENGTH_EXCEEDED;
    case NSWS_ERR_PERMISSION_DENIED:
        return PERMISSION_DENIED;
    default:
        return WEBSOCKET_CONNECTION_ERROR;
    }
}

int close(Client &client, const WebSocket_CloseOption &option) {
    if (client.permission() != NSWS_OK) {
        return PERMISSION_DENIED;
    }
    if (client.abandon()) {
        return WEBSOCKET_NO_CONNECTION;
    }
    switch (client.close(option.code, option.reason)) {
    case NSWS_OK:
        return WEBSOCKET_OK;
    case NSWS_ERR_PARAMETER:
        return nsws_surface::reason_is_too_long(option.reason) ? WEBSOCKET_DATA_LENGTH_EXCEEDED
                                                               : WEBSOCKET_PROTOCOL_ERROR;
    case NSWS_ERR_NOT_CONNECTED:
        return WEBSOCKET_NO_CONNECTION;
    case NSWS_ERR_PERMISSION_DENIED:
        return PERMISSION_DENIED;
    default:
        return WEBSOCKET_CONNECTION_ERROR;
    }
}

// Runs a function with the client that the pointer names.
template <class Function>
int with_client(const WebSocket *shown, int no_memory, Function function) {
    if (shown == nullptr) {
        return WEBSOCKET_CLIENT_NULL;
    }
    return contain(
        [&]() -> int {
            const std::shared_ptr<Client> client = find(shown);
            return client == nullptr ? WEBSOCKET_CLIENT_NOT_CREATED : function(*client);
        },
        [=] { return no_memory; });
}

}  // namespace

struct WebSocket *OH_WebSocketClient_Constructor(WebSocket_OnOpenCallback onOpen,
                                                 WebSocket_OnMessageCallback onMessage,
                                                 WebSocket_OnErrorCallback onError,
                                                 WebSocket_OnCloseCallback onClose) {
    return contain(
        [&]() -> WebSocket * {
            auto client = std::make_shared<Client>();
            WebSocket *shown = &client->shown;
            *shown = {onOpen, onMessage, onError, onClose, {nullptr}};
            Registry &all = registry();
            const std::lock_guard<std::mutex> guard(all.lock);
            if (all.clients.size() >= MOST_CLIENTS) {
                return nullptr;
            }
            all.clients.emplace(shown, std::move(client));
            return shown;
        },
        []() -> WebSocket * { return nullptr; });
}

int OH_WebSocketClient_AddHeader(struct WebSocket *client, struct WebSocket_Header header) {
    if (client == nullptr) {
        return WEBSOCKET_CLIENT_NULL;
    }
    return contain(
        [&]() -> int {
            Registry &all = registry();
            const std::lock_guard<std::mutex> guard(all.lock);
            const auto found = all.clients.find(client);
            return found == all.clients.end() ? WEBSOCKET_OK : found->second->add_header(header);
        },
        []() -> int { return WEBSOCKET_CONNECTION_NO_MEMORY; });
}

int OH_WebSocketClient_Connect(struct WebSocket *client, const char *url,
                               struct WebSocket_RequestOptions options) {
    return with_client(client, WEBSOCKET_CONNECTION_NO_MEMORY,
                       [&](Client &known) { return connect(known, url, options); });
}

int OH_WebSocketClient_Send(struct WebSocket *client, char *data, size_t length) {
    return with_client(client, WEBSOCKET_SEND_NO_MEMORY,
                       [&](Client &known) { return send(known, data, length); });
}

int OH_WebSocketClient_Close(struct WebSocket *client, struct WebSocket_CloseOption options) {
    return with_client(client, WEBSOCKET_CONNECTION_NO_MEMORY,
                       [&](Client &known) { return close(known, options); });
}

int OH_WebSocketClient_Destroy(struct WebSocket *client) {
    if (client == nullptr) {
        return WEBSOCKET_CLIENT_NULL;
    }
    std::shared_ptr<Client> destroyed;
    {
        Registry &all = registry();
        const std::lock_guard<std::mutex> guard(all.lock);
        const auto found = all.clients.find(client);
        if (found == all.clients.end()) {
            return WEBSOCKET_CLIENT_NOT_CREATED;
        }
        destroyed = std::move(found->second);
        all.clients.erase(found);
    }
    return destroyed->end() ? WEBSOCKET_OK : WEBSOCKET_NO_CONNECTION_CONTEXT;
}
