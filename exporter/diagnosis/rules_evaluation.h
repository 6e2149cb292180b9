#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "collectors/base/ip.h"
#include "collectors/base/pacer.h"
#include "collectors/firewall/facts/resolver.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/closing_drops.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/diagnosis/drop_site.h"
#include "exporter/diagnosis/evaluation_rounds.h"
#include "exporter/diagnosis/path_results.h"

namespace finwait::diagnosis {

/// What the rules in force do to closing packets: the evaluator that all other steps ask, and the facts that it hangs
/// on. Not thread-safe.
class RulesEvaluation {
 public:
  /// `resolver`: answers what no sample holds; null: that stays unknown. `pacer`: see EvaluationPace::rules.
  RulesEvaluation(std::shared_ptr<firewall::facts::Resolver> resolver, std::optional<Pacer> pacer)
      : resolver_(std::move(resolver)), pacer_(std::move(pacer)) {}

  /// Takes in what the kernel has told of facts that changed, and lets go of those that are too old.
  void RefreshFacts(SteadyClock::time_point now);
  /// Returns whether what the rules decide may be other than for the snapshot before.
  bool Evaluate(const scheduling::Snapshot& snapshot, SteadyClock::time_point now, Diagnosis& diagnosis);

  CloseEvaluator* Evaluator() const { return evaluator_.get(); }  ///< null while the rules cannot be read
  firewall::facts::Resolver* Resolver() const { return resolver_.get(); }
  DropSites& Sites() { return sites_; }
  /// EvaluateInRounds() with the evaluator, or once without one.
  template <typename Pass>
  void InRounds(Pass pass) {
    if (evaluator_ != nullptr) {
      EvaluateInRounds(*evaluator_, resolver_.get(), pass);
    } else {
      pass();
    }
  }
  /// Where else the packets of a stuck socket die, which dies at `site`: found out once for each site, of up to 256.
  std::shared_ptr<const ClosingDrops> DropsBeside(const std::shared_ptr<const DropSite>& site,
                                                  const kernel::TcpSocket& socket, bool with_entry);
  /// Frees facts that have not been needed for a while and can be read again. Returns how many bytes, about.
  std::size_t PruneUnused(SteadyClock::time_point now);

 private:
  std::shared_ptr<firewall::facts::Resolver> resolver_;
  std::optional<Pacer> pacer_;
  std::shared_ptr<firewall::facts::FactStore> facts_ = std::make_shared<firewall::facts::FactStore>();
  std::unique_ptr<CloseEvaluator> evaluator_;
  std::shared_ptr<const firewall::Ruleset> ruleset_;  // the evaluator's
  DropSites sites_;                                   // in these
  std::map<std::pair<std::shared_ptr<const DropSite>, bool>, std::shared_ptr<const ClosingDrops>> drops_beside_;
  // What the newest rules came to, so that a sample of another collector costs nothing here.
  PerFamily<PathResults> paths_ = {};
  bool paths_are_new_ = false;  // since the last PruneUnused()
  firewall::facts::FactKinds paths_hang_on_ = 0;
  std::uint32_t paths_as_of_ = 0;  // FactStore::Now() when they were evaluated
};

}  // namespace finwait::diagnosis
