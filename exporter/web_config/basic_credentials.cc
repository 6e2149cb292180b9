#include "exporter/web_config/basic_credentials.h"

#include <algorithm>

#include <openssl/evp.h>

#include "exporter/http/message.h"

namespace finwait::web_config {

namespace {

/// Strict base64 with padding (RFC 4648 section 4).
std::optional<std::string> DecodeBase64(std::string_view text) {
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const std::string_view digits = text.substr(0, text.size() - padding);
  const bool is_legal =
      text.size() % 4 == 0 && std::all_of(digits.begin(), digits.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
      });
  if (!is_legal) {  // EVP_DecodeBlock would skip blanks and not tell how much of the end is padding
    return std::nullopt;
  }
  std::string decoded(text.size() / 4 * 3, '\0');
  const int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (length < 0) {
    return std::nullopt;
  }
  decoded.resize(static_cast<std::size_t>(length) - padding);
  return decoded;
}

}  // namespace

std::optional<BasicCredentials> ParseBasicCredentials(std::string_view authorization) {
  constexpr std::string_view kScheme = "Basic ";
  if (!http::SameFieldName(authorization.substr(0, kScheme.size()), kScheme)) {
    return std::nullopt;
  }
  const auto decoded = DecodeBase64(authorization.substr(kScheme.size()));
  const std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos) {
    return std::nullopt;
  }
  return BasicCredentials{decoded->substr(0, colon), decoded->substr(colon + 1)};
}

}  // namespace finwait::web_config
