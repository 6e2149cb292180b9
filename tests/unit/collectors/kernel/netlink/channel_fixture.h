#pragma once

#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <string>
#include <string_view>
#include <vector>

#include "collectors/kernel/netlink/channel.h"
#include "tests/soon.h"
#include "tests/unit/collectors/kernel/netlink/fake_transport.h"

namespace finwait::kernel::netlink {

inline constexpr std::uint16_t kType = NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET);
inline constexpr const char* kOperation = "read the table";

/// A message whose payload is this text.
inline FakeMessage Entry(std::string_view text) {
  FakeMessage message;
  message.type = kType;
  message.payload = BytesOf(text);
  return message;
}
inline FakeMessage Interrupted(FakeMessage message) {
  message.flags |= NLM_F_DUMP_INTR;
  return message;
}

/// Notes the texts that arrive, "|" for each restart.
class Notes : public MessageSink {
 public:
  void Restart() override { texts.emplace_back("|"); }
  Result<void> OnMessage(const Message& message) override {
    if (message.type != kType) {
      return Fail(FailureReason::kError, "not the type that was sent");
    }
    texts.emplace_back(reinterpret_cast<const char*>(message.payload.data()), message.payload.size());
    if (texts.back() == refused) {
      return Fail(FailureReason::kError, "the sink refuses " + refused);
    }
    return {};
  }
  std::vector<std::string> texts;
  std::string refused = "refused";
};

struct ChannelTest : testing::Test {
  Result<DumpReport> Dump(Deadline deadline = Soon()) {
    auto channel = kernel->Open(NETLINK_NETFILTER);
    return channel->Dump(Request(kType), kOperation, deadline, notes);
  }
  Result<void> Get(Deadline deadline = Soon()) {
    auto channel = kernel->Open(NETLINK_NETFILTER);
    return channel->Get(Request(kType), kOperation, deadline,
                        [&](const Message& message) { return notes.OnMessage(message); });
  }
  void ExpectMalformed(const std::string& what) {
    const auto report = Dump();
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().reason, FailureReason::kError);
    EXPECT_EQ(report.error().message, "read the table: malformed netlink answer, " + what);
  }

  std::shared_ptr<FakeKernel> kernel = FakeKernel::Make();
  Notes notes;
};

/// An NLMSG_ERROR with this payload behind the nlmsgerr.
inline FakeMessage ErrorWithTlvs(std::uint16_t flags, std::uint32_t request_length, const ByteVector& behind) {
  FakeMessage message = ErrorMessage(-EINVAL);
  message.flags = flags;
  nlmsgerr error = {};
  error.error = -EINVAL;
  error.msg.nlmsg_len = request_length;
  message.payload = Join(BytesOf(error), behind);
  return message;
}
inline ByteVector TextAttribute(std::uint16_t type, std::string_view text) {
  ByteVector bytes =
      Join(BytesOf(nlattr{static_cast<std::uint16_t>(sizeof(nlattr) + text.size()), type}), BytesOf(text));
  bytes.resize(NLA_ALIGN(bytes.size()));
  return bytes;
}

}  // namespace finwait::kernel::netlink
