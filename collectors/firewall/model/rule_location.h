#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall {

/// Where a rule is, in the terms of the tool that made it.
struct RuleLocation {
  Backend backend = Backend::kNft;
  TableFamily family = TableFamily::kIpv4;
  std::string table;
  std::string chain;
  std::optional<std::uint64_t> handle;      ///< nft
  std::optional<std::uint32_t> rule_index;  ///< legacy, from 1
  bool operator==(const RuleLocation&) const = default;
};

}  // namespace finwait::firewall
