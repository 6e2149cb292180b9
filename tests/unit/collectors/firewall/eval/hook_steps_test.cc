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

}  // namespace
}  // namespace finwait::firewall::eval
