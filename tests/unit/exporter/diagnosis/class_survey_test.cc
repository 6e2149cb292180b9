#include "exporter/diagnosis/class_survey.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "collectors/firewall/eval/set_lookup.h"
#include "collectors/firewall/facts/resolver.h"
#include "tests/recording/case.h"
#include "tests/recording/class_points.h"
#include "tests/recording/rules_record.h"
#include "tests/unit/exporter/diagnosis/rulesets.h"

// All connections at once, held against the engine for one connection, for every recorded ruleset.
namespace finwait::diagnosis {
namespace {

using recording::Case;
using recording::PointTally;

// The long form has more: FINWAIT_CLASS_POINTS=200.
std::size_t PointsOfEach() {
  const char* text = std::getenv("FINWAIT_CLASS_POINTS");
  return text != nullptr ? static_cast<std::size_t>(std::strtoul(text, nullptr, 10)) : 16;
}

// What a recording holds, and of each set that it holds wholly, which elements are there: for those that packets fill
// or that expire the kernel would be asked.
class RecordedFacts : public firewall::facts::Resolver {
 public:
  RecordedFacts(firewall::facts::Resolver& recorded, const firewall::Ruleset& rules)
      : recorded_(recorded), rules_(rules) {}

  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override {
    firewall::facts::Needs others;
    for (const firewall::facts::Need& need : needs) {
      const auto* key = std::get_if<firewall::facts::ElementKey>(&need);
      const firewall::Set* set = key != nullptr ? SetOf(key->set) : nullptr;
      if (set == nullptr || set->contents != firewall::Contents::kComplete) {
        others.insert(need);
      } else if (const firewall::SetElement* element = firewall::eval::FindElement(*set, key->key)) {
        store.Put(need, firewall::facts::Fact::Present(std::make_shared<const firewall::SetElement>(*element)));
      } else {
        store.Put(need, firewall::facts::Fact::Absent());
      }
    }
    recorded_.Resolve(others, store);
    for (const firewall::facts::Need& need : others) {
      if (std::holds_alternative<firewall::facts::NamespaceKey>(need)) {
        // The rules were recorded without the host's routes.
        const firewall::facts::Fact* told = store.Find(need);
        const auto* recorded = told != nullptr ? told->As<firewall::facts::NamespaceFacts>() : nullptr;
        firewall::facts::NamespaceFacts settings = recorded != nullptr ? *recorded : firewall::facts::NamespaceFacts();
        settings.routes_everything = true;
        store.Put(need, firewall::facts::Fact::Present(settings));
      }
    }
  }
  void TakeInChanges(firewall::facts::FactStore& store) override { recorded_.TakeInChanges(store); }

 private:
  const firewall::Set* SetOf(const firewall::facts::SetKey& key) const {
    const firewall::Table* table = FindTable(rules_, firewall::Backend::kNft, key.family, key.table);
    return table != nullptr ? FindSet(*table, key.set) : nullptr;
  }

  firewall::facts::Resolver& recorded_;
  const firewall::Ruleset& rules_;
};

class ClassSurveyTest : public testing::Test {
 protected:
  void CheckAll(const std::string& group) {
    for (const Case& one : recording::CasesOf(group)) {
      auto source =
          recording::RuleSource::Replayed(recording::KernelRecording::Parse(one.Require(recording::kKernelFile)));
      CloseEvaluator evaluator(source.Read(), {.tcp_loose = true}, nullptr);
      RecordedFacts facts(source.Facts(), evaluator.Packets().GetRuleset());
      for (const IpFamily family : kIpFamilies) {
        SCOPED_TRACE(one.Folder().string() + " " + std::string(Name(family)));
        const ConnectionSpace space = recording::MadeUpSpace(family);
        const FamilySurvey survey = SurveyClasses(evaluator, &facts, space, family, {}, nullptr);
        const PointTally tally = recording::CheckPoints(survey, space, evaluator, &facts, 20261128, PointsOfEach());
        for (const std::string& wrong : tally.wrong) {
          ADD_FAILURE() << wrong;
        }
        points_ += tally.points;
        imprecise_ += tally.imprecise;
        classes_ += survey.classes.size();
        if (std::getenv("FINWAIT_CLASS_VERBOSE") != nullptr) {
          std::cout << one.Name() << " " << Name(family) << ": " << survey.classes.size() << " classes, "
                    << tally.imprecise << " imprecise\n";
        }
      }
    }
    // Classes that hang on a mask of the mark are unknown, and connections of them need not be.
    EXPECT_LE(imprecise_ * 10, points_);
    RecordProperty("points", static_cast<int>(points_));
    RecordProperty("classes", static_cast<int>(classes_));
    RecordProperty("imprecise", static_cast<int>(imprecise_));
    std::cout << points_ << " points, " << imprecise_ << " imprecise, " << classes_ << " classes\n";
  }

  std::size_t points_ = 0;
  std::size_t imprecise_ = 0;
  std::size_t classes_ = 0;
};

TEST_F(ClassSurveyTest, ClassesOfRulesetsHoldWhatEachConnectionOfThemDoes) { CheckAll("traversal"); }

TEST_F(ClassSurveyTest, ClassesOfRealRulesetsHoldWhatEachConnectionOfThemDoes) { CheckAll("real"); }

// Which hooks packets pass hangs on whether the way out is a bridge, and no rule need ask for the device.
TEST(ClassSurveySpaceTest, ConnectionsOverABridgeAreNoClassWithThoseOverAnotherDevice) {
  using firewall::packet::Dimension;
  using firewall::packet::IntervalSet;
  firewall::Ruleset rules = *DropsFlagAt(firewall::Hook::kEgress, kFlagFin);
  firewall::Table& table = rules.tables.front();
  table.family = firewall::TableFamily::kNetdev;
  auto chain = std::make_shared<firewall::Chain>(*table.chains.at("chain"));
  chain->base->devices = {{"vp"}};  // a port of either bridge
  table.chains["chain"] = chain;
  CloseEvaluator evaluator(std::make_shared<const firewall::Ruleset>(std::move(rules)), {.tcp_loose = true}, nullptr);
  firewall::packet::Routing routing;
  const auto over = [&](const char* name, std::uint32_t index, const char* kind, IntervalSet::Interval destinations) {
    firewall::facts::Route route;
    route.egress = {name, index, 1, 0, kind};
    routing.ranges.push_back({destinations, route});
  };
  constexpr IntervalSet::Interval kBridges = {0xac110000, 0xac12ffff};
  over("eth0", 2, "veth", {1, kBridges.first - 1});
  over("docker0", 3, "bridge", {kBridges.first, 0xac11ffff});
  over("br1", 4, "bridge", {0xac120000, kBridges.last});
  constexpr firewall::packet::Wide kOwn = 0xc0000201;
  over("eth1", 5, "", {kBridges.last + 1, kOwn - 1});
  over("lo", 1, "", {kOwn, kOwn});
  routing.ranges.back().route->local = true;
  over("eth1", 5, "", {kOwn + 1, 0xdfffffff});
  const ConnectionSpace space = SpaceOf(routing, IpFamily::kIpv4);
  const FamilySurvey survey = SurveyClasses(evaluator, nullptr, space, IpFamily::kIpv4, {}, nullptr);
  bool bridged = false;
  for (const SurveyedClass& each : survey.classes) {
    const IntervalSet& peers = each.connections.Of(Dimension::kPeerAddress);
    const bool over_bridge = !peers.Intersection(IntervalSet::Between(kBridges.first, kBridges.last)).Empty();
    bridged = bridged || over_bridge;
    if (each.path == firewall::eval::PathKind::kLocal) {
      EXPECT_EQ(each.outcome.fate == Fate::kClean, !over_bridge) << Name(each.outcome.fate) << each.outcome.reason;
    }
  }
  EXPECT_TRUE(bridged);
}

}  // namespace
}  // namespace finwait::diagnosis
