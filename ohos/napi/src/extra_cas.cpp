#include "extra_cas.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;

// Where the systems keep one file with all CAs.
constexpr const char *SYSTEM_FILES[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

std::string content(const fs::path &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string variable(const char *name) {
    const char *value = secure_getenv(name);
    return value == nullptr ? "" : value;
}

// What the library would read without `ca_path`.
std::string system_cas() {
    std::string file = variable("SSL_CERT_FILE"), folders = variable("SSL_CERT_DIR"), all;
    std::error_code ignored;
    if (file.empty() && folders.empty()) {
        for (const char *known : SYSTEM_FILES) {
            if (fs::exists(known, ignored)) return content(known);
        }
        folders = "/etc/ssl/certs";
    }
    if (!file.empty()) all = content(file) + "\n";
    for (size_t start = 0; start < folders.size();) {
        size_t end = std::min(folders.find(':', start), folders.size());
        for (const auto &entry :
             fs::directory_iterator(folders.substr(start, end - start), ignored)) {
            if (entry.is_regular_file(ignored)) all += content(entry.path()) + "\n";
        }
        start = end + 1;
    }
    return all;
}

// A file that lives as long as the process and that nothing else can change; its path, or "".
std::string kept(const std::string &text) {
    int descriptor = memfd_create("netstack-websocket-cas", MFD_CLOEXEC);
    if (descriptor < 0) return "";
    for (size_t written = 0; written < text.size();) {
        ssize_t count = write(descriptor, text.data() + written, text.size() - written);
        if (count <= 0) {
            close(descriptor);
            return "";
        }
        written += static_cast<size_t>(count);
    }
    return "/proc/self/fd/" + std::to_string(descriptor);
}

std::string combined() {
    std::string extra = variable("NODE_EXTRA_CA_CERTS");
    if (extra.empty()) return "";
    // Node warns of a file that it can't read, and goes on without.
    std::string text = content(extra);
    return text.empty() ? "" : kept(system_cas() + "\n" + text);
}

}  // namespace

const char *with_extra_cas() {
    static const std::string *path = new std::string(combined());
    return path->empty() ? nullptr : path->c_str();
}
