// The translation of addresses: native statements and targets of x_tables.
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <string_view>

#include "collectors/firewall/eval/rule_machine.h"

namespace finwait::firewall::eval {
namespace {

using Kind = RuleResult::Kind;

constexpr std::string_view kNatTargets[] = {"DNAT", "MASQUERADE", "NETMAP", "REDIRECT", "SNAT"};

std::vector<AbstractByte> KnownBytes(std::span<const std::byte> bytes) {
  std::vector<AbstractByte> known;
  std::transform(bytes.begin(), bytes.end(), std::back_inserter(known),
                 [](std::byte byte) { return AbstractByte::Known(byte); });
  return known;
}

// The bytes, where all of them are known; else nothing.
Value KnownValue(AbstractBytes bytes) {
  Value value;
  for (const AbstractByte& byte : bytes) {
    if (!byte.IsKnown()) {
      return {};
    }
    value.push_back(std::byte{byte.value});
  }
  return value;
}

// The private structure of DNAT, SNAT, MASQUERADE and REDIRECT in any revision; nothing where it is of another form.
std::optional<nf_nat_range> ReadRange(const XtTarget& target, IpFamily family) {
  nf_nat_range wide = {};  // nf_nat_range2 begins with it
  if (target.revision == 0 && family == IpFamily::kIpv4) {
    nf_nat_ipv4_multi_range_compat compat;
    if (!ReadInfo(target.info, &compat) || compat.rangesize != 1) {
      return std::nullopt;
    }
    wide.flags = compat.range[0].flags;
    wide.min_addr.ip = compat.range[0].min_ip;
    wide.max_addr.ip = compat.range[0].max_ip;
    wide.min_proto = compat.range[0].min;
    wide.max_proto = compat.range[0].max;
    return wide;
  }
  return ReadInfo(target.info, &wide) ? std::optional(wide) : std::nullopt;
}

}  // namespace

bool TranslatesAddresses(const XtTarget& target) {
  return std::find(std::begin(kNatTargets), std::end(kNatTargets), target.name) != std::end(kNatTargets);
}

// Whether it becomes something else than it was.
Tristate RuleMachine::Rewrite(std::span<AbstractByte> place, const NewValue& value) {
  if (value.kind == NewValue::Kind::kStays) {
    return Tristate::kNo;
  }
  const Value first = KnownValue(value.first);
  const Value last = KnownValue(value.last);
  Tristate changed = Tristate::kUnknown;
  if (value.kind == NewValue::Kind::kRange && first.size() == place.size() && last.size() == place.size()) {
    Packet scratch = at_->packet;
    Packet missed;
    std::string because;
    const Condition in_range = Condition::Between(place, first, last, scratch.family);
    const Decision decision = Decide(in_range, scratch, &missed, &because);
    if (decision == Decision::kNo) {
      changed = Tristate::kYes;
    } else if (decision == Decision::kYes && first == last) {
      changed = Tristate::kNo;
    }
    if (first == last) {
      std::copy(value.first.begin(), value.first.end(), place.begin());
      return changed;
    }
  }
  std::fill(place.begin(), place.end(), AbstractByte::Unknown());
  return changed;
}

RuleMachine::Step RuleMachine::Translate(bool destination, const NewValue& address, NewValue port, bool random_port) {
  Packet& packet = at_->packet;
  if (chain_.base && chain_.base->type != ChainType::kNat) {
    return Step::kNext;
  }
  const std::size_t size = packet.family == IpFamily::kIpv4 ? 4 : 16;
  const std::size_t first = (packet.family == IpFamily::kIpv4 ? 12 : 8) + (destination ? size : 0);
  Tristate changed = Rewrite(std::span(packet.network).subspan(first, size), address);
  // get_unique_tuple(): a source port stays unless another connection stands in its way, which the connection itself
  // does not; a destination port always stays.
  if (port.kind == NewValue::Kind::kStays && !destination && (random_port || changed != Tristate::kNo)) {
    port.kind = NewValue::Kind::kAnything;
  }
  changed = Or(changed, Rewrite(std::span(packet.transport).subspan(destination ? 2 : 0, 2), port));
  AddressKind& kind = destination ? packet.destination_kind : packet.source_kind;
  kind = changed == Tristate::kNo ? kind : AddressKind::kUnknown;
  (destination ? packet.destination_translated : packet.source_translated) = changed;
  (destination ? packet.destination_decided : packet.source_decided) = true;
  return Tell(Kind::kAccept);
}

RuleMachine::NewValue RuleMachine::RangeOf(const std::optional<Register>& from, const std::optional<Register>& to,
                                           std::size_t size) const {
  if (!from) {
    return {};
  }
  return {NewValue::Kind::kRange, Read(*from, size), Read(to.value_or(*from), size)};
}

RuleMachine::NewValue RuleMachine::MasqueradeAddress() const {
  if (at_->packet.general && context_.journey == PathKind::kLocal) {
    return {};  // what is sent here has its device's address already, unless somebody singled it out
  }
  if (!context_.masquerade || context_.masquerade->Family() != at_->packet.family) {
    return {NewValue::Kind::kAnything, {}, {}};
  }
  const std::vector<AbstractByte> address = KnownBytes(context_.masquerade->Bytes());
  return {NewValue::Kind::kRange, address, address};
}

// nf_nat_redirect(): the loopback address for what is sent here, else an address of the device it came in on.
RuleMachine::NewValue RuleMachine::RedirectAddress() const {
  if (context_.hook != Hook::kOutput) {
    return {NewValue::Kind::kAnything, {}, {}};
  }
  const auto loopback = IpAddress::Parse(at_->packet.family == IpFamily::kIpv4 ? "127.0.0.1" : "::1");
  const std::vector<AbstractByte> address = KnownBytes(loopback->Bytes());
  return {NewValue::Kind::kRange, address, address};
}

RuleMachine::Step RuleMachine::operator()(const Nat& nat) {
  const unsigned family = at_->packet.family == IpFamily::kIpv4 ? unsigned{NFPROTO_IPV4} : unsigned{NFPROTO_IPV6};
  if (nat.family != family && nat.family != NFPROTO_INET) {
    return Step::kNext;  // nft_nat_inet_eval()
  }
  NewValue address = RangeOf(nat.address_min, nat.address_max, family == NFPROTO_IPV4 ? 4 : 16);
  if ((nat.flags & NF_NAT_RANGE_NETMAP) != 0) {
    address.kind = NewValue::Kind::kAnything;
  }
  return Translate(nat.type == NFT_NAT_DNAT, address, RangeOf(nat.port_min, nat.port_max, 2),
                   (nat.flags & NF_NAT_RANGE_PROTO_RANDOM_ALL) != 0);
}

RuleMachine::Step RuleMachine::operator()(const Masquerade& masquerade) {
  return Translate(false, MasqueradeAddress(), RangeOf(masquerade.port_min, masquerade.port_max, 2),
                   (masquerade.flags & NF_NAT_RANGE_PROTO_RANDOM_ALL) != 0);
}

RuleMachine::Step RuleMachine::operator()(const Redirect& redirect) {
  return Translate(true, RedirectAddress(), RangeOf(redirect.port_min, redirect.port_max, 2), false);
}

RuleMachine::Step RuleMachine::TranslateAsTarget(const XtTarget& target) {
  const IpFamily family = at_->packet.family;
  if (target.name == "NETMAP") {  // the source where packets leave, the destination where they arrive
    const bool destination = context_.hook != Hook::kPostrouting && context_.hook != Hook::kInput;
    return Translate(destination, {NewValue::Kind::kAnything, {}, {}}, {}, false);
  }
  NewValue address;
  NewValue port;
  bool random_port = false;
  if (const auto range = ReadRange(target, family)) {
    const std::size_t size = family == IpFamily::kIpv4 ? 4 : 16;
    if ((range->flags & NF_NAT_RANGE_MAP_IPS) != 0) {
      address = {NewValue::Kind::kRange, KnownBytes(BytesOf(range->min_addr).first(size)),
                 KnownBytes(BytesOf(range->max_addr).first(size))};
    }
    if ((range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0) {
      port = {NewValue::Kind::kRange, KnownBytes(BytesOf(range->min_proto.all)),
              KnownBytes(BytesOf(range->max_proto.all))};
    }
    if ((range->flags & NF_NAT_RANGE_PROTO_OFFSET) != 0) {
      port.kind = NewValue::Kind::kAnything;
    }
    random_port = (range->flags & NF_NAT_RANGE_PROTO_RANDOM_ALL) != 0;
  } else {
    address.kind = NewValue::Kind::kAnything;
    port.kind = NewValue::Kind::kAnything;
  }
  if (target.name == "MASQUERADE") {
    address = MasqueradeAddress();
  } else if (target.name == "REDIRECT") {
    address = RedirectAddress();
  }
  return Translate(target.name == "DNAT" || target.name == "REDIRECT", address, port, random_port);
}

}  // namespace finwait::firewall::eval
