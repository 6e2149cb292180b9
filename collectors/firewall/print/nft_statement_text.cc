#include "collectors/firewall/print/nft_statement_text.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_log.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "collectors/base/one_of.h"
#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/print/nft_set_text.h"

namespace finwait::firewall::print {
namespace {

// What is assigned: a number, or another field, with a mask or bits added.
std::string OperandText(const std::optional<Operand>& operand, const Field& field, const PacketContext& context) {
  if (!operand || operand->load == nullptr || operand->changed) {
    return "[...]";
  }
  if (const auto* immediate = std::get_if<Immediate>(operand->load)) {
    return ValueText(field, immediate->value);
  }
  std::string name = FieldOf(*operand->load, context).name;
  if (operand->bitwise == nullptr) {
    return name;
  }
  const std::uint64_t mask = HostNumber(operand->bitwise->mask);
  const std::uint64_t bits = HostNumber(operand->bitwise->xor_value);
  if (bits == 0) {
    return name + " & " + ValueText(field, operand->bitwise->mask);
  }
  constexpr std::uint64_t kAll = 0xffffffff;
  if ((mask ^ bits) == kAll && (mask & bits) == 0) {
    return name + " | " + ValueText(field, operand->bitwise->xor_value);
  }
  return name + (mask == kAll ? "" : " & " + ValueText(field, operand->bitwise->mask)) + " ^ " +
         ValueText(field, operand->bitwise->xor_value);
}

std::string RejectText(const Reject& reject, TableFamily family) {
  static constexpr std::pair<unsigned, const char*> kIcmpCodes[] = {
      {0, "net-unreachable"}, {1, "host-unreachable"}, {2, "prot-unreachable"}, {3, "port-unreachable"},
      {9, "net-prohibited"},  {10, "host-prohibited"}, {13, "admin-prohibited"}};
  static constexpr std::pair<unsigned, const char*> kIcmpv6Codes[] = {{0, "no-route"},         {1, "admin-prohibited"},
                                                                      {3, "addr-unreachable"}, {4, "port-unreachable"},
                                                                      {5, "policy-fail"},      {6, "reject-route"}};
  static constexpr std::pair<unsigned, const char*> kIcmpx[] = {
      {NFT_REJECT_ICMPX_NO_ROUTE, "no-route"},
      {NFT_REJECT_ICMPX_PORT_UNREACH, "port-unreachable"},
      {NFT_REJECT_ICMPX_HOST_UNREACH, "host-unreachable"},
      {NFT_REJECT_ICMPX_ADMIN_PROHIBITED, "admin-prohibited"}};
  const auto name = [&](std::span<const std::pair<unsigned, const char*>> codes) {
    const auto found =
        std::find_if(codes.begin(), codes.end(), [&](const auto& code) { return code.first == reject.icmp_code; });
    return found == codes.end() ? std::to_string(reject.icmp_code) : std::string(found->second);
  };
  if (reject.type == NFT_REJECT_TCP_RST) {
    return "reject with tcp reset";
  }
  constexpr const char* kDefault = "port-unreachable";
  if (reject.type == NFT_REJECT_ICMPX_UNREACH) {
    const std::string code = name(kIcmpx);
    return code == kDefault ? "reject" : "reject with icmpx " + code;
  }
  const bool ipv6 = family == TableFamily::kIpv6;
  const std::string code = ipv6 ? name(kIcmpv6Codes) : name(kIcmpCodes);
  if (code == kDefault && family != TableFamily::kInet) {
    return "reject";
  }
  return (ipv6 ? "reject with icmpv6 " : "reject with icmp ") + code;
}

std::string LogText(const Log& log) {
  static constexpr const char* kLevels[] = {"emerg",  "alert", "crit",  "err",  "warn",
                                            "notice", "info",  "debug", "audit"};
  static constexpr NamedBit kFlags[] = {{NF_LOG_TCPSEQ, " flags tcp sequence"},
                                        {NF_LOG_TCPOPT, " flags tcp options"},
                                        {NF_LOG_IPOPT, " flags ip options"},
                                        {NF_LOG_UID, " flags skuid"},
                                        {NF_LOG_MACDECODE, " flags ether"}};
  std::string text = "log";
  if (!log.prefix.empty()) {
    text += " prefix \"" + Printable(log.prefix) + "\"";
  }
  if (log.group) {
    return text + " group " + std::to_string(*log.group);
  }
  if (log.level && *log.level != NFT_LOGLEVEL_WARNING && *log.level < std::size(kLevels)) {
    text += std::string(" level ") + kLevels[*log.level];
  }
  if (log.flags == NF_LOG_MASK) {
    return text + " flags all";
  }
  if ((log.flags & (NF_LOG_TCPSEQ | NF_LOG_TCPOPT)) == (NF_LOG_TCPSEQ | NF_LOG_TCPOPT)) {
    return text + " flags tcp sequence,options" +
           (log.flags & ~static_cast<unsigned>(NF_LOG_TCPSEQ | NF_LOG_TCPOPT) ? " [...]" : "");
  }
  for (const NamedBit& flag : kFlags) {
    text += (log.flags & flag.bit) != 0 ? flag.name : "";
  }
  return text;
}

std::string BytesText(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {" bytes", " kbytes", " mbytes"};
  std::size_t unit = 0;
  while (unit + 1 < std::size(kUnits) && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + kUnits[unit];
}

std::string LimitText(const Limit& limit) {
  static constexpr std::pair<std::uint64_t, const char*> kUnits[] = {
      {1, "/second"}, {60, "/minute"}, {60 * 60, "/hour"}, {24 * 60 * 60, "/day"}, {7 * 24 * 60 * 60, "/week"}};
  constexpr std::uint32_t kDefaultBurst = 5;
  const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                 [&](const auto& candidate) { return candidate.first == limit.unit_seconds; });
  const bool packets = limit.type == NFT_LIMIT_PKTS;
  std::string text = limit.inverted ? "limit rate over " : "limit rate ";
  text += packets ? std::to_string(limit.rate) : BytesText(limit.rate);
  text += unit != std::end(kUnits) ? std::string(unit->second) : "/" + std::to_string(limit.unit_seconds) + "s";
  if (packets && limit.burst != kDefaultBurst) {
    text += " burst " + std::to_string(limit.burst) + " packets";
  } else if (!packets && limit.burst != 0) {
    text += " burst " + BytesText(limit.burst);
  }
  return text;
}

std::string NatFlagsText(std::uint32_t flags) {
  static constexpr NamedBit kFlags[] = {{NF_NAT_RANGE_PROTO_RANDOM, "random"},
                                        {NF_NAT_RANGE_PROTO_RANDOM_FULLY, "fully-random"},
                                        {NF_NAT_RANGE_PERSISTENT, "persistent"}};
  const std::uint32_t known = flags & (NF_NAT_RANGE_PROTO_RANDOM_ALL | NF_NAT_RANGE_PERSISTENT);
  return known == 0 ? "" : " " + BitsText(known, kFlags, ",");
}

// Shown by its kind alone: a load that stands for itself, and what has arguments that are no news to a closing packet.
template <typename T>
concept ShownByKind = OneOf<T, Immediate, PayloadLoad, PayloadWrite, MetaLoad, CtLoad, Bitwise, ByteOrder,
                            NumberGenerator, Hash, Fib, RouteLoad, ExtensionHeader, SocketLoad, OsFingerprint,
                            TunnelLoad, XfrmLoad, Inner, Compare, Range, Lookup, Tproxy, Synproxy, Duplicate, Forward,
                            ObjectMapReference, std::shared_ptr<const IpHeaderMatch>, UnknownExpression>;

struct Writer {
  const Table& table;
  const PacketContext& context;
  const Statement& statement;

  std::string operator()(const VerdictStatement& verdict) const { return NftVerdictText(verdict.verdict); }
  std::string operator()(const Counter&) const { return "counter"; }
  std::string operator()(const Reject& reject) const {
    // In an inet table the test before it says which of the two ICMPs it is.
    const TableFamily family =
        table.family == TableFamily::kInet && context.ipv6 && reject.type == NFT_REJECT_ICMP_UNREACH
            ? TableFamily::kIpv6
            : table.family;
    return RejectText(reject, family);
  }
  std::string operator()(const Log& log) const { return LogText(log); }
  std::string operator()(const Limit& limit) const { return LimitText(limit); }
  std::string operator()(const Notrack&) const { return "notrack"; }
  std::string operator()(const Last&) const { return "last"; }
  std::string operator()(const Quota& quota) const {
    return (quota.inverted ? "quota over " : "quota ") + BytesText(quota.bytes);
  }
  std::string operator()(const ConnectionLimit& limit) const {
    return (limit.inverted ? "ct count over " : "ct count ") + std::to_string(limit.count);
  }
  std::string operator()(const MetaSet& set) const {
    const Field field = FieldOf(MetaLoad{set.key, {}}, context);
    return field.name + " set " + OperandText(statement.first, field, context);
  }
  std::string operator()(const CtSet& set) const {
    const Field field = FieldOf(CtLoad{set.key, set.direction, {}}, context);
    return field.name + " set " + OperandText(statement.first, field, context);
  }
  std::string operator()(const ObjectReference& object) const {
    switch (object.type) {
      case NFT_OBJECT_COUNTER:
        return "counter name \"" + Printable(object.name) + "\"";
      case NFT_OBJECT_QUOTA:
        return "quota name \"" + Printable(object.name) + "\"";
      case NFT_OBJECT_LIMIT:
        return "limit name \"" + Printable(object.name) + "\"";
      case NFT_OBJECT_CT_HELPER:
        return "ct helper set \"" + Printable(object.name) + "\"";
      default:
        return "[objref]";
    }
  }
  std::string operator()(const Queue& queue) const {
    const auto last = static_cast<std::uint32_t>(queue.number + std::max<std::uint16_t>(queue.total, 1) - 1);
    return std::string("queue") + ((queue.flags & NFT_QUEUE_FLAG_BYPASS) != 0 ? " flags bypass" : "") + " to " +
           (queue.number_source ? std::string("[...]") : std::to_string(queue.number)) +
           (last == queue.number ? "" : "-" + std::to_string(last));
  }
  std::string operator()(const Nat& nat) const {
    std::string text = nat.type == NFT_NAT_SNAT ? "snat" : "dnat";
    if (table.family == TableFamily::kInet) {
      text += nat.family == NFPROTO_IPV6 ? " ip6" : " ip";
    }
    if ((nat.address_max && nat.address_max != nat.address_min) || (nat.port_max && nat.port_max != nat.port_min)) {
      return text + " to [...]";
    }
    text += " to ";
    const bool ipv6 = nat.family == NFPROTO_IPV6;
    if (statement.first) {
      const std::string address = OperandText(
          statement.first, Field{"", ipv6 ? ValueFormat::kIpv6Address : ValueFormat::kIpv4Address}, context);
      text += ipv6 && statement.second ? "[" + address + "]" : address;
    }
    if (statement.second) {
      text += ":" + OperandText(statement.second, Field{"", ValueFormat::kBigEndian}, context);
    }
    return text + NatFlagsText(nat.flags);
  }
  std::string operator()(const Masquerade& masquerade) const { return "masquerade" + NatFlagsText(masquerade.flags); }
  std::string operator()(const Redirect& redirect) const {
    const std::string port = statement.second
                                 ? " to :" + OperandText(statement.second, Field{"", ValueFormat::kBigEndian}, context)
                                 : std::string();
    return "redirect" + port + NatFlagsText(redirect.flags);
  }
  std::string operator()(const FlowOffload& offload) const { return "flow add @" + offload.flowtable; }
  std::string operator()(const XtMatch& match) const { return "[xt match " + Printable(match.name) + "]"; }
  std::string operator()(const XtTarget& target) const { return "[xt target " + Printable(target.name) + "]"; }
  std::string operator()(const DynamicSet& dynamic) const {
    static constexpr const char* kOperations[] = {"add @", "update @", "delete @"};
    if (dynamic.operation >= std::size(kOperations) || !statement.first) {
      return "[dynset]";
    }
    const std::string timeout =
        dynamic.timeout_seconds == 0 ? "" : " timeout " + std::to_string(dynamic.timeout_seconds) + "s";
    return kOperations[dynamic.operation] + Printable(dynamic.set) + " { " + FieldOf(*statement.first, context).name +
           timeout + CarriedText(dynamic) + DataText() + " }";
  }
  std::string CarriedText(const DynamicSet& dynamic) const {
    if (dynamic.connection_limit && dynamic.expressions.size() == 1) {
      return " " + (*this)(*dynamic.connection_limit);
    }
    return dynamic.expressions.empty() ? "" : " [...]";
  }
  // What a map is to give. The form of a constant hangs on the map's type.
  std::string DataText() const {
    if (!statement.second) {
      return "";
    }
    const Operand& data = *statement.second;
    const bool loaded = data.load != nullptr && !std::holds_alternative<Immediate>(*data.load);
    return " : " + (loaded ? OperandText(data, FieldOf(data, context), context) : "[...]");
  }
  std::string operator()(const ShownByKind auto&) const { return "[" + Printable(KindOf(*statement.expression)) + "]"; }
};

}  // namespace

std::string NftStatementText(const Table& table, const PacketContext& context, const Statement& statement) {
  return std::visit(Writer{table, context, statement}, *statement.expression);
}

}  // namespace finwait::firewall::print
