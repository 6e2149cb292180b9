#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"
#include "collectors/kernel/namespaces/entered_host.h"
#include "collectors/kernel/namespaces/gate.h"
#include "collectors/kernel/namespaces/owner.h"
#include "collectors/kernel/namespaces/owner_names.h"
#include "collectors/kernel/namespaces/proc_sockets.h"
#include "collectors/kernel/namespaces/process_census.h"
#include "collectors/kernel/socket_pass.h"
#include "collectors/kernel/socket_table.h"

namespace finwait::kernel::namespaces {

/// The sockets of one other network namespace, as they were last read.
struct ObservedSockets {
  SocketTable open;                     ///< ESTABLISHED and CLOSE_WAIT; at most kMostSockets
  std::vector<TcpSocket> closing;       ///< FIN_WAIT_1, CLOSING and LAST_ACK; at most kMostSockets
  PerFamily<SocketCounts> counts = {};  ///< all
  SocketCounts orphans = {};
  SteadyClock::time_point read_at;
  static constexpr std::size_t kMostSockets = 65'536;
};

/// One other network namespace that is observed.
struct ObservedNamespace {
  std::uint64_t id = 0;     ///< ours, never used twice
  std::uint64_t inode = 0;  ///< of its net/tcp
  std::vector<std::uint32_t> processes;
  bool entered = false;   ///< `sockets` were read inside, by sock_diag
  bool inhabited = true;  ///< a process lives in it; else it is there because its closing sockets are watched
  /// It could not be read when that was last tried, or not in the way that is wanted: what is known of it is old, or
  /// comes from outside.
  bool unavailable = false;
  std::shared_ptr<const Owner> owner;
  std::shared_ptr<const ObservedSockets> sockets;  ///< null: not read yet
};

/// What one round of reading lists of sockets took.
struct ReadingEffort {
  std::chrono::nanoseconds spent{0};    ///< CPU time
  std::chrono::nanoseconds waiting{0};  ///< what those would take that were due and had to wait
};

/// Watches the sockets of all other network namespaces without any capability, through /proc/PID/net, or from inside
/// where there is an entrance. A list of
/// sockets costs milliseconds, as it walks the hash of the whole machine, so it is read only where cheap numbers of
/// the namespace say that it changed (Gate), the most urgent first, as long as `effort` allows. Sockets have no cookie
/// in procfs: they get one of ours, by namespace, ends and descriptor, with the highest bit set, which no cookie of the
/// kernel's has. Not thread-safe.
class Observer {
 public:
  explicit Observer(std::filesystem::path procfs, NamePaths names = {});

  /// From now on sockets are read inside their namespaces, where that works: with idle times, and all that sock_diag
  /// tells. `own`: this process's namespace.
  void EnterBy(const Host& own, std::shared_ptr<const Entrance> entrance);
  /// How `one` is reached inside. An error that HasGone() knows without an entrance, or where no process lives in it.
  Result<Host> HostIn(const ObservedNamespace& one) const;
  /// Why some namespace was not entered when it was last read; nothing where all were that had to be.
  const std::optional<Error>& WhyNotEntered() const { return why_not_entered_; }
  /// Why the sockets of some namespace could not be read in the last round; nothing where all could be that had to be.
  const std::optional<Error>& WhyNotRead() const { return why_not_read_; }
  /// That who enters for this process did not answer in the last round: then it is not asked again in the same one.
  const std::optional<Error>& Silent() const { return silent_; }

  /// Counts namespaces and processes, and reads nothing of them.
  Result<void> Count(Deadline deadline);

  /// One round. `effort`: CPU time for reading lists of sockets; none is read where there is none.
  Result<void> Observe(Deadline deadline, std::chrono::nanoseconds effort);

  /// Tells that open connections of this namespace are at risk, or no longer: while they are, its socket lists are kept
  /// open, so that what becomes of them is seen even if its last process ends.
  void SetAtRisk(std::uint64_t id, bool at_risk);

  const Census& LastCensus() const { return census_; }
  /// By id. Holds still until the next Observe().
  std::vector<ObservedNamespace> Namespaces() const;
  const ReadingEffort& LastEffort() const { return effort_; }
  std::size_t Held() const { return held_; }
  OwnerNames& Names() { return names_; }

  /// An empty namespace lives on as long as its closing sockets are watched, and not longer than this. Orphans give up
  /// after about 108 s.
  static constexpr std::chrono::seconds kLongestAfterlife{130};
  /// Namespaces whose socket lists are kept open at a time.
  static constexpr std::size_t kMostHeld = 128;

 private:
  // What tells one connection from a later one with the same ends.
  struct Descriptor {
    std::uint64_t ends = 0;    // hash
    std::uint64_t inode = 0;   // the last that was not 0
    std::uint64_t cookie = 0;  // the kernel's; 0: not known
    std::uint32_t generation = 0;
  };
  struct State {
    ObservedNamespace seen;
    PerFamily<UniqueFd> lists;  // tcp, tcp6: kept open
    std::optional<GateNumbers> numbers;
    std::optional<LastReading> last;
    Urgency urgency = Urgency::kNone;
    bool at_risk = false;
    bool may_be_multipath = false;         // its connections
    std::optional<Error> why_not_entered;  // when it was last read
    std::optional<Error> why_not_read;     // when that was last tried
    bool owner_is_new = true;
    SteadyClock::time_point owner_at;
    SteadyClock::time_point left_at;
    std::vector<Descriptor> descriptors;  // by ends
  };

  void TakeInCensus(SteadyClock::time_point now);
  void NameOwner(State& state, SteadyClock::time_point now);
  /// Opens /proc/PID/net of one of its processes, for what is in it. An error that HasGone() knows where they all have
  /// ended.
  Result<UniqueFd> OpenNet(const State& state) const;
  std::optional<GateNumbers> ReadNumbers(const State& state) const;
  void AskGate(State& state, SteadyClock::time_point now) const;
  Result<void> Read(State& state, Deadline deadline);
  /// Reads it, and notes why it could not be read as it should be.
  void ReadNoting(State& state, Deadline deadline);
  /// Reads them inside. False where that does not work.
  bool ReadInside(State& state, Deadline deadline);
  void NoteWhyNot(const Error& error, State& state);
  void Keep(State& state, std::shared_ptr<const ObservedSockets> sockets, std::vector<Descriptor> descriptors,
            const LastReading& last);
  void Hold(State& state);
  /// `inode` and `cookie`: of the socket, 0 where they are not known.
  std::uint64_t CookieOf(State& state, const TcpSocket& socket, std::uint64_t inode, std::uint64_t cookie,
                         std::vector<Descriptor>& descriptors) const;

  std::filesystem::path procfs_;
  OwnerNames names_;
  ProcessCensus processes_;
  Census census_;
  std::map<std::uint64_t, State> states_;  // by id
  std::uint64_t seed_;
  ReadingEffort effort_;
  std::chrono::nanoseconds typical_{0};  // of one namespace; a moving average
  std::size_t held_ = 0;
  std::shared_ptr<const Entrance> entrance_;  // null: none
  Host own_;                                  // with an entrance
  std::optional<Error> why_not_entered_;
  std::optional<Error> why_not_read_;
  std::optional<Error> silent_;
};

}  // namespace finwait::kernel::namespaces
