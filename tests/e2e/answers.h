#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/program.h"
#include "tests/lab/namespace.h"

/// One question, asked in every way in which the program answers it: `explain`, `check`, the service's report, its
/// metrics and /health.
namespace finwait::e2e {

/// What `explain` says of a connection: its fate; its error where there is none.
std::string ExplainedFate(const lab::Namespace& where, const UniqueFd& socket);
/// The same, "" where the connection has its entry: then nothing counts it at risk.
std::string ExplainedUntrackedFate(const lab::Namespace& where, const UniqueFd& socket);

/// What the service reports.
nlohmann::json ReportOf(const Program& program);
/// What `check` finds, with `flags`; without any, in this namespace alone.
nlohmann::json CheckedReport(const lab::Namespace& where, const std::vector<std::string>& flags = {});

/// The stage that a report tells; "cannot tell" for none.
std::string StageOf(const nlohmann::json& report);
/// The causes of the sockets that a report has as stuck now: "local_drop 4".
std::string CausesOf(const nlohmann::json& report);

/// The one fate that live sockets at risk have; "clean" for none, all of them where there are several.
std::string FateAtRisk(const nlohmann::json& report);

/// In what `report`, the service's, differs from what its metrics and /health say; "" for nothing. A sample taken
/// between two questions may make them differ for a moment.
std::string DisagreementWithin(const Program& program, const nlohmann::json& report);
/// The same, and from what `check` with `check_flags` says.
std::string Disagreement(const lab::Namespace& where, const Program& program, const nlohmann::json& report,
                         const std::vector<std::string>& check_flags = {});

}  // namespace finwait::e2e
