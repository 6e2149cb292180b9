#include "exporter/report/classes_report.h"

#include <algorithm>
#include <utility>

#include "collectors/firewall/model/rule_id.h"
#include "collectors/firewall/print/rule_text.h"
#include "exporter/report/class_text.h"
#include "exporter/report/fate_text.h"
#include "exporter/report/report_text.h"

namespace finwait::report {
namespace {

using diagnosis::ClassOutcome;
using diagnosis::Fate;
using firewall::eval::Disposition;
using firewall::eval::PacketKind;
using firewall::eval::TraversalResult;

std::string_view NameOf(PacketKind kind) {
  switch (kind) {
    case PacketKind::kFin:
      return "FIN";
    case PacketKind::kAck:
      return "the peer's ACK";
    case PacketKind::kPeerFin:
      return "the peer's FIN";
    default:
      return "the ACK of the peer's FIN";
  }
}

}  // namespace

std::string ConsequenceOf(const ClassOutcome& outcome) {
  switch (outcome.fate) {
    case Fate::kClean:
      return "closes";
    case Fate::kNatLost:
      return std::string("translated (") + (outcome.destination_nat ? "destination" : "") +
             (outcome.destination_nat && outcome.source_nat ? " and " : "") + (outcome.source_nat ? "source" : "") +
             "): without its entry the FIN goes out untranslated";
    case Fate::kUnknown:
      return "cannot be known: " + outcome.reason;
    default:
      break;
  }
  std::string text =
      std::string(outcome.packet ? NameOf(*outcome.packet) : "a packet") + (outcome.by_translation ? " lost"
                                                                            : outcome.rejects      ? " rejected"
                                                                                                   : " dropped");
  if (outcome.hook) {
    text += " at " + std::string(firewall::Name(*outcome.hook));
  }
  if (outcome.rule) {
    text += " by " + Describe(*outcome.rule);
  }
  if (!outcome.reason.empty()) {
    text += ": " + outcome.reason;
  }
  return outcome.fate == Fate::kPeerDecides ? text + "; it closes only when the peer does" : text;
}

PacketReport PacketOf(const ClassOutcome& outcome, diagnosis::PacketEvaluator& evaluator) {
  TraversalResult result;
  result.disposition = outcome.rejects ? Disposition::kReject : Disposition::kDrop;
  result.hook = outcome.hook;
  result.location = outcome.rule;
  return ReportPacket(NameOf(*outcome.packet), result, evaluator);
}

bool ClassesReport::AllClean() const {
  return incomplete.empty() && std::all_of(classes.begin(), classes.end(), [](const ClassReport& each) {
           return each.surveyed.outcome.fate == Fate::kClean;
         });
}

bool ClassesReport::SomeNotClean() const {
  return std::any_of(classes.begin(), classes.end(), [](const ClassReport& each) {
    return each.surveyed.outcome.fate != Fate::kClean && each.surveyed.outcome.fate != Fate::kUnknown;
  });
}

std::vector<std::string> ExampleFlags(const diagnosis::SurveyedClass& surveyed) {
  using firewall::packet::Dimension;
  std::vector<std::string> flags;
  if (surveyed.sockets > 0) {
    return flags;
  }
  if (const auto opener = OnlyValue(surveyed.connections.Of(Dimension::kOpener))) {
    flags.emplace_back(*opener == firewall::packet::kOpenedHere ? "--opened-by=local" : "--opened-by=peer");
  }
  const auto add = [&](const char* flag, Dimension dimension) {
    const auto& values = surveyed.connections.Of(dimension);
    if (values != firewall::packet::IntervalSet::All(surveyed.connections.BitsOf(dimension))) {
      flags.push_back(flag + std::to_string(static_cast<std::uint32_t>(values.Intervals().front().first)));
    }
  };
  add("--mark=", Dimension::kMark);
  add("--user=", Dimension::kUser);
  add("--group=", Dimension::kGroup);
  return flags;
}

ClassesReport ReportClasses(std::vector<diagnosis::FamilySurvey> surveys,
                            std::span<const diagnosis::ConnectionSpace> spaces,
                            const std::vector<firewall::RuleId>& unreached, diagnosis::PacketEvaluator& evaluator) {
  ClassesReport report;
  for (std::size_t i = 0; i < surveys.size(); ++i) {
    diagnosis::FamilySurvey& survey = surveys[i];
    for (diagnosis::SurveyedClass& surveyed : survey.classes) {
      ClassReport line;
      line.family = survey.family;
      const auto part = std::find_if(spaces[i].parts.begin(), spaces[i].parts.end(),
                                     [&](const diagnosis::SpacePart& each) { return each.path == surveyed.path; });
      line.connections = ClassText(surveyed.path, surveyed.connections,
                                   part != spaces[i].parts.end() ? part->connections : surveyed.connections);
      line.consequence = ConsequenceOf(surveyed.outcome);
      if (surveyed.outcome.packet) {
        line.packet = PacketOf(surveyed.outcome, evaluator);
      }
      line.surveyed = std::move(surveyed);
      report.classes.push_back(std::move(line));
    }
    for (const std::string& why : survey.incomplete) {
      report.incomplete.push_back(std::string(FamilyText(survey.family)) + ": " + why);
    }
    report.sockets_of_no_class += survey.sockets_of_no_class;
  }
  // Of both families what does not close stands first.
  const auto rank = [](const ClassReport& line) {
    const Fate fate = line.surveyed.outcome.fate;
    return fate == Fate::kClean ? 2 : fate == Fate::kUnknown ? 1 : 0;
  };
  std::stable_sort(report.classes.begin(), report.classes.end(),
                   [&](const ClassReport& a, const ClassReport& b) { return rank(a) < rank(b); });
  for (const firewall::RuleId& id : unreached) {
    const firewall::eval::RulePlace place = evaluator.FindRule(id);
    if (place.table != nullptr && place.chain != nullptr && place.rule != nullptr) {
      report.unreached.push_back({id, firewall::print::RuleText(*place.table, *place.chain, *place.rule)});
    }
  }
  return report;
}

}  // namespace finwait::report
