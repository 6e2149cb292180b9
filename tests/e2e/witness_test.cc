// The kernel's own word of dropped closing packets, as the service tells it.

#include <gtest/gtest.h>
#include <linux/netfilter.h>

#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/program.h"
#include "tests/e2e/scene.h"
#include "tests/lab/bpf_programs.h"
#include "tests/lab/kernel_version.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;

constexpr const char* kDropInvalidTcp = "iptables -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j DROP";
constexpr const char* kSuccess = "finwait_collector_success{collector=\"witness\"}";
constexpr const char* kFinsByNetfilter =
    "finwait_witness_packets_total{packet=\"fin\",place=\"local\",reason=\"netfilter\"}";
constexpr const char* kResetsByNetfilter =
    "finwait_witness_packets_total{packet=\"rst\",place=\"local\",reason=\"netfilter\"}";
constexpr const char* kDisagreements = "finwait_witness_disagreements_total";

class WitnessTest : public testing::Test {
 protected:
  void Start() {
    program_.emplace(scene_.Local(),
                     std::vector<std::string>{"--collector.witness", "--sampling.interval=1s", "--report.details"});
    nlohmann::json collector;
    ASSERT_TRUE(Eventually([&] {
      collector = Collector();
      return collector.is_object() && (collector["success"].get<bool>() || !collector["errors"].empty());
    })) << program_->Log();
    if (!collector["success"].get<bool>()) {
      const std::string why = collector["errors"].dump();
      ASSERT_TRUE(!lab::MayLoadBpf() || why.find("built without") != std::string::npos || !lab::KernelIsAtLeast(5, 17))
          << why;
      GTEST_SKIP() << why;
    }
  }
  nlohmann::json Report() const { return nlohmann::json::parse(program_->Get("/api/v1/report").body); }
  nlohmann::json Collector() const {
    const nlohmann::json report = Report();
    for (const auto& collector : report["collectors"]) {
      if (collector["name"] == "witness") {
        return collector;
      }
    }
    return nullptr;
  }
  // A drop is held against rules that were read before it.
  bool RulesAreRead() const {
    constexpr const char* kRead = "finwait_collector_last_success_timestamp_seconds{collector=\"firewall\"}";
    if (!Eventually([&] { return Report()["firewall"].is_object() && Metric(kDisagreements) == 0; })) {
      return false;
    }
    const double before = Metric(kRead);
    return Eventually([&] { return Metric(kRead) > before + 1; });
  }
  double Metric(const char* series) const {
    const auto scrape = program_->Scrape();
    const auto found = scrape.find(series);
    return found == scrape.end() ? -1 : found->second;
  }

  Scene scene_;
  std::optional<Program> program_;
};

TEST_F(WitnessTest, NamesTheConnectionAndTheRuleOfADroppedReset) {
  Start();
  if (IsSkipped()) {
    return;
  }
  scene_.Local().Shell(kDropInvalidTcp);
  Ends ends = scene_.Open();
  const std::string local = lab::LocalEndpoint(ends.local);
  const std::string peer = lab::PeerEndpoint(ends.local);
  scene_.LoseEntries();
  CloseWithReset(ends.local);
  nlohmann::json resets;
  ASSERT_TRUE(Eventually([&] {
    resets = Report()["witness"]["resets"];
    return resets.is_array() && resets.size() == 1 && resets[0]["rule"].is_object();
  })) << Report()["witness"].dump(1);
  EXPECT_EQ(resets[0]["local"], local);
  EXPECT_EQ(resets[0]["peer"], peer);
  EXPECT_EQ(resets[0]["rule"]["chain"], "OUTPUT");
  EXPECT_EQ(resets[0]["evaluated"], "drop");
  EXPECT_EQ(resets[0]["kernel_reason"], "NETFILTER_DROP");
  EXPECT_EQ(resets[0]["entry"], "none");
  EXPECT_EQ(Metric(kResetsByNetfilter), 1);
  EXPECT_NE(program_->Get("/").body.find("reset of a closed connection"), std::string::npos);

  nlohmann::json incidents;
  ASSERT_TRUE(Eventually([&] {
    incidents = nlohmann::json::parse(program_->Get("/api/v1/incidents").body)["incidents"];
    return incidents.size() == 1;
  })) << incidents.dump(1);
  EXPECT_EQ(incidents[0]["kind"], "reset");
  EXPECT_EQ(incidents[0]["cause"], "local_drop");
  EXPECT_EQ(incidents[0]["connections"], 1);
  EXPECT_EQ(incidents[0]["rule"]["chain"], "OUTPUT");
  EXPECT_EQ(incidents[0]["examples"][0]["local"], local);
  EXPECT_EQ(incidents[0]["examples"][0]["peer"], peer);
}

TEST_F(WitnessTest, AStuckSocketsCauseIsProvenByObservation) {
  Start();
  if (IsSkipped()) {
    return;
  }
  scene_.Local().Shell(kDropInvalidTcp);
  Ends ends = scene_.Open();
  scene_.LoseEntries();
  ends.local.Reset();
  const auto proof = [&](const char* cause, const char* proven_by) {
    const nlohmann::json stuck = Report()["stuck"]["sockets"];
    return stuck.size() == 1 && stuck[0]["cause"] == cause && stuck[0]["proven_by"] == proven_by;
  };
  ASSERT_TRUE(Eventually([&] { return proof("local_drop", "observation"); }, 20)) << Report()["stuck"].dump(1);
  EXPECT_GE(Metric(kFinsByNetfilter), 2);
  EXPECT_EQ(Metric(kDisagreements), 0);
}

TEST_F(WitnessTest, ALocalErrorIsToldByItsReason) {
  Start();
  if (IsSkipped()) {
    return;
  }
  scene_.Local().Shell(kDropInvalidTcp);  // so that conntrack is active
  Ends ends = scene_.Open();
  scene_.Local().Shell("ip route add blackhole 192.0.2.2/32");
  ends.local.Reset();
  nlohmann::json stuck;
  ASSERT_TRUE(Eventually(
      [&] {
        stuck = Report()["stuck"]["sockets"];
        return stuck.size() == 1 && !stuck[0]["kernel_reason"].is_null();
      },
      20))
      << stuck.dump(1);
  EXPECT_EQ(stuck[0]["cause"], "local_error") << stuck.dump(1);
  EXPECT_EQ(stuck[0]["proven_by"], "observation");
  EXPECT_EQ(stuck[0]["kernel_reason"], "IP_OUTNOROUTES");
  EXPECT_NE(program_->Get("/").body.find("IP_OUTNOROUTES"), std::string::npos);
}

// What no list of rules shows. Over IPv6, as the program itself is asked over IPv4.
TEST_F(WitnessTest, ADropThatTheRulesDoNotExplainIsADisagreement) {
  if (!lab::HasNetfilterPrograms()) {
    GTEST_SKIP() << "this kernel has no BPF links in netfilter (Linux 6.4)";
  }
  Start();
  if (IsSkipped()) {
    return;
  }
  scene_.Local().Shell("ip6tables -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j ACCEPT");
  Ends ends = scene_.Open(/*ipv6=*/true);
  std::optional<lab::DroppingProgram> hidden;
  scene_.Local().Run([&] { hidden.emplace(lab::DroppingProgram::InNetfilter(NFPROTO_IPV6, NF_INET_LOCAL_OUT)); });
  ASSERT_TRUE(RulesAreRead());
  ends.local.Reset();
  ASSERT_TRUE(Eventually([&] { return Metric(kDisagreements) >= 1; }, 20)) << Report()["witness"].dump(1);
  const nlohmann::json witness = Report()["witness"];
  EXPECT_EQ(witness["newest_disagreements"][0]["evaluated"], "accept") << witness.dump(1);
  const std::string bug_report = program_->Get("/api/v1/report?format=bug").body;
  const auto bug = nlohmann::json::parse(bug_report);
  EXPECT_EQ(bug["bug_report"], 1);
  EXPECT_EQ(bug["report"]["witness"]["newest_disagreements"][0]["kernel_reason"], "NETFILTER_DROP") << bug_report;
  EXPECT_EQ(bug_report.find("2001:db8:"), std::string::npos) << bug_report;
  EXPECT_EQ(program_->Get("/api/v1/report?format=text").status, 400);
}

// Of a pod whose packets this host passes on: its own socket does not tell where its FIN died.
TEST_F(WitnessTest, APodsFinThatTheRulesLetPassIsADisagreement) {
  if (!lab::HasNetfilterPrograms()) {
    GTEST_SKIP() << "this kernel has no BPF links in netfilter (Linux 6.4)";
  }
  const lab::Namespace pod;
  scene_.Local().Shell("ip link add pod0 type veth peer name eth0 netns " + pod.Path() +
                       "; sysctl -qw net.ipv6.conf.pod0.accept_dad=0 net.ipv6.conf.all.forwarding=1; "
                       "ip addr add 2001:db8:1::1/64 dev pod0 nodad; ip link set pod0 up; "
                       "ip6tables -A FORWARD -p tcp -m conntrack --ctstate INVALID -j ACCEPT");
  pod.Shell(
      "sysctl -qw net.ipv6.conf.eth0.accept_dad=0; ip addr add 2001:db8:1::2/64 dev eth0 nodad; "
      "ip link set eth0 up; ip -6 route add default via 2001:db8:1::1");
  scene_.Peer().Shell("ip -6 route add 2001:db8:1::/64 via 2001:db8::1");
  Start();
  if (IsSkipped()) {
    return;
  }
  const lab::Listener listener(scene_.Peer(), lab::Wire::kPeer6, 4000);
  auto ends = lab::ConnectMany(1, pod, lab::Wire::kPeer6, 4000, listener);
  scene_.LoseEntries();
  std::optional<lab::DroppingProgram> hidden;
  scene_.Local().Run([&] { hidden.emplace(lab::DroppingProgram::InNetfilter(NFPROTO_IPV6, NF_INET_FORWARD)); });
  ASSERT_TRUE(RulesAreRead());
  ends[0].Reset();
  ASSERT_TRUE(Eventually([&] { return Metric(kDisagreements) >= 1; }, 20)) << Report()["witness"].dump(1);
  const nlohmann::json newest = Report()["witness"]["newest_disagreements"][0];
  EXPECT_EQ(newest["place"], "forwarded") << newest.dump(1);
  EXPECT_EQ(newest["local"].get<std::string>().find("[2001:db8:1::2]:"), 0U) << newest.dump(1);
  EXPECT_EQ(newest["evaluated"], "accept");
}

TEST_F(WitnessTest, WithoutItsProcessEverythingElseGoesOn) {
  Start();
  if (IsSkipped()) {
    return;
  }
  EXPECT_EQ(Metric(kFinsByNetfilter), 0);
  ::kill(ChildOf(program_->ReaderPid()), SIGKILL);
  ASSERT_TRUE(Eventually([&] { return Metric(kSuccess) == 0; }));
  EXPECT_EQ(Metric(kFinsByNetfilter), -1) << "absent";
  EXPECT_EQ(Metric(kDisagreements), -1);
  EXPECT_EQ(Metric("finwait_collector_success{collector=\"sockets\"}"), 1);
  EXPECT_EQ(program_->Get("/healthz").status, 200);
  const std::string why = Collector()["errors"][0]["message"];
  EXPECT_NE(why.find("has ended"), std::string::npos) << why;
}

// Also where BPF cannot be had at all: in a user namespace of a test's own.
TEST_F(WitnessTest, WithoutItsCapabilitiesItSaysSo) {
  const Program program(
      scene_.Local(),
      {"setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin", "--inh-caps", "-bpf,-perfmon,-sys_admin",
       lab::Program(), lab::kOwnNamespaceOnly, "--collector.witness", "--sampling.interval=1s"},
      Program::Whole());
  ASSERT_TRUE(Eventually([&] {
    const auto scrape = program.Scrape();
    const auto found = scrape.find(kSuccess);
    return found != scrape.end() && found->second == 0 && !scrape.contains(kFinsByNetfilter) &&
           scrape.at("finwait_collector_success{collector=\"sockets\"}") == 1;
  }));
}

}  // namespace
}  // namespace finwait::e2e
