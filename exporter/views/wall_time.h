#pragma once

#include <string>

#include "exporter/scheduling/snapshot.h"

namespace finwait::views {

/// UTC with whole seconds, as RFC 3339 writes it: "2026-11-23T04:15:14Z".
std::string Rfc3339(scheduling::WallClock::time_point time);

}  // namespace finwait::views
