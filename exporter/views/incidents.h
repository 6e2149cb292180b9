#pragma once

#include <optional>
#include <string>

#include "exporter/incidents/timeline.h"
#include "exporter/views/json.h"

namespace finwait::views {

/// "no process", "uid 33"; empty for resets, whose holder nobody tells.
std::string HolderText(const incidents::Incident& incident);

/// What has happened, as JSON: /api/v1/incidents and `check --since=DURATION --format=json`. `since`: where it begins;
/// nothing: with the oldest record. Ends with a newline.
std::string IncidentsJson(const incidents::Timeline& timeline, incidents::Time now,
                          std::optional<incidents::Time> since, Details details);

/// The same for a person at a terminal: `check --since=DURATION`. Addresses and rules' text are shown.
std::string IncidentsText(const incidents::Timeline& timeline, incidents::Time now, incidents::Time since);

}  // namespace finwait::views
