#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>

#include "collectors/kernel/host.h"
#include "collectors/sources/firewall.h"
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

/// Reads the host's rules and settings; nothing where that fails, which is explained on `err`.
std::optional<ExplainHost> ReadExplainHost(const std::filesystem::path& procfs, std::ostream& err);

}  // namespace finwait::exporter
