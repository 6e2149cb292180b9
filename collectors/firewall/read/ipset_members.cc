#include "collectors/firewall/read/ipset_members.h"

#include <linux/netfilter/ipset/ip_set.h>
#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "collectors/base/ip.h"

namespace finwait::firewall::read {
namespace {

using kernel::netlink::Attribute;
using kernel::netlink::ForEachAttribute;

constexpr std::uint16_t kBitMask = 12;  // IPSET_ATTR_BITMASK, Linux 6.1

Failure UnknownForm() {
  return Fail(FailureReason::kUnsupported,
              "list an ipset: it is of another type than before, or has options that this program does not know");
}

std::optional<IpAddress> AddressOf(const Attribute& nest) {
  std::optional<IpAddress> address;
  ForEachAttribute(nest, [&](const Attribute& attribute) {
    if (attribute.Type() == IPSET_ATTR_IPADDR_IPV4 || attribute.Type() == IPSET_ATTR_IPADDR_IPV6) {
      address = IpAddress::FromBytes(attribute.Payload());
    }
  });
  return address;
}

unsigned BitsOf(const IpAddress& address) { return static_cast<unsigned>(address.Bytes().size() * 8); }

// The first `bits` bits of an address and its family, behind `text`.
void AppendPrefix(const IpAddress& address, unsigned bits, std::string& text) {
  text += static_cast<char>(address.Bytes().size());
  unsigned left = bits;
  for (const std::byte byte : address.Bytes()) {
    const unsigned here = std::min(left, 8U);
    text += static_cast<char>(std::to_integer<unsigned>(byte) & (0xff00U >> here));
    left -= here;
  }
}

}  // namespace

// What of a member tells which elements it holds.
struct IpsetMembers::Member {
  std::optional<IpAddress> address;
  std::optional<IpAddress> second_address;
  std::optional<std::uint16_t> port;
  std::optional<std::uint32_t> mark;
  std::optional<std::uint8_t> protocol;
  std::optional<std::string> device;
  Lengths lengths;
  bool starts_with_device = false;  // `wildcard`
  bool physical_device = false;     // asks for the port of a bridge
  bool excludes = false;            // `nomatch`
  bool known = true;

  explicit Member(const Attribute& data);
  bool HasTheFormOf(const facts::IpsetElementKey& element) const {
    return known && address.has_value() == element.address.has_value() &&
           second_address.has_value() == element.second_address.has_value() &&
           port.has_value() == element.port.has_value() && mark.has_value() == element.mark.has_value() &&
           device.has_value() == !element.device.empty();
  }
  bool HoldsDevice(const std::string& name) const {
    return !device || (starts_with_device ? name.starts_with(*device) : name == *device);
  }
};

IpsetMembers::Member::Member(const Attribute& data) {
  std::optional<std::uint8_t> first;
  std::optional<std::uint8_t> second;
  known = ForEachAttribute(data, [&](const Attribute& attribute) {
    switch (attribute.Type()) {
      case IPSET_ATTR_IP:
        address = AddressOf(attribute);
        break;
      case IPSET_ATTR_IP2:
        second_address = AddressOf(attribute);
        break;
      case IPSET_ATTR_CIDR:
        first = attribute.U8();
        break;
      case IPSET_ATTR_CIDR2:
        second = attribute.U8();
        break;
      case IPSET_ATTR_PORT:
        port = attribute.BigEndian16();
        break;
      case IPSET_ATTR_PROTO:
        protocol = attribute.U8();
        break;
      case IPSET_ATTR_MARK:
        mark = attribute.BigEndian32();
        break;
      case IPSET_ATTR_IFACE:
        device = attribute.Text();
        break;
      case IPSET_ATTR_CADT_FLAGS: {
        const std::uint32_t flags = attribute.BigEndian32().value_or(0);
        starts_with_device = (flags & IPSET_FLAG_IFACE_WILDCARD) != 0;
        physical_device = (flags & IPSET_FLAG_PHYSDEV) != 0;
        excludes = (flags & IPSET_FLAG_NOMATCH) != 0;
        break;
      }
      default:  // what is kept beside the element: its time left, counters, a comment
        break;
    }
  });
  const auto length = [](const std::optional<IpAddress>& of, const std::optional<std::uint8_t>& told) {
    return !of ? 0 : std::min<unsigned>(told.value_or(128), BitsOf(*of));
  };
  lengths = {length(address, first), length(second_address, second)};
}

Result<void> IpsetMembers::Take(kernel::netlink::Bytes attributes) {
  Result<void> taken;
  const bool sound = ForEachAttribute(attributes, [&](const Attribute& part) {
    if (part.Type() == IPSET_ATTR_DATA && taken) {
      taken = TakeForm(part);
    } else if (part.Type() == IPSET_ATTR_ADT) {
      ForEachAttribute(part, [&](const Attribute& data) {
        if (data.Type() == IPSET_ATTR_DATA && taken) {
          taken = TakeMember(data);
        }
      });
    }
  });
  return sound ? taken : UnknownForm();
}

Result<void> IpsetMembers::TakeForm(const Attribute& data) {
  bool masked = false;
  bool unknown = false;
  ForEachAttribute(data, [&](const Attribute& attribute) {
    if (attribute.Type() == IPSET_ATTR_NETMASK) {
      address_mask_ = attribute.U8().value_or(0);
      masked = true;
    } else if (attribute.Type() == IPSET_ATTR_MARKMASK) {
      mark_mask_ = attribute.BigEndian32().value_or(0);
    } else if (attribute.Type() == kBitMask) {
      unknown = true;
    }
  });
  const bool both = std::any_of(asked_.begin(), asked_.end(), [](const auto* one) { return one->second_address; });
  return unknown || (masked && both) ? UnknownForm() : Result<void>();
}

Result<void> IpsetMembers::TakeMember(const Attribute& data) {
  if (++members_ > kMost) {
    return Fail(FailureReason::kError, "list an ipset: it has more than " + std::to_string(kMost) + " members");
  }
  const Member member(data);
  if (!std::all_of(asked_.begin(), asked_.end(), [&](const auto* one) { return member.HasTheFormOf(*one); })) {
    return UnknownForm();
  }
  if (member.protocol.value_or(IPPROTO_TCP) != IPPROTO_TCP) {
    return {};
  }
  facts::IpsetElementKey as_element;
  as_element.address = member.address;
  as_element.second_address = member.second_address;
  as_element.port = member.port;
  as_element.mark = member.mark;
  const auto [first, last] = IndexOf(member.lengths).equal_range(Identity(as_element, member.lengths));
  for (auto met = first; met != last; ++met) {
    const bool holds = !member.physical_device && member.HoldsDevice(asked_[met->second]->device);
    Best& best = best_[met->second];
    if (!best.lengths || *best.lengths < member.lengths) {
      best = {member.lengths, holds, member.excludes, false};
    } else if (*best.lengths == member.lengths && holds) {
      best.contradicted = best.contradicted || (best.holds && best.excludes != member.excludes);
      best.excludes = member.excludes;
      best.holds = true;
    }
  }
  return {};
}

const IpsetMembers::Index& IpsetMembers::IndexOf(Lengths lengths) {
  auto found = std::find_if(indexes_.begin(), indexes_.end(), [&](const auto& one) { return one.first == lengths; });
  if (found == indexes_.end()) {
    Index index;
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      index.emplace(Identity(*asked_[i], lengths), i);
    }
    found = indexes_.emplace(indexes_.end(), lengths, std::move(index));
  }
  return found->second;
}

std::string IpsetMembers::Identity(const facts::IpsetElementKey& element, Lengths lengths) const {
  std::string identity;
  if (element.address) {
    AppendPrefix(*element.address, std::min(lengths.first, address_mask_), identity);
  }
  if (element.second_address) {
    AppendPrefix(*element.second_address, lengths.second, identity);
  }
  const std::uint32_t numbers[] = {element.port.value_or(0), element.mark.value_or(0) & mark_mask_};
  identity.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
  return identity;
}

std::vector<Result<bool>> IpsetMembers::Answers() const {
  std::vector<Result<bool>> answers;
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    const Best& best = best_[i];
    if (best.contradicted) {
      answers.emplace_back(Fail(FailureReason::kError, "list an ipset: its members contradict each other"));
    } else {
      answers.emplace_back(best.holds && best.excludes == asked_[i]->excluded);
    }
  }
  return answers;
}

}  // namespace finwait::firewall::read
