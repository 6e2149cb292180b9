#include "exporter/report/table_load.h"

#include <gtest/gtest.h>

#include "collectors/sources/conntrack_stats.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::report {
namespace {

TEST(TableLoadTest, IsWhatEndsEachSecondByTheEntriesThatWaitOutTheirEnd) {
  diagnosis::SnapshotBuilder host(nullptr);
  EXPECT_FALSE(TableLoadOf(*host.Get())) << "the limit is not known";
  sources::ConntrackStatsSample stats;
  stats.entries_limit = 1000;
  host.Set(stats);
  sources::ConntrackTableSample table;
  table.flows[0].tcp[static_cast<std::size_t>(kernel::ConntrackTcpState::kTimeWait)] = 200;
  table.flows[1].tcp[static_cast<std::size_t>(kernel::ConntrackTcpState::kTimeWait)] = 40;
  table.flows[0].tcp[static_cast<std::size_t>(kernel::ConntrackTcpState::kClose)] = 120;
  host.Set(table);
  const auto load = TableLoadOf(*host.Get());
  ASSERT_TRUE(load);
  EXPECT_EQ(load->connections_per_second, 3) << "each stays for 120 s here";
  EXPECT_EQ(load->entries, 360U);
  EXPECT_NE(CostOfTimeout(600, *load).find("1800 entries, 0.7 MB or 180 % of the table's limit"), std::string::npos);
}

TEST(TableLoadTest, KeepsNoFewerThanThereAre) {
  EXPECT_NE(CostOfTimeout(60, {0.2, 1000, 61}).find("that timeout would keep 61 entries,"), std::string::npos);
}

TEST(TableLoadTest, IsWhatIsThereWhereNothingEnds) {
  EXPECT_EQ(CostOfTimeout(600, {0, 1000, 80}),
            "What it costs: no connection ends here now, so that any timeout keeps the TCP connections there are: 80 "
            "entries, 0.0 MB or 8.0 % of the table's limit (nf_conntrack_max = 1000).");
}

}  // namespace
}  // namespace finwait::report
