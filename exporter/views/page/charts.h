#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collectors/sources/conntrack_table.h"
#include "exporter/diagnosis/idle.h"
#include "exporter/diagnosis/risk.h"

/// Small drawings in inline SVG. Lengths across are percentages, so a drawing fits whatever width it is given and its
/// text keeps its size. Colours come from the page's style, by class.
namespace finwait::views::page::charts {

/// A shape for each stage that can be told from the others without its colour. Decoration: the word stands beside it.
std::string StageIcon(std::optional<diagnosis::Stage> stage);

/// The same as a data: URL, for the browser's tab.
std::string StageIconUrl(std::optional<diagnosis::Stage> stage);

/// The three bands from 1 to 100, the one that is true now, and where in it the host is. Decoration: the score and the
/// stage stand beside it.
std::string ScoreScale(std::optional<diagnosis::Stage> stage, std::optional<double> score);

/// How long the entries in one state have been idle, and after how long conntrack forgets them.
std::string IdleHistogram(std::string_view state, const sources::AgeHistogram& idle, std::optional<double> timeout);

/// How many live connections have been silent for longer than each timeout of the ladder, and how many of them no
/// keepalive would have saved. The steps stand side by side at equal widths, whatever the timeouts.
std::string SilenceCurve(const diagnosis::IdleSummary& idle);

/// A timeout's place between one second and ten days, and with it, dashed, when the first keepalive comes: a piece of a
/// table's column. Decoration: the numbers stand beside it.
std::string TimeoutBar(double seconds, std::optional<double> keepalive);

/// A bar for a share of 1. Decoration: the number stands beside it.
std::string ShareBar(double share);

}  // namespace finwait::views::page::charts
