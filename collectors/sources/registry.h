#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "collectors/base/cpu_budget.h"
#include "collectors/kernel/host.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/shared_reads.h"

namespace finwait::sources {

/// What all collectors are made with.
struct CollectorSettings {
  SteadyClock::duration interval = std::chrono::seconds(5);  ///< between two collections of a cheap collector
  /// What all collectors and the evaluation of sockets may take together (--sampling.cpu-budget).
  std::shared_ptr<CpuBudget> cpu_budget = std::make_shared<CpuBudget>(0.02);
  SharedReads shared = {};  ///< of the collectors of one namespace
};

/// How --sampling.cpu-budget is divided where it is scarce; what one does not need goes to the others. What is cheap
/// has shares far above its cost, and so keeps its interval (docs/performance.md).
inline constexpr double kTableShare = 0.25;          ///< streaming the conntrack table
inline constexpr double kTrackingShare = 0.19;       ///< joining live sockets with their entries
inline constexpr double kClosingSocketsShare = 0.2;  ///< reading the sockets in closing states
inline constexpr double kSocketCountsShare = 0.08;   ///< counting all sockets
inline constexpr double kFirewallShare = 0.08;       ///< rules
inline constexpr double kNamespacesShare = 0.05;     ///< walking all processes for their namespaces
inline constexpr double kEvaluationShare = 0.1;      ///< predicting what would become of each live socket
inline constexpr double kOtherShare = 0.01;          ///< every other collector

/// One row of the catalogue of collectors.
struct CollectorInfo {
  std::string_view name;     ///< the label value and the flag: --collector.NAME
  std::string_view summary;  ///< what it reads, for --help and the README
  /// The capability without which it cannot work, in part or whole, and for what: CAP_NET_ADMIN, CAP_SYS_PTRACE (which
  /// only `check` keeps) or nothing.
  std::string_view needs;
  bool enabled_by_default = true;
  /// Its part of the CPU budget: its collections are spaced to keep it. 0: kOtherShare.
  double budget_share = 0;
  std::unique_ptr<Collector> (*make)(const kernel::Host& host, const CollectorSettings& settings);
};

/// Whether `info` cannot work, in part or whole, without CAP_NET_ADMIN.
inline bool NeedsNetAdmin(const CollectorInfo& info) { return info.needs.starts_with("CAP_NET_ADMIN"); }
/// Whether `info` cannot work, in part or whole, without CAP_SYS_PTRACE.
inline bool NeedsSysPtrace(const CollectorInfo& info) { return info.needs.starts_with("CAP_SYS_PTRACE"); }

/// Every collector, in the order in which they are shown. To add one: write its file pair, add its row here, a test of
/// its name, and its row in the README's table; tests/unit/collectors/sources/registry_test.cc fails while one is
/// missing.
std::span<const CollectorInfo> CollectorRegistry();

}  // namespace finwait::sources
