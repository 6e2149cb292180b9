#include "exporter/reader.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/kernel/cgroup_walk.h"
#include "collectors/kernel/ipsec_policies.h"
#include "collectors/kernel/namespaces/owner_names.h"
#include "collectors/kernel/netlink/sealed_requests.h"
#include "collectors/kernel/netlink/sealed_transport.h"
#include "exporter/channel/answerer.h"
#include "exporter/command_line/enabled_collectors.h"
#include "exporter/privilege/file_domain.h"
#include "exporter/privilege/inheritance.h"
#include "exporter/privilege/refused_calls.h"
#include "exporter/privilege/sandbox.h"
#include "exporter/privilege/sanitizer.h"
#include "exporter/process/usage.h"
#include "exporter/scheduling/sampler.h"
#include "exporter/scheduling/snapshot_inbox.h"
#include "exporter/service/lack_of_resources.h"
#include "exporter/service/memory_policy.h"
#include "exporter/service/scheduler_slice.h"

namespace finwait::exporter {
namespace {

// The number of the channel's socket: one that nothing else can get (SealedRequests).
constexpr int kChannel = kernel::netlink::SealedRequests::kFirstFree;

// Beside procfs: what tells whether asking would load a module (kernel/features.h), and whose a socket is
// (kernel/namespaces/owner_names.h).
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

// The headers of all requests, sealed, and what the filter has to know of them.
struct Seal {
  std::shared_ptr<kernel::netlink::SealedRequests> requests;
  privilege::SealedCalls calls;
};

// To be called before anything else is opened that is to stay.
Result<Seal> SealRequests(const kernel::Host& host, int channel) {
  using kernel::netlink::SealedRequests;
  if (channel < SealedRequests::kFirstFixed) {
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
            {.messages = {}, .end = limits.end, .first_fixed = SealedRequests::kFirstFixed, .channel = channel}};
  const auto allow = [&seal](const SealedRequests::Boundaries::Pair& pair) {
    seal.calls.messages.push_back(
        {{0, pair.sockets.mask, pair.sockets.value}, {1, pair.headers.mask, pair.headers.value}});
  };
  allow(limits.any);
  std::ranges::for_each(limits.apart, allow);
  return seal;
}

// A need names what a rule has named, so that what answers is loaded. Somebody who has taken over the server may name
// anything; then asking would load it.
Result<void> MayAsk(const kernel::Host& host, const firewall::facts::Need& need) {
  using firewall::facts::FactKind;
  static constexpr kernel::KernelFeature kAccounting = {"nfnetlink_acct", "nfnl_acct_overquota",
                                                        "CONFIG_NETFILTER_NETLINK_ACCT"};
  static constexpr kernel::KernelFeature kIpset = {"ip_set", "ip_set_type_register", "CONFIG_IP_SET"};
  switch (KindOf(need)) {
    case FactKind::kChain:
    case FactKind::kSet:
    case FactKind::kElement:
    case FactKind::kSetRoom:
      return RequireFeature(host, kernel::kNfTables, "nftables' chains and sets");
    case FactKind::kQuota:
      return RequireFeature(host, kAccounting, "accounting objects");
    case FactKind::kIpset:
    case FactKind::kIpsetElement:
      return RequireFeature(host, kIpset, "ipsets");
    case FactKind::kLegacyTable:
    case FactKind::kRoute:
    case FactKind::kSocket:
    case FactKind::kNamespace:
    case FactKind::kHopLimit:
    case FactKind::kIpsecPolicies:
    case FactKind::kQueueListener:
    case FactKind::kEntryCount:
    case FactKind::kRecent:
    case FactKind::kControlGroup:
      break;
  }
  return {};
}

// Tells the server, who logs it, why there is nothing to be read.
void AnswerWithout(channel::Connection connection, Error why) {
  scheduling::SnapshotInbox nothing;
  class : public firewall::facts::Resolver {
    void Resolve(const firewall::facts::Needs&, firewall::facts::FactStore&) override {}
    void TakeInChanges(firewall::facts::FactStore&) override {}
  } nobody;
  channel::HelloAnswer hello;
  hello.why_not = std::move(why);
  channel::Answerer(std::move(connection), {std::move(hello), nothing, nobody, std::make_shared<CpuBudget>(1),
                                            [](const firewall::facts::Need&) { return Result<void>(); },
                                            [] { return process::ProcessReport(); }, [] {}})
      .Run();
}

void Read(const command_line::Options& options, channel::Connection connection) {
  auto host = kernel::OpenHost(options.procfs);
  if (!host) {
    AnswerWithout(std::move(connection), host.error());
    return;
  }
  service::SetSchedulerSlice();
  const auto privileges = privilege::GiveUpPrivileges({.net_admin = NeedNetAdmin(options)});
  if (!privileges) {
    AnswerWithout(std::move(connection), privileges.error());
    return;
  }
  channel::HelloAnswer hello;
  hello.network_namespace = host->network_namespace;
  hello.capabilities = *privileges;
  std::optional<privilege::SealedCalls> sealed;
  if (options.filter_calls && !privilege::kHasSanitizer) {
    auto seal = SealRequests(*host, connection.Descriptor());
    if (seal) {
      sealed = seal->calls;
      host->open_channel = [requests = seal->requests](int protocol) -> Result<kernel::netlink::Channel> {
        auto transport = kernel::netlink::SealedTransport::Open(requests, protocol);
        if (!transport) {
          return Failure(transport.error());
        }
        return kernel::netlink::Channel(std::move(*transport));
      };
    } else {
      hello.unsealed = seal.error().message;
    }
  }
  const auto files = privilege::FileDomain::Enter(ReadableFiles(options));
  hello.unfiltered = privilege::FilterCalls(options.filter_calls, privilege::Role::kReader, sealed);
  const process::Layers layers = {true, !hello.unfiltered, files.has_value()};

  const sources::CollectorSettings settings = SettingsOf(options);
  scheduling::SnapshotInbox snapshots;
  scheduling::Sampler sampler(
      host->network_namespace, MakeCollectors(options, settings, *host), settings,
      [&snapshots](std::shared_ptr<const scheduling::Snapshot> snapshot) { snapshots.Put(std::move(snapshot)); });
  firewall::read::FactResolver resolver(*host);
  process::UsageMeter usage;
  channel::Answerer answerer(
      std::move(connection),
      {std::move(hello), snapshots, resolver, settings.cpu_budget,
       [&host](const firewall::facts::Need& need) { return MayAsk(*host, need); },
       [&] {
         return process::ProcessReport{usage.Read(SteadyClock::now()), layers, privilege::RefusedCalls()};
       },
       [&sampler] { sampler.Start(); }});
  answerer.Run();
  sampler.Stop(Deadline::After(std::chrono::seconds(0)));
}

}  // namespace

Result<Reader> StartReader(const command_line::Options& options) {
  auto ends = channel::Connection::MakePair();
  if (!ends) {
    return Failure(ends.error());
  }
  const pid_t server = ::getpid();
  const pid_t process = ::fork();
  if (process < 0) {
    return FailErrno("start the process that reads the kernel", errno);
  }
  if (process > 0) {
    return Reader{std::move(ends->first), process};
  }
  // It ends with the server whatever happens: nobody else has use for it.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != server) {
    std::_Exit(1);
  }
  pthread_setname_np(pthread_self(), "finwait_reader");
  privilege::AllowDescriptors(2 * kernel::netlink::SealedRequests::kFirstFixed);
  ends->second.MoveTo(kChannel);
  privilege::CloseAllBut(ends->second.Descriptor());
  try {
    Read(options, std::move(ends->second));
  } catch (const std::exception& error) {
    // No memory or no thread: the server sees the channel end, too, and says so.
    service::DescribeEnd(error);
    std::_Exit(2);
  }
  std::_Exit(0);
}

}  // namespace finwait::exporter
