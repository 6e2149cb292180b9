#include "collectors/kernel/namespaces/multipath.h"

#include <gtest/gtest.h>

#include <string>

namespace finwait::kernel::namespaces {
namespace {

std::string Netstat(const std::string& names, const std::string& values) {
  return "TcpExt: SyncookiesSent TCPTimeouts\nTcpExt: 7 7\nMPTcpExt: " + names + "\nMPTcpExt: " + values + "\n";
}

TEST(MultipathTest, OneThatWasAgreedOnMayBeAnyOfThoseOpen) {
  constexpr const char* kNames = "MPCapableSYNRX MPCapableSYNACKRX MPCapableACKRX MPCurrEstab";
  EXPECT_TRUE(MayBeMultipath(Netstat(kNames, "0 1 0 1"))) << "opened here";
  EXPECT_TRUE(MayBeMultipath(Netstat(kNames, "1 0 1 3"))) << "accepted";
  EXPECT_FALSE(MayBeMultipath(Netstat(kNames, "1 1 1 0"))) << "all are over";
  EXPECT_FALSE(MayBeMultipath(Netstat(kNames, "5 0 0 5"))) << "they fell back to TCP";
}

TEST(MultipathTest, BeforeLinux68ThoseThatAreOpenAreNotCounted) {
  constexpr const char* kNames = "MPCapableSYNRX MPCapableSYNACKRX MPCapableACKRX";
  EXPECT_TRUE(MayBeMultipath(Netstat(kNames, "1 0 1")));
  EXPECT_FALSE(MayBeMultipath(Netstat(kNames, "1 0 0")));
}

TEST(MultipathTest, AKernelWithoutItHasNone) {
  EXPECT_FALSE(MayBeMultipath("TcpExt: SyncookiesSent\nTcpExt: 7\nIpExt: InNoRoutes\nIpExt: 0\n"));
  EXPECT_FALSE(MayBeMultipath(""));
}

}  // namespace
}  // namespace finwait::kernel::namespaces
