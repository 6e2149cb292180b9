#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exporter/incidents/record.h"

namespace finwait::incidents {

/// Connections that got lost for one cause, at one rule, of one owner, one after the other.
struct Incident {
  Kind kind = Kind::kStuck;
  std::optional<diagnosis::Cause> cause;
  std::shared_ptr<const diagnosis::DropSite> site;  ///< null: no rule is known
  bool orphan = false;
  std::uint32_t uid = 0;                     ///< where a process held them
  std::shared_ptr<const std::string> owner;  ///< as Record::owner
  Time first{};
  Time last{};
  std::uint64_t connections = 0;
  std::array<std::uint64_t, std::size(kOutcomes)> outcomes = {};  ///< of the connections, by Outcome
  std::vector<Record> examples;  ///< that have ends, the newest first, at most kMostExamples
  static constexpr std::size_t kMostExamples = 10;

  bool IsOngoing() const { return outcomes[static_cast<std::size_t>(Outcome::kOngoing)] > 0; }
  /// Whether this host lost them: resets that were only counted, or a cause that proves it.
  bool ProvesFailure() const;
};

/// What has happened, as far as records tell. Immutable once made.
struct Timeline {
  std::vector<Incident> incidents;  ///< the one that was last seen first, at most kMostIncidents
  std::uint64_t not_listed = 0;     ///< incidents beyond those
  std::vector<Span> observed;       ///< when this program watched, oldest first, at most kMostSpans
  bool stored = false;              ///< a store has them: they outlive this process
  static constexpr std::size_t kMostIncidents = 250;
  static constexpr std::size_t kMostSpans = 50;
  /// A pause after which connections of the same kind are another incident.
  static constexpr std::chrono::hours kApart{1};
};

/// The parts of the time from `since` to `now` in which nobody watched, longer than a restart takes.
std::vector<Span> Unobserved(const Timeline& timeline, Time since, Time now);

/// Groups `records`, which are in the order of their ids, into incidents, without those last seen before `since`.
Timeline MakeTimeline(const std::deque<Record>& records, std::vector<Span> observed, bool stored, Time since = {});

}  // namespace finwait::incidents
