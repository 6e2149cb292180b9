#include "collectors/kernel/namespaces/process_census.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

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

TEST_F(ProcessCensusTest, AProcfsWithoutProcess1HidesOthers) { EXPECT_EQ(Take().limit, CensusLimit::kHidden); }

TEST_F(ProcessCensusTest, DoesNotClaimToHaveSeenAllInAProcfsOfAnotherPidNamespace) {
  Process("1", "own");
  Process("2", "own");
  EXPECT_EQ(Take().limit, CensusLimit::kPidNamespace);
  // A program by that name, and one that tries to be more: the name ends at the last bracket.
  procfs_.Write("2/stat", "2 (kthreadd) S 0 0 0 0 -1 4194560 0 0\n");
  EXPECT_EQ(Take().limit, CensusLimit::kPidNamespace);
  procfs_.Write("2/stat", "2 (a) S 0 0 0 0 -1 2129984) S 0 0 0 0 -1 4194560 0 0\n");
  EXPECT_EQ(Take().limit, CensusLimit::kPidNamespace);
  for (const char* other : {"", "2", "2 (kthreadd) S 0", "2 (kthreadd) S 0 0 0 0 -1 x"}) {
    procfs_.Write("2/stat", other);
    EXPECT_EQ(Take().limit, CensusLimit::kPidNamespace) << other;
  }
}

TEST_F(ProcessCensusTest, AProcfsWithTheKernelsThreadsIsTheMachinesWhoeverReadsIt) {
  Process("1", "own");
  procfs_.Write("2/stat", "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0\n");
  EXPECT_EQ(Take().limit, CensusLimit::kNone);
}

TEST_F(ProcessCensusTest, MoreNamespacesThanAreListedAreCountedAndNoneIsDisplaced) {
  // Each has a file of its own, and so an inode: the later ones may have smaller ones.
  constexpr std::size_t kAtFirst = 4000;
  constexpr std::size_t kLater = 5000;
  const auto spawn = [this](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      procfs_.Write(std::to_string(1000 + i) + "/net/tcp", "");
    }
  };
  spawn(0, kAtFirst);
  const Census first = Take(Deadline::After(std::chrono::minutes(1)));
  ASSERT_EQ(first.others.size(), kAtFirst);
  spawn(kAtFirst, kLater);
  const Census then = Take(Deadline::After(std::chrono::minutes(1)));
  EXPECT_EQ(then.others.size(), ProcessCensus::kMostNamespaces);
  EXPECT_EQ(then.beyond, kLater - ProcessCensus::kMostNamespaces);
  EXPECT_EQ(then.processes_elsewhere, kLater);
  std::set<std::uint64_t> ids;
  for (const InhabitedNamespace& one : then.others) {
    ids.insert(one.id);
  }
  EXPECT_TRUE(std::ranges::all_of(first.others, [&](const auto& one) { return ids.contains(one.id); }));
}

TEST_F(ProcessCensusTest, SaysSoWhenTheDeadlineCutsItShort) {
  Process("2", "other");
  const Census census = Take(Deadline::After(std::chrono::seconds(0)));
  EXPECT_EQ(census.limit, CensusLimit::kDeadline);
  EXPECT_TRUE(census.others.empty());
}

TEST(ProcessCensusWithoutProcfsTest, IsAnErrorThatNamesThePlace) {
  const auto census = ProcessCensus("/nonexistent").Take(Deadline::After(std::chrono::seconds(5)));
  ASSERT_FALSE(census.has_value());
  EXPECT_NE(census.error().message.find("/nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace finwait::kernel::namespaces
