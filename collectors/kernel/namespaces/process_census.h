#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "collectors/base/result.h"

namespace finwait::kernel::namespaces {

/// A network namespace that processes live in.
struct InhabitedNamespace {
  /// Ours, from 1 on, never used twice: an inode is, once its namespace is gone.
  std::uint64_t id = 0;
  std::uint64_t inode = 0;  ///< of its net/tcp, which differs by namespace
  /// Ascending; at most kMostListed of them. Of one whose first thread has ended, the number of another thread, by
  /// which procfs and the kernel know it as well.
  std::vector<std::uint32_t> processes;
  static constexpr std::size_t kMostListed = 16;
};

/// Why a walk did not find every process of the machine.
enum class CensusLimit : std::uint8_t {
  kNone,          ///< it did
  kHidden,        ///< procfs hides other users' processes (hidepid, ProtectProc=)
  kPidNamespace,  ///< procfs is that of a PID namespace which is not the machine's first
  kDeadline,      ///< the time was over
  kNumber,        ///< there are more than kMostProcesses
};

/// What one walk over all processes found.
struct Census {
  std::vector<InhabitedNamespace> others;  ///< all namespaces but our own, by id
  std::uint64_t processes_elsewhere = 0;   ///< in them
  std::uint64_t unreadable = 0;            ///< processes whose namespace may not be told
  /// Namespaces beyond kMostNamespaces, which are counted and not listed.
  std::uint64_t beyond = 0;
  CensusLimit limit = CensusLimit::kNone;
};

/// Groups the processes of a procfs by their network namespace, without any capability: by the inode of
/// /proc/PID/net/tcp. Remembers what it was told, so that a process that lives on costs nothing: procfs gives each
/// process an inode of its own in the list, which tells a process from one that got its number later. As a process may
/// move to another namespace (containers begin so), a young one is asked again soon, and every one from time to time.
/// A namespace that no process lives in, such as one held by a mount alone, is not found. Of more than kMostNamespaces
/// those are listed that were listed before. Not thread-safe.
class ProcessCensus {
 public:
  static constexpr std::size_t kMostNamespaces = 4096;
  static constexpr std::size_t kMostProcesses = 262'144;

  explicit ProcessCensus(std::filesystem::path procfs) : procfs_(std::move(procfs)) {}

  Result<Census> Take(Deadline deadline);
  /// How many processes the last Take() had to ask for their namespace.
  std::uint64_t Asked() const { return asked_; }

 private:
  struct Process {
    std::uint64_t identity = 0;  // d_ino in the list of processes
    std::uint64_t inode = 0;     // of its net/tcp; 0 where it may not be told
    std::uint32_t walks = 0;     // since it was first seen
    std::uint64_t walk = 0;      // the last that listed it
    std::uint32_t thread = 0;    // by which it is asked, as its first has ended; 0: by that
  };
  bool IsDue(std::uint32_t pid, const Process& process) const;
  std::uint64_t IdOf(std::uint64_t inode, const std::vector<std::uint32_t>& processes);
  /// Lists the namespaces of `by_inode`, those that were listed in the walk before first.
  void List(std::map<std::uint64_t, std::vector<std::uint32_t>> by_inode, Census& census);

  std::filesystem::path procfs_;
  std::unordered_map<std::uint32_t, Process> known_;  // by PID
  struct Identity {
    std::uint64_t id = 0;
    std::uint64_t walk = 0;
    std::vector<std::uint32_t> processes;
  };
  std::unordered_map<std::uint64_t, Identity> identities_;  // by the inode of net/tcp
  std::uint64_t next_id_ = 1;
  std::uint64_t walks_ = 0;
  std::uint64_t asked_ = 0;
};

}  // namespace finwait::kernel::namespaces
