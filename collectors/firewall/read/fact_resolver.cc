#include "collectors/firewall/read/fact_resolver.h"

#include <linux/if_arp.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/read/clock.h"
#include "collectors/firewall/read/devices.h"
#include "collectors/firewall/read/ipset.h"
#include "collectors/firewall/read/queue_listeners.h"
#include "collectors/firewall/read/recent_list.h"
#include "collectors/firewall/read/rule_part_reader.h"
#include "collectors/firewall/read/set_room.h"
#include "collectors/kernel/attached_programs.h"
#include "collectors/kernel/bpf_inventory.h"
#include "collectors/kernel/control_groups.h"
#include "collectors/kernel/entry_count.h"
#include "collectors/kernel/find_entry.h"
#include "collectors/kernel/find_socket.h"
#include "collectors/kernel/ipsec_policies.h"
#include "collectors/kernel/links.h"
#include "collectors/kernel/neighbours.h"
#include "collectors/kernel/procfs.h"
#include "collectors/kernel/route.h"
#include "collectors/kernel/route_table.h"
#include "collectors/kernel/routing_rules.h"
#include "collectors/kernel/virtual_services.h"

namespace finwait::firewall::read {
namespace {

using facts::Fact;

Table NamedTable(Backend backend, TableFamily family, const std::string& name) {
  Table table;
  table.backend = backend;
  table.family = family;
  table.name = name;
  return table;
}

constexpr const char* kForwardsIpv6 = "ipv6/conf/all/forwarding";

template <typename T>
Fact FactOf(Result<T> result) {
  return result ? Fact::Present(std::move(*result)) : Fact::Failed(std::move(result.error()));
}

// One batch: rules are read at once, in the order of the needs; sockets, routes and elements of ipsets are collected
// and asked for together.
class Batch {
 public:
  Batch(const kernel::Host& host, const std::shared_ptr<LegacyKernel>& legacy, facts::FactStore& store,
        Deadline deadline, const ReaderLimits& limits, HostGroups& groups)
      : host_(host), store_(store), deadline_(deadline), rules_(host, deadline, limits, legacy), groups_(groups) {}

  void Run(const facts::Needs& needs) {
    for (const facts::Need& need : needs) {
      need_ = &need;
      std::visit(*this, need);
    }
    AskForSockets();
    AskForRoutes();
    AskForIpsetElements();
    AskForIpsetExtensions();
    AskForEntries();
  }

  void operator()(const facts::ChainKey& key) {
    Put(FactOf(rules_.ReadChain(NamedTable(Backend::kNft, key.family, key.table), key.chain)));
  }
  void operator()(const facts::LegacyTableKey& key) {
    auto table = rules_.ReadLegacyTable(NamedTable(Backend::kLegacy, key.family, key.table));
    Put(table ? Fact::Present(std::make_shared<const Table>(std::move(*table)))
              : Fact::Failed(std::move(table.error())));
  }
  void operator()(const facts::SetKey& key) {
    Put(FactOf(rules_.ReadSet(NamedTable(Backend::kNft, key.family, key.table), key.set)));
  }
  void operator()(const facts::ElementKey& key) {
    auto found = rules_.FindElement(NamedTable(Backend::kNft, key.set.family, key.set.table), *key.form, key.key);
    if (found && !*found) {
      Put(Fact::Absent());
    } else {
      Put(found ? Fact::Present(std::make_shared<const SetElement>(std::move(**found)))
                : Fact::Failed(std::move(found.error())));
    }
  }
  void operator()(const facts::QuotaKey& key) { Put(FactOf(rules_.HasQuota(key.accounting_object))); }
  void operator()(const facts::IpsetKey& key) {
    auto set = ReadIpset(host_, key.index, deadline_);
    Put(set ? Fact::Present(std::make_shared<const facts::Ipset>(std::move(*set)))
            : Fact::Failed(std::move(set.error())));
  }
  void operator()(const facts::IpsetElementKey& key) { ipset_elements_.push_back(key); }
  void operator()(const facts::IpsetRoomKey& key) { Put(FactOf(HasIpsetRoom(host_, key.set, deadline_))); }
  void operator()(const facts::IpsetExtensionsKey& key) { ipset_extensions_.push_back(key.element); }
  void operator()(const facts::IpsetContentsKey& key) {
    auto contents = ReadIpsetContents(host_, key.set, deadline_);
    Put(contents ? Fact::Present(std::make_shared<const facts::IpsetContents>(std::move(*contents)))
                 : Fact::Failed(std::move(contents.error())));
  }
  void operator()(const facts::EntryKey& key) { entries_.push_back({key.source, key.destination, key.zone}); }
  void operator()(const facts::RouteKey& key) { routes_.push_back(key); }
  void operator()(const facts::SocketKey& key) { sockets_.push_back({key.local, key.peer}); }
  void operator()(const facts::NamespaceKey& key) {
    facts::NamespaceFacts facts;
    // ip_early_demux is for both families, despite its name.
    const auto all = kernel::ReadProcfsUnsigned(host_.procfs / "sys/net/ipv4/ip_early_demux");
    const auto tcp = kernel::ReadProcfsUnsigned(host_.procfs / "sys/net/ipv4/tcp_early_demux");
    if (all && tcp) {
      facts.early_demultiplexing = *all != 0 && *tcp != 0;
    }
    if (const auto rules = ReadRoutingRules(host_, key.family, deadline_)) {
      facts.routes_by_mark = rules->by_mark;
      facts.routes_by_ports = rules->by_ports || HashesPorts(key.family);
      facts.routes_by_user = rules->by_user;
      // Of a router with too many routes to look at, none is taken to ask for a type of service.
      facts.routes_by_type_of_service = rules->by_type_of_service;
      if (const auto routes = SurveyRoutes(host_, key.family, deadline_)) {
        facts.routes_by_type_of_service = rules->by_type_of_service || routes->by_type_of_service;
        facts.routes_everything =
            rules->reach_main && routes->has_default && !routes->some_refuse && !rules->some_refuse;
      }
    }
    const bool ipv4 = key.family == IpFamily::kIpv4;
    const std::filesystem::path settings = host_.procfs / "sys/net";
    if (const auto forwards = kernel::ReadProcfsUnsigned(settings / (ipv4 ? "ipv4/ip_forward" : kForwardsIpv6))) {
      facts.forwards = *forwards != 0;
    }
    const auto called = kernel::ReadProcfsUnsigned(settings / "bridge" /
                                                   (ipv4 ? "bridge-nf-call-iptables" : "bridge-nf-call-ip6tables"));
    if (called || kernel::IsAbsent(called.error())) {  // no file: br_netfilter is not loaded
      facts.bridge_calls_rules = called && *called != 0;
    }
    facts.programs = ProgramsFor(key.family);
    facts.virtual_services.others = true;
    if (auto services = kernel::ReadVirtualServices(host_, key.family, deadline_)) {
      facts.virtual_services = {std::move(services->services), std::move(services->servers), services->others};
    }
    Put(Fact::Present(facts));
  }
  void operator()(const facts::HopLimitKey& key) {
    // One that slipped into a device's name leads nowhere else.
    const auto path = key.family == IpFamily::kIpv4 ? host_.procfs / "sys/net/ipv4/ip_default_ttl"
                                                    : host_.procfs / "sys/net/ipv6/conf" /
                                                          std::filesystem::path(key.device).filename() / "hop_limit";
    Put(FactOf(kernel::ReadProcfsUnsigned(path, 255)));
  }
  void operator()(const facts::IpsecPoliciesKey& key) {
    if (!key.source || !key.destination) {
      Put(FactOf(kernel::HasIpsecPolicies(host_, deadline_)));
      return;
    }
    ipsec_selectors_ = ipsec_selectors_ ? std::move(ipsec_selectors_) : kernel::ReadIpsecSelectors(host_, deadline_);
    const auto may_meet = [&](const kernel::IpsecSelector& each) {
      return each.MayBeFor(*key.source, *key.destination);
    };
    Put(*ipsec_selectors_
            ? Fact::Present(std::any_of((*ipsec_selectors_)->begin(), (*ipsec_selectors_)->end(), may_meet))
            : Fact::Failed(ipsec_selectors_->error()));
  }
  void operator()(const facts::QueueListenerKey& key) {
    queues_ = queues_ ? std::move(queues_) : ReadQueueListeners(host_, deadline_);
    Put(*queues_ ? Fact::Present((*queues_)->contains(key.number)) : Fact::Failed(queues_->error()));
  }
  void operator()(const facts::EntryCountKey& key) {
    auto count = key.source ? kernel::CountEntriesOf(host_, *key.source, deadline_) : kernel::CountEntries(host_);
    const auto sockets = kernel::CountTcpSockets(host_, deadline_);
    if (count && !sockets) {
      Put(Fact::Failed(sockets.error()));
      return;
    }
    count = count ? *count + *sockets : count;
    Put(FactOf(std::move(count)));
  }
  void operator()(const facts::RecentKey& key) {
    auto list = ReadRecentList(host_, key.list, deadline_);
    Put(list ? Fact::Present(std::make_shared<const facts::RecentList>(std::move(*list)))
             : Fact::Failed(std::move(list.error())));
  }
  void operator()(const facts::ClockKey&) { Put(Fact::Present(ReadClock())); }
  void operator()(const facts::NeighbourKey& key) {
    auto& neighbours = neighbours_[key.address.Family()];
    neighbours = neighbours ? std::move(neighbours) : kernel::ReadNeighbours(host_, key.address.Family(), deadline_);
    if (!*neighbours) {
      Put(Fact::Failed(neighbours->error()));
      return;
    }
    const auto found = (*neighbours)->find({key.device, key.address});
    Put(found != (*neighbours)->end() ? Fact::Present(facts::HardwareAddress{found->second}) : Fact::Absent());
  }
  void operator()(const facts::SetRoomKey& key) { Put(FactOf(HasRoom(host_, key.set, deadline_))); }
  void operator()(const facts::ControlGroupKey& key) {
    auto place = groups_.Find(key.id, host_, deadline_);
    Put(place ? Fact::Present(std::shared_ptr<const facts::ControlGroup>(std::make_shared<facts::ControlGroup>(
                    facts::ControlGroup{std::move(place->path), std::move(place->line)})))
              : Fact::Failed(std::move(place.error())));
  }

 private:
  void Put(Fact fact) { store_.Put(*need_, std::move(fact)); }

  void AskForSockets() {
    if (sockets_.empty()) {
      return;
    }
    const auto found = FindSockets(host_, sockets_, deadline_);
    // Without a class a socket's priority is told in its place; and no control group gives packets another one.
    const bool no_classes = kernel::HasNoClassesOfPackets(host_, deadline_);
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      const facts::SocketKey key{sockets_[i].local, sockets_[i].peer};
      if (!found) {
        store_.Put(key, Fact::Failed(found.error()));
      } else if (const auto& socket = (*found)[i]) {
        facts::Socket known;
        known.mark = socket->mark;
        known.bound_device = socket->device;
        known.user = socket->uid;
        known.orphan = socket->orphan;
        known.type_of_service = socket->type_of_service;
        known.opened_here = socket->opened_here;
        known.timestamps = socket->timestamps;
        known.transparent = socket->transparent;
        known.control_group = socket->cgroup_id;
        known.window_closed = socket->send_window ? std::optional(*socket->send_window == 0) : std::nullopt;
        known.class_or_priority = socket->class_or_priority;
        known.priority = no_classes ? socket->class_or_priority : std::nullopt;
        store_.Put(key, Fact::Present(known));
      } else {
        store_.Put(key, Fact::Absent());
      }
    }
  }

  void AskForRoutes() {
    std::vector<kernel::RouteQuery> queries;
    for (const facts::RouteKey& key : routes_) {
      queries.push_back({key.source, key.destination, key.bound_device, key.arriving_on, key.mark, key.type_of_service,
                         key.user, key.source_port, key.destination_port});
    }
    auto found = FindRoutes(host_, queries, deadline_);
    const std::vector<bool> by_ports = ChosenByPorts(queries, found);
    for (std::size_t i = 0; i < routes_.size(); ++i) {
      if (by_ports[i]) {
        store_.Put(routes_[i], Fact::Failed({FailureReason::kUnsupported, 0,
                                             "which of several next hops a connection's ports choose cannot be told"}));
      } else if (found[i]) {
        store_.Put(routes_[i], Fact::Present(RouteFact(*found[i], routes_[i].destination)));
      } else if (kernel::IsNoRoute(found[i].error())) {
        store_.Put(routes_[i], Fact::Absent());
      } else {
        store_.Put(routes_[i], Fact::Failed(std::move(found[i].error())));
      }
    }
  }

  void AskForIpsetElements() {
    if (ipset_elements_.empty()) {
      return;
    }
    auto found = AreInIpsets(host_, ipset_elements_, deadline_);
    for (std::size_t i = 0; i < ipset_elements_.size(); ++i) {
      store_.Put(ipset_elements_[i], FactOf(std::move(found[i])));
    }
  }

  void AskForIpsetExtensions() {
    auto found = ExtensionsInIpsets(host_, ipset_extensions_, deadline_);
    for (std::size_t i = 0; i < ipset_extensions_.size(); ++i) {
      store_.Put(facts::IpsetExtensionsKey{ipset_extensions_[i]}, FactOf(std::move(found[i])));
    }
  }

  void AskForEntries() {
    if (entries_.empty()) {
      return;
    }
    const auto found = kernel::FindEntries(host_, entries_, deadline_);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const facts::EntryKey key{entries_[i].source, entries_[i].destination, entries_[i].zone};
      if (!found[i]) {
        store_.Put(key, Fact::Failed(found[i].error()));
      } else if (const auto& entry = *found[i]) {
        store_.Put(key, EntryFact(*entry, key));
      } else {
        store_.Put(key, Fact::Absent());
      }
    }
  }

  // nf_conntrack_tcp_packet(): what a FIN makes of the entry's state, and the timeout of that.
  std::optional<std::uint32_t> TimeoutAfterFin(const kernel::WholeEntry& found) const {
    if ((found.status & IPS_FIXED_TIMEOUT) != 0) {
      return found.remaining_seconds;
    }
    using State = kernel::ConntrackTcpState;
    const bool half_closed = found.tcp_state == State::kCloseWait || found.tcp_state == State::kLastAck;
    if (found.tcp_state != State::kEstablished && found.tcp_state != State::kFinWait && !half_closed) {
      return std::nullopt;  // kFinWait: of the end whose FIN it was, which sends it again
    }
    const auto seconds = kernel::ReadProcfsUnsigned(
        host_.procfs / "sys/net/netfilter" /
            (half_closed ? "nf_conntrack_tcp_timeout_last_ack" : "nf_conntrack_tcp_timeout_fin_wait"),
        UINT32_MAX);
    return seconds ? std::optional(static_cast<std::uint32_t>(*seconds)) : std::nullopt;
  }

  Fact EntryFact(const kernel::WholeEntry& found, const facts::EntryKey& key) const {
    facts::ConnectionEntry entry;
    entry.original = {found.original.source, found.original.destination, found.original_zone};
    entry.reply = {found.reply.source, found.reply.destination, found.reply_zone};
    entry.is_original = found.original.source == key.source && found.original.destination == key.destination;
    entry.zone = found.zone;
    entry.status = found.status;
    entry.mark = found.mark;
    entry.labels = found.labels;
    entry.expected = found.has_master;
    entry.timeout_after_fin = TimeoutAfterFin(found);
    return Fact::Present(std::make_shared<const facts::ConnectionEntry>(entry));
  }

  // Where multipath routes are chosen by a hash over ports (fib_multipath_hash_policy), RTM_GETROUTE hashes the packet
  // that it makes up and not the socket's flow, and picks another next hop.
  std::vector<bool> ChosenByPorts(const std::vector<kernel::RouteQuery>& queries,
                                  const std::vector<Result<kernel::Route>>& found) const {
    std::vector<kernel::RouteQuery> hashed;
    std::vector<std::size_t> of;  // which query each is
    for (std::size_t i = 0; i < queries.size(); ++i) {
      if (found[i] && queries[i].source_port && HashesPorts(queries[i].destination.Family())) {
        hashed.push_back(queries[i]);
        of.push_back(i);
      }
    }
    std::vector<bool> by_ports(queries.size(), false);
    const auto devices = FindNextHopDevices(host_, hashed, deadline_);
    for (std::size_t i = 0; i < hashed.size(); ++i) {
      by_ports[of[i]] = !devices[i] || devices[i]->size() > 1;
    }
    return by_ports;
  }

  void AddNetfilterPrograms(IpFamily family, std::vector<facts::ForeignProgram>& programs) const {
    static constexpr std::pair<std::uint32_t, Hook> kHooks[] = {{NF_INET_PRE_ROUTING, Hook::kPrerouting},
                                                                {NF_INET_LOCAL_IN, Hook::kInput},
                                                                {NF_INET_FORWARD, Hook::kForward},
                                                                {NF_INET_LOCAL_OUT, Hook::kOutput},
                                                                {NF_INET_POST_ROUTING, Hook::kPostrouting}};
    if (host_.bpf == nullptr) {
      return;
    }
    for (const kernel::NetfilterProgram& each : host_.bpf->in_netfilter) {
      const auto hook = std::ranges::find(kHooks, each.hook, &std::pair<std::uint32_t, Hook>::first);
      const bool here = each.network_namespace == host_.network_namespace.inode ||
                        each.network_namespace == kernel::NetfilterProgram::kAnyNamespace;
      if (here && each.family == family && hook != std::end(kHooks)) {
        const std::string program = each.number == 0 ? "a BPF program that could not be listed"
                                                     : "the BPF program " + kernel::CalledBpf(each.name, each.number);
        programs.push_back(
            {hook->second, 0, 0, program + ", a link in netfilter's hook " + std::string(Name(hook->second))});
      }
    }
  }

  std::vector<facts::ForeignProgram> ProgramsFor(IpFamily family) {
    programs_ = programs_ ? std::move(programs_) : kernel::ReadAttachedPrograms(host_, deadline_);
    std::vector<facts::ForeignProgram> programs;
    if (*programs_) {
      for (const kernel::AttachedProgram& each : **programs_) {
        if (each.Sees(family)) {
          programs.push_back({each.outgoing ? Hook::kEgress : Hook::kIngress, each.device, 0, each.name});
        }
      }
    } else if (programs_->error().reason != FailureReason::kUnsupported) {
      for (const Hook hook : {Hook::kIngress, Hook::kEgress}) {
        programs.push_back({hook, 0, 0, "a program of a network device, as they could not be listed"});
      }
    }
    AddNetfilterPrograms(family, programs);
    for (const kernel::GroupProgram& each : *groups_.FindPrograms(host_, deadline_)) {
      programs.push_back({each.outgoing ? Hook::kPostrouting : Hook::kInput, 0, each.group, each.name});
    }
    return programs;
  }

  bool HashesPorts(IpFamily family) const {
    const auto policy =
        kernel::ReadProcfsUnsigned(host_.procfs / "sys/net" / finwait::Name(family) / "fib_multipath_hash_policy");
    return policy && *policy != 0;
  }

  // Shared by all connections that leave alike.
  std::shared_ptr<const facts::Route> RouteFact(const kernel::Route& route, const IpAddress& destination) {
    auto fact = std::make_shared<facts::Route>();
    fact->local = route.local;
    fact->hop_limit = route.hop_limit;
    if (!route.local) {
      fact->on_link = route.on_link;
      fact->gateway = route.gateway;
      fact->realm = route.realm;
      fact->egress = DeviceOf(route);
      fact->egress_port = PortOf(route);
      if (const auto* addresses = AddressesOf(destination.Family())) {
        fact->masquerade = addresses->ForMasquerade(route, destination);
      }
    } else if (route.interface_kind == "vrf") {
      fact->egress = DeviceOf(route);
    }
    std::shared_ptr<const facts::Route>& newest = newest_route_;
    if (newest == nullptr || newest->local != fact->local || newest->on_link != fact->on_link ||
        newest->egress != fact->egress || newest->egress_port != fact->egress_port ||
        newest->masquerade != fact->masquerade || newest->hop_limit != fact->hop_limit ||
        newest->gateway != fact->gateway || newest->realm != fact->realm) {
      newest = std::move(fact);
    }
    return newest;
  }

  // The port by which a bridge sends. Which of several it is, its table of stations tells of one moment only.
  std::optional<facts::Interface> PortOf(const kernel::Route& route) {
    if (route.interface_kind != "bridge") {
      return std::nullopt;
    }
    links_ = links_ ? std::move(links_) : kernel::Links::Read(host_, deadline_);
    facts::Interface port;
    port.type = ARPHRD_ETHER;  // br_add_if() takes no others
    if (!*links_) {
      return port;
    }
    const auto is_port = [&](const kernel::Link& link) { return link.master == route.interface_index; };
    const auto& all = (*links_)->All();
    if (std::count_if(all.begin(), all.end(), is_port) == 1) {
      const kernel::Link& only = *std::find_if(all.begin(), all.end(), is_port);
      port = DeviceOf(only, nullptr);
    }
    return port;
  }

  // Null where they cannot be read.
  const kernel::DeviceAddresses* AddressesOf(IpFamily family) {
    auto& read = addresses_[family];
    if (!read) {
      read = kernel::DeviceAddresses::Read(host_, family, deadline_);
    }
    return *read ? &**read : nullptr;
  }

  const kernel::Host& host_;
  facts::FactStore& store_;
  Deadline deadline_;
  RulePartReader rules_;
  const facts::Need* need_ = nullptr;  // that is being answered
  std::vector<kernel::SocketEnds> sockets_;
  std::vector<facts::RouteKey> routes_;
  std::vector<facts::IpsetElementKey> ipset_elements_;
  std::vector<facts::IpsetElementKey> ipset_extensions_;
  std::vector<kernel::EntryQuery> entries_;
  // Read once, by the first that asks.
  std::optional<Result<std::set<std::uint16_t>>> queues_;
  std::optional<Result<std::vector<kernel::IpsecSelector>>> ipsec_selectors_;
  PerFamily<std::optional<Result<kernel::Neighbours>>> neighbours_;
  std::optional<Result<kernel::Links>> links_;
  std::optional<Result<std::vector<kernel::AttachedProgram>>> programs_;
  HostGroups& groups_;
  PerFamily<std::optional<Result<kernel::DeviceAddresses>>> addresses_;  // read once
  std::shared_ptr<const facts::Route> newest_route_;
};

}  // namespace

void FactResolver::Resolve(const facts::Needs& needs, facts::FactStore& store) {
  Batch(host_, legacy_, store, Deadline::After(kLimit), limits_, *groups_).Run(needs);
}

void FactResolver::TakeInChanges(facts::FactStore& store) {
  const kernel::RoutingMonitor::Changes changes = routing_.TakeChanges();
  if (changes.routing) {
    store.Invalidate(facts::Only(facts::FactKind::kRoute));
  }
  if (changes.routing || changes.traffic_control) {
    store.MarkSettingsStale();  // `ip rule` is one of them, and what tc runs
  }
}

}  // namespace finwait::firewall::read
