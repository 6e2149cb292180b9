// What a person gets back: exit codes and one clear sentence for everything that cannot be done.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"
#include "tests/lab/connection.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

lab::CommandOutput Start(const lab::Namespace& where, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), lab::Program());
  auto output = where.Command(arguments);
  EXPECT_EQ(output.err.find("refused system calls"), std::string::npos) << output.err;
  return output;
}

std::size_t Lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(CommandLineTest, AStartThatCannotSucceedSaysWhyInOneLineAndExitsWith2) {
  const lab::Namespace where;
  const struct {
    std::vector<std::string> flags;
    const char* says;
  } cases[] = {
      {{"--no-such-flag"}, "--no-such-flag"},
      {{"--web.listen-address=nonsense"}, "nonsense"},
      {{"--web.listen-address=192.0.2.77:10061"}, "192.0.2.77:10061"},
      {{"--path.procfs=/nowhere"}, "/nowhere"},
      {{"--path.procfs=/etc"}, "/etc"},
      {{"--sampling.interval=never"}, "never"},
      {{"--collector.nonsense"}, "nonsense"},
      {{"extra"}, "extra"},
  };
  for (const auto& one : cases) {
    const auto output = Start(where, one.flags);
    EXPECT_EQ(output.exit_code, 2) << one.flags[0];
    EXPECT_NE(output.err.find(one.says), std::string::npos) << output.err;
    EXPECT_EQ(Lines(output.err), 1U) << output.err;
  }
}

TEST(CommandLineTest, APortThatIsTakenIsNamed) {
  const lab::Namespace where;
  const lab::Listener listener(where, "127.0.0.1", 10061);
  const auto output = Start(where, {"--web.listen-address=127.0.0.1:10061"});
  EXPECT_EQ(output.exit_code, 2);
  EXPECT_NE(output.err.find("127.0.0.1:10061"), std::string::npos) << output.err;
  EXPECT_EQ(Lines(output.err), 1U) << output.err;
}

TEST(CommandLineTest, ASecondInstanceOnTheSamePortIsRefused) {
  const lab::Namespace where;
  const Program first(where);
  const auto second = Start(where, {});
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_NE(second.err.find("10061"), std::string::npos) << second.err;
}

TEST(CommandLineTest, WrongUsageOfCheckExitsWith3) {
  const lab::Namespace where;
  EXPECT_EQ(Start(where, {"check", "--format=xml"}).exit_code, 3);
  EXPECT_EQ(Start(where, {"explain", "nonsense", "192.0.2.1:1"}).exit_code, 3);
}

TEST(CommandLineTest, CheckOfAHealthyNamespaceExitsWith0AndSaysSoFirst) {
  const lab::Namespace where;
  const auto text = Start(where, {"check"});
  EXPECT_EQ(text.exit_code, 0) << text.out;
  EXPECT_TRUE(text.out.starts_with("NONE: ")) << text.out;
  const auto json = Start(where, {"check", "--format=json"});
  EXPECT_EQ(json.exit_code, 0);
  EXPECT_EQ(nlohmann::json::parse(json.out)["verdict"]["stage"], "none");
}

TEST(CommandLineTest, CheckNamesTheRuleAndTheStuckSocketAndExitsWith2) {
  const lab::Wire wire;
  wire.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const lab::Listener listener(wire.peer, lab::Wire::kPeer4, 80);
  UniqueFd client = lab::Connect(wire.local, lab::Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();
  const std::string local = lab::LocalEndpoint(client);
  wire.local.Shell("conntrack -F 2>/dev/null");
  client.Reset();
  lab::CommandOutput text;
  ASSERT_TRUE(lab::Eventually([&] {
    text = Start(wire.local, {"check", lab::kOwnNamespaceOnly});
    return text.exit_code == 2;
  })) << text.out;
  EXPECT_TRUE(text.out.starts_with("FAILING: ")) << text.out;
  EXPECT_NE(text.out.find(local), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("--ctstate INVALID -j DROP"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("nf_conntrack_tcp_timeout_established"), std::string::npos) << text.out;
}

TEST(CommandLineTest, WithoutTheCapabilityItServesWhatItCanSeeAndNamesWhatIsMissing) {
  const lab::Wire wire;
  const lab::Listener listener(wire.local, "127.0.0.1", 80);
  // An ordinary user in this namespace: no capability at all.
  char log[] = "/tmp/finwait_e2e_user_XXXXXX";
  ::close(::mkstemp(log));
  const pid_t pid =
      wire.local.Spawn({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", lab::Program()}, log);
  std::string body;
  EXPECT_TRUE(lab::Eventually([&] {
    const auto fetched = wire.local.Command({"curl", "-sf", "http://127.0.0.1:10061/readyz"});
    return fetched.exit_code == 0;
  })) << "a collector that cannot work here must not keep the service from being ready";
  const auto series = ParseSeries(wire.local.Shell("curl -sf http://127.0.0.1:10061/metrics"));
  for (const char* collector : {"sysctl", "sockets", "netstat"}) {
    EXPECT_EQ(series.at(std::string("finwait_collector_success{collector=\"") + collector + "\"}"), 1) << collector;
  }
  for (const char* collector : {"conntrack_stats", "conntrack_table", "firewall"}) {
    const std::string label = std::string("{collector=\"") + collector;
    EXPECT_EQ(series.at("finwait_collector_success" + label + "\"}"), 0) << collector;
    EXPECT_GE(series.at("finwait_collector_failures_total" + label + "\",reason=\"permission\"}"), 1) << collector;
  }
  EXPECT_EQ(series.count("finwait_risk_score"), 0U) << "never 0 when blind";
  EXPECT_EQ(series.count("finwait_conntrack_invalid_total"), 0U);
  EXPECT_GT(series.at("finwait_tcp_sockets{family=\"ipv4\",state=\"listen\"}"), 0);
  EXPECT_EQ(wire.local.Shell("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:10061/health"), "500");
  ::kill(pid, SIGTERM);
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
  const std::string said = wire.local.Shell(std::string("cat ") + log + "; rm " + log);
  EXPECT_NE(said.find("CAP_NET_ADMIN"), std::string::npos) << said;
}

TEST(CommandLineTest, SigtermEndsItCleanly) {
  const lab::Namespace where;
  Program program(where);
  EXPECT_EQ(program.Terminate(), 0);
}

}  // namespace
}  // namespace finwait::e2e
