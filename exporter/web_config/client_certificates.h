#pragma once

#include <string>
#include <vector>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "collectors/base/result.h"
#include "exporter/web_config/tls_context.h"
#include "exporter/web_config/web_config.h"

namespace finwait::web_config {

/// Has `context` ask clients for certificates as `settings` say. `client_ca` is the PEM text of the authorities that
/// the settings name; where they name none, those that this system trusts are taken.
Result<void> SetClientAuthentication(SSL_CTX* context, const TlsSettings& settings, const PemText& client_ca);

/// The subject alternative names of a certificate in the form that client_allowed_sans compares: DNS names, e-mail
/// addresses, URIs, IP addresses.
std::vector<std::string> SubjectAlternativeNames(const X509* certificate);

}  // namespace finwait::web_config
