#pragma once

#include <string>

#include "exporter/pairs/fleet.h"

/// What a fleet has answered, for a person and for programs.
namespace finwait::pairs {

std::string PairsText(const FleetAnswers& answers);
/// Ends with a newline.
std::string PairsJson(const FleetAnswers& answers);
/// In the text format of Prometheus, for node_exporter's textfile directory. Bounded: the kMostSeries pairs of a server
/// and who made its halves that have most of them have series of their own; all others are "other".
std::string PairsMetrics(const FleetAnswers& answers);
inline constexpr std::size_t kMostSeries = 50;

/// 0 none is abandoned, 1 some are, 3 some host did not answer and no answer showed any.
int ExitCode(const FleetAnswers& answers);

}  // namespace finwait::pairs
