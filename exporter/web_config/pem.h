#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "collectors/base/result.h"

namespace finwait::web_config {

struct X509Deleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using X509Ptr = std::unique_ptr<X509, X509Deleter>;

struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, KeyDeleter>;

/// The certificates in a PEM text, whatever else it holds; at least one.
Result<std::vector<X509Ptr>> CertificatesOf(std::string_view pem);

/// The first private key in a PEM text. One that a passphrase protects is an error.
Result<KeyPtr> PrivateKeyOf(std::string_view pem);

/// Why OpenSSL's last call in this thread failed, in its own words.
std::string LastTlsError();

}  // namespace finwait::web_config
