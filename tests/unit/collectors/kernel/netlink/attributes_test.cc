#include "collectors/kernel/netlink/attributes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace finwait::kernel::netlink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Bytes in a block of exactly their size, so that a memory checker sees a byte read past the end.
class Block {
 public:
  explicit Block(const std::vector<int>& bytes)
      : size_(bytes.size()), bytes_(std::make_unique<std::byte[]>(bytes.size())) {
    for (std::size_t i = 0; i < size_; ++i) {
      bytes_[i] = std::byte(bytes[i]);
    }
  }
  Bytes Get() const { return Bytes(bytes_.get(), size_); }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> bytes_;
};

struct Walk {
  std::vector<std::pair<int, std::size_t>> seen;  // type and payload size
  bool sound = false;
};
Walk WalkOver(const std::vector<int>& bytes) {
  const Block block(bytes);
  Walk walk;
  walk.sound = ForEachAttribute(block.Get(), [&](const Attribute& attribute) {
    walk.seen.emplace_back(attribute.Type(), attribute.Payload().size());
  });
  return walk;
}

using Seen = std::pair<int, std::size_t>;

TEST(Attributes, AreVisitedInOrderWithTheirPayloadAndWithoutTheirPadding) {
  const Walk walk = WalkOver({5, 0, 1, 0, 0xaa, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4, 4, 0, 3, 0});
  EXPECT_TRUE(walk.sound);
  EXPECT_THAT(walk.seen, ElementsAre(Seen(1, 1), Seen(2, 4), Seen(3, 0)));
}

TEST(Attributes, TheLastMayLackItsPadding) {
  const Walk walk = WalkOver({4, 0, 1, 0, 5, 0, 2, 0, 0xaa});
  EXPECT_TRUE(walk.sound);
  EXPECT_THAT(walk.seen, ElementsAre(Seen(1, 0), Seen(2, 1)));
}

TEST(Attributes, NoBytesAreNoAttributes) {
  EXPECT_TRUE(WalkOver({}).sound);
  EXPECT_TRUE(ForEachAttribute(Bytes(), [](const Attribute&) { FAIL(); }));
}

TEST(Attributes, ALengthShorterThanItsOwnHeaderEndsTheWalk) {
  for (const int length : {0, 1, 3}) {
    const Walk walk = WalkOver({4, 0, 1, 0, length, 0, 2, 0, 4, 0, 3, 0});
    EXPECT_FALSE(walk.sound) << length;
    EXPECT_THAT(walk.seen, ElementsAre(Seen(1, 0))) << length;
  }
}

TEST(Attributes, ALengthPastTheEndEndsTheWalk) {
  EXPECT_FALSE(WalkOver({9, 0, 1, 0, 1, 2, 3, 4}).sound);
  EXPECT_FALSE(WalkOver({0xff, 0xff, 1, 0, 1, 2, 3, 4}).sound);
  EXPECT_THAT(WalkOver({9, 0, 1, 0, 1, 2, 3, 4}).seen, IsEmpty());
}

TEST(Attributes, BytesTooFewForAHeaderAreNotSound) {
  EXPECT_FALSE(WalkOver({4}).sound);
  EXPECT_FALSE(WalkOver({4, 0, 1}).sound);
  const Walk walk = WalkOver({4, 0, 1, 0, 4, 0});
  EXPECT_FALSE(walk.sound);
  EXPECT_THAT(walk.seen, ElementsAre(Seen(1, 0)));
}

TEST(Attributes, FlagsAreNotPartOfTheType) {
  EXPECT_THAT(WalkOver({4, 0, 1, 0x80, 4, 0, 2, 0x40, 4, 0, 0xff, 0xff}).seen,
              ElementsAre(Seen(1, 0), Seen(2, 0), Seen(0x3fff, 0)));
}

TEST(Attributes, NestedOnesAreWalkedWithinTheirParent) {
  const Block block({12, 0, 1, 0x80, 8, 0, 2, 0, 1, 2, 3, 4, 4, 0, 9, 0});
  std::vector<int> inner;
  ForEachAttribute(block.Get(), [&](const Attribute& attribute) {
    EXPECT_TRUE(ForEachAttribute(attribute, [&](const Attribute& nested) { inner.push_back(nested.Type()); }));
  });
  EXPECT_THAT(inner, ElementsAre(2));
}

TEST(AttributeReader, ReadsTypedValuesInOrder) {
  const Block block({5, 0, 1, 0, 0xaa, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4});
  AttributeReader reader(block.Get());
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.Type(), 1);
  EXPECT_EQ(reader.U8(), 0xaa);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.BigEndian32(), 0x01020304U);
  EXPECT_FALSE(reader.Next());
  EXPECT_TRUE(reader.Sound());
}

TEST(AttributeReader, AValueThatIsTooShortIsRememberedWhateverFollows) {
  const Block block({5, 0, 1, 0, 0xaa, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4});
  AttributeReader reader(block.Get());
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.U32(), 0U);
  EXPECT_FALSE(reader.Sound());
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.BigEndian16(), 0x0102) << "longer than asked for is sound";
  EXPECT_FALSE(reader.Sound());
}

TEST(AttributeReader, ANestThatIsMalformedMakesItsParentSo) {
  for (const int inner : {3, 9}) {
    const Block block({12, 0, 1, 0, inner, 0, 2, 0, 1, 2, 3, 4});
    AttributeReader reader(block.Get());
    ASSERT_TRUE(reader.Next());
    EXPECT_TRUE(reader.Sound());
    reader.Nested([](AttributeReader&) { ADD_FAILURE(); });
    EXPECT_FALSE(reader.Sound()) << inner;
  }
}

TEST(AttributeReader, AValueTooShortInANestIsRememberedByItsParent) {
  const Block block({9, 0, 1, 0, 5, 0, 2, 0, 1});
  AttributeReader reader(block.Get());
  ASSERT_TRUE(reader.Next());
  reader.Nested([](AttributeReader& nest) { EXPECT_EQ(nest.U16(), 0); });
  EXPECT_FALSE(reader.Sound());
}

TEST(Attribute, ReadsNumbersInTheHostsAndInTheNetworksOrder) {
  const Block block({1, 2, 3, 4, 5, 6, 7, 8});
  const Attribute attribute(1, block.Get());
  EXPECT_EQ(attribute.BigEndian16(), 0x0102);
  EXPECT_EQ(attribute.BigEndian32(), 0x01020304u);
  EXPECT_EQ(attribute.BigEndian64(), 0x0102030405060708u);
  EXPECT_EQ(attribute.U8(), 0x01);
  EXPECT_EQ(attribute.U16(), 0x0201);
  EXPECT_EQ(attribute.U32(), 0x04030201u);
  EXPECT_EQ(attribute.U64(), 0x0807060504030201u);
}

TEST(Attribute, ReadsNothingFromAPayloadThatIsTooShort) {
  for (std::size_t size = 0; size < 8; ++size) {
    const Block block(std::vector<int>(size, 0xff));
    const Attribute attribute(1, block.Get());
    EXPECT_EQ(attribute.U8().has_value(), size >= 1);
    EXPECT_EQ(attribute.U16().has_value(), size >= 2);
    EXPECT_EQ(attribute.BigEndian16().has_value(), size >= 2);
    EXPECT_EQ(attribute.U32().has_value(), size >= 4);
    EXPECT_EQ(attribute.BigEndian32().has_value(), size >= 4);
    EXPECT_FALSE(attribute.U64());
    EXPECT_FALSE(attribute.BigEndian64());
  }
}

TEST(Attribute, TextEndsAtItsNulOrAtTheEnd) {
  const Block closed({'a', 'b', 0, 'c'});
  EXPECT_EQ(Attribute(1, closed.Get()).Text(), "ab");
  const Block open({'a', 'b', 'c'});
  EXPECT_EQ(Attribute(1, open.Get()).Text(), "abc");
  const Block empty({0});
  EXPECT_EQ(Attribute(1, empty.Get()).Text(), "");
  EXPECT_EQ(Attribute(1, Bytes()).Text(), "");
}

}  // namespace
}  // namespace finwait::kernel::netlink
