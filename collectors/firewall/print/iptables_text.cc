#include "collectors/firewall/print/iptables_text.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/print/plain_words.h"
#include "collectors/firewall/print/rule_steps.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"
#include "collectors/kernel/netlink/attributes.h"

namespace finwait::firewall::print {
namespace {

using Relation = Comparison::Relation;

std::string Option(bool inverted, const std::string& text) { return (inverted ? "! " : "") + text; }

std::string NetworkText(kernel::netlink::Bytes address, kernel::netlink::Bytes mask) {
  const int length = PrefixLength(mask);
  return AddressText(address) + "/" + (length >= 0 ? std::to_string(length) : AddressText(mask));
}

// A rule's parts, in the order in which iptables-save prints them.
class Line {
 public:
  Line(const Table& table, const Chain& chain, const Rule& rule)
      : ipv6_(table.family == TableFamily::kIpv6), table_(table), chain_(chain), rule_(rule) {}

  std::optional<std::string> Text() {
    for (const Step& step : ReadSteps(table_, rule_)) {
      const bool understood = std::visit([this](const auto& part) { return Add(part); }, step);
      if (!understood) {
        return std::nullopt;
      }
    }
    std::string text = "-A " + chain_.name;
    for (const std::string& part : {source_, destination_, in_, out_, protocol_, fragment_}) {
      text += part.empty() ? "" : " " + part;
    }
    for (std::size_t i = 0; i < matches_.size(); ++i) {
      text += " " + (i == transport_place_ ? TransportText() : matches_[i]);
    }
    return target_.empty() ? text : text + " " + target_;
  }

  // What the rule asks of a connection, and can be typed.
  std::string Matches() {
    for (const Step& step : ReadSteps(table_, rule_)) {
      std::visit([this](const auto& part) { AddMatch(part); }, step);
    }
    flags_.clear();
    std::string text;
    const auto add = [&text](const std::string& part) {
      if (!part.empty() && IsPlainWords(part)) {
        text += (text.empty() ? "" : " ") + part;
      }
    };
    for (const std::string& part : {source_, destination_, in_, out_}) {
      add(part);
    }
    for (std::size_t i = 0; i < matches_.size(); ++i) {
      const bool transport = i == transport_place_;
      add(transport && source_port_.empty() && destination_port_.empty() ? ""
          : transport                                                    ? TransportText()
                                                                         : matches_[i]);
    }
    return text;
  }

 private:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  // --- legacy: the fixed part of a rule ---

  void AddHeader(const IpHeaderMatch& header) {
    const std::size_t size = ipv6_ ? 16 : 4;
    const auto address = [&](const char* option, const IpHeaderMatch::Address& value,
                             const IpHeaderMatch::Address& mask, bool inverted) -> std::string {
      const auto mask_bytes = std::as_bytes(std::span(mask)).first(size);
      if (PrefixLength(mask_bytes) == 0 && !inverted) {
        return {};
      }
      return Option(inverted, option + NetworkText(std::as_bytes(std::span(value)).first(size), mask_bytes));
    };
    source_ = address("-s ", header.source, header.source_mask, (header.inverse_flags & IPT_INV_SRCIP) != 0);
    destination_ =
        address("-d ", header.destination, header.destination_mask, (header.inverse_flags & IPT_INV_DSTIP) != 0);
    in_ = InterfaceText("-i ", header.in, (header.inverse_flags & IPT_INV_VIA_IN) != 0);
    out_ = InterfaceText("-o ", header.out, (header.inverse_flags & IPT_INV_VIA_OUT) != 0);
    if (header.protocol != 0 || (header.inverse_flags & XT_INV_PROTO) != 0) {
      protocol_number_ = header.protocol;
      protocol_ = Option((header.inverse_flags & XT_INV_PROTO) != 0, "-p " + ProtocolText(header.protocol));
    }
    if (!ipv6_ && (header.flags & IPT_F_FRAG) != 0) {
      fragment_ = Option((header.inverse_flags & IPT_INV_FRAG) != 0, "-f");
    }
  }

  // The mask covers a name's bytes and its end, or, for "eth+", only the bytes.
  static std::string InterfaceText(const char* option, const IpHeaderMatch::Interface& interface, bool inverted) {
    std::string name;
    for (std::size_t i = 0; i < interface.name.size(); ++i) {
      if (interface.mask[i] == 0) {
        name += '+';
        break;
      }
      if (interface.name[i] == '\0') {
        break;
      }
      name += interface.name[i];
    }
    return name == "+" && !inverted ? std::string() : Option(inverted, option + Printable(name));
  }

  // --- nftables: what iptables-nft writes as expressions of its own ---

  bool Add(const Comparison& comparison) {
    if (comparison.operands.size() != 1 || comparison.operands.front().load == nullptr ||
        comparison.operands.front().changed || comparison.relation == Relation::kInSet ||
        comparison.relation == Relation::kNotInSet || comparison.relation == Relation::kVerdictMap) {
      return false;
    }
    const Operand& operand = comparison.operands.front();
    if (const auto* payload = std::get_if<PayloadLoad>(operand.load)) {
      return payload->base == NFT_PAYLOAD_NETWORK_HEADER     ? AddNetworkField(*payload, operand, comparison)
             : payload->base == NFT_PAYLOAD_TRANSPORT_HEADER ? AddTransportField(*payload, operand, comparison)
                                                             : false;
    }
    if (const auto* meta = std::get_if<MetaLoad>(operand.load)) {
      return AddMeta(*meta, operand, comparison);
    }
    return false;
  }

  static bool IsEquality(const Comparison& comparison) {
    return comparison.relation == Relation::kEqual || comparison.relation == Relation::kNotEqual;
  }
  static bool IsInverted(const Comparison& comparison) {
    return comparison.relation == Relation::kNotEqual || comparison.relation == Relation::kNotInRange;
  }

  bool AddNetworkField(const PayloadLoad& payload, const Operand& operand, const Comparison& comparison) {
    if (!IsEquality(comparison) || comparison.value.size() != payload.length) {
      return false;
    }
    const std::uint32_t source = ipv6_ ? 8 : 12;
    const std::uint32_t size = ipv6_ ? 16 : 4;
    if ((payload.offset == source || payload.offset == source + size) && payload.length <= size) {
      // A prefix of whole bytes is loaded as so many bytes, others are masked.
      Value address = comparison.value;
      Value mask = operand.bitwise != nullptr ? operand.bitwise->mask : Value(payload.length, std::byte{0xff});
      address.resize(size);
      mask.resize(size);
      std::string& place = payload.offset == source ? source_ : destination_;
      place = Option(IsInverted(comparison), (payload.offset == source ? "-s " : "-d ") + NetworkText(address, mask));
      return true;
    }
    if (!ipv6_ && payload.offset == 9 && payload.length == 1 && operand.bitwise == nullptr) {
      return AddProtocol(comparison);
    }
    constexpr std::uint64_t kFragmentOffset = 0x1fff;
    if (!ipv6_ && payload.offset == 6 && operand.bitwise != nullptr &&
        BigEndianNumber(operand.bitwise->mask) == kFragmentOffset && BigEndianNumber(comparison.value) == 0) {
      fragment_ = Option(comparison.relation == Relation::kEqual, "-f");
      return true;
    }
    return false;
  }

  bool AddProtocol(const Comparison& comparison) {
    protocol_number_ = static_cast<unsigned>(BigEndianNumber(comparison.value));
    protocol_ = Option(IsInverted(comparison), "-p " + ProtocolText(protocol_number_));
    return true;
  }

  bool AddTransportField(const PayloadLoad& payload, const Operand& operand, const Comparison& comparison) {
    constexpr unsigned kTcp = 6;
    constexpr unsigned kUdp = 17;
    if (protocol_number_ != kTcp && protocol_number_ != kUdp) {
      return false;
    }
    if (payload.offset == 0 && payload.length == 4 && operand.bitwise == nullptr &&
        comparison.relation == Relation::kEqual) {
      // iptables-nft loads both ports at once where a rule wants one of each.
      const auto ports = static_cast<std::uint32_t>(BigEndianNumber(comparison.value));
      source_port_ = "--sport " + std::to_string(ports >> 16);
      destination_port_ = "--dport " + std::to_string(ports & 0xffff);
      PlaceTransport();
      return true;
    }
    std::string option;
    std::string* place = nullptr;
    if ((payload.offset == 0 || payload.offset == 2) && payload.length == 2 && operand.bitwise == nullptr) {
      place = payload.offset == 0 ? &source_port_ : &destination_port_;
      option = (payload.offset == 0 ? "--sport " : "--dport ") + PortsOf(comparison);
    } else if (payload.offset == 13 && payload.length == 1 && protocol_number_ == kTcp && IsEquality(comparison)) {
      const std::uint64_t mask = operand.bitwise != nullptr ? BigEndianNumber(operand.bitwise->mask) : 0xff;
      place = &flags_;
      option = "--tcp-flags " + xt::TcpFlagsText(static_cast<std::uint32_t>(mask)) + " " +
               xt::TcpFlagsText(static_cast<std::uint32_t>(BigEndianNumber(comparison.value)));
    } else {
      return false;
    }
    PlaceTransport();
    *place = Option(IsInverted(comparison), option);
    return true;
  }

  // "-m tcp" stands where the first of its options is tested.
  void PlaceTransport() {
    if (transport_place_ == kNowhere) {
      transport_place_ = matches_.size();
      matches_.emplace_back();
    }
  }

  static std::string PortsOf(const Comparison& comparison) {
    constexpr std::uint16_t kLast = 0xffff;
    const auto port = static_cast<std::uint16_t>(BigEndianNumber(comparison.value));
    switch (comparison.relation) {
      case Relation::kInRange:
      case Relation::kNotInRange:
        return xt::PortRangeText(port, static_cast<std::uint16_t>(BigEndianNumber(comparison.to)));
      case Relation::kGreaterOrEqual:
        return xt::PortRangeText(port, kLast);
      case Relation::kGreater:
        return xt::PortRangeText(static_cast<std::uint16_t>(port + 1), kLast);
      case Relation::kLessOrEqual:
        return xt::PortRangeText(0, port);
      case Relation::kLess:
        return xt::PortRangeText(0, static_cast<std::uint16_t>(port - 1));
      default:
        return std::to_string(port);
    }
  }

  std::string TransportText() const {
    std::string text = "-m " + ProtocolText(protocol_number_);
    for (const std::string& option : {source_port_, destination_port_, flags_}) {
      text += option.empty() ? "" : " " + option;
    }
    return text;
  }

  bool AddMeta(const MetaLoad& meta, const Operand& operand, const Comparison& comparison) {
    if (!IsEquality(comparison)) {
      return false;
    }
    switch (meta.key) {
      case NFT_META_L4PROTO:
        return AddProtocol(comparison);
      case NFT_META_IIFNAME:
      case NFT_META_OIFNAME: {
        const bool incoming = meta.key == NFT_META_IIFNAME;
        std::string name(kernel::netlink::Attribute(0, comparison.value).Text());
        if (name.size() == comparison.value.size()) {
          name += '+';  // compared without its end
        }
        (incoming ? in_ : out_) = Option(IsInverted(comparison), (incoming ? "-i " : "-o ") + Printable(name));
        return true;
      }
      case NFT_META_MARK: {
        const std::string mask =
            operand.bitwise != nullptr ? "/" + HexText(HostNumber(operand.bitwise->mask)) : std::string();
        matches_.push_back("-m mark " +
                           Option(IsInverted(comparison), "--mark " + HexText(HostNumber(comparison.value)) + mask));
        return true;
      }
      default:
        return false;
    }
  }

  void AddMatch(const Comparison& comparison) { Add(comparison); }
  void AddMatch(const Statement& statement) {
    const auto* match = std::get_if<XtMatch>(statement.expression);
    if (match == nullptr) {
      if (std::holds_alternative<std::shared_ptr<const IpHeaderMatch>>(*statement.expression)) {
        Add(statement);
      }
      return;
    }
    const xt::Registry& extensions = xt::BuiltIn();
    const std::string text = WithoutTcpFlags(extensions.TextOf(*match, ipv6_));
    const Traits traits = extensions.TraitsOf(*match);
    if (!traits.is_remark && text != "-m tcp" && !AsksForStateOnly(text) && traits.unknowable_because.empty()) {
      matches_.push_back(text);
    }
  }

  // Without "--tcp-flags MASK SET", "! --tcp-flags MASK SET".
  static std::string WithoutTcpFlags(std::string text) {
    constexpr std::string_view kInverted = " ! --tcp-flags ";
    constexpr std::string_view kOption = " --tcp-flags ";
    const std::size_t inverted = text.find(kInverted);
    const std::size_t from = inverted != std::string::npos ? inverted : text.find(kOption);
    if (from == std::string::npos) {
      return text;
    }
    const std::size_t mask = from + (from == inverted ? kInverted : kOption).size();
    const std::size_t set = text.find(' ', mask);
    const std::size_t end = set == std::string::npos ? set : text.find(' ', set + 1);
    return text.erase(from, end == std::string::npos ? end : end - from);
  }

  // "-m conntrack --ctstate X", "-m state ! --state X", and nothing else.
  static bool AsksForStateOnly(std::string_view text) {
    for (const std::string_view match : {"-m conntrack ", "-m state "}) {
      if (text.starts_with(match)) {
        text.remove_prefix(match.size());
        text.remove_prefix(text.starts_with("! ") ? 2 : 0);
        return (text.starts_with("--ctstate ") || text.starts_with("--state ")) &&
               std::count(text.begin(), text.end(), ' ') == 1;
      }
    }
    return false;
  }

  // --- both ---

  bool Add(const Statement& statement) {
    return std::visit([&](const auto& expression) { return AddExpression(statement, expression); },
                      *statement.expression);
  }

  bool AddExpression(const Statement&, const std::shared_ptr<const IpHeaderMatch>& header) {
    AddHeader(*header);
    return true;
  }
  bool AddExpression(const Statement&, const XtMatch& match) {
    matches_.push_back(xt::BuiltIn().TextOf(match, ipv6_));
    return true;
  }
  bool AddExpression(const Statement&, const XtTarget& target) {
    target_ = xt::BuiltIn().TextOf(target, ipv6_);
    return true;
  }
  bool AddExpression(const Statement&, const Counter&) { return true; }

  bool AddExpression(const Statement&, const VerdictStatement& statement) {
    const Verdict& verdict = statement.verdict;
    switch (verdict.kind) {
      case Verdict::Kind::kAccept:
        target_ = "-j ACCEPT";
        return true;
      case Verdict::Kind::kDrop:
        target_ = "-j DROP";
        return true;
      case Verdict::Kind::kReturn:
        target_ = "-j RETURN";
        return true;
      case Verdict::Kind::kQueue:
        target_ = "-j QUEUE";
        return true;
      case Verdict::Kind::kJump:
        target_ = "-j " + verdict.chain;
        return true;
      case Verdict::Kind::kGoto:
        target_ = "-g " + verdict.chain;
        return true;
      default:
        return false;
    }
  }

  bool AddExpression(const Statement&, const Limit& limit) {
    constexpr std::uint32_t kDefaultBurst = 5;
    static constexpr std::pair<std::uint64_t, const char*> kUnits[] = {
        {1, "/sec"}, {60, "/min"}, {60 * 60, "/hour"}, {24 * 60 * 60, "/day"}};
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [&](const auto& candidate) { return candidate.first == limit.unit_seconds; });
    if (unit == std::end(kUnits) || limit.type != NFT_LIMIT_PKTS || limit.inverted) {
      return false;
    }
    matches_.push_back("-m limit --limit " + std::to_string(limit.rate) + unit->second +
                       (limit.burst == kDefaultBurst ? "" : " --limit-burst " + std::to_string(limit.burst)));
    return true;
  }

  bool AddExpression(const Statement&, const Log& log) {
    if (!log.group) {
      return false;
    }
    target_ = "-j NFLOG" + (log.prefix.empty() ? "" : " --nflog-prefix " + xt::Quoted(log.prefix)) +
              (*log.group == 0 ? "" : " --nflog-group " + std::to_string(*log.group));
    return true;
  }

  bool AddExpression(const Statement&, const MetaSet& set) {
    target_ = "-j TRACE";
    return set.key == NFT_META_NFTRACE;
  }

  // iptables has no words for anything else: the rule is shown as nft has it.
  template <typename Other>
  bool AddExpression(const Statement&, const Other&) {
    return false;
  }

  bool ipv6_;
  const Table& table_;
  const Chain& chain_;
  const Rule& rule_;
  std::string source_;
  std::string destination_;
  std::string in_;
  std::string out_;
  std::string protocol_;
  unsigned protocol_number_ = 0;
  std::string fragment_;
  std::vector<std::string> matches_;
  std::size_t transport_place_ = kNowhere;  // of "-m tcp" or "-m udp" among the matches
  std::string source_port_;
  std::string destination_port_;
  std::string flags_;
  std::string target_;
};

}  // namespace

std::optional<std::string> IptablesRuleText(const Table& table, const Chain& chain, const Rule& rule) {
  return Line(table, chain, rule).Text();
}

std::string IptablesMatches(const Table& table, const Chain& chain, const Rule& rule) {
  return Line(table, chain, rule).Matches();
}

}  // namespace finwait::firewall::print
