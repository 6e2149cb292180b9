#pragma once

#include <string>

#include "exporter/sampling/snapshot.h"

namespace finwait {

/// UTC with whole seconds, as RFC 3339 writes it: "2026-11-23T04:15:14Z".
std::string Rfc3339(WallClock::time_point time);

}  // namespace finwait
