#include <string>

#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"
#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {
namespace {

constexpr std::string_view kStatHelp[sources::kConntrackStatCount] = {
    "Lookups that found an entry where a new one was to be (ctnetlink CTA_STATS_FOUND).",
    "Packets that conntrack calls INVALID, over all protocols (ctnetlink CTA_STATS_INVALID). Anyone can make this "
    "rise with bare FINs; alone it proves nothing.",
    "Entries inserted (ctnetlink CTA_STATS_INSERT; 0 on kernels that no longer count it).",
    "Entries that could not be inserted, mostly clashes (ctnetlink CTA_STATS_INSERT_FAILED).",
    "Packets dropped because an entry could not be made (ctnetlink CTA_STATS_DROP).",
    "Entries evicted to make room in a full table (ctnetlink CTA_STATS_EARLY_DROP).",
    "Malformed packets that conntrack could not look at (ctnetlink CTA_STATS_ERROR).",
    "Lookups repeated because the table changed (ctnetlink CTA_STATS_SEARCH_RESTART).",
    "Insertion clashes that were resolved (ctnetlink CTA_STATS_CLASH_RESOLVE).",
    "Entries not inserted because their hash chain was too long (ctnetlink CTA_STATS_CHAIN_TOOLONG, Linux 5.15).",
};

}  // namespace

void AppendConntrackStats(const scheduling::Snapshot& snapshot, Families& families) {
  const auto* sample = snapshot.Find<sources::ConntrackStatsSample>();
  if (sample == nullptr) {
    return;
  }
  for (std::size_t i = 0; i < sources::kConntrackStatCount; ++i) {
    if (sample->counters[i]) {
      const std::string name = "conntrack_" + std::string(Name(static_cast<sources::ConntrackStat>(i))) + "_total";
      Family::Counter(name, kStatHelp[i]).Add({}, static_cast<double>(*sample->counters[i])).AppendTo(families);
    }
  }
}

void AppendConntrackTable(const scheduling::Snapshot& snapshot, Families& families) {
  const auto* sample = snapshot.Find<sources::ConntrackTableSample>();
  if (sample == nullptr) {
    return;
  }
  Family flows = Family::Gauge("conntrack_flows", "Flows in the table now, by TCP state (ctnetlink dump).");
  for (const IpFamily family : kIpFamilies) {
    const sources::FlowCounts& counts = sample->flows[family];
    for (std::size_t state = 0; state < kernel::kConntrackTcpStateCount; ++state) {
      flows.Add({{"family", Name(family)},
                 {"protocol", "tcp"},
                 {"state", Name(static_cast<kernel::ConntrackTcpState>(state))}},
                static_cast<double>(counts.tcp[state]));
    }
    flows.Add({{"family", Name(family)}, {"protocol", "udp"}, {"state", ""}}, static_cast<double>(counts.udp));
    flows.Add({{"family", Name(family)}, {"protocol", "icmp"}, {"state", ""}}, static_cast<double>(counts.icmp));
    flows.Add({{"family", Name(family)}, {"protocol", "other"}, {"state", ""}}, static_cast<double>(counts.other));
  }
  flows.AppendTo(families);
  Family reads = Family::Counter("conntrack_table_reads_total",
                                 "How often the conntrack table was read: dumped by netlink, or walked in the kernel "
                                 "(--sampling.table-walk).");
  for (const sources::TableReader reader : sources::kTableReaders) {
    reads.Add({{"by", Name(reader)}}, static_cast<double>(sample->reads[static_cast<std::size_t>(reader)]));
  }
  reads.AppendTo(families);

  Family idle =
      Family::Histogram("conntrack_entry_idle_seconds",
                        "How long the TCP entries in the table now have seen no packet: their timeout minus what "
                        "remains of it. The timeout is their state's, or their own where a socket here shows one. Too "
                        "high for forwarded ones under a policy or a shorter timeout (max_retrans, unacknowledged). "
                        "May fall: never rate() it.");
  Family remaining = Family::Histogram("conntrack_entry_remaining_seconds",
                                       "How long the TCP entries in the table now would last without a packet "
                                       "(CTA_TIMEOUT). May fall: never rate() it.");
  for (std::size_t i = 0; i < std::size(kernel::kLiveConntrackStates); ++i) {
    const std::string_view state = Name(kernel::kLiveConntrackStates[i]);
    if (sample->idle[i]) {
      idle.Add({{"state", state}}, *sample->idle[i]);
    }
    remaining.Add({{"state", state}}, sample->remaining[i]);
  }
  idle.AppendTo(families);
  remaining.AppendTo(families);
}

}  // namespace finwait::views::metrics
