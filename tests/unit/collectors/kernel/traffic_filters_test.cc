#include "collectors/kernel/traffic_filters.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_connmark.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_pedit.h>
#include <linux/tc_act/tc_skbedit.h>
#include <linux/tc_act/tc_vlan.h>

#include "tests/soon.h"
#include "tests/unit/collectors/kernel/netlink/fake_transport.h"
#include "tests/unit/collectors/kernel/route_messages.h"

// The kernel's messages about actions of which Debian's kernels have modules, and a test's often has none.
namespace finwait::kernel {
namespace {

using netlink::Done;
using netlink::FakeKernel;
using netlink::FakeMessage;
using netlink::MessageOf;
using testing::IsEmpty;
using testing::SizeIs;

struct ActionParameters {
  tc_gen;
};

struct Action {
  const char* kind;
  std::uint16_t parameters;  ///< 0: told without any
  int then;                  ///< TC_ACT_*
};

FakeMessage FilterWith(const Action& action) {
  tcmsg header = {};
  header.tcm_ifindex = 2;
  header.tcm_info = TC_H_MAKE(1U << 16, htons(ETH_P_ALL));
  ActionParameters parameters = {};
  parameters.action = action.then;
  netlink::Request message(RTM_NEWTFILTER);
  message.Header(header).PutText(TCA_KIND, "flower").BeginNested(TCA_OPTIONS).BeginNested(TCA_FLOWER_ACT);
  message.BeginNested(1).PutText(TCA_ACT_KIND, action.kind).BeginNested(TCA_ACT_OPTIONS);
  if (action.parameters != 0) {
    message.PutBytes(action.parameters, netlink::BytesOf(parameters));
  }
  message.EndNested().EndNested().EndNested().EndNested();
  return MessageOf(message);
}

std::vector<TrafficFilter> Read(const Action& action) {
  auto kernel = FakeKernel::Make();
  Host host;
  host.open_channel = [&](int protocol) { return kernel->Open(protocol); };
  kernel->Answers({LinkMessage(2, "eth0", ""), Done()});
  const auto links = Links::Read(host, Soon());
  tcmsg place = {};
  place.tcm_ifindex = 2;
  netlink::Request ingress(RTM_NEWQDISC);
  ingress.Header(place).PutText(TCA_KIND, "ingress");
  kernel->Answers({MessageOf(ingress), Done()}).Answers({FilterWith(action), Done()});
  auto channel = kernel->Open(NETLINK_ROUTE);
  auto filters = ReadTrafficFilters(*channel, *links, Soon());
  EXPECT_TRUE(filters.has_value()) << filters.error().message;
  return filters ? *std::move(filters) : std::vector<TrafficFilter>();
}

TEST(TrafficFiltersTest, WhatComesAfterAnActionDecides) {
  constexpr std::pair<const char*, std::uint16_t> kKinds[] = {
      {"gact", TCA_GACT_PARMS},      {"skbedit", TCA_SKBEDIT_PARMS}, {"pedit", TCA_PEDIT_PARMS},
      {"pedit", TCA_PEDIT_PARMS_EX}, {"vlan", TCA_VLAN_PARMS},       {"connmark", TCA_CONNMARK_PARMS}};
  for (const auto& [kind, parameters] : kKinds) {
    SCOPED_TRACE(kind);
    for (const int goes_on : {TC_ACT_OK, TC_ACT_PIPE, TC_ACT_UNSPEC, TC_ACT_RECLASSIFY}) {
      EXPECT_THAT(Read({kind, parameters, goes_on}), IsEmpty()) << goes_on;
    }
    for (const int ends : {TC_ACT_SHOT, TC_ACT_STOLEN, TC_ACT_QUEUED, TC_ACT_TRAP}) {
      EXPECT_THAT(Read({kind, parameters, ends}), SizeIs(1)) << ends;
    }
  }
}

TEST(TrafficFiltersTest, AnActionThatIsNotKnownOrDoesNotSayMayDrop) {
  EXPECT_THAT(Read({"newer", 2, TC_ACT_OK}), SizeIs(1));
  EXPECT_THAT(Read({"skbedit", 0, TC_ACT_OK}), SizeIs(1));
}

TEST(TrafficFiltersTest, ARateLimitLetsTheNextTryPass) {
  EXPECT_THAT(Read({"police", TCA_POLICE_TBF, TC_ACT_SHOT}), IsEmpty());
}

}  // namespace
}  // namespace finwait::kernel
