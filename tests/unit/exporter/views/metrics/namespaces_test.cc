#include <gtest/gtest.h>

#include <map>
#include <string>

#include "collectors/sources/network_namespaces.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/views/metrics/families.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::views::metrics {
namespace {

using diagnosis::OwnerCount;
using kernel::namespaces::Owner;
using kernel::namespaces::OwnerKind;

Owner Process(const std::string& name) { return {OwnerKind::kProcess, "", name, ""}; }

// The values of one family by owner_name; a name that stands twice fails the test.
std::map<std::string, double> ByName(const std::vector<OwnerCount>& owners, const std::string& family) {
  diagnosis::SnapshotBuilder host(diagnosis::DropsAt({}));
  host.Set(sources::NetworkNamespacesSample());
  diagnosis::Diagnosis diagnosis;
  diagnosis.snapshot = host.Get();
  diagnosis.stuck.emplace();
  diagnosis.live.emplace();
  diagnosis.owners = owners;
  Families families;
  AppendNamespaces(diagnosis, families);
  std::map<std::string, double> values;
  for (const auto& one : families) {
    for (const auto& metric : one.metric) {
      if (one.name == family) {
        EXPECT_TRUE(values.emplace(metric.label.at(2).value, metric.gauge.value).second) << metric.label.at(2).value;
      }
    }
  }
  return values;
}

TEST(OwnersMetrics, EachNumberNamesItsOwnWorst) {
  std::vector<OwnerCount> owners;
  for (std::size_t i = 0; i < diagnosis::kMostNamedOwners; ++i) {
    owners.push_back({Process("stuck" + std::to_string(i)), 2, 2, 0});
  }
  owners.push_back({Process("less stuck"), 1, 1, 0});
  owners.push_back({Process("at risk"), 0, 0, 40});
  const auto at_risk = ByName(owners, "finwait_owner_at_risk_sockets");
  EXPECT_EQ(at_risk.at("at risk"), 40);
  EXPECT_EQ(at_risk.at(""), 0);
  const auto stuck = ByName(owners, "finwait_owner_stuck_sockets");
  EXPECT_EQ(stuck.size(), diagnosis::kMostNamedOwners + 1) << "and all others";
  EXPECT_EQ(stuck.at(""), 1);
}

TEST(OwnersMetrics, NamesThatLookTheSameAreOneSeries) {
  const auto at_risk =
      ByName({{Process("a\\xff"), 0, 0, 1}, {Process("a\xff"), 0, 0, 2}}, "finwait_owner_at_risk_sockets");
  EXPECT_EQ(at_risk, (std::map<std::string, double>{{"a\\xff", 3}, {"", 0}}));
}

}  // namespace
}  // namespace finwait::views::metrics
