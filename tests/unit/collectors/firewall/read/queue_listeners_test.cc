#include "collectors/firewall/read/queue_listeners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::firewall::read {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class QueueListenersTest : public testing::Test {
 protected:
  Result<std::set<std::uint16_t>> Read(Deadline deadline = Deadline::After(std::chrono::seconds(5))) const {
    return ReadQueueListeners(procfs_.MakeHost(), deadline);
  }
  void Holds(std::string_view lines) const { procfs_.Write("thread-self/net/netfilter/nfnetlink_queue", lines); }

  kernel::ProcfsFixture procfs_;
};

TEST_F(QueueListenersTest, EachLineBeginsWithTheNumberOfAQueue) {
  // seq_show() of nfnetlink_queue.c: queue, port, packets that wait, copy mode and range, dropped twice, id, 1.
  Holds("    5   4711     0 2 65531     0     0        3  1\n65535  4712     0 2 65531     0     0        0  1\n");
  EXPECT_THAT(*Read(), ElementsAre(5, 65535));
}

TEST_F(QueueListenersTest, WithoutTheModuleNobodyListens) { EXPECT_TRUE(Read()->empty()); }

TEST_F(QueueListenersTest, ALineOfAnotherFormIsAnError) {
  Holds("    5   4711     0 2 65531     0     0        3  1\n70000 1\n");
  const auto queues = Read();
  ASSERT_FALSE(queues);
  EXPECT_EQ(queues.error().reason, FailureReason::kError);
  EXPECT_THAT(queues.error().message, HasSubstr("nfnetlink_queue: a line of an unknown form"));
}

TEST_F(QueueListenersTest, PastItsDeadlineNothingIsConcluded) {
  Holds("    5   4711     0 2 65531     0     0        3  1\n");
  const auto queues = Read(Deadline(SteadyClock::now()));
  ASSERT_FALSE(queues);
  EXPECT_EQ(queues.error().reason, FailureReason::kTimeout);
}

}  // namespace
}  // namespace finwait::firewall::read
