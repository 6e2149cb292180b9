#include "exporter/web_config/pem.h"

#include <string>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace finwait::web_config {

namespace {

struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioDeleter>;

BioPtr BioOf(std::string_view text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

/// In place of OpenSSL's own, which asks at the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

/// Whether reading stopped because there is no further PEM block of the kind that was looked for.
bool AtEnd() {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

}  // namespace

std::string LastTlsError() {
  const unsigned long error = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : "OpenSSL error " + std::to_string(error);
}

Result<std::vector<X509Ptr>> CertificatesOf(std::string_view pem) {
  ERR_clear_error();
  const BioPtr bio = BioOf(pem);
  std::vector<X509Ptr> certificates;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)) {
    certificates.emplace_back(certificate);
  }
  if (!AtEnd()) {
    return Fail(FailureReason::kError, "a certificate in it cannot be read (" + LastTlsError() + ")");
  }
  if (certificates.empty()) {
    return Fail(FailureReason::kError, "there is no PEM certificate in it");
  }
  return certificates;
}

Result<KeyPtr> PrivateKeyOf(std::string_view pem) {
  ERR_clear_error();
  const BioPtr bio = BioOf(pem);
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  if (key) {
    return key;
  }
  if (AtEnd()) {
    return Fail(FailureReason::kError, "there is no PEM private key in it");
  }
  if (pem.find("ENCRYPTED") != std::string_view::npos) {
    return Fail(FailureReason::kError, "a passphrase protects it; write it without one, for this program cannot ask");
  }
  return Fail(FailureReason::kError, "it cannot be read (" + LastTlsError() + ")");
}

}  // namespace finwait::web_config
