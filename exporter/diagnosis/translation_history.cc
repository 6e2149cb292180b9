#include "exporter/diagnosis/translation_history.h"

namespace finwait::diagnosis {

using firewall::eval::Connection;
using firewall::eval::NamespaceSettings;
using firewall::eval::NatEffect;
using firewall::eval::OpenedBy;
using firewall::eval::PathKind;
using firewall::eval::Tristate;

std::optional<NatEffect> TranslationHistory::Seen(const ConnectionHistory* history) {
  if (history == nullptr || !history->SeenTracked()) {
    return std::nullopt;
  }
  return NatEffect{
      firewall::eval::TristateOf(history->source_nat), firewall::eval::TristateOf(history->destination_nat), {}};
}

bool TranslationHistory::ArrivalsAreLeftAlone(const Connection& connection, const NamespaceSettings& settings) {
  if (connection.journey != PathKind::kLocal || !connection.local) {
    return false;
  }
  const auto [known, is_new] = arrivals_.try_emplace(connection.local->address);
  Arrivals& arrivals = known->second;
  const std::uint64_t puts = facts_.Store().Puts();
  if (is_new || (!arrivals.complete && arrivals.puts != puts)) {
    const std::size_t missed = facts_.Missed();
    arrivals.left_alone = firewall::eval::LeavesArrivalsAlone(evaluator_, connection.local->address, settings);
    arrivals.complete = facts_.Missed() == missed;
    arrivals.puts = puts;
  } else if (!arrivals.complete) {
    facts_.NoteMissed();
  }
  return arrivals.left_alone;
}

NatEffect TranslationHistory::ByRules(const Connection& connection, OpenedBy opened_by,
                                      const NamespaceSettings& settings) {
  const auto evaluate = [&](OpenedBy by) { return firewall::eval::EvaluateNat(evaluator_, connection, by, settings); };
  if (opened_by == OpenedBy::kLocal || !ArrivalsAreLeftAlone(connection, settings)) {
    return evaluate(opened_by);
  }
  const NatEffect untouched{Tristate::kNo, Tristate::kNo, {}};
  return opened_by == OpenedBy::kPeer ? untouched : firewall::eval::EitherOpener(evaluate(OpenedBy::kLocal), untouched);
}

}  // namespace finwait::diagnosis
