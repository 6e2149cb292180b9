// What may drop packets and is no rule, as the kernel lists it.
#include "collectors/kernel/attached_programs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/lab/bpf_programs.h"
#include "tests/lab/host.h"
#include "tests/lab/namespace.h"

namespace finwait::kernel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kDrop = "bpf direct-action bytecode '1,6 0 0 2,'";

class AttachedProgramsTest : public testing::Test {
 protected:
  AttachedProgramsTest() { host_.Shell("ip link add v0 type veth peer name v1; tc qdisc add dev v0 clsact"); }

  std::vector<AttachedProgram> Read() const {
    Result<std::vector<AttachedProgram>> programs = Fail(FailureReason::kError, "not asked");
    host_.Run([&] { programs = ReadAttachedPrograms(lab::HostHere(), Deadline::After(std::chrono::seconds(5))); });
    EXPECT_TRUE(programs.has_value()) << programs.error().message;
    return programs ? *programs : std::vector<AttachedProgram>();
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const AttachedProgram& each : Read()) {
      names.push_back(each.name);
    }
    return names;
  }
  void Filter(const std::string& filter) const { host_.Shell("tc filter add dev v0 " + filter); }

  lab::Namespace host_;
};

TEST_F(AttachedProgramsTest, ANamespaceHasNone) { EXPECT_THAT(Read(), IsEmpty()); }

TEST_F(AttachedProgramsTest, FiltersAreToldWithDirectionAndFamily) {
  Filter(std::string("egress protocol ip ") + kDrop);
  Filter(std::string("ingress protocol ipv6 ") + kDrop);
  const auto programs = Read();
  ASSERT_EQ(programs.size(), 2U);
  for (const AttachedProgram& each : programs) {
    EXPECT_EQ(each.Sees(IpFamily::kIpv4), each.outgoing);
    EXPECT_EQ(each.Sees(IpFamily::kIpv6), !each.outgoing);
    EXPECT_EQ(each.name,
              std::string("the filter \"bpf\", tc at the ") + (each.outgoing ? "egress" : "ingress") + " of v0");
  }
}

TEST_F(AttachedProgramsTest, WhatLetsPacketsPassIsNotListed) {
  Filter("egress u32 match u32 0 0 classid 1:1");
  Filter("ingress bpf bytecode '1,6 0 0 2,' classid 1:2");
  Filter("egress u32 match u32 0 0 action mirred egress mirror dev v1");
  EXPECT_THAT(Names(), IsEmpty());
  Filter("egress u32 match u32 0 0 action mirred egress redirect dev v1");
  EXPECT_THAT(Names(), ElementsAre("the filter \"u32\", tc at the egress of v0")) << "they go elsewhere";
}

TEST_F(AttachedProgramsTest, ACopyThatGoesOnToDropIsListed) {
  Filter("egress u32 match u32 0 0 action mirred egress mirror dev v1 drop");
  EXPECT_THAT(Names(), ElementsAre("the filter \"u32\", tc at the egress of v0"));
}

TEST_F(AttachedProgramsTest, FiltersOfTheQueueThatSendsAreFound) {
  host_.Shell("tc qdisc replace dev v0 root handle 1: htb");
  Filter(std::string("parent 1: ") + kDrop);
  EXPECT_THAT(Names(), ElementsAre("the filter \"bpf\", tc at the egress of v0"));
}

TEST_F(AttachedProgramsTest, DevicesAboveAreReached) {
  host_.Shell("ip link add br0 type bridge && ip link set v0 master br0");
  Filter(std::string("egress ") + kDrop);
  const auto programs = Read();
  ASSERT_EQ(programs.size(), 2U);
  EXPECT_EQ(programs[0].name, programs[1].name);
  EXPECT_NE(programs[0].device, programs[1].device);
}

TEST_F(AttachedProgramsTest, ProgramsOfXdpHaveTheirNumbers) {
  if (!lab::MayLoadBpf()) {
    GTEST_SKIP() << "loads BPF programs: as root only";
  }
  std::optional<lab::DroppingProgram> xdp;
  host_.Run([&] { xdp.emplace(lab::DroppingProgram::AtDevice("v0")); });
  EXPECT_THAT(Names(), ElementsAre(HasSubstr(", XDP at the ingress of v0")));
  xdp.reset();
  EXPECT_THAT(Read(), IsEmpty());
}

TEST_F(AttachedProgramsTest, ProgramsOfXdpAndTcxHaveTheirNumbers) {
  if (!lab::MayLoadBpf() || !lab::HasTcx()) {
    GTEST_SKIP() << "loads BPF programs as root only, those of tcx on Linux 6.6 and newer";
  }
  std::optional<lab::DroppingProgram> xdp;
  std::optional<lab::DroppingProgram> tcx;
  host_.Run([&] {
    xdp.emplace(lab::DroppingProgram::AtDevice("v0"));
    tcx.emplace(lab::DroppingProgram::AtTcOf("v1"));
  });
  EXPECT_THAT(Names(), ElementsAre(HasSubstr(", XDP at the ingress of v0"), HasSubstr(", tcx at the egress of v1")));
  xdp.reset();
  tcx.reset();
  EXPECT_THAT(Read(), IsEmpty());
}

}  // namespace
}  // namespace finwait::kernel
