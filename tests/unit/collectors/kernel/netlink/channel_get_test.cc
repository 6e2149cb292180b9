#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "tests/unit/collectors/kernel/netlink/channel_fixture.h"

namespace finwait::kernel::netlink {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using ChannelGet = ChannelTest;

TEST_F(ChannelGet, EndsAtTheAcknowledgementWhateverCameBefore) {
  kernel->Answers({Acknowledgement()});
  EXPECT_TRUE(Get());
  EXPECT_THAT(notes.texts, IsEmpty());

  kernel->Answers({Entry("one"), Entry("two")}).Answers({Acknowledgement()});
  EXPECT_TRUE(Get());
  EXPECT_THAT(notes.texts, ElementsAre("one", "two"));
  EXPECT_EQ(kernel->SentHeader(1).nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
}

TEST_F(ChannelGet, FailsWithTheKernelsErrno) {
  kernel->Answers({ErrorMessage(-EPERM)});
  const auto answer = Get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().reason, FailureReason::kPermission);
  EXPECT_EQ(answer.error().errno_code, EPERM);
  EXPECT_EQ(answer.error().message, "read the table: Operation not permitted");
}

TEST_F(ChannelGet, ReadsTheKernelsSentenceBehindACappedError) {
  kernel->Answers({ErrorWithTlvs(
      NLM_F_CAPPED | NLM_F_ACK_TLVS, 400,
      Join(TextAttribute(NLMSGERR_ATTR_OFFS, "\x14\0\0\0"), TextAttribute(NLMSGERR_ATTR_MSG, "Unknown device")))});
  EXPECT_EQ(Get().error().message, "read the table: Invalid argument (the kernel says: Unknown device)");
}

TEST_F(ChannelGet, ReadsTheKernelsSentenceBehindTheEchoedRequest) {
  const ByteVector echoed(7, std::byte{0xff});  // 7 bytes of request payload, padded to 8
  ByteVector behind = echoed;
  behind.resize(8);
  kernel->Answers({ErrorWithTlvs(NLM_F_ACK_TLVS, sizeof(nlmsghdr) + 7,
                                 Join(behind, TextAttribute(NLMSGERR_ATTR_MSG, "Unknown device")))});
  EXPECT_EQ(Get().error().message, "read the table: Invalid argument (the kernel says: Unknown device)");
}

TEST_F(ChannelGet, DoesNotTakeTheEchoedRequestForASentence) {
  const ByteVector echoed = TextAttribute(NLMSGERR_ATTR_MSG, "my own words");
  const auto length = static_cast<std::uint32_t>(sizeof(nlmsghdr) + echoed.size());
  kernel->Answers({ErrorWithTlvs(NLM_F_ACK_TLVS, length, echoed)});
  EXPECT_EQ(Get().error().message, "read the table: Invalid argument");
  kernel->Answers({ErrorWithTlvs(0, length, echoed)});
  EXPECT_EQ(Get().error().message, "read the table: Invalid argument");
}

TEST_F(ChannelGet, KeepsTheErrnoWhereTheSentenceIsBroken) {
  for (const std::uint32_t request_length : {0u, 1u, 15u, 400u, 0x7fffffffu, 0xfffffffeu, 0xffffffffu}) {
    kernel->Answers({ErrorWithTlvs(NLM_F_ACK_TLVS, request_length, TextAttribute(NLMSGERR_ATTR_OFFS, "x"))});
    EXPECT_EQ(Get().error().message, "read the table: Invalid argument") << request_length;
  }
  for (const unsigned length : {0u, 3u, 5u, 100u, 0xffffu}) {
    kernel->Answers(
        {ErrorWithTlvs(NLM_F_CAPPED | NLM_F_ACK_TLVS, 400,
                       Join(BytesOf(nlattr{static_cast<std::uint16_t>(length), NLMSGERR_ATTR_OFFS}), ByteVector(4)))});
    EXPECT_EQ(Get().error().message, "read the table: Invalid argument") << length;
  }
}

TEST_F(ChannelGet, ShowsABoundedPartOfALongSentence) {
  kernel->Answers(
      {ErrorWithTlvs(NLM_F_CAPPED | NLM_F_ACK_TLVS, 400, TextAttribute(NLMSGERR_ATTR_MSG, std::string(20'000, 'x')))});
  EXPECT_LT(Get().error().message.size(), 500u);
}

// Unlike a dump it is not asked again, so what is missing must be said.
TEST_F(ChannelGet, FailsWhereThePartOfAnAnswerIsLost) {
  kernel->FailsToReceive(ENOBUFS).Answers({Entry("two"), Acknowledgement()});
  const auto answer = Get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().reason, FailureReason::kError);
  EXPECT_THAT(answer.error().message, HasSubstr("part of the answer"));
}

TEST_F(ChannelGet, FailsWhereTheKernelWasInterrupted) {
  kernel->Answers({ErrorMessage(-EINTR)});
  EXPECT_FALSE(Get());
}

TEST_F(ChannelGet, DoesNotTakeTheTailOfAFailedExchangeForItsAnswer) {
  auto channel = kernel->Open(NETLINK_NETFILTER).value();
  const auto visit = [&](const Message& message) { return notes.OnMessage(message); };
  kernel->Answers({ErrorMessage(-EBUSY)});
  ASSERT_FALSE(channel.Get(Request(kType), kOperation, Soon(), visit));
  FakeMessage late = Acknowledgement();
  late.sequence = kernel->SentHeader(0).nlmsg_seq;
  kernel->Answers({late}).Answers({Entry("one"), Acknowledgement()});
  ASSERT_TRUE(channel.Get(Request(kType), kOperation, Soon(), visit));
  EXPECT_THAT(notes.texts, ElementsAre("one"));
}

}  // namespace
}  // namespace finwait::kernel::netlink
