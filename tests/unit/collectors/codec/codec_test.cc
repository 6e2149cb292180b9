#include "collectors/codec/codec.h"

#include <gtest/gtest.h>

#include <random>

#include "collectors/firewall/model/ruleset.h"

namespace finwait::codec {
namespace {

enum class Colour { kRed = 1, kBlue = 7 };
struct Empty {};
struct Leaf {
  static constexpr bool kCrossesOnce = true;
  std::uint16_t port = 0;
  std::optional<std::string> name;
  bool operator==(const Leaf&) const = default;
};
struct Tree {
  bool flag = false;
  Colour colour = Colour::kRed;
  std::int64_t number = 0;
  double share = 0;
  std::chrono::milliseconds time{0};
  std::vector<Leaf> leaves;
  std::map<std::string, std::vector<std::byte>, std::less<>> bytes;
  std::set<int> numbers;
  std::array<std::optional<Leaf>, 2> pair;
  PerFamily<std::string> by_family;
  std::variant<std::monostate, Leaf, std::string> either;
  IpAddress address;
  bool operator==(const Tree&) const = default;
};

Tree Full() {
  Tree tree;
  tree.flag = true;
  tree.colour = Colour::kBlue;
  tree.number = -5;
  tree.share = 0.25;
  tree.time = std::chrono::milliseconds(-7);
  tree.leaves = {{80, "http"}, {443, std::nullopt}};
  tree.bytes = {{"a", {std::byte{1}, std::byte{2}}}, {"b", {}}};
  tree.numbers = {3, 1};
  tree.pair[1] = Leaf{22, "ssh"};
  tree.by_family[IpFamily::kIpv6] = "six";
  tree.either = std::string("text");
  tree.address = *IpAddress::Parse("2001:db8::1");
  return tree;
}

template <typename T>
std::vector<std::byte> BytesOf(const T& value) {
  Encoder encoder;
  encoder.Put(value);
  return encoder.Take();
}

template <typename T>
bool Decodes(const std::vector<std::byte>& bytes) {
  T value{};
  Decoder decoder(bytes);
  return decoder.Take(value) && decoder.IsAtEnd();
}

TEST(CodecTest, ValuesComeBackAsTheyWere) {
  for (const Tree& tree : {Tree(), Full()}) {
    const auto bytes = BytesOf(tree);
    Tree back;
    Decoder decoder(bytes);
    ASSERT_TRUE(decoder.Take(back));
    EXPECT_TRUE(decoder.IsAtEnd());
    EXPECT_EQ(back, tree);
  }
}

TEST(CodecTest, FieldsAreCounted) {
  EXPECT_EQ(kFieldCount<Empty>, 0U);
  EXPECT_EQ(kFieldCount<Leaf>, 2U);
  EXPECT_EQ(kFieldCount<Tree>, 12U);
}

TEST(CodecTest, OnlyEnumeratorsCount) {
  EXPECT_TRUE(IsEnumerator<Colour>(1));
  EXPECT_TRUE(IsEnumerator<Colour>(7));
  EXPECT_FALSE(IsEnumerator<Colour>(0));
  EXPECT_FALSE(IsEnumerator<Colour>(6));
  EXPECT_FALSE(IsEnumerator<Colour>(64 + 1));
}

TEST(CodecTest, WhatIsCutShortOrTooLongIsRefused) {
  const auto bytes = BytesOf(Full());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Decodes<Tree>({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)})) << size;
  }
  auto longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(Decodes<Tree>(longer));
}

TEST(CodecTest, LiesAreRefused) {
  EXPECT_FALSE(Decodes<bool>(BytesOf(std::uint8_t{2})));
  EXPECT_FALSE(Decodes<Colour>(BytesOf(std::uint8_t{2})));
  EXPECT_FALSE((Decodes<std::variant<int, bool>>(BytesOf(std::uint8_t{2}))));
  EXPECT_FALSE(Decodes<std::vector<int>>(BytesOf(std::uint32_t{0xffffffff})));
  EXPECT_FALSE(Decodes<std::string>(BytesOf(std::uint32_t{1000})));
  EXPECT_FALSE(Decodes<std::set<int>>(BytesOf(std::vector<int>{1, 1})));
  EXPECT_FALSE(Decodes<IpAddress>(BytesOf(std::vector<std::byte>(5))));
}

TEST(CodecTest, AnyBytesAreDecodedOrRefused) {
  std::mt19937 random(1);
  const auto sound = BytesOf(Full());
  for (int i = 0; i < 20000; ++i) {
    auto bytes = sound;
    for (int change = 0; change < 3; ++change) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    Tree tree;
    Decoder decoder(bytes);
    if (decoder.Take(tree) && decoder.IsAtEnd()) {
      Tree again;
      const auto encoded = BytesOf(tree);
      Decoder second(encoded);
      EXPECT_TRUE(second.Take(again));
    }
  }
}

struct Holder {
  std::shared_ptr<const Leaf> first;
  std::shared_ptr<const Leaf> second;
};
struct Nest {
  std::vector<Nest> within;
};
struct Optional {
  static constexpr bool kMayBeMissing = true;
  int number = 0;
};
struct Even {
  int number = 0;
  bool IsValid() const { return number % 2 == 0; }
};
// No aggregate: it says how many fields it has.
struct Base {
  virtual ~Base() = default;
};
struct Sample : Base {
  static constexpr std::size_t kFields = 2;
  int first = 1;
  std::string second;
};

TEST(CodecTest, NoAggregateSaysHowManyFieldsItHas) {
  Sample sample;
  sample.first = 5;
  sample.second = "b";
  const auto bytes = BytesOf(sample);
  Sample back;
  Decoder decoder(bytes);
  ASSERT_TRUE(decoder.Take(back));
  EXPECT_EQ(back.first, 5);
  EXPECT_EQ(back.second, "b");
}

TEST(CodecTest, NullIsRefusedWhereNothingSaysThatItMayBe) {
  EXPECT_FALSE(Decodes<std::shared_ptr<const Leaf>>(BytesOf(std::shared_ptr<const Leaf>())));
  EXPECT_TRUE(Decodes<std::shared_ptr<const Optional>>(BytesOf(std::shared_ptr<const Optional>())));
}

TEST(CodecTest, WhatSaysThatItIsNotValidIsRefused) {
  EXPECT_TRUE(Decodes<Even>(BytesOf(Even{2})));
  EXPECT_FALSE(Decodes<Even>(BytesOf(Even{3})));
}

TEST(CodecTest, WhatLiesTooDeepIsRefused) {
  Nest nest;
  for (unsigned depth = 1; depth < Decoder::kMostDepth; ++depth) {
    nest = Nest{{nest}};
  }
  EXPECT_TRUE(Decodes<Nest>(BytesOf(nest)));
  nest = Nest{{nest}};
  EXPECT_FALSE(Decodes<Nest>(BytesOf(nest)));
  // As many as a message has room for: without the bound, the stack would end first.
  std::vector<std::byte> ones;
  for (int i = 0; i < 1'000'000; ++i) {
    const auto one = BytesOf(std::uint32_t{1});
    ones.insert(ones.end(), one.begin(), one.end());
  }
  EXPECT_FALSE(Decodes<Nest>(ones));
}

TEST(CodecTest, WhatWouldTakeTooMuchMemoryIsRefused) {
  struct Large {
    std::array<std::optional<std::uint64_t>, 1024> numbers = {};
  };
  const std::size_t count = Decoder::kMostMemory / sizeof(Large) + 1;
  auto bytes = BytesOf(static_cast<std::uint32_t>(count));
  bytes.resize(bytes.size() + count * 1024);  // each of them all absent
  std::vector<Large> larges;
  Decoder decoder(bytes);
  EXPECT_FALSE(decoder.Take(larges));
}

TEST(CodecTest, SharedObjectsCrossOnce) {
  SentObjects sent;
  ReceivedObjects received;
  auto leaf = std::make_shared<const Leaf>(Leaf{80, std::string(100, 'x')});
  const auto cross = [&](const Holder& holder) {
    Encoder encoder(&sent);
    encoder.Put(sent.TakeReleased());
    encoder.Put(holder);
    const auto bytes = encoder.Take();
    Decoder decoder(bytes, &received);
    std::vector<SentObjects::Number> released;
    EXPECT_TRUE(decoder.Take(released));
    received.Release(released);
    Holder back;
    EXPECT_TRUE(decoder.Take(back));
    EXPECT_TRUE(decoder.IsAtEnd());
    return std::pair(bytes.size(), back);
  };
  const auto [first_size, first] = cross({leaf, leaf});
  EXPECT_EQ(*first.first, *leaf);
  EXPECT_EQ(first.first, first.second);
  const auto [second_size, second] = cross({leaf, leaf});
  EXPECT_LT(second_size, 20U);
  EXPECT_EQ(second.second, first.first);
  leaf = std::make_shared<const Leaf>();
  cross({leaf, leaf});
  EXPECT_EQ(received.Size(), 1U);
}

TEST(CodecTest, AfterAMessageThatWasNotSentEverythingCrossesAgain) {
  SentObjects sent;
  ReceivedObjects received;
  const auto leaf = std::make_shared<const Leaf>(Leaf{80, "http"});
  Encoder lost(&sent);
  lost.Put(Holder{leaf, leaf});
  sent.ReleaseAll();
  Encoder encoder(&sent);
  encoder.Put(sent.TakeReleased());
  encoder.Put(Holder{leaf, leaf});
  Decoder decoder(encoder.Bytes(), &received);
  std::vector<SentObjects::Number> released;
  ASSERT_TRUE(decoder.Take(released));
  received.Release(released);
  Holder back;
  EXPECT_TRUE(decoder.Take(back));
  EXPECT_EQ(*back.first, *leaf);
}

TEST(CodecTest, AnObjectOfAnotherTypeIsNotGiven) {
  ReceivedObjects received;
  ASSERT_TRUE(received.Keep<Leaf>(5, std::make_shared<const Leaf>(), sizeof(Leaf)));
  EXPECT_EQ(received.Find<Tree>(5), nullptr);
  EXPECT_FALSE(received.Keep<Leaf>(5, std::make_shared<const Leaf>(), sizeof(Leaf)));
  EXPECT_FALSE(received.Keep<Leaf>(6, std::make_shared<const Leaf>(), ReceivedObjects::kMostMemory));
  received.Release({5, 5});
  EXPECT_TRUE(received.Keep<Leaf>(6, std::make_shared<const Leaf>(), ReceivedObjects::kMostMemory));
}

TEST(CodecTest, ARulesetCrosses) {
  firewall::Ruleset ruleset;
  firewall::Table table;
  table.name = "filter";
  firewall::Chain chain;
  chain.name = "INPUT";
  firewall::IpHeaderMatch header;
  header.protocol = 6;
  firewall::Rule rule;
  rule.handle = 7;
  rule.expressions = {firewall::MetaLoad{3, {4}}, firewall::XtMatch{"tcp", 1, {std::byte{1}}}, firewall::Last{},
                      std::make_shared<const firewall::IpHeaderMatch>(header)};
  chain.rules = {rule};
  table.chains["INPUT"] = std::make_shared<const firewall::Chain>(chain);
  ruleset.tables = {table};
  ruleset.unread = {{firewall::Backend::kLegacy, std::nullopt, "nat", Error{FailureReason::kPermission, 1, "no"}}};
  const auto bytes = BytesOf(ruleset);
  firewall::Ruleset back;
  Decoder decoder(bytes);
  ASSERT_TRUE(decoder.Take(back));
  EXPECT_TRUE(decoder.IsAtEnd());
  EXPECT_EQ(BytesOf(back), bytes);
  const firewall::Rule& read = back.tables.at(0).chains.at("INPUT")->rules.at(0);
  EXPECT_EQ(std::get<firewall::XtMatch>(read.expressions.at(1)).name, "tcp");
  EXPECT_EQ(std::get<std::shared_ptr<const firewall::IpHeaderMatch>>(read.expressions.at(3))->protocol, 6);
}

}  // namespace
}  // namespace finwait::codec
