#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "collectors/firewall/print/rule_text.h"
#include "tests/kernel/collectors/firewall/firewall_lab.h"

// Rulesets put together at random, read by the product and by the tools that loaded them.
namespace finwait::firewall::eval {
namespace {

using lab::Namespace;

constexpr unsigned kRulesets = 20;

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::size_t Below(std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(engine_); }
  bool OneIn(std::size_t n) { return Below(n) == 0; }
  template <typename T>
  const T& Of(const std::vector<T>& choices) {
    return choices[Below(choices.size())];
  }

 private:
  std::mt19937 engine_;
};

// Packets over loopback, so that rules have something to count. Both ends are gone when this returns, and nothing more
// is on its way: TIME_WAIT answers nobody.
void SendTraffic(const Namespace& where) {
  for (int i = 0; i < 3; ++i) {
    lab::SendPacket(where);
  }
}

// --- iptables -------------------------------------------------------------------------------------------------------

const std::vector<std::string> kXtMatches = {"-p udp",
                                             "! -p tcp",
                                             "-p udp -m udp --dport 9",
                                             "-p tcp -m tcp --dport 22:80",
                                             "-p tcp -m tcp --tcp-flags SYN,ACK SYN",
                                             "-i lo",
                                             "! -i eth+",
                                             "-m conntrack --ctstate INVALID",
                                             "-m conntrack ! --ctstate INVALID,NEW",
                                             "-m state --state ESTABLISHED",
                                             "-m mark --mark 0x1/0xff",
                                             "-m comment --comment \"with \\\"quotes\\\"\"",
                                             "-m limit --limit 5/min",
                                             "-p udp -m multiport --dports 1,9,100:200",
                                             ""};
const std::vector<std::string> kXtAddresses = {"-s 127.0.0.0/8", "! -d 192.0.2.1/32", "-d 127.0.0.1/32", ""};
const std::vector<std::string> kXtAddresses6 = {"-s ::1/128", "! -d 2001:db8::/33", "-d 2001:db8::1/128", ""};
const std::vector<std::string> kXtTargets = {"ACCEPT", "DROP", "RETURN", "REJECT", "LOG", "USER0", "USER1"};

std::string RandomSave(Dice& dice, bool ipv6) {
  std::string save =
      "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:USER0 - [0:0]\n:USER1 - [0:0]\n";
  for (const std::string chain : {"INPUT", "OUTPUT", "FORWARD", "USER0", "USER1"}) {
    for (std::size_t rules = dice.Below(12); rules > 0; --rules) {
      std::string target = dice.Of(kXtTargets);
      if (chain.starts_with("USER") && target.starts_with("USER")) {
        target = chain == "USER0" ? "USER1" : "ACCEPT";  // no loops
      }
      std::string match = dice.Of(kXtMatches);
      if (match == "-i lo" || match == "! -i eth+") {
        match = chain == "INPUT" ? match : "";
      }
      save += "-A " + chain + " " + dice.Of(ipv6 ? kXtAddresses6 : kXtAddresses) + " " + match + " -j " + target + "\n";
    }
  }
  return save + "COMMIT\n";
}

// "[packets:bytes] -A CHAIN ..." and ":CHAIN POLICY [packets:bytes]", as iptables-save -c prints them.
std::vector<std::string> SavedLines(const Table& table) {
  std::vector<std::string> lines;
  const auto counted = [](const Counter& counter) {
    return "[" + std::to_string(counter.packets) + ":" + std::to_string(counter.bytes) + "]";
  };
  for (const auto& [name, chain] : table.chains) {
    if (chain->base) {
      lines.push_back(":" + name + (chain->base->policy_drop ? " DROP " : " ACCEPT ") +
                      counted(chain->base->policy_counter.value_or(Counter{})));
    }
    for (const Rule& rule : chain->rules) {
      const auto counter =
          std::find_if(rule.expressions.begin(), rule.expressions.end(),
                       [](const Expression& expression) { return std::holds_alternative<Counter>(expression); });
      lines.push_back((counter != rule.expressions.end() ? counted(std::get<Counter>(*counter)) : "[none]") + " " +
                      print::RuleText(table, *chain, rule));
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

// Of the chains that `table` holds, in any order between chains; user chains without a rule leave no line.
std::vector<std::string> OracleLines(const std::string& save, const Table& table) {
  std::vector<std::string> lines;
  for (const std::string& line : lab::Lines(save)) {
    const bool rule = line.starts_with("[");
    const std::size_t name = rule ? line.find("-A ") + 3 : 1;
    const std::string chain = line.substr(name, line.find(' ', name) - name);
    const bool base = line.starts_with(":") && line.find(" - [") == std::string::npos;
    if ((rule || base) && FindChain(table, chain) != nullptr) {
      lines.push_back(line);
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST(RandomRulesetsTest, LegacyAndIptablesNftSideBySideReadAsTheirToolsSaveThem) {
  for (unsigned seed = 1; seed <= kRulesets; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    const Namespace where;
    lab::Load(where, {"iptables-legacy-restore"}, RandomSave(dice, false));
    lab::Load(where, {"ip6tables-legacy-restore"}, RandomSave(dice, true));
    lab::Load(where, {"iptables-restore"}, RandomSave(dice, false));
    lab::Load(where, {"ip6tables-restore"}, RandomSave(dice, true));
    SendTraffic(where);
    const auto nft = lab::ReadNft(where).tables;
    const auto legacy = lab::ReadLegacy(where).tables;
    ASSERT_EQ(nft.size(), 2U);
    ASSERT_EQ(legacy.size(), 2U);
    for (const auto* tables : {&nft, &legacy}) {
      for (const Table& table : *tables) {
        const std::string tool = std::string(table.family == TableFamily::kIpv6 ? "ip6tables" : "iptables") +
                                 (table.backend == Backend::kLegacy ? "-legacy-save" : "-save") + " -c";
        const auto lines = SavedLines(table);
        EXPECT_EQ(lines, OracleLines(where.Shell(tool), table)) << tool;
        EXPECT_GE(lines.size(), 3U);
      }
    }
  }
}

// --- native nft -----------------------------------------------------------------------------------------------------

const std::vector<std::string> kNftMatches = {"udp dport 9 counter",
                                              "counter ct state invalid",
                                              "tcp dport { 22, 80-90 }",
                                              "udp dport @ports counter",
                                              "meta mark 1",
                                              "iifname \"lo\" counter",
                                              "ct state established,related counter",
                                              "meta l4proto { tcp, udp } counter",
                                              ""};
const std::vector<std::string> kNftVerdicts = {"accept",
                                               "drop",
                                               "return",
                                               "reject",
                                               "continue",
                                               "jump a",
                                               "jump b",
                                               "goto c",
                                               "goto d",
                                               "th dport vmap { 9 : jump a, 10 : goto d }",
                                               "ct state vmap { invalid : drop, new : jump c }"};

std::string RandomTable(Dice& dice, const std::string& family) {
  std::string table =
      "table " + family + " t {\n set ports { type inet_service; flags interval; elements = { 1-9, 100 }\n }\n";
  // Chains a to d, each leading only to those before it.
  const std::vector<std::string> names = {"a", "b", "c", "d"};
  const auto rules = [&](std::size_t reachable) {
    std::string text;
    for (std::size_t count = dice.Below(8); count > 0; --count) {
      std::string verdict = dice.Of(kNftVerdicts);
      for (std::size_t i = reachable; i < names.size(); ++i) {
        if (verdict.find("jump " + names[i]) != std::string::npos ||
            verdict.find("goto " + names[i]) != std::string::npos) {
          verdict = "accept";
        }
      }
      text += "  " + dice.Of(kNftMatches) + " " + verdict +
              (dice.OneIn(3) ? " comment \"number " + std::to_string(count) + "\"" : "") + "\n";
    }
    return text;
  };
  for (std::size_t i = 0; i < names.size(); ++i) {
    table += " chain " + names[i] + " {\n" + rules(i) + " }\n";
  }
  const std::vector<std::string> hooks = {"input", "forward", "output"};  // where reject works
  for (std::size_t i = 0; i < 1 + dice.Below(4); ++i) {
    table += " chain base" + std::to_string(i) + " {\n  type filter hook " + dice.Of(hooks) + " priority " +
             std::to_string(static_cast<int>(dice.Below(400)) - 200) + "; policy " +
             (dice.OneIn(3) ? "drop" : "accept") + ";\n" + rules(names.size()) + " }\n";
  }
  return table + "}\n";
}

using Json = nlohmann::json;

// What a rule's JSON and its model have in common: "handle comment packets,packets...".
std::string Digest(std::uint64_t handle, const std::string& comment, const std::vector<std::uint64_t>& packets) {
  std::string digest = std::to_string(handle) + " " + comment;
  for (const std::uint64_t count : packets) {
    digest += " " + std::to_string(count);
  }
  return digest;
}

using Digests = std::map<std::string, std::vector<std::string>>;  // "family table chain" -> rules

Digests DigestsOf(const std::vector<Table>& tables) {
  Digests digests;
  for (const Table& table : tables) {
    for (const auto& [name, chain] : table.chains) {
      auto& rules = digests[std::string(Name(table.family)) + " " + table.name + " " + name];
      for (const Rule& rule : chain->rules) {
        std::vector<std::uint64_t> packets;
        for (const Expression& expression : rule.expressions) {
          if (const auto* counter = std::get_if<Counter>(&expression)) {
            packets.push_back(counter->packets);
          }
        }
        rules.push_back(Digest(*rule.handle, rule.comment, packets));
      }
    }
  }
  return digests;
}

// Every chain that "jump" or "goto" names somewhere in `json`.
void FindTargets(const Json& json, std::set<std::string>& targets) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      if ((key == "jump" || key == "goto") && value.contains("target")) {
        targets.insert(value["target"].get<std::string>());
      }
      FindTargets(value, targets);
    }
  } else if (json.is_array()) {
    for (const Json& element : json) {
      FindTargets(element, targets);
    }
  }
}

Digests DigestsOf(const Json& listing) {
  struct Oracle {
    std::vector<std::string> rules;
    std::set<std::string> targets;
    bool base = false;
  };
  std::map<std::string, Oracle> chains;
  for (const Json& item : listing.at("nftables")) {
    if (item.contains("chain")) {
      const Json& chain = item["chain"];
      chains[chain["family"].get<std::string>() + " " + chain["table"].get<std::string>() + " " +
             chain["name"].get<std::string>()]
          .base = chain.contains("hook");
    } else if (item.contains("rule")) {
      const Json& rule = item["rule"];
      const std::string table = rule["family"].get<std::string>() + " " + rule["table"].get<std::string>() + " ";
      Oracle& chain = chains[table + rule["chain"].get<std::string>()];
      std::vector<std::uint64_t> packets;
      for (const Json& expression : rule["expr"]) {
        if (expression.contains("counter")) {
          packets.push_back(expression["counter"]["packets"].get<std::uint64_t>());
        }
      }
      chain.rules.push_back(Digest(rule["handle"].get<std::uint64_t>(), rule.value("comment", ""), packets));
      std::set<std::string> targets;
      FindTargets(rule["expr"], targets);
      for (const std::string& target : targets) {
        chain.targets.insert(table + target);
      }
    }
  }
  Digests reached;
  std::vector<std::string> queue;
  for (const auto& [name, chain] : chains) {
    if (chain.base) {
      queue.push_back(name);
    }
  }
  while (!queue.empty()) {
    const std::string name = queue.back();
    queue.pop_back();
    if (reached.emplace(name, chains[name].rules).second) {
      queue.insert(queue.end(), chains[name].targets.begin(), chains[name].targets.end());
    }
  }
  return reached;
}

TEST(RandomRulesetsTest, NativeRulesetsReadAsNftListsThem) {
  for (unsigned seed = 1; seed <= kRulesets; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    const Namespace where;
    for (const std::string family : {"ip", "ip6", "inet"}) {
      lab::LoadNft(where, RandomTable(dice, family));
    }
    SendTraffic(where);
    const read::NftRuleset ruleset = lab::ReadNft(where);
    EXPECT_FALSE(ruleset.torn);
    EXPECT_EQ(DigestsOf(ruleset.tables), DigestsOf(Json::parse(where.Shell("nft -j list ruleset"))));
  }
}

}  // namespace
}  // namespace finwait::firewall::eval
