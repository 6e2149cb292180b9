#include "collectors/firewall/packet/connection_class.h"

#include <algorithm>
#include <string>
#include <utility>

#include "collectors/firewall/packet/connection.h"
#include "collectors/firewall/packet/hook_context.h"

namespace finwait::firewall::packet {
namespace {

// The fields of a device, in the order of their numbers below.
struct DeviceFields {
  Field name, index, type, group, kind;
};
constexpr DeviceFields kIn = {Field::kInName, Field::kInIndex, Field::kInType, Field::kInGroup, Field::kInKind};
constexpr DeviceFields kOut = {Field::kOutName, Field::kOutIndex, Field::kOutType, Field::kOutGroup, Field::kOutKind};

// A device's value of a field; nothing where it is not known.
std::optional<Wide> ValueOf(const facts::Interface& device, const DeviceFields& fields, Field field) {
  const auto known = [](AbstractBytes bytes) {
    Wide number = 0;
    return KnownNumber(bytes, &number) ? std::optional(number) : std::nullopt;
  };
  const DeviceView view = DeviceView::Output(device);
  if (field == fields.name) {
    return known(view.name.bytes);
  }
  if (field == fields.index) {
    return known(view.index.bytes);
  }
  if (field == fields.type) {
    return known(view.type.bytes);
  }
  return field == fields.group ? known(view.group.bytes) : known(view.kind.bytes);
}

std::array<Field, 5> All(const DeviceFields& fields) {
  return {fields.name, fields.index, fields.type, fields.group, fields.kind};
}

bool Holds(const IntervalSet& set, Wide value) { return !set.Intersection(IntervalSet::Between(value, value)).Empty(); }

// Writes what is known for certain into the header.
void Settle(Packet& packet, std::span<AbstractByte> place, Field field, const IntervalSet& values) {
  if (const auto only = OnlyValue(values)) {
    for (std::size_t i = 0; i < place.size(); ++i) {
      place[i] = AbstractByte::Known(static_cast<std::uint8_t>(*only >> (8 * (place.size() - 1 - i))));
    }
    // What any connection's value may be does not hold for this one: "::1" is no address of any.
    std::erase_if(packet.domains, [&](const auto& each) { return each.first == field; });
    return;
  }
  for (std::size_t i = 0; i < place.size(); ++i) {
    place[i] = AbstractByte::Of(field, static_cast<unsigned>(i));
  }
  packet.Restrict(field, values);
}

}  // namespace

std::optional<Wide> OnlyValue(const IntervalSet& set) {
  const auto& intervals = set.Intervals();
  if (intervals.size() != 1 || intervals.front().first != intervals.front().last) {
    return std::nullopt;
  }
  return intervals.front().first;
}

Wide NumberOf(const IpAddress& address) {
  Wide number = 0;
  for (const std::byte each : address.Bytes()) {
    number = (number << 8) | std::to_integer<unsigned>(each);
  }
  return number;
}

IpAddress AddressOf(Wide number, IpFamily family) {
  std::array<std::byte, 16> bytes = {};
  const std::size_t size = family == IpFamily::kIpv4 ? 4 : 16;
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>(number >> (8 * (size - 1 - i)));
  }
  return IpAddress::FromBytes(std::span(bytes).first(size)).value_or(IpAddress());
}

unsigned ConnectionClass::BitsOf(Dimension dimension) const {
  switch (dimension) {
    case Dimension::kOpener:
      return 1;
    case Dimension::kPeerAddress:
    case Dimension::kLocalAddress:
      return family == IpFamily::kIpv4 ? 32 : 128;
    case Dimension::kPeerPort:
    case Dimension::kLocalPort:
      return 16;
    case Dimension::kRoute:
    case Dimension::kUser:
    case Dimension::kGroup:
    case Dimension::kMark:
      return 32;
  }
  return 32;
}

ConnectionClass ConnectionClass::Everything(IpFamily family) {
  ConnectionClass all;
  all.family = family;
  all.routes = std::make_shared<const std::vector<RoutedPeers>>();
  for (std::size_t i = 0; i < kDimensions; ++i) {
    all.values[i] = IntervalSet::All(all.BitsOf(static_cast<Dimension>(i)));
  }
  all.Of(Dimension::kRoute) = IntervalSet::Between(0, 0);
  for (const Dimension port : {Dimension::kPeerPort, Dimension::kLocalPort}) {
    all.Of(port) = IntervalSet::Between(1, 0xffff);
  }
  return all;
}

ConnectionClass ConnectionClass::Within(Dimension dimension, const IntervalSet& narrower) const {
  ConnectionClass result = *this;
  result.Of(dimension) = Of(dimension).Intersection(narrower);
  if (routes->empty()) {
    return result;
  }
  if (dimension == Dimension::kRoute || dimension == Dimension::kPeerAddress) {
    std::vector<IntervalSet::Interval> peers;
    std::vector<IntervalSet::Interval> used;
    for (const IntervalSet::Interval& run : result.Of(Dimension::kRoute).Intervals()) {
      for (Wide i = run.first; i <= run.last && i < routes->size(); ++i) {
        const IntervalSet there =
            (*routes)[static_cast<std::size_t>(i)].peers.Intersection(result.Of(Dimension::kPeerAddress));
        if (!there.Empty()) {
          used.push_back({i, i});
          peers.insert(peers.end(), there.Intervals().begin(), there.Intervals().end());
        }
      }
    }
    result.Of(Dimension::kRoute) = IntervalSet::Union(std::move(used));
    result.Of(Dimension::kPeerAddress) = IntervalSet::Union(std::move(peers));
  }
  return result;
}

bool ConnectionClass::Empty() const {
  return std::any_of(values.begin(), values.end(), [](const IntervalSet& each) { return each.Empty(); });
}

ConnectionClass ConnectionClass::WithAnyLocalEnd() const {
  ConnectionClass result = *this;
  const ConnectionClass all = Everything(family);
  result.Of(Dimension::kLocalAddress) =
      family == IpFamily::kIpv4 ? IntervalSet::Between(1, 0xfffffffe) : all.Of(Dimension::kLocalAddress);
  result.Of(Dimension::kLocalPort) = all.Of(Dimension::kLocalPort);
  return result;
}

ConnectionClass ConnectionClass::Turned() const {
  ConnectionClass result = *this;
  result.turned = !turned;
  return result;
}

void ConnectionClass::Narrow(Packet& packet, bool outgoing, PathKind path) const {
  packet.keeps_domains = true;
  const bool local_is_source = outgoing != turned;
  const std::size_t size = family == IpFamily::kIpv4 ? 4 : 16;
  const std::size_t source = family == IpFamily::kIpv4 ? 12 : 8;
  const std::span<AbstractByte> network(packet.network);
  const std::span<AbstractByte> transport(packet.transport);
  const auto address = [&](bool local) { return Of(local ? Dimension::kLocalAddress : Dimension::kPeerAddress); };
  const auto port = [&](bool local) { return Of(local ? Dimension::kLocalPort : Dimension::kPeerPort); };
  Settle(packet, network.subspan(source, size), Field::kSourceAddress, address(local_is_source));
  Settle(packet, network.subspan(source + size, size), Field::kDestinationAddress, address(!local_is_source));
  Settle(packet, transport.subspan(0, 2), Field::kSourcePort, port(local_is_source));
  Settle(packet, transport.subspan(2, 2), Field::kDestinationPort, port(!local_is_source));
  if (turned) {
    return;  // no socket of the class sends it
  }
  if (path == PathKind::kLocal || outgoing) {
    Settle(packet, packet.user.bytes, Field::kUser, Of(Dimension::kUser));
    Settle(packet, packet.group.bytes, Field::kGroup, Of(Dimension::kGroup));
  }
  if (outgoing && path != PathKind::kForwarded) {
    Settle(packet, packet.mark.bytes, Field::kMark, Of(Dimension::kMark));
  }
  if (path != PathKind::kLocal || routes->empty()) {
    return;
  }
  const DeviceFields& fields = outgoing ? kOut : kIn;
  for (const Field field : All(fields)) {
    std::vector<IntervalSet::Interval> possible;
    bool known = true;
    for (const IntervalSet::Interval& run : Of(Dimension::kRoute).Intervals()) {
      for (Wide i = run.first; i <= run.last && i < routes->size(); ++i) {
        const auto value = ValueOf((*routes)[static_cast<std::size_t>(i)].device, fields, field);
        known = known && value;
        possible.push_back({value.value_or(0), value.value_or(0)});
      }
    }
    if (known) {
      packet.Restrict(field, IntervalSet::Union(std::move(possible)));
    }
  }
}

bool ConnectionClass::MayArrive(const Packet& packet) const {
  const auto may_be = [&](AbstractBytes bytes, Field field, const IntervalSet& wanted) {
    Wide number = 0;
    if (KnownNumber(bytes, &number)) {
      return Holds(wanted, number);
    }
    return LeadingBytesOf(bytes) != field || !packet.Domain(field).Intersection(wanted).Empty();
  };
  return may_be(packet.DestinationAddress(), Field::kDestinationAddress, Of(Dimension::kLocalAddress)) &&
         may_be(packet.DestinationPort(), Field::kDestinationPort, Of(Dimension::kLocalPort));
}

ConnectionClass ConnectionClass::NarrowedTo(const Packet& end, PacketKind kind, PathKind path) const {
  ConnectionClass result = *this;
  const bool outgoing = IsOutgoing(kind);
  const auto narrow = [&](Dimension dimension, Field field) {
    const auto domain =
        std::find_if(end.domains.begin(), end.domains.end(), [&](const auto& each) { return each.first == field; });
    if (domain != end.domains.end()) {
      result.Of(dimension) = result.Of(dimension).Intersection(domain->second);
    }
  };
  const bool local_is_source = outgoing != turned;
  narrow(local_is_source ? Dimension::kLocalAddress : Dimension::kPeerAddress, Field::kSourceAddress);
  narrow(local_is_source ? Dimension::kLocalPort : Dimension::kPeerPort, Field::kSourcePort);
  if (kind == PacketKind::kPeerSyn && path == PathKind::kLocal) {
    // The local end is where the packet has come to, whatever it was sent to.
    const auto arrived_at = [&](Dimension dimension, AbstractBytes bytes, Field field) {
      Wide number = 0;
      if (KnownNumber(bytes, &number)) {
        result.Of(dimension) = result.Of(dimension).Intersection(IntervalSet::Between(number, number));
      } else if (LeadingBytesOf(bytes) == field) {
        narrow(dimension, field);
      }
    };
    arrived_at(Dimension::kLocalAddress, end.DestinationAddress(), Field::kDestinationAddress);
    arrived_at(Dimension::kLocalPort, end.DestinationPort(), Field::kDestinationPort);
  } else {
    narrow(local_is_source ? Dimension::kPeerAddress : Dimension::kLocalAddress, Field::kDestinationAddress);
    narrow(local_is_source ? Dimension::kPeerPort : Dimension::kLocalPort, Field::kDestinationPort);
  }
  if (turned) {
    return result;
  }
  if (path == PathKind::kLocal || outgoing) {
    narrow(Dimension::kUser, Field::kUser);
    narrow(Dimension::kGroup, Field::kGroup);
  }
  if (outgoing) {
    narrow(Dimension::kMark, Field::kMark);
  }
  if (path != PathKind::kLocal || routes->empty() || (outgoing && end.rerouted)) {
    return result;
  }
  const DeviceFields& fields = outgoing ? kOut : kIn;
  std::vector<IntervalSet::Interval> possible;
  for (const IntervalSet::Interval& run : Of(Dimension::kRoute).Intervals()) {
    for (Wide i = run.first; i <= run.last && i < routes->size(); ++i) {
      const facts::Interface& device = (*routes)[static_cast<std::size_t>(i)].device;
      const auto fields_of = All(fields);
      const bool fits = std::all_of(fields_of.begin(), fields_of.end(), [&](Field field) {
        const auto value = ValueOf(device, fields, field);
        return !value || Holds(end.Domain(field), *value);
      });
      if (fits) {
        possible.push_back({i, i});
      }
    }
  }
  result.Of(Dimension::kRoute) = IntervalSet::Union(std::move(possible));
  return result;
}

}  // namespace finwait::firewall::packet
