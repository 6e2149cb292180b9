#include "collectors/sources/registry.h"

#include "collectors/sources/conntrack_events.h"
#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/netstat.h"
#include "collectors/sources/network_namespaces.h"
#include "collectors/sources/sockets.h"
#include "collectors/sources/sysctl.h"
#include "collectors/sources/tracking.h"

namespace finwait::sources {
namespace {

template <typename T>
std::unique_ptr<Collector> Make(const kernel::Host& host, const CollectorSettings&) {
  return std::make_unique<T>(host);
}

std::unique_ptr<Collector> MakeSockets(const kernel::Host& host, const CollectorSettings& settings) {
  return std::make_unique<SocketsCollector>(host, Pacer(settings.interval, settings.cpu_budget, kSocketCountsShare),
                                            settings.shared);
}

template <typename T>
std::unique_ptr<Collector> MakeSharing(const kernel::Host& host, const CollectorSettings& settings) {
  return std::make_unique<T>(host, settings.shared);
}

constexpr CollectorInfo kRegistry[] = {
    {"conntrack_stats", "conntrack's counters and the size of its table", "CAP_NET_ADMIN for the counters", true, 0,
     Make<ConntrackStatsCollector>},
    {"conntrack_table", "conntrack entries by state, their idle age and remaining lifetime", "CAP_NET_ADMIN", true,
     kTableShare, MakeSharing<ConntrackTableCollector>},
    {"conntrack_events", "live conntrack entries that timed out, as the kernel tells of them", "CAP_NET_ADMIN", true, 0,
     Make<ConntrackEventsCollector>},
    {"tracking", "which live sockets have a conntrack entry, for how long, and through which NAT", "CAP_NET_ADMIN",
     true, kTrackingShare, MakeSharing<TrackingCollector>},
    {"sysctl", "conntrack's TCP timeouts and switches, TCP keepalive and orphan settings", "", true, 0,
     Make<SysctlCollector>},
    {"sockets", "TCP sockets by state, orphans, and closing sockets with timer and tries", "", true,
     kClosingSocketsShare, MakeSockets},
    {"firewall", "nftables, iptables-nft and iptables-legacy rules that can drop a packet", "CAP_NET_ADMIN", true,
     kFirewallShare, Make<FirewallCollector>},
    {"netstat", "the kernel's TCP counters of aborted, retransmitted and reset connections", "", true, 0,
     Make<NetstatCollector>},
    {"network_namespaces", "other network namespaces that processes live in, whose sockets are not read",
     "CAP_SYS_PTRACE for other users' processes", true, kNamespacesShare, Make<NetworkNamespacesCollector>},
};

}  // namespace

std::span<const CollectorInfo> CollectorRegistry() { return kRegistry; }

}  // namespace finwait::sources
