#pragma once

#include <string>

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/report/report.h"
#include "exporter/views/json.h"

/// The parts of the page, each a piece of HTML that stands by itself. Every part is there in every state of the host,
/// hidden where it has nothing to say, so that the page's skeleton never changes and the script can pair old with new.
namespace finwait::views::page {

/// Stage, score and verdict, and what to do first.
std::string VerdictSection(const report::Report& report, Details details);
/// The four numbers that a reader looks for first.
std::string Tiles(const diagnosis::Diagnosis& diagnosis);

/// What is stuck, what would stick, why, what to do, what will not help, what is not observed.
std::string Findings(const report::Report& report, Details details);

/// Whose sockets are stuck or at risk, and how the network namespaces are seen.
std::string OwnersSection(const diagnosis::Diagnosis& diagnosis);
/// What the score is made of.
std::string FactorsSection(const diagnosis::Diagnosis& diagnosis);
/// How long conntrack's entries have been idle, by state.
std::string AgesSection(const diagnosis::Diagnosis& diagnosis);
/// Whether the timeouts in force are safe, and how many live connections each timeout would have forgotten.
std::string SilenceSection(const report::Report& report);
/// Conntrack's timeouts against TCP's keepalive, and the other settings.
std::string TimeoutsSection(const diagnosis::Diagnosis& diagnosis);
/// What the rules do to closing packets without an entry.
std::string PathsSection(const report::Report& report);
/// The collectors and how fresh each is.
std::string CollectorsSection(const diagnosis::Diagnosis& diagnosis);

}  // namespace finwait::views::page
