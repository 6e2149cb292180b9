#pragma once

#include <chrono>
#include <memory>
#include <span>

#include "collectors/base/cpu_budget.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/cpu_shares.h"
#include "collectors/sources/namespace_settings.h"
#include "collectors/sources/shared_reads.h"
#include "collectors/sources/table_walk.h"
#include "collectors/witness/feed.h"

namespace finwait::sources {

/// What all collectors are made with.
struct CollectorSettings {
  SteadyClock::duration interval = std::chrono::seconds(5);  ///< between two collections of a cheap collector
  /// What all collectors and the evaluation of sockets may take together (--sampling.cpu-budget).
  std::shared_ptr<CpuBudget> cpu_budget = std::make_shared<CpuBudget>(0.02);
  SharedReads shared = {};  ///< of the collectors of one namespace
  NamespaceSettings namespaces = {};
  TranslatedFlows translated_flows = TranslatedFlows::kSkip;  ///< in the conntrack table
  std::shared_ptr<witness::FeedReader> witness = nullptr;     ///< null: nobody witnesses
  TableWalk table_walk = {};                                  ///< empty: nobody walks the conntrack table
};

/// Every collector, in the order in which they are shown. To add one: CONTRIBUTING.md, "Add a collector".
std::span<const CollectorInfo> CollectorRegistry();

}  // namespace finwait::sources
