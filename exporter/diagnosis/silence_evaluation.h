#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "collectors/sources/network_namespaces.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/diagnosis/idle.h"
#include "exporter/diagnosis/idle_history.h"
#include "exporter/diagnosis/new_sample.h"
#include "exporter/diagnosis/other_namespaces.h"
#include "exporter/diagnosis/path_timeout.h"

namespace finwait::diagnosis {

/// How long the live connections of the host and of its containers have been silent, and what that means for timeouts.
/// Not thread-safe.
class SilenceEvaluation {
 public:
  /// `paths`: what forgets connections on the way to some peers.
  explicit SilenceEvaluation(std::vector<PathTimeout> paths) : paths_(std::move(paths)) {}

  /// Of this host's own.
  void Evaluate(const scheduling::Snapshot& snapshot, SteadyClock::time_point now, Diagnosis& diagnosis);
  /// Adds those of containers and pods. Call once `others` has evaluated the sample.
  void AddOthers(const sources::NetworkNamespacesSample& sample, const OtherNamespaces& others,
                 const OtherContext& context, SteadyClock::time_point now, Diagnosis& diagnosis);

 private:
  std::vector<PathTimeout> paths_;
  NewSample sample_;
  IdleHistory history_;
  std::optional<IdleSummary> summary_;
  bool without_entries_ = false;  // the summary is of sockets that `sockets` lists, not of `tracking`
  IdleHistory others_history_;
  std::optional<IdleSummary> others_summary_;
  std::shared_ptr<const sources::ForeignLiveSockets> others_summed_up_;  // what `others_summary_` is of
};

}  // namespace finwait::diagnosis
