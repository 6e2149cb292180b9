#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "collectors/firewall/facts/resolver.h"
#include "collectors/firewall/read/host_groups.h"
#include "collectors/firewall/read/legacy_reader.h"
#include "collectors/firewall/read/reader_limits.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/routing_monitor.h"

namespace finwait::firewall::read {

/// Asks the kernel, many needs with few sends. Ask only for tables of rulesets that were read in the same namespace.
/// Use it on threads of the namespace that `host` is bound to.
class FactResolver : public facts::Resolver {
 public:
  /// What one Resolve() may take, waiting included; a need that is not answered by then is a failed fact.
  static constexpr std::chrono::seconds kLimit{2};

  /// `legacy`: a test's own kernel; null for the real one. `groups`: shared with other namespaces' resolvers.
  explicit FactResolver(kernel::Host host, std::shared_ptr<LegacyKernel> legacy = nullptr, ReaderLimits limits = {},
                        std::shared_ptr<HostGroups> groups = std::make_shared<HostGroups>())
      : host_(std::move(host)),
        legacy_(std::move(legacy)),
        limits_(limits),
        groups_(std::move(groups)),
        routing_(host_) {}

  void Resolve(const facts::Needs& needs, facts::FactStore& store) override;
  /// Routes, after any change of routes, `ip rule`, addresses or devices.
  void TakeInChanges(facts::FactStore& store) override;

 private:
  kernel::Host host_;
  std::shared_ptr<LegacyKernel> legacy_;
  ReaderLimits limits_;
  std::shared_ptr<HostGroups> groups_;
  kernel::RoutingMonitor routing_;
};

}  // namespace finwait::firewall::read
