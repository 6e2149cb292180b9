// The translation of addresses by native statements.
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include "collectors/firewall/eval/rule_machine.h"

namespace finwait::firewall::eval {

RuleMachine::Step RuleMachine::Translate(const Translation& translation) {
  if (chain_.base && chain_.base->type != ChainType::kNat) {
    return Step::kNext;
  }
  packet::Translate(at_->packet, translation);
  return Tell(RuleResult::Kind::kAccept);
}

NewValue RuleMachine::RangeOf(const std::optional<Register>& from, const std::optional<Register>& to,
                              std::size_t size) const {
  if (!from) {
    return {};
  }
  return {NewValue::Kind::kRange, Read(*from, size), Read(to.value_or(*from), size)};
}

RuleMachine::Step RuleMachine::operator()(const Nat& nat) {
  const unsigned family = at_->packet.family == IpFamily::kIpv4 ? unsigned{NFPROTO_IPV4} : unsigned{NFPROTO_IPV6};
  if (nat.family != family && nat.family != NFPROTO_INET) {
    return Step::kNext;  // nft_nat_inet_eval()
  }
  NewValue address = RangeOf(nat.address_min, nat.address_max, family == NFPROTO_IPV4 ? 4 : 16);
  if ((nat.flags & NF_NAT_RANGE_NETMAP) != 0) {
    address = NewValue::Anything();
  }
  return Translate({.destination = nat.type == NFT_NAT_DNAT,
                    .address = std::move(address),
                    .port = RangeOf(nat.port_min, nat.port_max, 2),
                    .random_port = (nat.flags & NF_NAT_RANGE_PROTO_RANDOM_ALL) != 0});
}

RuleMachine::Step RuleMachine::operator()(const Masquerade& masquerade) {
  return Translate({.destination = false,
                    .address = packet::MasqueradeAddress(at_->packet, context_),
                    .port = RangeOf(masquerade.port_min, masquerade.port_max, 2),
                    .random_port = (masquerade.flags & NF_NAT_RANGE_PROTO_RANDOM_ALL) != 0});
}

RuleMachine::Step RuleMachine::operator()(const Redirect& redirect) {
  return Translate({.destination = true,
                    .address = packet::RedirectAddress(at_->packet, context_),
                    .port = RangeOf(redirect.port_min, redirect.port_max, 2),
                    .random_port = false});
}

}  // namespace finwait::firewall::eval
