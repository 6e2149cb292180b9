#include "collectors/kernel/netlink/request.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink.h>

#include <stdexcept>
#include <vector>

namespace finwait::kernel::netlink {
namespace {

// All bytes behind the nlmsghdr.
std::vector<int> Payload(const Request& request) {
  std::vector<int> payload;
  for (const std::byte byte : request.Data().subspan(sizeof(nlmsghdr))) {
    payload.push_back(std::to_integer<int>(byte));
  }
  return payload;
}

nlmsghdr HeaderOf(const Request& request) { return Attribute(0, request.Data()).Read<nlmsghdr>().value(); }

TEST(Request, StartsAsAHeaderWithItsTypeAndTheRequestFlag) {
  const Request request(0x0102, NLM_F_ACK);
  const nlmsghdr header = HeaderOf(request);
  EXPECT_EQ(request.Type(), 0x0102);
  EXPECT_EQ(header.nlmsg_type, 0x0102);
  EXPECT_EQ(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
  EXPECT_EQ(header.nlmsg_len, sizeof(nlmsghdr));
  EXPECT_EQ(header.nlmsg_pid, 0u);
  EXPECT_EQ(request.Data().size(), sizeof(nlmsghdr));
}

TEST(Request, EncodesHeaderAndAttributesAsTheKernelReadsThem) {
  Request request(1);
  const nfgenmsg family = {2, 0, htons(0x0304)};
  const std::byte raw[] = {std::byte{7}, std::byte{8}, std::byte{9}};
  request.Header(family)
      .PutU8(1, 0xaa)
      .PutU32(2, 0x04030201)
      .PutBigEndian16(3, 0x0102)
      .PutBigEndian32(4, 0x01020304)
      .PutBigEndian64(5, 0x0102030405060708)
      .PutText(6, "abc")
      .PutBytes(7, raw);
  EXPECT_EQ(Payload(request), (std::vector<int>{2,  0, 3, 4,                                 // nfgenmsg
                                                5,  0, 1, 0, 0xaa, 0,   0,   0,              // U8
                                                8,  0, 2, 0, 1,    2,   3,   4,              // U32
                                                6,  0, 3, 0, 1,    2,   0,   0,              // big-endian 16
                                                8,  0, 4, 0, 1,    2,   3,   4,              // big-endian 32
                                                12, 0, 5, 0, 1,    2,   3,   4, 5, 6, 7, 8,  // big-endian 64
                                                8,  0, 6, 0, 'a',  'b', 'c', 0,              // text with its NUL
                                                7,  0, 7, 0, 7,    8,   9,   0}));           // bytes, padded
  EXPECT_EQ(HeaderOf(request).nlmsg_len, request.Data().size());
}

TEST(Request, ClosesNestedAttributesInnermostFirst) {
  Request request(1);
  request.BeginNested(1).PutU8(2, 3).BeginNested(4).PutU8(5, 6).EndNested().EndNested().PutU8(7, 8);
  EXPECT_EQ(Payload(request), (std::vector<int>{24, 0, 1, 0x80,              //
                                                5,  0, 2, 0,    3, 0, 0, 0,  //
                                                12, 0, 4, 0x80,              //
                                                5,  0, 5, 0,    6, 0, 0, 0,  //
                                                5,  0, 7, 0,    8, 0, 0, 0}));
}

TEST(Request, IsWholeAfterItWasCopiedWithAnOpenAttribute) {
  Request open(1);
  open.BeginNested(1);
  Request copy = open;
  copy.PutU8(2, 3).EndNested();
  EXPECT_EQ(Payload(copy), (std::vector<int>{12, 0, 1, 0x80, 5, 0, 2, 0, 3, 0, 0, 0}));
}

TEST(Request, ThrowsWhereNestedAttributesDoNotMatch) {
  Request closed(1);
  EXPECT_THROW(closed.EndNested(), std::logic_error);
  Request open(1);
  open.BeginNested(1);
  EXPECT_THROW(open.Data(), std::logic_error);
}

TEST(Request, FillsItsCapacityAndThrowsBeforeItGoesPast) {
  constexpr std::size_t kRoom = Request::kCapacity - sizeof(nlmsghdr) - sizeof(nlattr);
  Request full(1);
  full.PutBytes(1, std::vector<std::byte>(kRoom));
  EXPECT_EQ(full.Data().size(), Request::kCapacity);
  EXPECT_THROW(full.PutBytes(2, Bytes()), std::length_error);
  EXPECT_THROW(full.BeginNested(2), std::length_error);
  EXPECT_THROW(full.PutU8(2, 0), std::length_error);
  EXPECT_THROW(full.PutU32(2, 0), std::length_error);
  EXPECT_THROW(full.PutBigEndian16(2, 0), std::length_error);
  EXPECT_THROW(full.PutBigEndian32(2, 0), std::length_error);
  EXPECT_THROW(full.PutBigEndian64(2, 0), std::length_error);
  EXPECT_THROW(full.PutText(2, ""), std::length_error);
  EXPECT_THROW(full.Header(nfgenmsg{}), std::length_error);
  EXPECT_EQ(full.Data().size(), Request::kCapacity);

  Request over(1);
  EXPECT_THROW(over.PutBytes(1, std::vector<std::byte>(kRoom + 1)), std::length_error);
  EXPECT_THROW(over.PutText(1, std::string(kRoom, 'x')), std::length_error);
  EXPECT_THROW(over.PutBytes(1, std::vector<std::byte>(70'000)), std::length_error);
  EXPECT_EQ(over.Data().size(), sizeof(nlmsghdr));
}

}  // namespace
}  // namespace finwait::kernel::netlink
