#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "collectors/collector.h"
#include "collectors/host.h"

namespace finwait {

/// What all collectors are made with.
struct CollectorSettings {
  SteadyClock::duration interval = std::chrono::seconds(5);  ///< between two looks of a cheap collector
  double cpu_budget = 0.02;  ///< share of one core for all collectors together (--sampling.cpu-budget)
};

/// How --sampling.cpu-budget is divided among the work whose cost grows with the host. What is left is for all that is
/// cheap, which is measured to fit (docs/performance.md).
inline constexpr double kTableShare = 0.4;          ///< streaming the conntrack table
inline constexpr double kTrackingShare = 0.3;       ///< joining live sockets with their entries
inline constexpr double kSocketCountsShare = 0.15;  ///< counting all sockets
inline constexpr double kNamespacesShare = 0.05;    ///< walking all processes for their namespaces

/// One row of the catalogue of collectors.
struct CollectorInfo {
  std::string_view name;     ///< the label value and the flag: --collector.NAME
  std::string_view summary;  ///< what it reads, for --help and the README
  /// The capability without which it is blind, in part or whole, and for what: CAP_NET_ADMIN, CAP_SYS_PTRACE (which
  /// only `check` keeps) or nothing.
  std::string_view needs;
  bool enabled_by_default = true;
  /// Its part of the CPU budget: its looks are spaced to keep it. 0: it looks every interval.
  double budget_share = 0;
  std::unique_ptr<Collector> (*make)(const Host& host, const CollectorSettings& settings);
};

/// Whether `info` is blind, in part or whole, without CAP_NET_ADMIN.
inline bool NeedsNetAdmin(const CollectorInfo& info) { return info.needs.starts_with("CAP_NET_ADMIN"); }
/// Whether `info` is blind, in part or whole, without CAP_SYS_PTRACE.
inline bool NeedsSysPtrace(const CollectorInfo& info) { return info.needs.starts_with("CAP_SYS_PTRACE"); }

/// Every collector, in the order in which they are shown. To add one: write its file pair, add its row here, a test of
/// its name, and its row in the README's table; tests/unit/collectors/registry_test.cc fails while one is missing.
std::span<const CollectorInfo> CollectorRegistry();

}  // namespace finwait
