#include "exporter/diagnosis/translation_history.h"

namespace finwait::diagnosis {

using firewall::eval::Connection;
using firewall::eval::NatEffect;
using firewall::eval::OpenedBy;
using firewall::eval::PacketPathSettings;
using firewall::eval::PathKind;
using firewall::eval::Tristate;

std::optional<NatEffect> TranslationHistory::Seen(const ConnectionHistory* history) {
  if (history == nullptr || !history->SeenTracked()) {
    return std::nullopt;
  }
  return NatEffect{
      firewall::eval::TristateOf(history->source_nat), firewall::eval::TristateOf(history->destination_nat), {}};
}

const TranslationHistory::Arrivals& TranslationHistory::ArrivalsAt(const IpAddress& local,
                                                                   const PacketPathSettings& settings) {
  const auto [known, is_new] = arrivals_.try_emplace(local);
  Arrivals& arrivals = known->second;
  const std::uint64_t puts = facts_.Store().Puts();
  if (is_new || (!arrivals.complete && arrivals.puts != puts)) {
    const std::size_t missed = facts_.Missed();
    arrivals.left_alone = firewall::eval::LeavesArrivalsAlone(evaluator_, local, settings);
    arrivals.complete = facts_.Missed() == missed;
    arrivals.puts = puts;
  } else if (!arrivals.complete) {
    facts_.NoteMissed();
  }
  return arrivals;
}

NatEffect TranslationHistory::ByRules(const Connection& connection, OpenedBy opened_by,
                                      const PacketPathSettings& settings) {
  const auto evaluate = [&](OpenedBy by) { return firewall::eval::EvaluateNat(evaluator_, connection, by, settings); };
  if (opened_by == OpenedBy::kLocal || connection.path_kind != PathKind::kLocal || !connection.local) {
    return evaluate(opened_by);
  }
  const Arrivals& arrivals = ArrivalsAt(connection.local->address, settings);
  if (!arrivals.complete) {
    // A peer may have opened it through any service: evaluated for each connection in each round of reading the
    // services' chains, that would cost far more than the reading.
    return {Tristate::kUnknown, Tristate::kUnknown, "nat rules that have not been read yet"};
  }
  if (!arrivals.left_alone) {
    return evaluate(opened_by);
  }
  const NatEffect untouched{Tristate::kNo, Tristate::kNo, {}};
  return opened_by == OpenedBy::kPeer ? untouched : firewall::eval::EitherOpener(evaluate(OpenedBy::kLocal), untouched);
}

}  // namespace finwait::diagnosis
