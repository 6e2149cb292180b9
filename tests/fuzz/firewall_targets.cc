#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "collectors/firewall/read/legacy_blob.h"
#include "collectors/firewall/read/nft_expressions.h"
#include "collectors/firewall/read/nft_reader.h"
#include "collectors/firewall/read/nft_sets.h"
#include "tests/fuzz/recording.h"
#include "tests/fuzz/ruleset_use.h"
#include "tests/fuzz/target.h"

namespace finwait::fuzz {
namespace {

using namespace firewall;  // NOLINT(google-build-using-namespace): half of its names are used

std::shared_ptr<firewall::Chain> FilterChain(firewall::Hook hook) {
  auto chain = std::make_shared<firewall::Chain>();
  chain->name = "filter";
  chain->base.emplace();
  chain->base->hook = hook;
  return chain;
}

/// One table with `rule` in its input and output chains, and `set`.
firewall::Ruleset WithRule(const firewall::Rule& rule, std::shared_ptr<const firewall::Set> set = nullptr) {
  firewall::Table table;
  table.family = firewall::TableFamily::kInet;
  table.name = "fuzz";
  for (const firewall::Hook hook : {firewall::Hook::kInput, firewall::Hook::kOutput}) {
    auto chain = FilterChain(hook);
    chain->name += Name(hook);
    chain->rules.push_back(rule);
    chain->rules.back().index = 1;
    table.chains[chain->name] = std::move(chain);
  }
  if (set != nullptr) {
    table.sets[set->name] = std::move(set);
  }
  firewall::Ruleset ruleset;
  ruleset.tables.push_back(std::move(table));
  return ruleset;
}

}  // namespace

void RunNftRuleset(std::span<const std::byte> input) {
  auto channel = HostThatAnswers(SplitRecording(input)).open_channel(NETLINK_NETFILTER);
  const auto deadline = Deadline::After(std::chrono::seconds(10));
  const auto read = firewall::read::NftReader(*channel, deadline).ReadAll();
  if (!read) {
    Require(!read.error().message.empty(), "a failure says what failed");
    return;
  }
  firewall::Ruleset ruleset;
  ruleset.tables = read->tables;
  ruleset.generation = read->generation;
  ruleset.torn = read->torn;
  ruleset.unread = read->unread;
  UseRuleset(ruleset);
}

void RunNftRule(std::span<const std::byte> input) {
  firewall::Rule rule;
  rule.handle = 7;
  rule.expressions = firewall::read::DecodeExpressions(input);
  Require(rule.expressions.size() <= firewall::read::kMaxExpressions + 1, "a rule's expressions are bounded");
  UseRuleset(WithRule(rule));
}

void RunNftSet(std::span<const std::byte> input) {
  const Datagrams parts = SplitRecording(input);
  auto description = parts.empty() ? std::nullopt : firewall::read::DecodeSet(parts.front());
  if (!description) {
    return;
  }
  constexpr std::size_t kMostElements = 256;
  firewall::read::SetBuilder builder(std::move(*description), kMostElements);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    builder.Add(parts[i]);
  }
  auto set = std::make_shared<const firewall::Set>(builder.Finish());
  Require(set->elements.size() <= kMostElements + 1, "a set's elements are bounded");
  for (const firewall::SetElement& element : set->elements) {
    Require(element.catch_all || element.key.size() == set->key_length, "a key is as long as the set's keys");
    Require(!element.key_end || element.key_end->size() == set->key_length, "so is the end of a range");
  }
  for (const bool inverted : {false, true}) {
    for (const std::uint32_t offset : {0U, 12U}) {
      // The transport header's ports, or the network header from its source address on.
      firewall::Rule rule;
      rule.handle = 7;
      const std::uint32_t length = std::min(set->key_length, offset == 0 ? 20U : 8U);
      rule.expressions.emplace_back(
          firewall::PayloadLoad{offset == 0 ? 2U : 1U, offset, length, firewall::Register{0}});
      rule.expressions.emplace_back(
          firewall::Lookup{set->name, firewall::Register{0},
                           set->map && !set->verdict_map ? std::optional(firewall::Register{16}) : std::nullopt,
                           set->verdict_map, inverted});
      rule.expressions.emplace_back(firewall::VerdictStatement{firewall::Verdict{firewall::Verdict::Kind::kDrop, {}}});
      UseRuleset(WithRule(rule, set));
    }
  }
}

void RunLegacyTable(std::span<const std::byte> input) {
  // A flag for IPv6, then what IPT_SO_GET_INFO tells, then the entries.
  constexpr std::size_t kNumbers = 1 + firewall::read::kLegacyHooks + firewall::read::kLegacyHooks + 1;
  if (input.size() < 1 + kNumbers * sizeof(std::uint32_t)) {
    return;
  }
  const firewall::TableFamily family =
      (std::to_integer<unsigned>(input[0]) & 1U) != 0 ? firewall::TableFamily::kIpv6 : firewall::TableFamily::kIpv4;
  std::array<std::uint32_t, kNumbers> numbers = {};
  std::memcpy(numbers.data(), input.data() + 1, sizeof numbers);
  firewall::read::LegacyTableInfo info;
  info.valid_hooks = numbers[0];
  std::copy_n(numbers.begin() + 1, firewall::read::kLegacyHooks, info.hook_entry.begin());
  std::copy_n(numbers.begin() + 1 + firewall::read::kLegacyHooks, firewall::read::kLegacyHooks, info.underflow.begin());
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
  firewall::Ruleset ruleset;
  ruleset.tables.push_back(std::move(decoded->table));
  UseRuleset(ruleset);
}

}  // namespace finwait::fuzz
