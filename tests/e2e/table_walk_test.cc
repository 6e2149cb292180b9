// The conntrack table counted in the kernel, by the service: --sampling.table-walk.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/load/conntrack_fill.h"
#include "tests/e2e/program.h"
#include "tests/e2e/scene.h"
#include "tests/lab/bpf_programs.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;
using testing::HasSubstr;

constexpr const char* kFlag = "--sampling.table-walk";
constexpr const char* kWalkSuccess = "finwait_collector_success{collector=\"conntrack_table\"}";
constexpr const char* kDumps = "finwait_conntrack_table_reads_total{by=\"dump\"}";
constexpr const char* kWalks = "finwait_conntrack_table_reads_total{by=\"walk\"}";
constexpr const char* kEstablished = "finwait_conntrack_flows{family=\"ipv4\",protocol=\"tcp\",state=\"established\"}";
constexpr std::size_t kEntries = 20'000;
constexpr double kAtLeastEstablished = kEntries / 3.0;

double Metric(const Program& program, const char* series) {
  const auto scrape = program.Scrape();
  const auto found = scrape.find(series);
  return found == scrape.end() ? -1 : found->second;
}

std::string WhyNot(const Program& program) {
  const auto report = nlohmann::json::parse(program.Get("/api/v1/report").body);
  for (const auto& collector : report["collectors"]) {
    if (collector["name"] == "conntrack_table" && !collector["errors"].empty()) {
      return collector["errors"][0]["message"];
    }
  }
  return "";
}

class TableWalkTest : public testing::Test {
 protected:
  TableWalkTest() {
    scene_.Local().Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT");
    scene_.Local().Run([] { bench::FillConntrack(kEntries); });
  }
  Scene scene_;
};

TEST_F(TableWalkTest, ALargeTableIsWalkedAndDumpedWhereTheWalkersProcessEnds) {
  if (!lab::MayLoadBpf()) {
    GTEST_SKIP() << "this process may not load BPF programs";
  }
  const Program program(scene_.Local(), {kFlag, "--sampling.interval=1s", "--sampling.cpu-budget=1"});
  const auto is_walked = [&] { return Metric(program, kWalks) >= 3 || !WhyNot(program).empty(); };
  ASSERT_TRUE(Eventually(is_walked, 30)) << program.Log();  // the scrapes are packets with an entry
  if (const std::string why = WhyNot(program); why.find("built without") != std::string::npos) {
    GTEST_SKIP() << why;
  }
  EXPECT_EQ(WhyNot(program), "");
  EXPECT_EQ(Metric(program, kWalkSuccess), 1);
  EXPECT_GE(Metric(program, kEstablished), kAtLeastEstablished);
  const double dumps = Metric(program, kDumps);
  EXPECT_GE(dumps, 1) << "the first walk is held against one";
  const double walks = Metric(program, kWalks);
  ASSERT_TRUE(Eventually([&] { return Metric(program, kWalks) >= walks + 3; }));
  EXPECT_EQ(Metric(program, kDumps), dumps);
  EXPECT_THAT(program.Log(), testing::Not(HasSubstr("refused"))) << "a system call, by the filter";

  ::kill(ChildOf(program.ReaderPid()), SIGKILL);
  ASSERT_TRUE(Eventually([&] { return Metric(program, kWalkSuccess) == 0; }));
  EXPECT_THAT(WhyNot(program), HasSubstr("has ended"));
  ASSERT_TRUE(Eventually([&] { return Metric(program, kDumps) > dumps; }));
  EXPECT_GE(Metric(program, kEstablished), kAtLeastEstablished) << "by a dump";
  EXPECT_EQ(program.Get("/healthz").status, 200);
}

// Also where BPF cannot be had at all: in a user namespace of a test's own.
TEST_F(TableWalkTest, WithoutItsCapabilitiesTheTableIsDumpedAndItSaysSo) {
  const Program program(
      scene_.Local(),
      {"setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin", "--inh-caps", "-bpf,-perfmon,-sys_admin",
       lab::Program(), lab::kOwnNamespaceOnly, kFlag, "--sampling.interval=1s", "--sampling.cpu-budget=1"},
      Program::Whole());
  ASSERT_TRUE(Eventually([&] { return Metric(program, kWalkSuccess) == 0; }));
  EXPECT_GE(Metric(program, kDumps), 1);
  EXPECT_EQ(Metric(program, kWalks), 0);
  EXPECT_GE(Metric(program, kEstablished), kAtLeastEstablished);
  EXPECT_THAT(WhyNot(program), HasSubstr("the conntrack table is dumped instead"));
}

}  // namespace
}  // namespace finwait::e2e
