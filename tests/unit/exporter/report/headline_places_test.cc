#include <gtest/gtest.h>

#include "exporter/report/headline.h"

namespace finwait::report {
namespace {

AffectedSite LossAtPlace(std::uint64_t handle, bool with_entry) {
  AffectedSite loss;
  loss.site.rule = {firewall::Backend::kNft,
                    firewall::Dialect::kIptables,
                    firewall::TableFamily::kIpv4,
                    "filter",
                    "OUTPUT",
                    handle,
                    {}};
  loss.site.hook = firewall::Hook::kOutput;
  loss.at_risk = 1;
  loss.with_entry = with_entry;
  return loss;
}

std::string CauseAt(std::vector<AffectedSite> losses) {
  diagnosis::Diagnosis diagnosis;
  diagnosis.risk.stage = diagnosis::Stage::kExposed;
  Situation situation;
  situation.losses = std::move(losses);
  situation.at_risk = situation.losses.size();
  return CauseOf(diagnosis, situation);
}

TEST(HeadlinePlacesTest, ARuleThatLosesPacketsInTwoWaysIsOnePlace) {
  const std::string one = CauseAt({LossAtPlace(7, false), LossAtPlace(7, true)});
  EXPECT_EQ(one.find("other place"), std::string::npos) << one;
  const std::string two = CauseAt({LossAtPlace(7, false), LossAtPlace(7, true), LossAtPlace(8, false)});
  EXPECT_NE(two.find("(and 1 other place)"), std::string::npos) << two;
}

}  // namespace
}  // namespace finwait::report
