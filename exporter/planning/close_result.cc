#include "exporter/planning/close_result.h"

#include <string_view>

#include "collectors/firewall/eval/hook_traversal.h"
#include "collectors/firewall/xt/ipset_match.h"
#include "exporter/diagnosis/close_fate.h"
#include "exporter/report/classes_report.h"

namespace finwait::planning {
namespace {

using diagnosis::Fate;

// How much is lost. A close that fails is worse than one that fails only if the peer closes first.
int Loss(Fate fate) {
  switch (fate) {
    case Fate::kClean:
    case Fate::kUnknown:
      return 0;
    case Fate::kPeerDecides:
      return 1;
    case Fate::kPeerFinDropped:
      return 2;
    case Fate::kFinDropped:
    case Fate::kAckDropped:
    case Fate::kNatLost:
      return 3;
  }
  return 0;
}

// A rule's text without what it has counted so far ("packets 12 bytes 640").
std::string WithoutCounts(std::string_view text) {
  std::string kept;
  bool counts = false;
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const bool number = !word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos;
    kept += (kept.empty() ? "" : " ") + std::string(counts && number ? "0" : word);
    counts = word == "packets" || word == "bytes";
  }
  return kept;
}

bool InSameChain(const std::optional<firewall::RuleId>& a, const std::optional<firewall::RuleId>& b) {
  if (!a || !b) {
    return a.has_value() == b.has_value();
  }
  return a->backend == b->backend && a->family == b->family && a->table == b->table && a->chain == b->chain;
}

}  // namespace

CloseResult CloseResultOf(const diagnosis::ClassOutcome& outcome, diagnosis::CloseEvaluator& evaluator) {
  CloseResult close;
  close.fate = outcome.fate;
  close.consequence = report::ConsequenceOf(outcome);
  close.hook = outcome.hook ? std::string(firewall::Name(*outcome.hook)) : "";
  close.rule = outcome.rule;
  if (outcome.rule) {
    close.text = report::PacketOf(outcome, evaluator.Packets()).text;
  }
  return close;
}

bool SameResult(const CloseResult& a, const CloseResult& b) {
  return a.fate == b.fate && a.hook == b.hook && InSameChain(a.rule, b.rule) &&
         WithoutCounts(a.text) == WithoutCounts(b.text);
}

bool HangsOnTranslation(const CloseResult& close) {
  const auto says = [&](std::string_view words) { return close.consequence.find(words) != std::string::npos; };
  return close.fate == Fate::kUnknown &&
         (says(diagnosis::kNotToldTranslated) || says(firewall::eval::kTranslationLeads)) &&
         !says(firewall::xt::kWhatIpset) && !says(firewall::xt::kWhatUnreadIpset);
}

Change ChangeBetween(const CloseResult& now, const CloseResult& then) {
  if (then.fate == Fate::kUnknown && now.fate == Fate::kUnknown) {
    return HangsOnTranslation(now) && SameResult(now, then) &&
                   WithoutCounts(now.consequence) == WithoutCounts(then.consequence)
               ? Change::kNone
               : Change::kNotKnowable;
  }
  if (then.fate == Fate::kUnknown) {
    return Loss(now.fate) == Loss(Fate::kFinDropped) ? Change::kOtherwise : Change::kNotKnowable;
  }
  if (now.fate == Fate::kUnknown) {
    return Loss(then.fate) > 0 ? Change::kNotKnowable : Change::kNone;
  }
  if (Loss(then.fate) != Loss(now.fate)) {
    return Loss(then.fate) > Loss(now.fate) ? Change::kNewlyLost : Change::kNewlyCloses;
  }
  return SameResult(now, then) ? Change::kNone : Change::kOtherwise;
}

}  // namespace finwait::planning
