#include "exporter/report/socket_groups.h"

#include <gtest/gtest.h>

namespace finwait::report {
namespace {

diagnosis::StuckSocket Stuck(const std::string& local, const std::string& peer) {
  diagnosis::StuckSocket one;
  one.socket.local = *Endpoint::Parse(local);
  one.socket.peer = *Endpoint::Parse(peer);
  one.socket.orphan = true;
  one.cause = diagnosis::Cause::kLocalDrop;
  return one;
}

TEST(SocketGroupsTest, ClientsOfAServiceAreGroupedByThisHostsEnd) {
  std::vector<diagnosis::StuckSocket> sockets;
  for (int port = 1; port <= 50; ++port) {
    sockets.push_back(Stuck("[2001:db8::1]:443", "[2001:db8::2]:" + std::to_string(port)));
  }
  const auto groups = GroupStuckSockets(sockets);
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_FALSE(groups[0].at_peer);
  EXPECT_EQ(groups[0].end.Text(), "[2001:db8::1]:443");
  EXPECT_EQ(groups[0].sockets, 50U);
}

TEST(SocketGroupsTest, AnotherCauseRuleOrOwnerIsAnotherGroup) {
  std::vector<diagnosis::StuckSocket> sockets(5, Stuck("192.0.2.1:1", "192.0.2.2:80"));
  sockets[1].cause = diagnosis::Cause::kNoReply;
  sockets[2].site = std::make_shared<const diagnosis::DropSite>();
  sockets[3].socket.orphan = false;
  sockets[3].socket.uid = 33;
  sockets[4].socket.tries = 7;
  sockets[4].age = std::chrono::seconds(9);
  const auto groups = GroupStuckSockets(sockets);
  ASSERT_EQ(groups.size(), 4U);
  EXPECT_EQ(groups[0].sockets, 2U) << "the largest first";
  EXPECT_EQ(groups[0].most_tries, 7U);
  EXPECT_EQ(groups[0].oldest_seconds, 9);
  EXPECT_EQ(OwnerText(groups[0]), "no process");
  EXPECT_EQ(OwnerText(groups[3]), "uid 33");
}

TEST(SocketGroupsTest, NothingHasNoGroups) { EXPECT_TRUE(GroupStuckSockets({}).empty()); }

}  // namespace
}  // namespace finwait::report
