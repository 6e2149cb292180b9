#pragma once

#include <memory>
#include <string>
#include <vector>

#include <openssl/evp.h>
#include <openssl/x509.h>

namespace finwait::lab {

/// A certificate and its key, both also as PEM.
struct Certificate {
  std::shared_ptr<X509> x509;
  std::shared_ptr<EVP_PKEY> key;
  std::string pem;
  std::string key_pem;
};

/// What a certificate is made of.
struct CertificateRequest {
  std::string name;  ///< common name
  std::string alternative_names =
      {};  ///< as OpenSSL's configuration has them: "DNS:a.example,IP:192.0.2.1"; "" for none
  const Certificate* issuer = nullptr;  ///< null: signed by itself
  bool is_authority = false;
  int days_valid = 30;  ///< from yesterday on; below 0: expired
};

/// A certificate with a fresh P-256 key.
Certificate MakeCertificate(const CertificateRequest& request);

}  // namespace finwait::lab
