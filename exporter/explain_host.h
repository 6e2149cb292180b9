#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <ostream>

#include "collectors/kernel/host.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/close_evaluator.h"

namespace finwait::exporter {

/// For each thing that `explain` asks of the host.
inline constexpr auto kExplainLimit = std::chrono::seconds(30);

/// What both forms of `explain` evaluate closes by.
struct ExplainHost {
  kernel::Host host;
  std::shared_ptr<const sources::FirewallSample> firewall;  ///< never null
  diagnosis::EvaluationSettings settings;                   ///< all but `conntrack_active`
};

/// What evaluations need to know beside the rules, but for `conntrack_active`. `sysctl`: null where that cannot be
/// read.
diagnosis::EvaluationSettings ReadSettings(const kernel::Host& host, const sources::SysctlSample* sysctl);

/// Reads the host's rules and settings; nothing where that fails, which is explained on `err`.
std::optional<ExplainHost> ReadExplainHost(const Result<kernel::Host>& host, std::ostream& err);

}  // namespace finwait::exporter
