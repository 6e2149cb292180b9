#include "collectors/firewall/print/rule_text.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "tests/kernel/collectors/firewall/firewall_lab.h"

namespace finwait::firewall::print {
namespace {

using lab::Fixture;
using lab::Lines;
using lab::Namespace;

// What a tool prints, by table: the rules of each chain in order.
using Chains = std::map<std::string, std::vector<std::string>>;
using Tables = std::map<std::string, Chains>;

Tables ParseSave(const std::string& save) {
  Tables tables;
  std::string table;
  for (const std::string& line : Lines(save)) {
    if (line.starts_with("*")) {
      table = line.substr(1);
    } else if (line.starts_with("-A ")) {
      tables[table][line.substr(3, line.find(' ', 3) - 3)].push_back(line);
    }
  }
  return tables;
}

std::vector<std::string> TextsOf(const Table& table, const Chain& chain) {
  std::vector<std::string> texts;
  for (const Rule& rule : chain.rules) {
    texts.push_back(RuleText(table, chain, rule));
  }
  return texts;
}

// Equal, but for the options of extensions that the product does not print; the names of these go to `not_printed`.
void ExpectSameRule(const std::string& printed, const std::string& expected, std::set<std::string>& not_printed) {
  const std::size_t gap = printed.find(" [...]");
  if (gap == std::string::npos) {
    EXPECT_EQ(printed, expected);
    return;
  }
  EXPECT_EQ(printed.substr(0, gap), expected.substr(0, gap));
  const std::size_t name = printed.rfind(' ', gap - 1) + 1;
  not_printed.insert(printed.substr(name, gap - name));
}

std::set<std::string> ComparedWithSave(const Namespace& where, const std::vector<Table>& tables, const Tables& saved) {
  std::set<std::string> not_printed;
  std::size_t compared = 0;
  for (const auto& [name, chains] : saved) {
    const auto table =
        std::find_if(tables.begin(), tables.end(), [&](const Table& candidate) { return candidate.name == name; });
    if (table == tables.end()) {
      ADD_FAILURE() << "table " << name << " was not read";
      continue;
    }
    for (const auto& [chain_name, expected] : chains) {
      const Chain* read = FindChain(*table, chain_name);
      const auto chain = read != nullptr && read->contents == Contents::kComplete
                             ? std::make_shared<const Chain>(*read)
                             : lab::ResolvedChain(where, *table, chain_name);
      const auto printed = TextsOf(*table, *chain);
      EXPECT_EQ(printed.size(), expected.size()) << name << " " << chain_name;
      for (std::size_t i = 0; i < std::min(printed.size(), expected.size()); ++i) {
        ExpectSameRule(printed[i], expected[i], not_printed);
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 10U);
  return not_printed;
}

// Extensions whose options are left out, honestly; a change here is a change of what users see.
const std::set<std::string> kNotPrinted = {"string", "recent",  "hashlimit", "u32",    "quota",      "connlimit",
                                           "policy", "physdev", "devgroup",  "realm",  "cgroup",     "cpu",
                                           "esp",    "DSCP",    "TTL",       "TPROXY", "CONNSECMARK"};

TEST(RuleTextTest, IptablesNftRulesReadAsIptablesSavePrintsThem) {
  const Namespace where;
  lab::Load(where, {"iptables-restore"}, Fixture("iptables.rules"));
  const auto saved = ParseSave(where.Shell("iptables-save"));
  const std::set<std::string> not_printed = ComparedWithSave(where, lab::ReadNft(where).tables, saved);
  EXPECT_EQ(not_printed, kNotPrinted);
}

TEST(RuleTextTest, LegacyRulesReadAsIptablesLegacySavePrintsThem) {
  const Namespace where;
  lab::Load(where, {"iptables-legacy-restore"}, Fixture("iptables.rules"));
  const auto saved = ParseSave(where.Shell("iptables-legacy-save"));
  const std::set<std::string> not_printed = ComparedWithSave(where, lab::ReadLegacy(where).tables, saved);
  EXPECT_EQ(not_printed, kNotPrinted);
}

TEST(RuleTextTest, Ip6tablesRulesReadAsTheirToolsPrintThem) {
  const Namespace where;
  lab::Load(where, {"ip6tables-restore"}, Fixture("ip6tables.rules"));
  lab::Load(where, {"ip6tables-legacy-restore"}, Fixture("ip6tables.rules"));
  const auto nft = ParseSave(where.Shell("ip6tables-save"));
  EXPECT_EQ(ComparedWithSave(where, lab::ReadNft(where).tables, nft), (std::set<std::string>{"frag", "rt"}));
  const auto legacy = ParseSave(where.Shell("ip6tables-legacy-save"));
  EXPECT_EQ(ComparedWithSave(where, lab::ReadLegacy(where).tables, legacy), (std::set<std::string>{"frag", "rt"}));
}

// `nft --stateless list ruleset`, cut into rules.
Tables ParseNft(const std::string& listing) {
  Tables tables;
  std::string table;
  std::string chain;
  for (const std::string& line : Lines(listing)) {
    if (line.starts_with("table ")) {
      table = line.substr(6, line.find(" {") - 6);
    } else if (line.starts_with("\tchain ")) {
      chain = line.substr(7, line.find(" {") - 7);
    } else if (line == "\t}") {
      chain.clear();
    } else if (!chain.empty() && line.starts_with("\t\t") && !line.starts_with("\t\ttype ")) {
      tables[table][chain].push_back(line.substr(2));
    }
  }
  return tables;
}

// With a set's elements in the order of their texts: nft orders concatenations by a rule of its own.
std::string WithSortedElements(const std::string& rule) {
  const std::size_t open = rule.find("{ ");
  const std::size_t close = rule.find(" }");
  if (open == std::string::npos || close == std::string::npos || rule.find(" . ") == std::string::npos) {
    return rule;
  }
  std::set<std::string> elements;
  std::istringstream inside(rule.substr(open + 2, close - open - 2));
  for (std::string element; std::getline(inside, element, ',');) {
    elements.insert(element.substr(element.find_first_not_of(' ')));
  }
  std::string sorted;
  for (const std::string& element : elements) {
    sorted += (sorted.empty() ? "" : ", ") + element;
  }
  return rule.substr(0, open + 2) + sorted + rule.substr(close);
}

TEST(RuleTextTest, NativeRulesReadAsNftListPrintsThem) {
  // What nft has words for and the product has not: it says so, or says it in nft's words for raw bytes.
  const std::map<std::string, std::string> kOtherwise = {
      {"ip dscp af11 drop", "meta nfproto ipv4 @nh,8,8 & 0xfc == 0x28 drop"},
      {"icmp code port-unreachable drop", "icmp code 3 drop"},
      {"tcp option maxseg size set 1460", "[exthdr]"},
      {"tcp flags syn tcp option maxseg size set rt mtu", "tcp flags syn [exthdr]"},
  };
  const Namespace where;
  lab::LoadNft(where, Fixture("native.nft"));
  const auto listed = ParseNft(where.Shell("nft --stateless list ruleset"));
  std::size_t compared = 0;
  for (const Table& table : lab::ReadNft(where).tables) {
    for (const auto& [chain_name, expected] : listed.at(std::string(Name(table.family)) + " " + table.name)) {
      const Chain* read = FindChain(table, chain_name);
      ASSERT_NE(read, nullptr);
      const auto chain = read->contents == Contents::kComplete ? std::make_shared<const Chain>(*read)
                                                               : lab::ResolvedChain(where, table, chain_name);
      const auto printed = TextsOf(table, *chain);
      ASSERT_EQ(printed.size(), expected.size());
      for (std::size_t i = 0; i < printed.size(); ++i) {
        const auto otherwise = kOtherwise.find(expected[i]);
        EXPECT_EQ(WithSortedElements(printed[i]),
                  WithSortedElements(otherwise != kOtherwise.end() ? otherwise->second : expected[i]));
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 130U);
}

}  // namespace
}  // namespace finwait::firewall::print
