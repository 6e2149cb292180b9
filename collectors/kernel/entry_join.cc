#include "collectors/kernel/entry_join.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <numeric>
#include <vector>

#include "collectors/base/pacer.h"
#include "collectors/kernel/conntrack_entry.h"
#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/find_entry.h"
#include "collectors/kernel/procfs.h"
#include "collectors/kernel/socket_index.h"

namespace finwait::kernel {
namespace {

// Below this, what does not depend on the number of entries outweighs what does: a dump of few walks the millions of
// other namespaces, too.
constexpr std::uint64_t kFewestEntries = 100;
constexpr std::uint64_t kFewestAsked = 100;  // the cost of fewer than this teaches nothing

// Each zone costs a request for every socket without an entry; with more of them streaming is cheaper.
constexpr std::size_t kMostZonesAsked = 8;

double Each(std::chrono::nanoseconds cpu, std::uint64_t count) {
  return std::chrono::duration<double>(cpu).count() / static_cast<double>(count);
}

// New measurements count by a quarter: costs drift, and one collection may be disturbed.
void Learn(double& average, double measured) { average += (measured - average) / 4; }

// A cost that was not measured again returns slowly to where it began: the million entries that made a stream
// expensive may be gone.
void Unlearn(double& average, double start) { average += (start - average) / 64; }

// The other side of the translation: of a connection that this end opened the reply tuple is what is on the wire, of
// one that it accepted the original tuple.
std::shared_ptr<const Translation> TranslationOf(const ConntrackEntry& entry, const TcpSocket& socket) {
  const auto original = DecodeConntrackTuple(entry.original);
  const auto reply = DecodeConntrackTuple(entry.reply);
  if (!original || !reply) {
    return nullptr;
  }
  const bool opened_here = original->source == socket.local && original->destination == socket.peer;
  return std::make_shared<const Translation>(opened_here ? Translation{reply->destination, reply->source}
                                                         : Translation{original->destination, original->source});
}

// tcp_conntracks: a FIN in SYN_SENT is INVALID, and so is all that the opener sends. Such an entry of a connection that
// is open has seen one direction alone: the other one is looked up in another zone.
bool TakesFins(const ConntrackEntry& found, const TcpSocket& socket) {
  return found.tcp_state != ConntrackTcpState::kSynSent || socket.state == TcpState::kSynSent ||
         socket.state == TcpState::kSynReceived;
}

void SetEntry(const ConntrackEntry& found, std::size_t position, SocketTable& sockets) {
  if (!TakesFins(found, sockets[position])) {
    return;
  }
  SocketEntry entry;
  entry.tracking = Tracking::kTracked;
  entry.state = found.tcp_state;
  entry.remaining_seconds = found.remaining_seconds.value_or(0);
  entry.source_nat = (found.status & IPS_SRC_NAT) != 0;
  entry.destination_nat = (found.status & IPS_DST_NAT) != 0;
  if (entry.source_nat || entry.destination_nat) {
    entry.translation = TranslationOf(found, sockets[position]);
  }
  // A SYN proxy's entry translates sequence numbers: the connection is lost with it, as one that NAT translates is.
  entry.destination_nat = entry.destination_nat || (found.status & IPS_SEQ_ADJUST) != 0;
  sockets.SetEntry(position, entry);
}

void SetUntracked(std::size_t position, SocketTable& sockets) {
  SocketEntry none;
  none.tracking = Tracking::kUntracked;
  sockets.SetEntry(position, none);
}

// Asks in one zone, and sets the entries that are there.
Result<void> AskInZone(netlink::Channel& channel, std::span<const std::size_t> positions, std::uint16_t zone,
                       Deadline deadline, SocketTable& sockets) {
  for (std::size_t start = 0; start < positions.size(); start += netlink::Channel::kMostAtOnce) {
    const auto batch = positions.subspan(start, std::min(netlink::Channel::kMostAtOnce, positions.size() - start));
    std::vector<netlink::Request> requests;
    requests.reserve(batch.size());
    for (const std::size_t position : batch) {
      // What this end sends is the original tuple of a connection that this end opened (before DNAT), and the reply
      // tuple of one that it accepted.
      const TcpSocket socket = sockets[position];
      requests.push_back(EntryRequest({socket.local, socket.peer, zone}));
    }
    std::optional<Error> failure;
    auto asked = channel.GetEach(requests, "look up conntrack entries", deadline,
                                 [&](std::size_t i, const Result<netlink::Message>& answer) {
                                   if (!answer) {
                                     // ENOENT is the answer "no entry"; anything else is none.
                                     if (answer.error().errno_code != ENOENT && !failure) {
                                       failure = answer.error();
                                     }
                                     return;
                                   }
                                   const auto entry = DecodeConntrackEntry(*answer);
                                   if (!entry) {
                                     failure = entry.error();
                                   } else if (*entry) {
                                     SetEntry(**entry, batch[i], sockets);
                                   }
                                 });
    if (!asked) {
      return Failure(WithConntrackRemedy(asked.error()));
    }
    if (failure) {
      return Failure(WithConntrackRemedy(*failure));
    }
  }
  return {};
}

class StreamSink : public netlink::MessageSink {
 public:
  explicit StreamSink(SocketTable& sockets) : sockets_(sockets), index_(sockets) {}

  // Zones and entries that were set stay: a torn stream shows them again.
  void Restart() override { streamed_.entries = 0; }

  Result<void> OnMessage(const netlink::Message& message) override {
    const auto entry = DecodeConntrackEntry(message);
    if (!entry) {
      return Failure(entry.error());
    }
    ++streamed_.entries;
    if (!*entry || (*entry)->protocol != IPPROTO_TCP) {
      return {};
    }
    if ((*entry)->zone != 0) {
      streamed_.zones.insert((*entry)->zone);
    }
    // Over loopback both ends are ours, one in each direction.
    for (const netlink::Bytes direction : {(*entry)->original, (*entry)->reply}) {
      if (const auto tuple = DecodeConntrackTuple(direction)) {
        if (const auto found = index_.Find(tuple->source, tuple->destination)) {
          SetEntry(**entry, *found, sockets_);
        }
      }
    }
    return {};
  }

  StreamedEntries Take() { return std::move(streamed_); }

 private:
  SocketTable& sockets_;
  SocketIndex index_;
  StreamedEntries streamed_;
};

std::vector<std::size_t> NotTracked(const SocketTable& sockets, std::span<const std::size_t> among) {
  std::vector<std::size_t> positions;
  std::ranges::copy_if(among, std::back_inserter(positions),
                       [&](std::size_t i) { return sockets.TrackingOf(i) != Tracking::kTracked; });
  return positions;
}

std::vector<std::size_t> AllPositions(const SocketTable& sockets) {
  std::vector<std::size_t> positions(sockets.Size());
  std::iota(positions.begin(), positions.end(), std::size_t{0});
  return positions;
}

}  // namespace

void KnownZones::Set(ConntrackZones zones, SteadyClock::time_point at) {
  const std::lock_guard lock(mutex_);
  zones_ = std::move(zones);
  seen_at_ = at;
}

ConntrackZones KnownZones::Get() const {
  const std::lock_guard lock(mutex_);
  return zones_;
}

bool KnownZones::IsValid(SteadyClock::time_point now) const {
  const std::lock_guard lock(mutex_);
  return seen_at_ && now < *seen_at_ + kValid;
}

Result<void> AskForEntries(const Host& host, std::span<const std::size_t> positions, const ConntrackZones& zones,
                           Deadline deadline, SocketTable& sockets) {
  auto channel = OpenConntrack(host);
  if (!channel) {
    return Failure(channel.error());
  }
  if (auto asked = AskInZone(*channel, positions, 0, deadline, sockets); !asked) {
    return asked;
  }
  std::vector<std::size_t> left = NotTracked(sockets, positions);
  for (const std::uint16_t zone : zones) {
    if (auto asked = AskInZone(*channel, left, zone, deadline, sockets); !asked) {
      return asked;
    }
    left = NotTracked(sockets, left);
  }
  for (const std::size_t position : left) {
    SetUntracked(position, sockets);
  }
  return {};
}

Result<StreamedEntries> StreamEntries(const Host& host, Deadline deadline, SocketTable& sockets) {
  auto channel = OpenConntrack(host);
  if (!channel) {
    return Failure(channel.error());
  }
  StreamSink sink(sockets);
  netlink::Request request(netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
  request.Header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0});
  const auto dumped = channel->Dump(std::move(request), "read the conntrack table", deadline, sink);
  if (!dumped) {
    return Failure(WithConntrackRemedy(dumped.error()));
  }
  return sink.Take();
}

Result<void> EntryJoin::Stream(const Host& host, std::uint64_t entries, Deadline deadline, SocketTable& sockets) {
  const CpuStopwatch stopwatch;
  auto streamed = StreamEntries(host, deadline, sockets);
  // Of a stream that failed, at its deadline say, the cost so far counts: the next collection may do better by asking.
  Learn(stream_cost_, Each(stopwatch.Elapsed(), std::max(streamed ? streamed->entries : entries, kFewestEntries)));
  if (!streamed) {
    return Failure(streamed.error());
  }
  zones_->Set(std::move(streamed->zones), SteadyClock::now());
  return {};
}

Result<void> EntryJoin::Ask(const Host& host, std::span<const std::size_t> positions, const ConntrackZones& zones,
                            Deadline deadline, SocketTable& sockets) {
  const CpuStopwatch stopwatch;
  if (auto asked = AskForEntries(host, positions, zones, deadline, sockets); !asked) {
    return asked;
  }
  if (positions.size() >= kFewestAsked) {
    Learn(ask_cost_, Each(stopwatch.Elapsed(), positions.size()));
  } else {
    Unlearn(ask_cost_, kAskCost);
  }
  return {};
}

Result<EntryJoin::Strategy> EntryJoin::Join(const Host& host, Deadline deadline, SocketTable& sockets) {
  // The count is of this namespace; a stream walks the entries of all namespaces, which the measured cost takes in.
  const auto entries = ReadProcfsUnsigned(host.procfs / "sys/net/netfilter/nf_conntrack_count");
  const double ask = ask_cost_ * static_cast<double>(sockets.Size());
  const double stream = entries ? stream_cost_ * static_cast<double>(std::max(*entries, kFewestEntries)) : 0;
  std::vector<std::size_t> left = AllPositions(sockets);
  ConntrackZones zones = zones_->Get();
  const bool too_many_zones = zones.size() > kMostZonesAsked;
  const bool stream_first = entries && (stream < ask || (too_many_zones && !left.empty()));
  if (stream_first) {
    if (auto streamed = Stream(host, *entries, deadline, sockets); !streamed) {
      return Failure(streamed.error());
    }
    left = NotTracked(sockets, left);
  } else {
    Unlearn(stream_cost_, kStreamCost);
  }
  // Of more zones than can be asked for the stream has shown the entries.
  zones = too_many_zones ? ConntrackZones() : zones_->Get();
  if (auto asked = Ask(host, left, zones, deadline, sockets); !asked) {
    return Failure(asked.error());
  }
  left = NotTracked(sockets, left);
  if (!left.empty() && !zones_->IsValid(SteadyClock::now())) {
    // Their entries may be in a zone that nobody has seen yet.
    if (auto streamed = Stream(host, entries.value_or(0), deadline, sockets); !streamed) {
      return Failure(streamed.error());
    }
  }
  return stream_first ? Strategy::kStream : Strategy::kAsk;
}

}  // namespace finwait::kernel
