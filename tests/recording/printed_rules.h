#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/read/rule_part_reader.h"
#include "tests/lab/namespace.h"

namespace finwait::recording {

/// The rules of `where` as their own tools print them, without counters: `nft --stateless list ruleset`, then each
/// `*-save` that has any, each under a line `# TOOL`.
std::string PrintedByTools(const lab::Namespace& where);

/// One rule, printed by its tool and by the product.
struct PrintedRule {
  std::string place;  ///< "nft ip filter OUTPUT 1"
  std::string tool;
  std::string product;
};

/// Every rule that PrintedByTools lists, beside RuleText's version of it. A table or chain that the product does not
/// read, or a chain with another number of rules, is a rule with an empty text.
std::vector<PrintedRule> PrintedByBoth(const std::string& printed, const firewall::Ruleset& ruleset,
                                       firewall::read::RulePartReader& resolver);

/// Why the two texts do not say the same; empty where they do. Options of an extension that the product does not print
/// are left out of the comparison, and the extension's name goes to `not_printed`. `otherwise`: what the product says
/// instead of a tool's text, as a case's file `otherwise.txt` has it: lines `tool: TEXT` and `here: TEXT` in turn.
std::string Difference(const PrintedRule& rule, const std::map<std::string, std::string>& otherwise,
                       std::set<std::string>& not_printed);
std::map<std::string, std::string> ParseOtherwise(const std::string& text);

}  // namespace finwait::recording
