#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "collectors/base/result.h"

namespace finwait::kernel::namespaces {

/// A pod as the kubelet's log tree names it.
struct PodName {
  std::string name_space;
  std::string name;
};

/// Reads NAMESPACE_NAME_UID, the name of a folder in the kubelet's log tree. Nothing for any other name: Kubernetes
/// allows lower case letters, digits, dashes and (in a pod's name) dots only.
std::optional<std::pair<std::string, PodName>> ParsePodFolder(std::string_view folder);

/// The names of the pods of this node, by UID, without asking any API: from the folders of the kubelet's log tree
/// (--path.pod-logs, /var/log/pods), whose names alone are read; and the names of containers, by id, from the links in
/// the folder `containers` beside it. A tree that lies can give a pod a wrong name and nothing else; one that gives it
/// two names gives it none.
class PodNames {
 public:
  explicit PodNames(std::filesystem::path pod_logs) : pod_logs_(std::move(pod_logs)) {}

  /// Reads the folders again if that was long ago or `wanted` is not among them, but seldom.
  void Refresh(SteadyClock::time_point now, std::string_view wanted_uid);
  const PodName* Find(std::string_view uid) const;
  /// The name of a container by its id; nothing where no link names it.
  const std::string* FindContainer(std::string_view id) const;

  /// More pods than this on one node are not named.
  static constexpr std::size_t kMostPods = 4096;

 private:
  void Read();

  std::filesystem::path pod_logs_;
  std::map<std::string, PodName, std::less<>> pods_;
  std::map<std::string, std::string, std::less<>> containers_;
  std::optional<SteadyClock::time_point> read_at_;
};

}  // namespace finwait::kernel::namespaces
