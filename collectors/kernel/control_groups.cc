#include "collectors/kernel/control_groups.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <sstream>
#include <utility>

#include "collectors/kernel/procfs.h"

namespace finwait::kernel {
namespace {

constexpr std::uint64_t kRoot = 1;  // cgroup_id() of the tree's root

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// Where cgroup v2 is mounted: "34 25 0:29 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw".
Result<std::string> FindMount(const Host& host, Deadline deadline) {
  std::string found;
  const auto path = host.procfs / "self/mountinfo";
  const auto read = ForEachLine(path, deadline, [&](std::string_view line) {
    std::istringstream words{std::string(line)};
    std::string id, parent, device, root, place, word;
    words >> id >> parent >> device >> root >> place;
    while (words >> word && word != "-") {
    }
    if (words >> word && word == "cgroup2" && root == "/" && found.empty()) {
      found = place;
    }
    return Result<void>();
  });
  if (!read) {
    return Failure(read.error());
  }
  if (found.empty()) {
    return Fail(FailureReason::kUnsupported, "no mount of cgroup v2 is in " + path.string());
  }
  return found;
}

}  // namespace

Result<ControlGroups> ControlGroups::Read(const Host& host, Deadline deadline) {
  auto mount = FindMount(host, deadline);
  if (!mount) {
    return Failure(mount.error());
  }
  ControlGroups all;
  all.mounted_at_ = *mount;
  struct stat root = {};
  if (::stat(mount->c_str(), &root) != 0) {
    return FailErrno("look at " + *mount, errno);
  }
  if (root.st_ino != kRoot) {
    return Fail(FailureReason::kUnsupported, "at " + *mount + " only a part of the tree of control groups can be seen");
  }
  std::vector<std::pair<std::uint64_t, std::string>> waiting = {{kRoot, *mount}};
  while (!waiting.empty()) {
    const auto [id, path] = std::move(waiting.back());
    waiting.pop_back();
    const std::unique_ptr<DIR, CloseFolder> folder(::opendir(path.c_str()));
    if (folder == nullptr) {
      continue;  // gone meanwhile, or not ours to read: what is in it is not found
    }
    while (const dirent* entry = ::readdir(folder.get())) {
      const std::string name = entry->d_name;
      if (entry->d_type != DT_DIR || name == "." || name == "..") {
        continue;
      }
      if (all.groups_.size() >= kMostGroups || deadline.Passed()) {
        return Fail(FailureReason::kError, "read the control groups at " + *mount + ": there are too many");
      }
      all.groups_[entry->d_ino] = {id, name};
      waiting.emplace_back(entry->d_ino, path + "/" + name);
    }
  }
  return all;
}

Result<ControlGroups::Place> ControlGroups::Find(std::uint64_t id) const {
  Place place;
  for (std::uint64_t at = id; at != kRoot;) {
    const auto group = groups_.find(at);
    if (group == groups_.end()) {
      return Fail(FailureReason::kError, "the socket's control group is not at " + mounted_at_ + " any more");
    }
    place.line.push_back(at);
    place.path.insert(0, "/" + group->second.name);
    at = group->second.parent;
  }
  place.line.push_back(kRoot);
  std::reverse(place.line.begin(), place.line.end());
  if (place.path.empty()) {
    place.path = "/";
  }
  return place;
}

}  // namespace finwait::kernel
