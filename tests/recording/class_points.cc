#include "tests/recording/class_points.h"

#include <array>
#include <random>
#include <sstream>
#include <utility>

#include "exporter/diagnosis/evaluation_rounds.h"
#include "exporter/report/class_text.h"

namespace finwait::recording {
namespace {

using diagnosis::ConnectionSpace;
using diagnosis::Fate;
using diagnosis::SpacePart;
using diagnosis::SurveyedClass;
using firewall::eval::Connection;
using firewall::eval::OpenedBy;
using firewall::eval::PathKind;
using firewall::packet::AddressOf;
using firewall::packet::ConnectionClass;
using firewall::packet::Dimension;
using firewall::packet::IntervalSet;
using firewall::packet::kDimensions;
using firewall::packet::NumberOf;
using firewall::packet::RoutedPeers;
using firewall::packet::Wide;

using Point = std::array<Wide, kDimensions>;

Wide Of(const Point& point, Dimension dimension) { return point[static_cast<std::size_t>(dimension)]; }

class Drawer {
 public:
  explicit Drawer(std::uint64_t seed) : random_(seed) {}

  std::size_t Below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }

  Point DrawFrom(const ConnectionClass& of) {
    Point point;
    for (std::size_t d = 0; d < kDimensions; ++d) {
      point[d] = ValueOf(of.values[d]);
    }
    // The device follows from the peer.
    for (std::size_t i = 0; i < of.routes->size(); ++i) {
      const Wide peer = Of(point, Dimension::kPeerAddress);
      if (!(*of.routes)[i].peers.Intersection(IntervalSet::Between(peer, peer)).Empty()) {
        point[static_cast<std::size_t>(Dimension::kRoute)] = i;
      }
    }
    return point;
  }

 private:
  Wide ValueOf(const IntervalSet& set) {
    const auto& intervals = set.Intervals();
    const IntervalSet::Interval& range = intervals[Below(intervals.size())];
    switch (Below(4)) {
      case 0:
        return range.first;
      case 1:
        return range.last;
      default: {
        const Wide span = range.last - range.first;
        const Wide drawn = (Wide{random_()} << 64) | random_();
        return span == ~Wide{0} ? drawn : range.first + drawn % (span + 1);
      }
    }
  }

  std::mt19937_64 random_;
};

Connection ConnectionOf(const Point& point, PathKind path, const ConnectionClass& space) {
  Connection connection;
  connection.family = space.family;
  connection.path_kind = path;
  connection.local = Endpoint{AddressOf(Of(point, Dimension::kLocalAddress), space.family),
                              static_cast<std::uint16_t>(Of(point, Dimension::kLocalPort))};
  connection.peer = Endpoint{AddressOf(Of(point, Dimension::kPeerAddress), space.family),
                             static_cast<std::uint16_t>(Of(point, Dimension::kPeerPort))};
  connection.opened_by =
      Of(point, Dimension::kOpener) == firewall::packet::kOpenedHere ? OpenedBy::kLocal : OpenedBy::kPeer;
  connection.peer_socket.mark.reset();
  connection.local_socket.mark = static_cast<std::uint32_t>(Of(point, Dimension::kMark));
  connection.local_socket.user = static_cast<std::uint32_t>(Of(point, Dimension::kUser));
  connection.local_socket.group = static_cast<std::uint32_t>(Of(point, Dimension::kGroup));
  const auto route = static_cast<std::size_t>(Of(point, Dimension::kRoute));
  if (path == PathKind::kLocal && route < space.routes->size()) {
    connection.egress = (*space.routes)[route].device;
    connection.masquerade = (*space.routes)[route].masquerade;
  }
  return connection;
}

bool IsIn(const Point& point, const ConnectionClass& of) {
  for (std::size_t d = 0; d < kDimensions; ++d) {
    if (of.values[d].Intersection(IntervalSet::Between(point[d], point[d])).Empty()) {
      return false;
    }
  }
  return true;
}

std::string TextOf(const Connection& connection) {
  std::ostringstream text;
  text << connection.local->Text() << " " << connection.peer->Text()
       << (connection.opened_by == OpenedBy::kLocal ? " opened here" : " opened by the peer") << ", user "
       << *connection.local_socket.user << ", group " << *connection.local_socket.group << ", mark "
       << *connection.local_socket.mark << ", device " << connection.egress.name.value_or("none");
  return text.str();
}

}  // namespace

ConnectionSpace MadeUpSpace(IpFamily family) {
  const bool four = family == IpFamily::kIpv4;
  const auto number = [](const char* text) { return NumberOf(*IpAddress::Parse(text)); };
  const auto network = [&](const char* first, const char* last) {
    return IntervalSet::Between(number(first), number(last));
  };
  const Wide first_own = number(four ? "192.0.2.1" : "2001:db8::1");
  const Wide second_own = number(four ? "172.17.0.1" : "2001:db8:17::1");
  const IntervalSet own = IntervalSet::Union({{first_own, first_own}, {second_own, second_own}});
  const IntervalSet loopback = four ? network("127.0.0.0", "127.255.255.255") : network("::1", "::1");
  const IntervalSet bridged =
      four ? network("172.17.0.0", "172.17.255.255") : network("2001:db8:17::", "2001:db8:17:ffff:ffff:ffff:ffff:ffff");
  const IntervalSet beside = four ? network("10.0.0.0", "10.255.255.255") : network("fd00::", "fdff::");
  const IntervalSet everywhere =
      four ? IntervalSet::Union({{0x01000000, 0x7effffff}, {0x80000000, 0xdfffffff}}) : network("2000::", "fdff::");
  std::vector<RoutedPeers> routes = {
      {{"eth0", 2, std::uint16_t{1}, 0, "veth"},
       AddressOf(first_own, family),
       everywhere.Difference(bridged).Difference(beside).Difference(own)},
      {{"docker0", 3, std::uint16_t{1}, 0, "bridge"}, AddressOf(second_own, family), bridged.Difference(own)},
      {{"eth1", 4, std::uint16_t{1}, 7, ""}, std::nullopt, beside.Difference(own)}};
  std::vector<IntervalSet::Interval> peers;
  for (const RoutedPeers& each : routes) {
    peers.insert(peers.end(), each.peers.Intervals().begin(), each.peers.Intervals().end());
  }
  ConnectionClass others = ConnectionClass::Everything(family);
  others.Of(Dimension::kLocalAddress) = own;
  others.Of(Dimension::kRoute) = IntervalSet::Between(0, routes.size() - 1);
  others.routes = std::make_shared<const std::vector<RoutedPeers>>(std::move(routes));
  others.Of(Dimension::kPeerAddress) = IntervalSet::Union(std::move(peers));
  ConnectionClass here = ConnectionClass::Everything(family);
  std::vector<IntervalSet::Interval> both = own.Intervals();
  both.insert(both.end(), loopback.Intervals().begin(), loopback.Intervals().end());
  here.Of(Dimension::kLocalAddress) = here.Of(Dimension::kPeerAddress) = IntervalSet::Union(std::move(both));
  return {{{PathKind::kLocal, std::move(others)}, {PathKind::kLoopback, std::move(here)}}, {}};
}

PointTally CheckPoints(const diagnosis::FamilySurvey& survey, const ConnectionSpace& space,
                       diagnosis::CloseEvaluator& evaluator, firewall::facts::Resolver* resolver, std::uint64_t seed,
                       std::size_t points) {
  Drawer drawer(seed);
  PointTally tally;
  for (; tally.points < points; ++tally.points) {
    const bool of_class = drawer.Below(4) != 0;
    const SurveyedClass& from = survey.classes[drawer.Below(survey.classes.size())];
    const SpacePart& part = space.parts[of_class ? (from.path == PathKind::kLocal ? 0 : 1) : drawer.Below(2)];
    const Point point = drawer.DrawFrom(of_class ? from.connections : part.connections);
    const Connection connection = ConnectionOf(point, part.path, part.connections);
    const SurveyedClass* found = nullptr;
    std::size_t count = 0;
    for (const SurveyedClass& each : survey.classes) {
      if (each.path == part.path && IsIn(point, each.connections)) {
        found = &each;
        ++count;
      }
    }
    if (count != 1) {
      tally.wrong.push_back(TextOf(connection) + " is of " + std::to_string(count) + " classes");
      continue;
    }
    diagnosis::CloseOutcome one;
    EvaluateInRounds(evaluator, resolver, [&] { one = evaluator.Evaluate(connection, nullptr); });
    const Fate fate = found->outcome.fate;
    if (fate == Fate::kUnknown) {
      tally.imprecise += one.fate != Fate::kUnknown ? 1 : 0;
    } else if (one.fate != fate) {
      tally.wrong.push_back(TextOf(connection) + " is " + std::string(Name(one.fate)) + " (" + one.reason +
                            "), and its class " + std::string(Name(fate)) + ": " +
                            report::ClassText(found->path, found->connections, part.connections));
    }
  }
  return tally;
}

}  // namespace finwait::recording
