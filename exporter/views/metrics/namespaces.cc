#include <algorithm>
#include <cstdint>
#include <span>

#include "collectors/base/text.h"
#include "collectors/sources/network_namespaces.h"
#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {
namespace {

using kernel::namespaces::Owner;
using kernel::namespaces::OwnerKind;

// A process gives itself any name, and a terminal shows the metrics, too.
void AddOwner(const Owner& owner, std::uint64_t number, Family& family) {
  family.Add({{"owner_kind", Name(owner.kind)},
              {"owner_namespace", Printable(owner.name_space)},
              {"owner_name", Printable(owner.name)},
              {"owner_container", Printable(owner.container)}},
             static_cast<double>(number));
}

// The worst by name; the rest are one owner together, so that the sums stay exact.
void AddOwners(std::span<const diagnosis::OwnerCount> owners, std::uint64_t diagnosis::OwnerCount::*number,
               Family family, Families& families) {
  std::uint64_t others = 0;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (i < diagnosis::kMostNamedOwners && owners[i].owner.kind != OwnerKind::kOther) {
      AddOwner(owners[i].owner, owners[i].*number, family);
    } else {
      others += owners[i].*number;
    }
  }
  AddOwner(Owner{}, others, family);
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
