#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace finwait::http {

/// Each %XX as the byte that it stands for (RFC 3986, 2.1). Nothing where two hexadecimal digits do not follow a '%'.
std::optional<std::string> PercentDecode(std::string_view text);

}  // namespace finwait::http
