#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collectors/firewall/model/ruleset.h"
#include "collectors/kernel/netlink/channel.h"

/// Decodes nftables' messages about tables, chains, rules and objects. Each takes a whole message (nfgenmsg, then
/// attributes) and returns nothing when the message is malformed, or of a family that the model leaves out.
namespace finwait::firewall::read {

/// NFPROTO_IPV4, _IPV6, _INET, _NETDEV or _BRIDGE; nothing for others (arp).
std::optional<TableFamily> DecodeFamily(std::uint8_t family);
std::uint8_t EncodeFamily(TableFamily family);
/// The family in a message's nfgenmsg.
std::optional<TableFamily> MessageFamily(const kernel::netlink::Message& message);

/// The hook of number `number` in tables of `family`.
std::optional<Hook> DecodeHook(TableFamily family, std::uint32_t number);

/// NFT_MSG_NEWGEN: the generation id.
std::optional<std::uint32_t> DecodeGeneration(const kernel::netlink::Message& message);

/// NFT_MSG_NEWTABLE: a table without chains.
std::optional<Table> DecodeTable(const kernel::netlink::Message& message);

/// Whose a table with these base chains is: iptables-nft's when it has one of iptables' names and base chains only
/// where iptables has them. Nothing else in the kernel tells who made a table.
Dialect DialectOf(const Table& table);

struct ChainInTable {
  TableFamily family = TableFamily::kIpv4;
  std::string table;
  Chain chain;  ///< without rules, kNotRead
};
/// NFT_MSG_NEWCHAIN.
std::optional<ChainInTable> DecodeChain(const kernel::netlink::Message& message);

struct RuleInChain {
  std::string chain;
  Rule rule;  ///< index is 0: its place is the reader's to count
};
/// NFT_MSG_NEWRULE.
std::optional<RuleInChain> DecodeRule(const kernel::netlink::Message& message);

/// NFT_MSG_NEWFLOWTABLE.
std::optional<FlowtableInTable> DecodeFlowtable(const kernel::netlink::Message& message);

/// NFT_MSG_NEWOBJ.
std::optional<Object> DecodeObject(const kernel::netlink::Message& message);

}  // namespace finwait::firewall::read
