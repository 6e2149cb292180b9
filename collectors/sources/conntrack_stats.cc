#include "collectors/sources/conntrack_stats.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <cstddef>
#include <string>

#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/procfs.h"
#include "collectors/sources/most_cpus.h"

namespace finwait::sources {
namespace {

struct StatRow {
  ConntrackStat stat;
  std::uint16_t attribute;
  std::string_view name;
};

constexpr StatRow kRows[kConntrackStatCount] = {
    {ConntrackStat::kFound, CTA_STATS_FOUND, "found"},
    {ConntrackStat::kInvalid, CTA_STATS_INVALID, "invalid"},
    {ConntrackStat::kInsert, CTA_STATS_INSERT, "insert"},
    {ConntrackStat::kInsertFailed, CTA_STATS_INSERT_FAILED, "insert_failed"},
    {ConntrackStat::kDrop, CTA_STATS_DROP, "drop"},
    {ConntrackStat::kEarlyDrop, CTA_STATS_EARLY_DROP, "early_drop"},
    {ConntrackStat::kError, CTA_STATS_ERROR, "error"},
    {ConntrackStat::kSearchRestart, CTA_STATS_SEARCH_RESTART, "search_restart"},
    {ConntrackStat::kClashResolve, CTA_STATS_CLASH_RESOLVE, "clash_resolve"},
    {ConntrackStat::kChainTooLong, CTA_STATS_CHAIN_TOOLONG, "chain_too_long"},
};

}  // namespace

std::string_view Name(ConntrackStat stat) { return kRows[static_cast<std::size_t>(stat)].name; }

Result<conntrack_stats::CpuRecord> conntrack_stats::Decode(const kernel::netlink::Message& message) {
  const auto header = message.Header<nfgenmsg>();
  if (!header) {
    return Fail(FailureReason::kError, "read conntrack statistics: a message cut short");
  }
  conntrack_stats::CpuRecord record;
  record.cpu = ntohs(header->res_id);
  kernel::netlink::AttributeReader reader(message.Attributes<nfgenmsg>());
  while (reader.Next()) {
    for (std::size_t i = 0; i < kConntrackStatCount; ++i) {
      if (kRows[i].attribute == reader.Type()) {
        record.counters[i] = reader.BigEndian32();
      }
    }
  }
  if (!reader.Sound() || record.cpu >= kMostCpus) {
    return Fail(FailureReason::kError, "read conntrack statistics: a malformed message");
  }
  return record;
}

Result<void> ConntrackStatsCollector::ReadCounters(Deadline deadline, ConntrackStatsSample& sample) {
  auto channel = OpenConntrack(host_);
  if (!channel) {
    return Failure(channel.error());
  }
  // A dump that is torn starts over, and widening must see each value once: keep the raw values until the dump has
  // ended.
  std::vector<conntrack_stats::CpuRecord> records;
  kernel::netlink::FunctionSink sink([&] { records.clear(); },
                                     [&](const kernel::netlink::Message& message) -> Result<void> {
                                       auto record = conntrack_stats::Decode(message);
                                       if (!record) {
                                         return Failure(record.error());
                                       }
                                       if (records.size() < kMostCpus) {
                                         records.push_back(*record);
                                       }
                                       return {};
                                     });
  kernel::netlink::Request request(kernel::netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS_CPU));
  request.Header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0});
  if (auto dumped = channel->Dump(std::move(request), "read conntrack statistics", deadline, sink); !dumped) {
    return Failure(kernel::WithConntrackRemedy(dumped.error()));
  }
  for (const conntrack_stats::CpuRecord& record : records) {
    if (cpus_.size() <= record.cpu) {
      cpus_.resize(record.cpu + std::size_t{1});
    }
    for (std::size_t i = 0; i < kConntrackStatCount; ++i) {
      if (record.counters[i]) {
        cpus_[record.cpu][i].Extend(*record.counters[i]);
        sample.counters[i] = 0;
      }
    }
  }
  // Over every CPU that was ever seen: one that a torn dump leaves out or repeats must not take a counter back or
  // ahead.
  for (const CpuCounters& cpu : cpus_) {
    for (std::size_t i = 0; i < kConntrackStatCount; ++i) {
      if (sample.counters[i]) {
        *sample.counters[i] += cpu[i].Total();
      }
    }
  }
  return {};
}

Result<Collected> ConntrackStatsCollector::Collect(Deadline deadline) {
  auto sample = std::make_shared<ConntrackStatsSample>();
  std::vector<Error> gaps;
  const std::filesystem::path directory = host_.procfs / "sys/net/netfilter";
  const struct {
    const char* file;
    std::optional<std::uint64_t>* value;
  } sizes[] = {{"nf_conntrack_count", &sample->entries},
               {"nf_conntrack_max", &sample->entries_limit},
               {"nf_conntrack_buckets", &sample->buckets}};
  for (const auto& size : sizes) {
    auto value = kernel::ReadProcfsUnsigned(directory / size.file);
    if (value) {
      *size.value = *value;
    } else if (!kernel::IsAbsent(value.error())) {
      gaps.push_back(value.error());
    }
  }
  if (auto present = RequireConntrack(host_); !present) {
    return Failure(present.error());
  }
  if (auto read = ReadCounters(deadline, *sample); !read) {
    gaps.push_back(read.error());
  }
  return Collected{std::move(sample), std::move(gaps)};
}

}  // namespace finwait::sources
