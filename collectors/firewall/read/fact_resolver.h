#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "collectors/firewall/facts/resolver.h"
#include "collectors/firewall/read/legacy_reader.h"
#include "collectors/firewall/read/reader_limits.h"
#include "collectors/kernel/group_programs.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/routing_monitor.h"

namespace finwait::firewall::read {

/// Asks the kernel, many needs with few sends. Ask only for tables of rulesets that were read in the same namespace.
/// Use it on threads of the namespace that `host` is bound to.
class FactResolver : public facts::Resolver {
 public:
  /// What one Resolve() may take, waiting included; a need that is not answered by then is a failed fact.
  static constexpr std::chrono::seconds kLimit{2};

  /// `legacy`: a test's own kernel; null for the real one.
  explicit FactResolver(kernel::Host host, std::shared_ptr<LegacyKernel> legacy = nullptr, ReaderLimits limits = {})
      : host_(std::move(host)), legacy_(std::move(legacy)), limits_(limits), routing_(host_) {}

  void Resolve(const facts::Needs& needs, facts::FactStore& store) override;
  /// Routes, after any change of routes, `ip rule`, addresses or devices.
  void TakeInChanges(facts::FactStore& store) override;

  /// What was read of control groups' BPF programs, and when.
  struct GroupPrograms {
    std::optional<SteadyClock::time_point> read_at;
    std::vector<kernel::GroupProgram> programs;
  };

 private:
  kernel::Host host_;
  std::shared_ptr<LegacyKernel> legacy_;
  ReaderLimits limits_;
  kernel::RoutingMonitor routing_;
  GroupPrograms group_programs_;
};

}  // namespace finwait::firewall::read
