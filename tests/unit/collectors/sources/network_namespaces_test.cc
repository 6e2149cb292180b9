#include "collectors/sources/network_namespaces.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::sources {
namespace {

class NetworkNamespacesTest : public testing::Test {
 protected:
  // A process in the namespace that the file `name` stands for: what tells namespaces apart is the inode.
  void Process(const std::string& pid, const std::string& name) const {
    const auto target = procfs_.Root() / "namespaces" / name;
    if (!std::filesystem::exists(target)) {
      procfs_.Write("namespaces/" + name, "");
    }
    std::filesystem::create_directories(procfs_.Root() / pid / "ns");
    std::filesystem::create_symlink(target, procfs_.Root() / pid / "ns" / "net");
  }
  NetworkNamespacesSample Look(Deadline deadline = Deadline::After(std::chrono::seconds(5))) const {
    kernel::Host host = procfs_.MakeHost();
    struct stat status = {};
    EXPECT_EQ(::stat((procfs_.Root() / "namespaces/own").c_str(), &status), 0);
    host.network_namespace.inode = status.st_ino;
    const auto collected = NetworkNamespacesCollector(host).Collect(deadline);
    EXPECT_TRUE(collected.has_value());
    return dynamic_cast<const NetworkNamespacesSample&>(*collected->data);
  }
  kernel::ProcfsFixture procfs_;
};

TEST_F(NetworkNamespacesTest, CountsEachOtherNamespaceOnceAndTheProcessesInThem) {
  Process("1", "own");
  Process("20", "pod");
  Process("21", "pod");
  Process("30", "container");
  Process("sys", "not a process");
  const NetworkNamespacesSample sample = Look();
  EXPECT_EQ(sample.unseen, 2U);
  EXPECT_EQ(sample.processes_elsewhere, 3U);
  EXPECT_EQ(sample.unreadable, 0U);
}

TEST_F(NetworkNamespacesTest, AProcessThatHasEndedHasNoNamespace) {
  Process("1", "own");
  std::filesystem::create_directories(procfs_.Root() / "99");
  EXPECT_EQ(Look().unseen, 0U);
  EXPECT_EQ(Look().unreadable, 0U);
}

TEST_F(NetworkNamespacesTest, DoesNotClaimToHaveSeenAllInAProcfsOfAnotherPidNamespace) {
  Process("1", "own");
  EXPECT_FALSE(Look().complete) << "there is no self/ns/pid with the first PID namespace's inode";
}

TEST_F(NetworkNamespacesTest, SaysSoWhenTheDeadlineCutsItShort) {
  Process("1", "own");
  Process("2", "other");
  const NetworkNamespacesSample sample = Look(Deadline::After(std::chrono::seconds(0)));
  EXPECT_FALSE(sample.complete);
  EXPECT_EQ(sample.unseen, 0U);
}

TEST(NetworkNamespacesWithoutProcfsTest, IsAnErrorThatNamesThePlace) {
  kernel::Host host;
  host.procfs = "/nonexistent";
  const auto collected = NetworkNamespacesCollector(host).Collect(Deadline::After(std::chrono::seconds(5)));
  ASSERT_FALSE(collected.has_value());
  EXPECT_NE(collected.error().message.find("/nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace finwait::sources
