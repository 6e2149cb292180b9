#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "collectors/kernel/host.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/close_explanation.h"

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

/// What a host tells of one connection.
struct ConnectionNow {
  diagnosis::ExplainedConnection connection;  ///< without what only its caller knows
  std::optional<bool> tracked;                ///< whether it has an entry now; nothing: cannot be asked
  std::string entry_text;  ///< as conntrack -L prints it; empty where there is none, or it cannot be asked
};

/// Asks for its entry and its socket. Why the entry cannot be asked for is explained on `err`.
ConnectionNow ReadConnection(const kernel::Host& host, const Endpoint& local, const Endpoint& peer, std::ostream& err);

}  // namespace finwait::exporter
