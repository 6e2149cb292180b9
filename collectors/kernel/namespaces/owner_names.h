#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "collectors/base/result.h"
#include "collectors/kernel/namespaces/cgroup_owner.h"
#include "collectors/kernel/namespaces/owner.h"
#include "collectors/kernel/namespaces/pod_names.h"

namespace finwait::kernel::namespaces {

/// Where names are read from.
struct NamePaths {
  std::filesystem::path pod_logs = "/var/log/pods";              ///< --path.pod-logs
  std::filesystem::path docker = "/var/lib/docker/containers";   ///< a folder ID/ with config.v2.json for each
  std::filesystem::path podman = "/var/lib/containers/storage";  ///< with *-containers/containers.json
};

/// Gives the owners that cgroup paths tell of their names, as far as files that may be read have them. Asks no program
/// and no API. What has no name keeps its id, a container's shortened to the 12 digits that its tools print. Bounded;
/// not thread-safe.
class OwnerNames {
 public:
  explicit OwnerNames(NamePaths paths) : paths_(std::move(paths)), pods_(paths_.pod_logs) {}

  Owner NameOf(const CgroupOwner& owner, SteadyClock::time_point now);

 private:
  /// Empty where no file tells.
  const std::string& ContainerName(const std::string& id, SteadyClock::time_point now);
  std::string ReadContainerName(const std::string& id) const;

  NamePaths paths_;
  PodNames pods_;
  static constexpr std::size_t kMostRemembered = 4096;
  struct Remembered {
    std::string name;
    SteadyClock::time_point read;
  };
  std::map<std::string, Remembered, std::less<>> containers_;  // by id
};

}  // namespace finwait::kernel::namespaces
