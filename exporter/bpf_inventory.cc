#include "exporter/bpf_inventory.h"

#include <linux/netfilter.h>

#include <chrono>
#include <cstring>
#include <utility>

#include "collectors/kernel/group_programs.h"
#include "collectors/witness/netfilter_links.h"

namespace finwait::exporter {
namespace {

// Of thousands of control groups each takes some ten microseconds.
constexpr std::chrono::seconds kListingGroups(1);

}  // namespace

std::shared_ptr<const kernel::BpfInventory> ReadBpfInventory(kernel::Host host) {
  auto names = kernel::ReadBpfNames();
  if (!names) {
    return nullptr;
  }
  auto inventory = std::make_shared<kernel::BpfInventory>();
  inventory->names = std::move(*names);
  host.bpf = inventory;
  inventory->of_groups = kernel::ReadGroupPrograms(host, Deadline::After(kListingGroups));
  // Most hosts have none, and are spared the reading of the kernel's types.
  const auto any = kernel::HasNetfilterLinks();
  if (!any || !*any) {
    return inventory;
  }
  const auto links = witness::ReadNetfilterLinks();
  if (!links) {
    for (const IpFamily family : kIpFamilies) {
      for (const std::uint32_t hook : {NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT, NF_INET_FORWARD}) {
        inventory->in_netfilter.push_back({kernel::NetfilterProgram::kAnyNamespace, family, hook, 0, ""});
      }
    }
    return inventory;
  }
  for (const finwait_netfilter_record& link : *links) {
    if (link.family == NFPROTO_IPV4 || link.family == NFPROTO_IPV6) {
      inventory->in_netfilter.push_back({link.network_namespace,
                                         link.family == NFPROTO_IPV4 ? IpFamily::kIpv4 : IpFamily::kIpv6, link.hook,
                                         link.program, std::string(link.name, ::strnlen(link.name, sizeof link.name))});
    }
  }
  return inventory;
}

}  // namespace finwait::exporter
