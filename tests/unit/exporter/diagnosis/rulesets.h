#pragma once

#include <initializer_list>
#include <memory>

#include "collectors/firewall/model/ruleset.h"

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

/// A ruleset of which nothing could be read.
inline std::shared_ptr<const firewall::Ruleset> UnreadableRules() {
  auto ruleset = std::make_shared<firewall::Ruleset>();
  ruleset->unread.push_back(
      {firewall::Backend::kNft, {}, "", {FailureReason::kPermission, 0, "the rules may not be read"}});
  return ruleset;
}

}  // namespace finwait::diagnosis
