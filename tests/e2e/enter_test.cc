// --namespaces=enter: what a container's own rules do to its connections, and the process that enters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "tests/e2e/program.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"

namespace finwait::e2e {
namespace {

constexpr const char* kEntered = "finwait_network_namespaces{coverage=\"entered\"}";
constexpr const char* kObserved = "finwait_network_namespaces{coverage=\"observed\"}";

// A host, a namespace behind it as a container's is, and a peer beyond.
class EnterTest : public testing::Test {
 protected:
  EnterTest() : listener_(host_.peer, "192.0.2.2", 80) {
    if (kSanitized) {
      return;
    }
    host_.local.Shell("ip link add veth1 type veth peer name eth0 netns " + inside_.Path() +
                      "; ip addr add 198.51.100.1/24 dev veth1; ip link set veth1 up");
    inside_.Shell("ip addr add 198.51.100.2/24 dev eth0; ip link set eth0 up; ip route add default via 198.51.100.1");
    host_.local.Sysctl("net.ipv4.ip_forward", "1");
    host_.peer.Shell("ip route add 198.51.100.0/24 via 192.0.2.1");
    process_ = inside_.Spawn({"sleep", "300"});
    const std::string own = "/proc/" + std::to_string(process_) + "/ns/net";
    EXPECT_TRUE(lab::Eventually([&] { return std::filesystem::equivalent(own, inside_.Path()); }));
  }
  void SetUp() override {
    if (kSanitized) {
      GTEST_SKIP() << "a sanitizer's build has no sealed requests, and enters nothing";
    }
  }
  static std::string Field(pid_t process, const std::string& name) {
    std::ifstream status("/proc/" + std::to_string(process) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(name + ":\t")) {
        return line.substr(name.size() + 2);
      }
    }
    return "";
  }
  static bool Shows(const Program& program, const std::string& series, double value) {
    return lab::Eventually(
        [&] {
          const auto all = program.Scrape();
          const auto found = all.find(series);
          return found != all.end() && found->second == value;
        },
        30);
  }

  // Whether the stage comes to be told, or not to be.
  static bool TellsStage(const Program& program, bool told) {
    return lab::Eventually(
        [&] {
          const auto series = program.Scrape();
          return series.contains("finwait_risk_stage{stage=\"none\"}") == told &&
                 series.contains("finwait_risk_score") == told;
        },
        60);
  }

  lab::Wire host_;
  lab::Namespace inside_;
  pid_t process_ = 0;  // the only one inside
  lab::Listener listener_;
};

TEST_F(EnterTest, AContainersOwnRuleIsForetoldAndThenFound) {
  inside_.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  UniqueFd client = lab::Connect(inside_, "192.0.2.2", 80);
  const UniqueFd server = listener_.Accept();
  inside_.Shell("conntrack -F 2>/dev/null");
  const Program program(host_.local, {"--namespaces=enter", "--sampling.interval=1s"});
  EXPECT_TRUE(Shows(program, "finwait_tcp_at_risk_sockets{fate=\"fin_dropped\"}", 1));
  const auto series = program.Scrape();
  EXPECT_GE(series.at(kEntered), 1);
  EXPECT_GE(series.at("finwait_tcp_idle_seconds_count"), 1) << "sock_diag tells how long it has been silent";
  client.Reset();
  EXPECT_TRUE(Shows(program, "finwait_tcp_stuck_sockets{state=\"fin_wait_1\",cause=\"local_drop\"}", 1));
}

TEST_F(EnterTest, AContainersOwnRuleIsFoundThoughItsLastProcessHasEnded) {
  inside_.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  UniqueFd client = lab::Connect(inside_, "192.0.2.2", 80);
  const UniqueFd server = listener_.Accept();
  inside_.Shell("conntrack -F 2>/dev/null");
  const Program program(host_.local, {"--namespaces=enter", "--sampling.interval=1s"});
  ASSERT_TRUE(Shows(program, "finwait_tcp_at_risk_sockets{fate=\"fin_dropped\"}", 1));
  ::kill(process_, SIGKILL);
  const std::string own = "/proc/" + std::to_string(process_) + "/net/tcp";
  ASSERT_TRUE(lab::Eventually([&] { return !std::ifstream(own).is_open(); }));
  client.Reset();
  EXPECT_TRUE(Shows(program, "finwait_tcp_stuck_sockets{state=\"fin_wait_1\",cause=\"local_drop\"}", 1));
}

TEST_F(EnterTest, WhatCannotBeOpenedInsideIsToldAndIsNotCountedAsEntered) {
  inside_.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const UniqueFd client = lab::Connect(inside_, "192.0.2.2", 80);
  const UniqueFd server = listener_.Accept();
  inside_.Shell("conntrack -F 2>/dev/null");
  const Program program(host_.local, {"--namespaces=enter", "--sampling.interval=1s"});
  ASSERT_TRUE(Shows(program, "finwait_tcp_at_risk_sockets{fate=\"fin_dropped\"}", 1));
  const rlimit none = {3, 3};
  ASSERT_EQ(::prlimit(ChildOf(program.ReaderPid()), RLIMIT_NOFILE, &none, nullptr), 0);
  EXPECT_TRUE(lab::Eventually(
      [&] {
        const auto series = program.Scrape();
        return series.at(kEntered) == 0 && series.at(kObserved) >= 1;
      },
      60));
  EXPECT_TRUE(lab::Eventually(
      [&] { return program.Get("/api/v1/report").body.find("Too many open files") != std::string::npos; }, 30));
  EXPECT_TRUE(TellsStage(program, false)) << "what its rules do to the connection is not known any more";
}

TEST_F(EnterTest, ARuleOfAContainersOwnThatHangsOnTheMarkIsForetold) {
  inside_.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -m mark --mark 7 -j DROP");
  const UniqueFd marked = lab::Connect(inside_, "192.0.2.2", 80);
  const UniqueFd its_peer = listener_.Accept();
  const UniqueFd plain = lab::Connect(inside_, "192.0.2.2", 80);
  const UniqueFd its_peer_too = listener_.Accept();
  const int mark = 7;
  ASSERT_EQ(::setsockopt(marked.Get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark), 0);
  inside_.Shell("conntrack -F 2>/dev/null");
  const Program program(host_.local, {"--namespaces=enter", "--sampling.interval=1s"});
  EXPECT_TRUE(Shows(program, "finwait_tcp_at_risk_sockets{fate=\"fin_dropped\"}", 1));
  EXPECT_TRUE(Shows(program, "finwait_tcp_at_risk_sockets{fate=\"unknown\"}", 0)) << "the other's mark is known, too";
}

TEST_F(EnterTest, ATranslationOfAContainersOwnIsLostWithItsEntry) {
  inside_.Shell("iptables -t nat -A OUTPUT -p tcp --dport 81 -j DNAT --to-destination 192.0.2.2:80");
  const UniqueFd client = lab::Connect(inside_, "192.0.2.2", 81);
  const UniqueFd server = listener_.Accept();
  inside_.Shell("conntrack -F 2>/dev/null");
  const Program program(host_.local, {"--namespaces=enter", "--sampling.interval=1s"});
  EXPECT_TRUE(Shows(program, "finwait_tcp_at_risk_sockets{fate=\"nat_lost\"}", 1));
}

TEST_F(EnterTest, OfAContainersLegacyRulesItIsSaidThatTheyAreNotRead) {
  inside_.Shell("iptables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const UniqueFd client = lab::Connect(inside_, "192.0.2.2", 80);
  const UniqueFd server = listener_.Accept();
  inside_.Shell("conntrack -F 2>/dev/null");
  const Program program(host_.local, {"--namespaces=enter", "--sampling.interval=1s"});
  EXPECT_TRUE(Shows(program, "finwait_tcp_at_risk_sockets{fate=\"unknown\"}", 1));
  EXPECT_NE(program.Get("/api/v1/report").body.find("Their iptables-legacy rules are not read"), std::string::npos);
  EXPECT_TRUE(TellsStage(program, false));
}

TEST_F(EnterTest, TheOpenerAloneMayEnterAndTheServiceOutlivesIt) {
  const Program program(host_.local, {"--namespaces=enter", "--sampling.interval=1s"});
  ASSERT_TRUE(lab::Eventually([&] { return program.Scrape()[kEntered] >= 1; }, 30));
  EXPECT_TRUE(TellsStage(program, true));
  const pid_t reader = program.ReaderPid();
  const pid_t opener = ChildOf(reader);
  EXPECT_EQ(Field(program.Pid(), "CapEff"), "0000000000000000");
  EXPECT_EQ(Field(reader, "CapEff"), "0000000000001000");
  EXPECT_EQ(Field(opener, "CapEff"), "0000000000281000") << "SYS_ADMIN, SYS_PTRACE, and NET_ADMIN for its sockets";
  EXPECT_EQ(Field(opener, "Seccomp"), "2");
  EXPECT_EQ(Field(opener, "NoNewPrivs"), "1");

  ::kill(opener, SIGKILL);
  inside_.Shell("true");
  const UniqueFd client = lab::Connect(inside_, "192.0.2.2", 80);  // so that it is read again
  EXPECT_TRUE(lab::Eventually(
      [&] {
        const auto series = program.Scrape();
        return series.at(kEntered) == 0 && series.at(kObserved) >= 1;
      },
      60));
  EXPECT_EQ(program.Get("/healthz").status, 200);
  EXPECT_TRUE(TellsStage(program, false)) << "the container has a connection, and its rules are not read any more";
  EXPECT_TRUE(lab::Eventually(
      [&] {
        return program
                   .Scrape()["finwait_collector_failures_total{collector=\"network_namespaces\",reason=\"error\"}"] >=
               1;
      },
      30));
}

}  // namespace
}  // namespace finwait::e2e
