#include "exporter/web_config/client_certificates.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include <openssl/x509v3.h>

#include "exporter/web_config/pem.h"

namespace finwait::web_config {

namespace {

/// Clients send no more than this of certificates.
constexpr long kMostCertificateBytes = 64 * 1024;

/// What VerifyClient needs to know; owned by the SSL_CTX.
struct Demands {
  bool known_authority = false;
  std::optional<std::vector<std::string>> allowed_sans;
};

int DemandsIndex() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* demands, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Demands*>(demands); });
  return index;
}

bool HasAllowedSan(const X509* certificate, const std::vector<std::string>& allowed) {
  const std::vector<std::string> names = SubjectAlternativeNames(certificate);
  return std::any_of(names.begin(), names.end(), [&allowed](const std::string& name) {
    return std::find(allowed.begin(), allowed.end(), name) != allowed.end();
  });
}

/// Called by OpenSSL for every certificate that a client presents; 1 lets it in.
int VerifyClient(X509_STORE_CTX* store, void* argument) {
  const auto* demands = static_cast<const Demands*>(argument);
  if (demands->known_authority && X509_verify_cert(store) != 1) {
    return 0;
  }
  const X509* certificate = X509_STORE_CTX_get0_cert(store);
  if (demands->allowed_sans && !HasAllowedSan(certificate, *demands->allowed_sans)) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);  // the client is told bad_certificate
    return 0;
  }
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

std::string TextOf(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

/// As Go writes addresses: IPv4 in IPv6 is IPv4.
std::string AddressOf(const ASN1_OCTET_STRING* string) {
  const std::string bytes = TextOf(string);
  constexpr std::string_view kMapped{"\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (bytes.size() == 16 && !bytes.starts_with(kMapped)) {
    inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
  } else if (bytes.size() == 16) {
    inet_ntop(AF_INET, bytes.data() + kMapped.size(), text.data(), text.size());
  } else if (bytes.size() == 4) {
    inet_ntop(AF_INET, bytes.data(), text.data(), text.size());
  }
  return text.data();
}

Result<void> TrustAuthorities(SSL_CTX* context, const PemText& client_ca) {
  const auto authorities = CertificatesOf(client_ca.text);
  if (!authorities) {
    return Fail(FailureReason::kError, "the client CA " + client_ca.name + ": " + authorities.error().message);
  }
  for (const X509Ptr& authority : *authorities) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
    SSL_CTX_add_client_CA(context, authority.get());  // so that clients know which of their certificates to send
  }
  return {};
}

}  // namespace

std::vector<std::string> SubjectAlternativeNames(const X509* certificate) {
  std::vector<std::string> names;
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    int type = 0;
    const auto* value =
        static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), i), &type));
    if (type == GEN_DNS || type == GEN_EMAIL || type == GEN_URI) {
      names.push_back(TextOf(value));
    } else if (type == GEN_IPADD) {
      names.push_back(AddressOf(value));
    }
  }
  return names;
}

Result<void> SetClientAuthentication(SSL_CTX* context, const TlsSettings& settings, const PemText& client_ca) {
  using Type = ClientAuthentication;
  const Type type = settings.client_authentication.value_or(Type::kNoClientCert);
  const bool required = type == Type::kRequireAnyClientCert || type == Type::kRequireAndVerifyClientCert;
  const bool has_authorities = !settings.client_ca.empty() || !settings.client_ca_file.empty();
  if (has_authorities && type == Type::kNoClientCert) {
    return Fail(FailureReason::kError,
                "client_ca_file or client_ca is there, but client_auth_type asks no client for a certificate; "
                "RequireAndVerifyClientCert does");
  }
  if (settings.client_allowed_sans && !required) {
    return Fail(FailureReason::kError,
                "client_allowed_sans needs client_auth_type to be RequireAndVerifyClientCert or RequireAnyClientCert");
  }
  if (type == Type::kNoClientCert) {
    return {};
  }
  const bool verified = type == Type::kVerifyClientCertIfGiven || type == Type::kRequireAndVerifyClientCert;
  if (verified && !has_authorities) {
    SSL_CTX_set_default_verify_paths(context);
  }
  if (has_authorities) {
    if (auto trusted = TrustAuthorities(context, client_ca); !trusted) {
      return trusted;
    }
  }
  auto demands = std::make_unique<Demands>(Demands{verified, settings.client_allowed_sans});
  SSL_CTX_set_cert_verify_callback(context, VerifyClient, demands.get());
  SSL_CTX_set_ex_data(context, DemandsIndex(), demands.release());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  SSL_CTX_set_max_cert_list(context, kMostCertificateBytes);
  return {};
}

}  // namespace finwait::web_config
