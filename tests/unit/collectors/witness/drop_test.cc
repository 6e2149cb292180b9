#include "collectors/witness/drop.h"

#include <gtest/gtest.h>

namespace finwait::witness {
namespace {

TEST(ClassOfReasonTest, AReasonOfEveryKind) {
  const auto of = [](const char* name) { return ClassOfReason(std::string("SKB_DROP_REASON_") + name); };
  EXPECT_EQ(of("NETFILTER_DROP"), ReasonClass::kNetfilter);
  EXPECT_EQ(of("IP_OUTNOROUTES"), ReasonClass::kRoute);
  EXPECT_EQ(of("NEIGH_FAILED"), ReasonClass::kRoute);
  EXPECT_EQ(of("DEV_READY"), ReasonClass::kDevice);
  EXPECT_EQ(of("QDISC_DROP"), ReasonClass::kQdisc);
  EXPECT_EQ(of("TC_EGRESS"), ReasonClass::kQdisc);
  EXPECT_EQ(of("XDP"), ReasonClass::kBpf);
  EXPECT_EQ(of("BPF_CGROUP_EGRESS"), ReasonClass::kBpf);
  EXPECT_EQ(of("SOCKET_FILTER"), ReasonClass::kBpf);
  EXPECT_EQ(of("TCP_CSUM"), ReasonClass::kOther);
  EXPECT_EQ(of("WHAT_A_LATER_KERNEL_ADDS"), ReasonClass::kOther);
}

TEST(ClassOfReasonTest, WhatTcpHasTakenInIsNoLoss) {
  for (const char* name : {"SKB_NOT_DROPPED_YET", "SKB_CONSUMED", "SKB_DROP_REASON_NOT_SPECIFIED",
                           "SKB_DROP_REASON_NO_SOCKET", "SKB_DROP_REASON_TCP_OLD_ACK", "SKB_DROP_REASON_TCP_RESET"}) {
    EXPECT_EQ(ClassOfReason(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace finwait::witness
