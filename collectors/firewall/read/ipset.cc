#include "collectors/firewall/read/ipset.h"

#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "collectors/kernel/netlink/channel.h"

namespace finwait::firewall::read {
namespace {

using kernel::netlink::Attribute;
using kernel::netlink::Channel;
using kernel::netlink::ForEachAttribute;
using kernel::netlink::Message;
using kernel::netlink::NetfilterType;
using kernel::netlink::Request;

// IPSET_CMD_GET_BYINDEX came with this version (4.20).
constexpr std::uint8_t kProtocol = 7;
// What an element lacks is asked for in the kernel's own way: as an errno of ipset's.
constexpr int kNotInSet = IPSET_ERR_EXIST;
// A list:set has 8 members where nobody asked for more.
constexpr std::size_t kMostMembers = 256;

Request Ask(std::uint8_t command) {
  Request request(NetfilterType(NFNL_SUBSYS_IPSET, command));
  request.Header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0}).PutU8(IPSET_ATTR_PROTOCOL, kProtocol);
  return request;
}

Result<std::string> NameOf(Channel& channel, std::uint16_t index, Deadline deadline) {
  std::string name;
  auto asked = channel.Get(std::move(Ask(IPSET_CMD_GET_BYINDEX).PutBigEndian16(IPSET_ATTR_INDEX, index)),
                           "look up an ipset", deadline, [&](const Message& message) -> Result<void> {
                             ForEachAttribute(message.Attributes<nfgenmsg>(), [&](const Attribute& attribute) {
                               if (attribute.Type() == IPSET_ATTR_SETNAME) {
                                 name = attribute.Text();
                               }
                             });
                             return {};
                           });
  if (!asked) {
    return Failure(asked.error());
  }
  if (name.empty()) {
    return Fail(FailureReason::kError, "look up an ipset: no name in the answer");
  }
  return name;
}

Result<facts::Ipset> HeaderOf(Channel& channel, const std::string& name, Deadline deadline) {
  facts::Ipset set;
  set.name = name;
  auto asked = channel.Get(std::move(Ask(IPSET_CMD_HEADER).PutText(IPSET_ATTR_SETNAME, name)), "read an ipset's header",
                           deadline, [&](const Message& message) -> Result<void> {
                             ForEachAttribute(message.Attributes<nfgenmsg>(), [&](const Attribute& attribute) {
                               if (attribute.Type() == IPSET_ATTR_TYPENAME) {
                                 set.type = attribute.Text();
                               } else if (attribute.Type() == IPSET_ATTR_FAMILY && attribute.U8() == AF_INET) {
                                 set.family = IpFamily::kIpv4;
                               } else if (attribute.Type() == IPSET_ATTR_FAMILY && attribute.U8() == AF_INET6) {
                                 set.family = IpFamily::kIpv6;
                               }
                             });
                             return {};
                           });
  if (!asked) {
    return Failure(asked.error());
  }
  if (set.type.empty()) {
    return Fail(FailureReason::kError, "read an ipset's header: no type in the answer");
  }
  return set;
}

Result<std::vector<std::string>> MembersOf(Channel& channel, const std::string& name, Deadline deadline) {
  std::vector<std::string> members;
  const auto of_element = [&](const Attribute& attribute) {
    if (attribute.Type() == IPSET_ATTR_NAME) {
      members.emplace_back(attribute.Text());
    }
  };
  const auto of_list = [&](const Attribute& attribute) {
    if (attribute.Type() == IPSET_ATTR_DATA) {
      ForEachAttribute(attribute.Payload(), of_element);
    }
  };
  kernel::netlink::FunctionSink sink([&] { members.clear(); },
                                     [&](const Message& message) -> Result<void> {
                                       ForEachAttribute(message.Attributes<nfgenmsg>(), [&](const Attribute& part) {
                                         if (part.Type() == IPSET_ATTR_ADT) {
                                           ForEachAttribute(part.Payload(), of_list);
                                         }
                                       });
                                       return {};
                                     });
  auto report =
      channel.Dump(std::move(Ask(IPSET_CMD_LIST).PutText(IPSET_ATTR_SETNAME, name)), "list an ipset", deadline, sink);
  if (!report) {
    return Failure(report.error());
  }
  if (report->torn || members.size() > kMostMembers) {
    return Fail(FailureReason::kError, "list an ipset: it changed meanwhile, or has too many members");
  }
  return members;
}

void PutAddress(Request& request, std::uint16_t type, const IpAddress& address) {
  const bool ipv4 = address.Family() == IpFamily::kIpv4;
  request.BeginNested(type)
      .PutBytes(
          static_cast<std::uint16_t>(NLA_F_NET_BYTEORDER | (ipv4 ? IPSET_ATTR_IPADDR_IPV4 : IPSET_ATTR_IPADDR_IPV6)),
          address.Bytes())
      .EndNested();
}

// Without a prefix's length the kernel takes an address for one that any network may hold (mtype_test_cidrs()).
Request TestOf(const facts::IpsetElementKey& key) {
  Request request = Ask(IPSET_CMD_TEST);
  request.PutText(IPSET_ATTR_SETNAME, key.set).BeginNested(IPSET_ATTR_DATA);
  if (key.address) {
    PutAddress(request, IPSET_ATTR_IP, *key.address);
  }
  if (key.port) {
    request.PutBigEndian16(NLA_F_NET_BYTEORDER | IPSET_ATTR_PORT, *key.port);
    if (key.address) {  // bitmap:port holds ports of any protocol, and takes none
      request.PutU8(IPSET_ATTR_PROTO, IPPROTO_TCP);
    }
  }
  if (key.second_address) {
    PutAddress(request, IPSET_ATTR_IP2, *key.second_address);
  }
  if (key.mark) {
    request.PutBigEndian32(NLA_F_NET_BYTEORDER | IPSET_ATTR_MARK, *key.mark);
  }
  if (!key.device.empty()) {
    request.PutText(IPSET_ATTR_IFACE, key.device);
  }
  if (key.excluded) {
    request.PutBigEndian32(NLA_F_NET_BYTEORDER | IPSET_ATTR_CADT_FLAGS, IPSET_FLAG_NOMATCH);
  }
  request.EndNested();
  return request;
}

}  // namespace

Result<facts::Ipset> ReadIpset(const kernel::Host& host, std::uint16_t index, Deadline deadline) {
  auto channel = host.open_channel(NETLINK_NETFILTER);
  if (!channel) {
    return Failure(channel.error());
  }
  auto name = NameOf(*channel, index, deadline);
  if (!name) {
    return Failure(name.error());
  }
  auto set = HeaderOf(*channel, *name, deadline);
  if (!set || set->type != "list:set") {
    return set;
  }
  auto members = MembersOf(*channel, *name, deadline);
  if (!members) {
    return Failure(members.error());
  }
  for (const std::string& member : *members) {
    auto header = HeaderOf(*channel, member, deadline);
    if (!header) {
      return header;
    }
    set->members.push_back(std::move(*header));
  }
  return set;
}

std::vector<Result<bool>> AreInIpsets(const kernel::Host& host, const std::vector<facts::IpsetElementKey>& keys,
                                      Deadline deadline) {
  const std::string operation = "test an ipset";
  std::vector<Result<bool>> found(keys.size(),
                                  true);  // of what is in the set the kernel only acknowledges the question
  auto channel = host.open_channel(NETLINK_NETFILTER);
  for (std::size_t first = 0; first < keys.size(); first += Channel::kMostAtOnce) {
    std::vector<Request> requests;
    const std::size_t end = std::min(keys.size(), first + Channel::kMostAtOnce);
    for (std::size_t i = first; i < end; ++i) {
      requests.push_back(TestOf(keys[i]));
    }
    Result<void> asked;
    if (!channel) {
      asked = Failure(channel.error());
    } else {
      asked = channel->GetEach(requests, operation, deadline, [&](std::size_t position, const Result<Message>& answer) {
        if (!answer && answer.error().errno_code == kNotInSet) {
          found[first + position] = false;
        } else if (!answer) {
          found[first + position] = Failure(answer.error());
        }
      });
    }
    if (!asked) {
      std::fill(found.begin() + static_cast<std::ptrdiff_t>(first), found.end(), Failure(asked.error()));
      break;  // after an exchange that did not end the channel is of no more use
    }
  }
  return found;
}

}  // namespace finwait::firewall::read
