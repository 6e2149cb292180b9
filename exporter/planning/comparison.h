#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "collectors/base/ip.h"
#include "exporter/planning/host_facts.h"

namespace finwait::planning {

/// A connection of the host that a candidate ruleset changes.
struct ChangedConnection {
  const ReportedSocket* socket = nullptr;  ///< never null
  Change change = Change::kNone;
  CloseResult now;
  CloseResult then;
};

/// Connections that fare alike under the rules in force, and alike under the candidate, but not the same.
struct ChangedClass {
  IpFamily family = IpFamily::kIpv4;
  Change change = Change::kNone;
  std::string connections;            ///< which they are, in words
  diagnosis::SurveyedClass surveyed;  ///< the same as sets, and an example
  CloseResult now;
  CloseResult then;
};

/// What a candidate ruleset changes.
struct Comparison {
  std::vector<ChangedConnection> connections;  ///< in the order of kChanges
  std::vector<ChangedClass> classes;           ///< the same
  std::size_t connections_unchanged = 0;
  /// The candidate says what the rules in force say: nothing changes, whatever is not known of either.
  bool same_rules = false;
  std::size_t connections_unknown = 0;  ///< where `same_rules`: unchanged connections whose fate is unknown
  std::vector<std::string> incomplete;  ///< what was not told apart, each as a sentence without a stop

  bool Has(Change change) const;
  /// Nothing would newly be lost, for certain.
  bool NothingLost() const { return incomplete.empty() && !Has(Change::kNewlyLost) && !Has(Change::kNotKnowable); }
};

/// `then`: how `host`'s connections end under the candidate. Points into `host`, which outlives the result.
Comparison Compare(const HostReport& host, const HostResults& then);

}  // namespace finwait::planning
