#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/lab/certificates.h"
#include "tests/lab/namespace.h"
#include "tests/lab/temporary_folder.h"

namespace finwait::e2e {

/// The built program with a web configuration, in a namespace of its own, and the certificates that belong to it. Its
/// clients are curl and openssl, run inside.
class ProtectedProgram {
 public:
  /// Writes ca.crt, server.crt, server.key, client.crt, client.key (of the authority, for every name in
  /// kClientNames), stranger.crt and stranger.key (of none) into the folder.
  ProtectedProgram();
  ~ProtectedProgram();
  ProtectedProgram(const ProtectedProgram&) = delete;
  ProtectedProgram& operator=(const ProtectedProgram&) = delete;

  static constexpr const char* kClientNames =
      "DNS:prometheus.example,IP:192.0.2.7,IP:2001:db8::7,email:ops@example.org,URI:spiffe://example.org/prometheus";
  /// The hash of "secret" at cost 4.
  static const std::string& HashOfSecret();
  /// `tls_server_config` with nothing but certificate and key.
  static constexpr const char* kTls = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

  /// Writes web.yml and starts the program with it, and `flags`; returns when its port is open. Throws with its log
  /// when it is not within 10 s.
  void Start(const std::string& web_config, const std::vector<std::string>& flags = {});
  /// Changes a file beside web.yml, as an operator does: a new one takes the old one's place.
  void Replace(const std::string& name, const std::string& content) const;

  struct Reply {
    int exit_code = 0;  ///< curl's
    int status = 0;     ///< 0 when there was no answer
    std::string text;   ///< head and body
    std::string errors;
  };
  /// curl -i with further arguments; the path is asked for by https unless `scheme` says otherwise. The server's
  /// certificate is verified.
  Reply Get(const std::string& path, const std::vector<std::string>& arguments = {},
            const std::string& scheme = "https") const;
  /// As Get, with the certificate of a client.
  Reply GetAs(const std::string& client, const std::string& path) const;
  /// What `openssl s_client -brief` says of a handshake.
  std::string Handshake(const std::vector<std::string>& arguments) const;

  const lab::Namespace& Where() const { return where_; }
  const lab::TemporaryFolder& Folder() const { return folder_; }
  const lab::Certificate& Authority() const { return authority_; }
  pid_t Pid() const { return pid_; }
  std::string Log() const;
  /// Resident memory in bytes, and the most there was.
  std::size_t ResidentBytes(const std::string& field = "VmRSS") const;

 private:
  lab::Namespace where_;
  lab::TemporaryFolder folder_;
  lab::Certificate authority_ = lab::MakeCertificate({.name = "authority", .is_authority = true});
  pid_t pid_ = -1;
};

}  // namespace finwait::e2e
