#include "collectors/kernel/attached_programs.h"

#include <linux/if_ether.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <set>
#include <tuple>
#include <utility>

#include "collectors/base/text.h"
#include "collectors/kernel/bpf_inventory.h"
#include "collectors/kernel/bpf_query.h"
#include "collectors/kernel/links.h"
#include "collectors/kernel/traffic_filters.h"

namespace finwait::kernel {
namespace {

// enum bpf_attach_type, newer than the headers of Debian 12.
constexpr std::uint32_t kTcxIngress = 46;
constexpr std::uint32_t kTcxEgress = 47;

std::string Placed(const std::string& what, const std::string& how, bool outgoing, const Link& link) {
  return "the " + what + ", " + how + " at the " + (outgoing ? "egress" : "ingress") + " of " + link.name;
}

bool IsOfThisThread(const Host& host) {
  struct stat own = {};
  return ::stat("/proc/thread-self/ns/net", &own) == 0 && own.st_ino == host.network_namespace.inode;
}

class Finder {
 public:
  Finder(const Links& links, const BpfInventory* bpf) : links_(links), bpf_(bpf) {}

  void AddXdp() {
    for (const Link& link : links_.All()) {
      for (const std::uint32_t program : link.xdp_programs) {
        Add(link.index, {0, false, true, true, Placed(Bpf("", program), "XDP", false, link)});
      }
    }
  }

  void AddFilters(const std::vector<TrafficFilter>& filters) {
    for (const TrafficFilter& filter : filters) {
      const Link* const link = links_.Find(filter.device);
      if (link == nullptr) {
        continue;
      }
      const bool any =
          filter.protocol == ETH_P_ALL || filter.protocol == ETH_P_8021Q || filter.protocol == ETH_P_8021AD;
      const std::string what = filter.program != 0 ? Bpf(filter.name, filter.program) : "filter " + Quoted(filter.name);
      Add(link->index, {0, filter.outgoing, any || filter.protocol == ETH_P_IP, any || filter.protocol == ETH_P_IPV6,
                        Placed(what, "tc", filter.outgoing, *link)});
    }
  }

  void AddTcx() {
    for (const Link& link : links_.All()) {
      for (const bool outgoing : {false, true}) {
        const auto programs = QueryBpfPrograms(link.index, outgoing ? kTcxEgress : kTcxIngress);
        if (!programs && programs.error().errno_code == ENODEV) {
          continue;  // it has gone since
        }
        if (!programs) {
          return;  // not allowed, or a kernel without them: so of every device
        }
        for (const std::uint32_t program : *programs) {
          Add(link.index, {0, outgoing, true, true, Placed(Bpf("", program), "tcx", outgoing, link)});
        }
      }
    }
  }

  std::vector<AttachedProgram> Take() { return std::move(programs_); }

 private:
  std::string Bpf(const std::string& told, std::uint32_t program) const {
    return "BPF program " + CalledBpf(told.empty() && bpf_ != nullptr ? bpf_->NameOf(program) : told, program);
  }

  // For the device itself, and for those above it. Of several at one place the first is the one that is named.
  void Add(std::uint32_t device, const AttachedProgram& program) {
    std::set<std::uint32_t> reached = {device};
    std::vector<std::uint32_t> next = {device};
    while (!next.empty()) {
      const std::uint32_t below = next.back();
      next.pop_back();
      if (places_.emplace(below, program.outgoing, program.ipv4, program.ipv6).second) {
        AttachedProgram& added = programs_.emplace_back(program);
        added.device = below;
      }
      for (const Link& link : links_.All()) {
        const Link* const under = links_.Find(below);
        const bool above = (under != nullptr && under->master == link.index) || link.lower == below;
        if (above && reached.insert(link.index).second) {
          next.push_back(link.index);
        }
      }
    }
  }

  const Links& links_;
  const BpfInventory* bpf_;
  std::vector<AttachedProgram> programs_;
  std::set<std::tuple<std::uint32_t, bool, bool, bool>> places_;
};

}  // namespace

Result<std::vector<AttachedProgram>> ReadAttachedPrograms(const Host& host, Deadline deadline) {
  const auto links = Links::Read(host, deadline);
  if (!links) {
    return Failure(links.error());
  }
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  const auto filters = ReadTrafficFilters(*channel, *links, deadline);
  if (!filters && filters.error().reason != FailureReason::kUnsupported) {
    return Failure(filters.error());
  }
  Finder finder(*links, host.bpf.get());
  finder.AddXdp();
  if (filters) {  // else a kernel without tc
    finder.AddFilters(*filters);
  }
  if (IsOfThisThread(host)) {
    finder.AddTcx();
  }
  return finder.Take();
}

}  // namespace finwait::kernel
