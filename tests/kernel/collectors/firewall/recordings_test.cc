#include <gtest/gtest.h>

#include <vector>

#include "tests/lab/namespace.h"
#include "tests/recording/case.h"
#include "tests/recording/rules_record.h"

// The recordings that unit tests of readers and printers replay, held against this machine's kernel and tools.
namespace finwait::firewall {
namespace {

using recording::Case;

class RecordingsTest : public testing::TestWithParam<Case> {};

TEST_P(RecordingsTest, SaysWhatTheKernelAndTheToolsSay) {
  const Case& each = GetParam();
  const lab::Namespace where;
  where.Shell(each.LoadScript());
  const recording::RulesRecord record(where);
  if (!record.HasRecordedTools()) {
    GTEST_SKIP() << "the recordings are of other versions of nft and iptables";
  }
  EXPECT_EQ(record.WriteOrCompare(each), "");
}

INSTANTIATE_TEST_SUITE_P(Read, RecordingsTest, testing::ValuesIn(recording::CasesOf("read")),
                         [](const auto& each) { return each.param.Name(); });
INSTANTIATE_TEST_SUITE_P(Print, RecordingsTest, testing::ValuesIn(recording::CasesOf("print")),
                         [](const auto& each) { return each.param.Name(); });

}  // namespace
}  // namespace finwait::firewall
