#pragma once

#include <string>
#include <string_view>

#include "collectors/base/result.h"
#include "exporter/pairs/halves.h"

/// The lost halves of a host as JSON: /api/v1/pairs.
namespace finwait::pairs {

/// Ends with a newline.
std::string LostJson(const LostDocument& document);

/// What LostJson() wrote, on this host or another; whatever else comes is an error. At most kMostLost halves
/// and kMostPassages passages.
Result<LostDocument> ParseLostJson(std::string_view text);
inline constexpr std::size_t kMostLost = 100'000;
inline constexpr std::size_t kMostPassages = 65'536;

}  // namespace finwait::pairs
