#include "exporter/channel/soundness.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "collectors/base/one_of.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/network_namespaces.h"
#include "collectors/sources/sockets.h"

namespace finwait::channel {
namespace {

using firewall::Register;
using firewall::Set;
using firewall::SetElement;
using firewall::Table;

constexpr std::size_t kLongestName = 256;  // NFT_NAME_MAXLEN; all others are shorter

bool IsElementOf(const Set& set, const SetElement& element) {
  return element.catch_all ||
         (element.key.size() == set.key_length && (!element.key_end || element.key_end->size() == element.key.size()));
}

bool IsForm(const Set& set) {
  return set.key_length <= Register::kAreaSize && set.data_length <= Register::kAreaSize &&
         set.field_lengths.size() <= Register::kAreaSize && set.name.size() <= kLongestName;
}

bool IsSet(const Set& set) {
  return IsForm(set) && std::all_of(set.elements.begin(), set.elements.end(),
                                    [&set](const SetElement& element) { return IsElementOf(set, element); });
}

bool IsTable(const Table& table) {
  return std::all_of(table.chains.begin(), table.chains.end(),
                     [](const auto& named) { return named.first == named.second->name; }) &&
         std::all_of(table.sets.begin(), table.sets.end(),
                     [](const auto& named) { return named.first == named.second->name && IsSet(*named.second); });
}

// Each table is sound, and there once.
bool AreTables(const std::vector<Table>& tables) {
  std::set<std::tuple<firewall::Backend, firewall::TableFamily, std::string>> names;
  return std::all_of(tables.begin(), tables.end(), [&names](const Table& table) {
    return IsTable(table) && names.emplace(table.backend, table.family, table.name).second;
  });
}

bool AreNames(std::initializer_list<const std::string*> names) {
  return std::all_of(names.begin(), names.end(), [](const std::string* name) { return name->size() <= kLongestName; });
}

struct NeedIsSound {
  bool operator()(const firewall::facts::ChainKey& key) const { return AreNames({&key.table, &key.chain}); }
  bool operator()(const firewall::facts::LegacyTableKey& key) const { return AreNames({&key.table}); }
  bool operator()(const firewall::facts::SetKey& key) const { return AreNames({&key.table, &key.set}); }
  bool operator()(const firewall::facts::ElementKey& key) const {
    return (*this)(key.set) && key.key.size() <= Register::kAreaSize && key.form != nullptr && IsForm(*key.form) &&
           key.form->elements.empty();
  }
  bool operator()(const firewall::facts::SetRoomKey& key) const { return (*this)(key.set); }
  bool operator()(const firewall::facts::HopLimitKey& key) const { return AreNames({&key.device}); }
  bool operator()(const firewall::facts::RecentKey& key) const { return AreNames({&key.list}); }
  bool operator()(const firewall::facts::QuotaKey& key) const { return AreNames({&key.accounting_object}); }
  bool operator()(const firewall::facts::IpsetElementKey& key) const { return AreNames({&key.set, &key.device}); }
  bool operator()(const firewall::facts::IpsetExtensionsKey& key) const { return (*this)(key.element); }
  bool operator()(const firewall::facts::IpsecPoliciesKey& key) const {
    return key.source.has_value() == key.destination.has_value();
  }
  bool operator()(const firewall::facts::IpsetRoomKey& key) const { return AreNames({&key.set}); }
  bool operator()(const firewall::facts::IpsetContentsKey& key) const { return AreNames({&key.set}); }
  // Of numbers and addresses, which are whatever they are.
  template <OneOf<firewall::facts::RouteKey, firewall::facts::SocketKey, firewall::facts::NamespaceKey,
                  firewall::facts::IpsetKey, firewall::facts::QueueListenerKey, firewall::facts::EntryCountKey,
                  firewall::facts::ControlGroupKey, firewall::facts::NeighbourKey, firewall::facts::ClockKey,
                  firewall::facts::EntryKey>
                Key>
  bool operator()(const Key&) const {
    return true;
  }
};

}  // namespace

bool IsSound(const sources::SampleData& sample) {
  if (const auto* firewall = dynamic_cast<const sources::FirewallSample*>(&sample)) {
    const auto& drops = firewall->invalid_drops;
    return AreTables(firewall->ruleset->tables) && std::all_of(drops.begin(), drops.end(), [](const auto& drop) {
             return !drop.families.empty() && !drop.hooks.empty();
           });
  }
  if (const auto* sockets = dynamic_cast<const sources::SocketsSample*>(&sample)) {
    return sockets->closing.size() <= sources::SocketsSample::kMaxClosing;
  }
  if (const auto* others = dynamic_cast<const sources::NetworkNamespacesSample*>(&sample)) {
    return others->closing.size() <= sources::NetworkNamespacesSample::kMaxClosing &&
           (others->live == nullptr || (others->live->sockets.Size() == others->live->namespaces.size() &&
                                        others->live->own_tracking.size() <= others->live->sockets.Size())) &&
           std::all_of(others->namespaces.begin(), others->namespaces.end(),
                       [](const auto& one) { return !one.own || AreTables(one.own->ruleset->tables); });
  }
  return true;
}

bool IsSound(const firewall::facts::Fact::Value& fact) {
  if (const auto* table = std::get_if<std::shared_ptr<const Table>>(&fact)) {
    return IsTable(**table);
  }
  const auto* set = std::get_if<std::shared_ptr<const Set>>(&fact);
  return set == nullptr || IsSet(**set);
}

bool IsSound(const firewall::facts::Need& need) { return std::visit(NeedIsSound(), need); }

}  // namespace finwait::channel
