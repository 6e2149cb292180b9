#include "tests/recording/rules_record.h"

#include <exception>
#include <stdexcept>

#include "tests/recording/printed_rules.h"
#include "tests/recording/ruleset_summary.h"

namespace finwait::recording {
namespace {

// What a recording says, as far as it stays the same: the rules as they are read, and each rule that a tool lists as
// the product prints it (which asks for chains that are not in the ruleset).
std::string MeaningOf(const firewall::Ruleset& ruleset, firewall::read::RulePartReader& resolver,
                      const std::string& printed) {
  std::string meaning = SummaryOf(ruleset);
  for (const PrintedRule& rule : PrintedByBoth(printed, ruleset, resolver)) {
    meaning += WithoutChainNumbers(rule.place + " " + rule.product) + "\n";
  }
  return meaning;
}

std::string RecordedMeaning(const Case& one, const std::string& printed) {
  const auto text = one.Read(kKernelFile);
  if (!text) {
    return "nothing was recorded";
  }
  try {
    RuleSource source = RuleSource::Replayed(KernelRecording::Parse(*text));
    return MeaningOf(*source.Read(), source.Resolver(), printed);
  } catch (const std::exception& error) {
    return error.what();
  }
}

std::string ToolsOf(const lab::Namespace& where) { return where.Shell("nft --version; iptables --version"); }

}  // namespace

RulesRecord::RulesRecord(const lab::Namespace& where)
    : printed_(PrintedByTools(where)), has_recorded_tools_(ToolsOf(where) == RecordedTools()) {
  where.Run([&] {
    source_ = std::make_unique<RuleSource>(RuleSource::Recorded(recording_));
    ruleset_ = source_->Read();
    ReadChainsOnDemand(*ruleset_, source_->Resolver());
    PrintedByBoth(printed_, *ruleset_, source_->Resolver());
  });
}

std::string RulesRecord::Compare(const Case& one) const {
  RuleSource again = RuleSource::Replayed(*recording_);
  const std::string live = MeaningOf(*again.Read(), again.Resolver(), printed_);
  const std::string recorded = RecordedMeaning(one, printed_);
  return (live == recorded ? "" : "the kernel sent\n" + live + "where the recording has\n" + recorded) +
         (one.Read(kPrintedFile) == printed_ ? "" : "the tools printed\n" + printed_);
}

void RulesRecord::Write(const Case& one, bool in_any_case) const {
  if (!has_recorded_tools_) {
    throw std::runtime_error("recordings are of other versions of nft and iptables: see tests/cases/tools.txt");
  }
  if (in_any_case || !Compare(one).empty()) {
    one.Write(kKernelFile, recording_->Text());
    one.Write(kPrintedFile, printed_);
  }
}

std::string RulesRecord::WriteOrCompare(const Case& one) const {
  if (!IsRecording()) {
    return Compare(one);
  }
  Write(one);
  return "";
}

}  // namespace finwait::recording
