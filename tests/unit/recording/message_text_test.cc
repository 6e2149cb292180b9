#include "tests/recording/message_text.h"

#include <gmock/gmock.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <stdexcept>

#include "collectors/kernel/netlink/request.h"
#include "tests/recording/kernel_recording.h"

namespace finwait::recording {
namespace {

constexpr auto kNewRule = kernel::netlink::NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWRULE);

ByteVector BytesOf(std::initializer_list<unsigned> numbers) {
  ByteVector bytes;
  for (const unsigned number : numbers) {
    bytes.push_back(static_cast<std::byte>(number));
  }
  return bytes;
}

TEST(MessageTextTest, AttributesReadAsTextNestsAndBytes) {
  const Message message = {kNewRule, 2, BytesOf({2,  0, 0, 9,                // nfgenmsg
                                                 6,  0, 1, 0, 'f', 0, 0, 0,  // text, padded
                                                 16, 0, 4, 0,                // a nest
                                                 12, 0, 1, 0, 0,   0, 0, 0, 0, 0, 0, 3})};
  EXPECT_EQ(TextOf(message), "newrule 0002 02000009 1=\"f\" 4={1=z7.03}");
  EXPECT_EQ(ParseMessage(TextOf(message)), message);
}

TEST(MessageTextTest, WhatIsNoAttributeIsBytesAndComesBack) {
  for (const ByteVector& payload :
       {BytesOf({}), BytesOf({1}), BytesOf({2, 0, 0, 0, 1, 2, 3}),
        BytesOf({2, 0, 0, 0, 5, 0, 1, 0, 9, 1, 1, 1}),  // padded with other than zeros
        BytesOf({2, 0, 0, 0, 8, 0, 1, 0x80, 0, 0, 0, 0}), BytesOf({2, 0, 0, 0, 6, 0, 1, 0, '"', 0, 0, 0})}) {
    const Message message = {kNewRule, 0, payload};
    EXPECT_EQ(ParseMessage(TextOf(message)), message) << TextOf(message);
  }
}

TEST(MessageTextTest, ALineOfAnotherFormIsRefused) {
  for (const char* line : {"newrule", "newrule 0000 0200000 1=", "newrule 0000 02000000 1={2=00", "x 0000 00",
                           "newrule 0000 02000000 1=00}", "newrule 0000 02000000 =00"}) {
    EXPECT_THROW(ParseMessage(line), std::runtime_error) << line;
  }
}

TEST(KernelRecordingTest, AFileOfItSaysTheSame) {
  KernelRecording recording;
  recording.exchanges = {{"getgen 0001 z4.", {"newgen 0000 z4."}}, {"gettable 0301 z4.", {}}};
  recording.legacy_names[firewall::TableFamily::kIpv4] = {"filter"};
  auto& table = recording.legacy_tables[{firewall::TableFamily::kIpv4, "filter"}];
  table.info.valid_hooks = 14;
  table.info.hook_entry = {0, 1, 2, 3, 4};
  table.info.underflow = {5, 6, 7, 8, 9};
  table.info.entries = 1;
  table.entries = BytesOf({1, 2, 0, 0, 0, 0, 0});
  const std::string text = recording.Text();
  const KernelRecording again = KernelRecording::Parse(text);
  EXPECT_EQ(again.Text(), text);
  const auto& parsed = again.legacy_tables.at({firewall::TableFamily::kIpv4, "filter"});
  EXPECT_EQ(parsed.entries, table.entries);
  EXPECT_EQ(parsed.info.size, 7U);
  EXPECT_EQ(parsed.info.underflow, table.info.underflow);
  EXPECT_THROW(KernelRecording::Parse("other\n"), std::runtime_error);
}

}  // namespace
}  // namespace finwait::recording
