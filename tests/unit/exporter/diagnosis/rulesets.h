#pragma once

#include <linux/netfilter/nf_tables.h>

#include <initializer_list>
#include <memory>

#include "collectors/firewall/model/ruleset.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"

namespace finwait::diagnosis {

/// A ruleset that drops every packet at `hooks`, by policies of iptables-nft's table filter, for both families.
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
      table.chains[chain->name] = chain;
    }
    ruleset->tables.push_back(std::move(table));
  }
  return ruleset;
}

/// Bits of "ct state", as nf_conntrack_common.h numbers them.
inline constexpr unsigned kStateInvalid = 1;
inline constexpr unsigned kStateNew = 8;

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

/// A ruleset of which nothing could be read.
inline std::shared_ptr<const firewall::Ruleset> UnreadableRules() {
  auto ruleset = std::make_shared<firewall::Ruleset>();
  ruleset->unread.push_back(
      {firewall::Backend::kNft, {}, "", {FailureReason::kPermission, 0, "the rules may not be read"}});
  return ruleset;
}

}  // namespace finwait::diagnosis
