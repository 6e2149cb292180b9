// What `ip rule` asks for, as the kernel lists it.
#include "collectors/kernel/routing_rules.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/lab/host.h"
#include "tests/lab/namespace.h"

namespace finwait::kernel {
namespace {

class RoutingRulesTest : public testing::Test {
 protected:
  // What is read while `rule` is there, and that nothing of it is left once it is gone.
  RoutingRules With(const std::string& rule, IpFamily family = IpFamily::kIpv4) {
    const std::string ip = family == IpFamily::kIpv4 ? "ip rule " : "ip -6 rule ";
    host_.Shell(ip + "add " + rule + " lookup 100");
    const RoutingRules rules = Read(family);
    host_.Shell(ip + "del " + rule + " lookup 100");
    EXPECT_FALSE(Read(family).by_more_than_destination) << rule;
    return rules;
  }
  RoutingRules Read(IpFamily family) const {
    Result<RoutingRules> rules = Fail(FailureReason::kError, "not asked");
    host_.Run([&] { rules = ReadRoutingRules(lab::HostHere(), family, Deadline::After(std::chrono::seconds(5))); });
    EXPECT_TRUE(rules.has_value()) << rules.error().message;
    return rules ? *rules : RoutingRules();
  }

  lab::Namespace host_;
};

// The kernel's own.
RoutingRules Plain() {
  RoutingRules rules;
  rules.reach_main = true;
  return rules;
}

RoutingRules Asks(bool RoutingRules::*what = nullptr) {
  RoutingRules rules = Plain();
  rules.by_more_than_destination = true;
  if (what != nullptr) {
    rules.*what = true;
  }
  return rules;
}
const RoutingRules kByMark = Asks(&RoutingRules::by_mark);
const RoutingRules kByPorts = Asks(&RoutingRules::by_ports);
const RoutingRules kByOther = Asks();

TEST_F(RoutingRulesTest, TheKernelsOwnAskForTheDestinationAlone) {
  EXPECT_EQ(Read(IpFamily::kIpv4), Plain());
  EXPECT_EQ(Read(IpFamily::kIpv6), Plain());
  EXPECT_EQ(With("to 198.51.100.0/24"), Plain());
}

TEST_F(RoutingRulesTest, MarksAndPortsAreTold) {
  EXPECT_EQ(With("fwmark 7"), kByMark);
  EXPECT_EQ(With("fwmark 0x0/0xff"), kByMark) << "asks for packets without these bits";
  EXPECT_EQ(With("ipproto tcp"), kByPorts);
  EXPECT_EQ(With("ipproto tcp sport 40000"), kByPorts);
  EXPECT_EQ(With("ipproto tcp dport 443-444", IpFamily::kIpv6), kByPorts);
}

TEST_F(RoutingRulesTest, AllElseIsMoreThanTheDestination) {
  EXPECT_EQ(With("from 192.0.2.0/24"), kByOther);
  EXPECT_EQ(With("from 2001:db8::/32", IpFamily::kIpv6), kByOther);
  EXPECT_EQ(With("tos 0x10"), Asks(&RoutingRules::by_type_of_service));
  EXPECT_EQ(With("iif lo"), kByOther);
  EXPECT_EQ(With("oif lo"), kByOther);
  EXPECT_EQ(With("uidrange 1000-1999"), Asks(&RoutingRules::by_user));
}

TEST_F(RoutingRulesTest, RulesThatRefuseAreTold) {
  for (const std::string type : {"unreachable", "blackhole", "prohibit"}) {
    for (const IpFamily family : kIpFamilies) {
      const std::string ip = family == IpFamily::kIpv4 ? "ip rule " : "ip -6 rule ";
      host_.Shell(ip + "add priority 9 " + type);
      EXPECT_TRUE(Read(family).some_refuse) << type;
      host_.Shell(ip + "del priority 9");
      EXPECT_FALSE(Read(family).some_refuse);
    }
  }
}

TEST_F(RoutingRulesTest, WhoSendsEverythingToTableMainIsTold) {
  host_.Shell("ip rule del table main; ip rule add table main suppress_prefixlength 0");
  EXPECT_FALSE(Read(IpFamily::kIpv4).reach_main) << "its default route counts for nothing";
  host_.Shell("ip rule add fwmark 7 table main");
  EXPECT_FALSE(Read(IpFamily::kIpv4).reach_main);
  host_.Shell("ip rule add table main");
  EXPECT_TRUE(Read(IpFamily::kIpv4).reach_main);
}

TEST_F(RoutingRulesTest, OneFamilyDoesNotSpeakForTheOther) {
  host_.Shell("ip -6 rule add fwmark 7 lookup 100");
  EXPECT_EQ(Read(IpFamily::kIpv4), Plain());
  EXPECT_EQ(Read(IpFamily::kIpv6), kByMark);
}

}  // namespace
}  // namespace finwait::kernel
