#pragma once

#include <filesystem>
#include <vector>

/// Files that libraries read by themselves, whoever calls them: for FileDomain::Enter.
namespace finwait::privilege {

/// What TLS takes: the authorities that this system trusts (or SSL_CERT_FILE, SSL_CERT_DIR), and OpenSSL's settings.
std::vector<std::filesystem::path> TlsFiles();
/// What looking up a name takes, beside the libraries that do it.
std::vector<std::filesystem::path> NameLookupFiles();
/// Where libraries are, those too that are loaded only when somebody asks for what they do.
std::vector<std::filesystem::path> LoaderFiles();

}  // namespace finwait::privilege
