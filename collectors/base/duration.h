#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace finwait {

/// A duration as Go writes it, which is what every Prometheus flag takes: numbers with units, "5s", "500ms", "1m30s",
/// "1.5h"; units ns, us (also written with a micro sign), ms, s, m, h. Nothing for anything else, for a sign, and past
/// 10000 hours.
std::optional<std::chrono::nanoseconds> ParseDuration(std::string_view text);

}  // namespace finwait
