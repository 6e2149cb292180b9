// Expressions that load a register or compute with registers.
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "collectors/firewall/eval/jenkins_hash.h"
#include "collectors/firewall/eval/rule_machine.h"
#include "collectors/firewall/xt/ipsec.h"
#include "collectors/firewall/xt/neighbour_address.h"
#include "collectors/firewall/xt/packet_entry.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/tcp_options.h"

namespace finwait::firewall::eval {
namespace {

constexpr std::string_view kTooShort = "whether the packet is that long";

std::uint8_t Byte(const Value& value, std::size_t i) {
  return i < value.size() ? std::to_integer<std::uint8_t>(value[i]) : 0;
}

AbstractByte WithMask(AbstractByte byte, std::uint8_t mask) {
  byte.value = byte.value & byte.known & mask;
  byte.known |= static_cast<std::uint8_t>(~mask);
  return byte;
}

AbstractByte WithOnes(AbstractByte byte, std::uint8_t ones) {
  byte.value = static_cast<std::uint8_t>((byte.value & byte.known) | ones);
  byte.known |= ones;
  return byte;
}

AbstractByte Flipped(AbstractByte byte, std::uint8_t flip) {
  byte.value ^= flip & byte.known;
  if ((flip & static_cast<std::uint8_t>(~byte.known)) != 0) {
    byte.field = Field::kNone;  // a field's inverted bits are no field
  }
  return byte;
}

// nft_ct_get_eval(): an address of the family that the entry is not of is no address, even where a rule asks for
// another one than that (`ct original ip saddr != 192.0.2.1` of an IPv6 packet).
bool AsksForAddressOfOther(IpFamily family, std::uint32_t key) {
  const bool ipv4 = key == NFT_CT_SRC_IP || key == NFT_CT_DST_IP;
  const bool ipv6 = key == NFT_CT_SRC_IP6 || key == NFT_CT_DST_IP6;
  return family == IpFamily::kIpv4 ? ipv6 : ipv4;
}

AbstractByte Combined(std::uint32_t operation, const AbstractByte& a, const AbstractByte& b) {
  if (!b.IsKnown() && !a.IsKnown()) {
    return AbstractByte::Unknown();
  }
  const AbstractByte& open = b.IsKnown() ? a : b;
  const std::uint8_t operand = b.IsKnown() ? b.value : a.value;
  switch (operation) {
    case 3:  // NFT_BITWISE_AND
      return WithMask(open, operand);
    case 4:  // NFT_BITWISE_OR
      return WithOnes(open, operand);
    case 5:  // NFT_BITWISE_XOR
      return Flipped(open, operand);
    default:
      return AbstractByte::Unknown();
  }
}

unsigned StateBit(PacketTracking tracking) {
  switch (tracking) {
    case PacketTracking::kNoEntry:
      return NF_CT_STATE_INVALID_BIT;
    case PacketTracking::kTemplate:
    case PacketTracking::kNew:
      return NF_CT_STATE_BIT(IP_CT_NEW);
    case PacketTracking::kEstablished:
      return NF_CT_STATE_BIT(IP_CT_ESTABLISHED);
    case PacketTracking::kRelated:
      return NF_CT_STATE_BIT(IP_CT_RELATED);
    case PacketTracking::kUntracked:
      return NF_CT_STATE_UNTRACKED_BIT;
  }
  return NF_CT_STATE_INVALID_BIT;
}

// ct->status of an entry that its first packet has just made: only what nat has done about it, and helpers, may leave
// bits open.
AbstractNumber<4> FirstStatus(const Packet& packet) {
  unsigned known = packet.confirmed ? unsigned{IPS_CONFIRMED} : 0U;
  unsigned open = IPS_NAT_DONE_MASK | IPS_HELPER;
  for (const auto& [translated, bit] : {std::pair(packet.source_translated, unsigned{IPS_SRC_NAT}),
                                        std::pair(packet.destination_translated, unsigned{IPS_DST_NAT})}) {
    known |= translated == Tristate::kYes ? bit : 0U;
    open |= translated == Tristate::kUnknown ? bit : 0U;
  }
  AbstractNumber<4> status = AbstractNumber<4>::Known(known);
  for (std::size_t i = 0; i < 4; ++i) {
    status.bytes[i].known = static_cast<std::uint8_t>(~(open >> (24 - 8 * i)));
  }
  return status;
}

}  // namespace

RuleMachine::Step RuleMachine::operator()(const Immediate& immediate) {
  std::vector<AbstractByte> bytes;
  std::transform(immediate.value.begin(), immediate.value.end(), std::back_inserter(bytes),
                 [](std::byte byte) { return AbstractByte::Known(byte); });
  Store(immediate.destination, bytes);
  return Step::kNext;
}

Tristate RuleMachine::LinkHeaderBytes(std::size_t offset, std::span<AbstractByte> bytes) const {
  const Packet& packet = at_->packet;
  if (!context_.has_link_header) {
    return Tristate::kNo;  // skb_mac_header_was_set() is false
  }
  const DeviceView& device = context_.in.present ? context_.in : context_.out;
  Wide type = ARPHRD_ETHER;
  const bool type_known = KnownNumber(device.type.bytes, &type);
  if (type_known && type != ARPHRD_ETHER && type != ARPHRD_LOOPBACK) {
    return Tristate::kUnknown;
  }
  const std::uint16_t protocol = packet.family == IpFamily::kIpv4 ? ETH_P_IP : ETH_P_IPV6;
  std::optional<AbstractNumber<6>> sender;  // looked for when it is asked for
  std::optional<AbstractNumber<6>> receiver;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t at = offset + i;
    if (at < 6) {
      receiver = receiver ? receiver : xt::DestinationHardwareAddress(context_, sets_);
      bytes[i] = receiver->bytes[at];
    } else if (at < 12) {
      sender = sender ? sender : xt::SourceHardwareAddress(packet, context_, sets_);
      bytes[i] = sender->bytes[at - 6];
    } else if (at < ETH_HLEN) {
      bytes[i] = AbstractByte::Known(static_cast<std::uint8_t>(at == 12 ? protocol >> 8 : protocol));
    } else {
      return HeaderBytes(NFT_PAYLOAD_NETWORK_HEADER, offset - ETH_HLEN, bytes);
    }
  }
  return type_known || packet.general ? Tristate::kYes : Tristate::kUnknown;
}

Tristate RuleMachine::HeaderBytes(std::uint32_t base, std::size_t offset, std::span<AbstractByte> bytes) const {
  const Packet& packet = at_->packet;
  if (base == NFT_PAYLOAD_LL_HEADER) {
    return LinkHeaderBytes(offset, bytes);
  }
  if (base == NFT_PAYLOAD_INNER_HEADER) {  // what follows the TCP header: nothing, unless it carries data
    std::fill(bytes.begin(), bytes.end(), AbstractByte::Unknown());
    const bool may_carry_data = packet.Domain(Field::kPacketLength).Intervals().back().last > 100;
    return may_carry_data ? Tristate::kUnknown : Tristate::kNo;
  }
  if (base != NFT_PAYLOAD_NETWORK_HEADER && base != NFT_PAYLOAD_TRANSPORT_HEADER) {
    std::fill(bytes.begin(), bytes.end(), AbstractByte::Unknown());
    return Tristate::kUnknown;
  }
  const std::size_t transport = base == NFT_PAYLOAD_TRANSPORT_HEADER ? 0 : packet.NetworkLength();
  const std::size_t to_end = offset + bytes.size() + packet.NetworkLength() - transport;  // from the network header
  bool certain = true;                                                                    // all packets have headers
  if (to_end > packet.NetworkLength() + packet.transport.size()) {
    const IntervalSet lengths = packet.Domain(Field::kPacketLength);
    if (to_end > lengths.Intervals().back().last) {
      return Tristate::kNo;
    }
    certain = to_end <= lengths.Intervals().front().first;
  }
  Tristate there = Tristate::kYes;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t at = offset + i;
    if (at < transport) {
      bytes[i] = packet.network[at];
    } else if (at - transport < packet.transport.size()) {
      bytes[i] = packet.transport[at - transport];
    } else {
      bytes[i] = AbstractByte::Unknown();  // TCP options and data
      there = certain ? Tristate::kYes : Tristate::kUnknown;
    }
  }
  return there;
}

RuleMachine::Step RuleMachine::operator()(const PayloadLoad& load) {
  std::vector<AbstractByte> bytes(std::min<std::size_t>(load.length, Register::kAreaSize));
  const Tristate there = HeaderBytes(load.base, load.offset, bytes);
  Store(load.destination, bytes);
  return Test(there, kTooShort);
}

RuleMachine::Step RuleMachine::operator()(const MetaLoad& load) {
  const Packet& packet = at_->packet;
  const Register to = load.destination;
  const auto device_number = [&](const DeviceView& device, AbstractBytes number) {
    StoreNumber(to, number);
    return Test(TristateOf(device.present), {});
  };
  const auto device_kind = [&](const DeviceView& device) {
    Store(to, device.kind.bytes);
    return Test(TristateOf(device.present && !device.no_kind), {});
  };
  const auto owner = [&](AbstractBytes number) {
    StoreNumber(to, number);
    return Test(
        packet.owner == SocketOwner::kUnknown ? Tristate::kUnknown : TristateOf(packet.owner == SocketOwner::kProcess),
        "the process that holds the socket");
  };
  switch (load.key) {
    case NFT_META_LEN:
      if (context_.hook == Hook::kEgress) {
        const IntervalSet domain = packet.Domain(Field::kPacketLength);
        const auto& lengths = domain.Intervals();
        Wide type = 0;
        const bool ethernet =
            KnownNumber(context_.out.type.bytes, &type) && (type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK);
        if (ethernet && lengths.size() == 1 && lengths.front().first == lengths.front().last) {
          StoreNumber(to, static_cast<std::uint64_t>(lengths.front().first) + ETH_HLEN, 4);
        } else {
          StoreUnknown(to, 4);  // with the link-layer header, whatever its size
        }
      } else {
        StoreNumber(to, AbstractNumber<4>::Of(Field::kPacketLength).bytes);
      }
      return Step::kNext;
    case NFT_META_PROTOCOL: {  // in network order
      const std::uint16_t protocol = packet.family == IpFamily::kIpv4 ? ETH_P_IP : ETH_P_IPV6;
      Store(to, AbstractNumber<2>::Known(protocol).bytes);
      return Step::kNext;
    }
    case NFT_META_NFPROTO: {
      const unsigned family = packet.family == IpFamily::kIpv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
      StoreNumber(to,
                  table_.family == TableFamily::kNetdev   ? unsigned{NFPROTO_NETDEV}
                  : table_.family == TableFamily::kBridge ? unsigned{NFPROTO_BRIDGE}
                                                          : family,
                  1);
      return Step::kNext;
    }
    case NFT_META_L4PROTO:
      StoreNumber(to, IPPROTO_TCP, 1);
      return Step::kNext;
    case NFT_META_PRIORITY:
      StoreNumber(to, packet.priority.bytes);
      return Step::kNext;
    case NFT_META_MARK:
      StoreNumber(to, packet.mark.bytes);
      return Step::kNext;
    case NFT_META_IIF:
      StoreNumber(to, context_.in.index.bytes);
      return Step::kNext;
    case NFT_META_OIF:
      StoreNumber(to, context_.out.index.bytes);
      return Step::kNext;
    case NFT_META_IIFNAME:
      Store(to, context_.in.name.bytes);
      return Step::kNext;
    case NFT_META_OIFNAME:
      Store(to, context_.out.name.bytes);
      return Step::kNext;
    case NFT_META_BRI_IIFNAME:
      Store(to, context_.bridge.name.bytes);
      return Test(TristateOf(context_.bridge.present && context_.in.present), {});
    case NFT_META_BRI_OIFNAME:
      Store(to, context_.bridge.name.bytes);
      return Test(TristateOf(context_.bridge.present && context_.out.present), {});
    case NFT_META_IIFTYPE: {
      // The kernel reads skb->dev here, which on the way out is the device that the packet leaves by.
      const bool leaves = context_.hook == Hook::kPostrouting || context_.hook == Hook::kEgress ||
                          (table_.family == TableFamily::kBridge &&
                           (context_.hook == Hook::kForward || context_.hook == Hook::kOutput));
      const DeviceView& device = leaves ? context_.out : context_.in;
      return device_number(device, device.type.bytes);
    }
    case NFT_META_OIFTYPE:
      return device_number(context_.out, context_.out.type.bytes);
    case NFT_META_IIFGROUP:
      return device_number(context_.in, context_.in.group.bytes);
    case NFT_META_OIFGROUP:
      return device_number(context_.out, context_.out.group.bytes);
    case NFT_META_IIFKIND:
      return device_kind(context_.in);
    case NFT_META_OIFKIND:
      return device_kind(context_.out);
    case NFT_META_SKUID:
      return owner(packet.user.bytes);
    case NFT_META_SKGID:
      return owner(packet.group.bytes);
    case NFT_META_PKTTYPE:
      StoreNumber(to, context_.IsForOtherHost() ? PACKET_OTHERHOST : PACKET_HOST, 1);
      return Step::kNext;
    case NFT_META_SECPATH:
      if (xt::PassesIpsec(at_->packet, sets_) == Tristate::kNo) {
        StoreNumber(to, 0, 1);
      } else {
        StoreUnknown(to, 1);
      }
      return Step::kNext;
    case NFT_META_CGROUP: {  // the class of net_cls
      const SocketFacts* socket = context_.socket;
      StoreUnknown(to, 4);
      if (socket != nullptr && socket->class_or_priority == 0U) {
        StoreNumber(to, 0, 4);  // neither a class nor a priority
      }
      return Test(socket != nullptr ? context_.socket_attached : Tristate::kNo, "the socket that the packet leads to");
    }
    case NFT_META_CPU:
    case NFT_META_PRANDOM:
    case NFT_META_SECMARK:
      StoreUnknown(to, 8);
      return Step::kNext;
    case NFT_META_TIME_NS:
    case NFT_META_TIME_DAY:
    case NFT_META_TIME_HOUR:
      StoreTime(load);
      return Step::kNext;
    default:  // routing realms, control groups, bridge ports, VRF slaves, and what is newer than this version
      StoreUnknown(to, 16);
      return Test(Tristate::kUnknown, "a property of the packet that this version does not know");
  }
}

// nft_meta_get_eval_time(): a number between those that it is at both ends of the time that an answer is for.
void RuleMachine::StoreTime(const MetaLoad& load) {
  constexpr std::int64_t kDay = 86400;
  constexpr std::int64_t kFirstWeekday = 4;  // 1970-01-01 was a Thursday
  const facts::Fact* fact = sets_.Ask(facts::ClockKey{});
  const auto* clock = fact != nullptr ? fact->As<facts::Clock>() : nullptr;
  if (clock == nullptr || clock->First() < kDay || (load.key == NFT_META_TIME_DAY && !clock->minutes_west)) {
    StoreUnknown(load.destination, 8);
    return;
  }
  const auto between = [](std::int64_t first, std::int64_t last, std::int64_t most) {
    const auto one = static_cast<Wide>(first);
    const auto other = static_cast<Wide>(last);
    // A day or a week that begins meanwhile begins with 0.
    return one <= other ? IntervalSet::Between(one, other)
                        : IntervalSet::Union({{0, other}, {one, static_cast<Wide>(most)}});
  };
  Packet& packet = at_->packet;
  if (load.key == NFT_META_TIME_NS) {
    constexpr std::int64_t kNanoseconds = 1'000'000'000;
    packet.Restrict(Field::kTime, between(clock->First() * kNanoseconds, (clock->Last() + 1) * kNanoseconds, 0));
    StoreNumber(load.destination, AbstractNumber<8>::Of(Field::kTime).bytes);
  } else if (load.key == NFT_META_TIME_HOUR) {
    packet.Restrict(Field::kDaytime, between(clock->First() % kDay, clock->Last() % kDay, kDay - 1));
    StoreNumber(load.destination, AbstractNumber<4>::Of(Field::kDaytime).bytes);
  } else {
    const auto weekday = [&](std::int64_t seconds) {
      return (kFirstWeekday + (seconds - 60 * *clock->minutes_west) / kDay) % 7;
    };
    packet.Restrict(Field::kWeekday, between(weekday(clock->First()), weekday(clock->Last()), 6));
    StoreNumber(load.destination, AbstractNumber<1>::Of(Field::kWeekday).bytes);
  }
}

RuleMachine::Step RuleMachine::operator()(const CtLoad& load) {
  const Packet& packet = at_->packet;
  const Register to = load.destination;
  if (load.key == NFT_CT_STATE) {
    StoreNumber(to, StateBit(packet.tracking), 4);
    return Step::kNext;
  }
  if (packet.tracking == PacketTracking::kNoEntry || packet.tracking == PacketTracking::kUntracked) {
    return Miss();  // nf_ct_get() gives nothing
  }
  if (AsksForAddressOfOther(packet.family, load.key)) {
    return Miss();
  }
  StoreUnknown(to, 16);
  if (packet.tracking == PacketTracking::kTemplate) {  // nf_ct_tmpl_alloc()
    if (load.key == NFT_CT_STATUS) {
      StoreNumber(to, IPS_TEMPLATE, 4);
    } else if (load.key == NFT_CT_MARK) {
      StoreNumber(to, 0, 4);
    } else if (load.key == NFT_CT_DIRECTION) {
      StoreNumber(to, 0, 1);
    }
    // Linux 6.18 does not match (seen), older ones read the template.
    return Test(Tristate::kUnknown, "whether this kernel takes a template for an entry");
  }
  if (load.key == NFT_CT_L3PROTOCOL) {
    StoreNumber(to, packet.family == IpFamily::kIpv4 ? unsigned{NFPROTO_IPV4} : unsigned{NFPROTO_IPV6}, 1);
    return Step::kNext;
  }
  if (load.key == NFT_CT_PROTOCOL) {
    StoreNumber(to, IPPROTO_TCP, 1);
    return Step::kNext;
  }
  if (packet.tracking != PacketTracking::kNew) {
    return LoadOfEntry(load);
  }
  const bool reply = load.direction && *load.direction == 1;  // IP_CT_DIR_REPLY
  const bool plain = packet.source_translated == Tristate::kNo && packet.destination_translated == Tristate::kNo;
  const auto tuple = [&](AbstractBytes own, AbstractBytes mirrored) {
    if (plain) {
      Store(to, reply ? mirrored : own);
    }
    return Step::kNext;
  };
  switch (load.key) {
    case NFT_CT_DIRECTION:
      StoreNumber(to, 0, 1);
      return Step::kNext;
    case NFT_CT_STATUS:
      StoreNumber(to, FirstStatus(packet).bytes);
      return Step::kNext;
    case NFT_CT_MARK:
      StoreNumber(to, packet.connection_mark.bytes);
      return Step::kNext;
    case NFT_CT_HELPER:
      return Miss();  // only expected connections have a master with a helper
    case NFT_CT_SRC:
    case NFT_CT_SRC_IP:
    case NFT_CT_SRC_IP6:
      return tuple(packet.SourceAddress(), packet.DestinationAddress());
    case NFT_CT_DST:
    case NFT_CT_DST_IP:
    case NFT_CT_DST_IP6:
      return tuple(packet.DestinationAddress(), packet.SourceAddress());
    case NFT_CT_PROTO_SRC:
      return tuple(packet.SourcePort(), packet.DestinationPort());
    case NFT_CT_PROTO_DST:
      return tuple(packet.DestinationPort(), packet.SourcePort());
    default:
      return Step::kNext;
  }
}

// nft_ct_get_eval() of an entry that was there before the packet. What is not told of it stays unknown.
RuleMachine::Step RuleMachine::LoadOfEntry(const CtLoad& load) {
  const Packet& packet = at_->packet;
  const Register to = load.destination;
  if (load.key == NFT_CT_MARK) {
    StoreNumber(to, xt::ConnectionMarkOf(packet, sets_).bytes);
    return Step::kNext;
  }
  const facts::ConnectionEntry* entry = xt::EntryOf(packet, sets_);
  if (entry == nullptr) {
    // Whether there is a helper of a master is part of what is not known.
    return load.key == NFT_CT_HELPER ? Test(Tristate::kUnknown, xt::kEntry) : Step::kNext;
  }
  const bool reply = load.direction && *load.direction == 1;  // IP_CT_DIR_REPLY
  const auto& tuple = reply ? entry->reply : entry->original;
  const auto address = [&](const Endpoint& end) {
    std::vector<AbstractByte> bytes;
    std::ranges::transform(end.address.Bytes(), std::back_inserter(bytes),
                           [](std::byte byte) { return AbstractByte::Known(byte); });
    Store(to, bytes);
    return Step::kNext;
  };
  const auto port = [&](const Endpoint& end) {
    Store(to, AbstractNumber<2>::Known(end.port).bytes);
    return Step::kNext;
  };
  switch (load.key) {
    case NFT_CT_DIRECTION:
      StoreNumber(to, entry->is_original ? 0 : 1, 1);
      return Step::kNext;
    case NFT_CT_STATUS:
      StoreNumber(to, entry->status, 4);
      return Step::kNext;
    case NFT_CT_LABELS: {
      std::vector<AbstractByte> bytes;
      for (const std::uint8_t byte : entry->labels.value_or(std::array<std::uint8_t, 16>{})) {
        bytes.push_back(AbstractByte::Known(byte));
      }
      Store(to, bytes);
      return Step::kNext;
    }
    case NFT_CT_ZONE:
      StoreNumber(to, load.direction ? tuple.zone : entry->zone, 2);
      return Step::kNext;
    case NFT_CT_EXPIRATION: {  // in milliseconds; the packet itself has set it
      constexpr std::uint32_t kMost = UINT32_MAX / 1000;
      const auto left = xt::TimeoutAt(packet, *entry);
      if (left && *left <= kMost) {
        StoreNumber(to, std::uint64_t{*left} * 1000, 4);
      }
      return Step::kNext;
    }
    case NFT_CT_HELPER:
      return entry->expected ? Test(Tristate::kUnknown, xt::kEntry) : Miss();
    case NFT_CT_SRC:
    case NFT_CT_SRC_IP:
    case NFT_CT_SRC_IP6:
      return address(tuple.source);
    case NFT_CT_DST:
    case NFT_CT_DST_IP:
    case NFT_CT_DST_IP6:
      return address(tuple.destination);
    case NFT_CT_PROTO_SRC:
      return port(tuple.source);
    case NFT_CT_PROTO_DST:
      return port(tuple.destination);
    default:
      return Step::kNext;
  }
}

RuleMachine::Step RuleMachine::operator()(const Bitwise& bitwise) {
  std::vector<AbstractByte> bytes = Read(bitwise.source, bitwise.length);
  if (bitwise.operation == NFT_BITWISE_BOOL) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = Flipped(WithMask(bytes[i], Byte(bitwise.mask, i)), Byte(bitwise.xor_value, i));
    }
  } else if (bitwise.operation == NFT_BITWISE_LSHIFT || bitwise.operation == NFT_BITWISE_RSHIFT) {
    // Words in the host's order; what leaves one enters the one before it (left) or behind it (right).
    const std::size_t words = (bytes.size() + 3) / 4;
    const std::vector<AbstractByte> whole = Read(bitwise.source, words * 4);
    const bool known = std::all_of(whole.begin(), whole.end(), [](const AbstractByte& each) { return each.IsKnown(); });
    bytes.assign(words * 4, AbstractByte::Unknown());
    if (known && bitwise.shift < 32) {
      const bool left = bitwise.operation == NFT_BITWISE_LSHIFT;
      std::uint64_t carry = 0;
      for (std::size_t step = 0; step < words; ++step) {
        const std::size_t at = 4 * (left ? words - 1 - step : step);
        std::uint8_t raw[4];
        std::transform(whole.begin() + static_cast<std::ptrdiff_t>(at),
                       whole.begin() + static_cast<std::ptrdiff_t>(at) + 4, raw,
                       [](const AbstractByte& each) { return each.value; });
        std::uint32_t word = 0;
        std::memcpy(&word, raw, sizeof word);
        const std::uint32_t shifted = static_cast<std::uint32_t>(
            (left ? std::uint64_t{word} << bitwise.shift : std::uint64_t{word} >> bitwise.shift) | carry);
        carry = left ? std::uint64_t{word} >> (32 - bitwise.shift)
                     : (std::uint64_t{word} << (32 - bitwise.shift)) & 0xffffffff;
        std::memcpy(raw, &shifted, sizeof raw);
        for (std::size_t i = 0; i < 4; ++i) {
          bytes[at + i] = AbstractByte::Known(raw[i]);
        }
      }
    }
  } else {
    std::vector<AbstractByte> operand(bytes.size());
    if (bitwise.second_source) {
      operand = Read(*bitwise.second_source, bytes.size());
    } else {
      for (std::size_t i = 0; i < operand.size(); ++i) {
        operand[i] = AbstractByte::Known(Byte(bitwise.mask, i));
      }
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = Combined(bitwise.operation, bytes[i], operand[i]);
    }
  }
  Store(bitwise.destination, bytes);
  return Step::kNext;
}

RuleMachine::Step RuleMachine::operator()(const ByteOrder& order) {
  std::vector<AbstractByte> bytes = Read(order.source, order.length);
  if constexpr (std::endian::native == std::endian::little) {
    for (std::size_t i = 0; order.size > 0 && i + order.size <= bytes.size(); i += order.size) {
      std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                   bytes.begin() + static_cast<std::ptrdiff_t>(i + order.size));
    }
  }
  Store(order.destination, bytes);
  return Step::kNext;
}

RuleMachine::Step RuleMachine::operator()(const NumberGenerator& generator) {
  return StoreChance(generator.destination, generator.modulus, generator.offset);
}

// nft_jhash_eval(). The kernel does not tell a seed that it has drawn itself.
RuleMachine::Step RuleMachine::operator()(const Hash& hash) {
  const std::vector<AbstractByte> bytes = Read(hash.source, hash.length);
  const bool known = hash.type == NFT_HASH_JENKINS && hash.seed != 0 && !bytes.empty() &&
                     std::ranges::all_of(bytes, [](const AbstractByte& byte) { return byte.IsKnown(); });
  if (!known) {
    return StoreChance(hash.destination, hash.modulus, hash.offset);
  }
  std::vector<std::uint8_t> values(bytes.size());
  std::ranges::transform(bytes, values.begin(), [](const AbstractByte& byte) { return byte.value; });
  const std::uint64_t scaled = (std::uint64_t{JenkinsHash(values, hash.seed)} * hash.modulus) >> 32;
  StoreNumber(hash.destination, AbstractNumber<4>::Known(static_cast<std::uint32_t>(scaled) + hash.offset).bytes);
  return Step::kNext;
}

// `offset` and up to `modulus` - 1 more. The packet holds one such number at a time: what remains of an older one is
// forgotten.
RuleMachine::Step RuleMachine::StoreChance(Register destination, std::uint32_t modulus, std::uint32_t offset) {
  Packet& packet = at_->packet;
  std::vector<std::span<AbstractByte>> places = {at_->registers,        packet.mark.bytes, packet.connection_mark.bytes,
                                                 packet.priority.bytes, packet.network,    packet.transport};
  for (packet::SetChange& change : packet.lasting.sets) {
    places.insert(places.end(), {change.key, change.data});
  }
  for (const std::span<AbstractByte> place : places) {
    for (AbstractByte& byte : place) {
      byte = byte.field == Field::kChance ? AbstractByte::Unknown() : byte;
    }
  }
  if (modulus == 0 || std::uint64_t{offset} + modulus > std::uint64_t{1} << 32) {
    StoreUnknown(destination, 4);
    return Step::kNext;
  }
  packet.Restrict(Field::kChance, IntervalSet::Between(offset, offset + (modulus - 1)));
  StoreNumber(destination, AbstractNumber<4>::Of(Field::kChance).bytes);
  return Step::kNext;
}

RuleMachine::Step RuleMachine::operator()(const Fib& fib) {
  const Packet& packet = at_->packet;
  const bool of_destination = (fib.flags & NFTA_FIB_F_DADDR) != 0;
  const AddressKind kind = of_destination ? packet.destination_kind : packet.source_kind;
  const bool on_device = (fib.flags & (NFTA_FIB_F_IIF | NFTA_FIB_F_OIF)) != 0;
  if (fib.result == NFT_FIB_RESULT_ADDRTYPE) {
    if (kind == AddressKind::kUnknown || (kind == AddressKind::kLocal && on_device)) {
      StoreUnknown(fib.destination, 4);
    } else {
      StoreNumber(fib.destination, kind == AddressKind::kLocal ? unsigned{RTN_LOCAL} : unsigned{RTN_UNICAST}, 4);
    }
    return Step::kNext;
  }
  // The device of the route to the address; 0 or "" when there is none, or when it is not the device asked for.
  DeviceView found;
  Tristate exists = Tristate::kUnknown;
  if (context_.path_kind == PathKind::kLoopback) {
    exists = context_.hook == Hook::kPrerouting ? Tristate::kYes : Tristate::kUnknown;
    found = context_.in;
  } else if ((fib.flags & NFTA_FIB_F_MARK) != 0 && packet.mark != AbstractNumber<4>::Known(0)) {
    exists = Tristate::kUnknown;
  } else if (kind == AddressKind::kLocal) {
    exists = Tristate::kNo;
  } else if (kind == AddressKind::kRemote && of_destination && !on_device) {
    exists = TristateOf(context_.route_to_destination.present);
    found = context_.route_to_destination;
  } else if (kind == AddressKind::kRemote && !of_destination && (fib.flags & NFTA_FIB_F_IIF) != 0) {
    exists = context_.source_routes_to_input;
    found = context_.in;
  } else if (kind == AddressKind::kRemote && !of_destination && !on_device) {
    exists = context_.route_to_source.present ? Tristate::kYes : Tristate::kUnknown;
    found = context_.route_to_source;
  }
  const bool by_name = fib.result == NFT_FIB_RESULT_OIFNAME;
  if (exists == Tristate::kUnknown) {
    StoreUnknown(fib.destination, by_name ? 16 : 4);
    return Step::kNext;
  }
  if ((fib.flags & NFTA_FIB_F_PRESENT) != 0) {
    StoreNumber(fib.destination, exists == Tristate::kYes ? 1 : 0, by_name ? 1 : 4);
  } else if (exists == Tristate::kNo) {
    Store(fib.destination, AbstractBytes(AbstractNumber<16>::Known(0).bytes).first(by_name ? 16 : 4));
  } else if (by_name) {
    Store(fib.destination, found.name.bytes);
  } else {
    StoreNumber(fib.destination, found.index.bytes);
  }
  return Step::kNext;
}

RuleMachine::Step RuleMachine::operator()(const RouteLoad& load) {
  StoreUnknown(load.destination, 16);
  if (load.key == NFT_RT_XFRM && xt::PassesIpsec(at_->packet, sets_) == Tristate::kNo) {
    StoreNumber(load.destination, 0, 1);
    return Step::kNext;
  }
  if (load.key == NFT_RT_CLASSID && context_.realm) {
    StoreNumber(load.destination, *context_.realm, 4);
    return Step::kNext;
  }
  const bool asks_next_hop = load.key == NFT_RT_NEXTHOP4 || load.key == NFT_RT_NEXTHOP6;
  const IpFamily asked = load.key == NFT_RT_NEXTHOP4 ? IpFamily::kIpv4 : IpFamily::kIpv6;
  if (asks_next_hop && asked != at_->packet.family) {
    return Miss();  // nft_rt_get_eval() breaks off
  }
  if (asks_next_hop && context_.next_hop && context_.next_hop->Family() == asked) {
    std::vector<AbstractByte> bytes;
    for (const std::byte byte : context_.next_hop->Bytes()) {
      bytes.push_back(AbstractByte::Known(byte));
    }
    Store(load.destination, bytes);
    return Step::kNext;
  }
  return Test(Tristate::kUnknown, "the packet's route");
}

RuleMachine::Step RuleMachine::operator()(const ExtensionHeader& header) {
  constexpr std::uint32_t kTcpOption = 1;  // NFT_EXTHDR_OP_TCPOPT
  if (!header.destination) {               // rewrites an option where there is one, or takes it out
    if (header.type == xt::kTcpTimestamps) {
      xt::StripTcpTimestamps(at_->packet);
    }
    return Step::kNext;
  }
  // IPv6 extension headers and IPv4 options are not there at all.
  const Tristate there = header.operation == kTcpOption ? xt::HasTcpOption(at_->packet, header.type) : Tristate::kNo;
  const bool asks_presence = (header.flags & NFT_EXTHDR_F_PRESENT) != 0;
  if (there == Tristate::kNo) {
    StoreNumber(*header.destination, 0, 4);
    return asks_presence ? Step::kNext : Miss();
  }
  if (asks_presence) {
    AbstractNumber<4> present = AbstractNumber<4>::Known(1);
    present.bytes[3].known = there == Tristate::kYes ? 0xff : 0xfe;
    StoreNumber(*header.destination, present.bytes);
    return Step::kNext;
  }
  StoreUnknown(*header.destination, header.length);
  const bool too_long = header.offset + header.length > xt::kTcpTimestampsLength;
  if (there == Tristate::kYes && too_long) {
    return Miss();
  }
  return Test(there, "a TCP option");
}

RuleMachine::Step RuleMachine::operator()(const SocketLoad& load) {
  StoreUnknown(load.destination, 8);
  if (context_.socket == nullptr) {
    return Test(Tristate::kUnknown, "what socket receives the packet");
  }
  const SocketFacts& socket = *context_.socket;
  switch (load.key) {
    case NFT_SOCKET_WILDCARD:
      StoreNumber(load.destination, 0, 1);  // a connected socket is bound to an address
      return Step::kNext;
    case NFT_SOCKET_TRANSPARENT:
      if (socket.transparent) {
        StoreNumber(load.destination, *socket.transparent ? 1 : 0, 1);
      }
      return Step::kNext;
    case NFT_SOCKET_MARK:
      if (socket.mark) {
        StoreNumber(load.destination, *socket.mark, 4);
      }
      return Step::kNext;
    case NFT_SOCKET_CGROUPV2:
      return LoadControlGroup(load);
    default:
      return Step::kNext;
  }
}

// nft_sock_get_eval_cgroupv2(): the number of the group at that level above the socket's own; none: no match.
RuleMachine::Step RuleMachine::LoadControlGroup(const SocketLoad& load) {
  if (at_->packet.general) {
    StoreNumber(load.destination, 0, 8);  // no rule for a group singles it out
    return Step::kNext;
  }
  const auto& id = context_.socket->control_group;
  const facts::Fact* fact = id ? sets_.Ask(facts::ControlGroupKey{*id}) : nullptr;
  const auto* group = fact != nullptr ? fact->As<std::shared_ptr<const facts::ControlGroup>>() : nullptr;
  if (group == nullptr) {
    return Test(Tristate::kUnknown, "the socket's control group");
  }
  if (load.level >= (*group)->line.size()) {
    return Miss();
  }
  StoreNumber(load.destination, (*group)->line[load.level], 8);
  return Step::kNext;
}

// Only SYN packets have a fingerprint.
RuleMachine::Step RuleMachine::operator()(const OsFingerprint&) { return Miss(); }

RuleMachine::Step RuleMachine::operator()(const TunnelLoad& load) {
  StoreUnknown(load.destination, 4);
  return Test(Tristate::kUnknown, "a tunnel's metadata");
}

RuleMachine::Step RuleMachine::operator()(const XfrmLoad& load) {
  StoreUnknown(load.destination, 16);
  return Test(xt::PassesIpsec(at_->packet, sets_), "an IPsec state");
}

RuleMachine::Step RuleMachine::operator()(const Inner&) {
  at_->registers.fill(AbstractByte::Unknown());
  return Test(Tristate::kUnknown, "a packet inside the packet");
}

}  // namespace finwait::firewall::eval
