#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall {

/// Which rule, or which policy, by value: what a tool needs to name it. It stays true when the ruleset that it was
/// taken from is gone. Two rules of one namespace never have equal ids at one time.
struct RuleId {
  Backend backend = Backend::kNft;
  Dialect dialect = Dialect::kNft;  ///< of the table; legacy tables are kIptables always
  TableFamily family = TableFamily::kIpv4;
  std::string table;
  std::string chain;
  std::optional<std::uint64_t> handle;  ///< nft; nothing for a policy
  std::optional<std::uint32_t> index;   ///< legacy: the position in the chain, from 1; nothing for a policy
  auto operator<=>(const RuleId&) const = default;

  bool IsPolicy() const { return !handle && !index; }
};

/// The id of `rule`, or of `chain`'s policy where `rule` is null.
RuleId IdOf(const Table& table, const Chain& chain, const Rule* rule);

/// "iptables-legacy table filter, chain OUTPUT, rule 7", or "the policy of nft table inet fw, chain out": where a rule
/// is, without what it says. Whoever names a rule names it so: by the tool that keeps it, whichever the backend.
std::string Describe(const RuleId& rule);

}  // namespace finwait::firewall
