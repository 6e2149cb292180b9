#include "collectors/kernel/namespaces/find_namespace.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "collectors/base/text.h"
#include "collectors/kernel/procfs.h"

namespace finwait::kernel::namespaces {
namespace {

constexpr const char* kForms =
    "give a PID, a name that `ip netns` lists, a container's name or the beginning of its ID, or a pod as "
    "NAMESPACE/NAME";

Error Complaint(FailureReason reason, const std::string& text, const std::string& problem) {
  return Error{reason, 0, "--netns=" + Quoted(text) + ": " + problem};
}

UniqueFd OpenFile(const std::filesystem::path& path) { return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

std::vector<std::uint32_t> ProcessesOf(const std::filesystem::path& procfs) {
  std::vector<std::uint32_t> processes;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(procfs.c_str()), &::closedir);
  if (directory == nullptr) {
    return processes;
  }
  while (const dirent* entry = ::readdir(directory.get())) {
    if (const auto pid = ParseNumber<std::uint32_t>(entry->d_name)) {
      processes.push_back(*pid);
    }
  }
  std::ranges::sort(processes);
  return processes;
}

// A container or a pod that `text` may mean, by what tells it from others, and its processes.
struct Candidate {
  std::string shown;
  std::vector<std::uint32_t> processes;
};
using Candidates = std::map<std::string, Candidate>;

bool BeginsId(const std::string& text, const CgroupOwner& owner) {
  return !owner.container_id.empty() && owner.container_id.starts_with(text);
}

struct Found {
  Candidates named;     // whose name is `text`
  Candidates by_begin;  // whose ID begins with it
};

Found FindOwners(const NamespacePaths& paths, std::string_view pod, const std::string& text) {
  Found found;
  OwnerNames names(paths.names);
  const auto now = SteadyClock::now();
  std::map<std::string, Owner> known;  // by path of cgroup
  for (const std::uint32_t pid : ProcessesOf(paths.procfs)) {
    const auto cgroups = ReadSmallFile(paths.procfs / std::to_string(pid) / "cgroup");
    if (!cgroups) {
      continue;
    }
    const std::string path(BestCgroupPath(*cgroups));
    const CgroupOwner cgroup = OwnerOfCgroup(path);
    if (cgroup.kind != OwnerKind::kPod && cgroup.kind != OwnerKind::kContainer) {
      continue;
    }
    const auto [owner, is_new] = known.try_emplace(path);
    if (is_new) {
      owner->second = names.NameOf(cgroup, now);
    }
    const Owner& named = owner->second;
    const bool is_pod = named.kind == OwnerKind::kPod;
    Candidates* among = nullptr;
    if (!pod.empty()) {
      among = is_pod && named.name_space + "/" + named.name == pod ? &found.named : nullptr;
    } else if (!is_pod && named.name == text) {
      among = &found.named;
    } else if (BeginsId(text, cgroup)) {
      among = &found.by_begin;
    }
    if (among != nullptr) {
      // All containers of a pod share its namespace.
      Candidate& candidate = (*among)[is_pod && !pod.empty()        ? cgroup.pod_uid
                                      : cgroup.container_id.empty() ? cgroup.name
                                                                    : cgroup.container_id];
      candidate.shown = named.Text();
      candidate.processes.push_back(pid);
    }
  }
  return found;
}

Result<NamedNamespace> OpenProcess(const NamespacePaths& paths, const std::string& text, std::uint32_t pid,
                                   const std::string& owner) {
  const std::string shown = "process " + std::to_string(pid) + (owner.empty() ? "" : " (" + owner + ")");
  UniqueFd file = OpenFile(paths.procfs / std::to_string(pid) / "ns/net");
  if (file) {
    return NamedNamespace{std::move(file), shown};
  }
  if (errno == EACCES || errno == EPERM) {
    return Failure(Complaint(FailureReason::kPermission, text,
                             "the namespace of " + shown + " may not be opened: run this as root, or with " +
                                 "CAP_SYS_PTRACE and CAP_SYS_ADMIN"));
  }
  return Failure(Complaint(FailureReason::kError, text, shown + " is gone"));
}

Result<NamedNamespace> OpenOnly(const NamespacePaths& paths, const std::string& text, const Candidates& candidates) {
  if (candidates.size() > 1) {
    std::string all;
    constexpr std::size_t kMostShown = 5;
    std::size_t shown = 0;
    for (const auto& [key, candidate] : candidates) {
      if (shown++ == kMostShown) {
        all += " and others";
        break;
      }
      all += (all.empty() ? "" : ", ") + candidate.shown + " (" + key.substr(0, 12) + ")";
    }
    return Failure(Complaint(FailureReason::kError, text, "may mean " + all + ": give more of the ID, or a PID"));
  }
  const Candidate& candidate = candidates.begin()->second;
  Result<NamedNamespace> opened;
  for (const std::uint32_t pid : candidate.processes) {
    opened = OpenProcess(paths, text, pid, candidate.shown);
    if (opened) {
      break;
    }
  }
  return opened;
}

Result<NamedNamespace> OpenPath(const std::filesystem::path& path, const std::string& text) {
  UniqueFd file = OpenFile(path);
  if (!file) {
    Error error = ErrnoError("--netns=" + Quoted(text) + ": cannot open " + path.string(), errno);
    return Failure(std::move(error));
  }
  return NamedNamespace{std::move(file), path.string()};
}

}  // namespace

Result<NamedNamespace> FindNamespace(const NamespacePaths& paths, const std::string& text) {
  if (text.starts_with('/')) {
    return OpenPath(text, text);
  }
  const auto pid = ParseNumber<std::uint32_t>(text);
  std::error_code failed;
  if (pid && std::filesystem::exists(paths.procfs / text, failed)) {
    return OpenProcess(paths, text, *pid, "");
  }
  std::string_view pod;
  if (text.find('/') != std::string::npos) {
    pod = text;
    for (const std::string_view prefix : {"pod ", "pod/"}) {
      // A pod of the Kubernetes namespace "pod" is "pod/NAME", without a second slash.
      if (pod.starts_with(prefix) && pod.substr(prefix.size()).find('/') != std::string_view::npos) {
        pod.remove_prefix(prefix.size());
      }
    }
  } else if (text != "." && text != ".." && std::filesystem::exists(paths.named / text, failed)) {
    return OpenPath(paths.named / text, text);
  }
  const Found found = FindOwners(paths, pod, text);
  if (!found.named.empty()) {
    return OpenOnly(paths, text, found.named);
  }
  if (!found.by_begin.empty()) {
    return OpenOnly(paths, text, found.by_begin);
  }
  if (!pod.empty()) {
    return Failure(Complaint(FailureReason::kError, text,
                             "no process here is of that pod, or nothing in " + paths.names.pod_logs.string() +
                                 " (--path.pod-logs) gives it that name; give a PID or the beginning of a container's "
                                 "ID instead"));
  }
  return Failure(Complaint(
      FailureReason::kError, text,
      (pid ? "there is no process of that number, nor anything else of that name; " : "nothing here has that name; ") +
          std::string(kForms)));
}

Result<void> RequireNetwork(const NamedNamespace& where) {
  const int kind = ::ioctl(where.file.Get(), NS_GET_NSTYPE);
  if (kind != CLONE_NEWNET) {
    return Fail(FailureReason::kError,
                "--netns: " + where.text + " is no network namespace (any more); see `ip netns` and `lsns -t net`");
  }
  return {};
}

Result<void> EnterNamespace(const NamedNamespace& where) {
  if (auto is_one = RequireNetwork(where); !is_one) {
    return is_one;
  }
  if (::setns(where.file.Get(), CLONE_NEWNET) != 0) {
    const int error = errno;
    Error failed = ErrnoError("--netns: cannot enter the network namespace of " + where.text, error);
    if (error == EPERM) {
      failed.message += "; run this as root, or with CAP_SYS_ADMIN";
    }
    return Failure(std::move(failed));
  }
  return {};
}

}  // namespace finwait::kernel::namespaces
