#include "exporter/report/class_text.h"

#include <algorithm>
#include <functional>
#include <set>
#include <vector>

namespace finwait::report {
namespace {

using firewall::eval::PathKind;
using firewall::packet::AddressOf;
using firewall::packet::ConnectionClass;
using firewall::packet::Dimension;
using firewall::packet::IntervalSet;
using firewall::packet::OnlyValue;
using firewall::packet::Wide;

constexpr std::size_t kNamed = 4;

std::string RangeText(const IntervalSet::Interval& range, IpFamily family) {
  const unsigned bits = family == IpFamily::kIpv4 ? 32 : 128;
  std::string first = AddressOf(range.first, family).Text();
  if (range.first == range.last) {
    return first;
  }
  for (unsigned free = 1; free < bits; ++free) {
    const Wide host_part = (Wide{1} << free) - 1;
    if ((range.first & host_part) == 0 && range.last == (range.first | host_part)) {
      return first + "/" + std::to_string(bits - free);
    }
  }
  return first + " to " + AddressOf(range.last, family).Text();
}

std::string NumberRangeText(const IntervalSet::Interval& range) {
  const std::string first = std::to_string(static_cast<std::uint64_t>(range.first));
  return range.first == range.last ? first : first + " to " + std::to_string(static_cast<std::uint64_t>(range.last));
}

std::string Listed(const IntervalSet& set, const std::function<std::string(const IntervalSet::Interval&)>& text) {
  std::string listed;
  const auto& intervals = set.Intervals();
  for (std::size_t i = 0; i < std::min(intervals.size(), kNamed); ++i) {
    listed += (i == 0 ? "" : ", ") + text(intervals[i]);
  }
  return intervals.size() > kNamed ? listed + " and " + std::to_string(intervals.size() - kNamed) + " more" : listed;
}

std::string Named(const IntervalSet& set, const IntervalSet& all,
                  const std::function<std::string(const IntervalSet::Interval&)>& text) {
  if (set == all) {
    return "any";
  }
  const IntervalSet others = all.Difference(set);
  return others.Measure() * 2 < all.Measure() && others.Intervals().size() <= set.Intervals().size()
             ? "any but " + Listed(others, text)
             : Listed(set, text);
}

std::string DevicesText(const ConnectionClass& connections) {
  const auto names = DeviceNames(connections);
  std::string text;
  std::size_t listed = 0;
  for (const std::optional<std::string>& name : names) {
    if (listed == kNamed) {
      return text + " and " + std::to_string(names.size() - kNamed) + " more";
    }
    text += (listed++ == 0 ? "" : ", ") + name.value_or("?");
  }
  return text;
}

}  // namespace

std::string AddressesText(const IntervalSet& set, const IntervalSet& all, IpFamily family) {
  return Named(set, all, [&](const IntervalSet::Interval& range) { return RangeText(range, family); });
}

std::string NumbersText(const IntervalSet& set, const IntervalSet& all) { return Named(set, all, NumberRangeText); }

std::set<std::optional<std::string>> DeviceNames(const ConnectionClass& connections) {
  std::set<std::optional<std::string>> names;
  for (const IntervalSet::Interval& run : connections.Of(Dimension::kRoute).Intervals()) {
    for (Wide i = run.first; i <= run.last && i < connections.routes->size(); ++i) {
      names.insert((*connections.routes)[static_cast<std::size_t>(i)].device.name);
    }
  }
  return names;
}

std::string ClassText(PathKind path, const ConnectionClass& connections, const ConnectionClass& space) {
  const auto differs = [&](Dimension dimension) { return connections.Of(dimension) != space.Of(dimension); };
  const auto addresses = [&](Dimension dimension) {
    return AddressesText(connections.Of(dimension), space.Of(dimension), space.family);
  };
  const auto numbers = [&](Dimension dimension) { return NumbersText(connections.Of(dimension), space.Of(dimension)); };
  std::string text = path == PathKind::kLoopback ? "connections over loopback" : "connections";
  const auto opener = OnlyValue(connections.Of(Dimension::kOpener));
  if (opener) {
    text += *opener == firewall::packet::kOpenedHere ? " that this end opened" : " that the peer opened";
  }
  std::vector<std::string> parts;
  if (differs(Dimension::kPeerAddress)) {
    parts.push_back("peer " + addresses(Dimension::kPeerAddress));
  }
  if (differs(Dimension::kPeerPort)) {
    parts.push_back("peer port " + numbers(Dimension::kPeerPort));
  }
  if (differs(Dimension::kLocalAddress)) {
    parts.push_back("local address " + addresses(Dimension::kLocalAddress));
  }
  if (differs(Dimension::kLocalPort)) {
    parts.push_back("local port " + numbers(Dimension::kLocalPort));
  }
  if (differs(Dimension::kRoute)) {
    parts.push_back("through " + DevicesText(connections));
  }
  if (differs(Dimension::kUser)) {
    parts.push_back("user " + numbers(Dimension::kUser));
  }
  if (differs(Dimension::kGroup)) {
    parts.push_back("group " + numbers(Dimension::kGroup));
  }
  if (differs(Dimension::kMark)) {
    parts.push_back("mark " + numbers(Dimension::kMark));
  }
  if (parts.empty()) {
    return "all " + text + (path == PathKind::kLoopback ? "" : " with other hosts");
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    text += (i == 0 ? ": " : ", ") + parts[i];
  }
  return text;
}

}  // namespace finwait::report
