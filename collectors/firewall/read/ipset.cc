#include "collectors/firewall/read/ipset.h"

#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "collectors/base/text.h"
#include "collectors/firewall/read/ipset_members.h"
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

// The answers of one set to all that was asked of it.
std::vector<Result<IpsetAnswer>> AnswersOf(Channel& channel, const std::vector<const facts::IpsetElementKey*>& asked,
                                           Deadline deadline) {
  const std::string operation = "list an ipset";
  std::optional<IpsetMembers> members(asked);
  kernel::netlink::FunctionSink sink(
      [&] { members.emplace(asked); },
      [&](const Message& message) { return members->Take(message.Attributes<nfgenmsg>()); });
  const auto report = channel.Dump(std::move(Ask(IPSET_CMD_LIST).PutText(IPSET_ATTR_SETNAME, asked.front()->set)),
                                   operation, deadline, sink);
  if (!report) {
    return std::vector<Result<IpsetAnswer>>(asked.size(), Failure(report.error()));
  }
  if (report->torn) {
    return std::vector<Result<IpsetAnswer>>(asked.size(),
                                            Fail(FailureReason::kError, operation + ": it changed meanwhile"));
  }
  return members->Answers();
}

std::vector<Result<IpsetAnswer>> AnswersOf(const kernel::Host& host, const std::vector<facts::IpsetElementKey>& keys,
                                           Deadline deadline) {
  std::map<std::string, std::vector<std::size_t>> by_set;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    by_set[keys[i].set].push_back(i);
  }
  std::vector<Result<IpsetAnswer>> found(keys.size(), IpsetAnswer());
  for (const auto& [set, positions] : by_set) {
    std::vector<const facts::IpsetElementKey*> asked;
    for (const std::size_t position : positions) {
      asked.push_back(&keys[position]);
    }
    // One each: after an exchange that did not end, a list that is too long say, a channel is of no more use.
    auto channel = host.open_channel(NETLINK_NETFILTER);
    auto answers = channel ? AnswersOf(*channel, asked, deadline)
                           : std::vector<Result<IpsetAnswer>>(asked.size(), Failure(channel.error()));
    for (std::size_t i = 0; i < positions.size(); ++i) {
      found[positions[i]] = std::move(answers[i]);
    }
  }
  return found;
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
  std::vector<Result<bool>> found;
  for (auto& answer : AnswersOf(host, keys, deadline)) {
    found.push_back(answer ? Result<bool>(answer->has) : Failure(std::move(answer.error())));
  }
  return found;
}

std::vector<Result<facts::IpsetExtensions>> ExtensionsInIpsets(const kernel::Host& host,
                                                               const std::vector<facts::IpsetElementKey>& keys,
                                                               Deadline deadline) {
  std::vector<Result<facts::IpsetExtensions>> found;
  for (auto& answer : AnswersOf(host, keys, deadline)) {
    if (answer && answer->ambiguous) {
      answer = Fail(FailureReason::kUnsupported, "list an ipset: several members hold an element, each with its own");
    }
    found.push_back(answer ? Result<facts::IpsetExtensions>(answer->extensions) : Failure(std::move(answer.error())));
  }
  return found;
}

Result<bool> HasIpsetRoom(const kernel::Host& host, const std::string& name, Deadline deadline) {
  constexpr std::uint32_t kMargin = 64;  // for what other packets put in until this one comes
  auto channel = host.open_channel(NETLINK_NETFILTER);
  if (!channel) {
    return Failure(channel.error());
  }
  std::optional<std::uint32_t> elements;
  std::optional<std::uint32_t> most;
  kernel::netlink::FunctionSink sink([] {},
                                     [&](const Message& message) -> Result<void> {
                                       ForEachAttribute(message.Attributes<nfgenmsg>(), [&](const Attribute& part) {
                                         if (part.Type() == IPSET_ATTR_DATA) {
                                           ForEachAttribute(part, [&](const Attribute& attribute) {
                                             if (attribute.Type() == IPSET_ATTR_ELEMENTS) {
                                               elements = attribute.BigEndian32();
                                             } else if (attribute.Type() == IPSET_ATTR_MAXELEM) {
                                               most = attribute.BigEndian32();
                                             }
                                           });
                                         }
                                       });
                                       return {};
                                     });
  const auto report = channel->Dump(std::move(Ask(IPSET_CMD_LIST)
                                                  .PutText(IPSET_ATTR_SETNAME, name)
                                                  .PutBigEndian32(IPSET_ATTR_FLAGS, IPSET_FLAG_LIST_HEADER)),
                                    "read an ipset's header", deadline, sink);
  if (!report) {
    return Failure(report.error());
  }
  return elements && most && *elements<*most&& * most - *elements> kMargin;
}

Result<facts::IpsetContents> ReadIpsetContents(const kernel::Host& host, const std::string& name, Deadline deadline) {
  auto channel = host.open_channel(NETLINK_NETFILTER);
  if (!channel) {
    return Failure(channel.error());
  }
  facts::IpsetContents contents;
  std::size_t listed_members = 0;
  IpsetForm form;
  const auto take_form = [&](const IpsetForm& of) -> Result<void> {
    form = of;
    contents.mark_mask = of.mark_mask;
    return {};
  };
  const auto take_member = [&](const ListedMember& listed) -> Result<void> {
    if (++listed_members > IpsetMembers::kMost) {
      return Fail(FailureReason::kError,
                  "list an ipset: it has more than " + Counted(IpsetMembers::kMost, "member", "members"));
    }
    if (form.masks_addresses && listed.member.second_address) {
      return UnknownIpsetForm();
    }
    if (listed.of_tcp) {
      contents.members.push_back(listed.member);
      contents.members.back().bits = std::min(listed.member.bits, form.address_mask);
    }
    return {};
  };
  kernel::netlink::FunctionSink sink(
      [&] {
        contents = {};
        listed_members = 0;
      },
      [&](const Message& message) { return ReadIpsetMessage(message.Attributes<nfgenmsg>(), take_form, take_member); });
  const auto report =
      channel->Dump(std::move(Ask(IPSET_CMD_LIST).PutText(IPSET_ATTR_SETNAME, name)), "list an ipset", deadline, sink);
  if (!report) {
    return Failure(report.error());
  }
  if (report->torn) {
    return Fail(FailureReason::kError, "list an ipset: it changed meanwhile");
  }
  std::sort(contents.members.begin(), contents.members.end());
  return contents;
}

}  // namespace finwait::firewall::read
