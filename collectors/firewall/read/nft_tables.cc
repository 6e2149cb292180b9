#include "collectors/firewall/read/nft_tables.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "collectors/firewall/read/nft_attributes.h"
#include "collectors/firewall/read/nft_expressions.h"

namespace finwait::firewall::read {
namespace {

constexpr std::size_t kMaxDevices = 256;  // NFT_NETDEVICE_MAX

// libnftnl's layout of user data: one byte of type, one of length, then the value. Type 0 of a rule is its comment.
std::string DecodeComment(kernel::netlink::Bytes user_data) {
  constexpr auto kComment = std::byte{0};
  while (user_data.size() >= 2) {
    const auto length = std::to_integer<std::size_t>(user_data[1]);
    if (length > user_data.size() - 2) {
      break;
    }
    if (user_data[0] == kComment) {
      return std::string(kernel::netlink::Attribute(0, user_data.subspan(2, length)).Text());
    }
    user_data = user_data.subspan(2 + length);
  }
  return {};
}

std::vector<Device> DecodeDeviceList(kernel::netlink::Bytes list) {
  std::vector<Device> devices;
  kernel::netlink::ForEachAttribute(list, [&](const kernel::netlink::Attribute& device) {
    const bool prefix = device.Type() == kDevicePrefix;
    if ((device.Type() == NFTA_DEVICE_NAME || prefix) && devices.size() < kMaxDevices) {
      devices.push_back(Device{std::string(device.Text()), prefix});
    }
  });
  return devices;
}

std::vector<Device> DecodeDevices(const AttributeMap& hook) {
  return hook.Find(NFTA_HOOK_DEV) != nullptr ? std::vector<Device>{{hook.Text(NFTA_HOOK_DEV), false}}
                                             : DecodeDeviceList(hook.Nested(NFTA_HOOK_DEVS));
}

std::optional<ChainType> DecodeChainType(std::string_view type) {
  if (type == "filter") {
    return ChainType::kFilter;
  }
  if (type == "route") {
    return ChainType::kRoute;
  }
  if (type == "nat") {
    return ChainType::kNat;
  }
  return std::nullopt;
}

std::optional<BaseChain> DecodeBaseChain(TableFamily family, const AttributeMap& attributes) {
  const AttributeMap hook_attributes(attributes.Nested(NFTA_CHAIN_HOOK));
  const auto number = hook_attributes.Number(NFTA_HOOK_HOOKNUM);
  const auto priority = hook_attributes.Number(NFTA_HOOK_PRIORITY);
  const auto hook = number ? DecodeHook(family, *number) : std::nullopt;
  const auto type = DecodeChainType(attributes.Text(NFTA_CHAIN_TYPE));
  if (!hook || !priority || !type) {
    return std::nullopt;
  }
  BaseChain base;
  base.hook = *hook;
  base.priority = static_cast<std::int32_t>(*priority);
  base.type = *type;
  base.policy_drop = attributes.Number(NFTA_CHAIN_POLICY).value_or(NF_ACCEPT) == NF_DROP;
  base.policy_counter = DecodeCounter(AttributeMap(attributes.Nested(NFTA_CHAIN_COUNTERS)));
  base.devices = DecodeDevices(hook_attributes);
  return base;
}

std::string_view IptablesName(Hook hook) {
  switch (hook) {
    case Hook::kPrerouting:
      return "PREROUTING";
    case Hook::kInput:
      return "INPUT";
    case Hook::kForward:
      return "FORWARD";
    case Hook::kOutput:
      return "OUTPUT";
    case Hook::kPostrouting:
      return "POSTROUTING";
    default:
      return "";
  }
}

}  // namespace

std::optional<TableFamily> DecodeFamily(std::uint8_t family) {
  switch (family) {
    case NFPROTO_IPV4:
      return TableFamily::kIpv4;
    case NFPROTO_IPV6:
      return TableFamily::kIpv6;
    case NFPROTO_INET:
      return TableFamily::kInet;
    case NFPROTO_NETDEV:
      return TableFamily::kNetdev;
    case NFPROTO_BRIDGE:
      return TableFamily::kBridge;
    default:
      return std::nullopt;
  }
}

std::uint8_t EncodeFamily(TableFamily family) {
  switch (family) {
    case TableFamily::kIpv4:
      return NFPROTO_IPV4;
    case TableFamily::kIpv6:
      return NFPROTO_IPV6;
    case TableFamily::kInet:
      return NFPROTO_INET;
    case TableFamily::kNetdev:
      return NFPROTO_NETDEV;
    case TableFamily::kBridge:
      return NFPROTO_BRIDGE;
  }
  return NFPROTO_UNSPEC;
}

std::optional<TableFamily> MessageFamily(const kernel::netlink::Message& message) {
  const auto header = message.Header<nfgenmsg>();
  return header ? DecodeFamily(header->nfgen_family) : std::nullopt;
}

std::optional<Hook> DecodeHook(TableFamily family, std::uint32_t number) {
  if (family == TableFamily::kNetdev) {
    switch (number) {
      case NF_NETDEV_INGRESS:
        return Hook::kIngress;
      case NF_NETDEV_EGRESS:
        return Hook::kEgress;
      default:
        return std::nullopt;
    }
  }
  switch (number) {  // NF_BR_PRE_ROUTING and the others of a bridge have the same numbers
    case NF_INET_PRE_ROUTING:
      return Hook::kPrerouting;
    case NF_INET_LOCAL_IN:
      return Hook::kInput;
    case NF_INET_FORWARD:
      return Hook::kForward;
    case NF_INET_LOCAL_OUT:
      return Hook::kOutput;
    case NF_INET_POST_ROUTING:
      return Hook::kPostrouting;
    case NF_INET_INGRESS:  // inet only, bound to one device
      return family == TableFamily::kInet ? std::optional(Hook::kIngress) : std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<std::uint32_t> DecodeGeneration(const kernel::netlink::Message& message) {
  return AttributeMap(message.Attributes<nfgenmsg>()).Number(NFTA_GEN_ID);
}

std::optional<Table> DecodeTable(const kernel::netlink::Message& message) {
  const auto family = MessageFamily(message);
  const AttributeMap attributes(message.Attributes<nfgenmsg>());
  Table table;
  table.name = attributes.Text(NFTA_TABLE_NAME);
  if (!family || table.name.empty()) {
    return std::nullopt;
  }
  table.backend = Backend::kNft;
  table.family = *family;
  table.dormant = (attributes.Number(NFTA_TABLE_FLAGS).value_or(0) & NFT_TABLE_F_DORMANT) != 0;
  return table;
}

Dialect DialectOf(const Table& table) {
  static constexpr std::string_view kNames[] = {"raw", "mangle", "nat", "filter", "security"};
  const bool iptables = (table.family == TableFamily::kIpv4 || table.family == TableFamily::kIpv6) &&
                        std::find(std::begin(kNames), std::end(kNames), table.name) != std::end(kNames) &&
                        std::all_of(table.chains.begin(), table.chains.end(), [](const auto& entry) {
                          return !entry.second->base || entry.first == IptablesName(entry.second->base->hook);
                        });
  return iptables ? Dialect::kIptables : Dialect::kNft;
}

std::optional<ChainInTable> DecodeChain(const kernel::netlink::Message& message) {
  const auto family = MessageFamily(message);
  const AttributeMap attributes(message.Attributes<nfgenmsg>());
  ChainInTable found;
  found.table = attributes.Text(NFTA_CHAIN_TABLE);
  found.chain.name = attributes.Text(NFTA_CHAIN_NAME);
  if (!family || found.table.empty() || found.chain.name.empty()) {
    return std::nullopt;
  }
  found.family = *family;
  found.chain.handle = attributes.Number64(NFTA_CHAIN_HANDLE);
  found.chain.contents = Contents::kNotRead;
  if (attributes.Find(NFTA_CHAIN_HOOK) != nullptr) {
    found.chain.base = DecodeBaseChain(*family, attributes);
    if (!found.chain.base) {
      return std::nullopt;
    }
  }
  return found;
}

std::optional<RuleInChain> DecodeRule(const kernel::netlink::Message& message) {
  const AttributeMap attributes(message.Attributes<nfgenmsg>());
  RuleInChain found;
  found.chain = attributes.Text(NFTA_RULE_CHAIN);
  found.rule.handle = attributes.Number64(NFTA_RULE_HANDLE);
  if (found.chain.empty() || !found.rule.handle || !attributes.WellFormed()) {
    return std::nullopt;
  }
  found.rule.expressions = DecodeExpressions(attributes.Nested(NFTA_RULE_EXPRESSIONS));
  found.rule.comment = DecodeComment(attributes.Nested(NFTA_RULE_USERDATA));
  return found;
}

std::optional<FlowtableInTable> DecodeFlowtable(const kernel::netlink::Message& message) {
  const auto family = MessageFamily(message);
  const AttributeMap attributes(message.Attributes<nfgenmsg>());
  const AttributeMap hook(attributes.Nested(NFTA_FLOWTABLE_HOOK));
  const auto priority = hook.Number(NFTA_FLOWTABLE_HOOK_PRIORITY);
  FlowtableInTable found;
  found.table = attributes.Text(NFTA_FLOWTABLE_TABLE);
  found.flowtable.name = attributes.Text(NFTA_FLOWTABLE_NAME);
  if (!family || !priority || found.table.empty() || found.flowtable.name.empty()) {
    return std::nullopt;
  }
  found.family = *family;
  found.flowtable.priority = static_cast<std::int32_t>(*priority);
  found.flowtable.hardware = (attributes.Number(NFTA_FLOWTABLE_FLAGS).value_or(0) & NFT_FLOWTABLE_HW_OFFLOAD) != 0;
  found.flowtable.devices = DecodeDeviceList(hook.Nested(NFTA_FLOWTABLE_HOOK_DEVS));
  return found;
}

std::optional<Object> DecodeObject(const kernel::netlink::Message& message) {
  const AttributeMap attributes(message.Attributes<nfgenmsg>());
  const auto type = attributes.Number(NFTA_OBJ_TYPE);
  Object object;
  object.name = attributes.Text(NFTA_OBJ_NAME);
  if (!type || object.name.empty()) {
    return std::nullopt;
  }
  object.type = *type;
  if (*type == NFT_OBJECT_COUNTER) {
    object.counter = DecodeCounter(AttributeMap(attributes.Nested(NFTA_OBJ_DATA)));
  }
  return object;
}

}  // namespace finwait::firewall::read
