#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/firewall/facts/interface.h"
#include "collectors/firewall/facts/need.h"
#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::facts {

/// Where routing sends a packet.
struct Route {
  static constexpr bool kCrossesOnce = true;  ///< to another process of this program (codec/codec.h)
  bool local = false;                         ///< to this host itself, over loopback
  Interface egress;                           ///< of local ones only a VRF, which is their loopback
  std::optional<IpAddress> masquerade;  ///< what MASQUERADE gives to packets that leave this way; absent: not known
  std::optional<std::uint8_t> hop_limit = {};  ///< `ip route ... hoplimit`; absent: the default of HopLimitKey
  bool on_link = false;                        ///< without a gateway: to a neighbour
  /// The port by which a bridge `egress` sends: of one that has several, nothing but what is true of all is known.
  std::optional<Interface> egress_port = {};
  std::optional<IpAddress> gateway = {};  ///< absent: on link, or of the other family
  std::uint32_t realm = 0;                ///< `ip route ... realm`; 0: none
};

/// What sock_diag tells of one TCP socket. What is absent is not told.
struct Socket {
  std::optional<std::uint32_t> mark;                ///< SO_MARK (INET_DIAG_MARK): told to who has CAP_NET_ADMIN
  std::uint32_t bound_device = 0;                   ///< its index (idiag_if); 0: none
  std::uint32_t user = 0;                           ///< owner; 0 for an orphan too
  bool orphan = false;                              ///< no process holds it
  std::optional<std::uint8_t> type_of_service;      ///< IP_TOS or IPV6_TCLASS, whichever its packets carry
  std::optional<bool> opened_here;                  ///< which end opened the connection
  std::optional<bool> timestamps = {};              ///< its packets carry TCP timestamps, both ways
  std::optional<bool> transparent = {};             ///< IP_TRANSPARENT, of a transparent proxy
  std::optional<std::uint64_t> control_group = {};  ///< cgroup v2, by its number
  /// The class of net_cls or, where it has none, the socket's priority (INET_DIAG_CLASS_ID).
  std::optional<std::uint32_t> class_or_priority = {};
  std::optional<std::uint32_t> priority = {};  ///< SO_PRIORITY; absent: not told apart from a class
  std::optional<bool> window_closed = {};      ///< the peer takes no data (tcpi_snd_wnd is 0)
  bool operator==(const Socket&) const = default;
};

/// Something that may drop packets and that no list of rules shows: a BPF program, or a filter of tc's.
struct ForeignProgram {
  static constexpr std::uint64_t kRoot = 1;  ///< the control group that all others are in

  /// At which packets meet it, or beside which: kIngress or kEgress of `device`; kInput or kPostrouting of a control
  /// group.
  Hook hook = Hook::kIngress;
  std::uint32_t device = 0;         ///< index; 0: packets of all devices
  std::uint64_t control_group = 0;  ///< of which sockets, by its number (cgroup v2); 0: of all
  std::string name;                 ///< with its place: `the BPF program "drop" (17), tc at the egress of eth0`
  bool operator==(const ForeignProgram&) const = default;
};

/// The ends of connections that IPVS (ip_vs) carries from a table of its own, past what rules and routing say. A port
/// of 0 is any.
struct VirtualServices {
  std::vector<Endpoint> services;  ///< what clients connect to; ascending
  std::vector<Endpoint> servers;   ///< those behind it whose answers it translates back; ascending
  bool others = false;             ///< there are more: chosen by a mark, or too many, or they could not be read

  /// The end of the two that is one of them, as text; "" for none. `local`: the end whose packets are looked at.
  std::string Of(const Endpoint& local, const Endpoint& peer) const;
  bool operator==(const VirtualServices&) const = default;
};

/// What the network namespace does to packets of one family besides its rules. What is absent cannot be read.
struct NamespaceFacts {
  /// net.ipv4.ip_early_demux and tcp_early_demux: at the input hook a packet knows the socket that will receive it.
  std::optional<bool> early_demultiplexing = {};
  std::optional<bool> routes_by_mark = {};   ///< `ip rule ... fwmark`
  std::optional<bool> routes_by_ports = {};  ///< `ip rule ... sport|dport|ipproto`, or multipath routes that hash ports
  std::optional<bool> routes_by_user = {};   ///< `ip rule ... uidrange`
  std::optional<bool> routes_by_type_of_service = {};  ///< `ip rule ... tos|dsfield`, `ip route ... tos`
  /// All comes to table main, which has a default route, and no route or rule refuses anything: what this host sends
  /// from an address of its own goes somewhere.
  std::optional<bool> routes_everything = {};
  /// net.ipv4.ip_forward or net.ipv6.conf.all.forwarding.
  std::optional<bool> forwards = {};
  /// net.bridge.bridge-nf-call-iptables, -ip6tables: rules meet what a bridge passes. false: no br_netfilter either.
  std::optional<bool> bridge_calls_rules = {};
  std::vector<ForeignProgram> programs = {};  ///< that may drop packets of the family, and are no rules
  VirtualServices virtual_services = {};
  bool operator==(const NamespaceFacts&) const = default;
};

/// An ipset without its elements.
struct Ipset {
  std::string name;
  std::string type;                ///< "hash:net,port"; "list:set" lists others
  std::optional<IpFamily> family;  ///< absent: of no family
  std::vector<Ipset> members;      ///< of a list:set, in its order
  bool operator==(const Ipset&) const = default;
};

/// One member of an ipset: which elements it holds. What its type does not hold is absent.
struct IpsetMember {
  std::optional<IpAddress> address;
  std::optional<IpAddress> second_address;
  std::uint8_t bits = 0;  ///< of `address`, so many leading bits count
  std::uint8_t second_bits = 0;
  std::optional<std::uint16_t> port;  ///< TCP; host byte order
  std::optional<std::uint32_t> mark;
  std::optional<std::string> device;
  bool starts_with_device = false;  ///< `wildcard`
  bool physical_device = false;     ///< asks for the port of a bridge
  bool excludes = false;            ///< `nomatch`
  /// Ethernet. A member of bitmap:ip,mac has none until the first packet gives it one.
  std::optional<std::array<std::uint8_t, 6>> hardware_address = {};

  /// Whether an element with that device may be one that it holds.
  bool HoldsDevice(const std::string& name) const {
    return !device || (!physical_device && (starts_with_device ? name.starts_with(*device) : name == *device));
  }
  auto operator<=>(const IpsetMember&) const = default;
};

/// The members of an ipset that TCP packets may hit.
struct IpsetContents {
  std::vector<IpsetMember> members;
  std::uint32_t mark_mask = 0xffffffff;  ///< `markmask`: of an element, no other bits count
  bool operator==(const IpsetContents&) const = default;
};

/// What a list of `-m recent` holds of one address.
struct RecentEntry {
  std::uint8_t time_to_live = 0;  ///< of the packet that was noted last
  std::size_t packets = 0;        ///< that it has noted, the newest ones
  bool operator==(const RecentEntry&) const = default;
};

/// A list of `-m recent`.
struct RecentList {
  std::map<IpAddress, RecentEntry> entries;  ///< by the address as a rule's mask has left it
  bool operator==(const RecentList&) const = default;
};

/// An Ethernet address.
struct HardwareAddress {
  std::array<std::uint8_t, 6> bytes = {};
  bool operator==(const HardwareAddress&) const = default;
};

/// What an ipset keeps beside an element that it has.
struct IpsetExtensions {
  bool counts = false;  ///< false: the set has no counters, and rules that ask for them match as if they did not
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  /// What `-j SET --map-set` gives packets (`skbinfo`): all are 0 where the set, or the element, has nothing to give.
  std::uint32_t mark = 0;
  std::uint32_t mark_mask = 0;  ///< the bits of a packet's mark that are cleared before
  std::uint32_t priority = 0;
  bool operator==(const IpsetExtensions&) const = default;
};

/// The wall clock, as the kernel has it.
struct Clock {
  /// What is found by a clock that was read is said of so many seconds after it: as long as the fact is kept, and until
  /// what hangs on it is found again.
  static constexpr std::int64_t kLasts = 75;

  std::int64_t seconds = 0;  ///< since 1970 (UTC), when it was read
  /// The kernel's time zone (`sys_tz`): minutes west of Greenwich; absent: not known.
  std::optional<std::int32_t> minutes_west = {};
  bool operator==(const Clock&) const = default;

  /// The seconds that an answer is for, both included. The kernel's coarse clock may be one behind.
  std::int64_t First() const { return seconds - 1; }
  std::int64_t Last() const { return seconds + kLasts; }
};

/// What conntrack's entry of a packet holds besides its state (ctnetlink_fill_info).
struct ConnectionEntry {
  /// One direction: who sends to whom.
  struct Tuple {
    Endpoint source;
    Endpoint destination;
    std::uint16_t zone = 0;
    bool operator==(const Tuple&) const = default;
  };
  Tuple original;            ///< from the connection's opener, before DNAT
  Tuple reply;               ///< to the opener
  bool is_original = false;  ///< the packet that it was asked for is of the original direction
  std::uint16_t zone = 0;    ///< of the direction that has one
  std::uint32_t status = 0;  ///< IPS_* bits
  std::uint32_t mark = 0;
  /// Bit n is label n, in the kernel's memory order; absent: no room was made for labels.
  std::optional<std::array<std::uint8_t, 16>> labels = {};
  bool expected = false;  ///< by a helper of another connection, which is its master
  /// Until it times out, in seconds, once a FIN has come by: of one that no timeout policy was given. Absent: not
  /// known.
  std::optional<std::uint32_t> timeout_after_fin = {};
  bool operator==(const ConnectionEntry&) const = default;
};

/// A control group of cgroup v2.
struct ControlGroup {
  std::string path;                 ///< from the root of the tree: "/system.slice/ssh.service", "/"
  std::vector<std::uint64_t> line;  ///< the numbers of the root, of each group on the way, and its own
  bool operator==(const ControlGroup&) const = default;
};

/// The answer to a need: something is there (`present`), or the kernel says that nothing is (`absent`), or it could not
/// be asked (`failed`, and why).
class Fact {
 public:
  using Value = std::variant<std::monostate, Error, std::shared_ptr<const Chain>, std::shared_ptr<const Table>,
                             std::shared_ptr<const Set>, std::shared_ptr<const SetElement>,
                             std::shared_ptr<const Route>, std::shared_ptr<const Ipset>, Socket, NamespaceFacts, bool,
                             std::uint64_t, std::shared_ptr<const RecentList>, std::shared_ptr<const ControlGroup>,
                             std::shared_ptr<const IpsetContents>, HardwareAddress, IpsetExtensions, Clock,
                             std::shared_ptr<const ConnectionEntry>>;

  explicit Fact(Value value) : value_(std::move(value)) {}
  Fact(const Fact& other);
  Fact(Fact&& other) noexcept;
  Fact& operator=(const Fact& other);
  Fact& operator=(Fact&& other) noexcept;
  ~Fact();
  static Fact Absent() { return Fact(); }
  static Fact Failed(Error why) { return Fact(Value(std::move(why))); }
  template <typename T>
  static Fact Present(T value) {
    return Fact(Value(std::move(value)));
  }

  bool IsAbsent() const { return std::holds_alternative<std::monostate>(value_); }
  /// Null unless failed.
  const Error* Why() const { return std::get_if<Error>(&value_); }
  /// Null unless present. T follows from the need: a chain, legacy table, set, element, route or ipset by shared_ptr, a
  /// quota, an ipset's element, IPsec policies, a listener or the room in a set or an ipset as bool, a default or a
  /// count as std::uint64_t, a Socket, NamespaceFacts, a HardwareAddress, IpsetExtensions, a Clock, a list of recent
  /// addresses, a control group, a conntrack entry or an ipset's contents by shared_ptr.
  template <typename T>
  const T* As() const {
    return std::get_if<T>(&value_);
  }
  /// The same, for whoever carries facts elsewhere.
  const Value& AsValue() const { return value_; }
  /// Whether both say the same of a quota, a socket, or settings, or say that nothing is there. Others never do.
  bool SameAs(const Fact& other) const;
  /// Bytes of memory, estimated.
  std::size_t Size() const;

 private:
  Fact() = default;

  Value value_;
};

}  // namespace finwait::firewall::facts
