#include "exporter/planning/host_reader.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>
#include <variant>

#include "collectors/base/text.h"
#include "collectors/firewall/read/devices.h"
#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/firewall/read/queue_listeners.h"
#include "collectors/firewall/read/routing.h"
#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/entry_join.h"
#include "collectors/kernel/procfs.h"
#include "collectors/kernel/socket_dump.h"
#include "collectors/kernel/socket_pass.h"
#include "exporter/diagnosis/connection_facts.h"
#include "exporter/planning/host_evaluation.h"
#include "exporter/planning/reported_facts.h"

namespace finwait::planning {
namespace {

using firewall::facts::ClockKey;
using firewall::facts::ControlGroupKey;
using firewall::facts::EntryCountKey;
using firewall::facts::Fact;
using firewall::facts::FactQuery;
using firewall::facts::FactStore;
using firewall::facts::HopLimitKey;
using firewall::facts::IpsecPoliciesKey;
using firewall::facts::NamespaceKey;
using firewall::facts::Need;
using firewall::facts::Needs;
using firewall::facts::Route;
using firewall::facts::RouteKey;
using firewall::facts::Socket;
using firewall::facts::SocketKey;

constexpr auto kLimit = std::chrono::seconds(30);
constexpr std::size_t kBatch = 1024;
constexpr std::size_t kMostControlGroups = 4096;

class Reader {
 public:
  explicit Reader(const kernel::Host& host)
      : host_(host), resolver_(host, nullptr, firewall::read::ReaderLimits::OfClasses()) {}

  HostFacts Read(const diagnosis::EvaluationSettings& settings) {
    facts_.settings = settings;
    auto name = kernel::ReadSmallFile(host_.procfs / "sys/kernel/hostname");
    facts_.host_name = name ? name->substr(0, name->find('\n')) : "";
    ReadDevices();
    ReadRoutes();
    ReadSockets();
    ReadEntries();
    ReadSocketFacts();
    ReadOddRoutes();
    ReadNamespace();
    return std::move(facts_);
  }

  firewall::read::FactResolver& Rules() { return resolver_; }

 private:
  void Lacks(const std::string& what, const Error& why) { facts_.lacks.push_back(what + ": " + why.message); }

  void ReadDevices() {
    const auto links = kernel::Links::Read(host_, Deadline::After(kLimit));
    if (!links) {
      Lacks("the devices", links.error());
      return;
    }
    for (const kernel::Link& link : links->All()) {
      facts_.devices.push_back(firewall::read::DeviceOf(link, links->Find(link.master)));
    }
  }

  void ReadRoutes() {
    for (const IpFamily family : kIpFamilies) {
      auto routing = firewall::read::ReadRouting(host_, family, Deadline::After(kLimit));
      facts_.routing_known[family] = routing.has_value();
      if (routing) {
        facts_.routing[family] = std::move(*routing);
      } else {
        Lacks(std::string(finwait::Name(family)) + " routes", routing.error());
      }
    }
  }

  void ReadSockets() {
    std::vector<kernel::TcpSocket> listed;
    const auto read = kernel::ReadSockets(host_, kernel::kAllSocketStates, kernel::kWithTcpInfo,
                                          Deadline::After(kLimit), kernel::Into(listed, HostFacts::kMostSockets + 1));
    if (!read) {
      Lacks("the sockets", read.error());
      return;
    }
    std::size_t unfinished = 0;
    for (std::size_t state = 0; state < kernel::kTcpStateCount; ++state) {
      if (kernel::IsUnfinished(static_cast<kernel::TcpState>(state))) {
        unfinished += read->by_family[0][state] + read->by_family[1][state];
      }
    }
    if (listed.size() > HostFacts::kMostSockets) {
      listed.resize(HostFacts::kMostSockets);
      facts_.sockets_not_listed = unfinished > listed.size() ? unfinished - listed.size() : 1;
    }
    for (kernel::TcpSocket& socket : listed) {
      facts_.sockets.push_back({std::move(socket), {}});
    }
  }

  void ReadEntries() {
    kernel::SocketTable table;
    const bool has_conntrack = HasConntrack(host_);
    for (const ReportedSocket& each : facts_.sockets) {
      table.Add(each.socket);
    }
    if (has_conntrack) {
      kernel::EntryJoin join(std::make_shared<kernel::KnownZones>());
      if (const auto joined = join.Join(host_, Deadline::After(kLimit), table); !joined) {
        Lacks("which sockets have a conntrack entry", joined.error());
        return;
      }
    }
    for (std::size_t i = 0; i < facts_.sockets.size(); ++i) {
      kernel::SocketEntry& entry = facts_.sockets[i].socket.entry;
      entry = table[i].entry;
      if (!has_conntrack) {
        entry.tracking = kernel::Tracking::kUntracked;
      }
    }
  }

  void ReadSocketFacts() {
    bool marks = true;
    for (std::size_t first = 0; first < facts_.sockets.size(); first += kBatch) {
      const auto batch = std::span(facts_.sockets).subspan(first, std::min(kBatch, facts_.sockets.size() - first));
      Needs needs;
      for (const ReportedSocket& each : batch) {
        needs.insert(SocketKey{each.socket.local, each.socket.peer});
      }
      FactStore store;
      resolver_.Resolve(needs, store);
      for (ReportedSocket& each : batch) {
        const Fact* fact = store.Find(SocketKey{each.socket.local, each.socket.peer});
        if (const auto* socket = fact != nullptr ? fact->As<Socket>() : nullptr) {
          each.facts = *socket;
        } else {  // closed meanwhile: what the list tells
          each.facts.mark = each.socket.mark;
          each.facts.bound_device = each.socket.device;
          each.facts.user = each.socket.uid;
          each.facts.orphan = each.socket.orphan;
          each.facts.opened_here = each.socket.opened_here;
        }
        marks = marks && each.facts.mark.has_value();
      }
    }
    if (!marks) {
      facts_.lacks.emplace_back("the marks of sockets (SO_MARK): the kernel tells them to who has CAP_NET_ADMIN");
    }
  }

  // Of sockets whose route hangs on more than the destination, or whose packets may not be for this host any more.
  void ReadOddRoutes() {
    FactStore store;
    for (const ReportedSocket& each : facts_.sockets) {
      const IpFamily family = each.socket.local.address.Family();
      RouteKey plain;
      plain.source = each.socket.local.address;
      plain.destination = each.socket.peer.address;
      plain.bound_device = each.facts.bound_device;
      if (facts_.routing_known[family] && TellsRoute(facts_.routing[family], plain) &&
          HasAddress(facts_.routing[family], each.socket.local.address)) {
        continue;
      }
      FactQuery query(store);
      constexpr int kRounds = 8;
      std::optional<RouteKey> asked;
      for (int round = 0; round < kRounds; ++round) {
        asked = diagnosis::ConnectionOf(diagnosis::ListedSocket(each.socket), query).routing;
        const Needs needs = query.TakeNeeds();
        if (needs.empty()) {
          break;
        }
        resolver_.Resolve(needs, store);
        for (const Need& need : needs) {
          const auto* route = std::get_if<RouteKey>(&need);
          if (route != nullptr && !(facts_.routing_known[family] && TellsRoute(facts_.routing[family], *route))) {
            Report(*route, store);
          }
        }
      }
      if (asked) {
        Report(*asked, store);
      }
    }
  }

  void Report(const RouteKey& route, FactStore& store) {
    const Fact* found = store.Find(route);
    if (found != nullptr && found->Why() == nullptr) {
      facts_.answers.insert_or_assign(route, *found);
    }
  }

  // Plans compare what rules do. What programs do is the same under both.
  static Fact WithoutPrograms(const Fact& fact) {
    const auto* settings = fact.As<firewall::facts::NamespaceFacts>();
    if (settings == nullptr) {
      return fact;
    }
    firewall::facts::NamespaceFacts rules_only = *settings;
    rules_only.programs.clear();
    rules_only.virtual_services = {};
    return Fact::Present(std::move(rules_only));
  }

  void ReadNamespace() {
    Needs needs;
    for (const IpFamily family : kIpFamilies) {
      needs.insert(NamespaceKey{family});
    }
    needs.insert(HopLimitKey{IpFamily::kIpv4, ""});
    for (const firewall::facts::Interface& device : facts_.devices) {
      needs.insert(HopLimitKey{IpFamily::kIpv6, device.name.value_or("")});
    }
    needs.insert(IpsecPoliciesKey{});
    needs.insert(EntryCountKey{});
    needs.insert(ClockKey{});
    std::size_t groups = 0;
    for (const ReportedSocket& each : facts_.sockets) {
      if (each.facts.control_group && groups < kMostControlGroups) {
        groups += needs.insert(ControlGroupKey{*each.facts.control_group}).second ? 1 : 0;
      }
    }
    FactStore store;
    resolver_.Resolve(needs, store);
    for (const Need& need : needs) {
      const Fact* fact = store.Find(need);
      if (fact != nullptr && fact->Why() == nullptr && !fact->IsAbsent()) {
        facts_.answers.insert_or_assign(need, WithoutPrograms(*fact));
      }
    }
    if (auto queues = firewall::read::ReadQueueListeners(host_, Deadline::After(kLimit))) {
      facts_.queue_listeners = std::move(*queues);
    }
  }

  const kernel::Host& host_;
  firewall::read::FactResolver resolver_;
  HostFacts facts_;
};

// Gives what is said of devices by number the numbers of another namespace.
class Renumbering {
 public:
  Renumbering(const std::vector<firewall::facts::Interface>& devices, const kernel::Links& links) {
    std::uint32_t spare = 1U << 30U;
    for (const firewall::facts::Interface& device : devices) {
      const auto same = std::find_if(links.All().begin(), links.All().end(),
                                     [&](const kernel::Link& link) { return link.name == device.name; });
      const std::uint32_t number = device.index.value_or(0);
      numbers_[number] = same != links.All().end() ? same->index : links.Find(number) != nullptr ? spare++ : number;
    }
  }

  void Apply(std::uint32_t& number) const {
    if (const auto found = numbers_.find(number); found != numbers_.end()) {
      number = found->second;
    }
  }
  void Apply(firewall::facts::Interface& device) const {
    if (device.index) {
      Apply(*device.index);
    }
    if (device.vrf) {
      Apply(device.vrf->index);
    }
  }
  void Apply(firewall::packet::Routing& routing) const {
    for (firewall::packet::RoutedRange& range : routing.ranges) {
      if (range.route) {
        Apply(range.route->egress);
      }
    }
  }
  void Apply(RouteKey& key) const {
    Apply(key.bound_device);
    Apply(key.arriving_on);
  }
  Fact Applied(const Fact& fact) const {
    const auto* route = fact.As<std::shared_ptr<const Route>>();
    if (route == nullptr) {
      return fact;
    }
    auto there = std::make_shared<Route>(**route);
    Apply(there->egress);
    if (there->egress_port) {
      Apply(*there->egress_port);
    }
    return Fact::Present(std::shared_ptr<const Route>(std::move(there)));
  }

 private:
  std::map<std::uint32_t, std::uint32_t> numbers_;
};

std::map<Need, Fact> Renumbered(const std::map<Need, Fact>& answers, const Renumbering& renumbering) {
  std::map<Need, Fact> renumbered;
  for (const auto& [need, fact] : answers) {
    if (const auto* route = std::get_if<RouteKey>(&need)) {
      RouteKey key = *route;
      renumbering.Apply(key);
      renumbered.emplace(key, renumbering.Applied(fact));
    } else {
      renumbered.emplace(need, fact);
    }
  }
  return renumbered;
}

}  // namespace

HostReport ReadHostReport(const kernel::Host& host, const std::shared_ptr<const firewall::Ruleset>& rules,
                          const diagnosis::EvaluationSettings& settings) {
  Reader reader(host);
  HostReport report;
  report.facts = reader.Read(settings);
  AddTranslations(report.facts, rules, reader.Rules());
  report.results = EvaluateHost(report.facts, rules, reader.Rules());
  return report;
}

void RenumberDevices(const kernel::Links& links, HostReport& report) {
  HostFacts& facts = report.facts;
  const Renumbering renumbering(facts.devices, links);
  for (firewall::facts::Interface& device : facts.devices) {
    renumbering.Apply(device);
  }
  for (firewall::packet::Routing& routing : facts.routing) {
    renumbering.Apply(routing);
  }
  for (auto& devices : facts.settings.ingress_devices) {
    for (kernel::IngressDevice& device : devices) {
      renumbering.Apply(device.index);
    }
  }
  for (ReportedSocket& each : facts.sockets) {
    renumbering.Apply(each.socket.device);
    renumbering.Apply(each.facts.bound_device);
  }
  facts.answers = Renumbered(facts.answers, renumbering);
  // Classes of the report name routes by position, and the routes are these; one value for all of a space, as
  // neighbours are joined only then.
  for (const IpFamily family : kIpFamilies) {
    for (const diagnosis::SpacePart& part : facts.Space(family).parts) {
      for (ResultClass& each : report.results.classes) {
        if (each.path == part.path && each.connections.family == family) {
          each.connections.routes = part.connections.routes;
        }
      }
    }
  }
}

}  // namespace finwait::planning
