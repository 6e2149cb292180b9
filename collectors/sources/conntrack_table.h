#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/kernel/conntrack_entry.h"
#include "collectors/kernel/conntrack_state.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/translated_flow.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"
#include "collectors/sources/cpu_shares.h"
#include "collectors/sources/shared_reads.h"
#include "collectors/sources/table_walk.h"

namespace finwait::sources {

/// A histogram over seconds with fixed buckets, of what is in the table now.
struct AgeHistogram {
  /// Upper bounds in seconds; one more bucket is open. They bracket conntrack's default timeouts: 30 s last_ack, 60 s
  /// close_wait, 120 s fin_wait, 300 s unacknowledged, 5 days established.
  static constexpr std::array<double, 7> kBounds = {15, 60, 300, 1800, 7200, 86400, 432000};

  std::array<std::uint64_t, kBounds.size() + 1> counts = {};  ///< not cumulative
  double sum = 0;

  void Add(double seconds);
};

/// How many flows of one IP family are in the table.
struct FlowCounts {
  std::array<std::uint64_t, kernel::kConntrackTcpStateCount> tcp = {};  ///< by ConntrackTcpState
  std::uint64_t udp = 0;
  std::uint64_t icmp = 0;  ///< ICMP and ICMPv6
  std::uint64_t other = 0;
};

/// How the table is read.
enum class TableReader : std::uint8_t {
  kDump,  ///< by netlink, entry by entry
  kWalk,  ///< counted in the kernel (--sampling.table-walk)
};
inline constexpr TableReader kTableReaders[] = {TableReader::kDump, TableReader::kWalk};
std::string_view Name(TableReader reader);

/// What is in one network namespace's part of the conntrack table.
struct ConntrackTableSample : SampleData {
  static constexpr std::string_view kCollector = "conntrack_table";
  static constexpr std::size_t kFields = 7;  ///< below, for codec/fields.h
  static constexpr std::size_t kLiveStates = std::size(kernel::kLiveConntrackStates);

  PerFamily<FlowCounts> flows;
  /// By position in kLiveConntrackStates. Idle is the entry's timeout minus what remains, never below 0. Its timeout
  /// is the state's, unless its socket, as `tracking` saw it last, shows another one (a timeout policy). Too high for a
  /// forwarded flow under a policy or the shorter max_retrans or unacknowledged timeout, or that came out of a
  /// flowtable with a day left or less (Linux 6.14), wrong for one last refreshed under another sysctl value. One that
  /// is in a flowtable is not counted. Nothing where the state's timeout cannot be read.
  std::array<std::optional<AgeHistogram>, kLiveStates> idle;
  std::array<AgeHistogram, kLiveStates> remaining;
  /// Entries that are not ASSURED: what a full table may evict (early_drop). Where it is full of ASSURED ones,
  /// conntrack drops what has no entry.
  std::uint64_t evictable = 0;
  /// The table changed its size while it was read, or the dump was torn: some entries may be missing or counted twice.
  bool torn = false;
  /// Where they were asked for: established TCP connections that NAT changes, be they forwarded or this host's own. At
  /// most kMostTranslated, of a larger table any.
  std::vector<kernel::TranslatedFlow> translated;
  static constexpr std::size_t kMostTranslated = 32'768;
  /// By TableReader: how often the table has been read since the service started.
  std::array<std::uint64_t, std::size(kTableReaders)> reads = {};
};

/// Whether a collection lists the connections that NAT changes.
enum class TranslatedFlows { kSkip, kList };

/// Streams the table of this namespace once a collection; holds counts, and never the table but for a bounded list of
/// what NAT changes. Tells the joins which zones its entries are in. Needs CAP_NET_ADMIN.
///
/// With a `walk` it takes that for a large table, as long as a dump says the same now and then (WalkTrust). Then as
/// before, and saying why, where there is no walk; and without a word where a walk does not hold, or does not tell
/// enough: entries with timeouts of their own, what NAT changes, more zones than it has room for.
class ConntrackTableCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = ConntrackTableSample::kCollector,
      .summary = "conntrack entries by state, their idle age and remaining lifetime",
      .reads = "netlink; `/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_*`",
      .capability = Capability::kNetAdmin,
      .budget_share = kTableShare,
  };

  explicit ConntrackTableCollector(kernel::Host host, SharedReads shared = {},
                                   TranslatedFlows translated = TranslatedFlows::kSkip, TableWalk walk = {})
      : host_(std::move(host)),
        zones_(std::move(shared.zones)),
        own_timeouts_(std::move(shared.own_timeouts)),
        translated_(translated),
        walk_(std::move(walk)) {}
  Result<Collected> Collect(Deadline deadline) override;

  /// By position in kLiveConntrackStates, in seconds; nothing where one cannot be read.
  using Timeouts = std::array<std::optional<std::uint64_t>, ConntrackTableSample::kLiveStates>;

 private:
  std::optional<finwait_table> Walk(const witness::LiveTimeouts& timeouts, Deadline deadline, std::vector<Error>& gaps,
                                    std::chrono::nanoseconds& cpu);
  Result<std::shared_ptr<ConntrackTableSample>> Dump(const Timeouts& timeouts, Deadline deadline);

  kernel::Host host_;
  std::shared_ptr<kernel::KnownZones> zones_;
  std::shared_ptr<KnownOwnTimeouts> own_timeouts_;
  TranslatedFlows translated_;
  TableWalk walk_;
  WalkTrust trust_;
  std::array<std::uint64_t, std::size(kTableReaders)> reads_ = {};
};

}  // namespace finwait::sources
