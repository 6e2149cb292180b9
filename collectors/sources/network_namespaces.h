#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/pacer.h"
#include "collectors/base/work_credit.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/kernel/entry_join.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/links.h"
#include "collectors/kernel/namespaces/cgroup_paths.h"
#include "collectors/kernel/namespaces/observer.h"
#include "collectors/kernel/namespaces/owner.h"
#include "collectors/kernel/socket_pass.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"
#include "collectors/sources/cpu_shares.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/namespace_settings.h"
#include "collectors/sources/shared_reads.h"

namespace finwait::sources {

/// Whether a namespace has tables of iptables-legacy, which are not read in entered ones.
enum class LegacyTables { kNone, kSome, kUntold };

/// What an entered namespace does to packets itself.
struct OwnRules {
  std::shared_ptr<const firewall::Ruleset> ruleset;  ///< never null
  std::optional<bool> tcp_loose;                     ///< its own net.netfilter.nf_conntrack_tcp_loose
};

/// One other network namespace whose sockets have been read.
struct OtherNamespace {
  std::uint64_t id = 0;                                    ///< ours, never used twice
  std::uint32_t process = 0;                               ///< the PID of one of its processes; 0: the last has ended
  std::shared_ptr<const kernel::namespaces::Owner> owner;  ///< null: it cannot be told
  PerFamily<kernel::SocketCounts> counts = {};             ///< of its sockets, then by TcpState
  kernel::SocketCounts orphans = {};
  std::optional<kernel::NamespaceLink> joined;  ///< to this host's; absent: it cannot be told
  bool entered = false;                         ///< its sockets were read inside
  std::optional<OwnRules> own;  ///< its own rules; absent where it was not entered, or they cannot be read
  /// Something of it could not be read that --namespaces= has read: what becomes of its connections cannot be told.
  bool unavailable = false;
  std::uint64_t unlisted = 0;  ///< open sockets beyond those in ForeignLiveSockets, whose number is bounded
};

/// A closing socket of another network namespace, with its entry in the host's table.
struct ForeignClosingSocket {
  std::uint64_t network_namespace = 0;  ///< OtherNamespace::id
  kernel::TcpSocket socket;
  kernel::Tracking own_tracking = kernel::Tracking::kUnknown;  ///< in its own table
};

/// The unfinished sockets of all other namespaces that have been read, with their entries in the host's table.
struct ForeignLiveSockets {
  static constexpr bool kCrossesOnce = true;  ///< to another process of this program (codec/codec.h)
  static constexpr bool kMayBeMissing = true;
  kernel::SocketTable sockets;
  std::vector<std::uint32_t> namespaces;  ///< by position in `sockets`: OtherNamespace::id
  /// By position: in the table of its own namespace; kUnknown where that has no rules of its own, or was not entered.
  std::vector<kernel::Tracking> own_tracking;
  SteadyClock::time_point taken_at;
};

/// Whose sockets a cgroup's are.
struct CgroupOfOwner {
  std::uint64_t number = 0;  ///< TcpSocket::cgroup_id
  kernel::namespaces::Owner owner;
};

/// The cgroups of this host that somebody owns.
struct OwnedCgroups {
  static constexpr bool kCrossesOnce = true;  ///< to another process of this program (codec/codec.h)
  static constexpr bool kMayBeMissing = true;
  std::vector<CgroupOfOwner> by_number;  ///< ascending
};

/// The network namespaces that processes live in, other than our own: what of their sockets can be read without any
/// privilege, and whose they are.
struct NetworkNamespacesSample : SampleData {
  static constexpr std::string_view kCollector = "network_namespaces";
  static constexpr std::size_t kFields = 11;  ///< below, for codec/fields.h
  /// More closing sockets than this, of all namespaces together, are not listed.
  static constexpr std::size_t kMaxClosing = 65'536;

  std::uint64_t observed = 0;             ///< namespaces whose sockets have been read from outside
  std::uint64_t entered = 0;              ///< and from inside
  std::uint64_t unseen = 0;               ///< namespaces with at least one process, whose sockets have not
  std::uint64_t processes_elsewhere = 0;  ///< the processes in all of them
  std::uint64_t unreadable = 0;           ///< processes whose namespace may not be told
  /// Why not all processes of the machine were read, where there may be more.
  kernel::namespaces::CensusLimit limit = kernel::namespaces::CensusLimit::kNone;
  bool observes = false;  ///< --namespaces=observe or enter; else they are only counted

  std::vector<OtherNamespace> namespaces;  ///< those read, by id
  std::vector<ForeignClosingSocket> closing;
  std::shared_ptr<const ForeignLiveSockets> live;  ///< null: not read yet, or the host's entries cannot be asked for
  /// Of this host's own sockets. Null where cgroup v2 is not mounted.
  std::shared_ptr<const OwnedCgroups> cgroups;

  /// Whose namespace it is, by OtherNamespace::id; null where that cannot be told.
  std::shared_ptr<const kernel::namespaces::Owner> OwnerOf(std::uint64_t network_namespace) const;
};

/// Counts the network namespaces that processes live in, and observes their sockets through /proc/PID/net. Needs no
/// capability but for the host's entries. A namespace that no process lives in, such as one held by a mount alone, is
/// not found.
class NetworkNamespacesCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = NetworkNamespacesSample::kCollector,
      .summary = "the sockets of containers and pods: of all other network namespaces that processes live in",
      .reads =
          "`/proc/PID/net/{tcp,tcp6,snmp,netstat,sockstat,sockstat6}`, `/proc/PID/{cgroup,comm}`, names of folders of "
          "cgroup "
          "v2 and of the kubelet's logs, names of containers where Docker or podman lets them be read, netlink",
      .capability = Capability::kNetAdmin,
      .part = "their entries in the host's conntrack table",
      .budget_share = kNamespacesShare,
  };

  /// `reading`: paces the reading of lists of sockets; nothing: as many as the deadline allows.
  NetworkNamespacesCollector(kernel::Host host, const NamespaceSettings& settings, Pacer joining,
                             std::optional<WorkCredit> reading = std::nullopt, SharedReads shared = {});
  Result<Collected> Collect(Deadline deadline) override;

 private:
  /// Observes once. Returns the CPU time that reading lists of sockets took, where that is paced.
  Result<std::chrono::nanoseconds> Observe(Deadline deadline);
  void ListSockets(NetworkNamespacesSample& sample) const;
  /// Whether something of it could not be read that should be.
  bool IsUnavailable(const kernel::namespaces::ObservedNamespace& one) const;
  void JoinClosing(Deadline deadline, NetworkNamespacesSample& sample);
  /// Joins the live sockets if that is due. Returns the CPU time that it took.
  std::chrono::nanoseconds KeepJoined(Deadline deadline, std::vector<Error>& gaps);
  void KeepCgroups(Deadline deadline);
  /// Reads the rules of entered namespaces, a few at a time.
  void KeepOwnRules(Deadline deadline);
  /// Of those whose rules have not been read for a while the ones to read now, in their order.
  std::vector<const kernel::namespaces::ObservedNamespace*> DueForOwnRules(
      const std::vector<kernel::namespaces::ObservedNamespace>& namespaces, SteadyClock::time_point now);
  void ReadOwnRules(const kernel::namespaces::ObservedNamespace& one, SteadyClock::time_point now, Deadline deadline);
  /// Sets in `sockets`, of the namespace `id`, their entries in its own table, where it has rules that hang on them; of
  /// one that no process lives in any more, as they were last. Of more than `most` the others are as they were last.
  /// `are_all`: they are all that the namespace has, so that what is remembered of others may be forgotten.
  void JoinInside(std::uint64_t id, std::size_t most, bool are_all, Deadline deadline, kernel::SocketTable& sockets);
  /// What of entered namespaces could not be read, each message once.
  void AddGapsInside(std::vector<Error>& gaps) const;
  /// Finds out how the namespaces are joined to this host's, at once for one that is new.
  void KeepJoints(Deadline deadline, std::vector<Error>& gaps);

  kernel::Host host_;
  NamespaceSettings settings_;
  Pacer joining_;
  std::optional<WorkCredit> reading_;
  kernel::EntryJoin join_;
  kernel::namespaces::Observer observer_;
  std::shared_ptr<const ForeignLiveSockets> live_;
  std::optional<kernel::namespaces::CgroupPaths> cgroup_paths_;
  std::shared_ptr<const OwnedCgroups> cgroups_;
  std::optional<SteadyClock::time_point> cgroups_at_;
  /// By OtherNamespace::id; nothing where it cannot be told.
  std::map<std::uint64_t, std::optional<kernel::NamespaceLink>> joints_;
  std::optional<SteadyClock::time_point> joints_at_;
  SteadyClock::time_point newest_at_{};  // when one was seen for the first time
  struct Inside {
    kernel::Host host;
    kernel::namespaces::EnteredNamespace entered;
    std::unique_ptr<FirewallCollector> firewall;
    std::shared_ptr<const firewall::Ruleset> as_read;  // what `rules` were made of
    std::optional<OwnRules> rules;
    LegacyTables legacy = LegacyTables::kUntold;
    bool hangs_on_entries = false;    // it has rules, or tables that were not read
    SteadyClock::time_point read_at;  // or tried
    std::optional<Error> rules_gap;   // why the rules were not read when last tried
    std::optional<Error> entries_gap;
    bool inhabited = true;
    /// By TcpSocket::cookie, as their entries were last asked for: what becomes of a container's sockets when it has
    /// ended hangs on them, and nobody can be asked then.
    std::map<std::uint64_t, kernel::Tracking> last_tracking;

    bool IsUnavailable() const { return rules_gap || entries_gap; }
  };
  std::optional<Error> silent_;             // who enters has not answered in this collection: it is asked no more
  std::map<std::uint64_t, Inside> inside_;  // by OtherNamespace::id
  std::set<std::uint64_t> gone_;            // those whose last process ended while their rules were to be read
};

}  // namespace finwait::sources
