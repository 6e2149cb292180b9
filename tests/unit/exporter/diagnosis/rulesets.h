#pragma once

#include <linux/netfilter/nf_tables.h>

#include <initializer_list>
#include <memory>
#include <vector>

#include "collectors/firewall/model/ruleset.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"

namespace finwait::diagnosis {

/// Bits of "ct state", as nf_conntrack_common.h numbers them.
inline constexpr unsigned kStateInvalid = 1;
inline constexpr unsigned kStateEstablished = 2;
inline constexpr unsigned kStateRelated = 4;
inline constexpr unsigned kStateNew = 8;
inline constexpr unsigned kStateUntracked = 64;

/// A rule that accepts what has an entry.
inline firewall::Rule AcceptsEstablished() {
  using namespace firewall;
  using namespace firewall::eval;
  Bitwise masked;
  masked.length = 4;
  masked.mask = ValueOf({kStateEstablished, 0, 0, 0});
  masked.xor_value = ValueOf({0, 0, 0, 0});
  Rule rule;
  rule.index = 1;
  rule.handle = 1;
  rule.expressions = {CtLoad{NFT_CT_STATE, {}, Register{0}}, masked,
                      Compare{NFT_CMP_NEQ, Register{0}, ValueOf({0, 0, 0, 0})}, Says(Verdict::Kind::kAccept)};
  return rule;
}

/// A ruleset that drops every packet without an entry at `hooks`, by policies of iptables-nft's table filter, for both
/// families.
inline std::shared_ptr<const firewall::Ruleset> DropsAt(std::initializer_list<firewall::Hook> hooks) {
  auto ruleset = std::make_shared<firewall::Ruleset>();
  for (const auto family : {firewall::TableFamily::kIpv4, firewall::TableFamily::kIpv6}) {
    firewall::Table table;
    table.family = family;
    table.name = "filter";
    table.dialect = firewall::Dialect::kIptables;
    for (const firewall::Hook hook : hooks) {
      auto chain = std::make_shared<firewall::Chain>();
      chain->name = hook == firewall::Hook::kInput ? "INPUT" : "OUTPUT";
      chain->base.emplace();
      chain->base->hook = hook;
      chain->base->policy_drop = true;
      chain->rules.push_back(AcceptsEstablished());
      table.chains[chain->name] = chain;
    }
    ruleset->tables.push_back(std::move(table));
  }
  return ruleset;
}

/// A ruleset that drops every packet of `state` at `hook`: nft's "ct state ... drop".
inline std::shared_ptr<const firewall::Ruleset> DropsStateAt(firewall::Hook hook, unsigned state) {
  using namespace firewall;
  using namespace firewall::eval;
  const Value none = ValueOf({0, 0, 0, 0});
  Bitwise masked;
  masked.length = 4;
  masked.mask = ValueOf({state, 0, 0, 0});
  masked.xor_value = none;
  HandMadeTable table;
  table.Base("chain", hook,
             {{CtLoad{NFT_CT_STATE, {}, Register{0}}, masked, Compare{NFT_CMP_NEQ, Register{0}, none}, Drops()}});
  return std::make_shared<const Ruleset>(table.AsRuleset());
}

/// Bits of "tcp flags".
inline constexpr unsigned kFlagFin = 1;
inline constexpr unsigned kFlagRst = 4;
inline constexpr unsigned kFlagAck = 16;

/// A rule that drops what `matches` let through and has `flag`, whatever its state: nft's "tcp flags ... drop".
inline std::vector<firewall::Expression> DropsFlag(unsigned flag, std::vector<firewall::Expression> matches = {}) {
  using namespace firewall;
  using namespace firewall::eval;
  Bitwise masked;
  masked.length = 1;
  masked.mask = ValueOf({flag});
  masked.xor_value = ValueOf({0});
  matches.push_back(PayloadLoad{NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, Register{0}});
  matches.push_back(masked);
  matches.push_back(Compare{NFT_CMP_NEQ, Register{0}, ValueOf({0})});
  matches.push_back(Drops());
  return matches;
}

/// A ruleset that drops every packet with `flag` at `hook`.
inline std::shared_ptr<const firewall::Ruleset> DropsFlagAt(firewall::Hook hook, unsigned flag) {
  firewall::eval::HandMadeTable table;
  table.Base("chain", hook, {DropsFlag(flag)});
  return std::make_shared<const firewall::Ruleset>(table.AsRuleset());
}

/// A ruleset of which nothing could be read.
inline std::shared_ptr<const firewall::Ruleset> UnreadableRules() {
  auto ruleset = std::make_shared<firewall::Ruleset>();
  ruleset->unread.push_back(
      {firewall::Backend::kNft, {}, "", {FailureReason::kPermission, 0, "the rules may not be read"}});
  return ruleset;
}

}  // namespace finwait::diagnosis
