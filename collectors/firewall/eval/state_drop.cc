#include "collectors/firewall/eval/state_drop.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace finwait::firewall::eval {
namespace {

constexpr PacketTracking kStates[] = {PacketTracking::kNoEntry, PacketTracking::kNew, PacketTracking::kEstablished,
                                      PacketTracking::kRelated, PacketTracking::kUntracked};

// A TCP packet of which only the family and conntrack's state are known.
Packet AnyPacket(IpFamily family, PacketTracking tracking) {
  Connection connection;
  connection.family = family;
  connection.local_socket.mark.reset();
  Packet packet = MakePacket(connection, PacketKind::kData);
  packet.TcpFlags() = AbstractByte::Of(Field::kTcpFlags, 0);
  packet.domains.clear();
  packet.owner = SocketOwner::kUnknown;
  packet.source_kind = AddressKind::kUnknown;
  packet.destination_kind = AddressKind::kUnknown;
  packet.tracking = tracking;
  packet.connection_mark = AbstractNumber<4>::Unknown();
  return packet;
}

HookContext ContextAt(Hook hook) {
  HookContext context;
  context.hook = hook;
  const bool outgoing = hook == Hook::kOutput || hook == Hook::kEgress;
  const bool incoming = hook == Hook::kIngress || hook == Hook::kPrerouting || hook == Hook::kInput;
  context.has_link_header = hook != Hook::kOutput && hook != Hook::kPostrouting;
  context.path_kind = outgoing || incoming ? PathKind::kLocal : PathKind::kForwarded;
  if (!outgoing) {
    context.in = DeviceView::Input(Interface{});
  }
  if (!incoming) {
    context.out = DeviceView::Output(Interface{});
  }
  return context;
}

// What follows from one outcome of a rule: whether such packets can be dropped, and whether all are.
struct DropBounds {
  bool can = false;
  bool must = false;
};

DropBounds DropBoundsOf(ChainEvaluator& evaluator, const Table& table, const HookContext& context,
                        const RuleResult& outcome) {
  switch (outcome.kind) {
    case RuleResult::Kind::kDrop:
    case RuleResult::Kind::kReject:
      return {true, true};
    case RuleResult::Kind::kJump:
    case RuleResult::Kind::kGoto:
      break;
    default:
      return {};
  }
  const std::string chain(outcome.chain);
  if (FindChain(table, chain) == nullptr) {
    return {true, true};
  }
  DropBounds bounds{false, true};
  for (const ChainResult& result : evaluator.RunJump(table, chain, context, outcome.packet)) {
    const bool stopped = result.kind == ChainResult::Kind::kDrop || result.kind == ChainResult::Kind::kReject;
    bounds.can = bounds.can || stopped;
    bounds.must = bounds.must && stopped;
  }
  return bounds;
}

bool IsCounter(const Expression& expression) {
  const auto* reference = std::get_if<ObjectReference>(&expression);
  return std::holds_alternative<Counter>(expression) || (reference != nullptr && reference->type == NFT_OBJECT_COUNTER);
}

std::optional<Counter> ValueOf(const Table& table, const Expression& expression, const CounterUses& uses) {
  if (const Counter* counter = std::get_if<Counter>(&expression)) {
    return *counter;
  }
  const std::string& name = std::get<ObjectReference>(expression).name;
  const auto object = std::find_if(table.objects.begin(), table.objects.end(), [&](const Object& each) {
    return each.type == NFT_OBJECT_COUNTER && each.name == name;
  });
  const auto used = uses.find(name);
  const bool shared = used != uses.end() && used->second > 1;
  return object == table.objects.end() || shared ? std::nullopt : object->counter;
}

// What the counters that a rule passes have to do with drops, over all states.
struct CounterUse {
  std::uint64_t of_invalid_drops = 0;  // bit i: expression i counts INVALID packets that are dropped
  std::uint64_t of_others = 0;         // ... packets that are not dropped for certain
  std::set<const SetElement*> elements;
  bool elements_count_all = true;
};

void NoteOutcome(const RuleResult& outcome, const DropBounds& bounds, bool invalid, CounterUse& use) {
  if (!bounds.must) {
    use.of_others |= outcome.counters_passed;
  } else if (invalid) {
    use.of_invalid_drops |= outcome.counters_passed;
  }
  if (outcome.element != nullptr && invalid && bounds.can) {
    use.elements.insert(outcome.element);
    use.elements_count_all = use.elements_count_all && bounds.must && outcome.element->counter;
  }
}

}  // namespace

bool TestsConntrackState(const Rule& rule) {
  return std::any_of(rule.expressions.begin(), rule.expressions.end(), [](const Expression& expression) {
    if (const CtLoad* load = std::get_if<CtLoad>(&expression)) {
      return load->key == NFT_CT_STATE;
    }
    const XtMatch* match = std::get_if<XtMatch>(&expression);
    return match != nullptr && xt::BuiltIn().TestsState(*match);
  });
}

StateDrop FindStateDrop(ChainEvaluator& evaluator, const Table& table, const Chain& chain, const Rule& rule, Hook hook,
                        IpFamily family) {
  const HookContext context = ContextAt(hook);
  const auto run = [&](PacketTracking tracking) {
    StateDrop result;
    std::vector<RuleResult> outcomes;
    RuleMachine(table, chain, rule, context, evaluator).Run(AnyPacket(family, tracking), outcomes);
    for (const RuleResult& outcome : outcomes) {
      const DropBounds bounds = DropBoundsOf(evaluator, table, context, outcome);
      result.drops = result.drops || bounds.can;
      result.always = result.always && bounds.must;
    }
    return result;
  };
  StateDrop invalid = run(PacketTracking::kNoEntry);
  if (invalid.drops && run(PacketTracking::kEstablished).drops) {
    invalid.drops = false;
  }
  return invalid;
}

CounterUses CountUses(const Table& table) {
  CounterUses uses;
  for (const auto& [name, chain] : table.chains) {
    for (const Rule& rule : chain->rules) {
      for (const Expression& expression : rule.expressions) {
        if (const auto* reference = std::get_if<ObjectReference>(&expression);
            reference != nullptr && reference->type == NFT_OBJECT_COUNTER) {
          ++uses[reference->name];
        }
      }
    }
  }
  return uses;
}

std::optional<Counter> FindDropCounter(ChainEvaluator& evaluator, const Table& table, const Rule& rule,
                                       const CounterUses& uses) {
  const Chain nowhere;
  CounterUse use;
  // Devices and sockets as a forwarded packet has them: whatever the rule asks of them can be true or not.
  const HookContext context = ContextAt(Hook::kForward);
  std::vector<RuleResult> outcomes;
  for (const IpFamily family : kIpFamilies) {
    if (!Covers(table.family, family)) {
      continue;
    }
    for (const PacketTracking state : kStates) {
      outcomes.clear();
      RuleMachine(table, nowhere, rule, context, evaluator).Run(AnyPacket(family, state), outcomes);
      for (const RuleResult& outcome : outcomes) {
        NoteOutcome(outcome, DropBoundsOf(evaluator, table, context, outcome), state == PacketTracking::kNoEntry, use);
      }
    }
  }
  const std::uint64_t good = use.of_invalid_drops & ~use.of_others;
  for (std::size_t i = std::min<std::size_t>(rule.expressions.size(), 64); i-- > 0;) {
    if (((good >> i) & 1) != 0 && IsCounter(rule.expressions[i])) {
      return ValueOf(table, rule.expressions[i], uses);
    }
  }
  if (use.elements.empty() || !use.elements_count_all) {
    return std::nullopt;
  }
  Counter sum;
  for (const SetElement* element : use.elements) {
    sum.packets += element->counter->packets;
    sum.bytes += element->counter->bytes;
  }
  return sum;
}

}  // namespace finwait::firewall::eval
