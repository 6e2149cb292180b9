#pragma once

#include <string>
#include <vector>

#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/print/nft_field.h"

namespace finwait::firewall::print {

/// What a rule compares `fields` with: "@name", or an anonymous set's elements between braces, bounded. `set` is null
/// where the set was not read.
std::string NftSetText(const Set* set, const std::string& name, const std::vector<Field>& fields);

/// The keys of an anonymous verdict map at which packets are dropped, between braces. Empty where there is none, or
/// where not all elements are known.
std::string NftDroppedKeysText(const Set* set, const std::vector<Field>& fields);

/// "accept", "jump chain".
std::string NftVerdictText(const Verdict& verdict);

}  // namespace finwait::firewall::print
