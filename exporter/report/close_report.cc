#include "exporter/report/close_report.h"

#include "collectors/firewall/print/rule_text.h"

namespace finwait::report {
namespace {

using firewall::eval::Disposition;
using firewall::eval::PathKind;

// The rule's text, or the policy's, the way its own tool prints it.
std::string TextOf(const firewall::eval::TraversalResult& result, diagnosis::PacketEvaluator& evaluator) {
  if (!result.location) {
    return "";
  }
  const firewall::eval::RulePlace place = evaluator.FindRule(*result.location);
  if (place.table == nullptr || place.chain == nullptr) {
    return "";
  }
  const firewall::Chain& chain = *place.chain;
  if (place.rule != nullptr) {
    return firewall::print::RuleText(*place.table, chain, *place.rule);
  }
  if (!chain.base || !result.location->IsPolicy() || result.disposition == Disposition::kUnknown) {
    return "";
  }
  if (place.table->dialect == firewall::Dialect::kIptables) {
    return "-P " + chain.name + (chain.base->policy_drop ? " DROP" : " ACCEPT");
  }
  return chain.base->policy_drop ? "policy drop" : "policy accept";
}

}  // namespace

CloseReport ReportClose(const diagnosis::CloseExplanation& explanation, diagnosis::PacketEvaluator& evaluator) {
  CloseReport report;
  report.fate = explanation.fate;
  report.reason = explanation.reason;
  report.with_entry = explanation.with_entry;
  report.path = explanation.path;
  report.passage = explanation.passage;
  report.taken_to_be_opened_by = explanation.taken_to_be_opened_by;
  report.flowtables = explanation.flowtables;
  for (const diagnosis::ExplainedPacket& packet : explanation.packets) {
    report.packets.push_back(ReportPacket(packet.name, packet.result, evaluator));
  }
  return report;
}

PacketReport ReportPacket(std::string_view name, const firewall::eval::TraversalResult& result,
                          diagnosis::PacketEvaluator& evaluator) {
  PacketReport packet;
  packet.name = name;
  packet.verdict = firewall::eval::Name(result.disposition);
  packet.passes = result.disposition == Disposition::kAccept;
  packet.state = result.state ? firewall::eval::Name(*result.state) : "";
  packet.hook = result.hook ? firewall::Name(*result.hook) : "";
  packet.rule = result.location;
  packet.text = TextOf(result, evaluator);
  packet.reason = result.reason;
  return packet;
}

std::string_view Name(diagnosis::HostPassage passage) {
  switch (passage) {
    case diagnosis::HostPassage::kForward:
      return "forward";
    case diagnosis::HostPassage::kInput:
      return "input";
    case diagnosis::HostPassage::kBridged:
      return "bridge";
  }
  return "";
}

std::string_view Name(PathKind path) {
  switch (path) {
    case PathKind::kLocal:
      return "local";
    case PathKind::kLoopback:
      return "loopback";
    case PathKind::kForwarded:
      return "forwarded";
  }
  return "";
}

std::string_view Sentence(PathKind path) {
  switch (path) {
    case PathKind::kLocal:
      return "Its local end is on this host.";
    case PathKind::kLoopback:
      return "Both its ends are on this host: what goes out comes in again.";
    case PathKind::kForwarded:
      return "Neither end is on this host: it is evaluated on its way through this host. What the rules of other hosts "
             "and namespaces do is not known here, and they are taken to let it pass.";
  }
  return "";
}

}  // namespace finwait::report
