#pragma once

#include "exporter/planning/close_result.h"
#include "exporter/planning/host_facts.h"
#include "exporter/planning/json_values.h"

namespace finwait::planning {

Json CloseResultJson(const CloseResult& close);
CloseResult CloseResultIn(const Json& json);

/// A socket, with what becomes of its close under the key "close".
Json SocketJson(const ReportedSocket& reported, const CloseResult& close);
/// Without its close.
ReportedSocket SocketIn(const Json& json);

}  // namespace finwait::planning
