#include "exporter/planning/host_reader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "collectors/firewall/read/fact_resolver.h"
#include "exporter/diagnosis/connection_facts.h"
#include "exporter/planning/host_json.h"
#include "exporter/planning/reported_facts.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"
#include "tests/lab/namespace.h"

namespace finwait::planning {
namespace {

const auto kNoRules = std::make_shared<const firewall::Ruleset>();

// What a report says of a connection from an address that is not this host's any more, where it is read: in a namespace
// whose device has another number.
struct Reported {
  firewall::eval::Connection connection;
  bool knows_arrival = false;  // where packets go that come in for that address
};

Reported AfterItsAddressIsGone(const std::string& and_then) {
  const lab::Wire wire;
  const lab::Listener listener(wire.peer, lab::Wire::kPeer6, 443);
  const UniqueFd client = lab::Connect(wire.local, lab::Wire::kPeer6, 443);
  wire.local.Shell("ip address del 2001:db8::1/32 dev veth0; ip -6 route replace 2001:db8::/32 dev veth0; " + and_then);
  std::string text;
  wire.local.Run([&] {
    const HostReport report = ReadHostReport(lab::HostHere(), kNoRules, {});
    text = nlohmann::ordered_json{{"version", "test"}, {"time", ""}, {"host", HostJson(report)}}.dump();
  });
  auto loaded = ParseReport(text);
  if (!loaded) {
    throw std::runtime_error(loaded.error().message);
  }
  constexpr std::uint32_t kNumber = 4711;
  Reported result;
  const lab::Namespace elsewhere;
  elsewhere.Shell("ip link add name veth0 index " + std::to_string(kNumber) + " type bridge");
  elsewhere.Run([&] {
    const kernel::Host host = lab::HostHere();
    RenumberDevices(kernel::Links::Read(host, Deadline::After(std::chrono::seconds(5))).value(), loaded->host);
    firewall::read::FactResolver rules(host);
    ReportedFacts reported(loaded->host.facts, rules);
    firewall::facts::FactStore store;
    firewall::facts::FactQuery query(store);
    const diagnosis::ListedSocket socket(loaded->host.facts.sockets.at(0).socket);
    result.connection = diagnosis::ConnectionOf(socket, query);
    for (auto missing = query.TakeNeeds(); !missing.empty(); missing = query.TakeNeeds()) {
      reported.Resolve(missing, store);
      result.connection = diagnosis::ConnectionOf(socket, query);
    }
    firewall::facts::RouteKey arrival;
    arrival.source = socket.peer.address;
    arrival.destination = socket.local.address;
    arrival.arriving_on = kNumber;
    const firewall::facts::Fact* known = store.Find(arrival);
    result.knows_arrival = known != nullptr && known->Why() == nullptr;
  });
  return result;
}

// Its packets still leave, as IPv6 asks nobody whose address that is. Whether what answers them is for this host, only
// the routing of what comes in on that device tells.
TEST(HostReaderTest, WhatComesInForAnAddressThatIsGoneIsReported) {
  const Reported gone = AfterItsAddressIsGone("");
  EXPECT_TRUE(gone.knows_arrival);
  EXPECT_TRUE(gone.connection.address_gone);
  const Reported taken =
      AfterItsAddressIsGone("ip -6 rule add iif veth0 lookup 100; ip -6 route add local 2001:db8::1 dev lo table 100");
  EXPECT_TRUE(taken.knows_arrival);
  EXPECT_FALSE(taken.connection.address_gone);
}

}  // namespace
}  // namespace finwait::planning
