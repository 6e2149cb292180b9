#include "exporter/service/scheduler_slice.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

namespace finwait::service {
namespace {

// As <linux/sched/types.h> has it, which cannot be included beside <sched.h>.
struct Attributes {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime;
  std::uint64_t deadline;
  std::uint64_t period;
};

Attributes OfThisThread() {
  Attributes attributes = {};
  EXPECT_EQ(::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0U), 0);
  return attributes;
}

TEST(SchedulingTest, TakesShortTurnsItselfAndInItsThreadsAndChangesNothingElse) {
  if (OfThisThread().runtime == 0) {
    GTEST_SKIP() << "this kernel is older than Linux 6.12: turns of normal tasks are not to be chosen";
  }
  std::thread([] {
    ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, 3), 0);  // of this thread alone
    const Attributes before = OfThisThread();
    ASSERT_NE(before.runtime, 100'000U);
    SetSchedulerSlice();
    std::thread([&] {
      const Attributes after = OfThisThread();
      EXPECT_EQ(after.runtime, 100'000U);
      EXPECT_EQ(after.policy, before.policy);
      EXPECT_EQ(after.nice, 3);
    }).join();
  }).join();
}

TEST(SchedulingTest, TheKernelTakesLessForTheSame) {
  if (OfThisThread().runtime == 0) {
    GTEST_SKIP() << "this kernel is older than Linux 6.12: turns of normal tasks are not to be chosen";
  }
  std::thread([] {
    Attributes shorter = OfThisThread();
    shorter.runtime = 1;
    ASSERT_EQ(::syscall(SYS_sched_setattr, 0, &shorter, 0U), 0);
    EXPECT_EQ(OfThisThread().runtime, 100'000U);
  }).join();
}

TEST(SchedulingTest, LeavesAPolicyThatAnAdministratorHasChosenAlone) {
  std::thread([] {
    const sched_param parameters = {};
    ASSERT_EQ(::sched_setscheduler(0, SCHED_BATCH, &parameters), 0);
    const Attributes before = OfThisThread();
    SetSchedulerSlice();
    EXPECT_EQ(OfThisThread().policy, static_cast<std::uint32_t>(SCHED_BATCH));
    EXPECT_EQ(OfThisThread().runtime, before.runtime);
  }).join();
}

}  // namespace
}  // namespace finwait::service
