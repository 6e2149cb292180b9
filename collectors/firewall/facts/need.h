#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "collectors/base/ip.h"
#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::facts {

// A need names one fact that an evaluation may ask for, by everything that its answer hangs on.

/// The rules of an nft chain that a collection leaves out (nat chains, and what they jump to).
struct ChainKey {
  TableFamily family = TableFamily::kIpv4;
  std::string table;
  std::string chain;
  auto operator<=>(const ChainKey&) const = default;
};

/// A whole legacy table: the kernel gives no smaller part of it.
struct LegacyTableKey {
  TableFamily family = TableFamily::kIpv4;
  std::string table;
  auto operator<=>(const LegacyTableKey&) const = default;
};

/// A set that only such rules refer to.
struct SetKey {
  TableFamily family = TableFamily::kIpv4;
  std::string table;
  std::string set;
  auto operator<=>(const SetKey&) const = default;
};

/// What `key` hits now in a set that the model does not hold wholly, or whose elements come and go.
struct ElementKey {
  SetKey set;
  Value key;                        ///< as it lies in the registers
  std::shared_ptr<const Set> form;  ///< the set without its elements, to decode the answer by; no part of the identity
  auto operator<=>(const ElementKey& other) const {
    const auto by_set = set <=> other.set;
    return by_set != 0 ? by_set : key <=> other.key;
  }
  bool operator==(const ElementKey& other) const { return (*this <=> other) == 0; }
};

/// Whether an accounting object (`-m nfacct --nfacct-name`) has a quota.
struct QuotaKey {
  std::string accounting_object;
  auto operator<=>(const QuotaKey&) const = default;
};

/// An ipset, by the number that rules have for it (ip_set_id_t).
struct IpsetKey {
  std::uint16_t index = 0;
  auto operator<=>(const IpsetKey&) const = default;
};

/// Whether an ipset has an element. What its type does not hold is absent.
struct IpsetElementKey {
  std::string set;
  std::optional<IpAddress> address;
  std::optional<IpAddress> second_address;
  std::optional<std::uint16_t> port;  ///< TCP; host byte order
  std::optional<std::uint32_t> mark;
  std::string device;
  bool excluded = false;  ///< an element that the set excludes (`nomatch`), in place of one that it has
  std::optional<std::array<std::uint8_t, 6>> hardware_address = {};  ///< Ethernet; absent also where it is not known
  auto operator<=>(const IpsetElementKey&) const = default;
};

/// All that an ipset holds: for connections of which no single element can be asked for, as they are a whole class.
struct IpsetContentsKey {
  std::string set;
  auto operator<=>(const IpsetContentsKey&) const = default;
};

/// Where a packet leaves: everything that routing hangs on (struct flowi4, flowi6).
struct RouteKey {
  static constexpr std::uint8_t kWithoutEcn = 0xfc;  ///< the bits of a type of service that routing asks for

  std::optional<IpAddress> source;  ///< absent: the address that this host would choose
  IpAddress destination;
  std::uint32_t bound_device = 0;            ///< SO_BINDTODEVICE, a VRF, a link-local scope (index); 0: none
  std::uint32_t arriving_on = 0;             ///< the device that a forwarded packet comes in on; 0: sent here
  std::uint32_t mark = 0;                    ///< SO_MARK, or what rules have made of it
  std::uint8_t type_of_service = 0;          ///< without ECN
  std::optional<std::uint32_t> user;         ///< the socket's owner (`ip rule uidrange`)
  std::optional<std::uint16_t> source_port;  ///< TCP; host byte order. Absent: routing is not told the protocol either,
  std::optional<std::uint16_t> destination_port;  ///< as where a hook routes a packet again (ip_route_me_harder)
  auto operator<=>(const RouteKey&) const = default;
};

/// What sock_diag knows of one TCP socket.
struct SocketKey {
  Endpoint local;
  Endpoint peer;
  auto operator<=>(const SocketKey&) const = default;
};

/// What the network namespace does to packets of a family besides its rules.
struct NamespaceKey {
  IpFamily family = IpFamily::kIpv4;
  auto operator<=>(const NamespaceKey&) const = default;
};

/// The time to live that packets sent through a device have, unless their socket or route says otherwise.
struct HopLimitKey {
  IpFamily family = IpFamily::kIpv4;
  std::string device;  ///< empty: IPv4, which has one for all
  auto operator<=>(const HopLimitKey&) const = default;
};

/// Whether the namespace has any IPsec policy or, with both ends of a TCP packet, any that may be for it.
struct IpsecPoliciesKey {
  std::optional<Endpoint> source = {};
  std::optional<Endpoint> destination = {};  ///< there where `source` is
  auto operator<=>(const IpsecPoliciesKey&) const = default;
};

/// Whether a program listens to a queue of packets (NFQUEUE).
struct QueueListenerKey {
  std::uint16_t number = 0;
  auto operator<=>(const QueueListenerKey&) const = default;
};

/// How many connections a rule may count (nf_conncount) without many more coming: conntrack's entries, and the TCP
/// sockets here, as a packet without an entry counts for a moment, too.
struct EntryCountKey {
  std::optional<IpAddress> source = {};  ///< of entries those that this address has opened; absent: all
  auto operator<=>(const EntryCountKey&) const = default;
};

/// What a list of `-m recent` holds.
struct RecentKey {
  std::string list;
  auto operator<=>(const RecentKey&) const = default;
};

/// The link-layer address by which a neighbour is reached, which its packets come from.
struct NeighbourKey {
  std::uint32_t device = 0;  ///< its index
  IpAddress address;
  auto operator<=>(const NeighbourKey&) const = default;
};

/// Where a control group (cgroup v2) stands in its tree, by its number (INET_DIAG_CGROUP_ID).
struct ControlGroupKey {
  std::uint64_t id = 0;
  auto operator<=>(const ControlGroupKey&) const = default;
};

/// Whether one more element fits into a set of nftables that packets fill.
struct SetRoomKey {
  SetKey set;
  auto operator<=>(const SetRoomKey&) const = default;
};

/// What an ipset keeps beside an element: counters, and the mark and priority that it maps to.
struct IpsetExtensionsKey {
  IpsetElementKey element;
  auto operator<=>(const IpsetExtensionsKey&) const = default;
};

/// Whether one more element fits into an ipset.
struct IpsetRoomKey {
  std::string set;
  auto operator<=>(const IpsetRoomKey&) const = default;
};

/// The wall clock.
struct ClockKey {
  auto operator<=>(const ClockKey&) const = default;
};

/// What conntrack's entry of a packet holds: the one that it finds for a packet with these ends.
struct EntryKey {
  Endpoint source;
  Endpoint destination;
  std::uint16_t zone = 0;  ///< that the packet is looked up in
  auto operator<=>(const EntryKey&) const = default;
};

/// The kinds of needs.
using NeedKinds = std::variant<ChainKey, LegacyTableKey, SetKey, ElementKey, QuotaKey, RouteKey, SocketKey,
                               NamespaceKey, IpsetKey, IpsetElementKey, HopLimitKey, IpsecPoliciesKey, QueueListenerKey,
                               EntryCountKey, RecentKey, ControlGroupKey, SetRoomKey, IpsetContentsKey, NeighbourKey,
                               IpsetExtensionsKey, ClockKey, IpsetRoomKey, EntryKey>;

/// One need. What copies, ends and orders so many alternatives is compiled once, in need.cc (see firewall::Expression).
struct Need : NeedKinds {
  using NeedKinds::NeedKinds;
  Need();
  Need(const Need& other);
  Need(Need&& other) noexcept;
  Need& operator=(const Need& other);
  Need& operator=(Need&& other) noexcept;
  ~Need();
  friend bool operator==(const Need& one, const Need& other);
  friend bool operator<(const Need& one, const Need& other);
};
using Needs = std::set<Need>;

/// The alternatives of Need, in its order.
enum class FactKind : std::uint8_t {
  kChain,
  kLegacyTable,
  kSet,
  kElement,
  kQuota,
  kRoute,
  kSocket,
  kNamespace,
  kIpset,
  kIpsetElement,
  kHopLimit,
  kIpsecPolicies,
  kQueueListener,
  kEntryCount,
  kRecent,
  kControlGroup,
  kSetRoom,
  kIpsetContents,
  kNeighbour,
  kIpsetExtensions,
  kClock,
  kIpsetRoom,
  kEntry
};
inline constexpr std::size_t kFactKinds = std::variant_size_v<NeedKinds>;
inline FactKind KindOf(const Need& need) { return static_cast<FactKind>(need.index()); }

/// What is asked, for an operator: "the rules of chain KUBE-SVC-X in table nat", "the route to 192.0.2.9".
std::string Describe(const Need& need);

}  // namespace finwait::firewall::facts
