#include "tests/kernel/collectors/firewall/eval/random_facts.h"

#include <stdexcept>
#include <string>
#include <vector>

namespace finwait::firewall::eval {
namespace {

using Tool = RandomTable::Tool;

bool IsIptables(Tool tool) { return tool != Tool::kNft; }
bool IsSix(Tool tool) { return tool == Tool::kIp6tablesNft || tool == Tool::kIp6tablesLegacy; }

// A set of one dimension, or of two, of the family.
std::string SetMatch(Dice& dice, bool six) {
  const std::string family = six ? "6" : "4";
  const std::string side = dice.Of({"src", "dst"});
  std::string match = "-m set " + dice.Not(30) + "--match-set ";
  switch (dice.Below(3)) {
    case 0:
      return match + dice.Of({"a", "n", "l"}) + family + " " + side;
    case 1:
      return match + "ports " + side;
    default:
      return match + dice.Of({"p", "r"}) + family + " " + side + "," + dice.Of({"src", "dst"});
  }
}

std::string MarkMatch(Dice& dice) {
  return "-m mark " + dice.Not(30) + "--mark " + dice.Of({"0x5", "0x1/0x1", "0x10", "0x0", "0x4/0xc"});
}

std::string Target(Dice& dice) { return dice.Of({" -j DROP", " -j DROP", " -j ACCEPT", " -j RETURN"}); }

void Insert(Dice& dice, const std::string& rule, RandomTable::Chain& chain) {
  chain.rules.insert(chain.rules.begin() + dice.Below(chain.rules.size() + 1), rule);
}

}  // namespace

void MakeIpsets(const lab::Namespace& where) {
  const std::string sets =
      "create a4 hash:ip\nadd a4 192.0.2.2\nadd a4 192.0.2.3\n"
      "create a6 hash:ip family inet6\nadd a6 2001:db8::2\nadd a6 2001:db8::3\n"
      "create n4 hash:net\nadd n4 192.0.2.0/30\nadd n4 192.0.2.2/32 nomatch\nadd n4 198.51.100.0/24\n"
      "create n6 hash:net family inet6\nadd n6 2001:db8::/126\nadd n6 2001:db8::2/128 nomatch\n"
      "create p4 hash:ip,port\nadd p4 192.0.2.2,tcp:80\nadd p4 192.0.2.4,tcp:443\nadd p4 192.0.2.1,tcp:22\n"
      "create p6 hash:ip,port family inet6\nadd p6 2001:db8::2,tcp:80\nadd p6 2001:db8::4,tcp:443\n"
      "create r4 hash:net,port\nadd r4 192.0.2.0/31,tcp:80\nadd r4 192.0.2.2/31,tcp:8080\n"
      "create r6 hash:net,port family inet6\nadd r6 2001:db8::/127,tcp:80\nadd r6 2001:db8::2/127,tcp:8080\n"
      "create ports bitmap:port range 0-10000\nadd ports 22\nadd ports 80\n"
      "create l4 list:set\nadd l4 a4\nadd l4 n4\n"
      "create l6 list:set\nadd l6 n6\nadd l6 a6\n";
  const lab::CommandOutput output = where.Command({"ipset", "-exist", "restore"}, sets);
  if (output.exit_code != 0) {
    throw std::runtime_error("ipset: " + output.err);
  }
}

void AddRandomFacts(Dice& dice, RandomRuleset& ruleset) {
  for (RandomTable& table : ruleset.tables) {
    for (RandomTable::Chain& chain : table.chains) {
      if (!dice.Chance(25)) {
        continue;
      }
      if (!IsIptables(table.tool)) {
        Insert(dice,
               "meta mark " + dice.Of({"", "!= "}) + dice.Of({"0x5 ", "0x1 ", "0x10 "}) +
                   dice.Of({"drop", "accept", "return"}),
               chain);
        continue;
      }
      const std::string match = dice.Chance(60) ? SetMatch(dice, IsSix(table.tool)) : MarkMatch(dice);
      const std::string protocol = match.find('p') != std::string::npos ? " -p tcp " : " ";
      Insert(dice, "-A " + chain.name + protocol + match + Target(dice), chain);
    }
  }
}

}  // namespace finwait::firewall::eval
