#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/collectors/kernel/netlink/channel_fixture.h"

namespace finwait::kernel::netlink {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// Three requests at once; their sequence numbers are 1, 2 and 3.
struct ChannelGetEach : ChannelTest {
  Result<void> GetThree() {
    auto channel = kernel->Open(NETLINK_NETFILTER);
    std::vector<Request> requests(3, Request(kType));
    return channel->GetEach(requests, kOperation, Soon(), [this](std::size_t position, const Result<Message>& answer) {
      answers[position] =
          answer ? std::string(reinterpret_cast<const char*>(answer->payload.data()), answer->payload.size())
                 : "errno " + std::to_string(answer.error().errno_code);
    });
  }
  static FakeMessage To(std::uint32_t sequence, FakeMessage message) {
    message.sequence = sequence;
    return message;
  }

  std::map<std::size_t, std::string> answers;
};

TEST_F(ChannelGetEach, GivesEachRequestItsOwnOutcome) {
  kernel->Answers({To(1, Entry("one")), To(1, Acknowledgement())})
      .Answers({To(2, ErrorMessage(-ENOENT))})
      .Answers({To(3, Entry("three"))})
      .Answers({To(3, Acknowledgement())});
  EXPECT_TRUE(GetThree());
  EXPECT_THAT(answers, ElementsAre(Pair(0, "one"), Pair(1, "errno " + std::to_string(ENOENT)), Pair(2, "three")));
  EXPECT_EQ(kernel->Sent().size(), 1U) << "all in one datagram";
}

TEST_F(ChannelGetEach, DoesNotReportARequestWhoseAnswerIsEmpty) {
  kernel->Answers({To(1, Acknowledgement()), To(2, Entry("two")), To(2, Acknowledgement()), To(3, Acknowledgement())});
  EXPECT_TRUE(GetThree());
  EXPECT_THAT(answers, ElementsAre(Pair(1, "two")));
}

TEST_F(ChannelGetEach, TakesAMissingPermissionForTheAnswerToAll) {
  kernel->Answers({To(1, ErrorMessage(-EPERM))});
  const auto asked = GetThree();
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().reason, FailureReason::kPermission) << asked.error().message;
  EXPECT_TRUE(answers.empty());
}

TEST_F(ChannelGetEach, IgnoresAnswersToRequestsOfAnotherTime) {
  kernel->Answers({To(4, Entry("later")), To(0, Acknowledgement())})
      .Answers({To(1, Acknowledgement()), To(2, Acknowledgement()), To(3, Acknowledgement())});
  EXPECT_TRUE(GetThree());
  EXPECT_TRUE(answers.empty());
}

TEST_F(ChannelGetEach, TimesOutWhereAnAnswerIsMissing) {
  kernel->Answers({To(1, Acknowledgement()), To(2, Acknowledgement())});
  const auto asked = GetThree();
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().reason, FailureReason::kTimeout);
  EXPECT_THAT(asked.error().message, HasSubstr(kOperation));
}

TEST_F(ChannelGetEach, SaysWhenAnAnswerIsMalformed) {
  kernel->AnswersRaw(ByteVector(20, std::byte{0xff}));
  EXPECT_THAT(GetThree().error().message, HasSubstr("malformed"));
}

}  // namespace
}  // namespace finwait::kernel::netlink
