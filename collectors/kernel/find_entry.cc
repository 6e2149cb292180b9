#include "collectors/kernel/find_entry.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/netlink/channel.h"

namespace finwait::kernel {
namespace {

using netlink::AttributeReader;

// Where a zone is for one direction, it stands in that direction's tuple.
std::uint16_t ZoneOf(netlink::Bytes tuple, std::uint16_t otherwise) {
  AttributeReader reader(tuple);
  while (reader.Next()) {
    if (reader.Type() == CTA_TUPLE_ZONE) {
      return reader.BigEndian16();
    }
  }
  return otherwise;
}

}  // namespace

netlink::Request EntryRequest(const EntryQuery& query) {
  const bool ipv4 = query.source.address.Family() == IpFamily::kIpv4;
  const auto family = static_cast<std::uint8_t>(ipv4 ? AF_INET : AF_INET6);
  netlink::Request request(netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
  request.Header(nfgenmsg{family, NFNETLINK_V0, 0})
      .BeginNested(CTA_TUPLE_ORIG)
      .BeginNested(CTA_TUPLE_IP)
      .PutBytes(ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, query.source.address.Bytes())
      .PutBytes(ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, query.destination.address.Bytes())
      .EndNested()
      .BeginNested(CTA_TUPLE_PROTO)
      .PutU8(CTA_PROTO_NUM, IPPROTO_TCP)
      .PutBigEndian16(CTA_PROTO_SRC_PORT, query.source.port)
      .PutBigEndian16(CTA_PROTO_DST_PORT, query.destination.port)
      .EndNested()
      .EndNested();
  if (query.zone != 0) {
    request.PutBigEndian16(CTA_ZONE, query.zone);
  }
  return request;
}

Result<std::optional<WholeEntry>> DecodeWholeEntry(const netlink::Message& message) {
  const auto entry = DecodeConntrackEntry(message);
  if (!entry) {
    return Failure(entry.error());
  }
  const auto original = *entry ? DecodeConntrackTuple((*entry)->original) : std::nullopt;
  const auto reply = *entry ? DecodeConntrackTuple((*entry)->reply) : std::nullopt;
  if (!original || !reply) {
    return std::nullopt;
  }
  WholeEntry whole;
  whole.original = *original;
  whole.reply = *reply;
  whole.zone = (*entry)->zone;
  whole.status = (*entry)->status;
  whole.tcp_state = (*entry)->tcp_state;
  whole.remaining_seconds = (*entry)->remaining_seconds;
  std::uint16_t both = 0;
  AttributeReader reader(message.Attributes<nfgenmsg>());
  while (reader.Next()) {
    switch (reader.Type()) {
      case CTA_ZONE:
        both = reader.BigEndian16();
        break;
      case CTA_MARK:
        whole.mark = reader.BigEndian32();
        break;
      case CTA_LABELS: {
        whole.labels.emplace();
        const netlink::Bytes labels = reader.Payload();
        std::memcpy(whole.labels->data(), labels.data(), std::min(labels.size(), whole.labels->size()));
        break;
      }
      case CTA_TUPLE_MASTER:
        whole.has_master = true;
        break;
      default:
        break;
    }
  }
  whole.original_zone = ZoneOf((*entry)->original, both);
  whole.reply_zone = ZoneOf((*entry)->reply, both);
  return whole;
}

std::vector<Result<std::optional<WholeEntry>>> FindEntries(const Host& host, std::span<const EntryQuery> wanted,
                                                           Deadline deadline) {
  std::vector<Result<std::optional<WholeEntry>>> found(wanted.size(), std::optional<WholeEntry>());
  const auto fail_from = [&](std::size_t first, const Error& why) {
    for (std::size_t i = first; i < found.size(); ++i) {
      found[i] = Failure(WithConntrackRemedy(why));
    }
  };
  auto channel = OpenConntrack(host);
  if (!channel) {
    fail_from(0, channel.error());
    return found;
  }
  for (std::size_t start = 0; start < wanted.size(); start += netlink::Channel::kMostAtOnce) {
    const auto batch = wanted.subspan(start, std::min(netlink::Channel::kMostAtOnce, wanted.size() - start));
    std::vector<netlink::Request> requests;
    requests.reserve(batch.size());
    for (const EntryQuery& query : batch) {
      requests.push_back(EntryRequest(query));
    }
    auto asked = channel->GetEach(requests, "look up a conntrack entry", deadline,
                                  [&](std::size_t i, const Result<netlink::Message>& answer) {
                                    if (answer) {
                                      found[start + i] = DecodeWholeEntry(*answer);
                                    } else if (answer.error().errno_code != ENOENT) {  // which is "none"
                                      found[start + i] = Failure(WithConntrackRemedy(answer.error()));
                                    }
                                  });
    if (!asked) {
      fail_from(start, asked.error());
      return found;
    }
  }
  return found;
}

}  // namespace finwait::kernel
