#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <climits>
#include <string>

#include "tests/unit/collectors/kernel/netlink/channel_fixture.h"

namespace finwait::kernel::netlink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

using ChannelMalformed = ChannelTest;

TEST_F(ChannelMalformed, TruncatedDatagram) {
  FakeKernel::Answer answer;
  answer.messages = {Entry("one"), Done()};
  answer.truncated = true;
  kernel->Adds(answer);
  ExpectMalformed("larger than the receive buffer");
}

TEST_F(ChannelMalformed, EmptyDatagram) {
  kernel->AnswersRaw({});
  ExpectMalformed("an empty datagram");
}

TEST_F(ChannelMalformed, HeaderCutShort) {
  for (std::size_t size = 1; size < sizeof(nlmsghdr); ++size) {
    kernel->AnswersRaw(ByteVector(size, std::byte{0xff}));
    ExpectMalformed("a header cut short");
  }
}

TEST_F(ChannelMalformed, SecondHeaderCutShort) {
  nlmsghdr header = {};
  header.nlmsg_len = sizeof header;
  kernel->AnswersRaw(Join(BytesOf(header), ByteVector(8)));
  ExpectMalformed("a header cut short");
}

TEST_F(ChannelMalformed, LengthThatDoesNotFit) {
  for (const std::uint32_t length : {0u, 1u, 15u, 21u, 0x7fffffffu, 0xfffffffdu, 0xffffffffu}) {
    nlmsghdr header = {};
    header.nlmsg_len = length;
    header.nlmsg_type = kType;
    kernel->AnswersRaw(Join(BytesOf(header), ByteVector(4)));
    ExpectMalformed("a length that does not fit");
  }
}

TEST_F(ChannelMalformed, ErrorCutShort) {
  for (std::size_t size = 0; size < sizeof(nlmsgerr); ++size) {
    FakeMessage error = ErrorMessage(-EPERM);
    error.payload.resize(size);
    kernel->Answers({error});
    ExpectMalformed("an error message cut short");
  }
}

// A kernel's errno lies between 1 and 4095 (MAX_ERRNO), those of ipset below 4608.
TEST_F(ChannelMalformed, ErrorNumberThatNoKernelHas) {
  for (const int code : {1, 95, INT_MAX, -4608, INT_MIN}) {
    kernel->Answers({ErrorMessage(code)});
    ExpectMalformed("an impossible error number");
    kernel->Answers({Done(code)});
    ExpectMalformed("an impossible error number");
  }
}

TEST_F(ChannelMalformed, LastMessageMayLackItsPadding) {
  nlmsghdr header = {};
  header.nlmsg_len = sizeof header + 3;
  header.nlmsg_type = kType;
  header.nlmsg_seq = 1;
  header.nlmsg_pid = FakeKernel::kPort;
  kernel->AnswersRaw(Join(BytesOf(header), BytesOf(std::string_view("odd")))).Answers({Done()});
  EXPECT_TRUE(Dump());
  EXPECT_THAT(notes.texts, ElementsAre("|", "odd"));
}

// Every prefix of a good answer, and every value of every byte: an error, a time-out or an answer, never a crash.
TEST_F(ChannelMalformed, AnyCutAndAnyByteIsSurvived) {
  ByteVector whole;
  for (const FakeMessage& message :
       {Entry("one"), Entry("three"),
        ErrorWithTlvs(NLM_F_CAPPED | NLM_F_ACK_TLVS, 40, TextAttribute(NLMSGERR_ATTR_MSG, "no"))}) {
    nlmsghdr header = {};
    header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + message.payload.size());
    header.nlmsg_type = message.type;
    header.nlmsg_flags = message.flags;
    header.nlmsg_seq = 1;
    header.nlmsg_pid = FakeKernel::kPort;
    whole = Join(Join(whole, BytesOf(header)), message.payload);
    whole.resize(NLMSG_ALIGN(whole.size()));
  }
  for (std::size_t size = 0; size < whole.size(); ++size) {
    kernel = FakeKernel::Make();
    kernel->AnswersRaw(ByteVector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    EXPECT_FALSE(Dump()) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      ByteVector bytes = whole;
      bytes[at] = std::byte(value);
      kernel = FakeKernel::Make();
      kernel->AnswersRaw(bytes);
      const auto report = Dump();
      if (!report) {
        EXPECT_THAT(report.error().message, Not(IsEmpty()));
      }
    }
  }
}

}  // namespace
}  // namespace finwait::kernel::netlink
