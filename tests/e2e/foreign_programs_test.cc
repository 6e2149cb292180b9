// What drops packets and is no rule: each case says what the kernel does to a close, and `explain` and `check` say that
// they cannot tell, and name what it hangs on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include "tests/e2e/scene.h"
#include "tests/lab/bpf_programs.h"
#include "tests/lab/connection.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using lab::DroppingProgram;
using lab::Eventually;
using testing::HasSubstr;

constexpr const char* kTracksOutput =
    "nft 'table inet tracks { chain o { type filter hook output priority 0; ct state established accept; }; }'";
// Classic BPF, which takes no right to load programs; it answers TC_ACT_SHOT.
constexpr const char* kFilter =
    "tc qdisc add dev veth0 clsact; tc filter add dev veth0 egress bpf direct-action bytecode '1,6 0 0 2,'";

// A control group of this test's own (cgroup v2).
class ControlGroup {
 public:
  ControlGroup() {
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
      std::istringstream words(line);
      std::string skipped;
      std::string mount;
      words >> skipped >> skipped >> skipped >> skipped >> mount;
      if (line.find(" - cgroup2 ") != std::string::npos && root_.empty()) {
        root_ = mount;
      }
    }
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
      own_ = line.starts_with("0::") ? line.substr(3) : own_;
    }
    path_ = root_ + "/finwait_foreign_" + std::to_string(::getpid());
    is_there_ = !root_.empty() && ::mkdir(path_.c_str(), 0755) == 0;
  }
  ~ControlGroup() {
    if (is_there_) {
      ::rmdir(path_.c_str());
    }
  }
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;

  bool IsThere() const { return is_there_; }
  const std::string& Path() const { return path_; }
  // Sockets belong to the group of the process that makes them.
  void Inside(const std::function<void()>& action) const {
    std::ofstream(path_ + "/cgroup.procs") << ::getpid();
    action();
    std::ofstream(root_ + own_ + "/cgroup.procs") << ::getpid();
  }

 private:
  std::string root_;
  std::string own_ = "/";
  std::string path_;
  bool is_there_ = false;
};

#ifdef FINWAIT_BPF
constexpr bool kBuiltWithBpf = true;
#else
constexpr bool kBuiltWithBpf = false;
#endif

class ForeignProgramsTest : public testing::Test {
 protected:
  nlohmann::json Explained(const Ends& ends) const {
    const auto output = scene_.Local().Command(
        {lab::Program(), "explain", lab::LocalEndpoint(ends.local), lab::PeerEndpoint(ends.local), "--format=json"});
    auto json = nlohmann::json::parse(output.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << output.out << output.err;
    json["exit_code"] = output.exit_code;
    return json;
  }
  double AtRisk(const char* fate) const { return scene_.Check()["live"]["at_risk"].value(fate, -1.0); }
  // With `attach` in place, the close is not foretold and does not work.
  void ExpectUnknownAndStuck(const std::function<void()>& attach, const char* packet, const char* name,
                             const std::function<Ends()>& open = {}) {
    Ends ends = open ? open() : scene_.Open();
    EXPECT_EQ(Explained(ends)["fate"], "clean");
    attach();
    scene_.Local().Shell(kTracksOutput);  // `check` counts sockets without an entry where there are entries
    scene_.LoseEntries();
    const auto explained = Explained(ends);
    EXPECT_EQ(explained["fate"], "unknown") << explained;
    EXPECT_EQ(explained["exit_code"], 3);
    EXPECT_EQ(explained[packet]["verdict"], "unknown");
    EXPECT_THAT(explained.value("reason", ""), HasSubstr(name));
    EXPECT_EQ(AtRisk("unknown"), 1);
    ends.local.Reset();
    EXPECT_TRUE(scene_.StaysStuck());
    if (std::string(packet) == "fin") {
      const auto stuck = scene_.Check()["stuck"]["sockets"];
      ASSERT_EQ(stuck.size(), 1U);
      EXPECT_EQ(stuck[0]["cause"], "local_error") << "no rule has kept its FIN here: " << stuck;
    }
  }
  void InNamespace(const std::function<DroppingProgram()>& attach) {
    scene_.Local().Run([&] { program_.emplace(attach()); });
  }

  Scene scene_;
  std::optional<DroppingProgram> program_;
};

TEST_F(ForeignProgramsTest, AFilterOfTcIsNamed) {
  ExpectUnknownAndStuck([&] { scene_.Local().Shell(kFilter); }, "fin", "tc at the egress of veth0");
}

TEST_F(ForeignProgramsTest, AProgramWithoutAQdiscIsNamed) {
  if (!lab::MayLoadBpf() || !lab::HasTcx()) {
    GTEST_SKIP() << "loads BPF programs of tcx: as root only, and on Linux 6.6 and newer";
  }
  ExpectUnknownAndStuck([&] { InNamespace([] { return DroppingProgram::AtTcOf("veth0"); }); }, "fin",
                        "tcx at the egress of veth0");
}

TEST_F(ForeignProgramsTest, AProgramOfXdpIsNamed) {
  if (!lab::MayLoadBpf()) {
    GTEST_SKIP() << "loads BPF programs: as root only";
  }
  ExpectUnknownAndStuck([&] { InNamespace([] { return DroppingProgram::AtDevice("veth0"); }); }, "ack",
                        "XDP at the ingress of veth0");
}

TEST_F(ForeignProgramsTest, ALinkInNetfilterIsNamed) {
  if (!kBuiltWithBpf || !lab::MayLoadBpf() || !lab::HasNetfilterPrograms()) {
    GTEST_SKIP()
        << "links BPF programs into netfilter: as root only, on Linux 6.4 and newer, and the program has to be "
           "built with BPF";
  }
  ExpectUnknownAndStuck(
      [&] { InNamespace([] { return DroppingProgram::InNetfilter(NFPROTO_IPV4, NF_INET_LOCAL_OUT); }); }, "fin",
      "a link in netfilter's hook output");
}

TEST_F(ForeignProgramsTest, AProgramOfAnotherNamespaceIsNoMatter) {
  if (!lab::MayLoadBpf() || !lab::HasNetfilterPrograms()) {
    GTEST_SKIP() << "links BPF programs into netfilter: as root only, on Linux 6.4 and newer";
  }
  const Ends ends = scene_.Open();
  scene_.Peer().Run([&] { program_.emplace(DroppingProgram::InNetfilter(NFPROTO_IPV4, NF_INET_LOCAL_OUT)); });
  EXPECT_EQ(Explained(ends)["fate"], "clean");
}

TEST_F(ForeignProgramsTest, AProgramOfTheSocketsControlGroupIsNamed) {
  if (!lab::MayLoadBpf()) {
    GTEST_SKIP() << "loads BPF programs: as root only";
  }
  const ControlGroup group;
  if (!group.IsThere()) {
    GTEST_SKIP() << "no cgroup v2 is mounted, or it cannot be written to";
  }
  const Ends other = scene_.Open();  // of another group
  ExpectUnknownAndStuck([&] { program_.emplace(DroppingProgram::AtEgressOf(group.Path())); }, "fin",
                        "egress of control group /finwait_foreign_",
                        [&] {
                          std::optional<Ends> ends;
                          group.Inside([&] { ends = scene_.Open(); });
                          return std::move(*ends);
                        });
}

TEST_F(ForeignProgramsTest, WhatARuleDropsIsDroppedAllTheSame) {
  scene_.Local().Shell(kFilter);
  scene_.Local().Shell(
      "nft 'table inet t { chain o { type filter hook output priority 0; ct state invalid drop; }; }'");
  const auto output =
      scene_.Local().Command({lab::Program(), "explain", "192.0.2.1:1234", "192.0.2.2:80", "--format=json"});
  const auto explained = nlohmann::json::parse(output.out);
  EXPECT_EQ(explained["fate"], "fin_dropped") << explained;
  EXPECT_EQ(explained["fin"]["table"], "t");
}

TEST_F(ForeignProgramsTest, WithItsEntryAConnectionIsNoLessCertain) {
  scene_.Local().Shell(kTracksOutput);
  const Ends ends = scene_.Open();
  scene_.Local().Shell(
      "tc qdisc add dev veth0 clsact; tc filter add dev veth0 egress bpf direct-action bytecode '1,6 0 0 0,'");
  EXPECT_EQ(AtRisk("unknown"), 0) << "it has its entry, and its data comes past the filter";
  EXPECT_EQ(scene_.Check()["verdict"]["stage"], "none");
  EXPECT_EQ(Explained(ends)["fate"], "unknown") << "once its entry is gone";
}

TEST_F(ForeignProgramsTest, AFilterThatLetsPassChangesNothing) {
  scene_.Local().Shell("tc qdisc add dev veth0 clsact; tc filter add dev veth0 egress u32 match u32 0 0 classid 1:1");
  const Ends ends = scene_.Open();
  EXPECT_EQ(Explained(ends)["fate"], "clean");
  scene_.Local().Shell("tc filter add dev veth0 ingress protocol ipv6 bpf direct-action bytecode '1,6 0 0 2,'");
  EXPECT_EQ(Explained(ends)["fate"], "clean") << "it sees no IPv4";
}

TEST_F(ForeignProgramsTest, WhatTheRulesLoseIsLostWhateverAFilterDoes) {
  scene_.Local().Shell(
      "sysctl -q -w net.netfilter.nf_conntrack_tcp_loose=0; iptables -A INPUT -m conntrack --ctstate INVALID -j DROP");
  const Ends ends = scene_.Open();
  scene_.LoseEntries();
  EXPECT_EQ(Explained(ends)["fate"], "ack_dropped");
  scene_.Local().Shell(
      "tc qdisc add dev veth0 clsact; tc filter add dev veth0 egress bpf direct-action bytecode '1,6 0 0 0,'");
  const auto explained = Explained(ends);
  EXPECT_EQ(explained["fate"], "ack_dropped") << explained;
  EXPECT_EQ(explained["ack"]["verdict"], "drop");
}

}  // namespace
}  // namespace finwait::e2e
