#include "tests/lab/certificates.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace finwait::lab {

namespace {

constexpr long kDay = 24L * 60 * 60;

template <typename T>
std::string PemOf(const T& write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  write(bio.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), X509_EXTENSION_free);
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) {
    throw std::runtime_error("cannot put \"" + value + "\" into a certificate");
  }
}

}  // namespace

Certificate MakeCertificate(const CertificateRequest& request) {
  Certificate made;
  made.key = std::shared_ptr<EVP_PKEY>(EVP_EC_gen("P-256"), EVP_PKEY_free);
  made.x509 = std::shared_ptr<X509>(X509_new(), X509_free);
  X509* certificate = made.x509.get();
  X509* issuer = request.issuer != nullptr ? request.issuer->x509.get() : certificate;
  X509_set_version(certificate, X509_VERSION_3);
  long serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), 4);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial + 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kDay * 400);
  X509_gmtime_adj(X509_getm_notAfter(certificate), kDay * request.days_valid);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(request.name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  AddExtension(certificate, issuer, NID_basic_constraints, request.is_authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!request.alternative_names.empty()) {
    AddExtension(certificate, issuer, NID_subject_alt_name, request.alternative_names);
  }
  EVP_PKEY* signer = request.issuer != nullptr ? request.issuer->key.get() : made.key.get();
  if (X509_sign(certificate, signer, EVP_sha256()) == 0) {
    throw std::runtime_error("cannot sign a certificate");
  }
  made.pem = PemOf([certificate](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
  made.key_pem = PemOf(
      [&made](BIO* bio) { PEM_write_bio_PrivateKey(bio, made.key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  return made;
}

}  // namespace finwait::lab
