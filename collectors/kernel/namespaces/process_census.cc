#include "collectors/kernel/namespaces/process_census.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>

#include "collectors/base/text.h"

namespace finwait::kernel::namespaces {
namespace {

// PROC_PID_INIT_INO: the inode of the machine's first PID namespace, fixed in the kernel.
constexpr std::uint64_t kInitialPidNamespace = 0xEFFFFFFC;
// Every process is asked again once in so many walks, another part of them in each.
constexpr std::uint32_t kWalksBetweenQuestions = 12;
// A process younger than this may be about to enter its namespace.
constexpr std::uint32_t kYoungWalks = 2;

// Whether procfs lists every process of the machine: it is of the first PID namespace, and does not hide process 1,
// which is another user's unless that is root.
bool ListsEveryProcess(int procfs) {
  struct stat status = {};
  return ::fstatat(procfs, "self/ns/pid", &status, 0) == 0 && status.st_ino == kInitialPidNamespace &&
         ::fstatat(procfs, "1", &status, 0) == 0;
}

}  // namespace

std::optional<std::uint64_t> ProcessCensus::AskInode(int procfs, const std::string& pid) const {
  struct stat status = {};
  if (::fstatat(procfs, (pid + "/net/tcp").c_str(), &status, 0) == 0) {
    return status.st_ino;
  }
  return errno == EACCES || errno == EPERM ? std::optional<std::uint64_t>(0) : std::nullopt;
}

bool ProcessCensus::IsDue(std::uint32_t pid, const Process& process) const {
  return process.walks <= kYoungWalks || (pid + walks_) % kWalksBetweenQuestions == 0;
}

std::uint64_t ProcessCensus::IdOf(std::uint64_t inode, const std::vector<std::uint32_t>& processes) {
  Identity& identity = identities_[inode];
  // An inode is free again as soon as its namespace is gone. Only a namespace that some process has lived in since the
  // walk before is surely the same.
  const bool same =
      identity.id != 0 && identity.walk + 1 == walks_ && std::ranges::any_of(processes, [&](std::uint32_t pid) {
        return std::ranges::binary_search(identity.processes, pid) && known_[pid].walks > 1;
      });
  if (!same) {
    identity.id = next_id_++;
  }
  identity.walk = walks_;
  identity.processes = processes;
  return identity.id;
}

Result<Census> ProcessCensus::Take(Deadline deadline) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(procfs_.c_str()), &::closedir);
  if (directory == nullptr) {
    return FailErrno("list processes in " + procfs_.string(), errno);
  }
  const int procfs = ::dirfd(directory.get());
  Census census;
  census.complete = ListsEveryProcess(procfs);
  struct stat own = {};
  if (::fstatat(procfs, "thread-self/net/tcp", &own, 0) != 0) {
    return FailErrno("tell namespaces apart by " + (procfs_ / "thread-self/net/tcp").string(), errno);
  }
  ++walks_;
  asked_ = 0;
  std::map<std::uint64_t, std::vector<std::uint32_t>> by_inode;
  while (const dirent* entry = ::readdir(directory.get())) {
    const auto pid = ParseNumber<std::uint32_t>(entry->d_name);
    if (!pid) {
      continue;
    }
    if (deadline.Passed()) {
      census.complete = false;
      break;
    }
    if (known_.size() >= kMostProcesses && known_.find(*pid) == known_.end()) {
      census.complete = false;
      continue;
    }
    Process& process = known_[*pid];
    if (process.identity != entry->d_ino) {
      process = {entry->d_ino, 0, 0, 0};
    }
    if (++process.walks; IsDue(*pid, process)) {
      ++asked_;
      const auto inode = AskInode(procfs, entry->d_name);
      if (!inode) {
        known_.erase(*pid);  // it has ended meanwhile, or is a zombie: it has no namespace and no sockets
        continue;
      }
      process.inode = *inode;
    }
    process.walk = walks_;
    if (process.inode == 0) {
      ++census.unreadable;
    } else if (process.inode != own.st_ino) {
      ++census.processes_elsewhere;
      by_inode[process.inode].push_back(*pid);
    }
  }
  std::erase_if(known_, [&](const auto& item) { return item.second.walk != walks_; });
  for (auto& [inode, processes] : by_inode) {
    if (census.others.size() == kMostNamespaces) {
      ++census.beyond;
      continue;
    }
    std::ranges::sort(processes);
    const std::uint64_t id = IdOf(inode, processes);
    processes.resize(std::min(processes.size(), InhabitedNamespace::kMostListed));
    census.others.push_back({id, inode, std::move(processes)});
  }
  std::erase_if(identities_, [&](const auto& item) { return item.second.walk != walks_; });
  std::ranges::sort(census.others, {}, &InhabitedNamespace::id);
  return census;
}

}  // namespace finwait::kernel::namespaces
