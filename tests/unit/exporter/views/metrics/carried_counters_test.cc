#include "exporter/views/metrics/carried_counters.h"

#include <gtest/gtest.h>

namespace finwait::views::metrics {
namespace {

prometheus::MetricFamily Counter(const std::string& name, double value) {
  prometheus::MetricFamily family{name, "H.", prometheus::MetricType::Counter, {}};
  prometheus::ClientMetric& metric = family.metric.emplace_back();
  metric.label = {{"a", "b"}, {"c", "d"}};
  metric.counter.value = value;
  return family;
}

TEST(CarriedCountersTest, AnObservedCounterGoesOnWhereItWas) {
  std::vector<prometheus::MetricFamily> families = {Counter("finwait_tcp_sockets_stuck_total", 2)};
  const CounterValues values = ObservedCounters(families);
  EXPECT_EQ(values, (CounterValues{{"finwait_tcp_sockets_stuck_total{a=\"b\",c=\"d\"}", 2}}));
  CarryOn(families, values);
  EXPECT_EQ(families[0].metric[0].counter.value, 4);
  CarryOn(families, {{"finwait_tcp_sockets_stuck_total{a=\"b\"}", 100}});
  EXPECT_EQ(families[0].metric[0].counter.value, 4) << "another series";
}

TEST(CarriedCountersTest, WhatOthersCountIsLeftToThem) {
  const std::vector<prometheus::MetricFamily> before = {
      Counter("finwait_netstat_tcp_timeouts_total", 2), Counter("finwait_firewall_policy_drop_packets_total", 2),
      Counter("finwait_collector_failures_total", 2), Counter("process_cpu_seconds_total", 2)};
  EXPECT_TRUE(ObservedCounters(before).empty());
}

}  // namespace
}  // namespace finwait::views::metrics
