#include "exporter/channel/fact_changes.h"

namespace finwait::channel {

FactChanges TakeChanges(firewall::facts::Resolver& resolver) {
  using namespace firewall::facts;  // NOLINT(google-build-using-namespace): the store's words
  // A store with one fact that can become stale shows what the resolver does to it.
  FactStore store;
  store.Put(NamespaceKey(), Fact::Absent());
  const auto before = store.Now();
  resolver.TakeInChanges(store);
  FactChanges changes;
  for (std::size_t kind = 0; kind < kFactKinds; ++kind) {
    const FactKinds only = Only(static_cast<FactKind>(kind));
    changes.invalid = static_cast<FactKinds>(changes.invalid | (store.Holds(only, before) ? 0 : only));
  }
  changes.settings_stale = !store.Stale().empty();
  return changes;
}

}  // namespace finwait::channel
