#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace finwait::web_config {

/// What a client says who it is.
struct BasicCredentials {
  std::string user;
  std::string password;
};

/// The credentials in the value of an Authorization header (RFC 7617). Nothing for another scheme and for what is
/// malformed.
std::optional<BasicCredentials> ParseBasicCredentials(std::string_view authorization);

}  // namespace finwait::web_config
