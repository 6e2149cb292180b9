#include "collectors/firewall/eval/rule_machine.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "collectors/firewall/xt/entry_count.h"
#include "collectors/firewall/xt/ip_header.h"

namespace finwait::firewall::eval {
namespace {

// A rule that splits its packet more often than this is given up.
constexpr std::size_t kMachines = 256;

// What a map gives for an element that was found; empty: no value.
std::vector<AbstractByte> DataOf(const LookupBranch& found) {
  std::vector<AbstractByte> data = found.data;
  if (const Value* value = std::get_if<Value>(&found.element->data); data.empty() && value != nullptr) {
    std::transform(value->begin(), value->end(), std::back_inserter(data),
                   [](std::byte byte) { return AbstractByte::Known(byte); });
  }
  return data;
}

}  // namespace

std::size_t RuleMachine::Run(Packet packet, std::vector<RuleResult>& outcomes) {
  outcomes_ = &outcomes;
  pending_.clear();
  pending_.emplace_back();
  pending_.back().packet = std::move(packet);
  pending_.back().registers.fill(AbstractByte::Unknown());
  std::size_t executed = 0;
  std::size_t machines = 1;
  while (!pending_.empty()) {
    Machine machine = std::move(pending_.back());
    pending_.pop_back();
    at_ = &machine;
    Step step = Step::kNext;
    while (step == Step::kNext && machine.next < rule_.expressions.size()) {
      const std::size_t waiting = pending_.size();
      step = Execute(rule_.expressions[machine.next]);
      ++machine.next;
      ++executed;
      machines += pending_.size() - waiting;
      if (machines > kMachines) {
        pending_.clear();
        Tell(RuleResult::Kind::kUnknown, {}, "a rule with too many possible ways");
        return executed;
      }
    }
    if (step == Step::kNext) {
      Tell(RuleResult::Kind::kContinue);
    }
  }
  return executed;
}

RuleMachine::Step RuleMachine::Execute(const Expression& expression) {
  return std::visit([this](const auto& each) { return (*this)(each); }, expression);
}

RuleMachine::Step RuleMachine::Tell(RuleResult::Kind kind, std::string_view chain, std::string because,
                                    const SetElement* element) {
  outcomes_->push_back({kind, std::move(at_->packet), chain, std::move(because), at_->counters_passed, element});
  return Step::kDone;
}

void RuleMachine::Uncertainty(Packet& packet, std::string because) const {
  if (!packet.uncertainty) {
    packet.uncertainty = std::make_shared<const eval::Uncertainty>(
        eval::Uncertainty{std::move(because), &table_, &chain_, &rule_, context_.hook});
  }
}

RuleMachine::Step RuleMachine::Test(const Condition& condition) {
  Packet missed;
  std::string because;
  switch (Decide(condition, at_->packet, &missed, &because)) {
    case Decision::kYes:
      return Step::kNext;
    case Decision::kNo:
      return Miss();
    case Decision::kBoth:
      Uncertainty(at_->packet, because);
      Uncertainty(missed, std::move(because));
      outcomes_->push_back({RuleResult::Kind::kContinue, std::move(missed), {}, {}, at_->counters_passed, nullptr});
      return Step::kNext;
  }
  return Step::kNext;
}

RuleMachine::Step RuleMachine::TestAll(const Conditions& conditions) {
  for (const Condition& condition : conditions) {
    if (Test(condition) == Step::kDone) {
      return Step::kDone;
    }
  }
  return Step::kNext;
}

RuleMachine::Step RuleMachine::operator()(const Compare& compare) {
  const std::vector<AbstractByte> actual = Read(compare.source, compare.value.size());
  const Value lowest(compare.value.size(), std::byte{0});
  const Value highest(compare.value.size(), std::byte{0xff});
  const IpFamily family = at_->packet.family;
  switch (compare.operation) {
    case NFT_CMP_EQ:
    case NFT_CMP_NEQ:
      return Test(Condition::Equal(actual, compare.value, family).Invert(compare.operation == NFT_CMP_NEQ));
    case NFT_CMP_GTE:
    case NFT_CMP_LT:
      return Test(Condition::Between(actual, compare.value, highest, family).Invert(compare.operation == NFT_CMP_LT));
    case NFT_CMP_LTE:
    case NFT_CMP_GT:
      return Test(Condition::Between(actual, lowest, compare.value, family).Invert(compare.operation == NFT_CMP_GT));
    default:
      return Test(Tristate::kUnknown, "a comparison that this version does not know");
  }
}

RuleMachine::Step RuleMachine::operator()(const Range& range) {
  const std::vector<AbstractByte> actual = Read(range.source, range.from.size());
  return Test(
      Condition::Between(actual, range.from, range.to, at_->packet.family).Invert(range.operation == NFT_RANGE_NEQ));
}

std::vector<LookupBranch> RuleMachine::Held(const Set& set, AbstractBytes key, std::string* because) {
  if (const auto own = FindOwnChange(set.name, key)) {
    static const SetElement put_there;
    *because = "set " + set.name + ", which a rule changes for this packet";
    std::vector<LookupBranch> branches;
    if (own->there == Tristate::kYes) {
      branches.push_back(
          {LookupBranch::Kind::kFound, &put_there, at_->packet, own->change->data, own->change->matches});
    } else if (own->there == Tristate::kUnknown) {
      branches.push_back({LookupBranch::Kind::kSome, nullptr, at_->packet});
    }
    if (own->there != Tristate::kYes) {
      branches.push_back({LookupBranch::Kind::kMissing, nullptr, at_->packet});
    }
    return branches;
  }
  const bool known = std::all_of(key.begin(), key.end(), [](const AbstractByte& byte) { return byte.IsKnown(); });
  if (known && (MayHoldMore(set) || set.has_timeout)) {
    Value value;
    std::transform(key.begin(), key.end(), std::back_inserter(value),
                   [](const AbstractByte& byte) { return std::byte{byte.value}; });
    const SetElement* element = nullptr;
    // A set that packets fill holds what it holds now: what this packet put there itself is known.
    if (sets_.AskForElement(table_, set, value, &element)) {
      if (element == nullptr) {
        return {{LookupBranch::Kind::kMissing, nullptr, at_->packet}};
      }
      *because = "a limit in an element of set " + set.name;
      return {{LookupBranch::Kind::kFound,
               element,
               at_->packet,
               {},
               LetMatch(element->expressions, element->connection_limit)}};
    }
  }
  return LookUp(set, key, at_->packet, because);
}

std::vector<LookupBranch> RuleMachine::LookUpNow(const std::string& name, Register source, std::string* because) {
  const Set* set = sets_.GetSet(table_, name);
  if (set == nullptr) {
    *because = "set " + name + ", which could not be read";
    return {{LookupBranch::Kind::kSome, nullptr, at_->packet}, {LookupBranch::Kind::kMissing, nullptr, at_->packet}};
  }
  std::vector<LookupBranch> branches = Held(*set, Read(source, set->key_length), because);
  if (branches.size() == 1 && branches.front().matches != Tristate::kYes) {  // nft_lookup_eval() asks what it carries
    if (branches.front().matches == Tristate::kNo) {
      branches.clear();
    }
    branches.push_back({LookupBranch::Kind::kMissing, nullptr, at_->packet});
  }
  return branches;
}

// nft_set_elem_update_expr(): all of them have to.
Tristate RuleMachine::LetMatch(const std::vector<std::string>& carried, const std::optional<ConnectionLimit>& limit) {
  Tristate let = Tristate::kYes;
  for (const std::string& each : carried) {
    if (each != "counter" && each != "last") {
      let = And(let, each == "connlimit" && limit ? IsWithin(*limit) : Tristate::kUnknown);
    }
  }
  return let;
}

std::optional<RuleMachine::OwnChange> RuleMachine::FindOwnChange(const std::string& set, AbstractBytes key) const {
  const auto& changes = at_->packet.lasting.sets;
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
    if (change->set != KeyOf(set)) {
      continue;
    }
    if (std::equal(key.begin(), key.end(), change->key.begin(), change->key.end()) &&
        std::none_of(key.begin(), key.end(),
                     [](const AbstractByte& byte) { return !byte.IsKnown() && byte.field == Field::kNone; })) {
      return OwnChange{TristateOf(change->there), &*change};
    }
    const bool other = !std::equal(
        key.begin(), key.end(), change->key.begin(), change->key.end(),
        [](const AbstractByte& a, const AbstractByte& b) { return ((a.value ^ b.value) & a.known & b.known) == 0; });
    if (!other) {
      return OwnChange{};
    }
  }
  return std::nullopt;
}

RuleMachine::Step RuleMachine::operator()(const Lookup& lookup) {
  std::string because;
  std::vector<LookupBranch> branches = LookUpNow(lookup.set, lookup.source, &because);
  if (branches.size() > 1) {
    for (LookupBranch& branch : branches) {
      Uncertainty(branch.packet, because);
    }
  }
  const Machine before = *at_;
  std::vector<Machine> going_on;
  for (LookupBranch& branch : branches) {
    at_->packet = std::move(branch.packet);
    const bool found = branch.kind != LookupBranch::Kind::kMissing;
    if (found == lookup.inverted) {
      Miss();
    } else if (!found || (!lookup.verdict && !lookup.destination)) {
      going_on.push_back(*at_);
    } else if (branch.kind == LookupBranch::Kind::kSome) {
      if (lookup.verdict) {
        Tell(RuleResult::Kind::kUnknown, {}, because);
      } else {
        StoreUnknown(*lookup.destination, Register::kAreaSize);
        going_on.push_back(*at_);
      }
    } else if (const Verdict* verdict = std::get_if<Verdict>(&branch.element->data); lookup.verdict && verdict) {
      if (Apply(*verdict, branch.element) == Step::kNext) {
        going_on.push_back(*at_);
      }
    } else if (const std::vector<AbstractByte> data = DataOf(branch); !lookup.verdict && !data.empty()) {
      Store(*lookup.destination, data);
      going_on.push_back(*at_);
    } else {
      Tell(RuleResult::Kind::kUnknown, {}, "a map whose data this version does not understand");
    }
    *at_ = before;
  }
  if (going_on.empty()) {
    return Step::kDone;
  }
  *at_ = std::move(going_on.back());
  going_on.pop_back();
  for (Machine& machine : going_on) {
    ++machine.next;
    pending_.push_back(std::move(machine));
  }
  return Step::kNext;
}

// nft_dynset_eval(): an element that is there stays as it is, with its data and what it carries; one that is not is
// made of the registers, which a full set refuses.
packet::SetChange RuleMachine::PutInto(const Set& set, const DynamicSet& dynamic, Tristate* room) {
  packet::SetChange change{KeyOf(dynamic.set), Read(dynamic.key, set.key_length), true};
  const bool by_set = dynamic.expressions.empty();
  change.matches =
      by_set ? LetMatch(set.expressions, std::nullopt) : LetMatch(dynamic.expressions, dynamic.connection_limit);
  const bool plain = LetMatch(by_set ? set.expressions : dynamic.expressions, std::nullopt) == Tristate::kYes;
  if (*room == Tristate::kYes && plain && !set.map) {
    return change;
  }
  change.data.assign(set.data_length, AbstractByte::Unknown());
  std::string because;
  const std::vector<LookupBranch> now = Held(set, change.key, &because);
  if (now.size() > 1 || now.front().kind == LookupBranch::Kind::kSome) {
    *room = *room == Tristate::kYes ? *room : Tristate::kUnknown;
    change.matches = plain ? Tristate::kYes : Tristate::kUnknown;  // one that is there carries limits of its own
    return change;
  }
  at_->packet = now.front().packet;
  if (now.front().kind == LookupBranch::Kind::kFound && !now.front().element->catch_all) {
    *room = Tristate::kYes;
    change.matches = now.front().matches;
    change.data = DataOf(now.front());
  } else if (dynamic.data) {
    change.data = Read(*dynamic.data, set.data_length);
  }
  return change;
}

RuleMachine::Step RuleMachine::operator()(const DynamicSet& dynamic) {
  const Set* set = sets_.GetSet(table_, dynamic.set);
  auto& changes = at_->packet.lasting.sets;
  if (dynamic.operation == NFT_DYNSET_OP_DELETE) {
    if (set != nullptr) {
      changes.push_back({KeyOf(dynamic.set), Read(dynamic.key, set->key_length), false});
    }
    return Step::kNext;
  }
  Tristate room = HasRoom(dynamic.set);
  std::optional<packet::SetChange> change;
  Tristate matches = LetMatch(dynamic.expressions, std::nullopt);
  if (set != nullptr) {
    change = PutInto(*set, dynamic, &room);
    matches = change->matches;
  }
  Condition fits = Condition::Of(room, "whether a set is full");
  if (!dynamic.inverted) {
    if (Test(fits) == Step::kDone) {
      return Step::kDone;
    }
    if (change) {
      changes.push_back(std::move(*change));
    }
    return Test(Condition::Of(matches, "a limit for each element of a set"));
  }
  // What misses the rule has been put in, whatever the element carries, and what goes on in it has not.
  const packet::LastingChanges before = at_->packet.lasting;
  if (change) {
    changes.push_back(std::move(*change));
  }
  const Step step = Test(fits.Invert(true));
  if (step == Step::kNext) {
    at_->packet.lasting = before;
  }
  return step;
}

Tristate RuleMachine::HasRoom(const std::string& set) {
  const facts::Fact* fact = sets_.Ask(facts::SetRoomKey{KeyOf(set)});
  const bool* room = fact != nullptr ? fact->As<bool>() : nullptr;
  // One that nobody can be asked about is taken to have room, as nearly all have.
  return room != nullptr ? TristateOf(*room) : Tristate::kYes;
}

RuleMachine::Step RuleMachine::operator()(const Limit& limit) { return TestUnknowable(limit); }

// nft_quota_do_eval(): what is used up stays so; how much has been used of the rest since the rule was read is not
// told.
RuleMachine::Step RuleMachine::operator()(const Quota& quota) {
  const bool used_up = quota.consumed > quota.bytes;
  return Test(Condition::Of(used_up ? Tristate::kYes : Tristate::kUnknown, TraitsOf(quota).unknowable_because)
                  .Invert(!quota.inverted));
}

// nft_connlimit_do_eval(): all connections that reach the rule, or the element, count together.
Tristate RuleMachine::IsWithin(const ConnectionLimit& limit) {
  const Tristate above = xt::IsAboveCount(limit.count, nullptr, sets_);
  return limit.inverted ? above : Not(above);
}

RuleMachine::Step RuleMachine::operator()(const ConnectionLimit& limit) {
  return Test(Condition::Of(IsWithin(limit), xt::kConnectionCount));
}

RuleMachine::Step RuleMachine::operator()(const std::shared_ptr<const IpHeaderMatch>& match) {
  return TestAll(xt::ConditionsOf(*match, at_->packet, context_));
}

RuleMachine::Step RuleMachine::operator()(const XtMatch& match) {
  const xt::Registry& extensions = sets_.Extensions();
  const std::size_t known = outcomes_->size();
  const Step step = TestAll(extensions.ConditionsOf(match, at_->packet, context_, sets_));
  if (step == Step::kNext) {
    extensions.Change(match, at_->packet, context_, true);
  }
  for (std::size_t i = known; i < outcomes_->size(); ++i) {
    extensions.Change(match, (*outcomes_)[i].packet, context_, false);
  }
  return step;
}

std::vector<AbstractByte> RuleMachine::Read(Register source, std::size_t size) const {
  std::vector<AbstractByte> bytes(size, AbstractByte::Unknown());
  for (std::size_t i = 0; i < size && source.offset + i < Register::kAreaSize; ++i) {
    bytes[i] = at_->registers[source.offset + i];
  }
  return bytes;
}

void RuleMachine::Store(Register destination, AbstractBytes bytes) {
  const std::size_t padded = (bytes.size() + 3) / 4 * 4;
  for (std::size_t i = 0; i < padded && destination.offset + i < Register::kAreaSize; ++i) {
    at_->registers[destination.offset + i] = i < bytes.size() ? bytes[i] : AbstractByte::Known(std::uint8_t{0});
  }
}

void RuleMachine::StoreUnknown(Register destination, std::size_t size) {
  for (std::size_t i = destination.offset; i < std::min(destination.offset + size, Register::kAreaSize); ++i) {
    at_->registers[i] = AbstractByte::Unknown();
  }
}

void RuleMachine::StoreNumber(Register destination, AbstractBytes most_significant_first) {
  std::vector<AbstractByte> bytes(most_significant_first.begin(), most_significant_first.end());
  if constexpr (std::endian::native == std::endian::little) {
    std::reverse(bytes.begin(), bytes.end());
  }
  Store(destination, bytes);
}

void RuleMachine::StoreNumber(Register destination, std::uint64_t number, std::size_t size) {
  std::vector<AbstractByte> bytes;
  for (std::size_t i = size; i-- > 0;) {
    bytes.push_back(AbstractByte::Known(static_cast<std::uint8_t>(number >> (8 * i))));
  }
  StoreNumber(destination, bytes);
}

}  // namespace finwait::firewall::eval
