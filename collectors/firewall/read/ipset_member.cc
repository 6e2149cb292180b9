#include "collectors/firewall/read/ipset_member.h"

#include <linux/netfilter/ipset/ip_set.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "collectors/base/ip.h"

namespace finwait::firewall::read {
namespace {

using kernel::netlink::Attribute;
using kernel::netlink::ForEachAttribute;

constexpr std::uint16_t kBitMask = 12;  // IPSET_ATTR_BITMASK, Linux 6.1

std::optional<IpAddress> AddressOf(const Attribute& nest) {
  std::optional<IpAddress> address;
  ForEachAttribute(nest, [&](const Attribute& attribute) {
    if (attribute.Type() == IPSET_ATTR_IPADDR_IPV4 || attribute.Type() == IPSET_ATTR_IPADDR_IPV6) {
      address = IpAddress::FromBytes(attribute.Payload());
    }
  });
  return address;
}

Result<IpsetForm> FormOf(const Attribute& data) {
  IpsetForm form;
  bool unknown = false;
  ForEachAttribute(data, [&](const Attribute& attribute) {
    if (attribute.Type() == IPSET_ATTR_NETMASK) {
      form.address_mask = attribute.U8().value_or(0);
      form.masks_addresses = true;
    } else if (attribute.Type() == IPSET_ATTR_MARKMASK) {
      // ipset's one number that the kernel lists as it holds it (mtype_head()), though it takes it in network byte
      // order.
      form.mark_mask = (attribute.IsMarkedBigEndian() ? attribute.BigEndian32() : attribute.U32()).value_or(0);
    } else if (attribute.Type() == IPSET_ATTR_CADT_FLAGS) {
      form.has_counters = (attribute.BigEndian32().value_or(0) & IPSET_FLAG_WITH_COUNTERS) != 0;
    } else if (attribute.Type() == kBitMask) {
      unknown = true;
    }
  });
  if (unknown) {
    return UnknownIpsetForm();
  }
  return form;
}

Result<ListedMember> MemberOf(const Attribute& data) {
  ListedMember listed;
  facts::IpsetMember& member = listed.member;
  std::optional<std::uint8_t> first;
  std::optional<std::uint8_t> second;
  const bool sound = ForEachAttribute(data, [&](const Attribute& attribute) {
    switch (attribute.Type()) {
      case IPSET_ATTR_IP:
        member.address = AddressOf(attribute);
        break;
      case IPSET_ATTR_IP2:
        member.second_address = AddressOf(attribute);
        break;
      case IPSET_ATTR_CIDR:
        first = attribute.U8();
        break;
      case IPSET_ATTR_CIDR2:
        second = attribute.U8();
        break;
      case IPSET_ATTR_PORT:
        member.port = attribute.BigEndian16();
        break;
      case IPSET_ATTR_PROTO:
        listed.of_tcp = attribute.U8().value_or(IPPROTO_TCP) == IPPROTO_TCP;
        break;
      case IPSET_ATTR_MARK:
        member.mark = attribute.BigEndian32();
        break;
      case IPSET_ATTR_IFACE:
        member.device = attribute.Text();
        break;
      case IPSET_ATTR_CADT_FLAGS: {
        const std::uint32_t flags = attribute.BigEndian32().value_or(0);
        member.starts_with_device = (flags & IPSET_FLAG_IFACE_WILDCARD) != 0;
        member.physical_device = (flags & IPSET_FLAG_PHYSDEV) != 0;
        member.excludes = (flags & IPSET_FLAG_NOMATCH) != 0;
        break;
      }
      case IPSET_ATTR_ETHER:
        member.hardware_address.emplace();
        if (attribute.Payload().size() != member.hardware_address->size()) {
          member.hardware_address.reset();
          break;
        }
        std::memcpy(member.hardware_address->data(), attribute.Payload().data(), member.hardware_address->size());
        break;
      case IPSET_ATTR_PACKETS:
        listed.extensions.packets = attribute.BigEndian64().value_or(0);
        break;
      case IPSET_ATTR_BYTES:
        listed.extensions.bytes = attribute.BigEndian64().value_or(0);
        break;
      case IPSET_ATTR_SKBMARK: {
        const std::uint64_t mark_and_mask = attribute.BigEndian64().value_or(0);
        listed.extensions.mark = static_cast<std::uint32_t>(mark_and_mask >> 32);
        listed.extensions.mark_mask = static_cast<std::uint32_t>(mark_and_mask);
        break;
      }
      case IPSET_ATTR_SKBPRIO:
        listed.extensions.priority = attribute.BigEndian32().value_or(0);
        break;
      default:  // what is kept beside the element: its time left, a comment
        break;
    }
  });
  if (!sound) {
    return UnknownIpsetForm();
  }
  const auto length = [](const std::optional<IpAddress>& of, const std::optional<std::uint8_t>& told) {
    const unsigned all = of ? static_cast<unsigned>(of->Bytes().size() * 8) : 0;
    return static_cast<std::uint8_t>(std::min<unsigned>(told.value_or(all), all));
  };
  member.bits = length(member.address, first);
  member.second_bits = length(member.second_address, second);
  return listed;
}

}  // namespace

Failure UnknownIpsetForm() {
  return Fail(FailureReason::kUnsupported,
              "list an ipset: it is of another type than before, or has options that this program does not know");
}

Result<void> ReadIpsetMessage(kernel::netlink::Bytes attributes,
                              const std::function<Result<void>(const IpsetForm&)>& on_form,
                              const std::function<Result<void>(const ListedMember&)>& on_member) {
  Result<void> taken;
  const auto hand_on = [&taken](const auto& part, const auto& whom) {
    taken = part ? whom(*part) : Failure(part.error());
  };
  const bool sound = ForEachAttribute(attributes, [&](const Attribute& part) {
    if (part.Type() == IPSET_ATTR_DATA && taken) {
      hand_on(FormOf(part), on_form);
    } else if (part.Type() == IPSET_ATTR_ADT) {
      ForEachAttribute(part, [&](const Attribute& data) {
        if (data.Type() == IPSET_ATTR_DATA && taken) {
          hand_on(MemberOf(data), on_member);
        }
      });
    }
  });
  return sound ? taken : UnknownIpsetForm();
}

}  // namespace finwait::firewall::read
