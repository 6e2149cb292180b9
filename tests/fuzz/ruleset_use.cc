#include "tests/fuzz/ruleset_use.h"

#include <algorithm>

#include "collectors/firewall/conntrack_use.h"
#include "collectors/firewall/invalid_drop.h"
#include "collectors/firewall/rule_identity.h"
#include "collectors/firewall/text/rule_text.h"
#include "collectors/firewall/verdict/nat_effect.h"
#include "collectors/firewall/verdict/path.h"
#include "tests/fuzz/target.h"

namespace finwait::fuzz {
namespace {

using namespace firewall;  // NOLINT(google-build-using-namespace): half of its names are used

// The program's own allowance (EvaluationLimits) is a hundred times this. A small one gives the fuzzer more turns, and
// that a question stays within its allowance is what matters.
constexpr EvaluationLimits kLimits = {20'000, 64};

void RequireOneLine(std::string_view text) {
  Require(text.size() <= kMaxRuleText, "a rule's text is bounded");
  Require(std::none_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7F'; }),
          "a rule's text has no control characters");
}

Connection SomeConnection(IpFamily family) {
  const bool ipv4 = family == IpFamily::kIpv4;
  Connection connection;
  connection.family = family;
  connection.local = Endpoint{*IpAddress::Parse(ipv4 ? "192.0.2.1" : "2001:db8::1"), 40000};
  connection.peer = Endpoint{*IpAddress::Parse(ipv4 ? "192.0.2.2" : "2001:db8::2"), 443};
  connection.egress.name = "veth0";
  connection.egress.index = 2;
  return connection;
}

void Judge(Evaluator& evaluator, const Connection& connection, bool conntrack_active) {
  NamespaceSettings settings;
  settings.conntrack_active = conntrack_active;
  for (const PacketKind kind :
       {PacketKind::kFin, PacketKind::kRst, PacketKind::kData, PacketKind::kAck, PacketKind::kPeerFin}) {
    const PathVerdict verdict = JudgePacket(evaluator, connection, kind, settings);
    RequireOneLine(verdict.text);
    Require(verdict.decision != PathDecision::kUnknown || !verdict.reason.empty(), "who cannot tell says why");
    Require(verdict.rule == nullptr || (verdict.chain != nullptr && verdict.table != nullptr),
            "a rule is in a chain of a table");
  }
  for (const OpenedBy opened_by : {OpenedBy::kLocal, OpenedBy::kPeer, OpenedBy::kUnknown}) {
    (void)EvaluateNat(evaluator, connection, opened_by, settings);
  }
}

}  // namespace

void UseRuleset(const Ruleset& ruleset) {
  for (const Table& table : ruleset.tables) {
    for (const auto& [name, chain] : table.chains) {
      for (const Rule& rule : chain->rules) {
        RequireOneLine(RuleText(table, *chain, rule));
        (void)HashRule(rule);
        (void)RuleIdentity(table, *chain, rule);
      }
    }
  }
  for (const InvalidDropRule& drop : FindInvalidDrops(ruleset)) {
    Require(!drop.families.empty() && !drop.hooks.empty(), "a rule that drops is reached");
    RequireOneLine(drop.text);
  }
  (void)FindPolicyDrops(ruleset);
  Evaluator evaluator(ruleset, nullptr, kLimits);
  for (const IpFamily family : kIpFamilies) {
    (void)NeedsConntrack(ruleset, family);
    Judge(evaluator, GeneralConnection(family), true);
    Judge(evaluator, GeneralConnection(family, Journey::kForwarded), true);
    Judge(evaluator, SomeConnection(family), true);
    Judge(evaluator, SomeConnection(family), false);
  }
}

}  // namespace finwait::fuzz
