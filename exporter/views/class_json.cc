#include "exporter/views/class_json.h"

#include <cstdint>
#include <optional>
#include <string>

#include "exporter/report/class_text.h"
#include "exporter/report/close_report.h"

namespace finwait::views {
namespace {

using Json = nlohmann::ordered_json;
using firewall::packet::ConnectionClass;
using firewall::packet::Dimension;
using firewall::packet::IntervalSet;

Json Addresses(const IntervalSet& set, IpFamily family) {
  Json ranges = Json::array();
  for (const IntervalSet::Interval& each : set.Intervals()) {
    ranges.push_back({{"first", firewall::packet::AddressOf(each.first, family).Text()},
                      {"last", firewall::packet::AddressOf(each.last, family).Text()}});
  }
  return ranges;
}

Json Numbers(const IntervalSet& set) {
  Json ranges = Json::array();
  for (const IntervalSet::Interval& each : set.Intervals()) {
    ranges.push_back(
        {{"first", static_cast<std::uint64_t>(each.first)}, {"last", static_cast<std::uint64_t>(each.last)}});
  }
  return ranges;
}

Json Devices(const ConnectionClass& of) {
  Json devices = Json::array();
  for (const std::optional<std::string>& name : report::DeviceNames(of)) {
    if (name) {
      devices.push_back(*name);
    }
  }
  return devices;
}

}  // namespace

nlohmann::ordered_json ConnectionsJson(const std::string& text, const diagnosis::SurveyedClass& surveyed) {
  const ConnectionClass& of = surveyed.connections;
  const auto opener = OnlyValue(of.Of(Dimension::kOpener));
  return {{"text", text},
          {"family", finwait::Name(of.family)},
          {"journey", report::Name(surveyed.path)},
          {"opened_by", !opener                                    ? "either"
                        : *opener == firewall::packet::kOpenedHere ? "local"
                                                                   : "peer"},
          {"peer_addresses", Addresses(of.Of(Dimension::kPeerAddress), of.family)},
          {"peer_ports", Numbers(of.Of(Dimension::kPeerPort))},
          {"local_addresses", Addresses(of.Of(Dimension::kLocalAddress), of.family)},
          {"local_ports", Numbers(of.Of(Dimension::kLocalPort))},
          {"devices", surveyed.path == firewall::eval::PathKind::kLoopback ? Json::array({"lo"}) : Devices(of)},
          {"users", Numbers(of.Of(Dimension::kUser))},
          {"groups", Numbers(of.Of(Dimension::kGroup))},
          {"marks", Numbers(of.Of(Dimension::kMark))}};
}

}  // namespace finwait::views
