#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "collectors/base/text.h"
#include "collectors/sources/network_namespaces.h"
#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {
namespace {

using kernel::namespaces::Owner;
using kernel::namespaces::OwnerKind;

// As an owner is shown. A process gives itself any name, and a terminal shows the metrics, too: two names may look the
// same then, and are one.
Owner Shown(const Owner& owner) {
  return {owner.kind, Printable(owner.name_space), Printable(owner.name), Printable(owner.container)};
}

// The worst by this number by name; the rest are one owner together, so that the sums stay exact.
void AddOwners(const std::vector<diagnosis::OwnerCount>& owners, std::uint64_t diagnosis::OwnerCount::*number,
               Family family, Families& families) {
  std::vector<const diagnosis::OwnerCount*> ranked;
  ranked.reserve(owners.size());
  for (const diagnosis::OwnerCount& one : owners) {
    ranked.push_back(&one);
  }
  std::ranges::stable_sort(ranked, [&](const auto* a, const auto* b) { return a->*number > b->*number; });
  std::map<Owner, std::uint64_t> shown = {{Owner{}, 0}};
  for (const diagnosis::OwnerCount* one : ranked) {
    const bool is_named = shown.size() <= diagnosis::kMostNamedOwners && one->owner.kind != OwnerKind::kOther;
    shown[is_named ? Shown(one->owner) : Owner{}] += one->*number;
  }
  for (const auto& [owner, count] : shown) {
    family.Add({{"owner_kind", Name(owner.kind)},
                {"owner_namespace", owner.name_space},
                {"owner_name", owner.name},
                {"owner_container", owner.container}},
               static_cast<double>(count));
  }
  family.AppendTo(families);
}

}  // namespace

void AppendNamespaces(const diagnosis::Diagnosis& diagnosis, Families& families) {
  const auto* sample = diagnosis.snapshot->Find<sources::NetworkNamespacesSample>();
  if (sample == nullptr) {
    return;
  }
  Family namespaces = Family::Gauge("network_namespaces",
                                    "Network namespaces by how well each is seen: own, observed through procfs, "
                                    "entered, or unseen (/proc/PID/net/tcp).");
  namespaces.Add({{"coverage", "own"}}, 1)
      .Add({{"coverage", "observed"}}, static_cast<double>(sample->observed))
      .Add({{"coverage", "entered"}}, static_cast<double>(sample->entered))
      .Add({{"coverage", "unseen"}}, static_cast<double>(sample->unseen));
  namespaces.AppendTo(families);
  if (diagnosis.stuck) {
    AddOwners(diagnosis.owners, &diagnosis::OwnerCount::stuck,
              Family::Gauge("owner_stuck_sockets",
                            "Sockets found stuck within the last hour, by whose they are: the 20 worst owners, all "
                            "others as other (cgroups)."),
              families);
  }
  if (diagnosis.live) {
    AddOwners(diagnosis.owners, &diagnosis::OwnerCount::at_risk,
              Family::Gauge("owner_at_risk_sockets",
                            "Live sockets at risk now, by whose they are: the 20 worst owners, all others as other "
                            "(cgroups)."),
              families);
  }
}

}  // namespace finwait::views::metrics
