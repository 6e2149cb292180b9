#include "exporter/views/metrics/counter_origin.h"

#include <gtest/gtest.h>

namespace finwait::views::metrics {
namespace {

TEST(CounterOriginTest, WhoCountsIsToldByTheName) {
  EXPECT_EQ(OriginOf("finwait_conntrack_invalid_total"), CounterOrigin::kKernel);
  EXPECT_EQ(OriginOf("finwait_conntrack_chain_too_long_total"), CounterOrigin::kKernel);
  EXPECT_EQ(OriginOf("finwait_netstat_tcp_abort_failed_total"), CounterOrigin::kKernel);
  EXPECT_EQ(OriginOf("finwait_softnet_dropped_total"), CounterOrigin::kKernel);
  EXPECT_EQ(OriginOf("finwait_firewall_policy_drop_packets_total"), CounterOrigin::kRules);
  EXPECT_EQ(OriginOf("finwait_tcp_sockets_stuck_total"), CounterOrigin::kObserved);
  EXPECT_EQ(OriginOf("finwait_conntrack_expired_total"), CounterOrigin::kObserved);
  EXPECT_EQ(OriginOf("finwait_conntrack_events_lost_total"), CounterOrigin::kObserved);
  EXPECT_EQ(OriginOf("finwait_collector_failures_total"), CounterOrigin::kExporter);
  EXPECT_EQ(OriginOf("finwait_exporter_refused_system_calls_total"), CounterOrigin::kExporter);
  EXPECT_EQ(OriginOf("process_cpu_seconds_total"), CounterOrigin::kExporter);
}

TEST(CounterOriginTest, OnlyAStartThatIsKnownIsSaid) {
  const CounterStarts starts{1000, 2000};
  EXPECT_EQ(StartOf("finwait_conntrack_invalid_total", starts), 1000);
  EXPECT_EQ(StartOf("finwait_tcp_sockets_stuck_total", starts), 2000);
  EXPECT_EQ(StartOf("finwait_firewall_policy_drop_packets_total", starts), std::nullopt);
  EXPECT_EQ(StartOf("process_cpu_seconds_total", starts), std::nullopt);
  EXPECT_EQ(StartOf("finwait_conntrack_invalid_total", {std::nullopt, 2000}), std::nullopt);
}

}  // namespace
}  // namespace finwait::views::metrics
