#include "exporter/report/table_load.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/sysctl.h"

namespace finwait::report {
namespace {

// struct nf_conn and its extensions in a 64-bit kernel: slabs of 256 and 128 bytes (docs/timeouts.md).
constexpr double kEntryBytes = 384;

// "0.4", "12": two digits that count are enough for what is a bound.
std::string Rounded(double number) {
  char text[32];
  std::snprintf(text, sizeof text, number < 10 ? "%.1f" : "%.0f", number);
  return text;
}

}  // namespace

std::optional<TableLoad> TableLoadOf(const scheduling::Snapshot& snapshot) {
  const auto* table = snapshot.Find<sources::ConntrackTableSample>();
  const auto* stats = snapshot.Find<sources::ConntrackStatsSample>();
  const auto* sysctl = snapshot.Find<sources::SysctlSample>();
  if (table == nullptr || stats == nullptr || sysctl == nullptr || !stats->entries_limit ||
      *stats->entries_limit == 0) {
    return std::nullopt;
  }
  std::uint64_t entries = 0;
  for (const sources::FlowCounts& flows : table->flows) {
    entries += std::accumulate(flows.tcp.begin(), flows.tcp.end(), std::uint64_t{0});
  }
  const auto ending = [&](kernel::ConntrackTcpState state, sources::ConntrackTcpTimeout which) {
    double ended = 0;
    for (const sources::FlowCounts& flows : table->flows) {
      ended += static_cast<double>(flows.tcp[static_cast<std::size_t>(state)]);
    }
    const auto timeout = sysctl->Timeout(which);
    return timeout && timeout->count() > 0 ? ended / static_cast<double>(timeout->count()) : 0;
  };
  return TableLoad{ending(kernel::ConntrackTcpState::kTimeWait, sources::ConntrackTcpTimeout::kTimeWait) +
                       ending(kernel::ConntrackTcpState::kClose, sources::ConntrackTcpTimeout::kClose),
                   *stats->entries_limit, entries};
}

std::string CostOfTimeout(std::uint64_t timeout_seconds, const TableLoad& load) {
  // Those of now stay, whatever ends.
  const double entries = std::max(std::ceil(load.connections_per_second * static_cast<double>(timeout_seconds)),
                                  static_cast<double>(load.entries));
  const std::string size = std::to_string(static_cast<std::uint64_t>(entries)) + " entries, " +
                           Rounded(entries * kEntryBytes / 1e6) + " MB or " +
                           Rounded(100 * entries / static_cast<double>(load.limit)) +
                           " % of the table's limit (nf_conntrack_max = " + std::to_string(load.limit) + ").";
  if (load.connections_per_second <= 0) {
    return "What it costs: no connection ends here now, so that any timeout keeps the TCP connections there are: " +
           size;
  }
  return "What it costs: " + Rounded(load.connections_per_second) +
         " connections a second end here now; if none of them closed in order, that timeout would keep " + size;
}

}  // namespace finwait::report
