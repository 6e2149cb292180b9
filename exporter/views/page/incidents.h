#pragma once

#include <string>

#include "exporter/incidents/timeline.h"
#include "exporter/views/json.h"

namespace finwait::views::page {

/// What has happened on this host: a line of time, and a row for each incident, the newest first. Hidden while there is
/// none.
std::string IncidentsSection(const incidents::Timeline& timeline, incidents::Time now, Details details);

}  // namespace finwait::views::page
