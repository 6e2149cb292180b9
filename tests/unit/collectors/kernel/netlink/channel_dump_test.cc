#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "tests/unit/collectors/kernel/netlink/channel_fixture.h"

namespace finwait::kernel::netlink {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

using ChannelDump = ChannelTest;

TEST_F(ChannelDump, StreamsTheMessagesOfEveryDatagramInOrder) {
  kernel->Answers({Entry("one"), Entry("two")}).Answers({Entry("three")}).Answers({Done()});
  const auto report = Dump();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->attempts, 1);
  EXPECT_FALSE(report->torn);
  EXPECT_THAT(notes.texts, ElementsAre("|", "one", "two", "three"));
}

TEST_F(ChannelDump, AsksOnceAndAsADump) {
  kernel->Answers({Done()});
  ASSERT_TRUE(Dump());
  ASSERT_EQ(kernel->Sent().size(), 1u);
  EXPECT_EQ(kernel->SentHeader(0).nlmsg_type, kType);
  EXPECT_EQ(kernel->SentHeader(0).nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
}

TEST_F(ChannelDump, EndsAtDoneAlthoughMoreFollowsInTheDatagram) {
  kernel->Answers({Entry("one"), Done(), Entry("late")});
  ASSERT_TRUE(Dump());
  EXPECT_THAT(notes.texts, ElementsAre("|", "one"));
}

TEST_F(ChannelDump, IgnoresMessagesOfAnotherSequenceNumber) {
  FakeMessage old = Entry("old");
  old.sequence = 0;
  FakeMessage old_done = Done();
  old_done.sequence = 0;
  kernel->Answers({old, old_done}).Answers({Entry("one"), Done()});
  ASSERT_TRUE(Dump());
  EXPECT_THAT(notes.texts, ElementsAre("|", "one"));
}

TEST_F(ChannelDump, IgnoresMessagesForAnotherPort) {
  FakeMessage stray = Entry("stray");
  stray.port = FakeKernel::kPort + 1;
  FakeMessage stray_error = ErrorMessage(-EPERM);
  stray_error.port = 0;
  kernel->Answers({stray, stray_error, Entry("one"), Done()});
  ASSERT_TRUE(Dump());
  EXPECT_THAT(notes.texts, ElementsAre("|", "one"));
}

TEST_F(ChannelDump, IgnoresADatagramThatIsNotFromTheKernel) {
  FakeKernel::Answer forged;
  forged.messages = {Entry("forged"), Done()};
  forged.sender_port = 4242;
  kernel->Adds(forged).Answers({Entry("one"), Done()});
  ASSERT_TRUE(Dump());
  EXPECT_THAT(notes.texts, ElementsAre("|", "one"));
}

TEST_F(ChannelDump, IgnoresAForgedDatagramEvenWhereItIsBroken) {
  FakeKernel::Answer forged;
  forged.raw = ByteVector(3);
  forged.sender_port = 4242;
  forged.truncated = true;
  kernel->Adds(forged).Answers({Entry("one"), Done()});
  EXPECT_TRUE(Dump());
}

TEST_F(ChannelDump, PassesOverEmptyControlMessages) {
  FakeMessage nothing;
  nothing.type = NLMSG_NOOP;
  kernel->Answers({nothing, Entry("one"), nothing, Done()});
  ASSERT_TRUE(Dump());
  EXPECT_THAT(notes.texts, ElementsAre("|", "one"));
}

TEST_F(ChannelDump, StartsAgainAfterATornAttempt) {
  kernel->Answers({Interrupted(Entry("torn"))}).Answers({Entry("rest"), Done()}).Answers({Entry("whole"), Done()});
  const auto report = Dump();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->attempts, 2);
  EXPECT_FALSE(report->torn);
  EXPECT_THAT(notes.texts, ElementsAre("|", "torn", "rest", "|", "whole"));
  ASSERT_EQ(kernel->Sent().size(), 2u);
  EXPECT_NE(kernel->SentHeader(0).nlmsg_seq, kernel->SentHeader(1).nlmsg_seq);
}

TEST_F(ChannelDump, SeesTheMarkOfATornDumpOnItsEnd) {
  kernel->Answers({Entry("torn"), Interrupted(Done())}).Answers({Entry("whole"), Done()});
  const auto report = Dump();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->attempts, 2);
}

TEST_F(ChannelDump, IsPublishedAsTornAfterTheLastAttempt) {
  static_assert(Channel::kDumpAttempts == 3);
  for (const char* text : {"one", "two", "three", "four"}) {
    kernel->Answers({Interrupted(Entry(text)), Done()});
  }
  const auto report = Dump();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->attempts, 3);
  EXPECT_TRUE(report->torn);
  EXPECT_THAT(notes.texts, ElementsAre("|", "one", "|", "two", "|", "three"));
  EXPECT_EQ(kernel->Sent().size(), 3u);
}

TEST_F(ChannelDump, CountsADatagramThatTheKernelDroppedAsTorn) {
  kernel->Answers({Entry("one")}).FailsToReceive(ENOBUFS).Answers({Entry("three"), Done()});
  kernel->Answers({Entry("whole"), Done()});
  const auto report = Dump();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->attempts, 2);
  EXPECT_FALSE(report->torn);
  EXPECT_THAT(notes.texts, ElementsAre("|", "one", "three", "|", "whole"));
}

TEST_F(ChannelDump, CountsAnOverrunMessageAsTorn) {
  FakeMessage overrun;
  overrun.type = NLMSG_OVERRUN;
  kernel->Answers({overrun, Done()}).Answers({Done()});
  EXPECT_EQ(Dump().value().attempts, 2);
}

TEST_F(ChannelDump, ThatTheKernelInterruptsIsTornHoweverItSaysSo) {
  kernel->Answers({Entry("one"), ErrorMessage(-EINTR)}).Answers({Entry("two"), Done(-EINTR)}).Answers({Done()});
  const auto report = Dump();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->attempts, 3);
  EXPECT_FALSE(report->torn);
}

TEST_F(ChannelDump, FailsWithTheErrnoInItsEnd) {
  kernel->Answers({Entry("one"), Done(-ENOMEM)});
  const auto report = Dump();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().errno_code, ENOMEM);
  EXPECT_EQ(report.error().message, "read the table: Cannot allocate memory");
}

TEST_F(ChannelDump, FailsWithTheKernelsSentenceInItsEnd) {
  FakeMessage done = Done(-EINVAL);
  done.flags |= NLM_F_ACK_TLVS;
  done.payload = Join(done.payload, BytesOf(nlattr{sizeof(nlattr) + 9, NLMSGERR_ATTR_MSG}));
  done.payload = Join(done.payload, BytesOf(std::string_view("no thanks", 9)));
  kernel->Answers({done});
  EXPECT_EQ(Dump().error().message, "read the table: Invalid argument (the kernel says: no thanks)");
}

TEST_F(ChannelDump, TakesAnEndWithoutACode) {
  FakeMessage done;
  done.type = NLMSG_DONE;
  kernel->Answers({done});
  EXPECT_TRUE(Dump());
}

TEST_F(ChannelDump, EndsWithTheErrorOfItsSink) {
  kernel->Answers({Entry("one"), Entry("refused"), Entry("three"), Done()});
  const auto report = Dump();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message, "the sink refuses refused");
  EXPECT_THAT(notes.texts, ElementsAre("|", "one", "refused"));
}

TEST_F(ChannelDump, ThatNeverEndsIsEndedByItsDeadline) {
  kernel->Answers({Entry("more")}).ForEver();
  const auto before = SteadyClock::now();
  const auto report = Dump(Deadline::After(std::chrono::milliseconds(30)));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().reason, FailureReason::kTimeout);
  EXPECT_EQ(report.error().message, "read the table: not finished within the deadline");
  EXPECT_GE(SteadyClock::now() - before, std::chrono::milliseconds(30));
}

TEST_F(ChannelDump, ThatIsTornForEverIsEndedByItsDeadlineToo) {
  kernel->FailsToReceive(ENOBUFS).ForEver();
  EXPECT_EQ(Dump(Deadline::After(std::chrono::milliseconds(30))).error().reason, FailureReason::kTimeout);
}

TEST_F(ChannelDump, OfStrangersDatagramsIsEndedByItsDeadline) {
  FakeKernel::Answer forged;
  forged.messages = {Entry("forged")};
  forged.sender_port = 4242;
  kernel->Adds(forged).ForEver();
  EXPECT_EQ(Dump(Deadline::After(std::chrono::milliseconds(30))).error().reason, FailureReason::kTimeout);
  EXPECT_THAT(notes.texts, ElementsAre("|"));
}

TEST_F(ChannelDump, ThatNobodyAnswersTimesOutAndSaysWhatWasAsked) {
  const auto report = Dump();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().reason, FailureReason::kTimeout);
  EXPECT_THAT(report.error().message, StartsWith("read the table: "));
}

TEST_F(ChannelDump, FailsWhereSendingOrReceivingFails) {
  kernel->FailsToReceive(ENOMEM);
  EXPECT_EQ(Dump().error().message, "read the table: receive from netlink: Cannot allocate memory");
  kernel->FailsToSend(ECONNREFUSED);
  EXPECT_EQ(Dump().error().message, "read the table: send to netlink: Connection refused");
}

}  // namespace
}  // namespace finwait::kernel::netlink
