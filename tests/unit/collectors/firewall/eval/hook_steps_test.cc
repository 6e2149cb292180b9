#include "collectors/firewall/eval/hook_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

// Which hooks packets pass is the kernel's own plan: ip_output(), ip_rcv(), br_handle_frame().
namespace finwait::firewall::eval {
namespace {

using testing::ElementsAre;
using testing::Pair;

std::vector<std::pair<Layer, Hook>> Passed(const std::vector<HookStep>& steps) {
  std::vector<std::pair<Layer, Hook>> passed;
  for (const HookStep& step : steps) {
    passed.emplace_back(step.layer, step.hook);
  }
  return passed;
}

class HookStepsTest : public testing::Test {
 protected:
  HookSteps StagesOf(PacketKind kind) { return {ruleset_, connection_, kind, settings_}; }

  static Interface Device(const char* name, std::uint32_t index, const char* kind) {
    Interface device = Loopback();
    device.name = name;
    device.index = index;
    device.kind = kind;
    return device;
  }

  // By what devices, and whether conntrack leaves packets alone there: "output blue untracked".
  static std::vector<std::string> Told(const std::vector<HookStep>& steps) {
    std::vector<std::string> told;
    for (const HookStep& step : steps) {
      std::string text(Name(step.hook));
      for (const Interface* device : {step.in, step.out}) {
        text += device != nullptr ? " " + device->name.value_or("?") : "";
      }
      told.push_back(text + (step.untracked ? " untracked" : ""));
    }
    return told;
  }
  static Interface PortOfVrf(const char* name, std::uint32_t index) {
    Interface device = Device(name, index, "veth");
    device.vrf = facts::Vrf{"blue", 9, 3};
    return device;
  }

  Ruleset ruleset_;
  Connection connection_;
  PacketPathSettings settings_;
};

TEST_F(HookStepsTest, WhatASocketSendsPassesOutputToEgress) {
  connection_.egress = Device("eth0", 2, "");
  EXPECT_THAT(Passed(StagesOf(PacketKind::kFin).OfThisHost()),
              ElementsAre(Pair(Layer::kIp, Hook::kOutput), Pair(Layer::kIp, Hook::kPostrouting),
                          Pair(Layer::kIp, Hook::kEgress)));
}

TEST_F(HookStepsTest, WhatThePeerSendsPassesIngressToInputOnTheDeviceItArrivesOn) {
  connection_.egress = Device("eth0", 2, "");
  connection_.ingress = Device("eth1", 3, "");
  const HookSteps steps = StagesOf(PacketKind::kPeerFin);
  const std::vector<HookStep> way = steps.OfThisHost();
  EXPECT_THAT(Passed(way), ElementsAre(Pair(Layer::kIp, Hook::kIngress), Pair(Layer::kIp, Hook::kPrerouting),
                                       Pair(Layer::kIp, Hook::kInput)));
  EXPECT_EQ(way.front().in->name, "eth1");
}

TEST_F(HookStepsTest, OverLoopbackAPacketGoesOutAndComesIn) {
  connection_.path_kind = PathKind::kLoopback;
  EXPECT_THAT(Passed(StagesOf(PacketKind::kFin).OfThisHost()),
              ElementsAre(Pair(Layer::kIp, Hook::kOutput), Pair(Layer::kIp, Hook::kPostrouting),
                          Pair(Layer::kIp, Hook::kEgress), Pair(Layer::kIp, Hook::kIngress),
                          Pair(Layer::kIp, Hook::kPrerouting), Pair(Layer::kIp, Hook::kInput)));
}

TEST_F(HookStepsTest, WhatLeavesThroughABridgePassesItsHooksToo) {
  connection_.egress = Device("br0", 2, "bridge");
  EXPECT_THAT(Passed(StagesOf(PacketKind::kFin).OfThisHost()),
              ElementsAre(Pair(Layer::kIp, Hook::kOutput), Pair(Layer::kIp, Hook::kPostrouting),
                          Pair(Layer::kIp, Hook::kEgress), Pair(Layer::kBridge, Hook::kOutput),
                          Pair(Layer::kBridge, Hook::kPostrouting), Pair(Layer::kPort, Hook::kEgress)));
}

TEST_F(HookStepsTest, WithBrNetfilterIpsRulesAreCalledBeforeTheBridgesInput) {
  connection_.egress = Device("br0", 2, "bridge");
  settings_.bridge_calls_rules = Tristate::kYes;
  EXPECT_THAT(Passed(StagesOf(PacketKind::kAck).OfThisHost()),
              ElementsAre(Pair(Layer::kPort, Hook::kIngress), Pair(Layer::kBridge, Hook::kPrerouting),
                          Pair(Layer::kIp, Hook::kPrerouting), Pair(Layer::kBridge, Hook::kInput),
                          Pair(Layer::kIp, Hook::kIngress), Pair(Layer::kIp, Hook::kInput)));
}

TEST_F(HookStepsTest, WhatIsForwardedIsRoutedBetweenPreroutingAndForward) {
  connection_.path_kind = PathKind::kForwarded;
  connection_.ingress = Device("veth0", 4, "veth");
  connection_.egress = Device("eth0", 2, "");
  const HookSteps steps = StagesOf(PacketKind::kFin);
  const ForwardedWay way = steps.Through();
  EXPECT_EQ(way.in->name, "veth0");
  EXPECT_THAT(Passed(way.arrival), ElementsAre(Pair(Layer::kIp, Hook::kIngress), Pair(Layer::kIp, Hook::kPrerouting)));
  EXPECT_THAT(Passed(way.onward), ElementsAre(Pair(Layer::kIp, Hook::kForward), Pair(Layer::kIp, Hook::kPostrouting),
                                              Pair(Layer::kIp, Hook::kEgress)));
}

TEST_F(HookStepsTest, WhatOneBridgePassesOnMeetsIpsRulesOnlyWithBrNetfilter) {
  connection_.path_kind = PathKind::kForwarded;
  connection_.ingress = Device("br0", 4, "bridge");
  connection_.egress = Device("br0", 4, "bridge");
  connection_.passage.bridged = true;
  connection_.passage.bridge_calls_rules = Tristate::kNo;
  EXPECT_THAT(Passed(StagesOf(PacketKind::kFin).Through().onward),
              ElementsAre(Pair(Layer::kBridge, Hook::kForward), Pair(Layer::kBridge, Hook::kPostrouting),
                          Pair(Layer::kPort, Hook::kEgress)));
  connection_.passage.bridge_calls_rules = Tristate::kYes;
  EXPECT_THAT(Passed(StagesOf(PacketKind::kFin).Through().onward),
              ElementsAre(Pair(Layer::kBridge, Hook::kForward), Pair(Layer::kIp, Hook::kForward),
                          Pair(Layer::kBridge, Hook::kPostrouting), Pair(Layer::kIp, Hook::kPostrouting),
                          Pair(Layer::kPort, Hook::kEgress)));
}

// As tests/e2e/vrf_test.cc sees the kernel do it.
TEST_F(HookStepsTest, AVrfHasItsTurnBeforeConntrackLooksAndAfterThePortHasReceived) {
  connection_.egress = PortOfVrf("eth0", 2);
  EXPECT_THAT(Told(StagesOf(PacketKind::kFin).OfThisHost()),
              ElementsAre("output blue untracked", "postrouting blue untracked", "output eth0", "postrouting eth0",
                          "egress eth0"));
  const HookSteps in = StagesOf(PacketKind::kAck);
  const std::vector<HookStep> way = in.OfThisHost();
  EXPECT_THAT(Told(way), ElementsAre("ingress eth0", "prerouting eth0", "prerouting blue", "input blue"));
  EXPECT_EQ(way.back().in->index, 9U);
  EXPECT_EQ(way.back().in->group, 3U);
  EXPECT_EQ(way.back().in->kind, "vrf");
}

TEST_F(HookStepsTest, LinkLocalPacketsOfAPortPassItsVrfBy) {
  connection_.family = IpFamily::kIpv6;
  connection_.egress = PortOfVrf("eth0", 2);
  connection_.local = Endpoint::Parse("[fe80::1]:40000");
  connection_.peer = Endpoint::Parse("[fe80::2]:80");
  EXPECT_THAT(Told(StagesOf(PacketKind::kFin).OfThisHost()),
              ElementsAre("output eth0", "postrouting eth0", "egress eth0"));
  EXPECT_THAT(Told(StagesOf(PacketKind::kAck).OfThisHost()),
              ElementsAre("ingress eth0", "prerouting eth0", "input blue"));
}

TEST_F(HookStepsTest, WithinAVrfItIsTheLoopback) {
  connection_.path_kind = PathKind::kLoopback;
  connection_.egress = Device("blue", 9, "vrf");
  EXPECT_THAT(
      Told(StagesOf(PacketKind::kFin).OfThisHost()),
      ElementsAre("output blue", "postrouting blue", "egress blue", "ingress blue", "prerouting blue", "input blue"));
  connection_.egress = Device("eth0", 2, "");
  EXPECT_THAT(Told(StagesOf(PacketKind::kFin).OfThisHost()).front(), "output lo");
}

TEST_F(HookStepsTest, WhatAVrfForwardsComesInByTheVrfAndLeavesByItsPort) {
  connection_.path_kind = PathKind::kForwarded;
  connection_.ingress = PortOfVrf("eth0", 2);
  connection_.egress = PortOfVrf("eth1", 3);
  const HookSteps steps = StagesOf(PacketKind::kFin);
  const ForwardedWay way = steps.Through();
  EXPECT_THAT(Told(way.arrival), ElementsAre("ingress eth0", "prerouting eth0", "prerouting blue"));
  EXPECT_THAT(Told(way.onward), ElementsAre("forward blue eth1", "postrouting blue eth1", "egress eth1"));
  EXPECT_EQ(way.in->name, "eth0");
  EXPECT_EQ(way.receiver->name, "blue");
}

}  // namespace
}  // namespace finwait::firewall::eval
