#include "collectors/kernel/namespaces/process_census.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::kernel::namespaces {
namespace {

class ProcessCensusTest : public testing::Test {
 protected:
  ProcessCensusTest() { Process("thread-self", "own"); }
  // A process in the namespace that the file `name` stands for: what tells namespaces apart is the inode.
  void Process(const std::string& pid, const std::string& name) const {
    const auto target = procfs_.Root() / "namespaces" / name;
    if (!std::filesystem::exists(target)) {
      procfs_.Write("namespaces/" + name, "");
    }
    std::filesystem::create_directories(procfs_.Root() / pid / "net");
    std::filesystem::remove(procfs_.Root() / pid / "net" / "tcp");
    std::filesystem::create_symlink(target, procfs_.Root() / pid / "net" / "tcp");
  }
  Census Take(Deadline deadline = Deadline::After(std::chrono::seconds(5))) {
    auto census = processes_.Take(deadline);
    EXPECT_TRUE(census.has_value());
    return *census;
  }
  ProcfsFixture procfs_;
  ProcessCensus processes_{procfs_.Root()};
};

TEST_F(ProcessCensusTest, GroupsProcessesByTheirNamespace) {
  Process("1", "own");
  Process("20", "pod");
  Process("21", "pod");
  Process("30", "container");
  Process("sys", "not a process");
  const Census census = Take();
  ASSERT_EQ(census.others.size(), 2U);
  EXPECT_EQ(census.processes_elsewhere, 3U);
  EXPECT_EQ(census.unreadable, 0U);
  EXPECT_NE(census.others[0].id, census.others[1].id);
}

TEST_F(ProcessCensusTest, ANamespaceKeepsItsIdAndProcessesThatLiveOnAreNotAsked) {
  Process("20", "pod");
  Process("21", "pod");
  const std::uint64_t id = Take().others.at(0).id;
  std::uint64_t asked = 0;
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(Take().others.at(0).id, id);
    asked += i >= 2 ? processes_.Asked() : 0;
  }
  EXPECT_LE(asked, 2U) << "each once in twelve walks";
}

TEST_F(ProcessCensusTest, AnInodeThatIsUsedAgainIsAnotherNamespace) {
  Process("20", "pod");
  const std::uint64_t id = Take().others.at(0).id;
  procfs_.Remove("20");
  Process("21", "pod");
  EXPECT_NE(Take().others.at(0).id, id);
}

TEST_F(ProcessCensusTest, APidThatIsUsedAgainIsAskedAgain) {
  Process("20", "pod");
  for (int i = 0; i < 5; ++i) {
    Take();
  }
  // Kept elsewhere, so that the new folder has another inode.
  std::filesystem::rename(procfs_.Root() / "20", procfs_.Root() / "ended");
  Process("20", "own");
  EXPECT_TRUE(Take().others.empty());
}

TEST_F(ProcessCensusTest, AProcessThatMovesIsFoundWithinAMinuteOfWalks) {
  Process("20", "own");
  Take();
  Process("20", "pod");
  bool found = false;
  for (int i = 0; i < 12 && !found; ++i) {
    found = Take().others.size() == 1;
  }
  EXPECT_TRUE(found);
}

TEST_F(ProcessCensusTest, AProcessThatHasEndedHasNoNamespace) {
  std::filesystem::create_directories(procfs_.Root() / "99");
  EXPECT_TRUE(Take().others.empty());
  EXPECT_EQ(Take().unreadable, 0U);
}

TEST_F(ProcessCensusTest, DoesNotClaimToHaveSeenAllInAProcfsOfAnotherPidNamespace) {
  Process("1", "own");
  EXPECT_FALSE(Take().complete) << "there is no self/ns/pid with the first PID namespace's inode";
}

TEST_F(ProcessCensusTest, SaysSoWhenTheDeadlineCutsItShort) {
  Process("2", "other");
  const Census census = Take(Deadline::After(std::chrono::seconds(0)));
  EXPECT_FALSE(census.complete);
  EXPECT_TRUE(census.others.empty());
}

TEST(ProcessCensusWithoutProcfsTest, IsAnErrorThatNamesThePlace) {
  const auto census = ProcessCensus("/nonexistent").Take(Deadline::After(std::chrono::seconds(5)));
  ASSERT_FALSE(census.has_value());
  EXPECT_NE(census.error().message.find("/nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace finwait::kernel::namespaces
