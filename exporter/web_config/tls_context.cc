#include "exporter/web_config/tls_context.h"

#include <openssl/err.h>

#include "exporter/web_config/cipher_suites.h"
#include "exporter/web_config/client_certificates.h"
#include "exporter/web_config/pem.h"

namespace finwait::web_config {

namespace {

int VersionOf(TlsVersion version) {
  switch (version) {
    case TlsVersion::kTls10:
      return TLS1_VERSION;
    case TlsVersion::kTls11:
      return TLS1_1_VERSION;
    case TlsVersion::kTls12:
      return TLS1_2_VERSION;
    case TlsVersion::kTls13:
      return TLS1_3_VERSION;
  }
  return TLS1_3_VERSION;
}

/// Of the protocols that a client offers (RFC 7301) we speak one.
int SelectProtocol(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                   unsigned int offered_length, void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, length, kHttp11, sizeof kHttp11 - 1, offered, offered_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = selected;
  return SSL_TLSEXT_ERR_OK;
}

Result<void> SetVersionsAndSuites(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.min_version > settings.max_version) {
    return Fail(FailureReason::kError, "min_version is above max_version");
  }
  TlsVersion least = settings.min_version;
  std::string suites = CipherList(settings.cipher_suites);
  if (suites.empty()) {  // only suites of TLS 1.3 are named, so there is nothing that an older version could use
    if (settings.max_version < TlsVersion::kTls13) {
      return Fail(FailureReason::kError, "cipher_suites names none that max_version can use");
    }
    least = TlsVersion::kTls13;
    suites = CipherList({});
  }
  // Level 1 takes what Go takes: RSA keys from 1024 bits on. TLS 1.0 and 1.1 sign with SHA-1, which needs level 0.
  SSL_CTX_set_security_level(context, least < TlsVersion::kTls12 ? 0 : 1);
  if (SSL_CTX_set_cipher_list(context, suites.c_str()) != 1 ||
      SSL_CTX_set1_groups_list(context, CurveList(settings.curve_preferences).c_str()) != 1 ||
      SSL_CTX_set_min_proto_version(context, VersionOf(least)) != 1 ||
      SSL_CTX_set_max_proto_version(context, VersionOf(settings.max_version)) != 1) {
    return Fail(FailureReason::kError, "the TLS settings cannot be used (" + LastTlsError() + ")");
  }
  if (settings.prefer_server_cipher_suites) {
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  }
  return {};
}

Result<void> UseCertificate(SSL_CTX* context, const TlsMaterial& material) {
  const auto chain = CertificatesOf(material.certificate.text);
  if (!chain) {
    return Fail(FailureReason::kError, "the certificate " + material.certificate.name + ": " + chain.error().message);
  }
  const auto key = PrivateKeyOf(material.key.text);
  if (!key) {
    return Fail(FailureReason::kError, "the private key " + material.key.name + ": " + key.error().message);
  }
  if (X509_check_private_key(chain->front().get(), key->get()) != 1) {
    return Fail(FailureReason::kError, "the private key " + material.key.name + " is not that of the certificate " +
                                           material.certificate.name);
  }
  bool used =
      SSL_CTX_use_certificate(context, chain->front().get()) == 1 && SSL_CTX_use_PrivateKey(context, key->get()) == 1;
  for (std::size_t i = 1; used && i < chain->size(); ++i) {
    used = SSL_CTX_add1_chain_cert(context, (*chain)[i].get()) == 1;
  }
  if (!used) {
    return Fail(FailureReason::kError,
                "the certificate " + material.certificate.name + " cannot be used (" + LastTlsError() + ")");
  }
  return {};
}

}  // namespace

Result<SslContextPtr> MakeTlsContext(const TlsSettings& settings, const TlsMaterial& material) {
  ERR_clear_error();
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context) {
    return Fail(FailureReason::kError, "OpenSSL cannot start (" + LastTlsError() + ")");
  }
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_alpn_select_cb(context.get(), SelectProtocol, nullptr);
  for (const auto& done : {SetVersionsAndSuites(context.get(), settings), UseCertificate(context.get(), material),
                           SetClientAuthentication(context.get(), settings, material.client_ca)}) {
    if (!done) {
      return Failure(done.error());
    }
  }
  return context;
}

}  // namespace finwait::web_config
