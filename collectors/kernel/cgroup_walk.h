#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "collectors/base/result.h"

namespace finwait::kernel {

/// Where the tree of control groups (cgroup v2) is mounted from its root, by the mounts that this process sees; in a
/// cgroup namespace that is the namespace's root. kUnsupported where it is not.
Result<std::string> FindCgroup2(const std::filesystem::path& procfs, Deadline deadline);

/// A control group as its folder shows it. A number is the folder's inode, as INET_DIAG_CGROUP_ID and nftables have it.
struct WalkedCgroup {
  std::uint64_t number = 0;
  std::uint64_t parent = 0;  ///< 0 for the root
  std::string name;          ///< of the folder; "" for the root
  std::string path;          ///< from the root: "/", "/system.slice/ssh.service"
};

/// Shows `visit` every group below `root`, a parent before its children, and ends early where it returns false or the
/// deadline passes. Returns whether all were shown. Not shown: what may not be read, what lies deeper than 32 folders,
/// and what came after its parent was shown.
bool WalkCgroups(const std::string& root, Deadline deadline, const std::function<bool(const WalkedCgroup&)>& visit);

}  // namespace finwait::kernel
