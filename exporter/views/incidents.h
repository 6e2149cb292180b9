#pragma once

#include <optional>
#include <string>

#include "exporter/incidents/timeline.h"
#include "exporter/views/json.h"

namespace finwait::views {

/// "no process", "uid 33, unit web.service"; of resets only what they belonged to, empty where nobody tells.
std::string HolderText(const incidents::Incident& incident);
/// Who lost resets: "dropped by this host's own rules", "dropped by this host (local_error)".
std::string ResetLossText(const incidents::Incident& incident);

/// What has happened, as JSON: /api/v1/incidents and `check --since=DURATION --format=json`. `since`: where it begins;
/// nothing: with the oldest record. Ends with a newline.
std::string IncidentsJson(const incidents::Timeline& timeline, incidents::Time now,
                          std::optional<incidents::Time> since, Details details);

/// The same for a person at a terminal: `check --since=DURATION`. Addresses and rules' text are shown.
std::string IncidentsText(const incidents::Timeline& timeline, incidents::Time now, incidents::Time since);

}  // namespace finwait::views
