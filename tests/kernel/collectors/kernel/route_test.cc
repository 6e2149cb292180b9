// Routes asked as a socket would, against the kernel's own routing.
#include "collectors/kernel/route.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "collectors/kernel/routing_monitor.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"
#include "tests/lab/namespace.h"
#include "tests/soon.h"

namespace finwait::kernel {
namespace {

// A host with two ways out: veth0 (192.0.2.0/24) and veth1 (198.51.100.0/24).
class RouteTest : public testing::Test {
 protected:
  RouteTest() {
    host_.Shell(
        "ip link add veth0 type veth peer name far0; ip link add veth1 type veth peer name far1;"
        "ip addr add 192.0.2.1/24 dev veth0; ip addr add 198.51.100.1/24 dev veth1;"
        "for d in veth0 far0 veth1 far1; do ip link set $d up; done;"
        "ip route add 203.0.113.0/24 via 192.0.2.2; ip route add 203.0.113.0/24 via 198.51.100.2 metric 50");
  }
  Result<Route> Find(const RouteQuery& query) const {
    Result<Route> found = Fail(FailureReason::kError, "not asked");
    host_.Run([&] { found = FindRoute(lab::HostHere(), query, Soon()); });
    return found;
  }
  std::string DeviceOf(const RouteQuery& query) const {
    const auto route = Find(query);
    return route ? route->interface_name : route.error().message;
  }
  static RouteQuery To(const std::string& address) {
    RouteQuery query;
    query.destination = *IpAddress::Parse(address);
    return query;
  }

  lab::Namespace host_;
};

TEST_F(RouteTest, FollowsTheBoundDevice) {
  RouteQuery query = To("203.0.113.9");
  EXPECT_EQ(DeviceOf(query), "veth0");
  const auto other = Find(To("198.51.100.2"));
  ASSERT_TRUE(other.has_value());
  query.bound_device = other->interface_index;
  EXPECT_EQ(DeviceOf(query), "veth1");
}

TEST_F(RouteTest, FollowsMarkUserAndPortsWhereRulesAskForThem) {
  host_.Shell("ip route add 203.0.113.0/24 via 198.51.100.2 table 100");
  const auto with_rule = [&](const std::string& rule, const RouteQuery& query) {
    host_.Shell("ip rule add " + rule + " lookup 100");
    const std::string device = DeviceOf(query);
    host_.Shell("ip rule del " + rule + " lookup 100");
    return device;
  };
  RouteQuery query = To("203.0.113.9");
  query.mark = 7;
  EXPECT_EQ(DeviceOf(query), "veth0");
  EXPECT_EQ(with_rule("fwmark 7", query), "veth1");
  query.mark = 8;
  EXPECT_EQ(with_rule("fwmark 7", query), "veth0");
  query.user = 4242;
  EXPECT_EQ(with_rule("uidrange 4242-4242", query), "veth1");
  query.user = 4243;
  EXPECT_EQ(with_rule("uidrange 4242-4242", query), "veth0");
  query.source_port = 40000;
  query.destination_port = 443;
  EXPECT_EQ(with_rule("ipproto tcp dport 443", query), "veth1");
  EXPECT_EQ(with_rule("ipproto tcp sport 40000", query), "veth1");
  query.destination_port = 444;
  EXPECT_EQ(with_rule("ipproto tcp dport 443", query), "veth0");
}

TEST_F(RouteTest, ManyAreAskedTogetherAndEachGetsItsOwnAnswer) {
  host_.Shell("ip route add prohibit 203.0.113.128/25; ip route add unreachable 203.0.113.64/26");
  std::vector<RouteQuery> queries;
  for (int i = 0; i < 250; ++i) {
    queries.push_back(To("203.0.113." + std::to_string(i)));
  }
  std::vector<Result<Route>> found;
  host_.Run([&] { found = FindRoutes(lab::HostHere(), queries, Soon()); });
  ASSERT_EQ(found.size(), queries.size());
  for (int i = 0; i < 250; ++i) {
    const auto& route = found[static_cast<std::size_t>(i)];
    EXPECT_EQ(route.has_value(), i < 64) << i;
    if (!route) {
      EXPECT_TRUE(IsNoRoute(route.error())) << route.error().message;
    }
  }
}

TEST_F(RouteTest, OverSeveralUplinksThePortsChooseOne) {
  host_.Sysctl("net.ipv4.fib_multipath_hash_policy", "1");
  host_.Shell(
      "ip addr add 203.0.113.5/32 dev lo; ip route add 203.0.113.77/32 nexthop via 192.0.2.2 nexthop via 198.51.100.2");
  std::set<std::string> devices;
  for (std::uint16_t port = 40000; port < 40064; ++port) {
    RouteQuery query = To("203.0.113.77");
    query.source = *IpAddress::Parse("203.0.113.5");
    query.source_port = port;
    query.destination_port = 80;
    devices.insert(DeviceOf(query));
  }
  EXPECT_EQ(devices, (std::set<std::string>{"veth0", "veth1"}));
}

TEST_F(RouteTest, AllNextHopsOfARouteAreTold) {
  host_.Shell(
      "ip addr add 2001:db8::1/64 dev veth0 nodad; ip addr add 2001:db8:1::1/64 dev veth1 nodad;"
      "ip route add 203.0.113.77/32 nexthop via 192.0.2.2 weight 250 nexthop via 198.51.100.2;"
      "ip route add 203.0.113.78/32 nexthop via 192.0.2.2 nexthop via 192.0.2.3;"
      "ip nexthop add id 1 via 192.0.2.2 dev veth0; ip nexthop add id 2 via 198.51.100.2 dev veth1;"
      "ip nexthop add id 3 group 1/2; ip route add 203.0.113.79/32 nhid 3;"
      "ip route add 2001:db8:9::/64 nexthop via 2001:db8::2 nexthop via 2001:db8:1::2");
  const auto devices = [&](const std::string& address) {
    std::vector<RouteQuery> queries = {To(address)};
    std::size_t count = 0;
    host_.Run([&] {
      const auto found = FindNextHopDevices(lab::HostHere(), queries, Soon()).front();
      count = found ? found->size() : 0;
    });
    return count;
  };
  EXPECT_EQ(devices("203.0.113.9"), 1U);
  EXPECT_EQ(devices("203.0.113.77"), 2U);
  EXPECT_EQ(devices("203.0.113.78"), 1U) << "both over one device";
  EXPECT_EQ(devices("203.0.113.79"), 2U);
  EXPECT_EQ(devices("2001:db8:9::1"), 2U);
  EXPECT_EQ(devices("2001:db8::2"), 1U);
  EXPECT_EQ(devices("192.0.2.1"), 1U) << "this host itself";
  EXPECT_EQ(devices("100.64.0.1"), 0U) << "no route";
}

TEST_F(RouteTest, TheMonitorHearsOfRoutesRulesAddressesAndDevices) {
  host_.Run([&] {
    RoutingMonitor monitor(lab::HostHere());
    constexpr RoutingMonitor::Changes kAnything{true, true};
    constexpr RoutingMonitor::Changes kNothing;
    EXPECT_EQ(monitor.TakeChanges(), kAnything) << "before the first call anything may have";
    EXPECT_EQ(monitor.TakeChanges(), kNothing);
    for (const char* change :
         {"ip route add 203.0.113.200/32 via 192.0.2.2", "ip rule add fwmark 9 lookup 100",
          "ip addr add 192.0.2.77/24 dev veth0", "ip link set veth1 down", "ip -6 rule add fwmark 9 lookup 100"}) {
      host_.Shell(change);
      EXPECT_TRUE(monitor.TakeChanges().routing) << change;
    }
    // The kernel may tell of a carrier that was lost a second later (linkwatch): then another try of tc's is alone.
    RoutingMonitor::Changes told;
    for (int tries = 0; tries < 4 && told != RoutingMonitor::Changes{false, true}; ++tries) {
      EXPECT_TRUE(lab::Eventually([&] { return monitor.TakeChanges() == kNothing; }));
      host_.Shell(tries % 2 == 0 ? "tc qdisc add dev veth0 clsact" : "tc qdisc del dev veth0 clsact");
      told = monitor.TakeChanges();
    }
    EXPECT_EQ(told, (RoutingMonitor::Changes{false, true}));
  });
}

}  // namespace
}  // namespace finwait::kernel
