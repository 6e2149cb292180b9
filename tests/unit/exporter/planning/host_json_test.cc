#include "exporter/planning/host_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "exporter/diagnosis/class_survey.h"

namespace finwait::planning {
namespace {

using firewall::facts::Fact;
using firewall::packet::Dimension;
using firewall::packet::IntervalSet;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

firewall::facts::Interface Device(const std::string& name, std::uint32_t index) { return {name, index, 1, 0, "veth"}; }

firewall::facts::Route RouteOver(const firewall::facts::Interface& device) {
  firewall::facts::Route route;
  route.egress = device;
  route.masquerade = IpAddress::Parse("192.0.2.1");
  route.hop_limit = 7;
  route.on_link = true;
  return route;
}

CloseResult Dropped() {
  CloseResult close;
  close.fate = diagnosis::Fate::kFinDropped;
  close.consequence = "FIN dropped at output by nft inet t, chain o, handle 5";
  close.rule.emplace();
  close.rule->family = firewall::TableFamily::kInet;
  close.rule->table = "t";
  close.rule->chain = "o";
  close.rule->handle = 5;
  close.hook = "output";
  close.text = "ct state invalid drop";
  return close;
}

ReportedSocket Socket() {
  ReportedSocket reported;
  kernel::TcpSocket& socket = reported.socket;
  socket.local = *Endpoint::Parse("192.0.2.1:40000");
  socket.peer = *Endpoint::Parse("198.51.100.9:443");
  socket.state = kernel::TcpState::kCloseWait;
  socket.entry.tracking = kernel::Tracking::kTracked;
  socket.entry.state = kernel::ConntrackTcpState::kCloseWait;
  socket.entry.source_nat = true;
  socket.entry.translation = std::make_shared<const kernel::Translation>(
      kernel::Translation{*Endpoint::Parse("203.0.113.1:40000"), *Endpoint::Parse("198.51.100.9:443")});
  reported.facts.mark = 7;
  reported.facts.user = 1000;
  reported.facts.bound_device = 2;
  reported.facts.type_of_service = 16;
  reported.facts.opened_here = true;
  reported.facts.control_group = 99;
  reported.facts.priority = 6;
  return reported;
}

HostReport Report() {
  HostReport report;
  HostFacts& facts = report.facts;
  facts.host_name = "web-1";
  facts.devices = {{"lo", 1, 772, 0, ""}, Device("veth0", 2)};
  facts.routing_known = {true, false};
  facts.routing[0].ranges = {{{1, 0xc0000200}, RouteOver(Device("veth0", 2))},
                             {{0xc0000201, 0xc0000201}, firewall::facts::Route{true, {}, {}, {}, false}},
                             {{0xc0000202, 0xdfffffff}, std::nullopt}};
  facts.settings.tcp_loose = false;
  facts.settings.table_full = std::nullopt;
  facts.settings.ingress_devices[0] = {{"veth0", 2}};
  facts.sockets = {Socket()};
  facts.sockets_not_listed = 3;
  facts.answers.emplace(
      firewall::facts::NamespaceKey{IpFamily::kIpv4},
      Fact::Present(firewall::facts::NamespaceFacts{true, false, false, true, false, true, false, true}));
  facts.answers.emplace(firewall::facts::HopLimitKey{IpFamily::kIpv6, "veth0"}, Fact::Present(std::uint64_t{64}));
  facts.answers.emplace(firewall::facts::IpsecPoliciesKey{}, Fact::Present(false));
  facts.answers.emplace(firewall::facts::ClockKey{}, Fact::Present(firewall::facts::Clock{1'793'232'000, -60}));
  facts.answers.emplace(firewall::facts::EntryCountKey{}, Fact::Present(std::uint64_t{12}));
  facts.answers.emplace(firewall::facts::ControlGroupKey{99},
                        Fact::Present(std::make_shared<const firewall::facts::ControlGroup>(
                            firewall::facts::ControlGroup{"/system.slice", {1, 99}})));
  firewall::facts::ConnectionEntry entry;
  entry.original = {*Endpoint::Parse("192.0.2.1:40000"), *Endpoint::Parse("198.51.100.9:443"), 5};
  entry.reply = {*Endpoint::Parse("198.51.100.9:443"), *Endpoint::Parse("192.0.2.1:40000"), 5};
  entry.is_original = true;
  entry.zone = 5;
  entry.status = 14;
  entry.mark = 4;
  entry.labels = {1, 2, 3};
  entry.timeout_after_fin = 120;
  firewall::facts::EntryKey of_entry{entry.original.source, entry.original.destination, 5};
  facts.answers.emplace(of_entry, Fact::Present(std::make_shared<const firewall::facts::ConnectionEntry>(entry)));
  of_entry.zone = 6;
  facts.answers.emplace(of_entry, Fact::Absent());
  firewall::facts::RouteKey key;
  key.destination = *IpAddress::Parse("198.51.100.9");
  key.source = IpAddress::Parse("192.0.2.1");
  key.bound_device = 2;
  key.user = 1000;
  key.source_port = 40000;
  key.destination_port = 443;
  facts.answers.emplace(key,
                        Fact::Present(std::make_shared<const firewall::facts::Route>(RouteOver(Device("veth0", 2)))));
  key.arriving_on = 3;
  firewall::facts::Route by_port = RouteOver(Device("br0", 4));
  by_port.egress_port = Device("veth1", 5);
  facts.answers.emplace(key, Fact::Present(std::make_shared<const firewall::facts::Route>(by_port)));
  facts.queue_listeners = std::set<std::uint16_t>{3};
  facts.lacks = {"the marks of sockets"};
  report.results.sockets = {Dropped()};
  const diagnosis::ConnectionSpace space = facts.Space(IpFamily::kIpv4);
  for (const diagnosis::SpacePart& part : space.parts) {
    ResultClass one{part.path, part.connections, Dropped()};
    one.connections.Of(Dimension::kPeerPort) = IntervalSet::Between(5432, 5432);
    report.results.classes.push_back(std::move(one));
  }
  report.results.incomplete = {"IPv4: not all"};
  report.results.rules = "7-8";
  return report;
}

std::string TextOf(const Json& host) {
  return Json{{"version", "0.1.0"}, {"time", "2026-11-28T12:00:00Z"}, {"host", host}}.dump();
}

TEST(HostJsonTest, WhatIsWrittenIsReadAgain) {
  const Json written = HostJson(Report());
  const auto loaded = ParseReport(TextOf(written));
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->version, "0.1.0");
  EXPECT_EQ(loaded->time, "2026-11-28T12:00:00Z");
  EXPECT_EQ(HostJson(loaded->host).dump(), written.dump());
  EXPECT_EQ(loaded->host.facts.sockets[0].facts, Socket().facts);
  EXPECT_EQ(loaded->host.facts.answers.size(), Report().facts.answers.size());
  for (const auto& [need, fact] : Report().facts.answers) {
    EXPECT_TRUE(loaded->host.facts.answers.contains(need)) << Describe(need);
  }
  EXPECT_EQ(loaded->host.results.sockets[0], Dropped());
  EXPECT_EQ(loaded->host.results.rules, "7-8");
  ASSERT_EQ(loaded->host.results.classes.size(), 2U);
  EXPECT_EQ(loaded->host.results.classes[0].connections.Of(Dimension::kPeerPort), IntervalSet::Between(5432, 5432));
  const auto history = loaded->host.facts.sockets[0].History();
  ASSERT_TRUE(history);
  EXPECT_TRUE(history->source_nat);
}

TEST(HostJsonTest, WhatIsNoReportIsRefusedInASentence) {
  const auto refusal = [](const std::string& text) {
    const auto loaded = ParseReport(text);
    return loaded ? "" : loaded.error().message;
  };
  EXPECT_THAT(refusal(""), HasSubstr("no JSON"));
  EXPECT_THAT(refusal("{\"version\": \"0.1.0\""), HasSubstr("cut short"));
  EXPECT_THAT(refusal("[]"), HasSubstr("no JSON"));
  EXPECT_THAT(refusal("{\"version\": \"0.1.0\"}"), HasSubstr("check --format=json"));
  EXPECT_THAT(refusal("{\"host\": \"no procfs\"}"), HasSubstr("no procfs"));
  Json other = HostJson(Report());
  other["format"] = kHostFormat + 1;
  EXPECT_THAT(refusal(TextOf(other)), HasSubstr("in another form"));
  other = HostJson(Report());
  other["sockets"][0]["peer"] = "2001:db8::1";
  EXPECT_THAT(refusal(TextOf(other)), HasSubstr("is no address and port"));
  other = HostJson(Report());
  other["classes"][0]["sets"]["77"] = Json::array();
  EXPECT_THAT(refusal(TextOf(other)), HasSubstr("a set of"));
}

// A report may come from anywhere: whatever is done to one, it is read or refused.
TEST(HostJsonTest, ReportsWithAnyValueChangedAreReadOrRefused) {
  const Json good = HostJson(Report()).flatten();
  std::mt19937 engine(20261128);
  const Json odd[] = {nullptr, -1, 1e300, "", "ffffffffffffffffffffffffffffffff", Json::array(), true, "unknown"};
  std::size_t refused = 0;
  std::size_t read = 0;
  for (const auto& [key, value] : good.items()) {
    Json changed = good;
    changed[key] = odd[engine() % std::size(odd)];
    Json host;
    try {
      host = changed.unflatten();
    } catch (const Json::exception&) {  // a value where an object was
      continue;
    }
    const auto loaded = ParseReport(TextOf(host));
    ++(loaded ? read : refused);
    if (!loaded) {
      EXPECT_NE(loaded.error().message, "");
    }
  }
  EXPECT_GT(refused, 20U);
  EXPECT_GT(read, 0U);
}

}  // namespace
}  // namespace finwait::planning
