#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/kernel/find_socket.h"
#include "collectors/sources/firewall.h"
#include "exporter/planning/comparison.h"
#include "exporter/planning/host_evaluation.h"
#include "exporter/planning/host_json.h"
#include "exporter/planning/host_reader.h"
#include "tests/environment_number.h"
#include "tests/kernel/collectors/firewall/eval/closing_trial.h"
#include "tests/kernel/collectors/firewall/eval/random_facts.h"
#include "tests/kernel/collectors/firewall/eval/random_ruleset.h"
#include "tests/lab/host.h"
#include "tests/lab/namespace.h"

// Random pairs of rulesets: one is in force on a host with connections, the other is planned in a namespace of its own
// and then loaded on the host for real, where all connections are closed without their entries.
namespace finwait::planning {
namespace {

using firewall::eval::ClosingTrial;
using firewall::eval::RandomRuleset;
using firewall::eval::RefusedRuleset;
using firewall::eval::TrialConnection;
using firewall::eval::TrialFate;
using firewall::eval::TrialRole;

std::vector<TrialConnection> RandomConnections(std::uint64_t seed) {
  constexpr std::size_t kConnections = 8;
  std::mt19937_64 engine(seed);
  firewall::eval::Dice marks(seed ^ 0x3a4b);
  std::vector<TrialConnection> connections;
  for (std::size_t i = 0; i < kConnections; ++i) {
    TrialConnection connection;
    connection.family = engine() % 2 == 0 ? IpFamily::kIpv4 : IpFamily::kIpv6;
    connection.loopback = engine() % 5 == 0;
    connection.inbound = engine() % 3 == 0;
    connection.port = ClosingTrial::kPorts[engine() % std::size(ClosingTrial::kPorts)];
    connection.local_address = engine() % 2;
    connection.peer_address = engine() % 2;
    connection.mark = marks.Below(3) == 0 ? firewall::eval::kSocketMarks[marks.Below(4)] : 0;
    connections.push_back(connection);
  }
  return connections;
}

std::shared_ptr<const firewall::Ruleset> RulesHere(const kernel::Host& host) {
  sources::FirewallCollector collector(host);
  const auto collected = collector.Collect(Deadline::After(std::chrono::seconds(30)));
  if (!collected) {
    throw std::runtime_error(collected.error().message);
  }
  return std::static_pointer_cast<const sources::FirewallSample>(collected->data)->ruleset;
}

// What `check --format=json` would hold of the namespace.
std::string ReportOf(const lab::Namespace& where, bool tcp_loose) {
  nlohmann::ordered_json report = {{"version", "test"}, {"time", "2026-11-28T00:00:00Z"}};
  where.Run([&] {
    const kernel::Host host = lab::HostHere();
    diagnosis::EvaluationSettings settings;
    settings.tcp_loose = tcp_loose;
    report["host"] = HostJson(ReadHostReport(host, RulesHere(host), settings));
  });
  return report.dump();
}

// The class that a connection of a trial is of; null: none.
const ResultClass* ClassOf(const std::vector<ResultClass>& classes, const TrialFate& fate) {
  using firewall::packet::Dimension;
  using firewall::packet::IntervalSet;
  using firewall::packet::NumberOf;
  using firewall::packet::Wide;
  const std::map<Dimension, Wide> values = {
      {Dimension::kOpener, fate.connection.inbound ? firewall::packet::kOpenedByPeer : firewall::packet::kOpenedHere},
      {Dimension::kPeerAddress, NumberOf(fate.peer_end.address)},
      {Dimension::kLocalAddress, NumberOf(fate.local_end.address)},
      {Dimension::kPeerPort, fate.peer_end.port},
      {Dimension::kLocalPort, fate.local_end.port},
      {Dimension::kUser, 0},
      {Dimension::kGroup, 0},
      {Dimension::kMark, fate.connection.mark}};
  const auto path = fate.connection.loopback ? firewall::eval::PathKind::kLoopback : firewall::eval::PathKind::kLocal;
  const auto found = std::find_if(classes.begin(), classes.end(), [&](const ResultClass& each) {
    return each.path == path && each.connections.family == fate.connection.family &&
           std::all_of(values.begin(), values.end(), [&](const auto& value) {
             return !each.connections.Of(value.first)
                         .Intersection(IntervalSet::Between(value.second, value.second))
                         .Empty();
           });
  });
  return found != classes.end() ? &*found : nullptr;
}

struct Plan {
  std::map<kernel::SocketEnds, diagnosis::Fate> now;
  std::map<kernel::SocketEnds, diagnosis::Fate> then;
  std::map<kernel::SocketEnds, Change> changes;
  std::vector<ResultClass> classes;  // of the candidate
};

// As finwait-plan does: a namespace with the host's devices, and the candidate.
Plan MakePlan(const std::string& report, const RandomRuleset& candidate) {
  const lab::Namespace throw_away;
  auto loaded = ParseReport(report);
  if (!loaded) {
    throw std::runtime_error(loaded.error().message);
  }
  for (const firewall::facts::Interface& device : loaded->host.facts.devices) {
    if (*device.name != "lo") {
      throw_away.Shell("ip link add name " + *device.name + " index " + std::to_string(*device.index) + " type bridge");
    }
  }
  candidate.LoadRest(throw_away);
  Plan plan;
  throw_away.Run([&] {
    const kernel::Host host = lab::HostHere();
    RenumberDevices(kernel::Links::Read(host, Deadline::After(std::chrono::seconds(5))).value(), loaded->host);
    firewall::read::FactResolver resolver(host);
    const HostResults then = EvaluateHost(loaded->host.facts, RulesHere(host), resolver);
    for (std::size_t i = 0; i < loaded->host.facts.sockets.size(); ++i) {
      const kernel::TcpSocket& socket = loaded->host.facts.sockets[i].socket;
      const kernel::SocketEnds ends{socket.local, socket.peer};
      plan.now[ends] = loaded->host.results.sockets[i].fate;
      plan.then[ends] = then.sockets[i].fate;
      plan.changes[ends] = ChangeBetween(loaded->host.results.sockets[i], then.sockets[i]);
    }
    plan.classes = then.classes;
  });
  return plan;
}

// The short form is for CI; tools/plans.sh has the long one.
TEST(RandomPlansTest, WhatIsPlannedForRandomPairsOfRulesetsHappens) {
  const std::uint64_t seed = EnvironmentNumber("FINWAIT_SEED", 20261128);
  const std::uint64_t pairs = EnvironmentNumber("FINWAIT_PLANS", 6);
  ClosingTrial trial;
  std::uint64_t done = 0;
  std::size_t closes = 0;
  std::size_t unknown = 0;
  std::size_t wrong = 0;
  std::map<Change, std::size_t> changes;
  std::size_t classes = 0;
  std::size_t classes_closed = 0;
  for (std::uint64_t number = seed; done < pairs; number += 2) {
    const RandomRuleset in_force = firewall::eval::MakeRandomRuleset(number);
    const RandomRuleset candidate = firewall::eval::MakeRandomRuleset(number + 1);
    trial.SetTcpLoose(in_force.tcp_loose);
    Plan plan;
    firewall::eval::TrialOutcome outcome;
    try {
      outcome = trial.Run(RandomConnections(number), {TrialRole::kClose}, {}, [&](const lab::Namespace& host) {
        in_force.LoadRest(host);
        host.Command({"conntrack", "-F"});
        const std::string report = ReportOf(host, in_force.tcp_loose);
        trial.Reset();
        plan = MakePlan(report, candidate);
        candidate.LoadRest(host);
      });
    } catch (const RefusedRuleset&) {  // random rules that contradict each other
      continue;
    }
    ++done;
    classes += plan.classes.size();
    std::set<const ResultClass*> closed;
    for (TrialFate fate : outcome.fates) {
      const kernel::SocketEnds ends{fate.local_end, fate.peer_end};
      ASSERT_TRUE(plan.then.contains(ends)) << "pair " << number << ": the report lacks " << fate.local_end.Text();
      const diagnosis::Fate by_trial = fate.predicted;
      fate.predicted = plan.then[ends];
      ++closes;
      ++changes[plan.changes[ends]];
      unknown += fate.predicted == diagnosis::Fate::kUnknown ? 1 : 0;
      if (fate.IsWrong()) {
        ++wrong;
        ADD_FAILURE() << "pair " << number << ": planned: " << fate.Describe() << "; on the host itself "
                      << Name(by_trial) << "\nin force:\n"
                      << in_force.Text() << "\ncandidate:\n"
                      << candidate.Text();
      }
      const ResultClass* of = ClassOf(plan.classes, fate);
      ASSERT_NE(of, nullptr) << "pair " << number << ": no class has " << fate.Describe();
      closed.insert(of);
      fate.predicted = of->close.fate;
      if (fate.IsWrong()) {
        ++wrong;
        ADD_FAILURE() << "pair " << number << ": of its class: " << fate.Describe() << "\n" << candidate.Text();
      }
    }
    classes_closed += closed.size();
  }
  EXPECT_GT(closes, 0U);
  std::cout << done << " pairs, " << classes_closed << " of " << classes << " classes closed, " << closes << " closes, "
            << wrong << " planned wrongly, " << unknown << " unknown; " << changes[Change::kNewlyLost]
            << " newly lost, " << changes[Change::kNewlyCloses] << " newly closing, " << changes[Change::kOtherwise]
            << " otherwise, " << changes[Change::kNotKnowable] << " not knowable, " << changes[Change::kNone]
            << " unchanged\n";
}

}  // namespace
}  // namespace finwait::planning
