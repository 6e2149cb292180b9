#include "exporter/history.h"

#include <algorithm>
#include <chrono>
#include <deque>

#include "exporter/exit_code.h"
#include "exporter/incidents/recorder.h"
#include "exporter/incidents/store.h"
#include "exporter/privilege/file_domain.h"
#include "exporter/privilege/sandbox.h"
#include "exporter/views/incidents.h"

namespace finwait::exporter {
namespace {

constexpr int kNothingLost = 0;
constexpr int kLost = 2;
// Where the packages' service keeps its store, if it is told to keep one.
constexpr const char* kPackagedFolder = "/var/lib/finwait-exporter/";

incidents::Time ToMilliseconds(std::chrono::system_clock::time_point time) {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(time);
}

// What was ongoing when a service last wrote is so no more once none writes.
void EndUnwatched(incidents::StoredHistory& history, incidents::Time now) {
  constexpr std::chrono::minutes kRuns{1};
  if (!history.observed.empty() && now - history.observed.back().to <= kRuns) {
    return;
  }
  for (incidents::Record& record : history.records) {
    if (record.outcome == incidents::Outcome::kOngoing) {
      record.outcome = incidents::Outcome::kUnobserved;
    }
  }
}

}  // namespace

int RunHistory(const command_line::Options& options, std::ostream& out, std::ostream& err) {
  const auto cannot = [&err](const Error& error) {
    err << "finwait_exporter check: " << error.message << "\n";
    return kCannotTell;
  };
  // Before privileges are gone: the file may belong to the service's user.
  const std::filesystem::path path =
      options.storage_path.empty() ? std::filesystem::path(kPackagedFolder) : options.storage_path;
  const auto store = incidents::Store::OpenToRead(incidents::Store::FileOf(path));
  if (!store) {
    return cannot(store.error());
  }
  if (const auto given_up = privilege::GiveUpPrivileges({}); !given_up) {
    return cannot(given_up.error());
  }
  const auto files = privilege::FileDomain::Enter({"/proc/self"});  // the store's are open
  privilege::FilterCalls(options.filter_calls, {.role = privilege::Role::kServer, .writes_store = true});
  auto history = (*store)->Load();
  if (!history) {
    return cannot(history.error());
  }
  const incidents::Time now = ToMilliseconds(std::chrono::system_clock::now());
  const incidents::Time since =
      ToMilliseconds(std::chrono::system_clock::now() -
                     std::chrono::duration_cast<std::chrono::system_clock::duration>(*options.since));
  EndUnwatched(*history, now);
  const incidents::Recorder recorder(std::move(history->records));
  const incidents::Timeline timeline = MakeTimeline(recorder.Records(), std::move(history->observed), true, since);
  out << (options.report_format == command_line::ReportFormat::kJson
              ? views::IncidentsJson(timeline, now, since, views::Details::kShow)
              : views::IncidentsText(timeline, now, since));
  const bool lost = std::any_of(timeline.incidents.begin(), timeline.incidents.end(),
                                [](const incidents::Incident& incident) { return incident.ProvesFailure(); });
  if (lost) {
    return kLost;
  }
  return Unobserved(timeline, since, now).empty() ? kNothingLost : kCannotTell;
}

}  // namespace finwait::exporter
