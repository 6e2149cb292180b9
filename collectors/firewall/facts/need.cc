#include "collectors/firewall/facts/need.h"

namespace finwait::firewall::facts {
namespace {

struct Words {
  std::string operator()(const ChainKey& key) const {
    return "the rules of chain " + key.chain + " in table " + std::string(Name(key.family)) + " " + key.table;
  }
  std::string operator()(const LegacyTableKey& key) const {
    return "the rules of " + std::string(key.family == TableFamily::kIpv6 ? "ip6tables" : "iptables") +
           "-legacy table " + key.table;
  }
  std::string operator()(const SetKey& key) const {
    return "the set " + key.set + " in table " + std::string(Name(key.family)) + " " + key.table;
  }
  std::string operator()(const ElementKey& key) const { return "an element of " + (*this)(key.set); }
  std::string operator()(const QuotaKey& key) const { return "the accounting object " + key.accounting_object; }
  std::string operator()(const RouteKey& key) const { return "the route to " + key.destination.Text(); }
  std::string operator()(const SocketKey& key) const {
    return "the socket of " + key.local.Text() + " and " + key.peer.Text();
  }
  std::string operator()(const NamespaceKey& key) const {
    return "this host's settings of " + std::string(Name(key.family));
  }
  std::string operator()(const IpsetKey& key) const { return "the ipset of number " + std::to_string(key.index); }
  std::string operator()(const IpsetElementKey& key) const { return "an element of the ipset " + key.set; }
  std::string operator()(const IpsetContentsKey& key) const { return "the members of the ipset " + key.set; }
  std::string operator()(const HopLimitKey& key) const {
    return "the default time to live of " + std::string(Name(key.family));
  }
  std::string operator()(const IpsecPoliciesKey& key) const {
    return key.source && key.destination
               ? "whether there are IPsec policies for " + key.source->Text() + " and " + key.destination->Text()
               : "whether there are IPsec policies";
  }
  std::string operator()(const QueueListenerKey& key) const {
    return "whether a program listens to queue " + std::to_string(key.number);
  }
  std::string operator()(const EntryCountKey&) const { return "the number of conntrack entries"; }
  std::string operator()(const RecentKey& key) const { return "the list of recent addresses " + key.list; }
  std::string operator()(const NeighbourKey& key) const { return "the neighbour " + key.address.Text(); }
  std::string operator()(const EntryKey& key) const {
    return "what the conntrack entry of " + key.source.Text() + " and " + key.destination.Text() + " holds";
  }
  std::string operator()(const SetRoomKey& key) const { return "the room in " + (*this)(key.set); }
  std::string operator()(const IpsetExtensionsKey& key) const {
    return "what the ipset " + key.element.set + " keeps beside an element";
  }
  std::string operator()(const IpsetRoomKey& key) const { return "the room in the ipset " + key.set; }
  std::string operator()(const ClockKey&) const { return "the time"; }
  std::string operator()(const ControlGroupKey&) const { return "the place of a socket's control group"; }
};

}  // namespace

Need::Need() = default;
Need::Need(const Need& other) = default;
Need::Need(Need&& other) noexcept = default;
Need& Need::operator=(const Need& other) = default;
Need& Need::operator=(Need&& other) noexcept = default;
Need::~Need() = default;

bool operator==(const Need& one, const Need& other) {
  return static_cast<const NeedKinds&>(one) == static_cast<const NeedKinds&>(other);
}
bool operator<(const Need& one, const Need& other) {
  return static_cast<const NeedKinds&>(one) < static_cast<const NeedKinds&>(other);
}

std::string Describe(const Need& need) { return std::visit(Words(), need); }

}  // namespace finwait::firewall::facts
