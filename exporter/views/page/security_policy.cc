#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <string_view>

#include "exporter/views/page/assets.h"

namespace finwait::views::page {
namespace {

// 'sha256-...', as CSP Level 3 names a source by its content.
std::string HashSource(std::string_view content) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest = {};
  SHA256(reinterpret_cast<const unsigned char*>(content.data()), content.size(), digest.data());
  std::array<unsigned char, 4 * ((SHA256_DIGEST_LENGTH + 2) / 3) + 1> base64 = {};
  const int length = EVP_EncodeBlock(base64.data(), digest.data(), SHA256_DIGEST_LENGTH);
  return "'sha256-" + std::string(base64.begin(), base64.begin() + length) + "'";
}

}  // namespace

std::string PageSecurityPolicy() {
  // img-src: the icon in the browser's tab is a data: URL.
  return "default-src 'none'; style-src " + HashSource(kPageStyle) + "; script-src " + HashSource(kPageScript) +
         "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
}

}  // namespace finwait::views::page
