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

TEST(CommandLineTest, CheckPrintsMetricsThatPromtoolTakesAndTheServiceHas) {
  const lab::Namespace where;
  where.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const auto checked = Start(where, {"check", "--namespaces=none", "--format=prometheus"});
  EXPECT_EQ(checked.exit_code, 0);
  const auto linted = where.Command({"promtool", "check", "metrics"}, checked.out);
  EXPECT_EQ(linted.exit_code, 0) << linted.out << linted.err;
  const Program program(where);
  const auto served = program.Scrape();
  const auto series = ParseSeries(checked.out);
  for (const auto& [name, value] : series) {
    EXPECT_EQ(served.count(name), 1U) << name;
  }
  EXPECT_EQ(series.at("finwait_risk_stage{stage=\"latent\"}"), 1);
  EXPECT_EQ(series.at("finwait_firewall_path_verdict{family=\"ipv4\",packet=\"fin\",verdict=\"drop\"}"), 1);
  EXPECT_EQ(series.count("finwait_netstat_tcp_abort_failed_total"), 1U);
  for (const auto& [name, value] : series) {
    EXPECT_EQ(name.find("finwait_tcp_sockets_stuck_total"), std::string::npos) << "it would be 0 after each run";
    EXPECT_EQ(name.find("finwait_conntrack_expired_total"), std::string::npos) << "one sample hears no event";
  }
}

TEST(CommandLineTest, CheckSpeaksToNagiosInOneLineAndItsExitCodes) {
  const lab::Wire wire;
  const auto healthy = Start(wire.local, {"check", "--namespaces=none", "--format=nagios"});
  EXPECT_EQ(healthy.exit_code, 0);
  EXPECT_TRUE(healthy.out.starts_with("FINWAIT OK - ")) << healthy.out;
  EXPECT_NE(healthy.out.find("| risk_score=0;39;69;0;100 stuck_sockets=0;;;0 "), std::string::npos) << healthy.out;
  EXPECT_EQ(Lines(healthy.out), 1U);
  const auto blind = Start(wire.local, {"check", "--namespaces=none", "--format=nagios", "--no-collector.firewall"});
  EXPECT_EQ(blind.exit_code, 3);
  EXPECT_TRUE(blind.out.starts_with("FINWAIT UNKNOWN - ")) << blind.out;
  const auto nowhere = Start(wire.local, {"check", "--namespaces=none", "--format=nagios", "--path.procfs=/nowhere"});
  EXPECT_EQ(nowhere.exit_code, 3);
  EXPECT_TRUE(nowhere.out.starts_with("FINWAIT UNKNOWN - ")) << nowhere.out;

  wire.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const lab::Listener listener(wire.peer, lab::Wire::kPeer4, 80);
  UniqueFd client = lab::Connect(wire.local, lab::Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();
  wire.local.Shell("conntrack -F 2>/dev/null");
  const auto exposed = Start(wire.local, {"check", "--namespaces=none", "--format=nagios"});
  EXPECT_EQ(exposed.exit_code, 1) << exposed.out;
  EXPECT_TRUE(exposed.out.starts_with("FINWAIT WARNING - ")) << exposed.out;
  client.Reset();
  lab::CommandOutput failing;
  EXPECT_TRUE(lab::Eventually([&] {
    failing = Start(wire.local, {"check", "--namespaces=none", "--format=nagios"});
    return failing.exit_code == 2;
  })) << failing.out;
  EXPECT_TRUE(failing.out.starts_with("FINWAIT CRITICAL - ")) << failing.out;
  EXPECT_EQ(Lines(failing.out), 1U);
}

TEST(CommandLineTest, ABugReportHasNoAddressAndNoTextOfARule) {
  const lab::Wire wire;
  wire.local.Shell("iptables -A OUTPUT -d 192.0.2.0/24 -m conntrack --ctstate INVALID -j DROP");
  const lab::Listener listener(wire.peer, lab::Wire::kPeer4, 80);
  const UniqueFd client = lab::Connect(wire.local, lab::Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();
  wire.local.Shell("conntrack -F 2>/dev/null");
  const auto report =
      Start(wire.local, {"check", "--namespaces=none", "--format=bug", "--path.timeout=198.51.100.0/24=350s"});
  EXPECT_EQ(report.exit_code, 1);
  const auto json = nlohmann::json::parse(report.out);
  EXPECT_EQ(json["report"]["verdict"]["stage"], "exposed");
  EXPECT_TRUE(json["kernel"].get<std::string>().starts_with("Linux "));
  for (const char* private_text : {"192.0.2.", "198.51.100.", "INVALID -j DROP"}) {
    EXPECT_EQ(report.out.find(private_text), std::string::npos) << report.out;
  }
}

TEST(CommandLineTest, WithoutTheCapabilityItNamesWhatIsMissing) {
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
