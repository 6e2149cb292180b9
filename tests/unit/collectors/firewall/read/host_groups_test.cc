#include "collectors/firewall/read/host_groups.h"

#include <gtest/gtest.h>

#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::firewall::read {
namespace {

class HostGroupsTest : public testing::Test {
 protected:
  std::string WhyNot(std::uint64_t id) {
    const auto place = groups_.Find(id, procfs_.MakeHost(), Deadline::After(std::chrono::seconds(2)));
    return place ? "" : place.error().message;
  }
  kernel::ProcfsFixture procfs_;
  HostGroups groups_;
};

TEST_F(HostGroupsTest, ProgramsAreReadOnceForAllWhoAsk) {
  const kernel::Host host = procfs_.MakeHost();
  const auto first = groups_.FindPrograms(host, Deadline::After(std::chrono::seconds(2)));
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(groups_.FindPrograms(host, Deadline::After(std::chrono::seconds(2))), first);
}

TEST_F(HostGroupsTest, TheTreeIsNotReadAgainForEachGroupThatIsNotThere) {
  const std::string why = WhyNot(5);
  EXPECT_FALSE(why.empty());
  procfs_.Write("thread-self/mountinfo", "30 23 0:26 / /nowhere rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(WhyNot(6), why) << "within a second";
}

}  // namespace
}  // namespace finwait::firewall::read
