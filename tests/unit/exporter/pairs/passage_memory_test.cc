#include "exporter/pairs/passage_memory.h"

#include <gtest/gtest.h>

#include "exporter/diagnosis/diagnostician.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::pairs {
namespace {

const Key kPassageKey("a key of twenty bytes");

kernel::TranslatedFlow FlowOf(std::uint16_t opener, std::uint16_t seen) {
  const IpAddress inside = *IpAddress::Parse("192.0.2.1");
  const IpAddress outside = *IpAddress::Parse("198.51.100.1");
  const Endpoint server{*IpAddress::Parse("203.0.113.1"), 443};
  return {{inside, opener}, server, {outside, seen}, server};
}

class PassageMemoryTest : public testing::Test {
 protected:
  PassageMemoryTest() : builder_(diagnosis::DropsAt({})) {}

  std::size_t After(std::vector<kernel::TranslatedFlow> flows) {
    sources::ConntrackTableSample table;
    table.translated = std::move(flows);
    builder_.Set(table);
    diagnosis::Diagnosis diagnosis;
    diagnosis.snapshot = builder_.Get();
    memory_.Take(diagnosis);
    return memory_.Known().size();
  }

  diagnosis::SnapshotBuilder builder_;
  PassageMemory memory_{kPassageKey};
  Digester digester_{kPassageKey};
};

TEST_F(PassageMemoryTest, KnowsBothSidesOfANatAlsoOnceTheEntryIsGone) {
  const kernel::TranslatedFlow flow = FlowOf(40000, 50000);
  EXPECT_EQ(After({flow}), 1U);
  EXPECT_EQ(After({}), 1U);
  const Passage passage = memory_.Known()[0];
  EXPECT_EQ(passage.opener_side,
            (EndDigests{digester_.Of(flow.opener, flow.dialled), digester_.Of(flow.dialled, flow.opener)}));
  EXPECT_EQ(passage.answerer_side,
            (EndDigests{digester_.Of(flow.seen, flow.answerer), digester_.Of(flow.answerer, flow.seen)}));
}

TEST_F(PassageMemoryTest, EndsThatAreAnothersByNowAreForgotten) {
  EXPECT_EQ(After({FlowOf(40000, 50000), FlowOf(40001, 50001)}), 2U);
  EXPECT_EQ(After({FlowOf(40002, 50000)}), 2U) << "the NAT gives its port to another connection";
  EXPECT_EQ(After({FlowOf(40001, 50002)}), 2U) << "the opener uses its port again";
  EXPECT_EQ(After({FlowOf(40002, 50000), FlowOf(40001, 50002)}), 2U);
}

TEST_F(PassageMemoryTest, TheYoungestStay) {
  std::vector<kernel::TranslatedFlow> many;
  for (std::uint32_t i = 0; i < PassageMemory::kMost; ++i) {
    many.push_back(FlowOf(static_cast<std::uint16_t>(i + 1), static_cast<std::uint16_t>(i + 1)));
  }
  EXPECT_EQ(After(many), PassageMemory::kMost);
  many.erase(many.begin());
  EXPECT_EQ(After(many), PassageMemory::kMost);
  const kernel::TranslatedFlow young = FlowOf(65000, 65000);
  EXPECT_EQ(After({young}), PassageMemory::kMost);
  const Digest oldest = digester_.Of(FlowOf(1, 1).opener, FlowOf(1, 1).dialled);
  const Digest newest = digester_.Of(young.opener, young.dialled);
  bool has_newest = false;
  for (const Passage& passage : memory_.Known()) {
    EXPECT_NE(passage.opener_side.here, oldest);
    has_newest |= passage.opener_side.here == newest;
  }
  EXPECT_TRUE(has_newest);
}

}  // namespace
}  // namespace finwait::pairs
