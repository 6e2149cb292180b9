#pragma once

#include <array>
#include <memory>
#include <vector>

#include "collectors/base/ip.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/report/explanation.h"
#include "exporter/report/situation.h"
#include "exporter/report/socket_groups.h"

namespace finwait::report {

/// A diagnosis and what there is to say about it: the one object that `check`, the page and the JSON report show.
/// Immutable once made.
struct Report {
  std::shared_ptr<const diagnosis::Diagnosis> diagnosis;  ///< never null
  Explanation explanation;
  /// Every rule at which closing packets are dropped or would be, most stuck sockets first, with the numbers of all
  /// sockets that are stuck there or would be.
  std::vector<AffectedSite> drop_sites;
  std::vector<SocketGroup> stuck_groups;  ///< all stuck sockets, largest group first
  /// By IpFamily and position in kPathPackets: the packet passes in general, and a narrower rule drops it for some
  /// connections.
  PerFamily<std::array<bool, std::size(diagnosis::kPathPackets)>> dropped_for_some = {};
};

/// Whether what is diagnosed is the host that the program runs on, or one namespace of it that was entered by its name.
enum class Scope { kHost, kOneNamespace };

/// Reports `diagnosis`. A pure function.
std::shared_ptr<const Report> MakeReport(std::shared_ptr<const diagnosis::Diagnosis> diagnosis,
                                         Scope scope = Scope::kHost);

}  // namespace finwait::report
