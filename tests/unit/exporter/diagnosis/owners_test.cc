#include "exporter/diagnosis/owners.h"

#include <gtest/gtest.h>

namespace finwait::diagnosis {
namespace {

using kernel::namespaces::Owner;
using kernel::namespaces::OwnerKind;

const Owner kNginx = {OwnerKind::kUnit, "", "nginx.service", ""};
const Owner kCart = {OwnerKind::kPod, "shop", "cart-0", "web"};

class OwnerHistoryTest : public testing::Test {
 protected:
  OwnerHistoryTest() {
    sample_.cgroups = std::make_shared<const sources::OwnedCgroups>(
        sources::OwnedCgroups{{{77, kNginx}, {99, {OwnerKind::kUnit, "", "other.service", ""}}}});
    sources::OtherNamespace pod;
    pod.id = 5;
    pod.owner = std::make_shared<const Owner>(kCart);
    sample_.namespaces = {pod};
  }
  static StuckSocket Stuck(std::uint64_t cookie, std::optional<std::uint64_t> cgroup) {
    StuckSocket stuck;
    stuck.socket.cookie = cookie;
    stuck.socket.cgroup_id = cgroup;
    return stuck;
  }
  Diagnosis SumUp(std::vector<StuckSocket> stuck, LiveSummary live = {}, std::chrono::minutes at = {}) {
    Diagnosis diagnosis;
    diagnosis.stuck.emplace().sockets = std::move(stuck);
    diagnosis.live = std::move(live);
    history_.SumUp(&sample_, SteadyClock::time_point(std::chrono::hours(2)) + at, diagnosis);
    return diagnosis;
  }
  sources::NetworkNamespacesSample sample_;
  OwnerHistory history_;
};

TEST_F(OwnerHistoryTest, TheHostsOwnSocketsHaveTheirCgroupsOwner) {
  const Diagnosis diagnosis = SumUp({Stuck(1, 77), Stuck(2, 77), Stuck(3, std::nullopt), Stuck(4, 1)});
  ASSERT_EQ(diagnosis.owners.size(), 2U);
  EXPECT_EQ(diagnosis.owners[0].stuck, 2U);
  EXPECT_EQ(diagnosis.owners[1].stuck, 2U);
  EXPECT_EQ(*diagnosis.stuck->sockets[0].owner, kNginx);
  EXPECT_EQ(diagnosis.stuck->sockets[2].owner, nullptr);
}

TEST_F(OwnerHistoryTest, EachStuckSocketCountsOnceAndForAnHour) {
  EXPECT_EQ(SumUp({Stuck(1, 77)}).owners.at(0).stuck, 1U);
  EXPECT_EQ(SumUp({Stuck(1, 77)}, {}, std::chrono::minutes(1)).owners.at(0).stuck, 1U);
  const Diagnosis gone = SumUp({}, {}, std::chrono::minutes(2));
  EXPECT_EQ(gone.owners.at(0).stuck, 1U);
  EXPECT_EQ(gone.owners.at(0).stuck_now, 0U);
  EXPECT_TRUE(SumUp({}, {}, std::chrono::minutes(61)).owners.empty());
}

TEST_F(OwnerHistoryTest, WhatIsAtRiskAddsUpByCgroupAndByNamespace) {
  LiveSummary live;
  live.at_risk_by_holder = {{{0, 77}, 3}, {{0, 0}, 1}, {{5, 0}, 7}, {{6, 0}, 2}};
  const Diagnosis diagnosis = SumUp({}, live);
  ASSERT_EQ(diagnosis.owners.size(), 3U);
  EXPECT_EQ(diagnosis.owners[0].owner, kCart);
  EXPECT_EQ(diagnosis.owners[0].at_risk, 7U);
  std::uint64_t sum = 0;
  for (const OwnerCount& one : diagnosis.owners) {
    sum += one.at_risk;
  }
  EXPECT_EQ(sum, 13U);
}

// Those of a namespace that was entered have cgroups, and it may be several containers'.
TEST_F(OwnerHistoryTest, TheCgroupTellsMoreThanTheNamespace) {
  LiveSummary live;
  live.at_risk_by_holder = {{{5, 77}, 3}, {{5, 1}, 2}, {{5, 0}, 1}};
  const Diagnosis diagnosis = SumUp({}, live);
  ASSERT_EQ(diagnosis.owners.size(), 2U);
  for (const OwnerCount& one : diagnosis.owners) {
    EXPECT_TRUE(one.owner == kNginx || one.owner == kCart) << one.owner.Text();
    EXPECT_EQ(one.at_risk, 3U) << one.owner.Text();
  }
}

TEST_F(OwnerHistoryTest, WithoutNamesOwnersAreTheirKinds) {
  history_.HideNames();
  const Diagnosis diagnosis = SumUp({Stuck(1, 77), Stuck(2, 99)});
  ASSERT_EQ(diagnosis.owners.size(), 1U);
  EXPECT_EQ(diagnosis.owners[0].owner, (Owner{OwnerKind::kUnit, "", "", ""}));
  EXPECT_EQ(diagnosis.owners[0].stuck, 2U);
  EXPECT_EQ(diagnosis.stuck->sockets[0].owner->name, "");
}

TEST_F(OwnerHistoryTest, NoSampleIsNoOwner) {
  Diagnosis diagnosis;
  diagnosis.stuck.emplace().sockets = {Stuck(1, 77)};
  history_.SumUp(nullptr, SteadyClock::time_point(std::chrono::hours(2)), diagnosis);
  ASSERT_EQ(diagnosis.owners.size(), 1U);
  EXPECT_EQ(diagnosis.owners[0].owner, Owner());
}

TEST_F(OwnerHistoryTest, ServicesHaveTheOwnerWhoHoldsThem) {
  Diagnosis diagnosis;
  const auto add = [&](const IdleService& service, std::uint64_t forgotten) {
    ServiceIdle& one = diagnosis.idle->services.emplace_back();
    one.service = service;
    one.sockets = one.outlived_without_keepalive[0] = forgotten;
  };
  diagnosis.idle.emplace();
  add({5432, true, {0, 77}}, 9);
  add({5432, true, {0, 1}}, 3);  // nobody knows these two cgroups
  add({5432, true, {0, 2}}, 2);
  add({443, false, {5, 0}}, 1);
  history_.SumUp(&sample_, SteadyClock::time_point(), diagnosis);
  ASSERT_EQ(diagnosis.idle->services.size(), 3U);
  EXPECT_EQ(*diagnosis.idle->services[0].owner, kNginx);
  EXPECT_EQ(diagnosis.idle->services[1].owner, nullptr);
  EXPECT_EQ(diagnosis.idle->services[1].sockets, 5U) << "what looks the same is one";
  EXPECT_EQ(*diagnosis.idle->services[2].owner, kCart);
}

TEST_F(OwnerHistoryTest, ServicesKeepNoNamesWhereThoseAreHidden) {
  history_.HideNames();
  Diagnosis diagnosis;
  diagnosis.idle.emplace().services.emplace_back().service = {5432, true, {0, 77}};
  history_.SumUp(&sample_, SteadyClock::time_point(), diagnosis);
  EXPECT_EQ(diagnosis.idle->services.at(0).owner->Text(), "unit");
}

}  // namespace
}  // namespace finwait::diagnosis
