// `check` and `explain` with --netns: one other network namespace, and the way through this host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/rules.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

// A process that lives in the namespace: it has entered by the time that this returns.
pid_t LiveIn(const lab::Namespace& where) {
  const pid_t process = where.Spawn({"sleep", "60"});
  const std::string own = "/proc/" + std::to_string(process) + "/ns/net";
  EXPECT_TRUE(lab::Eventually([&] { return std::filesystem::equivalent(own, where.Path()); }));
  return process;
}

// A host (`local` of one wire) with a namespace behind it, as a container is: 198.51.100.2.
class NetnsTest : public testing::Test {
 protected:
  NetnsTest() {
    host_.local.Shell("ip link add veth1 type veth peer name eth0 netns " + inside_.Path() +
                      "; ip addr add 198.51.100.1/24 dev veth1; ip link set veth1 up");
    inside_.Shell("ip addr add 198.51.100.2/24 dev eth0; ip link set eth0 up; ip route add default via 198.51.100.1");
    host_.local.Sysctl("net.ipv4.ip_forward", "1");
    host_.peer.Shell("ip route add 198.51.100.0/24 via 192.0.2.1");
    process_ = LiveIn(inside_);
  }
  lab::CommandOutput Run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), lab::Program());
    return host_.local.Command(arguments);
  }
  lab::CommandOutput Explain(const std::string& netns, const std::string& format = "json") const {
    return Run({"explain", "--netns=" + netns, "198.51.100.2:40000", "192.0.2.2:80", "--format=" + format});
  }
  Json Ask(int exit_code) const {
    const lab::CommandOutput output = Explain(std::to_string(process_));
    EXPECT_EQ(output.exit_code, exit_code) << output.out << output.err;
    EXPECT_EQ(output.err, "");
    return Json::parse(output.out);
  }

  lab::Wire host_;
  lab::Namespace inside_;
  pid_t process_ = -1;
};

TEST_F(NetnsTest, ExplainTellsBothHopsAndWhichDecides) {
  const Json open = Ask(0);
  EXPECT_EQ(open["fate"], "clean");
  ASSERT_EQ(open["hops"].size(), 2U) << open;
  EXPECT_EQ(open["hops"][0]["namespace"], "local");
  EXPECT_EQ(open["hops"][1]["namespace"], "host");
  EXPECT_EQ(open["hops"][1]["passage"], "forward");

  host_.local.Shell("iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP");
  const Json through = Ask(1);
  EXPECT_EQ(through["fate"], "fin_dropped");
  EXPECT_EQ(through["fin"]["hook"], "forward");
  EXPECT_EQ(through["hops"][0]["fin"]["verdict"], "accept");
  EXPECT_EQ(through["hops"][1]["fin"]["verdict"], "drop");
  EXPECT_THAT(Explain(std::to_string(process_), "text").out, HasSubstr("On the way through this host:"));

  host_.local.Shell("iptables -F FORWARD");
  inside_.Shell(kDropInvalid);
  const Json own = Ask(1);
  EXPECT_EQ(own["fate"], "fin_dropped");
  EXPECT_EQ(own["fin"]["hook"], "output");
  EXPECT_EQ(own["hops"][0]["fin"]["verdict"], "drop");
  EXPECT_EQ(own["hops"][1]["fin"]["verdict"], "accept");
}

// Another namespace may lie between, whose rules nobody has read: kind, Docker in Docker.
TEST_F(NetnsTest, WhatNoDeviceOfThisHostLeadsToIsUnknownOnTheWay) {
  const lab::Wire elsewhere;
  elsewhere.local.Shell(kDropInvalid);
  const pid_t process = LiveIn(elsewhere.local);
  const lab::CommandOutput output =
      Run({"explain", "--netns=" + std::to_string(process), "192.0.2.1:40000", "192.0.2.2:80", "--format=json"});
  EXPECT_EQ(output.exit_code, 1) << output.out << output.err;
  const Json answer = Json::parse(output.out);
  EXPECT_EQ(answer["fate"], "fin_dropped") << "its own rule is certain";
  elsewhere.local.Shell("nft flush ruleset");
  const lab::CommandOutput free =
      Run({"explain", "--netns=" + std::to_string(process), "192.0.2.1:40000", "192.0.2.2:80"});
  EXPECT_EQ(free.exit_code, 3) << free.out << free.err;
  EXPECT_THAT(free.out, HasSubstr("no device of this host leads to its namespace"));
}

TEST_F(NetnsTest, CheckLooksAtThatNamespaceAlone) {
  inside_.Shell(kDropInvalid);
  const lab::CommandOutput there = Run({"check", "--netns=" + std::to_string(process_), "--format=json"});
  EXPECT_EQ(there.exit_code, 0) << there.err;
  EXPECT_EQ(Json::parse(there.out)["verdict"]["stage"], "latent");
  EXPECT_THAT(Run({"check", "--netns=" + std::to_string(process_)}).out, HasSubstr("has no part in this"));
  const lab::CommandOutput here = Run({"check", "--namespaces=none", "--format=json"});
  EXPECT_EQ(Json::parse(here.out)["verdict"]["stage"], "none");
}

TEST_F(NetnsTest, ANamespaceThatIsNotThereIsOneSentence) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"check", "--netns=no-such-name"},
        std::vector<std::string>{"explain", "--netns=no-such-name", "192.0.2.1:1", "192.0.2.2:2"}}) {
    const lab::CommandOutput output = Run(command);
    EXPECT_EQ(output.exit_code, 3);
    EXPECT_EQ(output.out, "");
    EXPECT_THAT(output.err, HasSubstr("--netns=\"no-such-name\": nothing here has that name"));
  }
  const lab::CommandOutput nagios = Run({"check", "--netns=no-such-name", "--format=nagios"});
  EXPECT_EQ(nagios.exit_code, 3);
  EXPECT_THAT(nagios.out, HasSubstr("no-such-name"));
}

}  // namespace
}  // namespace finwait::e2e
