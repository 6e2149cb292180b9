#include "exporter/views/incidents.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "exporter/views/page/incidents.h"
#include "tests/unit/exporter/incidents/samples.h"

namespace finwait::views {
namespace {

using incidents::At;
using incidents::RecordOf;
using incidents::SiteAt;

incidents::Timeline TwoIncidents() {
  incidents::Record reset = RecordOf(3, 5000, 5010);
  reset.kind = incidents::Kind::kReset;
  reset.outcome = incidents::Outcome::kCounted;
  reset.cause.reset();
  reset.connections = 7;
  reset.local = reset.peer = Endpoint();
  return incidents::MakeTimeline({RecordOf(1, 0, 100, SiteAt(4, "ct state invalid drop")), RecordOf(2, 10, 110), reset},
                                 {{At(-50), At(200)}, {At(3000), At(6000)}}, true);
}

TEST(IncidentsViewTest, JsonNamesCauseRuleOwnerTimesAndOutcomes) {
  const auto json = nlohmann::json::parse(IncidentsJson(TwoIncidents(), At(6000), At(-1000), Details::kShow));
  EXPECT_EQ(json["stored"], true);
  EXPECT_EQ(json["observed"].size(), 2U);
  ASSERT_EQ(json["incidents"].size(), 3U);
  EXPECT_EQ(json["incidents"][0]["kind"], "reset");
  EXPECT_EQ(json["incidents"][0]["connections"], 7);
  EXPECT_TRUE(json["incidents"][0]["owner"].is_null());
  const auto& stuck = json["incidents"][2];
  EXPECT_EQ(stuck["cause"], "local_drop");
  EXPECT_EQ(stuck["rule"]["handle"], 4);
  EXPECT_EQ(stuck["rule_text"], "ct state invalid drop");
  EXPECT_EQ(stuck["owner"], "no process");
  auto timeline = TwoIncidents();
  timeline.incidents[2].owner = std::make_shared<const std::string>("unit web.service");
  EXPECT_EQ(
      nlohmann::json::parse(IncidentsJson(timeline, At(6000), std::nullopt, Details::kHide))["incidents"][2]["owner"],
      "no process, unit web.service");
  EXPECT_EQ(stuck["first"], "2025-11-28T00:00:00Z");
  EXPECT_EQ(stuck["last"], "2025-11-28T00:01:40Z");
  EXPECT_EQ(stuck["outcomes"]["gave_up"], 1);
  EXPECT_EQ(stuck["examples"][0]["peer"], "[2001:db8::1]:443");
}

TEST(IncidentsViewTest, ANamedResetShowsItsEndsAndItsOwner) {
  incidents::Record reset = RecordOf(1, 0, 0, SiteAt(4, "ct state invalid drop"));
  reset.kind = incidents::Kind::kReset;
  reset.outcome = incidents::Outcome::kCounted;
  reset.orphan = false;
  reset.owner = std::make_shared<const std::string>("unit web.service");
  incidents::Record lost = reset;
  lost.cause = diagnosis::Cause::kLocalError;
  lost.site = nullptr;
  const auto timeline = incidents::MakeTimeline({lost, reset}, {{At(-50), At(200)}}, true);
  const auto json = nlohmann::json::parse(IncidentsJson(timeline, At(100), std::nullopt, Details::kShow));
  const auto& told = json["incidents"][1];
  EXPECT_EQ(told["kind"], "reset");
  EXPECT_EQ(told["cause"], "local_drop");
  EXPECT_EQ(told["owner"], "unit web.service");
  EXPECT_EQ(told["rule"]["handle"], 4);
  EXPECT_EQ(told["examples"][0]["local"], "192.0.2.1:40000");
  EXPECT_TRUE(told["examples"][0]["state"].is_null());
  const std::string text = IncidentsText(timeline, At(100), At(-50));
  EXPECT_NE(text.find("1 reset was dropped by this host's own rules, unit web.service\n"), std::string::npos) << text;
  EXPECT_NE(text.find("192.0.2.1:40000 -> [2001:db8::1]:443  2025-11-28T00:00:00Z\n"), std::string::npos) << text;
  EXPECT_NE(text.find("1 reset was dropped by this host (local_error), unit web.service\n"), std::string::npos) << text;
  const std::string hidden = IncidentsJson(timeline, At(100), std::nullopt, Details::kHide);
  EXPECT_EQ(hidden.find("192.0.2.1"), std::string::npos) << hidden;
}

TEST(IncidentsViewTest, WithoutDetailsThereIsNoAddressAndNoTextOfARule) {
  const auto timeline = TwoIncidents();
  for (const std::string& shown : {IncidentsJson(timeline, At(6000), std::nullopt, Details::kHide),
                                   page::IncidentsSection(timeline, At(6000), Details::kHide)}) {
    EXPECT_EQ(shown.find("192.0.2"), std::string::npos) << shown;
    EXPECT_EQ(shown.find("2001:db8"), std::string::npos) << shown;
    EXPECT_EQ(shown.find("ct state"), std::string::npos) << shown;
  }
}

TEST(IncidentsViewTest, TextTellsWhatHappenedAndWhenNobodyWatched) {
  const std::string text = IncidentsText(TwoIncidents(), At(6000), At(-1000));
  EXPECT_TRUE(text.starts_with("3 incidents in the last ")) << text;
  EXPECT_NE(text.find("Not observed: 2025-11-27T23:43:20Z to 2025-11-27T23:59:10Z, 2025-11-28T00:03:20Z to "
                      "2025-11-28T00:50:00Z. The service did not run then."),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("1 connection got stuck (local_drop), no process"), std::string::npos) << text;
  EXPECT_NE(text.find("7 resets were dropped by this host's own rules"), std::string::npos) << text;
  EXPECT_NE(text.find("192.0.2.1:40000 -> [2001:db8::1]:443  LAST_ACK"), std::string::npos) << text;
  const std::string nothing = IncidentsText(incidents::Timeline(), At(100), At(0));
  EXPECT_TRUE(
      nothing.starts_with("Nothing was lost in the last 100 s, as far as this service watched.\nNot observed: "))
      << nothing;
}

TEST(IncidentsViewTest, ThePageHasItsSectionInEveryStateHiddenWithoutIncidents) {
  EXPECT_NE(page::IncidentsSection({}, At(0), Details::kShow).find(" hidden>"), std::string::npos);
  const std::string section = page::IncidentsSection(TwoIncidents(), At(6000), Details::kShow);
  EXPECT_EQ(section.find(" hidden>"), std::string::npos);
  EXPECT_NE(section.find("local_drop"), std::string::npos);
  EXPECT_NE(section.find("[2001:db8::1]:443"), std::string::npos);
}

}  // namespace
}  // namespace finwait::views
