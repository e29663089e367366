#include "options.h"

#include <algorithm>
#include <cmath>

#include <string.h>

#include "../../rules/close_codes.h"
#include "../../rules/limits.h"
#include "../../rules/text.h"
#include "extra_cas.h"

using nsws_rules::has_nul;

namespace {

std::string member_string(napi_env env, napi_value object, const char *name) {
    return js::as_string(env, js::get(env, object, name)).value_or("");
}

bool is_object(napi_env env, napi_value value) {
    return js::type_of(env, value) == napi_object;
}

uint32_t milliseconds(double seconds) {
    // What is above nothing stays above nothing, which means something else.
    return seconds > 0 ? static_cast<uint32_t>(std::max(1.0, std::round(seconds * 1000))) : 0;
}

// Seconds that are a number but out of range count as 30.
std::optional<double> member_seconds(napi_env env, napi_value object, const char *name) {
    auto seconds = js::as_number(env, js::get(env, object, name));
    if (!seconds) return std::nullopt;
    return *seconds >= 0 && *seconds <= nsws_rules::JS_MOST_HEARTBEAT_SECONDS
               ? *seconds
               : nsws_rules::JS_HEARTBEAT_SECONDS;
}

// A whole number, cut to 32 bits as if by ToUint32 but for what doesn't fit, which is above every
// limit; 0 for what is no number.
uint32_t member_count(napi_env env, napi_value object, const char *name) {
    double value = js::as_number(env, js::get(env, object, name)).value_or(0);
    if (std::isnan(value)) return 0;
    return value < 0 || value > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(value);
}

// Whether a build without compression has refused it. It is an extension that programs can do
// without, so then it is left out.
bool leaves_out(uint8_t &compression, int32_t code) {
    if (code != NSWS_ERR_NOT_SUPPORTED || compression == 0) return false;
    compression = 0;
    nsws_log(NSWS_LOG_WARN, "This build has no compression: the option is ignored.");
    return true;
}

// The library's sentence about a server's options, with the names that the configuration has.
std::string in_words_of_config(std::string sentence) {
    const struct {
        std::string_view beginning, instead;
    } words[] = {
        {"server_ip ", "config.serverIP "},
        {"allowed_origins: ", "config.allowedOrigins: "},
        // A file without a name is the key's: without a certificate's name there is no TLS.
        {" can't be opened", "config.serverCert.keyPath is empty and can't be opened"},
    };
    for (const auto &[beginning, instead] : words) {
        if (sentence.compare(0, beginning.size(), beginning) == 0)
            return sentence.replace(0, beginning.size(), instead);
    }
    return sentence;
}

}  // namespace

void wipe(std::string &text) {
    explicit_bzero(text.data(), text.size());
}

Texts::~Texts() {
    for (std::string &text : texts_)
        wipe(text);
}

ConnectOptions::ConnectOptions() {
    options_ = nsws_rules::client_defaults();
    options_.max_url_length = nsws_rules::JS_LONGEST_URL;
#if !defined(__OHOS__)
    options_.ca_path = with_extra_cas();
#endif
}

const nsws_connect_options *ConnectOptions::get() {
    options_.headers = headers_.data();
    options_.header_count = headers_.size();
    return &options_;
}

bool ConnectOptions::leave_out_compression(int32_t code) {
    return leaves_out(options_.compression, code);
}

Outcome ConnectOptions::read(napi_env env, napi_value value) {
    if (js::has(env, value, "protocol")) {
        auto protocol = js::as_string(env, js::get(env, value, "protocol"));
        if (!protocol || has_nul(*protocol))
            return wrong_parameter("options.protocol is no string that can be sent.");
        options_.protocol = texts_.keep(std::move(*protocol));
    }
    for (auto read : {&ConnectOptions::read_proxy, &ConnectOptions::read_headers,
                      &ConnectOptions::read_heartbeat, &ConnectOptions::read_files}) {
        Outcome outcome = (this->*read)(env, value);
        if (!outcome.is_ok()) return outcome;
    }
    read_reconnect(env, value);
    options_.skip_server_cert_verification =
        js::as_boolean(env, js::get(env, value, "skipServerCertVerification")).value_or(false);
    options_.support_origin_port =
        js::as_boolean(env, js::get(env, value, "supportOriginPort")).value_or(false);
    options_.compression = js::as_boolean(env, js::get(env, value, "compression")).value_or(false);
    // TlsProtocol: 0 to 3 are TLS 1.0 to 1.3, and nothing older than 1.2 is spoken.
    if (js::as_number(env, js::get(env, value, "minSupportTlsProtocol")) == 3)
        options_.min_tls_version = NSWS_TLS_1_3;
    return {};
}

// Files of certificates and keys, and, beyond the reference, pins.
Outcome ConnectOptions::read_files(napi_env env, napi_value value) {
    std::string ca_path = member_string(env, value, "caPath"), cert_path, key_path, password, pins;
    napi_value certificate = js::get(env, value, "clientCert"),
               pinned = js::get(env, value, "pinnedPublicKeys");
    if (is_object(env, certificate)) {
        cert_path = member_string(env, certificate, "certPath");
        key_path = member_string(env, certificate, "keyPath");
        password = member_string(env, certificate, "keyPassword");
    }
    const Wiped at_the_end(password);
    for (const std::string &pin : js::as_strings(env, pinned))
        pins += pins.empty() ? pin : ";" + pin;
    if (has_nul(password) || has_nul(pins))
        return wrong_parameter("A password or pin holds a NUL.");
    if (!pins.empty()) options_.pinned_public_keys = texts_.keep(std::move(pins));
    has_wrong_path_ = has_nul(ca_path + cert_path + key_path);
    if (has_wrong_path_) {
        options_.ca_path = nsws_rules::NO_FILE;
        return {};
    }
    if (!ca_path.empty()) options_.ca_path = texts_.keep(std::move(ca_path));
    if (!cert_path.empty()) {
        options_.client_cert_path = texts_.keep(std::move(cert_path));
        if (!key_path.empty()) options_.client_key_path = texts_.keep(std::move(key_path));
        if (!password.empty()) options_.client_key_password = texts_.keep(std::move(password));
    }
    return {};
}

// Values are strings or arrays of strings; names are sent in lower case. An empty value is as if
// absent.
Outcome ConnectOptions::read_headers(napi_env env, napi_value value) {
    napi_value headers = js::get(env, value, "header"), names = nullptr;
    uint32_t count = 0;
    if (!is_object(env, headers) || napi_get_property_names(env, headers, &names) != napi_ok)
        return {};
    napi_get_array_length(env, names, &count);
    for (uint32_t i = 0; i < count; i++) {
        napi_value key = nullptr, content = nullptr;
        if (napi_get_element(env, names, i, &key) != napi_ok ||
            napi_get_property(env, headers, key, &content) != napi_ok)
            break;
        std::string name = nsws_rules::lower_case(js::as_string(env, key).value_or(""));
        std::vector<std::string> values = js::as_strings(env, content);
        if (auto single = js::as_string(env, content)) values = {*single};
        for (std::string &text : values) {
            if (text.empty()) continue;
            if (has_nul(name) || has_nul(text)) return wrong_parameter("A header holds a NUL.");
            headers_.push_back({texts_.keep(name), texts_.keep(std::move(text))});
        }
    }
    return {};
}

Outcome ConnectOptions::read_heartbeat(napi_env env, napi_value value) {
    auto interval = member_seconds(env, value, "pingInterval"),
         timeout = member_seconds(env, value, "pongTimeout");
    double every = interval.value_or(nsws_rules::JS_HEARTBEAT_SECONDS);
    options_.ping_interval_ms = milliseconds(every);
    if (timeout) options_.pong_timeout_ms = milliseconds(std::min(*timeout, every));
    return {};
}

Outcome ConnectOptions::read_proxy(napi_env env, napi_value value) {
    napi_value proxy = js::get(env, value, "proxy");
    if (js::is_absent(env, proxy)) return {};
    const char *expected = "options.proxy is neither 'system' nor 'no-proxy' nor an object.";
    if (auto word = js::as_string(env, proxy)) {
        if (*word == "no-proxy") options_.proxy_mode = NSWS_PROXY_NONE;
        return *word == "no-proxy" || *word == "system" ? Outcome{} : wrong_parameter(expected);
    }
    if (!is_object(env, proxy)) return wrong_parameter(expected);
    napi_value port = js::get(env, proxy, "port");
    double number = js::as_number(env, port).value_or(js::is_absent(env, port) ? 0 : -1);
    if (!(number >= 0 && number <= 65535))
        return wrong_parameter("options.proxy.port is not between 0 and 65535.");
    std::string host = member_string(env, proxy, "host"), exclusions;
    std::string username = member_string(env, proxy, "username"),
                password = member_string(env, proxy, "password");
    const Wiped at_the_end(password);
    for (const std::string &exclusion : js::as_strings(env, js::get(env, proxy, "exclusionList"))) {
        exclusions += exclusions.empty() ? exclusion : "," + exclusion;
    }
    if (has_nul(host) || has_nul(username) || has_nul(password) || has_nul(exclusions))
        return wrong_parameter("options.proxy holds a NUL.");
    // No proxy's name: no proxy, as it was before.
    options_.proxy_mode = host.empty() ? NSWS_PROXY_NONE : NSWS_PROXY_HTTP;
    if (host.empty()) return {};
    options_.proxy_host = texts_.keep(std::move(host));
    options_.proxy_port =
        number >= 1 ? static_cast<uint32_t>(number) : nsws_rules::DEFAULT_PROXY_PORT;
    options_.proxy_username = texts_.keep(std::move(username));
    options_.proxy_password = texts_.keep(std::move(password));
    options_.proxy_exclusion_list = texts_.keep(std::move(exclusions));
    return {};
}

// Beyond the reference: {maxAttempts, minDelay, maxDelay}, delays in milliseconds.
void ConnectOptions::read_reconnect(napi_env env, napi_value value) {
    napi_value reconnect = js::get(env, value, "reconnect");
    if (!is_object(env, reconnect)) return;
    options_.reconnect_max_attempts = member_count(env, reconnect, "maxAttempts");
    if (uint32_t delay = member_count(env, reconnect, "minDelay"))
        options_.reconnect_min_delay_ms = delay;
    if (uint32_t delay = member_count(env, reconnect, "maxDelay"))
        options_.reconnect_max_delay_ms = delay;
    options_.reconnect_max_delay_ms =
        std::max(options_.reconnect_max_delay_ms, options_.reconnect_min_delay_ms);
}

Outcome CloseOptions::read(napi_env env, napi_value value) {
    code = nsws_rules::to_send(js::as_number(env, js::get(env, value, "code")).value_or(code));
    reason = member_string(env, value, "reason");
    if (has_nul(reason)) return wrong_parameter("The reason holds a NUL.");
    return {};
}

ServerOptions::ServerOptions() {
    options_ = nsws_rules::server_defaults();
}

Outcome ServerOptions::read(napi_env env, napi_value value) {
    std::string address = member_string(env, value, "serverIP"),
                protocol = member_string(env, value, "protocol");
    if (has_nul(protocol)) return wrong_parameter("config.protocol holds a NUL.");
    // No address has a NUL in it, nor a backslash.
    for (size_t at; (at = address.find('\0')) != std::string::npos;)
        address.replace(at, 1, "\\0");
    options_.server_ip = texts_.keep(std::move(address));
    options_.protocol = texts_.keep(std::move(protocol));
    double port = js::as_number(env, js::get(env, value, "serverPort")).value_or(0);
    bool is_port = port >= 1 && port <= 65535 && port == std::floor(port);
    options_.server_port = is_port ? static_cast<uint32_t>(port) : 0;
    options_.max_concurrent_clients = member_count(env, value, "maxConcurrentClientsNumber");
    options_.max_connections_per_client = member_count(env, value, "maxConnectionsForOneClient");

    napi_value certificate = js::get(env, value, "serverCert");
    std::string cert_path, key_path;
    if (is_object(env, certificate)) {
        cert_path = member_string(env, certificate, "certPath");
        key_path = member_string(env, certificate, "keyPath");
    }
    wrong_ = nsws_rules::wrong_in(options_);
    wrong_.files = has_nul(cert_path) || has_nul(key_path);
    if (!cert_path.empty() && !wrong_.files) {
        options_.cert_path = texts_.keep(std::move(cert_path));
        options_.key_path = texts_.keep(std::move(key_path));
    }
    options_.compression = js::as_boolean(env, js::get(env, value, "compression")).value_or(false);
    return read_origins(env, value);
}

// Beyond the reference. Without it every page may connect, so a value of another type is refused,
// not ignored.
Outcome ServerOptions::read_origins(napi_env env, napi_value value) {
    napi_value origins = js::get(env, value, "allowedOrigins");
    if (js::is_absent(env, origins)) return {};
    bool is_array = false;
    napi_is_array(env, origins, &is_array);
    if (!is_array) return wrong_parameter("config.allowedOrigins is not an array.");
    std::string list;
    for (const std::string &origin : js::as_strings(env, origins))
        list += list.empty() ? origin : "," + origin;
    if (has_nul(list)) return wrong_parameter("config.allowedOrigins holds a NUL.");
    options_.allowed_origins = texts_.keep(std::move(list));
    return {};
}

Outcome ServerOptions::start(nsws_server server) {
    int32_t code = nsws_rules::start(server, options_, wrong_);
    if (leaves_out(options_.compression, code)) code = nsws_rules::start(server, options_, wrong_);
    if (code == NSWS_ERR_LISTEN_PORT && wrong_.port)
        return outcome(code, "config.serverPort is not between 1 and 65535.");
    if (code == NSWS_ERR_INTERNAL && wrong_.limits) {
        return outcome(
            code, "config.maxConcurrentClientsNumber or maxConnectionsForOneClient is above 10.");
    }
    if (code == NSWS_ERR_CERT_FILE && wrong_.files)
        return outcome(code, "The path of a file holds a NUL.");
    Outcome result = outcome_of(code);
    result.detail = in_words_of_config(std::move(result.detail));
    return result;
}
