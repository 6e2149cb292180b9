#include "collectors/kernel/namespaces/gate.h"

#include <gtest/gtest.h>

namespace finwait::kernel::namespaces {
namespace {

constexpr std::string_view kSnmp =
    "Ip: Forwarding DefaultTTL\nIp: 1 64\n"
    "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs "
    "OutSegs "
    "RetransSegs InErrs OutRsts InCsumErrors\n"
    "Tcp: 1 200 120000 -1 7 8 13174 39122 3 1390988 1393315 1539 0 36774 0\nUdp: InDatagrams\nUdp: 1\n";

TEST(GateNumbersTest, ReadsWhatItNeedsByName) {
  GateNumbers numbers;
  ASSERT_TRUE(ReadSnmp(kSnmp, numbers));
  EXPECT_EQ(numbers.active_opens, 7U);
  EXPECT_EQ(numbers.passive_opens, 8U);
  EXPECT_EQ(numbers.established, 3U);
  EXPECT_EQ(numbers.received, 1390988U);
  EXPECT_EQ(numbers.sent, 1393315U);
  EXPECT_EQ(numbers.sent_again, 1539U);
  EXPECT_EQ(ReadInUse("sockets: used 16\nTCP: inuse 5 orphan 0 tw 0\n", "TCP"), 5U);
  EXPECT_EQ(ReadInUse("TCP6: inuse 2\nUDP6: inuse 0\n", "TCP6"), 2U);
}

TEST(GateNumbersTest, WhatIsNotTheKernelsTellsNothing) {
  GateNumbers numbers;
  for (std::size_t size = 0; size < kSnmp.size() - 60; ++size) {
    EXPECT_FALSE(ReadSnmp(kSnmp.substr(0, size), numbers)) << size;
  }
  EXPECT_FALSE(ReadSnmp("Tcp: CurrEstab\nTcp: -1\n", numbers));
  EXPECT_FALSE(ReadInUse("TCP: mem 5\n", "TCP"));
  EXPECT_FALSE(ReadInUse("", "TCP"));
}

class GateTest : public testing::Test {
 protected:
  GateTest() {
    then_.established = 1;
    then_.in_use4 = 2;  // a listener too
    last_.numbers = then_;
    now_ = then_;
  }
  Urgency Asked() const { return UrgencyOf(&last_, then_, now_); }
  GateNumbers then_;
  GateNumbers now_;
  LastReading last_;
};

TEST_F(GateTest, NothingMovedIsNothingToRead) { EXPECT_EQ(Asked(), Urgency::kNone); }

TEST_F(GateTest, PacketsBothWaysChangeNoList) {
  now_.sent += 3;
  now_.received += 3;
  EXPECT_EQ(Asked(), Urgency::kNone);
}

TEST_F(GateTest, ASocketThatBeginsToCloseLeavesTheEstablished) {
  now_.sent += 3;
  now_.received += 3;
  now_.established = 0;
  EXPECT_EQ(Asked(), Urgency::kSuspect);
}

TEST_F(GateTest, AListenerThatGoesWithItsConnectionHidesNothing) {
  now_.received += 1;
  now_.sent += 1;
  now_.established = 0;
  now_.in_use4 = 1;
  EXPECT_EQ(Asked(), Urgency::kSuspect);
}

TEST_F(GateTest, TriesWithoutAnAnswerAreSilence) {
  now_.sent += 1;
  EXPECT_EQ(Asked(), Urgency::kSilence);
  now_.received += 5;
  EXPECT_EQ(Asked(), Urgency::kNone);
  now_.sent_again += 1;
  EXPECT_EQ(Asked(), Urgency::kSilence);
}

TEST_F(GateTest, BeforeLinux611ASocketInCloseWaitIsNotAmongTheEstablished) {
  last_.close_wait = true;
  now_.sent += 2;
  now_.received += 2;
  EXPECT_EQ(Asked(), Urgency::kSuspect);
}

TEST_F(GateTest, ClosingSocketsAreFollowed) {
  last_.closing = true;
  EXPECT_EQ(Asked(), Urgency::kClosing);
}

TEST_F(GateTest, WhatWasNeverReadIsSuspect) { EXPECT_EQ(UrgencyOf(nullptr, then_, now_), Urgency::kSuspect); }

}  // namespace
}  // namespace finwait::kernel::namespaces
