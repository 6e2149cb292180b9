#pragma once

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/collectors/firewall/read/nft_bytes.h"

/// What nf_tables answers about tables, chains, rules and sets (nf_tables_fill_*_info()).
namespace finwait::firewall::read {

using kernel::netlink::FakeMessage;

inline FakeMessage NftMessage(nf_tables_msg_types type, const std::vector<Put>& parts,
                              std::uint8_t family = NFPROTO_INET) {
  return NetfilterMessage(NFNL_SUBSYS_NFTABLES, static_cast<std::uint8_t>(type), family, parts);
}
inline FakeMessage GenerationMessage(std::uint32_t id) {
  return NftMessage(NFT_MSG_NEWGEN, {Number32(NFTA_GEN_ID, id)}, NFPROTO_UNSPEC);
}
inline FakeMessage TableMessage(const std::string& name, std::uint8_t family = NFPROTO_INET) {
  return NftMessage(NFT_MSG_NEWTABLE, {Text(NFTA_TABLE_NAME, name), Number32(NFTA_TABLE_FLAGS, 0)}, family);
}
/// A base chain of type filter at the input hook; `more` behind it.
inline FakeMessage BaseChainMessage(const std::string& table, const std::string& name, std::vector<Put> more = {}) {
  std::vector<Put> parts = {
      Text(NFTA_CHAIN_TABLE, table),
      Text(NFTA_CHAIN_NAME, name),
      Number64(NFTA_CHAIN_HANDLE, 3),
      Nest(NFTA_CHAIN_HOOK, {Number32(NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_IN), Number32(NFTA_HOOK_PRIORITY, 0)}),
      Number32(NFTA_CHAIN_POLICY, NF_ACCEPT),
      Text(NFTA_CHAIN_TYPE, "filter")};
  parts.insert(parts.end(), more.begin(), more.end());
  return NftMessage(NFT_MSG_NEWCHAIN, parts);
}
/// A rule of table "t" with these expressions, each a Named(NFTA_LIST_ELEM, ...).
inline FakeMessage RuleMessage(const std::string& chain, std::uint64_t handle, std::vector<Put> expressions) {
  return NftMessage(NFT_MSG_NEWRULE,
                    {Text(NFTA_RULE_TABLE, "t"), Text(NFTA_RULE_CHAIN, chain), Number64(NFTA_RULE_HANDLE, handle),
                     Nest(NFTA_RULE_EXPRESSIONS, std::move(expressions))});
}
inline Put VerdictExpression(std::int32_t code, const std::string& chain = {}) {
  return Named(NFTA_LIST_ELEM, "immediate",
               {Number32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT), VerdictData(NFTA_IMMEDIATE_DATA, code, chain)});
}
inline Put OffloadExpression(const std::string& flowtable) {
  return Named(NFTA_LIST_ELEM, "flow_offload", {Text(NFTA_FLOW_TABLE_NAME, flowtable)});
}
/// A flowtable at these devices.
inline FakeMessage FlowtableMessage(const std::string& table, const std::string& name,
                                    const std::vector<std::string>& devices, std::int32_t priority = 0,
                                    std::uint32_t flags = 0, std::uint8_t family = NFPROTO_INET) {
  std::vector<Put> list;
  for (const std::string& device : devices) {
    list.push_back(Text(NFTA_DEVICE_NAME, device));
  }
  return NftMessage(
      NFT_MSG_NEWFLOWTABLE,
      {Text(NFTA_FLOWTABLE_TABLE, table), Text(NFTA_FLOWTABLE_NAME, name), Number32(NFTA_FLOWTABLE_USE, 1),
       Number64(NFTA_FLOWTABLE_HANDLE, 9), Number32(NFTA_FLOWTABLE_FLAGS, flags),
       Nest(NFTA_FLOWTABLE_HOOK, {Number32(NFTA_FLOWTABLE_HOOK_NUM, NF_NETDEV_INGRESS),
                                  Number32(NFTA_FLOWTABLE_HOOK_PRIORITY, static_cast<std::uint32_t>(priority)),
                                  Nest(NFTA_FLOWTABLE_HOOK_DEVS, std::move(list))})},
      family);
}
/// A set of ports.
inline FakeMessage SetMessage(const std::string& name, std::vector<Put> more = {}) {
  std::vector<Put> parts = {Text(NFTA_SET_TABLE, "t"), Text(NFTA_SET_NAME, name), Number32(NFTA_SET_KEY_LEN, 2)};
  parts.insert(parts.end(), more.begin(), more.end());
  return NftMessage(NFT_MSG_NEWSET, parts);
}
/// Elements of a set, each with attributes of its own.
inline FakeMessage ElementsMessage(const std::vector<std::vector<Put>>& elements) {
  std::vector<Put> list;
  for (const std::vector<Put>& element : elements) {
    list.push_back(Nest(NFTA_LIST_ELEM, element));
  }
  return NftMessage(NFT_MSG_NEWSETELEM, {Text(NFTA_SET_ELEM_LIST_TABLE, "t"), Text(NFTA_SET_ELEM_LIST_SET, "s"),
                                         Nest(NFTA_SET_ELEM_LIST_ELEMENTS, std::move(list))});
}

}  // namespace finwait::firewall::read
