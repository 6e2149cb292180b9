#include "tests/recording/printed_rules.h"

#include <algorithm>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "collectors/firewall/print/rule_text.h"

namespace finwait::recording {
namespace {

using firewall::Backend;
using firewall::Chain;
using firewall::Contents;
using firewall::Table;
using firewall::TableFamily;

struct Tool {
  const char* name;
  Backend backend;
  TableFamily family;
};
constexpr const char* kNftList = "nft --stateless list ruleset";
constexpr Tool kSaveTools[] = {{"iptables-nft-save", Backend::kNft, TableFamily::kIpv4},
                               {"ip6tables-nft-save", Backend::kNft, TableFamily::kIpv6},
                               {"iptables-legacy-save", Backend::kLegacy, TableFamily::kIpv4},
                               {"ip6tables-legacy-save", Backend::kLegacy, TableFamily::kIpv6}};

// A chain and its rules, as a tool prints them.
struct PrintedChain {
  Backend backend = Backend::kNft;
  std::string family;  // as nft writes it
  std::string table;
  std::string chain;
  std::vector<std::string> rules;
};

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

// What stays the same from run to run: no comments, which carry the time, and no counters of policies.
std::string StableSave(const std::string& save) {
  std::string stable;
  for (const std::string& line : Lines(save)) {
    if (!line.starts_with("#")) {
      stable += line.starts_with(":") ? line.substr(0, line.rfind(" [")) + "\n" : line + "\n";
    }
  }
  return stable;
}

void ParseSave(const std::vector<std::string>& lines, const Tool& tool, std::vector<PrintedChain>& chains) {
  std::string table;
  for (const std::string& line : lines) {
    if (line.starts_with("*")) {
      table = line.substr(1);
    } else if (line.starts_with("-A ")) {
      const std::string chain = line.substr(3, line.find(' ', 3) - 3);
      const auto same = std::find_if(chains.begin(), chains.end(), [&](const PrintedChain& one) {
        return one.backend == tool.backend && one.family == Name(tool.family) && one.table == table &&
               one.chain == chain && !one.rules.empty() && one.rules[0].starts_with("-A ");
      });
      if (same != chains.end()) {
        same->rules.push_back(line);
      } else {
        chains.push_back({tool.backend, std::string(Name(tool.family)), table, chain, {line}});
      }
    }
  }
}

void ParseNft(const std::vector<std::string>& lines, std::vector<PrintedChain>& chains) {
  std::string family;
  std::string table;
  PrintedChain* chain = nullptr;
  int depth = 0;  // of a chain without a name inside a rule
  for (const std::string& line : lines) {
    if (line.starts_with("table ")) {
      std::istringstream words(line.substr(6));
      words >> family >> table;
    } else if (line.starts_with("\tchain ")) {
      chains.push_back({Backend::kNft, family, table, line.substr(7, line.find(" {") - 7), {}});
      chain = &chains.back();
    } else if (line == "\t}") {
      chain = nullptr;
    } else if (chain != nullptr && line.starts_with("\t\t") && !line.starts_with("\t\ttype ") &&
               !line.starts_with("\t\tcomment ")) {
      if (depth > 0) {
        depth -= line == "\t\t}" ? 1 : 0;
      } else {
        chain->rules.push_back(line.substr(2));
        depth += line.ends_with("{") ? 1 : 0;
      }
    }
  }
}

std::vector<PrintedChain> Parse(const std::string& printed) {
  std::vector<PrintedChain> chains;
  std::map<std::string, std::vector<std::string>> sections;
  std::string tool;
  for (const std::string& line : Lines(printed)) {
    if (line.starts_with("# ")) {
      tool = line.substr(2);
    } else {
      sections[tool].push_back(line);
    }
  }
  ParseNft(sections[kNftList], chains);
  for (const Tool& each : kSaveTools) {
    ParseSave(sections[each.name], each, chains);
  }
  return chains;
}

const Table* FindTableOf(const firewall::Ruleset& ruleset, const PrintedChain& chain) {
  for (const Table& table : ruleset.tables) {
    if (table.backend == chain.backend && Name(table.family) == chain.family && table.name == chain.table) {
      return &table;
    }
  }
  return nullptr;
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

}  // namespace

std::string PrintedByTools(const lab::Namespace& where) {
  std::string printed = std::string("# ") + kNftList + "\n";
  for (const std::string& line : Lines(where.Shell(kNftList))) {
    if (!line.starts_with("#")) {
      printed += line + "\n";
    }
  }
  for (const Tool& tool : kSaveTools) {
    const std::string saved = StableSave(where.Shell(tool.name));
    if (!saved.empty()) {
      printed += "# " + std::string(tool.name) + "\n" + saved;
    }
  }
  return printed;
}

std::vector<PrintedRule> PrintedByBoth(const std::string& printed, const firewall::Ruleset& ruleset,
                                       firewall::read::RulePartReader& resolver) {
  std::vector<PrintedRule> rules;
  for (const PrintedChain& expected : Parse(printed)) {
    const std::string place =
        std::string(Name(expected.backend)) + " " + expected.family + " " + expected.table + " " + expected.chain;
    const bool nft_section = expected.rules.empty() || !expected.rules.front().starts_with("-A ");
    if (expected.family == "bridge" || expected.family == "arp") {
      continue;  // not read: no packet of a socket passes them
    }
    const Table* table = FindTableOf(ruleset, expected);
    if (table == nullptr) {
      rules.push_back({place, "the table", ""});
      continue;
    }
    // nft lists the tables of iptables-nft too, in words of its own: their tool is iptables-save.
    if (expected.backend == Backend::kNft && nft_section && table->dialect == firewall::Dialect::kIptables) {
      continue;
    }
    const Chain* listed = firewall::FindChain(*table, expected.chain);
    std::shared_ptr<const Chain> chain;
    if (listed != nullptr && listed->contents == Contents::kComplete) {
      chain = std::make_shared<const Chain>(*listed);
    } else if (auto read = resolver.ReadChain(*table, expected.chain)) {
      chain = *read;
    } else {
      rules.push_back({place, "the chain", read.error().message});
      continue;
    }
    for (std::size_t i = 0; i < std::max(chain->rules.size(), expected.rules.size()); ++i) {
      rules.push_back({place + " " + std::to_string(i + 1), i < expected.rules.size() ? expected.rules[i] : "",
                       i < chain->rules.size() ? firewall::print::RuleText(*table, *chain, chain->rules[i]) : ""});
    }
  }
  return rules;
}

std::string Difference(const PrintedRule& rule, const std::map<std::string, std::string>& otherwise,
                       std::set<std::string>& not_printed) {
  const auto other = otherwise.find(rule.tool);
  const std::string& expected = other != otherwise.end() ? other->second : rule.tool;
  const std::size_t gap = rule.product.find(" [...]");
  bool same = false;
  if (gap == std::string::npos) {
    same = WithSortedElements(rule.product) == WithSortedElements(expected);
  } else {
    same = rule.product.substr(0, gap) == expected.substr(0, gap);
    const std::size_t name = rule.product.rfind(' ', gap - 1) + 1;
    not_printed.insert(rule.product.substr(name, gap - name));
  }
  return same ? "" : rule.place + "\n  tool:    " + expected + "\n  product: " + rule.product;
}

std::map<std::string, std::string> ParseOtherwise(const std::string& text) {
  constexpr std::string_view kTool = "tool: ";
  constexpr std::string_view kHere = "here: ";
  std::map<std::string, std::string> otherwise;
  std::string tool;
  for (const std::string& line : Lines(text)) {
    if (line.starts_with(kTool)) {
      tool = line.substr(kTool.size());
    } else if (line.starts_with(kHere) && !tool.empty()) {
      otherwise[tool] = line.substr(kHere.size());
    } else if (!line.empty() && !line.starts_with("#")) {
      throw std::runtime_error("otherwise.txt: neither `tool: ` nor `here: `: " + line);
    }
  }
  return otherwise;
}

}  // namespace finwait::recording
