// A NUL in a text: what a peer sends arrives whole, and what a program gives is refused and never cut. And in which order a call is
// judged. The functions of NetStack's layer
// that the engine calls for that are here, and JavaScript values are texts and objects of texts.

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>

#include "websocket_exec.h"
#include "websocket_exec_common.h"
#include "websocket_server_exec.h"

using namespace OHOS::NetStack;
using namespace OHOS::NetStack::Websocket;

const char *EventName::EVENT_SERVER_CONNECT = "connect";
const char *EventName::EVENT_SERVER_MESSAGE_RECEIVE = "messageReceive";
const char *EventName::EVENT_SERVER_CLOSE = "serverClose";

namespace {

using namespace std::string_literals;

const std::string NUL = "a\0b"s;
constexpr int PERMISSION = 201, PARAMETER = 401, HOST = 2302998, URL = 2302001, CERT_FILE = 2302002, LISTEN_ADDRESS = 2302004, NOT_EXIST = 2302006;

int failures = 0;

void check(bool holds, const char *what)
{
    if (holds) return;
    std::printf("FAILED: %s\n", what);
    failures++;
}

struct Value {
    std::string text;
    std::map<std::string, Value> members;
};

// Values live as long as the program.
std::deque<Value> values;

napi_value new_value(Value value)
{
    values.push_back(std::move(value));
    return reinterpret_cast<napi_value>(&values.back());
}

Value &of(napi_value value)
{
    return *reinterpret_cast<Value *>(value);
}

// The JavaScript thread's queue; the main thread is the JavaScript thread.
struct Work {
    void (*handler)(napi_env, napi_status, void *);
    void *data;
};
std::mutex mutex;
std::condition_variable queued;
std::deque<Work> works;

struct Event {
    std::string type;
    Value value;
};
std::deque<Event> events;

WebSocketConnection named;

// What the layer says.
bool hasPermission = true, isAtomic = false;

// Does what waits longest, unlocked.
void run_next(std::unique_lock<std::mutex> &lock)
{
    const Work work = works.front();
    works.pop_front();
    lock.unlock();
    work.handler(nullptr, napi_ok, work.data);
}

// The next event of this type.
Value next(const std::string &type)
{
    for (;;) {
        while (!events.empty()) {
            Event event = std::move(events.front());
            events.pop_front();
            if (event.type == type) return event.value;
        }
        std::unique_lock<std::mutex> lock(mutex);
        queued.wait(lock, [] { return !works.empty(); });
        run_next(lock);
    }
}

// The message of the error event that a call has posted, or "".
std::string posted_error()
{
    events.clear();
    for (std::unique_lock<std::mutex> lock(mutex); !works.empty(); lock.lock()) run_next(lock);
    return events.size() == 1 && events[0].type == "error" ? events[0].value.members["message"].text : "";
}

sockaddr_in loopback(uint16_t port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// A port that nobody else is given until the program ends: the socket stays bound.
uint16_t own_port()
{
    const int link = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(link, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    bind(link, reinterpret_cast<sockaddr *>(&address), length);
    getsockname(link, reinterpret_cast<sockaddr *>(&address), &length);
    return ntohs(address.sin_port);
}

// A client that sends what a program can't: opened, then these bytes.
int raw_client(uint16_t port, const std::string &bytes)
{
    const int link = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = loopback(port);
    connect(link, reinterpret_cast<const sockaddr *>(&address), sizeof address);
    const std::string request = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    send(link, request.data(), request.size(), 0);
    std::string answer;
    for (char byte; answer.find("\r\n\r\n") == std::string::npos && recv(link, &byte, 1, 0) == 1;) answer += byte;
    send(link, bytes.data(), bytes.size(), 0);
    return link;
}

std::shared_ptr<EventManager> new_object()
{
    return std::make_shared<EventManager>();
}

// The code of a connect whose context was changed.
template <class Change>
int connect_with(Change change)
{
    ConnectContext context;
    context.manager_ = new_object();
    context.url = "ws://127.0.0.1:1/";
    change(context);
    return WebSocketExec::ExecConnect(&context) ? 0 : context.errorCode_;
}

template <class Change>
int start_with(const std::shared_ptr<EventManager> &object, Change change)
{
    ServerStartContext context;
    context.manager_ = object;
    context.serverIp_ = "127.0.0.1";
    context.serverPort_ = 1;
    change(context);
    return WebSocketServerExec::ExecServerStart(&context) ? 0 : context.errorCode_;
}

template <class Context, class Execute>
int close_with(const std::shared_ptr<EventManager> &object, const std::string &reason, Execute execute)
{
    Context context;
    context.manager_ = object;
    context.reason = reason;
    return execute(&context) ? 0 : context.errorCode_;
}

template <class Context, class Execute>
bool send_text(const std::shared_ptr<EventManager> &object, const std::string &text, Execute execute)
{
    Context context;
    context.manager_ = object;
    context.data = std::calloc(1, LWS_SEND_BUFFER_PRE_PADDING + text.size());
    std::memcpy(static_cast<char *>(context.data) + LWS_SEND_BUFFER_PRE_PADDING, text.data(), text.size());
    context.length = text.size();
    return execute(&context);
}

void a_client_refuses_a_nul()
{
    using Context = ConnectContext;
    check(connect_with([](Context &context) { context.url = "ws://127.0.0.1:1/\0"s; }) == URL, "the URL");
    check(connect_with([](Context &context) { context.header[NUL] = "a"; }) == PARAMETER, "a header's name");
    check(connect_with([](Context &context) { context.header["a"] = NUL; }) == PARAMETER, "a header's value");
    check(connect_with([](Context &context) { context.protocol_ = NUL; }) == PARAMETER, "the protocol");
    check(connect_with([](Context &context) { context.proxyHost_ = NUL; }) == PARAMETER, "the proxy's host");
    check(connect_with([](Context &context) { context.proxyHost_ = "a", context.proxyExclusions_ = NUL; }) == PARAMETER,
          "the proxy's exclusions");
    check(connect_with([](Context &context) { context.caPath_ = NUL; }) == CERT_FILE, "the path of the CAs");
    check(connect_with([](Context &context) { context.clientCert_ = NUL; }) == CERT_FILE, "the path of the certificate");
    check(connect_with([](Context &context) { context.clientKey_.text_ = NUL; }) == CERT_FILE, "the path of the key");
    check(connect_with([](Context &context) { context.keyPassword_.text_ = NUL; }) == PARAMETER, "the password");
}

void a_server_refuses_a_nul()
{
    using Context = ServerStartContext;
    const auto object = new_object();
    check(start_with(object, [](Context &context) { context.serverIp_ += '\0'; }) == LISTEN_ADDRESS, "the address");
    check(start_with(object, [](Context &context) { context.websocketServerProtocol_ = NUL; }) == PARAMETER, "the server's protocol");
    check(start_with(object, [](Context &context) { context.certPath_ = NUL; }) == CERT_FILE, "the path of its certificate");
    check(start_with(object, [](Context &context) { context.certPath_ = "a", context.keyPath_ = NUL; }) == CERT_FILE,
          "the path of its key");
    check(start_with(object, [](Context &context) { context.allowedOrigins_ = NUL; }) == PARAMETER, "its origins");
}

void a_server_takes_the_origins_of_the_layer()
{
    check(start_with(new_object(), [](ServerStartContext &context) { context.allowedOrigins_ = "https://a,no origin"; }) == PARAMETER,
          "what is no origin");
}

void the_url_comes_before_its_host_and_both_before_files()
{
    using Context = ConnectContext;
    const auto connect = [](const char *url, const std::string &caPath) {
        return connect_with([=](Context &context) { context.url = url, context.caPath_ = caPath; });
    };
    check(connect("hello", NUL) == URL, "the URL before a path");
    isAtomic = true;
    for (const std::string &caPath : {""s, NUL, "/no/such/file"s}) {
        check(connect("hello", caPath) == URL, "the URL before its host");
        check(connect("ws://127.0.0.1:1/", caPath) == HOST, "the host before a path");
    }
    hasPermission = false;
    check(connect("hello", NUL) == PERMISSION, "the permission before all");
    hasPermission = true;
    isAtomic = false;
}

void each_failed_start_is_told_by_an_event()
{
    using Context = ServerStartContext;
    const auto object = new_object();
    hasPermission = false;
    check(start_with(object, [](Context &) {}) == PERMISSION, "start without the permission");
    check(posted_error() == "Permission denied.", "its event");
    hasPermission = true;
    check(start_with(object, [](Context &context) { context.websocketServerProtocol_ = NUL; }) == PARAMETER, "start with a NUL");
    check(posted_error() == "Parameter error.", "the event of that");
}

void a_text_arrives_whole()
{
    const auto server = new_object(), client = new_object();
    const uint16_t port = own_port();
    check(start_with(server, [port](ServerStartContext &context) { context.serverPort_ = port; }) == 0, "start");
    ConnectContext context;
    context.manager_ = client;
    context.url = "ws://127.0.0.1:" + std::to_string(port);
    check(WebSocketExec::ExecConnect(&context), "connect");
    next("open");

    check(send_text<SendContext>(client, NUL, WebSocketExec::ExecSend), "send");
    Value message = next("messageReceive");
    check(message.members["data"].text == NUL, "a message to the server arrives whole");
    const Value connection = message.members["clientConnection"];
    named = {connection.members.at("clientIP").text, static_cast<uint32_t>(std::stoul(connection.members.at("clientPort").text))};
    check(send_text<ServerSendContext>(server, NUL, WebSocketServerExec::ExecServerSend), "the server's send");
    check(next("message").text == NUL, "a message to the client arrives whole");

    check(close_with<CloseContext>(client, NUL, WebSocketExec::ExecClose) == PARAMETER, "the client's reason");
    check(close_with<ServerCloseContext>(server, NUL, WebSocketServerExec::ExecServerClose) == PARAMETER, "the server's reason");
    named.clientIP += '\0';
    check(close_with<ServerCloseContext>(server, "", WebSocketServerExec::ExecServerClose) == NOT_EXIST, "a client's address");

    // A close frame, masked with zeros: 1000 and the reason.
    const int raw = raw_client(port, "\x88\x85\0\0\0\0\x03\xe8"s + NUL);
    const Value closed = next("serverClose");
    check(closed.members.at("reason").text == NUL && closed.members.at("closeReason").text == NUL, "a reason arrives whole");
    close(raw);
}

} // namespace

// Node-API and the layer.

napi_status napi_create_string_utf8(napi_env, const char *text, size_t length, napi_value *out)
{
    *out = new_value({std::string(text, length), {}});
    return napi_ok;
}

napi_status napi_define_properties(napi_env, napi_value, size_t, const napi_property_descriptor *)
{
    return napi_ok;
}

napi_status napi_is_exception_pending(napi_env, bool *pending)
{
    *pending = false;
    return napi_ok;
}

void EventManager::Emit(const std::string &type, const std::pair<napi_value, napi_value> &arguments)
{
    events.push_back({type, of(arguments.second)});
}

void EventManager::EmitWithTwoPara(const std::string &type, const std::tuple<napi_value, napi_value, napi_value> &arguments)
{
    events.push_back({type, of(std::get<2>(arguments))});
}

bool EventManager::HasEventListener(const std::string &)
{
    return true;
}

void EventManager::SetWebSocketUserData(const std::shared_ptr<UserData> &userData)
{
    userData_ = userData;
}

std::shared_ptr<UserData> EventManager::GetWebSocketUserData()
{
    return userData_;
}

void BaseContext::SetErrorCode(int32_t code)
{
    errorCode_ = code;
}

void BaseContext::SetPermissionDenied(bool)
{
    errorCode_ = PERMISSION;
}

void BaseContext::SetNoAllowedHost(bool)
{
    errorCode_ = HOST;
}

bool BaseContext::IsPermissionDenied() const
{
    return false;
}

std::shared_ptr<EventManager> BaseContext::GetSharedManager() const
{
    return manager_;
}

const char *Secure::SecureChar::Data() const
{
    return text_.c_str();
}

size_t Secure::SecureChar::Length() const
{
    return text_.size();
}

std::string ConnectContext::GetProtocol() const
{
    return protocol_;
}

TlsProtocol ConnectContext::GetMinSupportTlsProtocol() const
{
    return TlsProtocol::DEFAULT;
}

WebsocketProxyType ConnectContext::GetUsingWebsocketProxyType() const
{
    return proxyHost_.empty() ? WebsocketProxyType::NOT_USE : WebsocketProxyType::USE_SPECIFIED;
}

void ConnectContext::GetSpecifiedWebsocketProxy(std::string &host, uint32_t &, std::string &exclusions) const
{
    host = proxyHost_;
    exclusions = proxyExclusions_;
}

void ConnectContext::GetClientCert(std::string &cert, Secure::SecureChar &key, Secure::SecureChar &keyPassword)
{
    cert = clientCert_;
    key = clientKey_;
    keyPassword = keyPassword_;
}

bool ConnectContext::IsAtomicService() const
{
    return isAtomic;
}

std::string ConnectContext::GetBundleName() const
{
    return "";
}

bool CommonUtils::IsAllowedHostname(const std::string &, const std::string &, const std::string &)
{
    return false;
}

WebSocketConnection ServerSendContext::GetConnection() const
{
    return named;
}

WebSocketConnection ServerCloseContext::GetConnection() const
{
    return named;
}

bool CommonUtils::HasInternetPermission()
{
    return hasPermission;
}

namespace OHOS::NetStack::NapiUtils {

napi_value GetUndefined(napi_env)
{
    return new_value({});
}

napi_value CreateObject(napi_env)
{
    return new_value({});
}

napi_value CreateArray(napi_env, size_t)
{
    return new_value({});
}

// As the layer's: up to the first NUL.
napi_value CreateStringUtf8(napi_env, const std::string &text)
{
    return new_value({text.c_str(), {}});
}

void SetNamedProperty(napi_env, napi_value object, const std::string &name, napi_value value)
{
    of(object).members[name] = of(value);
}

void SetStringPropertyUtf8(napi_env env, napi_value object, const std::string &name, const std::string &value)
{
    SetNamedProperty(env, object, name, CreateStringUtf8(env, value));
}

void SetInt32Property(napi_env env, napi_value object, const std::string &name, int32_t value)
{
    SetStringPropertyUtf8(env, object, name, std::to_string(value));
}

void SetUint32Property(napi_env env, napi_value object, const std::string &name, uint32_t value)
{
    SetStringPropertyUtf8(env, object, name, std::to_string(value));
}

void SetArrayElement(napi_env, napi_value, uint32_t, napi_value)
{
}

napi_handle_scope OpenScope(napi_env)
{
    return nullptr;
}

void CloseScope(napi_env, napi_handle_scope)
{
}

bool IsEnvValid(napi_env)
{
    return true;
}

void CreateUvQueueWorkEnhanced(napi_env, void *data, void (*handler)(napi_env, napi_status, void *))
{
    const std::lock_guard<std::mutex> lock(mutex);
    works.push_back({handler, data});
    queued.notify_one();
}

} // namespace OHOS::NetStack::NapiUtils

int main()
{
    a_client_refuses_a_nul();
    a_server_refuses_a_nul();
    a_server_takes_the_origins_of_the_layer();
    the_url_comes_before_its_host_and_both_before_files();
    each_failed_start_is_told_by_an_event();
    a_text_arrives_whole();
    // No event comes while the queue is being destroyed.
    nsws_shutdown(NSWS_FOR_EVER);
    return failures;
}
