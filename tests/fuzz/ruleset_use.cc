#include "tests/fuzz/ruleset_use.h"

#include <algorithm>

#include "collectors/firewall/analysis/conntrack_use.h"
#include "collectors/firewall/analysis/invalid_drop.h"
#include "collectors/firewall/analysis/rule_identity.h"
#include "collectors/firewall/eval/nat_effect.h"
#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/firewall/print/rule_text.h"
#include "tests/fuzz/target.h"

namespace finwait::fuzz {
namespace {

using namespace firewall;  // NOLINT(google-build-using-namespace): half of its names are used

// The program's own allowance (EvaluationLimits) is a hundred times this. A small one gives the fuzzer more turns, and
// that a question stays within its allowance is what matters.
constexpr firewall::eval::EvaluationLimits kLimits = {20'000, 64};

void RequireOneLine(std::string_view text) {
  Require(text.size() <= firewall::print::kMaxRuleText, "a rule's text is bounded");
  Require(std::none_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7F'; }),
          "a rule's text has no control characters");
}

firewall::eval::Connection SomeConnection(IpFamily family) {
  const bool ipv4 = family == IpFamily::kIpv4;
  firewall::eval::Connection connection;
  connection.family = family;
  connection.local = Endpoint{*IpAddress::Parse(ipv4 ? "192.0.2.1" : "2001:db8::1"), 40000};
  connection.peer = Endpoint{*IpAddress::Parse(ipv4 ? "192.0.2.2" : "2001:db8::2"), 443};
  connection.egress.name = "veth0";
  connection.egress.index = 2;
  return connection;
}

void Evaluate(firewall::eval::ChainEvaluator& evaluator, const firewall::eval::Connection& connection,
              bool conntrack_active) {
  firewall::eval::PacketPathSettings settings;
  settings.conntrack_active = conntrack_active;
  for (const firewall::eval::PacketKind kind :
       {firewall::eval::PacketKind::kFin, firewall::eval::PacketKind::kRst, firewall::eval::PacketKind::kData,
        firewall::eval::PacketKind::kAck, firewall::eval::PacketKind::kPeerFin}) {
    const firewall::eval::TraversalResult verdict = EvaluatePacket(evaluator, connection, kind, settings);
    Require(verdict.disposition != firewall::eval::Disposition::kUnknown || !verdict.reason.empty(),
            "who cannot tell says why");
    Require(!verdict.location || verdict.location->IsPolicy() || evaluator.FindRule(*verdict.location).rule != nullptr,
            "a rule that decides is there");
  }
  for (const firewall::eval::OpenedBy opened_by :
       {firewall::eval::OpenedBy::kLocal, firewall::eval::OpenedBy::kPeer, firewall::eval::OpenedBy::kUnknown}) {
    (void)EvaluateNat(evaluator, connection, opened_by, settings);
  }
}

}  // namespace

void UseRuleset(const firewall::Ruleset& ruleset) {
  for (const firewall::Table& table : ruleset.tables) {
    for (const auto& [name, chain] : table.chains) {
      firewall::analysis::RuleIdentities identities(table, *chain);
      for (const firewall::Rule& rule : chain->rules) {
        RequireOneLine(firewall::print::RuleText(table, *chain, rule));
        (void)firewall::analysis::HashRule(rule);
        (void)identities.Of(rule);
      }
    }
  }
  for (const firewall::analysis::InvalidDropRule& drop : firewall::analysis::FindInvalidDrops(ruleset)) {
    Require(!drop.families.empty() && !drop.hooks.empty(), "a rule that drops is reached");
    RequireOneLine(drop.text);
  }
  (void)firewall::analysis::FindPolicyDrops(ruleset);
  firewall::eval::ChainEvaluator evaluator(ruleset, nullptr, kLimits);
  for (const IpFamily family : kIpFamilies) {
    (void)firewall::analysis::NeedsConntrack(ruleset, family);
    Evaluate(evaluator, firewall::eval::RepresentativeFlow(family), true);
    Evaluate(evaluator, firewall::eval::RepresentativeFlow(family, firewall::eval::PathKind::kForwarded), true);
    Evaluate(evaluator, SomeConnection(family), true);
    Evaluate(evaluator, SomeConnection(family), false);
  }
}

}  // namespace finwait::fuzz
