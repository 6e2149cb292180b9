#include "collectors/sources/conntrack_table.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>

#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/procfs.h"
#include "collectors/witness/table_record.h"

namespace finwait::sources {
namespace {

using Timeouts = ConntrackTableCollector::Timeouts;

// The timeouts in force now, for the idle ages; one that cannot be read is a gap.
Timeouts ReadTimeouts(const kernel::Host& host, std::vector<Error>& gaps) {
  Timeouts timeouts;
  for (std::size_t i = 0; i < timeouts.size(); ++i) {
    const std::string file = "nf_conntrack_tcp_timeout_" + std::string(Name(kernel::kLiveConntrackStates[i]));
    auto seconds = kernel::ReadProcfsUnsigned(host.procfs / "sys/net/netfilter" / file);
    if (seconds) {
      timeouts[i] = *seconds;
    } else {
      gaps.push_back(seconds.error());
    }
  }
  return timeouts;
}

constexpr std::array<double, FINWAIT_AGES - 1> kWalkBounds = FINWAIT_AGE_BOUNDS;
static_assert(kWalkBounds == AgeHistogram::kBounds &&
              FINWAIT_AGES == std::tuple_size_v<decltype(AgeHistogram::counts)>);
static_assert(FINWAIT_TCP_STATES == kernel::kConntrackTcpStateCount);
static_assert(FINWAIT_LIVE_STATES == ConntrackTableSample::kLiveStates &&
              kernel::kLiveConntrackStates[0] == kernel::ConntrackTcpState::kEstablished &&
              kernel::kLiveConntrackStates[1] == kernel::ConntrackTcpState::kCloseWait &&
              kernel::kLiveConntrackStates[2] == kernel::ConntrackTcpState::kFinWait &&
              kernel::kLiveConntrackStates[3] == kernel::ConntrackTcpState::kLastAck);

AgeHistogram HistogramOf(const finwait_ages& ages) {
  AgeHistogram histogram;
  std::copy(std::begin(ages.counts), std::end(ages.counts), histogram.counts.begin());
  histogram.sum = static_cast<double>(ages.sum);
  return histogram;
}

ConntrackTableSample SampleOf(const finwait_table& table, const Timeouts& timeouts) {
  ConntrackTableSample sample;
  for (std::size_t version = 0; version < sample.flows.size(); ++version) {
    FlowCounts& flows = sample.flows[version];
    std::copy(std::begin(table.tcp[version]), std::end(table.tcp[version]), flows.tcp.begin());
    flows.udp = table.udp[version];
    flows.icmp = table.icmp[version];
    flows.other = table.other[version];
  }
  for (std::size_t i = 0; i < ConntrackTableSample::kLiveStates; ++i) {
    sample.remaining[i] = HistogramOf(table.remaining[i]);
    if (timeouts[i]) {
      sample.idle[i] = HistogramOf(table.idle[i]);
    }
  }
  sample.evictable = table.evictable;
  return sample;
}

kernel::ConntrackZones ZonesOf(const finwait_table& table) {
  kernel::ConntrackZones zones;
  for (std::size_t i = 0; i < table.zone_count; ++i) {
    zones.insert(static_cast<std::uint16_t>(table.zones[i]));
  }
  return zones;
}

witness::LiveTimeouts SecondsOf(const Timeouts& timeouts) {
  witness::LiveTimeouts seconds = {};
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    seconds[i] = static_cast<std::uint32_t>(std::min<std::uint64_t>(timeouts[i].value_or(0), UINT32_MAX));
  }
  return seconds;
}

class TableSink : public kernel::netlink::MessageSink {
 public:
  TableSink(ConntrackTableSample& sample, const Timeouts& timeouts, const OwnTimeouts& own_timeouts,
            TranslatedFlows translated)
      : sample_(sample), timeouts_(timeouts), own_timeouts_(own_timeouts), translated_(translated) {}

  void Restart() override {
    zones_.clear();
    sample_ = ConntrackTableSample();
    for (std::size_t i = 0; i < timeouts_.size(); ++i) {
      if (timeouts_[i]) {
        sample_.idle[i].emplace();
      }
    }
  }

  Result<void> OnMessage(const kernel::netlink::Message& message) override {
    const auto entry = kernel::DecodeConntrackEntry(message);
    if (!entry) {
      return Failure(entry.error());
    }
    if (*entry) {
      Count(**entry);
      if ((*entry)->zone != 0) {
        zones_.insert((*entry)->zone);
      }
    }
    return {};
  }

  const kernel::ConntrackZones& Zones() const { return zones_; }

 private:
  void Count(const kernel::ConntrackEntry& entry) {
    FlowCounts& flows = sample_.flows[entry.family];
    sample_.evictable += (entry.status & IPS_ASSURED) == 0 ? 1 : 0;
    switch (entry.protocol) {
      case IPPROTO_TCP:
        if (entry.tcp_state) {
          ++flows.tcp[static_cast<std::size_t>(*entry.tcp_state)];
          CountAge(entry);
          ListTranslated(entry);
        }
        break;
      case IPPROTO_UDP:
        ++flows.udp;
        break;
      case IPPROTO_ICMP:
      case IPPROTO_ICMPV6:
        ++flows.icmp;
        break;
      default:
        ++flows.other;
    }
  }

  void CountAge(const kernel::ConntrackEntry& entry) {
    if (!entry.remaining_seconds) {
      return;
    }
    for (std::size_t i = 0; i < std::size(kernel::kLiveConntrackStates); ++i) {
      if (kernel::kLiveConntrackStates[i] == *entry.tcp_state) {
        const double remaining = *entry.remaining_seconds;
        sample_.remaining[i].Add(remaining);
        if (sample_.idle[i]) {
          const double timeout = OwnTimeout(entry).value_or(static_cast<double>(*timeouts_[i]));
          sample_.idle[i]->Add(std::max(0.0, timeout - remaining));
        }
      }
    }
  }

  void ListTranslated(const kernel::ConntrackEntry& entry) {
    if (translated_ == TranslatedFlows::kSkip || (entry.status & IPS_NAT_MASK) == 0 ||
        entry.tcp_state != kernel::ConntrackTcpState::kEstablished ||
        sample_.translated.size() == ConntrackTableSample::kMostTranslated) {
      return;
    }
    const auto original = kernel::DecodeConntrackTuple(entry.original);
    const auto reply = kernel::DecodeConntrackTuple(entry.reply);
    if (original && reply) {
      sample_.translated.push_back({original->source, original->destination, reply->destination, reply->source});
    }
  }

  std::optional<double> OwnTimeout(const kernel::ConntrackEntry& entry) const {
    if (own_timeouts_.IsEmpty()) {
      return std::nullopt;
    }
    for (const kernel::netlink::Bytes direction : {entry.original, entry.reply}) {
      if (const auto tuple = kernel::DecodeConntrackTuple(direction)) {
        if (const auto seconds = own_timeouts_.Find(tuple->source, tuple->destination)) {
          return *seconds;
        }
      }
    }
    return std::nullopt;
  }

  ConntrackTableSample& sample_;
  const Timeouts& timeouts_;
  const OwnTimeouts& own_timeouts_;
  const TranslatedFlows translated_;
  kernel::ConntrackZones zones_;
};

}  // namespace

void AgeHistogram::Add(double seconds) {
  const auto bucket = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
  ++counts[static_cast<std::size_t>(bucket)];
  sum += seconds;
}

std::string_view Name(TableReader reader) { return reader == TableReader::kDump ? "dump" : "walk"; }

std::optional<finwait_table> ConntrackTableCollector::Walk(const witness::LiveTimeouts& timeouts, Deadline deadline,
                                                           std::vector<Error>& gaps, std::chrono::nanoseconds& cpu) {
  if (!walk_ || translated_ == TranslatedFlows::kList || !own_timeouts_->Get()->IsEmpty()) {
    return std::nullopt;
  }
  if (trust_.IsLost()) {
    gaps.push_back(
        Error{FailureReason::kError, 0,
              "the walk of the conntrack table did not agree with a dump of it, twice: it is dumped from now "
              "on; please report that"});
    return std::nullopt;
  }
  // A dump takes longer, so that what is left is enough for none of a table that takes the walk so long.
  const auto walked = walk_(timeouts, Deadline::After(deadline.Remaining() / 4 * 3));
  if (!walked) {
    Error why = walked.error();
    why.message += "; the conntrack table is dumped instead";
    gaps.push_back(std::move(why));
    return std::nullopt;
  }
  cpu = walked->cpu;
  if (walked->kind == witness::WalkResult::Kind::kFailed) {
    gaps.push_back(Error{FailureReason::kError, 0, walked->why + "; the conntrack table is dumped instead"});
  }
  const bool told = walked->kind == witness::WalkResult::Kind::kTold && walked->table.zone_count <= FINWAIT_TABLE_ZONES;
  return told ? std::optional(walked->table) : std::nullopt;
}

Result<std::shared_ptr<ConntrackTableSample>> ConntrackTableCollector::Dump(const Timeouts& timeouts,
                                                                            Deadline deadline) {
  const std::filesystem::path buckets = host_.procfs / "sys/net/netfilter/nf_conntrack_buckets";
  const auto buckets_before = kernel::ReadProcfsUnsigned(buckets);
  auto channel = OpenConntrack(host_);
  if (!channel) {
    return Failure(channel.error());
  }
  auto sample = std::make_shared<ConntrackTableSample>();
  const auto own_timeouts = own_timeouts_->Get();
  TableSink sink(*sample, timeouts, *own_timeouts, translated_);
  kernel::netlink::Request request(kernel::netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
  request.Header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0});
  const auto dumped = channel->Dump(std::move(request), "read the conntrack table", deadline, sink);
  if (!dumped) {
    return Failure(kernel::WithConntrackRemedy(dumped.error()));
  }
  zones_->Set(sink.Zones(), SteadyClock::now());
  // A resize moves entries between buckets under the dump's cursor and does not set NLM_F_DUMP_INTR.
  const auto buckets_after = kernel::ReadProcfsUnsigned(buckets);
  sample->torn = dumped->torn || (buckets_before && buckets_after && *buckets_before != *buckets_after);
  ++reads_[static_cast<std::size_t>(TableReader::kDump)];
  return sample;
}

Result<Collected> ConntrackTableCollector::Collect(Deadline deadline) {
  if (auto present = RequireConntrack(host_); !present) {
    return Failure(present.error());
  }
  std::vector<Error> gaps;
  std::chrono::nanoseconds cpu_of_walk{0};
  const Timeouts timeouts = ReadTimeouts(host_, gaps);
  const auto walked = Walk(SecondsOf(timeouts), deadline, gaps, cpu_of_walk);
  std::shared_ptr<ConntrackTableSample> sample;
  if (walked) {
    ++reads_[static_cast<std::size_t>(TableReader::kWalk)];
    sample = std::make_shared<ConntrackTableSample>(SampleOf(*walked, timeouts));
  }
  if (walked && !trust_.NeedsCheck()) {
    trust_.Believed();
    zones_->Set(ZonesOf(*walked), SteadyClock::now());
  } else if (auto dumped = Dump(timeouts, deadline); dumped) {
    if (walked && !(*dumped)->torn) {
      trust_.Checked(Agree(*sample, **dumped));
    }
    sample = std::move(*dumped);
  } else if (walked && dumped.error().reason == FailureReason::kTimeout) {
    trust_.NotChecked();
    zones_->Set(ZonesOf(*walked), SteadyClock::now());
    gaps.push_back(
        Error{FailureReason::kTimeout, 0,
              "the conntrack table was walked, and the dump that the walk is held against did not end in time"});
  } else {
    return Failure(dumped.error());
  }
  sample->reads = reads_;
  if (sample->torn) {
    gaps.push_back(
        Error{FailureReason::kError, 0,
              "the conntrack table was resized or changed while it was read: until the next collection, some "
              "entries may be missing or counted twice"});
  }
  return Collected{std::move(sample), std::move(gaps), {}, cpu_of_walk};
}

}  // namespace finwait::sources
