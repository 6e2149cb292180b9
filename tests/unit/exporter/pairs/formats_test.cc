// What hosts tell each other, written and read.

#include <gtest/gtest.h>

#include "exporter/pairs/live_stream.h"
#include "exporter/pairs/lost_document.h"

namespace finwait::pairs {
namespace {

LostDocument SomeLost() {
  LostDocument document;
  document.key = 0x0123456789abcdef;
  document.rules = {{R"({"backend":"nft"})", "nft table inet fw, chain out, handle 3"}};
  LostHalf plain;
  plain.ends = {EndDigests{1, 2}, EndDigests{1, 2}};
  plain.lost_seconds = 12.5;
  plain.settled_seconds = 3;
  plain.cause = diagnosis::Cause::kLocalDrop;
  plain.rule = 0;
  plain.ongoing = true;
  LostHalf translated;
  translated.ends = {EndDigests{0xffffffffffffffff, 4}, EndDigests{5, 6}};
  translated.elsewhere = true;
  document.halves = {plain, translated};
  document.passages = {{{0xa1, 0xa2}, {0xa3, 0xa4}}, {{0xa5, 0xa6}, {0xa7, 0xa8}}};
  return document;
}

TEST(LostDocumentTest, IsReadAsItWasWritten) {
  const auto read = ParseLostJson(LostJson(SomeLost()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, SomeLost());
}

TEST(LostDocumentTest, WhatIsNoneIsRefused) {
  const std::string good = LostJson(SomeLost());
  const auto with = [&](const std::string& what, const std::string& by) {
    std::string text = good;
    text.replace(text.find(what), what.size(), by);
    return ParseLostJson(text);
  };
  EXPECT_TRUE(with("\"ongoing\":true", "\"ongoing\":true,\"more\":1"));
  EXPECT_FALSE(with("\"format\":2", "\"format\":1"));
  EXPECT_FALSE(with("\"lost_halves\"", "\"halves\""));
  EXPECT_FALSE(with("\"0000000000000001\"", "\"1\""));
  EXPECT_FALSE(with("[\"0000000000000001\"]", "[]"));
  EXPECT_TRUE(with("\"passages\"", "\"others\"")) << "a host of an older version";
  EXPECT_FALSE(with("\"passages\":[\"", "\"passages\":[\"0")) << "an odd number of digits";
  EXPECT_FALSE(with("\"passages\":[\"", "\"passages\":[\"0000"));
  EXPECT_FALSE(with("\"passages\":[\"0", "\"passages\":[\"g"));
  EXPECT_FALSE(with("\"passages\":[", "\"passages\":[\"\","));
  EXPECT_FALSE(with("\"passages\":[", "\"passages\":[1,"));
  EXPECT_FALSE(with("00000000000000a4", "a4"));
  EXPECT_FALSE(with("[\"0000000000000001\"]", "[\"0000000000000001\",\"0000000000000001\",\"0000000000000001\"]"));
  EXPECT_FALSE(with("12.5", "-1"));
  EXPECT_FALSE(with("12.5", "1e300"));
  EXPECT_FALSE(with("12.5", "\"12\""));
  EXPECT_FALSE(with("\"key\":\"01", "\"key\":\"x1"));
  EXPECT_FALSE(ParseLostJson("<html>"));
  EXPECT_FALSE(ParseLostJson("[]"));
  EXPECT_FALSE(with("{\"backend\":\"nft\"}", "{\"a\":" + std::string(200'000, '[') + std::string(200'000, ']') + "}"));
  const auto unknown = with("\"rule\":0", "\"rule\":7");
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->halves[0].rule, kNone) << "a rule that is not there";
}

class LiveStreamTest : public testing::Test {
 protected:
  static LiveHalf Half(Digest first, Digest second, std::uint16_t port) {
    LiveHalf half;
    half.digests = {first, second};
    half.port = port;
    return half;
  }

  LiveStreamTest() {
    LiveHalf known = Half(1, 2, 443);
    known.silent_seconds = 812;
    known.owner = 1;
    known.rule = 0;
    known.peer_has_closed = true;
    known.sample_seconds = 2.5;
    LiveHalf other = Half(3, 3, 65535);
    other.elsewhere = true;
    other.sample_seconds = 60;
    halves_ = {known, other};
    LiveWriter writer;
    writer.BeginSample(2.5, false);
    writer.Add(known);
    writer.BeginSample(60, true);
    writer.Add(other);
    text_ = writer.Finish({{"unit \"a\".service", "pod x/y"}, {{R"({"backend":"legacy"})", "rule 7"}}});
  }

  std::vector<LiveHalf> halves_;
  std::string text_;
};

TEST_F(LiveStreamTest, IsReadAsItWasWrittenInPiecesOfAnySize) {
  for (std::size_t size = 1; size <= text_.size(); size += 1 + size / 8) {
    std::vector<LiveHalf> read;
    LiveReader reader([&](const LiveHalf& half) { read.push_back(half); });
    for (std::size_t at = 0; at < text_.size(); at += size) {
      ASSERT_TRUE(reader.Read(std::string_view(text_).substr(at, size)));
    }
    ASSERT_TRUE(reader.End());
    EXPECT_EQ(read, halves_);
    EXPECT_EQ(reader.Header().owners[1], "pod x/y");
    EXPECT_EQ(reader.Header().rules[0].text, "rule 7");
    EXPECT_EQ(reader.OwnSampleSeconds(), 2.5F);
  }
}

TEST_F(LiveStreamTest, EveryBeginningOfItIsNotWhole) {
  for (std::size_t size = 0; size < text_.size(); ++size) {
    LiveReader reader([](const LiveHalf&) {});
    EXPECT_TRUE(reader.Read(std::string_view(text_).substr(0, size)));
    EXPECT_FALSE(reader.End()) << size;
  }
}

TEST_F(LiveStreamTest, WhatIsMalformedIsRefused) {
  const auto reads = [&](const std::string& what, const std::string& by) {
    std::string text = text_;
    text.replace(text.find(what), what.size(), by);
    LiveReader reader([](const LiveHalf&) {});
    return reader.Read(text) && reader.End().has_value();
  };
  EXPECT_TRUE(reads("812", "813"));
  EXPECT_FALSE(reads("live 1", "live 2"));
  EXPECT_FALSE(reads("{\"owners\"", "{\"owner\""));
  EXPECT_FALSE(reads(" 443 ", " 65536 "));
  EXPECT_FALSE(reads(" 443 ", " 443  "));
  EXPECT_FALSE(reads("812 1 0", "812 2 0")) << "an owner that is not there";
  EXPECT_FALSE(reads("812 1 0", "812 1 1")) << "a rule that is not there";
  EXPECT_FALSE(reads("sample 2.5", "sample -2.5"));
  EXPECT_FALSE(reads("sample 2.5", "sample nan"));
  EXPECT_FALSE(reads("sample 60.000 elsewhere\n", "sample 60.000 here\n"));
  EXPECT_FALSE(reads("end 2", "end 3"));
  EXPECT_FALSE(reads("end 2\n", "end 2\nend 2\n"));
}

TEST_F(LiveStreamTest, ALineWithoutEndIsNotKept) {
  LiveReader reader([](const LiveHalf&) {});
  const std::string piece(1 << 20, 'x');
  bool reads = true;
  for (std::size_t size = 0; size <= LiveReader::kLongestLine; size += piece.size()) {
    reads = reader.Read(piece);
  }
  EXPECT_FALSE(reads);
  EXPECT_FALSE(reader.End());
}

}  // namespace
}  // namespace finwait::pairs
