#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "collectors/base/pacer.h"
#include "collectors/sources/registry.h"

namespace finwait::diagnosis {

/// How much time evaluation may take. Where the rules decide alike for all live sockets it takes next to none; where
/// each must be taken through thousands of rules it would take more than all collectors.
struct EvaluationPace {
  Pacer pacer = Pacer(std::chrono::milliseconds(1), 1);  ///< when it runs
  /// CPU time for new evaluations in one run. Without a limit, as here, every socket is evaluated at once.
  std::chrono::nanoseconds most_at_once{std::chrono::hours(1)};
  /// When changed rules are evaluated again: kube-proxy's may change with every sample. Nothing: at once. The first
  /// rules, and a change after a while without one, are evaluated at once in any case.
  std::optional<Pacer> rules = {};

  /// As a part of the collectors' budget, in runs that disturb nobody.
  static EvaluationPace Within(const sources::CollectorSettings& settings) {
    constexpr std::chrono::milliseconds kMostAtOnce(250);
    return {Pacer(std::min<SteadyClock::duration>(settings.interval, std::chrono::seconds(1)), settings.cpu_budget,
                  sources::kEvaluationShare),
            kMostAtOnce, Pacer(std::chrono::milliseconds(1), settings.cpu_budget, sources::kRulesShare)};
  }
};

}  // namespace finwait::diagnosis
