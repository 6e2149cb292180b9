// Both halves of lost connections, found by asking both hosts: which host has the abandoned one, and whose rule made
// it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"
#include "tests/e2e/protected_program.h"
#include "tests/e2e/scene.h"
#include "tests/lab/bpf_programs.h"
#include "tests/lab/connection.h"
#include "tests/lab/paths.h"
#include "tests/lab/temporary_folder.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;
using nlohmann::json;
using testing::HasSubstr;

class PairsTest : public testing::Test {
 protected:
  PairsTest() : key_(folder_.Write("key", "a secret that both hosts have\n")) {}

  std::string ServiceFlag() const { return "--pairs.key-file=" + key_; }

  // `pairs`, run on the first host, of both.
  lab::CommandOutput Pairs(const std::string& format, std::vector<std::string> hosts = {}) const {
    std::vector<std::string> command = {lab::Program(), "pairs", "--key-file=" + key_, "--format=" + format};
    if (hosts.empty()) {
      hosts = {lab::Wire::kLocal4, std::string("http://") + lab::Wire::kPeer4 + ":10061"};
    }
    command.insert(command.end(), hosts.begin(), hosts.end());
    auto output = wire_.local.Command(command);
    EXPECT_EQ(output.err, "");
    return output;
  }
  json Found(const std::string& server_port = "") const {
    const auto output = Pairs("json");
    json halves = json::parse(output.out)["abandoned_halves"];
    EXPECT_EQ(output.exit_code, halves.empty() ? 0 : 1) << output.out;
    if (server_port.empty()) {
      return halves;
    }
    json some = json::array();
    for (const json& half : halves) {
      if (std::to_string(half["port"].get<int>()) == server_port) {
        some.push_back(half);
      }
    }
    return some;
  }
  // The first that are found, as soon as some are: a later question can find none again, as ages are rounded up and a
  // sample from about the time of the loss does not count.
  json Awaited() const {
    json halves;
    EXPECT_TRUE(Eventually([&] { return !(halves = Found()).empty(); }, 20)) << Pairs("text").out;
    return halves;
  }

  lab::Wire wire_;
  lab::TemporaryFolder folder_;
  std::string key_;
};

TEST_F(PairsTest, WithoutAKeyThereIsNothing) {
  const Program program(wire_.local);
  EXPECT_EQ(program.Get("/api/v1/pairs").status, 404);
  const auto output = Pairs("text", {lab::Wire::kLocal4});
  EXPECT_EQ(output.exit_code, 3);
  EXPECT_THAT(output.out, HasSubstr("it serves no pairs: start it with --pairs.key-file"));
}

// In the sandbox, where the authorities that are trusted are among the few files that can be read.
TEST_F(PairsTest, AsksByTls) {
  ProtectedProgram program;
  program.Start(ProtectedProgram::kTls, {ServiceFlag()});
  const auto ask = [&](const std::vector<std::string>& before, const std::vector<std::string>& flags) {
    std::vector<std::string> command = before;
    command.insert(command.end(), {lab::Program(), "pairs", "--key-file=" + key_});
    command.insert(command.end(), flags.begin(), flags.end());
    command.push_back("https://localhost:10061");
    return program.Where().Command(command);
  };
  const std::string authority = program.Folder().PathOf("ca.crt");
  const auto trusting = ask({}, {"--ca-file=" + authority});
  EXPECT_NE(trusting.exit_code, 3) << trusting.out << trusting.err;
  EXPECT_EQ(trusting.err, "");
  const auto by_environment = ask({"env", "SSL_CERT_FILE=" + authority}, {});
  EXPECT_NE(by_environment.exit_code, 3) << by_environment.out << by_environment.err;
  const auto not_trusting = ask({}, {});
  EXPECT_EQ(not_trusting.exit_code, 3);
  EXPECT_THAT(not_trusting.out, HasSubstr("certificate")) << not_trusting.err;
}

TEST_F(PairsTest, WhoDoesNotAnswerIsNamedAndNothingIsClaimed) {
  const Program program(wire_.local, {ServiceFlag()});
  (void)folder_.Write("key", "another secret of some length\n");
  const std::string hosts = folder_.Write(
      "hosts.json", R"([{"targets": ["192.0.2.1", "192.0.2.2:1"]}, {"targets": ["no-such-host.invalid:1"]}])");
  const auto output =
      wire_.local.Command({lab::Program(), "pairs", "--key-file=" + key_, "--file_sd=" + hosts, "--format=json"});
  EXPECT_EQ(output.exit_code, 3) << output.err;
  const json answers = json::parse(output.out);
  EXPECT_EQ(answers["hosts"], 3);
  ASSERT_EQ(answers["hosts_not_known"].size(), 3U) << answers;
  EXPECT_EQ(answers["hosts_not_known"][0]["problem"], "it has another key");
  EXPECT_EQ(answers["hosts_not_known"][1]["problem"], "no connection to it can be made");
  EXPECT_THAT(answers["hosts_not_known"][2]["problem"].get<std::string>(), HasSubstr("its name cannot be looked up"));
}

TEST_F(PairsTest, NamesTheServerThePortAndTheRuleAndInventsNothing) {
  wire_.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const lab::Listener listener(wire_.peer, lab::Wire::kPeer4, 80);
  const lab::Listener other(wire_.peer, lab::Wire::kPeer4, 81);
  const Program here(wire_.local, {ServiceFlag(), "--sampling.interval=1s"});
  const Program there(wire_.peer, {ServiceFlag(), "--sampling.interval=1s"});
  UniqueFd closed = lab::Connect(wire_.local, lab::Wire::kPeer4, 80);
  const UniqueFd abandoned = listener.Accept();
  const UniqueFd alive = lab::Connect(wire_.local, lab::Wire::kPeer4, 81);
  const UniqueFd alive_peer = other.Accept();
  EXPECT_EQ(Found(), json::array());
  wire_.local.Shell("conntrack -F >/dev/null 2>&1");
  closed.Reset();
  const json halves = Awaited();
  ASSERT_EQ(halves.size(), 1U) << halves;
  EXPECT_EQ(halves[0]["server"], "192.0.2.2:10061");
  EXPECT_EQ(halves[0]["port"], 80);
  EXPECT_EQ(halves[0]["closed_by"], "192.0.2.1:10061");
  EXPECT_EQ(halves[0]["made_by"], "192.0.2.1:10061");
  EXPECT_EQ(halves[0]["cause"], "local_drop");
  EXPECT_EQ(halves[0]["rule"]["chain"], "OUTPUT");
  const std::string served = here.Get("/api/v1/pairs").body + here.Get("/api/v1/pairs?of=live").body;
  EXPECT_EQ(served.find("192.0.2"), std::string::npos) << served;
  EXPECT_EQ(here.Get("/api/v1/pairs?of=all").status, 400);
  const auto shows = [&](const std::string& format, const std::string& what) {
    return Eventually([&] { return Pairs(format).out.find(what) != std::string::npos; });
  };
  EXPECT_TRUE(shows("text", "192.0.2.2:10061, port 80")) << Pairs("text").out;
  EXPECT_TRUE(
      shows("prometheus", "finwait_pairs_abandoned_halves{server=\"192.0.2.2:10061\",made_by=\"192.0.2.1:10061\"} 1\n"))
      << Pairs("prometheus").out;
}

TEST_F(PairsTest, NamesTheServerAcrossTwoNats) {
  // The client's host changes its port, the server's host redirects to another; both forget it.
  wire_.local.Shell(
      "iptables -t nat -A POSTROUTING -p tcp --dport 80 -j MASQUERADE --to-ports 50000-50100;"
      "iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  wire_.peer.Shell(
      "iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080;"
      "iptables -A INPUT -m conntrack --ctstate INVALID -j DROP");
  const lab::Listener listener(wire_.peer, lab::Wire::kPeer4, 8080);
  const Program here(wire_.local, {ServiceFlag(), "--sampling.interval=1s"});
  const Program there(wire_.peer, {ServiceFlag(), "--sampling.interval=1s"});
  UniqueFd closed = lab::Connect(wire_.local, lab::Wire::kPeer4, 80);
  const UniqueFd abandoned = listener.Accept();
  // Each has seen its entry: a live half with two digests.
  const auto seen = [](const Program& program, const std::string& port) {
    const std::string live = program.Get("/api/v1/pairs?of=live").body;
    return std::regex_search(live, std::regex("[0-9a-f]{16} [0-9a-f]{16} " + port + " "));
  };
  const std::string local_port = lab::LocalEndpoint(closed).substr(sizeof("192.0.2.1:") - 1);
  ASSERT_TRUE(Eventually([&] { return seen(here, local_port) && seen(there, "8080"); }, 20))
      << here.Get("/api/v1/pairs?of=live").body << there.Get("/api/v1/pairs?of=live").body;
  wire_.peer.Shell("conntrack -F >/dev/null 2>&1");
  wire_.local.Shell("conntrack -F >/dev/null 2>&1");
  closed.Reset();
  const json halves = Awaited();
  ASSERT_EQ(halves.size(), 1U) << halves;
  EXPECT_EQ(halves[0]["server"], "192.0.2.2:10061");
  EXPECT_EQ(halves[0]["port"], 8080);
  EXPECT_EQ(halves[0]["made_by"], "192.0.2.1:10061");
}

// Two routers between, each with a NAT of its own, on neither end: each tells what passes it.
TEST_F(PairsTest, NamesTheServerAcrossTwoRoutersThatTranslate) {
  const lab::Namespace& client = wire_.local;
  const lab::Namespace& near = wire_.peer;
  const lab::Namespace far;
  const lab::Namespace server;
  const auto join = [](const lab::Namespace& left, const char* left_address, const lab::Namespace& right,
                       const char* right_address) {
    left.Shell(std::string("ip link add next type veth peer name before netns ") + right.Path() +
               " && ip address add " + left_address + "/24 dev next && ip link set next up");
    right.Shell(std::string("ip address add ") + right_address + "/24 dev before && ip link set before up");
  };
  join(near, "198.51.100.1", far, "198.51.100.2");
  join(far, "203.0.113.1", server, "203.0.113.2");
  client.Shell("ip route add default via 192.0.2.2; iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  near.Shell(
      "ip route add 203.0.113.0/24 via 198.51.100.2; sysctl -qw net.ipv4.ip_forward=1;"
      "iptables -t nat -A POSTROUTING -p tcp --dport 80 -j MASQUERADE --to-ports 50000-50100");
  far.Shell(
      "sysctl -qw net.ipv4.ip_forward=1;"
      "iptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 203.0.113.2:8080");
  server.Shell("ip route add default via 203.0.113.1");
  const lab::Listener listener(server, "203.0.113.2", 8080);
  const std::vector<std::string> flags = {ServiceFlag(), "--sampling.interval=1s"};
  const Program on_client(client, flags);
  const Program on_near(near, flags);
  const Program on_far(far, flags);
  const Program on_server(server, flags);
  UniqueFd closed = lab::Connect(client, "198.51.100.2", 80);
  const UniqueFd abandoned = listener.Accept();
  const auto knows_it = [](const Program& router) {
    const json lost = json::parse(router.Get("/api/v1/pairs").body);
    return lost["passages"].size() == 1;
  };
  ASSERT_TRUE(Eventually([&] { return knows_it(on_near) && knows_it(on_far); }, 20));
  for (const lab::Namespace* host : {&client, &near, &far}) {
    host->Shell("conntrack -F >/dev/null 2>&1");
  }
  closed.Reset();
  const auto found = [&](std::vector<std::string> hosts) {
    std::vector<std::string> command = {lab::Program(), "pairs", "--key-file=" + key_, "--format=json"};
    command.insert(command.end(), hosts.begin(), hosts.end());
    return json::parse(near.Command(command).out)["abandoned_halves"];
  };
  const std::vector<std::string> all = {"192.0.2.1", "192.0.2.2", "198.51.100.2", "203.0.113.2"};
  json halves;
  ASSERT_TRUE(Eventually([&] { return !(halves = found(all)).empty(); }, 20)) << on_client.Get("/api/v1/pairs").body;
  ASSERT_EQ(halves.size(), 1U) << halves;
  EXPECT_EQ(halves[0]["server"], "203.0.113.2:10061");
  EXPECT_EQ(halves[0]["port"], 8080);
  EXPECT_EQ(halves[0]["closed_by"], "192.0.2.1:10061");
  EXPECT_EQ(halves[0]["made_by"], "192.0.2.1:10061");
  EXPECT_EQ(found({"192.0.2.1", "192.0.2.2", "203.0.113.2"}), json::array()) << "without one of the routers";
  EXPECT_EQ(on_near.Get("/api/v1/pairs").body.find("198.51.100"), std::string::npos) << "no address is told";
}

// What the kernel alone could not tell: with the witness, a reset has both its ends.
TEST_F(PairsTest, FindsTheOtherHalfOfAResetThatTheWitnessSawDropped) {
  wire_.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const lab::Listener listener(wire_.peer, lab::Wire::kPeer4, 80);
  const Program here(wire_.local, {ServiceFlag(), "--sampling.interval=1s", "--collector.witness"});
  const Program there(wire_.peer, {ServiceFlag(), "--sampling.interval=1s"});
  constexpr const char* kWitnessSuccess = "finwait_collector_success{collector=\"witness\"}";
  if (!Eventually([&] { return here.Scrape()[kWitnessSuccess] == 1; })) {
    ASSERT_FALSE(lab::MayLoadBpf()) << here.Log();
    GTEST_SKIP() << "no witness here";
  }
  UniqueFd closed = lab::Connect(wire_.local, lab::Wire::kPeer4, 80);
  const UniqueFd abandoned = listener.Accept();
  wire_.local.Shell("conntrack -F >/dev/null 2>&1");
  CloseWithReset(closed);
  const json halves = Awaited();
  ASSERT_EQ(halves.size(), 1U) << halves;
  EXPECT_EQ(halves[0]["server"], "192.0.2.2:10061");
  EXPECT_EQ(halves[0]["port"], 80);
  EXPECT_EQ(halves[0]["made_by"], "192.0.2.1:10061");
  EXPECT_EQ(halves[0]["rule"]["chain"], "OUTPUT");
}

TEST_F(PairsTest, ALossByTheServersRuleIsTheServers) {
  wire_.peer.Shell("iptables -A INPUT -m conntrack --ctstate INVALID -j DROP");
  const lab::Listener listener(wire_.peer, lab::Wire::kPeer4, 80);
  const Program here(wire_.local, {ServiceFlag(), "--sampling.interval=1s"});
  const Program there(wire_.peer, {ServiceFlag(), "--sampling.interval=1s"});
  UniqueFd closed = lab::Connect(wire_.local, lab::Wire::kPeer4, 80);
  const UniqueFd abandoned = listener.Accept();
  wire_.peer.Shell("conntrack -F >/dev/null 2>&1");
  closed.Reset();
  json halves;
  ASSERT_TRUE(Eventually(
      [&] {
        halves = Found("80");
        return halves.size() == 1 && halves[0]["made_by"] == "192.0.2.2:10061";
      },
      20))
      << Pairs("text").out;
  EXPECT_EQ(halves[0]["closed_by"], "192.0.2.1:10061");
  EXPECT_EQ(halves[0]["rule"]["chain"], "INPUT");
}

}  // namespace
}  // namespace finwait::e2e
