#include "exporter/report/report_text.h"

#include <gtest/gtest.h>

namespace finwait::report {
namespace {

TEST(ReportTextTest, SaysHowLongInTheUnitThatAPersonWouldUse) {
  EXPECT_EQ(Lasting(0.4), "0 s");
  EXPECT_EQ(Lasting(119), "119 s");
  EXPECT_EQ(Lasting(120), "2 min");
  EXPECT_EQ(Lasting(7199), "119 min");
  EXPECT_EQ(Lasting(7200), "2 h");
  EXPECT_EQ(Lasting(432'000), "5 d");
}

TEST(ReportTextTest, SpellsStatesAsTheKernelDoes) {
  EXPECT_EQ(KernelName(kernel::TcpState::kFinWait1), "FIN_WAIT_1");
  EXPECT_EQ(KernelName(kernel::TcpState::kLastAck), "LAST_ACK");
}

}  // namespace
}  // namespace finwait::report
