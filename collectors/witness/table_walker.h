#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "collectors/base/result.h"
#include "collectors/witness/table_record.h"

namespace finwait::witness {

/// In seconds, of established, close_wait, fin_wait and last_ack.
using LiveTimeouts = std::array<std::uint32_t, FINWAIT_LIVE_STATES>;

/// What one walk of the conntrack table came to.
struct WalkResult {
  enum class Kind : std::uint32_t {
    kTold,
    kNotYet,  ///< no packet with an entry has left since the table's place was looked for; or the table is small
    kTorn,    ///< it was resized or flushed meanwhile, or changed so much that the walk may not hold
    kFailed,  ///< for good
  };
  Kind kind = Kind::kFailed;
  finwait_table table = {};  ///< kTold
  std::string why;           ///< else; one sentence
  std::chrono::nanoseconds cpu{0};
};

/// Counts the entries of one network namespace in the kernel, by a BPF program (table_walk.bpf.c) that is run for some
/// hundred chains of the table at a time. Needs CAP_BPF and CAP_PERFMON to be made, and nothing afterwards. Not
/// thread-safe; whoever uses it must be in that namespace.
class TableWalker {
 public:
  /// A smaller table is left to a dump: it takes a few milliseconds, and what is missing of few entries would not be
  /// found out.
  static constexpr std::uint64_t kLeastEntries = 10'000;

  /// `network_namespace`: the inode of its file. kUnsupported where this build has no BPF, the kernel no BTF or no
  /// bpf_loop (Linux 5.17), or conntrack is not there. From Linux 5.19 on programs run without a capability.
  static Result<std::unique_ptr<TableWalker>> Load(std::uint64_t network_namespace,
                                                   const std::filesystem::path& procfs);
  virtual ~TableWalker() = default;

  /// One walk. `between_runs` is called, for tests, before each run of the program, with the chain that comes next.
  virtual WalkResult Walk(const LiveTimeouts& timeouts, Deadline deadline,
                          const std::function<void(std::uint32_t)>& between_runs = {}) = 0;
  /// Whether the table's place is looked for: then LookAgain() is to be called now and again.
  virtual bool IsLooking() const = 0;
  virtual void LookAgain() = 0;
};

/// Whether what was seen can be a whole table that had between `least` and `most` entries meanwhile. Entries come and
/// go during a walk, and some are counted that are not in it (yet, or any more).
bool IsWhole(std::uint64_t seen, std::uint64_t least, std::uint64_t most);

}  // namespace finwait::witness
