#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/kernel/namespaces/owner.h"
#include "collectors/sources/network_namespaces.h"
#include "exporter/diagnosis/diagnosis.h"

namespace finwait::diagnosis {

/// Adds up by owner what live sockets would come to and which ones were stuck within the last hour. Bounded by
/// kMostRemembered; not thread-safe.
class OwnerHistory {
 public:
  static constexpr std::chrono::hours kHold{1};
  static constexpr std::size_t kMostRemembered = 65'536;

  /// Tells the kinds of owners alone from now on (--owners.names=off).
  void HideNames() { names_ = false; }

  /// Gives the host's own sockets in `diagnosis` their owners, by their cgroups, and sums up all. `sample` may be null:
  /// the host's own then have none.
  void SumUp(const sources::NetworkNamespacesSample* sample, SteadyClock::time_point now, Diagnosis& diagnosis);

  /// The owner of a cgroup of this host, as it is to be shown; null where nobody knows it.
  std::shared_ptr<const kernel::namespaces::Owner> OwnerOf(const sources::NetworkNamespacesSample* sample,
                                                           std::uint64_t cgroup) const;

 private:
  /// Gives each service its owner, and makes one of those that then look the same.
  void NameServices(const sources::NetworkNamespacesSample* sample, IdleSummary& idle) const;

  struct Event {
    SteadyClock::time_point at;
    kernel::namespaces::Owner owner;
  };
  bool names_ = true;
  std::deque<Event> stuck_;
  std::set<std::uint64_t> known_;  // cookies of those stuck in the sample before
};

}  // namespace finwait::diagnosis
