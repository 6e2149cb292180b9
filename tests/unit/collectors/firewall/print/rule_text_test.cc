#include "collectors/firewall/print/rule_text.h"

#include <gmock/gmock.h>

#include <set>
#include <string>

#include "tests/recording/case.h"
#include "tests/recording/printed_rules.h"
#include "tests/recording/rules_record.h"

// Every recorded rule, printed here and by its own tool.
namespace finwait::firewall::print {
namespace {

using recording::Case;

// Compares all rules of the case; gives the extensions whose options were left out.
std::set<std::string> Compared(const Case& one, std::size_t at_least) {
  SCOPED_TRACE(one.Folder().string());
  auto source = recording::RuleSource::Replayed(recording::KernelRecording::Parse(one.Require(recording::kKernelFile)));
  const auto otherwise = recording::ParseOtherwise(one.Read(recording::kOtherwiseFile).value_or(""));
  const auto rules = recording::PrintedByBoth(one.Require(recording::kPrintedFile), *source.Read(), source.Resolver());
  std::set<std::string> not_printed;
  std::set<std::string> tools;
  for (const recording::PrintedRule& rule : rules) {
    EXPECT_EQ(Difference(rule, otherwise, not_printed), "");
    tools.insert(rule.tool);
  }
  for (const auto& [tool, here] : otherwise) {
    EXPECT_TRUE(tools.contains(tool)) << "otherwise.txt has a rule that is not there: " << tool;
  }
  EXPECT_GE(rules.size(), at_least);
  return not_printed;
}

// Extensions whose options are left out, honestly; a change here is a change of what users see.
const std::set<std::string> kNotPrinted = {"string", "recent",  "hashlimit", "u32",    "quota",
                                           "policy", "physdev", "devgroup",  "realm",  "cpu",
                                           "esp",    "DSCP",    "TTL",       "TPROXY", "CONNSECMARK"};

TEST(RuleTextTest, IptablesNftRulesReadAsIptablesSavePrintsThem) {
  EXPECT_EQ(Compared(recording::FindCase("print", "iptables_nft"), 100), kNotPrinted);
}

TEST(RuleTextTest, LegacyRulesReadAsIptablesLegacySavePrintsThem) {
  EXPECT_EQ(Compared(recording::FindCase("print", "iptables_legacy"), 100), kNotPrinted);
}

TEST(RuleTextTest, Ip6tablesRulesReadAsTheirToolsPrintThem) {
  for (const char* name : {"ip6tables_nft", "ip6tables_legacy"}) {
    EXPECT_EQ(Compared(recording::FindCase("print", name), 10), (std::set<std::string>{"frag", "rt"}));
  }
}

TEST(RuleTextTest, NativeRulesReadAsNftListPrintsThem) {
  EXPECT_THAT(Compared(recording::FindCase("print", "native"), 130), testing::IsEmpty());
}

TEST(RuleTextTest, EveryOtherRecordedRuleReadsAsItsToolPrintsIt) {
  for (const char* group : {"read", "traversal", "real"}) {
    for (const Case& one : recording::CasesOf(group)) {
      Compared(one, 0);
    }
  }
}

}  // namespace
}  // namespace finwait::firewall::print
