// The privileges of the running program: what it keeps, and what it sees with less.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"
#include "tests/lab/connection.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kNothing = "0000000000000000";
constexpr const char* kNetAdmin = "0000000000001000";

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kFiltered = false;  // a sanitizer needs system calls of its own
#else
constexpr bool kFiltered = true;
#endif

// The fields of every thread's status, by name.
std::vector<std::map<std::string, std::string>> Threads(pid_t pid) {
  std::vector<std::map<std::string, std::string>> threads;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::map<std::string, std::string> fields;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      const std::size_t colon = line.find(":\t");
      fields[line.substr(0, colon)] = colon == std::string::npos ? "" : line.substr(colon + 2);
    }
    threads.push_back(fields);
  }
  return threads;
}

void ExpectConfined(pid_t pid, const std::string& capabilities, const std::string& bounding) {
  const auto threads = Threads(pid);
  EXPECT_GT(threads.size(), 4U) << "its threads are there";
  for (const auto& thread : threads) {
    const std::string& name = thread.at("Name");
    EXPECT_EQ(thread.at("CapEff"), capabilities) << name;
    EXPECT_EQ(thread.at("CapPrm"), capabilities) << name;
    EXPECT_EQ(thread.at("CapBnd"), bounding) << name;
    EXPECT_EQ(thread.at("CapInh"), kNothing) << name;
    EXPECT_EQ(thread.at("CapAmb"), kNothing) << name;
    EXPECT_EQ(thread.at("NoNewPrivs"), "1") << name;
    EXPECT_EQ(thread.at("Seccomp"), kFiltered ? "2" : "0") << name;
  }
}

// The server has nothing at all, the reader `capabilities`. `bounding`: the server's, which takes CAP_SETPCAP to
// reduce.
void ExpectConfined(const Program& program, const std::string& capabilities, const std::string& bounding = kNothing) {
  ExpectConfined(program.Pid(), kNothing, bounding);
  ExpectConfined(program.ReaderPid(), capabilities, capabilities);
}

TEST(PrivilegeTest, TheReadersIsNetAdminAloneAndTheServersNothing) {
  const lab::Namespace where;
  const Program program(where);
  ExpectConfined(program, kNetAdmin);
  EXPECT_THAT(program.Log(), HasSubstr("process=reader capabilities=CAP_NET_ADMIN"));
  EXPECT_THAT(program.Log(), HasSubstr("process=server capabilities=none"));
  const auto series = program.Scrape();
  EXPECT_EQ(series.at("finwait_exporter_sandbox{layer=\"capabilities\"}"), 1);
  EXPECT_EQ(series.at("finwait_exporter_sandbox{layer=\"seccomp\"}"), kFiltered ? 1 : 0);
  EXPECT_EQ(series.count("finwait_exporter_sandbox{layer=\"landlock\"}"), 1U);
  EXPECT_EQ(series.at("finwait_exporter_sandbox{layer=\"sealed\"}"), kFiltered ? 1 : 0);
}

TEST(PrivilegeTest, WhereTooFewDescriptorsAreAllowedTheRequestsAreNotSealed) {
  const lab::Namespace where;
  const Program program(where,
                        {"sh", "-c", "ulimit -n 600; exec \"$0\" \"$@\"", lab::Program(), lab::kOwnNamespaceOnly},
                        Program::Whole());
  const auto series = program.Scrape();
  EXPECT_EQ(series.at("finwait_exporter_sandbox{layer=\"seccomp\"}"), kFiltered ? 1 : 0);
  EXPECT_EQ(series.at("finwait_exporter_sandbox{layer=\"sealed\"}"), 0);
}

// To ask for a table that is not there makes it: so where there is none, none can be asked for.
TEST(PrivilegeTest, TablesThatComeLaterAreNotSaidToBeEmpty) {
  if (!kFiltered) {
    GTEST_SKIP() << "a sanitizer needs system calls of its own: the filter is off";
  }
  const lab::Namespace where;
  const Program program(where, {"--sampling.interval=1s"});
  const std::string rules = "finwait_firewall_invalid_drop_rules{backend=\"legacy\",family=\"ipv4\",hook=\"output\"}";
  EXPECT_EQ(program.Scrape().at(rules), 0);
  where.Shell("iptables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  EXPECT_TRUE(lab::Eventually([&] { return program.Scrape().count(rules) == 0; }, 60)) << "absent, not 0";
  EXPECT_EQ(program.Scrape().count("finwait_risk_score"), 0U);
  EXPECT_THAT(program.Get("/api/v1/report").body, HasSubstr("restart finwait_exporter to see its rules"));
  EXPECT_EQ(program.Scrape().at("finwait_exporter_refused_system_calls_total"), 0) << "nobody's fault";
}

// The service manager or the kubelet starts it again then, and the new one reads them.
TEST(PrivilegeTest, EndsForTablesThatComeLaterWhereItIsStartedAgain) {
  if (!kFiltered) {
    GTEST_SKIP() << "a sanitizer needs system calls of its own: the filter is off";
  }
  const lab::Namespace where;
  Program program(
      where,
      {"env", "KUBERNETES_SERVICE_HOST=198.51.100.1", lab::Program(), lab::kOwnNamespaceOnly, "--sampling.interval=1s"},
      Program::Whole());
  EXPECT_EQ(program.Scrape().count("finwait_risk_score"), 1U);
  where.Shell("iptables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  EXPECT_EQ(program.AwaitEnd(60), 1);
  EXPECT_THAT(program.Log(), HasSubstr("to be started again and read them"));
}

// What the kernel tells of a process's descriptors: the links below its fd folder.
std::set<std::string> OpenFiles(pid_t pid) {
  std::set<std::string> links;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    links.insert(std::filesystem::read_symlink(entry.path()));
  }
  return links;
}

TEST(PrivilegeTest, TheReaderHoldsNoSocketThatStrangersReach) {
  const lab::Namespace where;
  const Program program(where);
  std::set<std::string> listening;
  for (const std::string& link : OpenFiles(program.Pid())) {
    if (link.starts_with("socket:") || link.starts_with("anon_inode:[eventpoll]")) {
      listening.insert(link);
    }
  }
  EXPECT_GE(listening.size(), 2U);
  for (const std::string& link : OpenFiles(program.ReaderPid())) {
    EXPECT_FALSE(listening.contains(link)) << link;
  }
}

TEST(PrivilegeTest, IsNothingAtAllWhereNoEnabledCollectorNeedsMore) {
  const lab::Namespace where;
  const Program program(
      where, {"--no-collector.conntrack_stats", "--no-collector.conntrack_table", "--no-collector.conntrack_events",
              "--no-collector.tracking", "--no-collector.firewall", "--no-collector.network_namespaces"});
  ExpectConfined(program, kNothing);
  const auto series = program.Scrape();
  for (const char* collector : {"sysctl", "sockets", "netstat"}) {
    EXPECT_EQ(series.at(std::string("finwait_collector_success{collector=\"") + collector + "\"}"), 1) << collector;
  }
}

// Its numbers are orders to other protocols: the reader has a socket and headers apart for it.
TEST(PrivilegeTest, LetsTheReaderAskForIpsecPolicies) {
  const lab::Namespace where;
  where.Shell(
      "iptables -A OUTPUT -m policy --dir out --pol ipsec -j ACCEPT; "
      "iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const Program program(where);
  const auto is_dropped = [&program] {
    return program.Scrape()["finwait_firewall_path_verdict{family=\"ipv4\",packet=\"fin\",verdict=\"drop\"}"] == 1;
  };
  EXPECT_TRUE(lab::Eventually(is_dropped, 30)) << "no policy, so the first rule matches nothing";
  EXPECT_THAT(program.Log(), Not(HasSubstr(kRefusedCall)));
}

TEST(PrivilegeTest, LeavesSystemCallsUnfilteredWhenToldSoAndSaysIt) {
  const lab::Namespace where;
  const Program program(where, {"--no-sandbox.seccomp"});
  for (const auto& thread : Threads(program.ReaderPid())) {
    EXPECT_EQ(thread.at("Seccomp"), "0");
    EXPECT_EQ(thread.at("CapEff"), kNetAdmin);
  }
  for (const auto& thread : Threads(program.Pid())) {
    EXPECT_EQ(thread.at("Seccomp"), "0");
    EXPECT_EQ(thread.at("CapEff"), kNothing);
  }
  EXPECT_THAT(program.Log(), HasSubstr("--no-sandbox.seccomp"));
}

TEST(PrivilegeTest, SuffersNoRefusedSystemCall) {
  const lab::Namespace where;
  Program program(where, {"--sampling.interval=1s"});
  for (const char* path : {"/", "/metrics", "/health", "/api/v1/report", "/nonsense"}) {
    program.Get(path, {{"Accept-Encoding", "gzip"}});
  }
  EXPECT_EQ(program.Scrape().at("finwait_exporter_refused_system_calls_total"), 0);
  EXPECT_EQ(program.Terminate(), 0);
  EXPECT_THAT(program.Log(), Not(HasSubstr(kRefusedCall)));
}

// A port below 1024 takes a capability, which is given up once the port is there.
TEST(PrivilegeTest, SufficesForAPortBelow1024) {
  const lab::Namespace where;
  const Program program(where, {"--web.listen-address=127.0.0.1:80", "--web.listen-address=127.0.0.1:10061"});
  EXPECT_EQ(where.Shell("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:80/healthz"), "200");
  ExpectConfined(program, kNetAdmin);
}

// The programs below run as another user; an ordinary user's lab has only one.
bool HasUsers() {
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t first = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  return map >> first >> outside >> count && count > 65534;
}

// `flags` of setpriv's, then the program.
std::vector<std::string> As(std::vector<std::string> flags, const std::vector<std::string>& arguments) {
  flags.insert(flags.begin(), "setpriv");
  flags.push_back(lab::Program());
  flags.emplace_back(lab::kOwnNamespaceOnly);
  flags.insert(flags.end(), arguments.begin(), arguments.end());
  return flags;
}

class OrdinaryUserTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasUsers()) {
      GTEST_SKIP() << "the lab of an ordinary user has no second user";
    }
    where_.Shell(
        "iptables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP; "
        "ip6tables-legacy -A INPUT -m conntrack --ctstate INVALID -j DROP");
  }
  lab::Namespace where_;
};

const std::vector<std::string> kAsTheUnit = {"--reuid=65534",
                                             "--regid=65534",
                                             "--groups=0",
                                             "--inh-caps=-all,+net_admin",
                                             "--ambient-caps=-all,+net_admin",
                                             "--bounding-set=-all,+net_admin"};

TEST_F(OrdinaryUserTest, WithAmbientNetAdminAndGroupRootSeesLegacyTables) {
  const Program program(where_, As(kAsTheUnit, {}), Program::Whole());
  ExpectConfined(program, kNetAdmin, kNetAdmin);
  const auto series = program.Scrape();
  for (const auto& [name, value] : series) {
    if (name.starts_with("finwait_collector_success{")) {
      EXPECT_EQ(value, 1) << name << program.Log();
    }
  }
  EXPECT_EQ(series.at("finwait_firewall_invalid_drop_rules{backend=\"legacy\",family=\"ipv4\",hook=\"output\"}"), 1);
  EXPECT_EQ(series.at("finwait_firewall_invalid_drop_rules{backend=\"legacy\",family=\"ipv6\",hook=\"input\"}"), 1);
  EXPECT_EQ(series.at("finwait_risk_stage{stage=\"latent\"}"), 1);
}

TEST_F(OrdinaryUserTest, WithoutGroupRootIsToldWhatItDoesNotSee) {
  std::vector<std::string> flags = kAsTheUnit;
  flags[2] = "--clear-groups";
  const auto check = where_.Command(As(flags, {"check"}));
  EXPECT_EQ(check.exit_code, 3) << check.out;
  EXPECT_THAT(check.out, HasSubstr("ip_tables_names")) << "and so which tables there are";
  EXPECT_THAT(check.out, HasSubstr("supplementary group 0"));
  EXPECT_EQ(check.err, "");
}

TEST_F(OrdinaryUserTest, WithoutAnyCapabilityChecksWhatItCanAndCannotTell) {
  const std::vector<std::string> flags = {"--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
                                          "--bounding-set=-all"};
  const lab::Listener listener(where_, "127.0.0.1", 80);
  const UniqueFd client = lab::Connect(where_, "127.0.0.1", 80);
  const auto text = where_.Command(As(flags, {"check"}));
  EXPECT_EQ(text.exit_code, 3) << text.out;
  EXPECT_THAT(text.out, testing::StartsWith("CANNOT TELL: "));
  EXPECT_THAT(text.out, HasSubstr("CAP_NET_ADMIN"));
  EXPECT_EQ(text.err, "");
  const auto json = nlohmann::json::parse(where_.Command(As(flags, {"check", "--format=json"})).out);
  EXPECT_TRUE(json["verdict"]["stage"].is_null()) << json["verdict"];

  const Program program(where_, As(flags, {}), Program::Whole());
  ExpectConfined(program, kNothing);
  const auto series = program.Scrape();
  std::set<std::string> blind;
  for (const auto& [name, value] : series) {
    if (name.starts_with("finwait_collector_success{") && value == 0) {
      blind.insert(name.substr(name.find('"') + 1, name.rfind('"') - name.find('"') - 1));
    }
  }
  EXPECT_THAT(blind, testing::IsSupersetOf({"conntrack_stats", "conntrack_table", "tracking", "firewall"}));
  EXPECT_THAT(blind,
              testing::IsSubsetOf({"conntrack_stats", "conntrack_table", "conntrack_events", "tracking", "firewall"}))
      << "the others need nothing";
  // A look may fall on a scrape of this test's own, which is a connection too: the next one does not.
  EXPECT_TRUE(lab::Eventually(
      [&] { return program.Scrape().at("finwait_tcp_sockets{family=\"ipv4\",state=\"established\"}") == 2; }, 30));
  for (const char* absent :
       {"finwait_risk_score", "finwait_risk_stage{stage=\"none\"}", "finwait_conntrack_invalid_total",
        "finwait_conntrack_flows{family=\"ipv4\",protocol=\"udp\",state=\"\"}",
        "finwait_tcp_at_risk_sockets{fate=\"fin_dropped\"}",
        "finwait_firewall_rules{backend=\"nft\",family=\"ipv4\"}"}) {
    EXPECT_EQ(series.count(absent), 0U) << absent << ": never 0 when blind";
  }
  EXPECT_EQ(program.Get("/readyz").status, 200) << "as ready as it can be here: " << program.Get("/readyz").body;
  EXPECT_EQ(program.Get("/health").status, 500);
  EXPECT_EQ(nlohmann::json::parse(program.Get("/health").body)["stage"], nullptr);
}

}  // namespace
}  // namespace finwait::e2e
