#include "exporter/web_config/cipher_suites.h"

#include <algorithm>
#include <array>

#include <openssl/ssl.h>

namespace finwait::web_config {

namespace {

// The order is that of preference where none is given; the last four, without forward secrecy, only when named.
constexpr std::array<std::string_view, 17> kSuites = {
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
};
constexpr std::size_t kWithoutForwardSecrecy = 4;

constexpr std::array<std::string_view, 4> kCurves = {"X25519", "CurveP256", "CurveP384", "CurveP521"};

bool IsOfTls13(std::string_view name) { return name.find("_WITH_") == std::string_view::npos; }

void Append(std::string& list, std::string_view name) {
  list += list.empty() ? "" : ":";
  list += name;
}

}  // namespace

std::span<const std::string_view> CipherSuites() { return kSuites; }

std::span<const std::string_view> Curves() { return kCurves; }

std::string CipherList(const std::vector<std::string>& names) {
  std::vector<std::string> wanted = names;
  if (wanted.empty()) {
    wanted.assign(kSuites.begin(), kSuites.end() - kWithoutForwardSecrecy);
  }
  std::string list;
  for (const std::string& name : wanted) {
    if (!IsOfTls13(name)) {
      Append(list, OPENSSL_cipher_name(name.c_str()));
    }
  }
  return list;
}

std::string CurveList(const std::vector<std::string>& names) {
  constexpr std::string_view kGoPrefix = "CurveP";  // "CurveP256" is OpenSSL's "P-256"
  std::vector<std::string> wanted = names;
  if (wanted.empty()) {
    wanted.assign(kCurves.begin(), kCurves.end());
  }
  std::string list;
  for (const std::string& name : wanted) {
    Append(list, name.starts_with(kGoPrefix) ? "P-" + name.substr(kGoPrefix.size()) : name);
  }
  return list;
}

}  // namespace finwait::web_config
