#include "collectors/firewall/model/references.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

namespace finwait::firewall {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> JumpsOf(const Table& table, std::vector<Expression> expressions) {
  Rule rule;
  rule.expressions = std::move(expressions);
  std::vector<std::string> chains;
  ForEachJump(table, rule, [&](const std::string& chain) { chains.push_back(chain); });
  return chains;
}

DynamicSet Named(std::string set) {
  DynamicSet dynamic;
  dynamic.set = std::move(set);
  return dynamic;
}

Table WithVerdictMap() {
  Set map;
  map.name = "m";
  map.verdict_map = true;
  for (const char* chain : {"a", "b"}) {
    SetElement element;
    element.data = Verdict{Verdict::Kind::kGoto, chain};
    map.elements.push_back(element);
  }
  SetElement accepts;
  accepts.data = Verdict{Verdict::Kind::kAccept, ""};
  map.elements.push_back(accepts);
  Table table;
  table.sets["m"] = std::make_shared<const Set>(std::move(map));
  return table;
}

TEST(ReferencesTest, ARuleJumpsByItsVerdictAndByItsVerdictMaps) {
  const Table table = WithVerdictMap();
  const Lookup by_map{"m", {}, {}, true, false};
  EXPECT_THAT(JumpsOf(table, {VerdictStatement{{Verdict::Kind::kJump, "c"}}}), ElementsAre("c"));
  EXPECT_THAT(JumpsOf(table, {Counter{}, by_map}), ElementsAre("a", "b"));
  EXPECT_THAT(JumpsOf(table, {Lookup{"m", {}, {}, false, false}}), IsEmpty());
  EXPECT_THAT(JumpsOf(table, {Lookup{"gone", {}, {}, true, false}}), IsEmpty());
  EXPECT_THAT(JumpsOf(table, {VerdictStatement{{Verdict::Kind::kDrop, ""}}}), IsEmpty());
}

TEST(ReferencesTest, SetsAndObjectsAreNamedWithTheirKind) {
  const auto reference = [](const Expression& expression) {
    std::string text;
    ForEachReference(expression, [&](const Reference& each) {
      text = std::to_string(static_cast<int>(each.kind)) + " " + each.name + " " + std::to_string(each.object_type);
    });
    return text;
  };
  EXPECT_EQ(reference(Lookup{"s", {}, {}, false, false}), "1 s 0");
  EXPECT_EQ(reference(Lookup{"s", {}, {}, true, false}), "2 s 0");
  EXPECT_EQ(reference(Named("d")), "1 d 0");
  EXPECT_EQ(reference(ObjectMapReference{"o", {}}), "1 o 0");
  EXPECT_EQ(reference(ObjectReference{7, "x"}), "3 x 7");
  EXPECT_EQ(reference(Counter{}), "");
}

}  // namespace
}  // namespace finwait::firewall
