#include "collectors/kernel/namespaces/observer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::kernel::namespaces {
namespace {

// A made-up procfs, for what a real one shows for moments only.
class ObserverOfMadeUpProcfsTest : public testing::Test {
 protected:
  ObserverOfMadeUpProcfsTest() {
    procfs_.Write("own/tcp", "");
    Enters("thread-self", "own");
    Enters("1", "own");
    Namespace("pod", "010200C0:9C40", 5);
    Namespace("other", "090200C0:9C40", 6);
  }
  // One with a connection from `local`, whose numbers tell them apart.
  void Namespace(const std::string& name, const std::string& local, int sent) const {
    const std::string heading =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    procfs_.Write(name + "/tcp", heading + "   0: " + local +
                                     " 020200C0:0050 01 00000000:00000000 00:00000000 00000000     0        0 77 1 "
                                     "0000000000000000 20 4 30 10 -1\n");
    procfs_.Write(name + "/tcp6", heading);
    procfs_.Write(name + "/snmp",
                  "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab "
                  "InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n"
                  "Tcp: 1 200 120000 -1 " +
                      std::to_string(sent) + " 0 0 0 1 4 " + std::to_string(sent) + " 0 0 0 0\n");
    procfs_.Write(name + "/sockstat", "sockets: used 1\nTCP: inuse 1 orphan 0 tw 0\n");
    procfs_.Write(name + "/sockstat6", "TCP6: inuse 0\n");
  }
  // The process `pid`, with the same entry in the list of processes, is in this one now.
  void Enters(const std::string& pid, const std::string& name) const {
    std::filesystem::create_directories(procfs_.Root() / pid);
    std::filesystem::remove(procfs_.Root() / pid / "net");
    std::filesystem::create_directory_symlink(procfs_.Root() / name, procfs_.Root() / pid / "net");
  }
  std::vector<ObservedNamespace> Observe() {
    const auto observed = observer_.Observe(Deadline::After(std::chrono::seconds(20)), std::chrono::seconds(20));
    EXPECT_TRUE(observed.has_value()) << observed.error().message;
    return observer_.Namespaces();
  }
  static std::string LocalOf(const ObservedNamespace& one) {
    return one.sockets != nullptr && one.sockets->open.Size() == 1 ? one.sockets->open[0].local.Text() : "none";
  }

  ProcfsFixture procfs_;
  Observer observer_{procfs_.Root(), {procfs_.Root() / "pods", procfs_.Root() / "docker", procfs_.Root() / "podman"}};
};

// The census asks a process that it knows seldom: what it says may be of a process that has ended since.
TEST_F(ObserverOfMadeUpProcfsTest, OfAPidThatAnotherProcessGotMeanwhileNothingIsRead) {
  Enters("20", "pod");
  for (int i = 0; i < 4; ++i) {
    Observe();
  }
  ASSERT_EQ(LocalOf(Observe().at(0)), "192.0.2.1:40000");
  Enters("20", "other");
  const auto seen = Observe();
  ASSERT_EQ(seen.size(), 1U) << "the census has not asked yet";
  EXPECT_EQ(LocalOf(seen[0]), "192.0.2.1:40000") << "no socket of the other namespace is taken for this one's";
  EXPECT_FALSE(observer_.WhyNotRead()) << "a process that has gone is nobody's fault";
  bool found = false;
  for (int i = 0; i < 12 && !found; ++i) {
    const auto later = Observe();
    found = later.size() == 1 && later[0].id != seen[0].id && LocalOf(later[0]) == "192.0.2.9:40000";
  }
  EXPECT_TRUE(found) << "it is another namespace as soon as the census asks";
}

TEST_F(ObserverOfMadeUpProcfsTest, WhichConnectionsAreOfMultipathTcpIsNotToldWhereSomeAre) {
  Enters("20", "pod");
  ASSERT_EQ(LocalOf(Observe().at(0)), "192.0.2.1:40000");
  EXPECT_EQ(observer_.Namespaces().at(0).sockets->open[0].multipath, std::optional(false));
  procfs_.Write("other/netstat", "MPTcpExt: MPCapableACKRX MPCurrEstab\nMPTcpExt: 1 1\n");
  Enters("21", "other");
  const auto seen = Observe();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].sockets->open[0].multipath, std::optional(false));
  EXPECT_EQ(seen[1].sockets->open[0].multipath, std::nullopt);
}

// Of an accepted connection whose listener has gone, both ends may have a port that is given to clients.
TEST_F(ObserverOfMadeUpProcfsTest, WhichEndOpenedAConnectionIsToldByOneClientsPortAlone) {
  Enters("20", "pod");
  ASSERT_EQ(LocalOf(Observe().at(0)), "192.0.2.1:40000");
  EXPECT_EQ(observer_.Namespaces().at(0).sockets->open[0].opened_here, std::optional(true));
  const std::string line =
      "   0: 010200C0:9C40 020200C0:9C41 01 00000000:00000000 00:00000000 00000000     0        0 77 1 0 20 4 30 10 "
      "-1\n";
  procfs_.Write("third/tcp", "  sl  local_address rem_address   st\n" + line);
  for (const char* file : {"tcp6", "snmp", "sockstat", "sockstat6"}) {
    std::filesystem::copy_file(procfs_.Root() / "pod" / file, procfs_.Root() / "third" / file);
  }
  Enters("21", "third");
  Observe();
  const auto seen = observer_.Namespaces();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[1].sockets->open[0].opened_here, std::nullopt);
}

TEST_F(ObserverOfMadeUpProcfsTest, AnyOfItsProcessesThatIsLeftIsReadBy) {
  Enters("20", "pod");
  Enters("21", "pod");
  for (int i = 0; i < 4; ++i) {
    Observe();
  }
  Enters("20", "other");
  Namespace("pod", "030200C0:9C40", 9);
  const auto seen = Observe();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].processes, (std::vector<std::uint32_t>{20, 21}));
  EXPECT_EQ(LocalOf(seen[0]), "192.0.2.3:40000");
}

TEST_F(ObserverOfMadeUpProcfsTest, AProcessThatVanishesBetweenTheListAndTheReadingIsNoError) {
  Enters("20", "pod");
  Observe();
  std::filesystem::remove(procfs_.Root() / "20" / "net");
  for (int i = 0; i < 14; ++i) {
    Observe();
    EXPECT_FALSE(observer_.WhyNotRead());
  }
  EXPECT_TRUE(observer_.Namespaces().empty());
}

}  // namespace
}  // namespace finwait::kernel::namespaces
