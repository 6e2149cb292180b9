#include "exporter/pairs/digest.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/lab/temporary_folder.h"

namespace finwait::pairs {
namespace {

Endpoint At(const char* text) { return *Endpoint::Parse(text); }

TEST(DigestTest, IsTheFirstBytesOfAnHmacWithThisKey) {
  Digester digester(Key("0123456789abcdef0123456789abcdef"));
  // printf 'finwait pairs 1\n\4\300\0\2\1\234\100\4\300\0\2\2\0\120' |
  //   openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
  EXPECT_EQ(DigestText(digester.Of(At("192.0.2.1:40000"), At("192.0.2.2:80"))), "1294bf83337f28cc");
}

TEST(DigestTest, TellsTheTwoEndsApartAndHostsWithOneKeyAgree) {
  Digester one(Key("a key of twenty bytes"));
  Digester same(Key("a key of twenty bytes"));
  Digester other(Key("b key of twenty bytes"));
  const Endpoint client = At("192.0.2.1:40000");
  const Endpoint server = At("[2001:db8::2]:80");
  EXPECT_EQ(one.Of(client, server), same.Of(client, server));
  EXPECT_NE(one.Of(client, server), one.Of(server, client));
  EXPECT_NE(one.Of(client, server), other.Of(client, server));
  EXPECT_NE(one.Of(client, server), one.Of(At("192.0.2.1:40001"), server));
  EXPECT_EQ(one.OfKey(), same.OfKey());
  EXPECT_NE(one.OfKey(), other.OfKey());
}

TEST(DigestTest, LoopbackIsEachHostsOwn) {
  Digester one(Key("a key of twenty bytes"));
  Digester same(Key("a key of twenty bytes"));
  EXPECT_EQ(one.Of(At("127.0.0.1:1"), At("127.0.0.1:2")), one.Of(At("127.0.0.1:1"), At("127.0.0.1:2")));
  EXPECT_NE(one.Of(At("127.0.0.1:1"), At("127.0.0.1:2")), same.Of(At("127.0.0.1:1"), At("127.0.0.1:2")));
}

TEST(DigestTest, IsSixteenHexadecimalDigits) {
  EXPECT_EQ(DigestText(0xab), "00000000000000ab");
  EXPECT_EQ(ParseDigest("00000000000000ab"), 0xabU);
  for (const char* wrong : {"", "00000000000000a", "00000000000000abc", "00000000000000ag", "-0000000000000ab"}) {
    EXPECT_FALSE(ParseDigest(wrong)) << wrong;
  }
}

TEST(KeyTest, IsTheFileWithoutBlanksAroundIt) {
  const lab::TemporaryFolder folder;
  const auto file = folder.Path() / "key";
  const auto read = [&](const std::string& text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
    return Key::Read(file);
  };
  const std::string secret = "0123456789abcdef";
  EXPECT_EQ(read(secret + "\r\n")->Secret(), secret);
  EXPECT_EQ(read(std::string("\0 \xff", 3) + secret)->Secret().size(), 19U);
  EXPECT_NE(read("too short\n").error().message.find("holds 9 bytes: make a key"), std::string::npos);
  EXPECT_NE(read(" \n").error().message.find("holds 0 bytes"), std::string::npos);
  EXPECT_NE(read(std::string(5000, 'x')).error().message.find("more than 4096"), std::string::npos);
  EXPECT_NE(Key::Read(folder.Path() / "none").error().message.find("No such file"), std::string::npos);
  EXPECT_FALSE(Key::Read(folder.Path()));
}

}  // namespace
}  // namespace finwait::pairs
