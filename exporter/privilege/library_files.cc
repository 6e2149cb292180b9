#include "exporter/privilege/library_files.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

namespace finwait::privilege {
namespace {

// The paths that an environment variable lists, with colons between them.
void AddNamedBy(const char* variable, std::vector<std::filesystem::path>& files) {
  const char* const value = std::getenv(variable);
  std::string_view rest = value != nullptr ? value : "";
  while (!rest.empty()) {
    const std::string_view path = rest.substr(0, rest.find(':'));
    if (!path.empty()) {
      files.emplace_back(path);
    }
    rest.remove_prefix(std::min(path.size() + 1, rest.size()));
  }
}

}  // namespace

std::vector<std::filesystem::path> TlsFiles() {
  std::vector<std::filesystem::path> files = {"/etc/ssl",
                                              "/usr/lib/ssl",
                                              "/etc/pki",
                                              "/usr/share/ca-certificates",
                                              "/usr/local/share/ca-certificates",
                                              "/etc/crypto-policies",
                                              "/usr/share/crypto-policies"};
  for (const char* variable : {"SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF"}) {
    AddNamedBy(variable, files);
  }
  return files;
}

std::vector<std::filesystem::path> NameLookupFiles() {
  return {"/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf"};
}

std::vector<std::filesystem::path> LoaderFiles() {
  return {"/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ld.so.preload"};
}

}  // namespace finwait::privilege
