#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/facts/need.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/packet/abstract_value.h"
#include "collectors/firewall/packet/tristate.h"

namespace finwait::firewall::packet {

/// What conntrack says of a packet (skb->_nfct and its ctinfo).
enum class PacketTracking {
  kNoEntry,      ///< none, and none could be made, or nobody has looked yet: matches see INVALID
  kTemplate,     ///< a template set before the look-up (zone, helper): matches see NEW; the look-up replaces it
  kNew,          ///< an entry was made for this packet
  kEstablished,  ///< of a live entry
  kRelated,
  kUntracked,  ///< NOTRACK
};

/// As the tools write it: "INVALID", "NEW", "ESTABLISHED", "RELATED", "UNTRACKED"; a template shows as "NEW".
std::string_view Name(PacketTracking tracking);

/// Where an address of the packet is, as far as this host's routing is concerned.
enum class AddressKind { kUnknown, kLocal, kRemote };

/// Whether skb->sk leads to a process (sk_socket and its file).
enum class SocketOwner {
  kNone,     ///< no socket here, or an orphan: the process has gone
  kProcess,  ///< Packet::user and Packet::group are its
  kUnknown,
};

/// A change that a rule made to a set of nftables for one packet.
struct SetChange {
  facts::SetKey set;
  std::vector<AbstractByte> key;
  bool there = false;  ///< put into it, not taken out
  /// Of what was put into a map: what the map gives for the key, as it lies in the registers.
  std::vector<AbstractByte> data = {};
  /// Whether what the element carries (a limit, a count of connections) lets it match.
  Tristate matches = Tristate::kYes;
  bool operator==(const SetChange&) const = default;
};

/// A change that a rule made to a list of `-m recent` for one packet.
struct ListChange {
  enum class Kind {
    kNoted,   ///< one packet more of that address
    kForgot,  ///< the address was taken out
    kMaybe,   ///< one or the other, or nothing
  };
  std::string list;
  std::vector<AbstractByte> address;
  Kind kind = Kind::kNoted;
  bool operator==(const ListChange&) const = default;
};

/// A change that a rule made to an ipset for one packet (`-j SET`). What element that is hangs on the set's type.
struct IpsetChange {
  std::uint16_t set = 0;                   ///< its number (ip_set_id_t)
  std::uint8_t dimensions = 0;             ///< for how many parts of an element the rule says whose they are
  std::uint8_t from_source = 0;            ///< which are of the packet's source (IPSET_DIM_*_SRC)
  std::vector<AbstractByte> addresses;     ///< source and destination, one after the other
  std::array<AbstractByte, 4> ports = {};  ///< source and destination
  bool there = false;                      ///< put into it, not taken out
  bool operator==(const IpsetChange&) const = default;
};

/// What rules have changed on a packet's account and is so for the packets that come after it.
struct LastingChanges {
  std::vector<SetChange> sets;  ///< of nftables; the newest change of a key counts
  std::vector<ListChange> lists;
  std::vector<IpsetChange> ipsets;  ///< the newest counts
  bool operator==(const LastingChanges&) const = default;
  bool Empty() const { return sets.empty() && lists.empty() && ipsets.empty(); }
  /// As the packets of the other direction find them: where addresses and ports are open, source is destination.
  LastingChanges TurnedRound() const;
};

/// Where a packet's fate first depended on something that cannot be known.
struct Uncertainty {
  std::string because;  ///< "a rate limit", "the source address"
  const Table* table = nullptr;
  const Chain* chain = nullptr;
  const Rule* rule = nullptr;
  Hook hook = Hook::kInput;
};

/// One TCP packet on its way through the hooks, known as far as anybody can know it. Rules narrow it down (a
/// condition on an unknown field splits it in two) and change it (marks, rewritten headers).
struct Packet {
  IpFamily family = IpFamily::kIpv4;
  /// Fields that tell connections apart are "general" instead of unknown: see Decide() in condition.h.
  bool general = false;

  std::array<AbstractByte, 40> network = {};    ///< the IP header; IPv4 uses 20 bytes
  std::array<AbstractByte, 20> transport = {};  ///< the TCP header without options
  AbstractNumber<4> mark = AbstractNumber<4>::Known(0);
  AbstractNumber<4> priority = AbstractNumber<4>::Of(Field::kPriority);

  SocketOwner owner = SocketOwner::kNone;
  AbstractNumber<4> user = AbstractNumber<4>::Of(Field::kUser);
  AbstractNumber<4> group = AbstractNumber<4>::Of(Field::kGroup);

  PacketTracking tracking = PacketTracking::kNoEntry;
  /// The zone in which conntrack looks it up, for either direction; absent: not known, or not for both alike.
  std::optional<std::uint16_t> zone = std::uint16_t{0};
  /// The mark of its entry. Of a kEstablished packet, what rules have not set of it is Field::kConnectionMark.
  AbstractNumber<4> connection_mark = AbstractNumber<4>::Known(0);
  /// By what a kEstablished packet's entry was found; null: not known.
  std::shared_ptr<const facts::EntryKey> entry;
  bool confirmed = false;  ///< a kNew packet's entry is in the table already

  AddressKind source_kind = AddressKind::kUnknown;
  AddressKind destination_kind = AddressKind::kUnknown;
  /// Whether nat has changed the packet's destination, or its source (IPS_DST_NAT, IPS_SRC_NAT): a translation to what
  /// it was already changes nothing.
  Tristate destination_translated = Tristate::kNo;
  Tristate source_translated = Tristate::kNo;
  /// Whether nat has decided about it, for this way or that (IPS_DST_NAT_DONE, IPS_SRC_NAT_DONE); it does so once.
  bool destination_decided = false;
  bool source_decided = false;
  LastingChanges lasting;
  /// It was routed again on its way out, and may leave through another device than it was going to.
  bool rerouted = false;
  /// Where it leaves then; null: not known. Follows from its destination and mark.
  std::shared_ptr<const facts::Route> new_route;

  /// Domains are kept however many ranges they have: for whoever divides connections into classes.
  bool keeps_domains = false;
  /// The possible values of the fields that are narrower than everything.
  std::vector<std::pair<Field, IntervalSet>> domains;
  /// The first uncertainty on the way here; null when everything was certain. No part of what the packet is.
  std::shared_ptr<const Uncertainty> uncertainty;
  /// The first on the way here that is no rule and may have dropped it; null for none.
  const facts::ForeignProgram* program = nullptr;

  std::size_t NetworkLength() const { return family == IpFamily::kIpv4 ? 20 : 40; }
  AbstractBytes SourceAddress() const;
  AbstractBytes DestinationAddress() const;
  /// Writes an end of a connection into it; `kind`: of the end's address.
  void PutSource(const Endpoint& end, AddressKind kind);
  void PutDestination(const Endpoint& end, AddressKind kind);
  AbstractBytes SourcePort() const { return AbstractBytes(transport).subspan(0, 2); }
  AbstractBytes DestinationPort() const { return AbstractBytes(transport).subspan(2, 2); }
  const AbstractByte& TcpFlags() const { return transport[13]; }
  AbstractByte& TcpFlags() { return transport[13]; }

  /// The values that `field` can have.
  IntervalSet Domain(Field field) const;
  /// Narrows `field` down; a domain of more than kDomainIntervals ranges is left as wide as it was.
  void Restrict(Field field, IntervalSet domain);
  static constexpr std::size_t kDomainIntervals = 512;

  /// Whether both are the same packet (uncertainties aside).
  bool SameAs(const Packet& other) const;

  /// Makes this packet stand for `other`, too, where both are the same but for the values that one field can have.
  /// False: they differ in more than that, or in too many ranges, and nothing has changed.
  bool TakeIn(const Packet& other);
};

}  // namespace finwait::firewall::packet
