#include "collectors/kernel/whole_procfs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collectors/kernel/conntrack_presence.h"
#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::kernel {
namespace {

using testing::HasSubstr;

TEST(WholeProcfs, WithoutItConntrackIsNotSaidToBeAbsent) {
  const ProcfsFixture procfs;
  procfs.Write("self/status", "");  // as subset=pid leaves it
  EXPECT_TRUE(HasConntrack(procfs.MakeHost()));
  const auto required = RequireConntrack(procfs.MakeHost());
  ASSERT_FALSE(required);
  EXPECT_EQ(required.error().reason, FailureReason::kError);
  EXPECT_THAT(required.error().message, HasSubstr("subset=pid"));
}

TEST(WholeProcfs, OfAWholeOneAnAbsentFileSaysThatThereIsNoConntrack) {
  const ProcfsFixture procfs;
  procfs.Write("sys/net/core/somaxconn", "4096\n");
  EXPECT_FALSE(HasConntrack(procfs.MakeHost()));
  EXPECT_EQ(RequireConntrack(procfs.MakeHost()).error().reason, FailureReason::kUnsupported);
}

TEST(WholeProcfs, IsAskedForBeforeAModuleIsBlamed) {
  const ProcfsFixture procfs;
  Host host = procfs.MakeHost();
  host.find_feature = [](const KernelFeature&) { return FeatureState::kUnknown; };
  EXPECT_EQ(RequireFeature(host, kTcpDiag, "TCP sockets").error().reason, FailureReason::kError);
  procfs.Write("sys/net/core/somaxconn", "4096\n");
  EXPECT_EQ(RequireFeature(host, kTcpDiag, "TCP sockets").error().reason, FailureReason::kUnsupported);
}

}  // namespace
}  // namespace finwait::kernel
