#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace finwait::web_config {

enum class TlsVersion { kTls10, kTls11, kTls12, kTls13 };

/// What is asked of clients' certificates; the names are those of Go's crypto/tls.
enum class ClientAuthentication {
  kNoClientCert,
  kRequestClientCert,          ///< asked for, not looked at
  kRequireAnyClientCert,       ///< must be there, any will do
  kVerifyClientCertIfGiven,    ///< need not be there, but must be from a known authority if it is
  kRequireAndVerifyClientCert  ///< must be there and from a known authority
};

/// `tls_server_config`.
struct TlsSettings {
  // A certificate chain and its private key, each as PEM text or as a file; the file wins.
  std::string certificate;
  std::string key;
  std::filesystem::path certificate_file;
  std::filesystem::path key_file;
  /// Nothing where the file does not say, which is kNoClientCert.
  std::optional<ClientAuthentication> client_authentication;
  /// The authorities that clients' certificates may come from: PEM, or a file, which wins. Without either, those that
  /// this system trusts.
  std::string client_ca;
  std::filesystem::path client_ca_file;
  /// Subject alternative names of which a client's certificate must have one. Nothing: no matter; an empty list: none
  /// will do.
  std::optional<std::vector<std::string>> client_allowed_sans;
  TlsVersion min_version = TlsVersion::kTls12;
  TlsVersion max_version = TlsVersion::kTls13;
  /// IANA names, of those that Go knows; empty: our choice. Those of TLS 1.3 are always all there.
  std::vector<std::string> cipher_suites;
  bool prefer_server_cipher_suites = true;
  /// Go's names, in order of preference; empty: our choice.
  std::vector<std::string> curve_preferences;

  /// Whether TLS is asked for at all.
  bool IsEnabled() const {
    return !certificate.empty() || !key.empty() || !certificate_file.empty() || !key_file.empty() ||
           client_authentication || !client_ca.empty() || !client_ca_file.empty();
  }
};

/// `rate_limit`: a token bucket that all requests share.
struct RateLimit {
  std::chrono::nanoseconds interval{0};  ///< between two requests in the long run; 0 is no limit
  int burst = 0;                         ///< requests at once; 0 lets none pass
};

/// A web configuration file, as exporter-toolkit defines it.
struct WebConfig {
  TlsSettings tls;
  std::map<std::string, std::string> headers;  ///< for every answer; only those that ParseWebConfig allows
  RateLimit rate_limit;
  std::map<std::string, std::string> users;  ///< name to bcrypt hash, as written: it may not be one
};

}  // namespace finwait::web_config
