// What is said of a socket that is stuck: what became of its conntrack entry, by which timeout, and whether keepalive
// was on. The six causes are in the risk matrix.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"
#include "tests/e2e/scene.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;
using nlohmann::json;

class PostMortemTest : public testing::Test {
 protected:
  PostMortemTest() { scene_.Local().Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP"); }
  void Timeout(const std::string& state, const std::string& seconds) {
    scene_.Local().Sysctl("net.netfilter.nf_conntrack_tcp_timeout_" + state, seconds);
  }
  static json Report(const Program& program) { return json::parse(program.Get("/api/v1/report").body); }
  static bool SeesTracked(const Program& program, std::size_t open) {
    return Eventually([&] {
      const json live = Report(program)["live"];
      return live["open"] == open && live["untracked"]["established"] == 0 && live["untracked"]["close_wait"] == 0;
    });
  }
  static bool SeesAtRisk(const Program& program, int number) {
    return Eventually([&] { return Report(program)["live"]["at_risk"]["fin_dropped"] == number; }, 20);
  }
  // The one stuck socket once its cause is known.
  static json Stuck(const Program& program) {
    json found;
    Eventually(
        [&] {
          const json stuck = Report(program)["stuck"]["sockets"];
          if (stuck.size() != 1 || stuck[0]["cause"].is_null()) {
            return false;
          }
          found = stuck[0];
          return true;
        },
        20);
    return found;
  }
  Scene scene_;
};

TEST_F(PostMortemTest, AnIdleEntryTimedOutInEstablished) {
  Timeout("established", "4");
  Ends ends = scene_.Open();
  const Program program(scene_.Local(), {"--sampling.interval=1s"});
  ASSERT_TRUE(SeesAtRisk(program, 1));
  ends.local.Reset();
  const json stuck = Stuck(program);
  EXPECT_EQ(stuck["entry"], "timed_out") << stuck;
  EXPECT_EQ(stuck["entry_state"], "established");
  EXPECT_EQ(stuck["keepalive"], false);
  EXPECT_EQ(stuck["rule"]["chain"], "OUTPUT");
}

TEST_F(PostMortemTest, AfterThePeersCloseItTimedOutInCloseWait) {
  Timeout("close_wait", "4");
  Ends ends = scene_.Open();
  const Program program(scene_.Local(), {"--sampling.interval=1s"});
  ASSERT_TRUE(SeesTracked(program, 1));
  ends.peer.Reset();
  ASSERT_TRUE(SeesAtRisk(program, 1));
  ends.local.Reset();
  const json stuck = Stuck(program);
  EXPECT_EQ(stuck["state"], "last_ack");
  EXPECT_EQ(stuck["entry"], "timed_out") << stuck;
  EXPECT_EQ(stuck["entry_state"], "close_wait");
}

TEST_F(PostMortemTest, ADeletedEntryIsNotSaidToHaveTimedOut) {
  Ends ends = scene_.Open();
  KeepAlive(ends.local, 1000);
  const Program program(scene_.Local(), {"--sampling.interval=1s"});
  ASSERT_TRUE(SeesTracked(program, 1));
  scene_.LoseEntries();
  ASSERT_TRUE(SeesAtRisk(program, 1));
  ends.local.Reset();
  const json stuck = Stuck(program);
  EXPECT_EQ(stuck["entry"], "removed") << stuck;
  EXPECT_EQ(stuck["keepalive"], true);
}

TEST_F(PostMortemTest, WhatNobodySawIsUnknown) {
  Ends ends = scene_.Open();
  scene_.LoseEntries();
  ends.local.Reset();
  ASSERT_TRUE(Eventually([&] { return scene_.MostTries() >= 2; }));
  const json stuck = scene_.Check()["stuck"]["sockets"][0];
  EXPECT_EQ(stuck["cause"], "local_drop");
  EXPECT_EQ(stuck["entry"], "unknown");
  EXPECT_TRUE(stuck["keepalive"].is_null()) << stuck;
}

TEST_F(PostMortemTest, TheLostTranslationIsNamedAndOverHttpOnlyWithDetails) {
  scene_.Local().Shell(
      "iptables -F OUTPUT; iptables -t nat -A OUTPUT -d 198.51.100.1 -j DNAT --to-destination 192.0.2.2; "
      "ip route add 198.51.100.0/24 via 192.0.2.2");
  Ends ends = scene_.Open(false, "198.51.100.1");
  const Program program(scene_.Local(), {"--sampling.interval=1s", "--report.details"});
  ASSERT_TRUE(SeesTracked(program, 1));
  scene_.LoseEntries();
  ASSERT_TRUE(Eventually([&] { return Report(program)["live"]["at_risk"]["nat_lost"] == 1; }));
  ends.local.Reset();
  const json stuck = Stuck(program);
  EXPECT_EQ(stuck["cause"], "nat_lost");
  EXPECT_EQ(stuck["destination_nat"], true);
  EXPECT_EQ(stuck["peer"], "198.51.100.1:80");
  EXPECT_EQ(stuck["translated_peer"], "192.0.2.2:80");
}

TEST_F(PostMortemTest, WithoutDetailsTheReportNamesNoAddress) {
  Ends ends = scene_.Open();
  const Program program(scene_.Local(), {"--sampling.interval=1s"});
  ASSERT_TRUE(SeesTracked(program, 1));
  scene_.LoseEntries();
  ASSERT_TRUE(SeesAtRisk(program, 1));
  ends.local.Reset();
  ASSERT_FALSE(Stuck(program).is_null());
  for (const char* path : {"/api/v1/report", "/", "/health"}) {
    const std::string body = program.Get(path).body;
    EXPECT_EQ(body.find("192.0.2."), std::string::npos) << path;
    EXPECT_EQ(body.find("-A OUTPUT -m"), std::string::npos) << path;
  }
}

}  // namespace
}  // namespace finwait::e2e
