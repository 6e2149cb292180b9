#pragma once

#include <string>

#include "collectors/firewall/ruleset.h"
#include "collectors/firewall/text/nft_field.h"
#include "collectors/firewall/text/rule_steps.h"

namespace finwait::firewall {

/// A statement as nft writes it; "[name]" for one it does not know how to print.
std::string NftStatementText(const Table& table, const PacketContext& context, const Statement& statement);

}  // namespace finwait::firewall
