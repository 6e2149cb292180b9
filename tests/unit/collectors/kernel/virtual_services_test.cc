#include "collectors/kernel/virtual_services.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::kernel {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Endpoint EndAt(const std::string& text) { return *Endpoint::Parse(text); }

class VirtualServicesTest : public testing::Test {
 protected:
  VirtualServices Read(const std::string& lines, IpFamily family = IpFamily::kIpv4) {
    procfs_.Write("thread-self/net/ip_vs",
                  "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n"
                  "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n" +
                      lines);
    const auto read = ReadVirtualServices(procfs_.MakeHost(), family, Deadline::After(std::chrono::seconds(5)));
    EXPECT_TRUE(read.has_value()) << read.error().message;
    return read.value_or(VirtualServices());
  }

  ProcfsFixture procfs_;
};

// As Debian's 6.1 writes it (ip_vs_info_seq_show()).
TEST_F(VirtualServicesTest, AreTheServicesAndTheServersThatAnswerThroughThisHost) {
  const VirtualServices read = Read(
      "TCP  CB00710A:0050 rr \n"
      "  -> C0000203:0050      Masq    1      0          0         \n"
      "  -> C0000202:0050      Masq    1      1          0         \n"
      "  -> C0000204:0050      Route   1      1          0         \n"
      "TCP  CB007109:0000 wlc persistent 300 FFFFFFFF\n"
      "UDP  CB00710B:0035 rr \n"
      "  -> C0000205:0035      Masq    1      0          0         \n"
      "TCP  [2001:0db8:0000:0000:0000:0000:0000:0010]:01BB rr \n"
      "  -> [2001:0db8:0000:0000:0000:0000:0000:0002]:01BB      Masq    1      0          0         \n");
  EXPECT_THAT(read.services, ElementsAre(EndAt("203.0.113.9:0"), EndAt("203.0.113.10:80")));
  EXPECT_THAT(read.servers, ElementsAre(EndAt("192.0.2.2:80"), EndAt("192.0.2.3:80")));
  EXPECT_FALSE(read.others);
}

TEST_F(VirtualServicesTest, OfEachFamilyItsOwn) {
  const VirtualServices read = Read(
      "TCP  CB00710A:0050 rr \n"
      "TCP  [2001:0db8:0000:0000:0000:0000:0000:0010]:01BB rr \n"
      "  -> [2001:0db8:0000:0000:0000:0000:0000:0002]:01BB      Masq    1      0          0         \n",
      IpFamily::kIpv6);
  EXPECT_THAT(read.services, ElementsAre(EndAt("[2001:db8::10]:443")));
  EXPECT_THAT(read.servers, ElementsAre(EndAt("[2001:db8::2]:443")));
}

TEST_F(VirtualServicesTest, WhatAMarkChoosesOrCannotBeReadIsSaid) {
  EXPECT_TRUE(Read("FWM  00000001 rr \n").others);
  EXPECT_TRUE(Read("TCP  nonsense rr \n").others);
  EXPECT_TRUE(Read("TCP  CB00710A:10050 rr \n").others);
  EXPECT_TRUE(Read("TCP  []:0050 rr \n").others);
  EXPECT_FALSE(Read("").others);
}

TEST_F(VirtualServicesTest, AreBounded) {
  std::string lines;
  for (std::size_t i = 0; i <= VirtualServices::kMostEnds; ++i) {
    char line[64];
    std::snprintf(line, sizeof line, "TCP  %08zX:0050 rr \n", i + 0x0a000000);
    lines += line;
  }
  const VirtualServices read = Read(lines);
  EXPECT_THAT(read.services, SizeIs(VirtualServices::kMostEnds));
  EXPECT_TRUE(read.others);
}

TEST_F(VirtualServicesTest, WithoutIpvsThereAreNone) {
  const auto read = ReadVirtualServices(procfs_.MakeHost(), IpFamily::kIpv4, Deadline::After(std::chrono::seconds(5)));
  ASSERT_TRUE(read.has_value());
  EXPECT_THAT(read->services, IsEmpty());
  EXPECT_FALSE(read->others);
}

}  // namespace
}  // namespace finwait::kernel
