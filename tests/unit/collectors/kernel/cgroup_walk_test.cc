#include "collectors/kernel/cgroup_walk.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "tests/lab/temporary_folder.h"
#include "tests/soon.h"

namespace finwait::kernel {
namespace {

class CgroupWalkTest : public testing::Test {
 protected:
  void Mounts(const std::string& lines) const {
    std::filesystem::create_directories(folder_.Path() / "thread-self");
    std::ofstream(folder_.Path() / "thread-self/mountinfo") << lines;
  }
  lab::TemporaryFolder folder_;
};

TEST_F(CgroupWalkTest, FindsTheMountThatShowsTheTreeFromItsRoot) {
  Mounts(
      "22 1 0:20 / /sys rw - sysfs sysfs rw\n"
      "33 22 0:28 /docker/abc /sys/fs/cgroup/part rw - cgroup2 cgroup2 rw\n"
      "34 22 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
      "35 22 0:30 / /sys/fs/cgroup/unified rw,nosuid shared:9 master:1 - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(FindCgroup2(folder_.Path(), Soon()).value(), "/sys/fs/cgroup/unified");
}

TEST_F(CgroupWalkTest, SaysThatThereIsNone) {
  Mounts("22 1 0:20 / /sys rw - sysfs sysfs rw\n");
  const auto found = FindCgroup2(folder_.Path(), Soon());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().reason, FailureReason::kUnsupported);
}

TEST_F(CgroupWalkTest, ShowsEveryFolderAfterItsParent) {
  std::filesystem::create_directories(folder_.Path() / "a.slice/b.service");
  std::filesystem::create_directories(folder_.Path() / "c.scope");
  std::ofstream(folder_.Path() / "a.slice/cgroup.procs") << "1\n";
  std::map<std::uint64_t, WalkedCgroup> shown;
  EXPECT_TRUE(WalkCgroups(folder_.Path().string(), Soon(), [&](const WalkedCgroup& group) {
    EXPECT_TRUE(group.parent == 0 || shown.count(group.parent) == 1) << group.path;
    shown[group.number] = group;
    return true;
  }));
  std::map<std::string, std::string> names;
  for (const auto& [number, group] : shown) {
    names[group.path] = group.name;
  }
  EXPECT_EQ(names,
            (std::map<std::string, std::string>{
                {"/", ""}, {"/a.slice", "a.slice"}, {"/a.slice/b.service", "b.service"}, {"/c.scope", "c.scope"}}));
}

TEST_F(CgroupWalkTest, EndsWhereItsVisitorHasEnoughOrTheDeadlineHasPassed) {
  std::filesystem::create_directories(folder_.Path() / "a/b/c");
  int shown = 0;
  EXPECT_FALSE(WalkCgroups(folder_.Path().string(), Soon(), [&](const WalkedCgroup&) { return ++shown < 2; }));
  EXPECT_EQ(shown, 2);
  EXPECT_FALSE(WalkCgroups(folder_.Path().string(), Deadline::After(std::chrono::seconds(-1)),
                           [](const WalkedCgroup&) { return true; }));
}

TEST_F(CgroupWalkTest, ATreeOfAnyDepthIsBounded) {
  std::string deep;
  for (int i = 0; i < 40; ++i) {
    deep += "d/";
  }
  std::filesystem::create_directories(folder_.Path() / deep);
  std::size_t shown = 0;
  EXPECT_TRUE(WalkCgroups(folder_.Path().string(), Soon(), [&](const WalkedCgroup&) { return ++shown > 0; }));
  EXPECT_EQ(shown, 33U);
}

}  // namespace
}  // namespace finwait::kernel
