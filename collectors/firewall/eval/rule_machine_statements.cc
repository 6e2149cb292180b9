// Expressions that decide about a packet or change it.
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "collectors/firewall/eval/rule_machine.h"

namespace finwait::firewall::eval {
namespace {

using Kind = RuleResult::Kind;

}  // namespace

RuleMachine::Step RuleMachine::Apply(const Verdict& verdict, const SetElement* element) {
  switch (verdict.kind) {
    case Verdict::Kind::kAccept:
      return Tell(Kind::kAccept, {}, {}, element);
    case Verdict::Kind::kDrop:
      return Tell(Kind::kDrop, {}, {}, element);
    case Verdict::Kind::kStolen:
      return Tell(Kind::kUnknown, {}, "a kernel function that takes the packet away");
    case Verdict::Kind::kQueue:
      return Tell(Kind::kQueue);
    case Verdict::Kind::kContinue:
      return Step::kNext;
    case Verdict::Kind::kBreak:
      return Miss();
    case Verdict::Kind::kJump:
      return Tell(Kind::kJump, verdict.chain, {}, element);
    case Verdict::Kind::kGoto:
      return Tell(Kind::kGoto, verdict.chain, {}, element);
    case Verdict::Kind::kReturn:
      return Tell(Kind::kReturn, {}, {}, element);
  }
  return Step::kNext;
}

RuleMachine::Step RuleMachine::operator()(const VerdictStatement& statement) { return Apply(statement.verdict); }

RuleMachine::Step RuleMachine::operator()(const PayloadWrite& write) {
  Packet& packet = at_->packet;
  const std::vector<AbstractByte> bytes = Read(write.source, std::min<std::size_t>(write.length, Register::kAreaSize));
  // `ether daddr set` of what is sent here: whose frame that is then, and what comes of it, nobody can tell.
  if (write.base == NFT_PAYLOAD_LL_HEADER && write.offset < ETH_ALEN && !context_.in.present) {
    return Tell(Kind::kUnknown, {}, "a rule that sends the frame to another Ethernet address");
  }
  const bool network = write.base == NFT_PAYLOAD_NETWORK_HEADER;
  if (!network && write.base != NFT_PAYLOAD_TRANSPORT_HEADER) {
    return Step::kNext;
  }
  const std::size_t size = network ? packet.NetworkLength() : packet.transport.size();
  for (std::size_t i = 0; i < bytes.size() && write.offset + i < size; ++i) {
    (network ? packet.network[write.offset + i] : packet.transport[write.offset + i]) = bytes[i];
  }
  const std::size_t addresses = packet.family == IpFamily::kIpv4 ? 12 : 8;
  if (network && write.offset + bytes.size() > addresses) {
    packet.source_kind = AddressKind::kUnknown;
    packet.destination_kind = AddressKind::kUnknown;
  }
  return Step::kNext;
}

RuleMachine::Step RuleMachine::operator()(const MetaSet& set) {
  std::vector<AbstractByte> bytes = Read(set.source, 4);
  if constexpr (std::endian::native == std::endian::little) {
    std::reverse(bytes.begin(), bytes.end());
  }
  if (set.key == NFT_META_MARK) {
    std::copy(bytes.begin(), bytes.end(), at_->packet.mark.bytes.begin());
  } else if (set.key == NFT_META_PRIORITY) {
    std::copy(bytes.begin(), bytes.end(), at_->packet.priority.bytes.begin());
  }
  return Step::kNext;
}

// nft_reg_load16(): in the host's order.
std::optional<std::uint16_t> RuleMachine::ZoneIn(Register source) const {
  std::vector<AbstractByte> bytes = Read(source, 2);
  if constexpr (std::endian::native == std::endian::little) {
    std::reverse(bytes.begin(), bytes.end());
  }
  Wide zone = 0;
  return KnownNumber(bytes, &zone) ? std::optional(static_cast<std::uint16_t>(zone)) : std::nullopt;
}

RuleMachine::Step RuleMachine::operator()(const CtSet& set) {
  Packet& packet = at_->packet;
  const bool none = packet.tracking == PacketTracking::kNoEntry || packet.tracking == PacketTracking::kUntracked;
  if (set.key == NFT_CT_ZONE && none) {
    packet.tracking = PacketTracking::kTemplate;  // nft_ct_set_zone_eval(): wherever nf_ct_get() gives nothing
    packet.zone = set.direction ? std::nullopt : ZoneIn(set.source);
  } else if (set.key == NFT_CT_MARK &&
             (packet.tracking == PacketTracking::kNew || packet.tracking == PacketTracking::kEstablished)) {
    std::vector<AbstractByte> bytes = Read(set.source, 4);
    if constexpr (std::endian::native == std::endian::little) {
      std::reverse(bytes.begin(), bytes.end());
    }
    std::copy(bytes.begin(), bytes.end(), packet.connection_mark.bytes.begin());
  }
  return Step::kNext;
}

RuleMachine::Step RuleMachine::operator()(const Counter&) {
  if (at_->next < 64) {
    at_->counters_passed |= std::uint64_t{1} << at_->next;
  }
  return Step::kNext;
}

RuleMachine::Step RuleMachine::operator()(const Log&) { return Step::kNext; }

RuleMachine::Step RuleMachine::operator()(const Last&) { return Step::kNext; }

RuleMachine::Step RuleMachine::operator()(const Notrack&) {
  // At any hook, also behind the look-up: nft_notrack_eval() only asks whether there is an entry.
  if (at_->packet.tracking == PacketTracking::kNoEntry) {
    at_->packet.tracking = PacketTracking::kUntracked;
  }
  return Step::kNext;
}

RuleMachine::Step RuleMachine::operator()(const Reject&) { return Tell(Kind::kReject); }

// nf_queue(): where nobody listens to the queue that the packet goes to, it is dropped or, with bypass, goes on to the
// next base chain. To which of several it goes hangs on a hash, or on the CPU.
RuleMachine::Step RuleMachine::ToQueue(const xt::QueueUse& queue) {
  constexpr std::uint16_t kMostQueues = 256;
  if (!queue.first || queue.total > kMostQueues) {
    return Tell(Kind::kQueue);
  }
  for (unsigned i = 0; i < std::max<unsigned>(queue.total, 1); ++i) {
    const facts::Fact* fact = sets_.Ask(facts::QueueListenerKey{static_cast<std::uint16_t>(*queue.first + i)});
    const bool* listens = fact != nullptr ? fact->As<bool>() : nullptr;
    if (listens == nullptr || *listens) {
      return Tell(Kind::kQueue);
    }
  }
  return Tell(queue.bypass ? Kind::kAccept : Kind::kDrop);
}

RuleMachine::Step RuleMachine::operator()(const Queue& queue) {
  xt::QueueUse use;
  use.first = queue.number;
  use.total = queue.total;
  use.bypass = (queue.flags & NFT_QUEUE_FLAG_BYPASS) != 0;
  if (queue.number_source) {  // nft_queue_sreg_eval(): a number in the host's order
    std::vector<AbstractByte> bytes = Read(*queue.number_source, 4);
    if constexpr (std::endian::native == std::endian::little) {
      std::reverse(bytes.begin(), bytes.end());
    }
    Wide number = 0;
    use.first = KnownNumber(bytes, &number) ? std::optional(static_cast<std::uint16_t>(number)) : std::nullopt;
    use.total = 1;
  }
  return ToQueue(use);
}

// nft_tproxy_eval_v4(): a connection's packet finds its own socket, and the rule goes on if that is a transparent
// proxy's.
RuleMachine::Step RuleMachine::operator()(const Tproxy& tproxy) {
  const SocketFacts* const socket = context_.socket;
  return socket != nullptr && socket->transparent ? Test(TristateOf(*socket->transparent), {}) : TestUnknowable(tproxy);
}

RuleMachine::Step RuleMachine::operator()(const Synproxy&) {
  // nft_synproxy_eval_v4(): a packet with ACK is taken for the end of a handshake, and swallowed whether or not its
  // cookie fits.
  const AbstractByte& flags = at_->packet.TcpFlags();
  constexpr std::uint8_t kSyn = 0x02;
  constexpr std::uint8_t kAck = 0x10;
  if (flags.IsKnown() && flags.value == kSyn) {
    // It is answered and swallowed; the entry of what comes of it translates sequence numbers (nf_ct_seqadj_init()).
    at_->packet.destination_translated = Tristate::kYes;
    return Tell(Kind::kDrop);
  }
  const bool known = ((flags.known & (kSyn | kAck)) == (kSyn | kAck)) && (flags.value & kSyn) == 0;
  if (known && (flags.value & kAck) != 0) {
    return Tell(Kind::kDrop);
  }
  return Tell(Kind::kUnknown, {}, "a SYN proxy");
}

RuleMachine::Step RuleMachine::operator()(const Duplicate&) { return Step::kNext; }

RuleMachine::Step RuleMachine::operator()(const Forward& forward) {
  return Tell(Kind::kUnknown, {}, std::string(TraitsOf(forward).unknowable_because));
}

RuleMachine::Step RuleMachine::operator()(const FlowOffload&) {
  // nft_flow_offload_eval(): only for confirmed entries of established connections; else the rule ends there.
  const Packet& packet = at_->packet;
  const bool refused = packet.tracking == PacketTracking::kNoEntry || packet.tracking == PacketTracking::kUntracked ||
                       (packet.tracking == PacketTracking::kNew && !packet.confirmed);
  return Test(refused ? Tristate::kNo : Tristate::kUnknown, "whether a flow is offloaded");
}

RuleMachine::Step RuleMachine::ActAsObject(std::uint32_t type) {
  switch (type) {
    case NFT_OBJECT_QUOTA:
    case NFT_OBJECT_LIMIT:
    case NFT_OBJECT_CONNLIMIT:
      return TestUnknowable(ObjectReference{type, {}});
    case NFT_OBJECT_CT_EXPECT: {  // nft_ct_expect_obj_eval(): without an entry the rule ends there
      const PacketTracking tracking = at_->packet.tracking;
      const bool none = tracking == PacketTracking::kNoEntry || tracking == PacketTracking::kUntracked;
      return Test(none ? Tristate::kNo : Tristate::kUnknown, "an expectation");
    }
    case NFT_OBJECT_SYNPROXY:
      return (*this)(Synproxy{});
    case NFT_OBJECT_COUNTER:
      return (*this)(Counter{});
    case NFT_OBJECT_CT_HELPER:
    case NFT_OBJECT_CT_TIMEOUT:
    case NFT_OBJECT_TUNNEL:
    case NFT_OBJECT_SECMARK:
      return Step::kNext;
    default:
      return Tell(Kind::kUnknown, {}, "a named object that this version does not know");
  }
}

RuleMachine::Step RuleMachine::operator()(const ObjectReference& reference) { return ActAsObject(reference.type); }

RuleMachine::Step RuleMachine::operator()(const ObjectMapReference& reference) {
  std::string because;
  std::vector<LookupBranch> branches = LookUpNow(reference.set, reference.source, &because);
  if (branches.size() != 1) {
    return Test(Tristate::kUnknown, "an object chosen by a map");
  }
  at_->packet = std::move(branches.front().packet);
  if (branches.front().kind != LookupBranch::Kind::kFound) {
    return branches.front().kind == LookupBranch::Kind::kMissing
               ? Miss()
               : Test(Tristate::kUnknown, "an object chosen by a map");
  }
  const std::string* name = std::get_if<std::string>(&branches.front().element->data);
  const auto object = std::find_if(table_.objects.begin(), table_.objects.end(),
                                   [&](const Object& each) { return name != nullptr && each.name == *name; });
  if (object == table_.objects.end()) {
    return Test(Tristate::kUnknown, "an object chosen by a map");
  }
  return ActAsObject(object->type);
}

RuleMachine::Step RuleMachine::operator()(const XtTarget& target) {
  xt::Effect effect = sets_.Extensions().Apply(target, at_->packet, context_, sets_);
  switch (effect.kind) {
    case xt::Effect::Kind::kNext:
      return Step::kNext;
    case xt::Effect::Kind::kDrop:
      return Tell(Kind::kDrop);
    case xt::Effect::Kind::kReject:
      return Tell(Kind::kReject);
    case xt::Effect::Kind::kQueue:
      return ToQueue(effect.queue);
    case xt::Effect::Kind::kTranslate:
      return Translate(effect.translation);
    case xt::Effect::Kind::kUnknown:
      return Tell(Kind::kUnknown, {}, std::move(effect.because));
  }
  return Step::kNext;
}

RuleMachine::Step RuleMachine::operator()(const UnknownExpression& expression) {
  return Tell(Kind::kUnknown, {}, "the expression " + expression.name + ": " + expression.reason);
}

}  // namespace finwait::firewall::eval
