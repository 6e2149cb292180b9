#include "collectors/kernel/namespaces/process_census.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "collectors/base/text.h"
#include "collectors/base/unique_fd.h"

namespace finwait::kernel::namespaces {
namespace {

// PROC_PID_INIT_INO: the inode of the machine's first PID namespace, fixed in the kernel.
constexpr std::uint64_t kInitialPidNamespace = 0xEFFFFFFC;
// Every process is asked again once in so many walks, another part of them in each.
constexpr std::uint32_t kWalksBetweenQuestions = 12;
// A process younger than this may be about to enter its namespace.
constexpr std::uint32_t kYoungWalks = 2;

// Whether the process `pid` is one of the kernel's own, which live in the first PID namespace alone. A process may give
// itself any name, but not this flag.
bool IsKernelThread(int procfs, const char* pid) {
  constexpr std::uint64_t kPfKthread = 0x00200000;
  constexpr int kFieldsBeforeFlags = 6;  // behind the name: state, ppid, pgrp, session, tty_nr, tpgid
  char content[512];
  const UniqueFd file(::openat(procfs, (std::string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t size = file ? ::read(file.Get(), content, sizeof content) : -1;
  const std::string_view line(content, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos) {
    return false;
  }
  Words words(line.substr(name_end + 1));
  for (int i = 0; i < kFieldsBeforeFlags; ++i) {
    words.Next();
  }
  return (ParseNumber<std::uint64_t>(words.Next()).value_or(0) & kPfKthread) != 0;
}

// Whether procfs lists every process of the machine. Process 1 is another user's unless that is root. The procfs may be
// another PID namespace's than our own: of the first one, it has the kernel's threads.
CensusLimit LimitOf(int procfs) {
  struct stat status = {};
  if (::fstatat(procfs, "1", &status, 0) != 0) {
    return CensusLimit::kHidden;
  }
  const bool is_first = IsKernelThread(procfs, "2") ||
                        (::fstatat(procfs, "self/ns/pid", &status, 0) == 0 && status.st_ino == kInitialPidNamespace);
  return is_first ? CensusLimit::kNone : CensusLimit::kPidNamespace;
}

// The inode of its net/tcp: 0 where it may not be told, nothing where who is asked has ended.
std::optional<std::uint64_t> AskInode(int procfs, const std::string& task) {
  struct stat status = {};
  if (::fstatat(procfs, (task + "/net/tcp").c_str(), &status, 0) == 0) {
    return status.st_ino;
  }
  return errno == EACCES || errno == EPERM ? std::optional<std::uint64_t>(0) : std::nullopt;
}

// A thread that has ended is in no namespace (get_proc_task_net()). Where that is a process's first one, the others go
// on: procfs has a folder for each by its own number, which it does not list (proc_pid_lookup()). 0 where all have
// ended.
std::uint32_t LivingThread(const std::filesystem::path& procfs_path, int procfs, const std::string& pid) {
  constexpr int kMostAsked = 16;
  const std::unique_ptr<DIR, int (*)(DIR*)> threads(::opendir((procfs_path / pid / "task").c_str()), &::closedir);
  for (int asked = 0; threads != nullptr && asked < kMostAsked; ++asked) {
    const dirent* const entry = ::readdir(threads.get());
    if (entry == nullptr) {
      break;
    }
    const auto number = ParseNumber<std::uint32_t>(entry->d_name);
    if (number && pid != entry->d_name && AskInode(procfs, entry->d_name)) {
      return *number;
    }
  }
  return 0;
}

}  // namespace

bool ProcessCensus::IsDue(std::uint32_t pid, const Process& process) const {
  return process.walks <= kYoungWalks || process.thread != 0 || (pid + walks_) % kWalksBetweenQuestions == 0;
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

void ProcessCensus::List(std::map<std::uint64_t, std::vector<std::uint32_t>> by_inode, Census& census) {
  std::vector<std::pair<std::uint64_t, std::vector<std::uint32_t>>> found(std::move_iterator(by_inode.begin()),
                                                                          std::move_iterator(by_inode.end()));
  // Else a new one with a smaller inode would take the place of one whose sockets are watched.
  std::stable_partition(found.begin(), found.end(), [&](const auto& one) { return identities_.contains(one.first); });
  for (auto& [inode, processes] : found) {
    if (census.others.size() == kMostNamespaces) {
      ++census.beyond;
      continue;
    }
    std::ranges::sort(processes);
    const std::uint64_t id = IdOf(inode, processes);
    processes.resize(std::min(processes.size(), InhabitedNamespace::kMostListed));
    for (std::uint32_t& process : processes) {
      const std::uint32_t thread = known_[process].thread;
      process = thread != 0 ? thread : process;
    }
    std::ranges::sort(processes);
    census.others.push_back({id, inode, std::move(processes)});
  }
}

Result<Census> ProcessCensus::Take(Deadline deadline) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(procfs_.c_str()), &::closedir);
  if (directory == nullptr) {
    return FailErrno("list processes in " + procfs_.string(), errno);
  }
  const int procfs = ::dirfd(directory.get());
  Census census;
  census.limit = LimitOf(procfs);
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
      census.limit = CensusLimit::kDeadline;
      break;
    }
    if (known_.size() >= kMostProcesses && known_.find(*pid) == known_.end()) {
      census.limit = CensusLimit::kNumber;
      continue;
    }
    Process& process = known_[*pid];
    if (process.identity != entry->d_ino) {
      process = {entry->d_ino, 0, 0, 0, 0};
    }
    if (++process.walks; IsDue(*pid, process)) {
      ++asked_;
      auto inode = AskInode(procfs, entry->d_name);
      process.thread = inode ? 0 : LivingThread(procfs_, procfs, entry->d_name);
      if (process.thread != 0) {
        inode = AskInode(procfs, std::to_string(process.thread));
      }
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
  List(std::move(by_inode), census);
  std::erase_if(identities_, [&](const auto& item) { return item.second.walk != walks_; });
  std::ranges::sort(census.others, {}, &InhabitedNamespace::id);
  return census;
}

}  // namespace finwait::kernel::namespaces
