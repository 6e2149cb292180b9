#include "exporter/report/explanation.h"

#include <gtest/gtest.h>

#include "exporter/diagnosis/diagnostician.h"
#include "exporter/report/report.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::report {
namespace {

using firewall::Hook;
using std::chrono::seconds;

class ExplanationTest : public testing::Test {
 protected:
  Explanation Collect() {
    return MakeReport(diagnostician_.Diagnose(host_.Get(), host_.Now(), scheduling::WallClock::now()))->explanation;
  }
  void Track(const std::vector<kernel::TcpSocket>& sockets) {
    sources::TrackingSample sample;
    sample.sockets = kernel::SocketTable(sockets);
    host_.Set(sample);
    host_.Advance(seconds(5));
  }
  static std::string All(const std::vector<Statement>& statements) {
    std::string all;
    for (const Statement& one : statements) {
      all += one.text + "\n" + one.detail + "\n";
    }
    return all;
  }
  static bool Has(const std::vector<Statement>& statements, const std::string& part) {
    return All(statements).find(part) != std::string::npos;
  }
  diagnosis::SnapshotBuilder host_ = diagnosis::SnapshotBuilder(diagnosis::DropsAt({Hook::kOutput}));
  diagnosis::Diagnostician diagnostician_;
};

TEST_F(ExplanationTest, AHealthyHostIsToldSoAndNothingElse) {
  host_ = diagnosis::SnapshotBuilder(diagnosis::DropsAt({}));
  const Explanation words = Collect();
  EXPECT_EQ(words.verdict, "No connection of this host would get stuck when it closes.");
  EXPECT_EQ(words.cause, "");
  EXPECT_TRUE(words.why.empty()) << All(words.why);
  EXPECT_TRUE(words.what_to_do.empty());
  EXPECT_TRUE(words.will_not_help.empty());
}

TEST_F(ExplanationTest, AFlowtableIsNamedWithWhatItHides) {
  EXPECT_FALSE(Has(Collect().cannot_see, "flowtable"));
  auto ruleset = std::make_shared<firewall::Ruleset>(*diagnosis::DropsAt({}));
  ruleset->tables[0].flowtables = {{"fast", -10, false, {{"eth0", false}}}, {"slow", 0, false, {{"eth1", false}}}};
  sources::FirewallSample firewall;
  firewall.ruleset = ruleset;
  host_.Set(firewall);
  const std::string told = All(Collect().cannot_see);
  EXPECT_NE(
      told.find("flowtable \"fast\" of nft table ip filter (at the ingress of eth0, priority -10), and 1 other. "),
      std::string::npos)
      << told;
  EXPECT_NE(told.find("Once the entry is gone the rules decide"), std::string::npos) << told;
}

TEST_F(ExplanationTest, ARuleForSomeConnectionsIsNamedWhereNoOpenOneWouldGetStuck) {
  host_ = diagnosis::SnapshotBuilder(diagnosis::DropsAt({}));
  sources::FirewallSample firewall;
  firewall.ruleset = diagnosis::DropsAt({});
  firewall::analysis::InvalidDropRule rule;
  rule.location = {firewall::Backend::kNft, firewall::Dialect::kNft, firewall::TableFamily::kIpv4, "t", "o", 7, {}};
  rule.families = {IpFamily::kIpv4};
  rule.hooks = {Hook::kForward};
  rule.narrow = true;
  firewall.invalid_drops = {rule};
  host_.Set(firewall);
  EXPECT_EQ(Collect().verdict, "No connection of this host would get stuck when it closes.")
      << "no packet of its own is forwarded";
  firewall.invalid_drops.front().hooks = {Hook::kOutput};
  host_.Set(firewall);
  host_.Advance(seconds(5));
  const Explanation words = Collect();
  EXPECT_EQ(words.verdict,
            "No open connection of this host would get stuck now. nft table ip t, chain o, handle 7 drops INVALID "
            "packets of some connections. `finwait_exporter explain --all` says which.");
  EXPECT_TRUE(Has(words.why, "for some connections only")) << All(words.why);
}

TEST_F(ExplanationTest, TheFirstTwoSentencesOfEachStageSayWhatAndWhy) {
  Track({diagnosis::OpenSocket(1), diagnosis::OpenSocket(2)});
  const Explanation latent = Collect();
  EXPECT_EQ(
      latent.verdict,
      "Nothing is stuck, and no open connection would get stuck now; one that outlives its conntrack entry would.");
  EXPECT_EQ(
      latent.cause,
      "Conntrack forgets a connection after 5 d without a packet (nf_conntrack_tcp_timeout_established = 432000), "
      "and then the policy of iptables-nft table filter, chain OUTPUT drops the FIN (and 1 other place).")
      << "the other is that of ip6tables";
  Track({diagnosis::ForgottenSocket(1), diagnosis::OpenSocket(2)});
  EXPECT_EQ(Collect().verdict, "1 of 2 open connections would get stuck if closed now.");
  Track({diagnosis::ForgottenSocket(1, kernel::TcpState::kFinWait1), diagnosis::OpenSocket(2)});
  sources::SocketsSample sockets;
  sockets.closing = {diagnosis::StuckClosing(1)};
  host_.Set(sockets);
  const Explanation failing = Collect();
  EXPECT_TRUE(failing.verdict.starts_with("1 closed connection is stuck, for ")) << failing.verdict;
  EXPECT_TRUE(Has(failing.stuck, "FIN_WAIT_1 (local_drop)")) << All(failing.stuck);
  EXPECT_TRUE(Has(failing.why,
                  "1 entry timed out in conntrack's state ESTABLISHED "
                  "(nf_conntrack_tcp_timeout_established = 432000)"))
      << All(failing.why);
  EXPECT_TRUE(Has(failing.why, "TCP keepalive was on for 0 and off for 1")) << All(failing.why);
}

TEST_F(ExplanationTest, InCloseWaitTheTimeoutOfThatStateIsNamed) {
  kernel::TcpSocket open = diagnosis::OpenSocket(1);
  open.state = kernel::TcpState::kCloseWait;
  open.entry.state = kernel::ConntrackTcpState::kCloseWait;
  Track({open});
  Collect();
  Track({diagnosis::ForgottenSocket(1, kernel::TcpState::kCloseWait)});
  const Explanation words = Collect();
  EXPECT_NE(words.cause.find("60 s when the peer has closed (nf_conntrack_tcp_timeout_close_wait = 60)"),
            std::string::npos)
      << words.cause;
  EXPECT_EQ(words.cause.find("established"), std::string::npos) << words.cause;
}

TEST_F(ExplanationTest, EntriesThatWereRemovedAreNotBlamedOnATimeout) {
  kernel::TcpSocket open = diagnosis::OpenSocket(1);
  open.entry.remaining_seconds = 400'000;
  Track({open});
  Collect();
  Track({diagnosis::ForgottenSocket(1)});
  const Explanation words = Collect();
  EXPECT_TRUE(words.cause.starts_with("Something removed their conntrack entries before their time")) << words.cause;
  EXPECT_TRUE(Has(words.why, "1 entry was removed before the time was up")) << All(words.why);
}

TEST_F(ExplanationTest, WhatIsBlindIsSaidWithItsReason) {
  host_.Fail<sources::FirewallSample>("read nftables: Operation not permitted");
  const Explanation words = Collect();
  EXPECT_EQ(words.verdict, "Whether closing connections get stuck here does not show in what could be observed.");
  EXPECT_EQ(words.cause, "Collector firewall: read nftables: Operation not permitted.");
  EXPECT_TRUE(Has(words.cannot_see, "collector firewall: read nftables: Operation not permitted"));
}

TEST_F(ExplanationTest, OneRemedyForSeveralCollectorsIsSaidOnce) {
  const std::string remedy = "reading conntrack needs CAP_NET_ADMIN: run as root";
  host_.Fail<sources::TrackingSample>("read the table: Operation not permitted; " + remedy);
  host_.Fail<sources::ConntrackTableSample>("read statistics: Operation not permitted; " + remedy);
  const std::string all = All(Collect().cannot_see);
  EXPECT_EQ(all.find(remedy), all.rfind(remedy)) << all;
  EXPECT_NE(all.find("collector tracking: read the table: Operation not permitted"), std::string::npos) << all;
  EXPECT_NE(all.find("collector conntrack_table: read statistics: Operation not permitted"), std::string::npos) << all;
}

TEST_F(ExplanationTest, OtherNetworkNamespacesAreCountedAndNotSeeingThemAllIsSaid) {
  EXPECT_TRUE(Has(Collect().cannot_see, "is not known")) << All(Collect().cannot_see);
  sources::NetworkNamespacesSample others;
  host_.Set(others);
  EXPECT_TRUE(Has(Collect().cannot_see, "No other network namespace has processes"));
  others.unseen = 3;
  others.processes_elsewhere = 41;
  host_.Set(others);
  EXPECT_TRUE(Has(Collect().cannot_see, "3 other network namespaces have processes (41 processes"));
  others.unseen = 0;
  others.unreadable = 7;
  host_.Set(others);
  EXPECT_FALSE(Has(Collect().cannot_see, "No other network namespace"));
  EXPECT_TRUE(Has(Collect().cannot_see, "whether there are other network namespaces is not known"));
}

TEST_F(ExplanationTest, WhatHidesOtherNamespacesIsOneSentence) {
  using kernel::namespaces::CensusLimit;
  sources::NetworkNamespacesSample others;
  const auto said = [&](CensusLimit limit) {
    others.limit = limit;
    host_.Set(others);
    return Collect().cannot_see.back().text;
  };
  others.cgroups = std::make_shared<sources::OwnedCgroups>();
  EXPECT_EQ(
      said(CensusLimit::kHidden),
      "This procfs hides the processes of other users (hidepid=, ProtectProc=), so whether there are other network "
      "namespaces is not known.");
  EXPECT_EQ(said(CensusLimit::kPidNamespace),
            "This procfs shows the processes of one PID namespace, not of the whole machine (hostPID, --pid=host), so "
            "whether there are other network namespaces is not known.");
  EXPECT_NE(said(CensusLimit::kDeadline).find("to its end in time, so"), std::string::npos);
  EXPECT_NE(said(CensusLimit::kNumber).find("more than 262144 processes"), std::string::npos);
  others.unseen = 2;
  EXPECT_TRUE(said(CensusLimit::kHidden).ends_with("(hidepid=, ProtectProc=), so there may be more."));
  EXPECT_EQ(said(CensusLimit::kNone).find("there may be more"), std::string::npos);
}

TEST_F(ExplanationTest, WithoutCgroupV2ItIsSaidThatSocketsHaveNoOwner) {
  sources::NetworkNamespacesSample others;
  host_.Set(others);
  EXPECT_TRUE(Has(Collect().cannot_see, "no cgroup v2 is mounted")) << All(Collect().cannot_see);
  others.cgroups = std::make_shared<sources::OwnedCgroups>();
  host_.Set(others);
  EXPECT_FALSE(Has(Collect().cannot_see, "cgroup v2"));
}

TEST_F(ExplanationTest, LostResetsAreReportedAlthoughNoSocketIsLeft) {
  Collect();
  sources::NetstatSample netstat;
  netstat.abort_failed = 3;
  host_.Set(netstat);
  const Explanation words = Collect();
  EXPECT_TRUE(Has(words.stuck, "3 resets were dropped by this host's own rules")) << All(words.stuck);
  EXPECT_EQ(words.verdict,
            "This host lost closing packets within the last 5 minutes; no socket is stuck at this moment.");
  EXPECT_NE(words.cause.find("drops the RST"), std::string::npos) << words.cause;
}

}  // namespace
}  // namespace finwait::report
