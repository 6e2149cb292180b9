#include "collectors/sources/tracking.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <numeric>

#include "collectors/base/pacer.h"
#include "collectors/kernel/conntrack_entry.h"
#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/live_socket_dump.h"
#include "collectors/kernel/live_socket_index.h"
#include "collectors/kernel/procfs.h"

namespace finwait::sources {
namespace tracking {
namespace {

// The other side of the translation: of a connection that this end opened the reply tuple is what is on the wire, of
// one that it accepted the original tuple.
std::shared_ptr<const kernel::Translation> TranslationOf(const kernel::ConntrackEntry& entry,
                                                         const kernel::LiveSocket& socket) {
  const auto original = kernel::DecodeConntrackTuple(entry.original);
  const auto reply = kernel::DecodeConntrackTuple(entry.reply);
  if (!original || !reply) {
    return nullptr;
  }
  const bool opened_here = original->source == socket.local && original->destination == socket.peer;
  return std::make_shared<const kernel::Translation>(
      opened_here ? kernel::Translation{reply->destination, reply->source}
                  : kernel::Translation{original->destination, original->source});
}

void Mark(const kernel::ConntrackEntry& entry, kernel::LiveSocketList& sockets, std::size_t position) {
  kernel::LiveSocket socket = sockets[position];
  socket.tracking = kernel::Tracking::kTracked;
  socket.source_nat = (entry.status & IPS_SRC_NAT) != 0;
  socket.destination_nat = (entry.status & IPS_DST_NAT) != 0;
  socket.translation = socket.source_nat || socket.destination_nat ? TranslationOf(entry, socket) : nullptr;
  socket.entry_state = entry.tcp_state;
  socket.remaining_seconds = entry.remaining_seconds.value_or(0);
  sockets.Replace(position, socket);
}

kernel::netlink::Request EntryRequest(const kernel::LiveSocket& socket) {
  const bool ipv4 = socket.local.address.Family() == IpFamily::kIpv4;
  const auto family = static_cast<std::uint8_t>(ipv4 ? AF_INET : AF_INET6);
  kernel::netlink::Request request(kernel::netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
  // The kernel finds an entry by either of its tuples: what this end sends is the original tuple of a connection that
  // this end opened (before DNAT), and the reply tuple of one that it accepted.
  request.Header(nfgenmsg{family, NFNETLINK_V0, 0})
      .BeginNested(CTA_TUPLE_ORIG)
      .BeginNested(CTA_TUPLE_IP)
      .PutBytes(ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, socket.local.address.Bytes())
      .PutBytes(ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, socket.peer.address.Bytes())
      .EndNested()
      .BeginNested(CTA_TUPLE_PROTO)
      .PutU8(CTA_PROTO_NUM, IPPROTO_TCP)
      .PutBigEndian16(CTA_PROTO_SRC_PORT, socket.local.port)
      .PutBigEndian16(CTA_PROTO_DST_PORT, socket.peer.port)
      .EndNested()
      .EndNested();
  return request;
}

class JoinSink : public kernel::netlink::MessageSink {
 public:
  explicit JoinSink(kernel::LiveSocketList& sockets) : sockets_(sockets), index_(sockets) {}

  void Restart() override { entries_ = 0; }  // an entry seen twice marks twice, and no harm done

  Result<void> OnMessage(const kernel::netlink::Message& message) override {
    const auto entry = kernel::DecodeConntrackEntry(message);
    if (!entry) {
      return Failure(entry.error());
    }
    ++entries_;
    if (!*entry || (*entry)->protocol != IPPROTO_TCP) {
      return {};
    }
    // Over loopback both ends are ours, one in each direction.
    for (const kernel::netlink::Bytes direction : {(*entry)->original, (*entry)->reply}) {
      if (const auto tuple = kernel::DecodeConntrackTuple(direction)) {
        if (const auto found = index_.Find(tuple->source, tuple->destination)) {
          Mark(**entry, sockets_, *found);
        }
      }
    }
    return {};
  }

  std::uint64_t Entries() const { return entries_; }

 private:
  kernel::LiveSocketList& sockets_;
  kernel::LiveSocketIndex index_;
  std::uint64_t entries_ = 0;
};

}  // namespace

Result<void> AskForEntries(const kernel::Host& host, const std::vector<std::size_t>& positions, Deadline deadline,
                           kernel::LiveSocketList& sockets) {
  auto channel = OpenConntrack(host);
  if (!channel) {
    return Failure(channel.error());
  }
  for (std::size_t start = 0; start < positions.size(); start += kernel::netlink::Channel::kMostAtOnce) {
    const std::size_t count = std::min(kernel::netlink::Channel::kMostAtOnce, positions.size() - start);
    std::vector<kernel::netlink::Request> requests;
    requests.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      requests.push_back(EntryRequest(sockets[positions[start + i]]));
    }
    std::optional<Error> failure;
    auto asked = channel->GetEach(requests, "look up conntrack entries", deadline,
                                  [&](std::size_t i, const Result<kernel::netlink::Message>& answer) {
                                    if (!answer) {
                                      // ENOENT is the answer "no entry"; anything else is none.
                                      if (answer.error().errno_code != ENOENT && !failure) {
                                        failure = answer.error();
                                      }
                                      return;
                                    }
                                    const auto entry = kernel::DecodeConntrackEntry(*answer);
                                    if (!entry) {
                                      failure = entry.error();
                                    } else if (*entry) {
                                      Mark(**entry, sockets, positions[start + i]);
                                    }
                                  });
    if (!asked) {
      return Failure(kernel::WithConntrackRemedy(asked.error()));
    }
    if (failure) {
      return Failure(kernel::WithConntrackRemedy(*failure));
    }
  }
  return {};
}

Result<std::uint64_t> StreamTable(const kernel::Host& host, Deadline deadline, kernel::LiveSocketList& sockets) {
  auto channel = OpenConntrack(host);
  if (!channel) {
    return Failure(channel.error());
  }
  JoinSink sink(sockets);
  kernel::netlink::Request request(kernel::netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
  request.Header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0});
  const auto dumped = channel->Dump(std::move(request), "read the conntrack table", deadline, sink);
  if (!dumped) {
    return Failure(kernel::WithConntrackRemedy(dumped.error()));
  }
  return sink.Entries();
}

}  // namespace tracking

namespace {

// Below this, what does not depend on the number of entries outweighs what does: a dump of few walks the millions of
// other namespaces, too.
constexpr std::uint64_t kFewestEntries = 100;
constexpr std::uint64_t kFewestQuestions = 100;  // and of fewer than this nothing is learnt

double Each(std::chrono::nanoseconds cpu, std::uint64_t count) {
  return std::chrono::duration<double>(cpu).count() / static_cast<double>(count);
}

// New measurements count by a quarter: costs drift, and one look may be disturbed.
void Learn(double& average, double measured) { average += (measured - average) / 4; }

// What has not been measured again is forgotten slowly: the million entries that made it dear may be gone.
void Forget(double& average, double start) { average += (start - average) / 64; }

}  // namespace

Result<Collected> TrackingCollector::Collect(Deadline deadline) {
  if (auto present = RequireConntrack(host_); !present) {
    return Failure(present.error());
  }
  auto sockets = ReadLiveSockets(host_, deadline);
  if (!sockets) {
    return Failure(sockets.error());
  }
  auto sample = std::make_shared<TrackingSample>();
  sample->sockets = std::move(*sockets);

  // The count is of this namespace; a dump walks everybody's entries, which the measured cost takes in.
  const auto entries = kernel::ReadProcfsUnsigned(host_.procfs / "sys/net/netfilter/nf_conntrack_count");
  const double ask = ask_cost_ * static_cast<double>(sample->sockets.Size());
  const double stream = entries ? stream_cost_ * static_cast<double>(std::max(*entries, kFewestEntries)) : 0;
  std::vector<std::size_t> unmarked;
  if (entries && stream < ask) {
    sample->strategy = TrackingSample::Strategy::kStream;
    const CpuStopwatch stopwatch;
    const auto streamed = tracking::StreamTable(host_, deadline, sample->sockets);
    // Of a dump that failed, at its deadline say, what it has cost so far: the next look may do better by asking.
    Learn(stream_cost_, Each(stopwatch.Elapsed(), std::max(streamed ? *streamed : *entries, kFewestEntries)));
    if (!streamed) {
      return Failure(streamed.error());
    }
    for (std::size_t i = 0; i < sample->sockets.Size(); ++i) {
      if (sample->sockets.TrackingOf(i) == kernel::Tracking::kUntracked) {
        unmarked.push_back(i);
      }
    }
  } else {
    Forget(stream_cost_, kStreamCost);
    unmarked.resize(sample->sockets.Size());
    std::iota(unmarked.begin(), unmarked.end(), std::size_t{0});
  }
  const CpuStopwatch stopwatch;
  if (auto asked = tracking::AskForEntries(host_, unmarked, deadline, sample->sockets); !asked) {
    return Failure(asked.error());
  }
  if (unmarked.size() >= kFewestQuestions) {
    Learn(ask_cost_, Each(stopwatch.Elapsed(), unmarked.size()));
  } else {
    Forget(ask_cost_, kAskCost);
  }
  return Collected{std::move(sample), {}};
}

}  // namespace finwait::sources
