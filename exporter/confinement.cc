#include "exporter/confinement.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "collectors/firewall/read/legacy_presence.h"
#include "collectors/kernel/cgroup_walk.h"
#include "collectors/kernel/creation_probe.h"
#include "collectors/kernel/expiry_listener.h"
#include "collectors/kernel/features.h"
#include "collectors/kernel/ipsec_policies.h"
#include "collectors/kernel/namespaces/owner_names.h"
#include "collectors/kernel/netlink/event_socket_pool.h"
#include "collectors/kernel/netlink/sealed_requests.h"
#include "collectors/kernel/netlink/sealed_transport.h"
#include "collectors/sources/conntrack_events.h"
#include "exporter/early_threads.h"
#include "exporter/privilege/allowed_calls.h"
#include "exporter/privilege/inheritance.h"
#include "exporter/privilege/sandbox.h"
#include "exporter/privilege/sanitizer.h"

namespace finwait::exporter {
namespace {

// The headers of all requests, sealed, and what the filter has to know of them.
struct Seal {
  std::shared_ptr<kernel::netlink::SealedRequests> requests;
  privilege::SealedCalls calls;
};

// To be called before anything else is opened that is to stay.
Result<Seal> SealRequests(const kernel::Host& host, std::optional<int> channel, std::optional<int> opener) {
  using kernel::netlink::SealedRequests;
  privilege::AllowDescriptors(2 * SealedRequests::kFirstFixed);
  if ((channel && *channel < SealedRequests::kFirstFixed) || (opener && *opener < SealedRequests::kFirstFixed)) {
    return Fail(FailureReason::kError, "too few descriptors are allowed: LimitNOFILE, ulimit -n; it takes 1024");
  }
  auto requests = SealedRequests::Make(kernel::HasXfrm(host));
  if (!requests) {
    return Failure(requests.error());
  }
  // The filter lets nothing below 4 be closed; what got 3 could not be either.
  constexpr int kLowest = 3;
  if (const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC); null > kLowest) {
    ::close(null);
  }
  if (auto limited = privilege::LimitDescriptors(SealedRequests::kFirstFixed); !limited) {
    return Failure(limited.error());
  }
  const SealedRequests::Boundaries limits = (*requests)->Limits();
  Seal seal{std::move(*requests),
            {.messages = {},
             .end = limits.end,
             .first_fixed = SealedRequests::kFirstFixed,
             .channel = channel,
             .opener = opener}};
  const auto allow = [&seal](const SealedRequests::Boundaries::Pair& pair) {
    seal.calls.messages.push_back(
        {{0, pair.sockets.mask, pair.sockets.value}, {1, pair.headers.mask, pair.headers.value}});
  };
  allow(limits.any);
  std::ranges::for_each(limits.apart, allow);
  return seal;
}

// Conntrack's events take more room than net.core.rmem_max gives, which nobody can ask for later. To open the socket
// must load nothing.
void UseWideEventSockets(const command_line::Options& options, kernel::Host& host) {
  const auto& enabled = options.enabled_collectors;
  if (std::find(enabled.begin(), enabled.end(), sources::ConntrackEventsSample::kCollector) == enabled.end() ||
      host.find_feature(kernel::kConntrackNetlink) != kernel::FeatureState::kSafeToAsk) {
    return;
  }
  constexpr int kBuffers[] = {kernel::ExpiryListener::kReceiveBuffer, kernel::CreationProbe::kReceiveBuffer};
  if (auto pool = kernel::netlink::EventSocketPool::Make(kBuffers)) {
    host.open_events = [pool = std::move(*pool)](const kernel::netlink::Subscription& subscription) {
      return pool->Open(subscription);
    };
  }
}

// From here on the host's channels send by sealed headers.
void UseSeal(std::shared_ptr<kernel::netlink::SealedRequests> requests, kernel::Host& host) {
  host.open_channel = [requests = std::move(requests)](int protocol) -> Result<kernel::netlink::Channel> {
    auto transport = kernel::netlink::SealedTransport::Open(requests, protocol);
    if (!transport) {
      return Failure(transport.error());
    }
    return kernel::netlink::Channel(std::move(*transport));
  };
}

}  // namespace

std::vector<std::filesystem::path> ReadableFiles(const command_line::Options& options) {
  const kernel::namespaces::NamePaths names;
  std::vector<std::filesystem::path> files = {options.procfs,
                                              "/proc",
                                              "/sys/module",
                                              "/lib/modules",
                                              "/boot",
                                              options.pod_logs,
                                              options.pod_logs.parent_path() / "containers",
                                              names.docker,
                                              names.podman};
  if (const auto cgroups = kernel::FindCgroup2(options.procfs, Deadline::After(std::chrono::seconds(1)))) {
    files.emplace_back(*cgroups);
  }
  return files;
}

Result<Confinement> Confine(const command_line::Options& options, privilege::KeptCapabilities kept,
                            std::optional<int> channel, std::optional<int> opener, kernel::Host& host) {
  auto capabilities = privilege::GiveUpPrivileges(kept);
  if (!capabilities) {
    return Failure(capabilities.error());
  }
  Confinement confinement;
  confinement.capabilities = std::move(*capabilities);
  privilege::Work work{.role = privilege::Role::kReader,
                       .ipv4_tables = firewall::read::HasLegacyTables(host.procfs, firewall::TableFamily::kIpv4),
                       .ipv6_tables = firewall::read::HasLegacyTables(host.procfs, firewall::TableFamily::kIpv6)};
  UseWideEventSockets(options, host);
  if (options.filter_calls && !privilege::kHasSanitizer) {
    if (auto seal = SealRequests(host, channel, opener)) {
      work.sealed = std::move(seal->calls);
      confinement.adopt = [requests = seal->requests](int protocol,
                                                      UniqueFd socket) -> Result<kernel::netlink::Channel> {
        auto transport = kernel::netlink::SealedTransport::Adopt(requests, protocol, std::move(socket));
        return transport ? Result<kernel::netlink::Channel>(kernel::netlink::Channel(std::move(*transport)))
                         : Failure(transport.error());
      };
      UseSeal(std::move(seal->requests), host);
    } else {
      confinement.unsealed = seal.error().message;
    }
  }
  const bool threads_confined = EarlyThreadsAreConfined();
  if (auto files = privilege::FileDomain::Enter(ReadableFiles(options))) {
    confinement.files = std::move(*files);
  }
  confinement.unfiltered = privilege::FilterCalls(options.filter_calls, work);
  const bool filtered = !confinement.unfiltered;
  if (filtered && !work.ipv4_tables) {
    confinement.unreadable_tables.push_back(firewall::TableFamily::kIpv4);
  }
  if (filtered && !work.ipv6_tables) {
    confinement.unreadable_tables.push_back(firewall::TableFamily::kIpv6);
  }
  confinement.layers = {true, filtered, confinement.files && threads_confined, filtered && work.sealed};
  return confinement;
}

}  // namespace finwait::exporter
