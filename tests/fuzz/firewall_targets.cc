#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "collectors/firewall/legacy_blob.h"
#include "collectors/firewall/nft_expressions.h"
#include "collectors/firewall/nft_reader.h"
#include "collectors/firewall/nft_sets.h"
#include "tests/fuzz/recording.h"
#include "tests/fuzz/ruleset_use.h"
#include "tests/fuzz/target.h"

namespace finwait::fuzz {
namespace {

using namespace firewall;  // NOLINT(google-build-using-namespace): half of its names are used

std::shared_ptr<Chain> FilterChain(Hook hook) {
  auto chain = std::make_shared<Chain>();
  chain->name = "filter";
  chain->base.emplace();
  chain->base->hook = hook;
  return chain;
}

/// One table with `rule` in its input and output chains, and `set`.
Ruleset WithRule(const Rule& rule, std::shared_ptr<const Set> set = nullptr) {
  Table table;
  table.family = TableFamily::kInet;
  table.name = "fuzz";
  for (const Hook hook : {Hook::kInput, Hook::kOutput}) {
    auto chain = FilterChain(hook);
    chain->name += Name(hook);
    chain->rules.push_back(rule);
    chain->rules.back().index = 1;
    table.chains[chain->name] = std::move(chain);
  }
  if (set != nullptr) {
    table.sets[set->name] = std::move(set);
  }
  Ruleset ruleset;
  ruleset.tables.push_back(std::move(table));
  return ruleset;
}

}  // namespace

void RunNftRuleset(std::span<const std::byte> input) {
  auto channel = HostThatAnswers(SplitRecording(input)).open_channel(NETLINK_NETFILTER);
  const auto deadline = Deadline::After(std::chrono::seconds(10));
  const auto read = NftReader(*channel, deadline).ReadAll();
  if (!read) {
    Require(!read.error().message.empty(), "a failure says what failed");
    return;
  }
  Ruleset ruleset;
  ruleset.tables = read->tables;
  ruleset.generation = read->generation;
  ruleset.torn = read->torn;
  ruleset.unread = read->unread;
  UseRuleset(ruleset);
}

void RunNftRule(std::span<const std::byte> input) {
  Rule rule;
  rule.handle = 7;
  rule.expressions = DecodeExpressions(input);
  Require(rule.expressions.size() <= kMaxExpressions + 1, "a rule's expressions are bounded");
  UseRuleset(WithRule(rule));
}

void RunNftSet(std::span<const std::byte> input) {
  const Datagrams parts = SplitRecording(input);
  auto description = parts.empty() ? std::nullopt : DecodeSet(parts.front());
  if (!description) {
    return;
  }
  constexpr std::size_t kMostElements = 256;
  SetBuilder builder(std::move(*description), kMostElements);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    builder.Add(parts[i]);
  }
  auto set = std::make_shared<const Set>(builder.Finish());
  Require(set->elements.size() <= kMostElements + 1, "a set's elements are bounded");
  for (const SetElement& element : set->elements) {
    Require(element.catch_all || element.key.size() == set->key_length, "a key is as long as the set's keys");
    Require(!element.key_end || element.key_end->size() == set->key_length, "so is the end of a range");
  }
  for (const bool inverted : {false, true}) {
    for (const std::uint32_t offset : {0U, 12U}) {
      // The transport header's ports, or the network header from its source address on.
      Rule rule;
      rule.handle = 7;
      const std::uint32_t length = std::min(set->key_length, offset == 0 ? 20U : 8U);
      rule.expressions.emplace_back(PayloadLoad{offset == 0 ? 2U : 1U, offset, length, Register{0}});
      rule.expressions.emplace_back(Lookup{set->name, Register{0},
                                           set->map && !set->verdict_map ? std::optional(Register{16}) : std::nullopt,
                                           set->verdict_map, inverted});
      rule.expressions.emplace_back(VerdictStatement{Verdict{Verdict::Kind::kDrop, {}}});
      UseRuleset(WithRule(rule, set));
    }
  }
}

void RunLegacyTable(std::span<const std::byte> input) {
  // A flag for IPv6, then what IPT_SO_GET_INFO tells, then the entries.
  constexpr std::size_t kNumbers = 1 + kLegacyHooks + kLegacyHooks + 1;
  if (input.size() < 1 + kNumbers * sizeof(std::uint32_t)) {
    return;
  }
  const TableFamily family = (std::to_integer<unsigned>(input[0]) & 1U) != 0 ? TableFamily::kIpv6 : TableFamily::kIpv4;
  std::array<std::uint32_t, kNumbers> numbers = {};
  std::memcpy(numbers.data(), input.data() + 1, sizeof numbers);
  LegacyTableInfo info;
  info.valid_hooks = numbers[0];
  std::copy_n(numbers.begin() + 1, kLegacyHooks, info.hook_entry.begin());
  std::copy_n(numbers.begin() + 1 + kLegacyHooks, kLegacyHooks, info.underflow.begin());
  info.entries = numbers.back();
  // A block of exactly this size: a memory checker sees a byte read past the end.
  const auto blob = input.subspan(1 + sizeof numbers);
  const std::vector<std::byte> entries(blob.begin(), blob.end());
  info.size = static_cast<std::uint32_t>(entries.size());

  constexpr std::size_t kMostRules = 64;
  auto decoded = DecodeLegacyTable(family, "filter", info, entries, kMostRules);
  if (!decoded) {
    Require(!decoded.error().message.empty(), "a failure says what failed");
    return;
  }
  std::size_t rules = 0;
  for (const auto& [name, chain] : decoded->table.chains) {
    rules += chain->rules.size();
  }
  Require(rules <= kMostRules, "rules are bounded");
  Ruleset ruleset;
  ruleset.tables.push_back(std::move(decoded->table));
  UseRuleset(ruleset);
}

}  // namespace finwait::fuzz
