#include "collectors/firewall/eval/chain_evaluator.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "collectors/firewall/eval/expression_traits.h"
#include "collectors/firewall/eval/joined_results.h"

namespace finwait::firewall::eval {
namespace {

// nft_chain_validate() allows 16 levels (NFT_JUMP_STACK_SIZE). x_tables allows as many as there are chains.
constexpr std::size_t kNftDepth = 16;
constexpr std::size_t kLegacyDepth = 512;

// Asking the index for each of many packets at each rule of a long chain costs more than it saves.
bool IsWorthAsking(const Chain& chain, const std::vector<Packet>& packets) {
  constexpr std::size_t kManyPackets = 8;
  constexpr std::size_t kLongChain = 4096;
  return packets.size() <= kManyPackets || chain.rules.size() <= kLongChain;
}

// The set without its elements: what the kernel's answer about one of them is decoded by.
std::shared_ptr<const Set> FormOf(const Set& set) {
  auto form = std::make_shared<Set>();
  form->name = set.name;
  form->key_length = set.key_length;
  form->field_lengths = set.field_lengths;
  form->key_type = set.key_type;
  form->data_type = set.data_type;
  form->data_length = set.data_length;
  form->anonymous = set.anonymous;
  form->interval = set.interval;
  form->map = set.map;
  form->verdict_map = set.verdict_map;
  form->object_map = set.object_map;
  form->has_timeout = set.has_timeout;
  form->dynamic = set.dynamic;
  form->contents = set.contents;
  return form;
}

ChainResult Unknown(const Table& table, const Chain& chain, const Rule* rule, Packet packet, std::string because) {
  return {ChainResult::Kind::kUnknown, std::move(packet), &table, &chain, rule, std::move(because)};
}

}  // namespace

bool ChainEvaluator::HasExpression(const std::function<bool(const Expression&)>& is_so) const {
  for (const Table& table : ruleset_.tables) {
    for (const auto& [name, chain] : table.chains) {
      for (const Rule& rule : chain->rules) {
        if (std::any_of(rule.expressions.begin(), rule.expressions.end(), is_so)) {
          return true;
        }
      }
    }
  }
  return false;
}

bool ChainEvaluator::RewritesEnds() {
  if (!rewrites_ends_) {
    rewrites_ends_ = HasExpression([](const Expression& expression) {
      const auto* write = std::get_if<PayloadWrite>(&expression);
      constexpr std::uint32_t kPortsEnd = 4;
      constexpr std::uint32_t kAddresses = 8;  // IPv6's begin there, IPv4's behind 12
      return write != nullptr &&
             (write->base == NFT_PAYLOAD_TRANSPORT_HEADER
                  ? write->offset < kPortsEnd
                  : write->base == NFT_PAYLOAD_NETWORK_HEADER && write->offset + write->length > kAddresses);
    });
  }
  return *rewrites_ends_;
}

bool ChainEvaluator::ChangesSets() {
  if (!changes_sets_) {
    changes_sets_ =
        HasExpression([&](const Expression& expression) { return TraitsOf(expression, Extensions()).changes_sets; });
  }
  return *changes_sets_;
}

std::span<const XtMatch* const> ChainEvaluator::MatchesOf(std::string_view name) {
  auto found = matches_.find(name);
  if (found == matches_.end()) {
    found = matches_.emplace(name, std::vector<const XtMatch*>()).first;
    HasExpression([&](const Expression& expression) {
      const auto* match = std::get_if<XtMatch>(&expression);
      if (match != nullptr && match->name == name) {
        found->second.push_back(match);
      }
      return false;
    });
  }
  return found->second;
}

void ChainEvaluator::ResetBudget() {
  budget_ = limits_.expressions;
  if (facts_ != nullptr && evictions_seen_ != facts_->Store().Evictions()) {
    evictions_seen_ = facts_->Store().Evictions();
    indexes_.clear();
  }
}

const Chain* ChainEvaluator::GetChain(const Table& table, const std::string& name) {
  const Chain* chain = FindChain(table, name);
  if ((chain != nullptr && chain->contents != Contents::kNotRead) || facts_ == nullptr) {
    return chain;
  }
  if (table.backend == Backend::kNft) {
    const auto* read = facts_->FindValue<std::shared_ptr<const Chain>>(facts::ChainKey{table.family, table.name, name});
    return read != nullptr ? read->get() : chain;
  }
  const auto* whole = facts_->FindValue<std::shared_ptr<const Table>>(facts::LegacyTableKey{table.family, table.name});
  const Chain* read = whole != nullptr ? FindChain(**whole, name) : nullptr;
  return read != nullptr ? read : chain;
}

RulePlace ChainEvaluator::FindRule(const RuleId& id) {
  RulePlace place;
  place.table = FindTable(ruleset_, id.backend, id.family, id.table);
  if (place.table == nullptr) {
    return place;
  }
  place.chain = id.IsPolicy() ? FindChain(*place.table, id.chain) : GetChain(*place.table, id.chain);
  if (place.chain == nullptr || id.IsPolicy()) {
    return place;
  }
  const auto& rules = place.chain->rules;
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const Rule& rule) {
    return id.handle ? rule.handle == id.handle : rule.index == *id.index;
  });
  place.rule = found != rules.end() ? &*found : nullptr;
  return place;
}

const Set* ChainEvaluator::GetSet(const Table& table, const std::string& name) {
  const Set* set = FindSet(table, name);
  if ((set != nullptr && set->contents != Contents::kNotRead) || facts_ == nullptr) {
    return set;
  }
  const auto* read = facts_->FindValue<std::shared_ptr<const Set>>(facts::SetKey{table.family, table.name, name});
  return read != nullptr ? read->get() : set;
}

bool ChainEvaluator::AskForElement(const Table& table, const Set& set, const Value& key, const SetElement** element) {
  *element = nullptr;
  if (facts_ == nullptr) {
    return false;
  }
  const facts::Fact* fact = facts_->Find(facts::ElementKey{{table.family, table.name, set.name}, key, FormOf(set)});
  if (fact == nullptr || fact->Why() != nullptr) {
    return false;
  }
  if (const auto* found = fact->As<std::shared_ptr<const SetElement>>()) {
    *element = found->get();
  }
  return true;
}

Tristate ChainEvaluator::HasQuota(const std::string& accounting_object) {
  const bool* quota = facts_ != nullptr ? facts_->FindValue<bool>(facts::QuotaKey{accounting_object}) : nullptr;
  return quota != nullptr ? TristateOf(*quota) : Tristate::kUnknown;
}

const facts::Ipset* ChainEvaluator::FindIpset(std::uint16_t index) {
  const auto* set =
      facts_ != nullptr ? facts_->FindValue<std::shared_ptr<const facts::Ipset>>(facts::IpsetKey{index}) : nullptr;
  return set != nullptr ? set->get() : nullptr;
}

Tristate ChainEvaluator::IsInIpset(const facts::IpsetElementKey& element) {
  const bool* found = facts_ != nullptr ? facts_->FindValue<bool>(element) : nullptr;
  return found != nullptr ? TristateOf(*found) : Tristate::kUnknown;
}

const facts::IpsetContents* ChainEvaluator::FindIpsetContents(const std::string& set) {
  using Contents = std::shared_ptr<const facts::IpsetContents>;
  const auto* contents = facts_ != nullptr ? facts_->FindValue<Contents>(facts::IpsetContentsKey{set}) : nullptr;
  return contents != nullptr ? contents->get() : nullptr;
}

bool ChainEvaluator::AddPacket(std::vector<Packet>& packets, Packet packet) const {
  for (Packet& each : packets) {
    if (each.TakeIn(packet)) {
      return true;
    }
  }
  if (packets.size() >= limits_.packets) {
    return false;
  }
  packets.push_back(std::move(packet));
  return true;
}

bool ChainEvaluator::MakeRoom(std::vector<ChainResult>& results) const {
  if (!results.front().packet.keeps_domains) {
    return false;
  }
  JoinResults(results);
  return results.size() <= limits_.results / 2;
}

std::size_t ChainEvaluator::NextRule(const Chain& chain, std::size_t from, const std::vector<Packet>& packets) {
  if (chain.rules.size() < ChainIndex::kWorthIt || !IsWorthAsking(chain, packets)) {
    return from;
  }
  auto index = indexes_.find(&chain);
  if (index == indexes_.end()) {
    index = indexes_.try_emplace(&chain, chain).first;
  }
  std::size_t next = chain.rules.size();
  for (const Packet& packet : packets) {
    next = std::min(next, index->second.Next(from, packet));
  }
  return next;
}

// Packets that go through the rules of one chain.
struct ChainEvaluator::ChainRun {
  const Table& table;
  const Chain& chain;
  const HookContext& context;
  std::size_t depth;
  std::vector<ChainResult>& results;
  std::vector<Packet> next = {};      // to the next rule
  std::vector<Packet> returned = {};  // to where the chain was called
};

void ChainEvaluator::Keep(ChainRun& run, const Rule* rule, std::vector<Packet>& place, Packet packet) const {
  if (place.empty()) {  // as nearly always: then it need not be copied, with all that it may be
    place.push_back(std::move(packet));
  } else if (!AddPacket(place, packet)) {
    run.results.push_back(Unknown(run.table, run.chain, rule, std::move(packet), "too many possible packets"));
  }
}

std::vector<Packet> ChainEvaluator::RunTarget(const ChainRun& run, const Rule& rule, std::string_view target,
                                              Packet packet) {
  const Table& table = run.table;
  const Chain* chain = GetChain(table, std::string(target));
  if (chain == nullptr || chain->contents == Contents::kNotRead) {
    run.results.push_back(Unknown(table, run.chain, &rule, std::move(packet), "a chain that could not be read"));
    return {};
  }
  if (run.depth >= (table.backend == Backend::kNft ? kNftDepth : kLegacyDepth)) {
    run.results.push_back(Unknown(table, run.chain, &rule, std::move(packet), "jumps deeper than the kernel allows"));
    return {};
  }
  std::vector<Packet> packets;
  packets.push_back(std::move(packet));
  return RunChain(table, *chain, run.context, std::move(packets), run.depth + 1, run.results);
}

void ChainEvaluator::Follow(ChainRun& run, const Rule& rule, RuleResult&& outcome) {
  const auto end = [&](ChainResult::Kind kind) {
    run.results.push_back({kind, std::move(outcome.packet), &run.table, &run.chain, &rule, {}});
  };
  switch (outcome.kind) {
    case RuleResult::Kind::kContinue:
      Keep(run, &rule, run.next, std::move(outcome.packet));
      break;
    case RuleResult::Kind::kReturn:
      Keep(run, &rule, run.returned, std::move(outcome.packet));
      break;
    case RuleResult::Kind::kAccept:
      end(ChainResult::Kind::kAccept);
      break;
    case RuleResult::Kind::kDrop:
      Stop(ChainResult::Kind::kDrop, std::move(outcome.packet), run.table, run.chain, &rule, run.results);
      break;
    case RuleResult::Kind::kReject:
      Stop(ChainResult::Kind::kReject, std::move(outcome.packet), run.table, run.chain, &rule, run.results);
      break;
    case RuleResult::Kind::kQueue:
      end(ChainResult::Kind::kQueue);
      break;
    case RuleResult::Kind::kUnknown:
      run.results.push_back(
          Unknown(run.table, run.chain, &rule, std::move(outcome.packet), std::move(outcome.because)));
      break;
    case RuleResult::Kind::kJump:
    case RuleResult::Kind::kGoto: {
      const bool comes_back = outcome.kind == RuleResult::Kind::kJump;
      for (Packet& back : RunTarget(run, rule, outcome.chain, std::move(outcome.packet))) {
        Keep(run, &rule, comes_back ? run.next : run.returned, std::move(back));
      }
      break;
    }
  }
}

std::vector<Packet> ChainEvaluator::EndChain(ChainRun& run, std::vector<Packet> packets) {
  if (reached_ != nullptr && !packets.empty()) {
    (*reached_)[&run.chain] = run.chain.rules.size();
  }
  for (Packet& packet : packets) {
    if (run.chain.contents == Contents::kTruncated) {
      run.results.push_back(Unknown(run.table, run.chain, nullptr, std::move(packet), "a chain too large to be held"));
    } else {
      Keep(run, nullptr, run.returned, std::move(packet));
    }
  }
  return std::move(run.returned);
}

std::vector<Packet> ChainEvaluator::RunChain(const Table& table, const Chain& chain, const HookContext& context,
                                             std::vector<Packet> packets, std::size_t depth,
                                             std::vector<ChainResult>& results) {
  ChainRun run{table, chain, context, depth, results};
  std::vector<RuleResult> outcomes;
  NextRule(chain, 0, packets);  // makes the index
  const auto indexed = indexes_.find(&chain);
  for (std::size_t at = NextRule(chain, 0, packets); at < chain.rules.size(); at = NextRule(chain, at + 1, packets)) {
    const Rule& rule = chain.rules[at];
    if (reached_ != nullptr) {
      std::size_t& passed = (*reached_)[&chain];
      passed = std::max(passed, at + 1);
    }
    run.next.clear();
    const bool many = packets.size() > 1 && indexed != indexes_.end() && IsWorthAsking(chain, packets);
    for (Packet& packet : packets) {
      if (many && indexed->second.Next(at, packet) > at) {
        run.next.push_back(std::move(packet));  // as different from the others as it was
        continue;
      }
      outcomes.clear();
      const std::size_t executed = 1 + RuleMachine(table, chain, rule, context, *this).Run(std::move(packet), outcomes);
      budget_ -= std::min(budget_, executed);
      if (budget_ == 0) {
        results.push_back(
            Unknown(table, chain, &rule, std::move(outcomes.front().packet), "a ruleset too large to be run through"));
        return {};
      }
      for (RuleResult& outcome : outcomes) {
        Follow(run, rule, std::move(outcome));
      }
    }
    packets.swap(run.next);
    if (packets.empty()) {
      return std::move(run.returned);
    }
    if (results.size() >= limits_.results && !MakeRoom(results)) {
      results.push_back(Unknown(table, chain, &rule, std::move(packets.front()), "too many possible ways through"));
      return {};
    }
  }
  return EndChain(run, std::move(packets));
}

void ChainEvaluator::Stop(ChainResult::Kind kind, Packet packet, const Table& table, const Chain& chain,
                          const Rule* rule, std::vector<ChainResult>& results) const {
  if (planned_ != nullptr && planned_->LetPass(table, chain, rule, packet)) {
    kind = ChainResult::Kind::kAccept;
  }
  results.push_back({kind, std::move(packet), &table, &chain, rule, {}});
}

std::vector<ChainResult> ChainEvaluator::RunBaseChain(const Table& table, const Chain& base, const HookContext& context,
                                                      Packet packet) {
  std::vector<ChainResult> results;
  const Chain* chain = base.contents == Contents::kNotRead ? GetChain(table, base.name) : &base;
  if (chain == nullptr || chain->contents == Contents::kNotRead) {
    results.push_back(Unknown(table, base, nullptr, std::move(packet), "a chain that could not be read"));
    return results;
  }
  std::vector<Packet> packets;
  packets.push_back(std::move(packet));
  const bool drops = base.base && base.base->policy_drop;
  for (Packet& fallen : RunChain(table, *chain, context, std::move(packets), 0, results)) {
    if (drops) {
      Stop(ChainResult::Kind::kDrop, std::move(fallen), table, base, nullptr, results);
    } else {
      results.push_back({ChainResult::Kind::kAccept, std::move(fallen), &table, &base, nullptr, {}});
    }
  }
  return results;
}

std::vector<ChainResult> ChainEvaluator::RunJump(const Table& table, const std::string& chain,
                                                 const HookContext& context, Packet packet) {
  std::vector<ChainResult> results;
  const Chain* target = GetChain(table, chain);
  if (target == nullptr || target->contents == Contents::kNotRead) {
    results.push_back(
        {ChainResult::Kind::kUnknown, std::move(packet), &table, nullptr, nullptr, "a chain that is not there"});
    return results;
  }
  std::vector<Packet> packets;
  packets.push_back(std::move(packet));
  for (Packet& back : RunChain(table, *target, context, std::move(packets), 1, results)) {
    results.push_back({ChainResult::Kind::kAccept, std::move(back), &table, target, nullptr, {}});
  }
  return results;
}

}  // namespace finwait::firewall::eval
