#include "collectors/firewall/read/set_room.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "collectors/firewall/read/nft_attributes.h"
#include "collectors/firewall/read/nft_tables.h"

namespace finwait::firewall::read {
namespace {

using kernel::netlink::Message;
using kernel::netlink::Request;

Request RequestFor(std::uint8_t type, const facts::SetKey& set) {
  Request request(kernel::netlink::NetfilterType(NFNL_SUBSYS_NFTABLES, type));
  request.Header(nfgenmsg{EncodeFamily(set.family), NFNETLINK_V0, 0});
  return request;
}

Result<std::uint64_t> CountElements(kernel::netlink::Channel& channel, const facts::SetKey& set, Deadline deadline) {
  Request request = RequestFor(NFT_MSG_GETSETELEM, set);
  request.PutText(NFTA_SET_ELEM_LIST_TABLE, set.table).PutText(NFTA_SET_ELEM_LIST_SET, set.set);
  std::uint64_t count = 0;
  kernel::netlink::FunctionSink sink([&] { count = 0; },
                                     [&](const Message& message) -> Result<void> {
                                       const AttributeMap attributes(message.Attributes<nfgenmsg>());
                                       kernel::netlink::ForEachAttribute(
                                           attributes.Nested(NFTA_SET_ELEM_LIST_ELEMENTS),
                                           [&](const kernel::netlink::Attribute&) { ++count; });
                                       return {};
                                     });
  if (auto dumped = channel.Dump(std::move(request), "count a set's elements", deadline, sink); !dumped) {
    return Failure(dumped.error());
  }
  return count;
}

}  // namespace

Result<bool> HasRoom(const kernel::Host& host, const facts::SetKey& set, Deadline deadline) {
  auto channel = host.open_channel(NETLINK_NETFILTER);
  if (!channel) {
    return Failure(channel.error());
  }
  Request request = RequestFor(NFT_MSG_GETSET, set);
  request.PutText(NFTA_SET_TABLE, set.table).PutText(NFTA_SET_NAME, set.set);
  std::optional<std::uint32_t> size;
  const auto got =
      channel->Get(std::move(request), "look up a set's size", deadline, [&](const Message& message) -> Result<void> {
        const AttributeMap attributes(message.Attributes<nfgenmsg>());
        size = AttributeMap(attributes.Nested(NFTA_SET_DESC)).Number(NFTA_SET_DESC_SIZE);
        return {};
      });
  if (!got) {
    return Failure(got.error());
  }
  if (!size || *size == 0) {
    return true;
  }
  const auto count = CountElements(*channel, set, deadline);
  if (!count) {
    return Failure(count.error());
  }
  return *count < *size;
}

}  // namespace finwait::firewall::read
