#include "exporter/planning/fact_json.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "collectors/base/one_of.h"
#include "exporter/planning/routing_json.h"

namespace finwait::planning {
namespace {

using firewall::facts::ChainKey;
using firewall::facts::Clock;
using firewall::facts::ClockKey;
using firewall::facts::ConnectionEntry;
using firewall::facts::ControlGroup;
using firewall::facts::ControlGroupKey;
using firewall::facts::ElementKey;
using firewall::facts::EntryCountKey;
using firewall::facts::EntryKey;
using firewall::facts::Fact;
using firewall::facts::HopLimitKey;
using firewall::facts::IpsecPoliciesKey;
using firewall::facts::IpsetContentsKey;
using firewall::facts::IpsetElementKey;
using firewall::facts::IpsetExtensionsKey;
using firewall::facts::IpsetKey;
using firewall::facts::IpsetRoomKey;
using firewall::facts::LegacyTableKey;
using firewall::facts::NamespaceFacts;
using firewall::facts::NamespaceKey;
using firewall::facts::NeighbourKey;
using firewall::facts::QueueListenerKey;
using firewall::facts::QuotaKey;
using firewall::facts::RecentKey;
using firewall::facts::Route;
using firewall::facts::RouteKey;
using firewall::facts::SetKey;
using firewall::facts::SetRoomKey;
using firewall::facts::SocketKey;

Json NamespaceJson(const NamespaceFacts& facts) {
  Json json = Json::object();
  PutKnown(json, "early_demultiplexing", facts.early_demultiplexing);
  PutKnown(json, "routes_by_mark", facts.routes_by_mark);
  PutKnown(json, "routes_by_ports", facts.routes_by_ports);
  PutKnown(json, "routes_by_user", facts.routes_by_user);
  PutKnown(json, "routes_by_type_of_service", facts.routes_by_type_of_service);
  PutKnown(json, "routes_everything", facts.routes_everything);
  PutKnown(json, "forwards", facts.forwards);
  PutKnown(json, "bridge_calls_rules", facts.bridge_calls_rules);
  return json;
}

NamespaceFacts NamespaceIn(const Json& json) {
  NamespaceFacts facts;
  TakeKnown(json, "early_demultiplexing", facts.early_demultiplexing);
  TakeKnown(json, "routes_by_mark", facts.routes_by_mark);
  TakeKnown(json, "routes_by_ports", facts.routes_by_ports);
  TakeKnown(json, "routes_by_user", facts.routes_by_user);
  TakeKnown(json, "routes_by_type_of_service", facts.routes_by_type_of_service);
  TakeKnown(json, "routes_everything", facts.routes_everything);
  TakeKnown(json, "forwards", facts.forwards);
  TakeKnown(json, "bridge_calls_rules", facts.bridge_calls_rules);
  return facts;
}

Json TupleJson(const ConnectionEntry::Tuple& tuple) {
  return {{"source", tuple.source.Text()}, {"destination", tuple.destination.Text()}, {"zone", tuple.zone}};
}

ConnectionEntry::Tuple TupleIn(const Json& json) {
  return {EndIn(json.at("source")), EndIn(json.at("destination")), json.at("zone").get<std::uint16_t>()};
}

Json ConnectionEntryJson(const ConnectionEntry& entry) {
  Json json = {{"original", TupleJson(entry.original)},
               {"reply", TupleJson(entry.reply)},
               {"is_original", entry.is_original},
               {"zone", entry.zone},
               {"status", entry.status},
               {"mark", entry.mark},
               {"expected", entry.expected}};
  PutKnown(json, "labels", entry.labels);
  PutKnown(json, "timeout_after_fin", entry.timeout_after_fin);
  return json;
}

ConnectionEntry ConnectionEntryIn(const Json& json) {
  ConnectionEntry entry;
  entry.original = TupleIn(json.at("original"));
  entry.reply = TupleIn(json.at("reply"));
  entry.is_original = json.at("is_original").get<bool>();
  entry.zone = json.at("zone").get<std::uint16_t>();
  entry.status = json.at("status").get<std::uint32_t>();
  entry.mark = json.at("mark").get<std::uint32_t>();
  entry.expected = json.at("expected").get<bool>();
  TakeKnown(json, "labels", entry.labels);
  TakeKnown(json, "timeout_after_fin", entry.timeout_after_fin);
  return entry;
}

// The answers, by what they are to.
class AnswersJson {
 public:
  explicit AnswersJson(const Fact& fact) : fact_(fact) {}

  Json operator()(const NamespaceKey& key) const {
    const auto* facts = fact_.As<NamespaceFacts>();
    return facts == nullptr
               ? Json(nullptr)
               : Json{{"of", "namespace"}, {"family", finwait::Name(key.family)}, {"is", NamespaceJson(*facts)}};
  }
  Json operator()(const HopLimitKey& key) const {
    return Number({{"of", "hop_limit"}, {"family", finwait::Name(key.family)}, {"device", key.device}});
  }
  Json operator()(const EntryCountKey&) const { return Number({{"of", "entries"}}); }
  Json operator()(const IpsecPoliciesKey& key) const {
    const bool* any = fact_.As<bool>();
    return any == nullptr || key.source ? Json(nullptr) : Json{{"of", "ipsec_policies"}, {"is", *any}};
  }
  // Of the moment of the report: both rulesets are compared as of then.
  Json operator()(const ClockKey&) const {
    const auto* clock = fact_.As<Clock>();
    if (clock == nullptr) {
      return nullptr;
    }
    Json json = {{"of", "clock"}, {"seconds", clock->seconds}};
    PutKnown(json, "minutes_west", clock->minutes_west);
    return json;
  }
  Json operator()(const ControlGroupKey& key) const {
    const auto* group = fact_.As<std::shared_ptr<const ControlGroup>>();
    return group == nullptr
               ? Json(nullptr)
               : Json{{"of", "control_group"}, {"id", key.id}, {"path", (*group)->path}, {"line", (*group)->line}};
  }
  Json operator()(const RouteKey& key) const {
    const auto* route = fact_.As<std::shared_ptr<const Route>>();
    Json json = {{"of", "route"},
                 {"destination", key.destination.Text()},
                 {"bound_device", key.bound_device},
                 {"mark", key.mark},
                 {"type_of_service", key.type_of_service},
                 {"is", route != nullptr ? RouteJson(**route) : Json(nullptr)}};
    if (key.source) {
      json["source"] = key.source->Text();
    }
    if (key.arriving_on != 0) {
      json["arriving_on"] = key.arriving_on;
    }
    PutKnown(json, "user", key.user);
    PutKnown(json, "source_port", key.source_port);
    PutKnown(json, "destination_port", key.destination_port);
    return json;
  }
  Json operator()(const EntryKey& key) const {
    const auto* entry = fact_.As<std::shared_ptr<const ConnectionEntry>>();
    return entry == nullptr && !fact_.IsAbsent()
               ? Json(nullptr)
               : Json{{"of", "entry"},
                      {"source", key.source.Text()},
                      {"destination", key.destination.Text()},
                      {"zone", key.zone},
                      {"is", entry != nullptr ? ConnectionEntryJson(**entry) : Json(nullptr)}};
  }
  // Rules and sets are read where the candidate is loaded, and counts, lists and neighbours change before it is: no
  // report holds them.
  template <
      OneOf<ChainKey, LegacyTableKey, SetKey, ElementKey, QuotaKey, SocketKey, IpsetKey, IpsetElementKey,
            IpsetContentsKey, IpsetExtensionsKey, IpsetRoomKey, QueueListenerKey, RecentKey, NeighbourKey, SetRoomKey>
          Key>
  Json operator()(const Key&) const {
    return nullptr;
  }

 private:
  Json Number(Json json) const {
    const auto* number = fact_.As<std::uint64_t>();
    if (number == nullptr) {
      return nullptr;
    }
    json["is"] = *number;
    return json;
  }

  const Fact& fact_;
};

}  // namespace

Json FactJson(const firewall::facts::Need& need, const Fact& fact) { return std::visit(AnswersJson(fact), need); }

void TakeFact(const Json& json, HostFacts& facts) {
  const std::string of = json.at("of").get<std::string>();
  const auto put = [&](const firewall::facts::Need& need, Fact fact) {
    facts.answers.insert_or_assign(need, std::move(fact));
  };
  if (of == "namespace") {
    put(NamespaceKey{Named<IpFamily>(json.at("family"), kIpFamilies)}, Fact::Present(NamespaceIn(json.at("is"))));
  } else if (of == "hop_limit") {
    put(HopLimitKey{Named<IpFamily>(json.at("family"), kIpFamilies), json.at("device").get<std::string>()},
        Fact::Present(json.at("is").get<std::uint64_t>()));
  } else if (of == "entries") {
    put(EntryCountKey{}, Fact::Present(json.at("is").get<std::uint64_t>()));
  } else if (of == "ipsec_policies") {
    put(IpsecPoliciesKey{}, Fact::Present(json.at("is").get<bool>()));
  } else if (of == "clock") {
    Clock clock;
    clock.seconds = json.at("seconds").get<std::int64_t>();
    TakeKnown(json, "minutes_west", clock.minutes_west);
    put(ClockKey{}, Fact::Present(clock));
  } else if (of == "control_group") {
    put(ControlGroupKey{json.at("id").get<std::uint64_t>()},
        Fact::Present(std::make_shared<const ControlGroup>(
            ControlGroup{json.at("path").get<std::string>(), json.at("line").get<std::vector<std::uint64_t>>()})));
  } else if (of == "entry") {
    put(EntryKey{EndIn(json.at("source")), EndIn(json.at("destination")), json.at("zone").get<std::uint16_t>()},
        json.at("is").is_null()
            ? Fact::Absent()
            : Fact::Present(std::make_shared<const ConnectionEntry>(ConnectionEntryIn(json["is"]))));
  } else if (of == "route") {
    RouteKey key;
    key.destination = AddressIn(json.at("destination"));
    key.bound_device = json.at("bound_device").get<std::uint32_t>();
    key.arriving_on = json.value("arriving_on", std::uint32_t{0});
    key.mark = json.at("mark").get<std::uint32_t>();
    key.type_of_service = json.value("type_of_service", std::uint8_t{0});
    if (json.contains("source")) {
      key.source = AddressIn(json["source"]);
    }
    TakeKnown(json, "user", key.user);
    TakeKnown(json, "source_port", key.source_port);
    TakeKnown(json, "destination_port", key.destination_port);
    put(key,
        json.at("is").is_null() ? Fact::Absent() : Fact::Present(std::make_shared<const Route>(RouteIn(json["is"]))));
  } else {
    throw Malformed("a fact is of " + Quoted(of));
  }
}

}  // namespace finwait::planning
