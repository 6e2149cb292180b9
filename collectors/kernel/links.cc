#include "collectors/kernel/links.h"

#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>

namespace finwait::kernel {
namespace {

void DecodeXdp(const netlink::Attribute& xdp, Link& link) {
  netlink::ForEachAttribute(xdp.Payload(), [&](const netlink::Attribute& attribute) {
    // With several modes at once there is one number for each; else one for all.
    if (attribute.Type() == IFLA_XDP_PROG_ID || attribute.Type() == IFLA_XDP_DRV_PROG_ID ||
        attribute.Type() == IFLA_XDP_SKB_PROG_ID || attribute.Type() == IFLA_XDP_HW_PROG_ID) {
      const std::uint32_t program = attribute.U32().value_or(0);
      auto& known = link.xdp_programs;
      if (program != 0 && std::find(known.begin(), known.end(), program) == known.end()) {
        known.push_back(program);
      }
    }
  });
}

// Of a veth, IFLA_LINK is its other end.
bool SendsByAnother(const std::string& kind) { return kind == "vlan" || kind == "macvlan" || kind == "ipvlan"; }

Link Decode(const netlink::Message& message, const ifinfomsg& header) {
  Link link;
  link.index = static_cast<std::uint32_t>(header.ifi_index);
  link.type = header.ifi_type;
  netlink::ForEachAttribute(message.Attributes<ifinfomsg>(), [&](const netlink::Attribute& attribute) {
    switch (attribute.Type()) {
      case IFLA_IFNAME:
        link.name = attribute.Text();
        break;
      case IFLA_GROUP:
        link.group = attribute.U32().value_or(0);
        break;
      case IFLA_MASTER:
        link.master = attribute.U32().value_or(0);
        break;
      case IFLA_QDISC:
        link.qdisc = attribute.Text();
        break;
      case IFLA_XDP:
        DecodeXdp(attribute, link);
        break;
      case IFLA_LINK:
        link.lower = attribute.U32().value_or(0);
        break;
      case IFLA_LINK_NETNSID:
        link.peer_namespace = attribute.Read<std::int32_t>();
        break;
      case IFLA_LINKINFO:
        netlink::ForEachAttribute(attribute.Payload(), [&](const netlink::Attribute& info) {
          if (info.Type() == IFLA_INFO_KIND) {
            link.kind = info.Text();
          }
        });
        break;
      default:
        break;
    }
  });
  if (link.peer_namespace || !SendsByAnother(link.kind)) {
    link.lower = 0;
  }
  return link;
}

}  // namespace

Result<Links> Links::Read(const Host& host, Deadline deadline) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  Links links;
  ifinfomsg header = {};
  header.ifi_family = AF_UNSPEC;
  netlink::Request request(RTM_GETLINK);
  // Addresses of virtual functions and statistics are most of the answer, and nobody asks for them here.
  constexpr std::uint32_t kNoStatistics = RTEXT_FILTER_SKIP_STATS;
  request.Header(header).PutU32(IFLA_EXT_MASK, kNoStatistics);
  netlink::FunctionSink sink([&] { links.links_.clear(); },
                             [&](const netlink::Message& message) -> Result<void> {
                               if (const auto link = message.Header<ifinfomsg>(); link && link->ifi_index > 0) {
                                 links.links_.push_back(Decode(message, *link));
                               }
                               return {};
                             });
  if (auto dumped = channel->Dump(std::move(request), "list network devices", deadline, sink); !dumped) {
    return Failure(dumped.error());
  }
  std::sort(links.links_.begin(), links.links_.end(), [](const Link& a, const Link& b) { return a.index < b.index; });
  return links;
}

const Link* Links::Find(std::uint32_t index) const {
  const auto found = std::lower_bound(links_.begin(), links_.end(), index,
                                      [](const Link& link, std::uint32_t wanted) { return link.index < wanted; });
  return found != links_.end() && found->index == index ? &*found : nullptr;
}

std::optional<NamespaceLink> Links::LinkTo(std::optional<std::int32_t> namespace_number) const {
  NamespaceLink joined;
  for (const Link& link : links_) {
    if (namespace_number && link.peer_namespace == namespace_number) {
      if (joined.device) {
        return std::nullopt;
      }
      joined.device = link;
    }
  }
  if (joined.device && joined.device->master != 0) {
    const Link* const master = Find(joined.device->master);
    if (master == nullptr) {
      return std::nullopt;
    }
    joined.master = *master;
  }
  return joined;
}

namespace {

// `attribute`: by what the namespace is told, NETNSA_PID or NETNSA_FD.
Result<std::optional<std::int32_t>> AskNumber(netlink::Channel& channel, std::uint16_t attribute, int value,
                                              Deadline deadline) {
  rtgenmsg header = {};
  header.rtgen_family = AF_UNSPEC;
  std::optional<std::int32_t> number;
  auto asked = channel.Get(
      netlink::Request(RTM_GETNSID).Header(header).PutU32(attribute, static_cast<unsigned>(value)),
      "look up a network namespace's number", deadline, [&](const netlink::Message& message) -> Result<void> {
        netlink::ForEachAttribute(message.Attributes<rtgenmsg>(), [&](const netlink::Attribute& answered) {
          if (answered.Type() == NETNSA_NSID) {
            number = answered.Read<std::int32_t>();
          }
        });
        return {};
      });
  if (!asked) {
    return Failure(asked.error());
  }
  if (number && *number == NETNSA_NSID_NOT_ASSIGNED) {
    number.reset();
  }
  return number;
}

}  // namespace

Result<std::optional<std::int32_t>> NamespaceNumber(netlink::Channel& channel, pid_t pid, Deadline deadline) {
  return AskNumber(channel, NETNSA_PID, pid, deadline);
}

Result<std::optional<std::int32_t>> NumberOfOpenNamespace(netlink::Channel& channel, int file, Deadline deadline) {
  return AskNumber(channel, NETNSA_FD, file, deadline);
}

}  // namespace finwait::kernel
