#pragma once

#include <string>

#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/print/nft_field.h"
#include "collectors/firewall/print/rule_steps.h"

namespace finwait::firewall::print {

/// A statement as nft writes it; "[name]" for one it does not know how to print.
std::string NftStatementText(const Table& table, const PacketContext& context, const Statement& statement);

}  // namespace finwait::firewall::print
