#include "exporter/planning/host_evaluation.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "exporter/diagnosis/close_fate.h"
#include "exporter/diagnosis/conntrack_activity.h"
#include "exporter/diagnosis/evaluation_rounds.h"
#include "exporter/planning/reported_facts.h"
#include "exporter/planning/rules_identity.h"

namespace finwait::planning {
namespace {

using diagnosis::ClassOutcome;
using diagnosis::CloseOutcome;
using firewall::eval::NatEffect;
using firewall::eval::Tristate;

constexpr auto kDividingLimit = std::chrono::seconds(10);

// One ruleset, with the host's facts.
class Evaluation {
 public:
  Evaluation(const HostFacts& host, const std::shared_ptr<const firewall::Ruleset>& rules,
             firewall::facts::Resolver& resolver)
      : resolver_(host, resolver),
        facts_(std::make_shared<firewall::facts::FactStore>()),
        evaluator_(rules, SettingsWith(host, *rules), facts_) {}

  diagnosis::CloseEvaluator& Evaluator() { return evaluator_; }
  ReportedFacts& Facts() { return resolver_; }
  std::optional<std::string> Identity() { return IdentityOf(evaluator_.Packets().GetRuleset(), resolver_, *facts_); }

  const CloseResult& CloseResultOf(const ClassOutcome& outcome) {
    const auto [known, is_new] = results_.try_emplace(outcome);
    if (is_new) {
      known->second = planning::CloseResultOf(outcome, evaluator_);
    }
    return known->second;
  }

  CloseResult CloseResultOf(const ReportedSocket& reported) {
    const auto history = reported.History();
    ClassOutcome outcome;
    diagnosis::EvaluateInRounds(evaluator_, &resolver_, [&] {
      // By all that is known of it: a connection between two addresses of the host goes over loopback.
      const firewall::eval::Connection connection = evaluator_.ConnectionWithFacts(reported.socket);
      const bool peer_has_closed = PeerHasClosed(reported.socket.state);
      const CloseOutcome later = evaluator_.Evaluate(connection, history ? &*history : nullptr,
                                                     diagnosis::SocketCircumstances::Of(reported.socket));
      outcome = OutcomeOf(later);
      if (later.fate == diagnosis::Fate::kNatLost) {
        const NatEffect nat = evaluator_.Packets().TranslationOf(evaluator_.ConnectionWithFacts(reported.socket),
                                                                 history ? &*history : nullptr);
        outcome.source_nat = nat.source == Tristate::kYes;
        outcome.destination_nat = nat.destination == Tristate::kYes;
      }
      if (reported.socket.entry.tracking == kernel::Tracking::kTracked) {
        const CloseOutcome now = evaluator_.EvaluateTracked(connection, peer_has_closed);
        outcome = DecidesBefore(now, later) ? OutcomeOf(now) : outcome;
      }
    });
    return CloseResultOf(outcome);
  }

 private:
  diagnosis::EvaluationSettings SettingsWith(const HostFacts& host, const firewall::Ruleset& rules) {
    diagnosis::EvaluationSettings settings = host.settings;
    settings.conntrack_active = diagnosis::MayNeedConntrack(rules, resolver_, *facts_);
    return settings;
  }

  ReportedFacts resolver_;
  std::shared_ptr<firewall::facts::FactStore> facts_;
  diagnosis::CloseEvaluator evaluator_;
  std::map<ClassOutcome, CloseResult> results_;
};

}  // namespace

HostResults EvaluateHost(const HostFacts& host, const std::shared_ptr<const firewall::Ruleset>& rules,
                         firewall::facts::Resolver& resolver) {
  Evaluation evaluation(host, rules, resolver);
  HostResults results;
  for (const ReportedSocket& each : host.sockets) {
    results.sockets.push_back(evaluation.CloseResultOf(each));
  }
  for (const IpFamily family : kIpFamilies) {
    firewall::classes::Limits limits;
    limits.deadline = Deadline::After(kDividingLimit);
    diagnosis::FamilySurvey survey = diagnosis::SurveyClasses(evaluation.Evaluator(), &evaluation.Facts(),
                                                              host.Space(family), family, {}, nullptr, limits);
    for (diagnosis::SurveyedClass& each : survey.classes) {
      results.classes.push_back({each.path, std::move(each.connections), evaluation.CloseResultOf(each.outcome)});
    }
    for (std::string& why : survey.incomplete) {
      results.incomplete.push_back(std::string(family == IpFamily::kIpv4 ? "IPv4" : "IPv6") + ": " + std::move(why));
    }
  }
  results.rules = evaluation.Identity();
  return results;
}

void AddTranslations(HostFacts& host, const std::shared_ptr<const firewall::Ruleset>& rules,
                     firewall::facts::Resolver& resolver) {
  Evaluation evaluation(host, rules, resolver);
  for (ReportedSocket& each : host.sockets) {
    if (each.socket.entry.tracking == kernel::Tracking::kTracked) {
      continue;
    }
    NatEffect nat;
    diagnosis::EvaluateInRounds(evaluation.Evaluator(), &evaluation.Facts(), [&] {
      nat = evaluation.Evaluator().Packets().TranslationOf(evaluation.Evaluator().ConnectionWithFacts(each.socket),
                                                           nullptr);
    });
    if (nat.source != Tristate::kUnknown && nat.destination != Tristate::kUnknown) {
      each.translated = {nat.source == Tristate::kYes, nat.destination == Tristate::kYes};
    }
  }
}

}  // namespace finwait::planning
