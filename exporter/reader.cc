#include "exporter/reader.h"

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
#include <memory>
#include <utility>
#include <vector>

#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/firewall/read/legacy_presence.h"
#include "collectors/kernel/netlink/sealed_requests.h"
#include "exporter/channel/answerer.h"
#include "exporter/command_line/enabled_collectors.h"
#include "exporter/confinement.h"
#include "exporter/opener_process.h"
#include "exporter/privilege/inheritance.h"
#include "exporter/privilege/refused_calls.h"
#include "exporter/process/usage.h"
#include "exporter/resolvers_inside.h"
#include "exporter/scheduling/sampler.h"
#include "exporter/scheduling/snapshot_inbox.h"
#include "exporter/service/lack_of_resources.h"
#include "exporter/service/memory_policy.h"
#include "exporter/service/scheduler_slice.h"
#include "exporter/table_walk.h"
#include "exporter/witness.h"

namespace finwait::exporter {
namespace {

// The number of the channel's socket: one that nothing else can get (SealedRequests).
constexpr int kChannel = kernel::netlink::SealedRequests::kFirstFree;

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
    case FactKind::kIpsetContents:
    case FactKind::kIpsetExtensions:
    case FactKind::kIpsetRoom:
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
    case FactKind::kNeighbour:
    case FactKind::kEntry:
    case FactKind::kControlGroup:
    case FactKind::kClock:
      break;
  }
  return {};
}

// Whether a service manager or the kubelet starts this program again when it ends. A container's restart policy leaves
// no trace inside.
bool IsStartedAgain() {
  return std::getenv("NOTIFY_SOCKET") != nullptr || std::getenv("KUBERNETES_SERVICE_HOST") != nullptr;
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

void Read(const command_line::Options& options, channel::Connection connection,
          std::shared_ptr<witness::FeedReader> witness, sources::TableWalk table_walk) {
  auto host = kernel::OpenHost(options.procfs);
  if (!host) {
    AnswerWithout(std::move(connection), host.error());
    return;
  }
  auto opener = OpenerProcess::Start(options);
  service::SetSchedulerSlice();
  const auto confinement =
      Confine(options, {.net_admin = NeedNetAdmin(options)}, connection.Descriptor(), opener.Descriptor(), *host);
  if (!confinement) {
    AnswerWithout(std::move(connection), confinement.error());
    return;
  }
  channel::HelloAnswer hello;
  hello.network_namespace = host->network_namespace;
  hello.capabilities = confinement->capabilities;
  hello.unsealed = confinement->unsealed;
  hello.unfiltered = confinement->unfiltered;

  sources::CollectorSettings settings = SettingsOf(options);
  settings.witness = std::move(witness);
  settings.table_walk = std::move(table_walk);
  opener.GiveTo(settings.namespaces, confinement->adopt);
  scheduling::SnapshotInbox snapshots;
  scheduling::Sampler sampler(
      host->network_namespace, MakeCollectors(options, settings, *host), settings,
      [&, awaited = IsStartedAgain() ? confinement->unreadable_tables : std::vector<firewall::TableFamily>()](
          std::shared_ptr<const scheduling::Snapshot> snapshot) {
        if (std::ranges::any_of(awaited,
                                [&](auto family) { return firewall::read::HasLegacyTables(host->procfs, family); })) {
          std::_Exit(kEndedToBeStartedAgain);
        }
        snapshots.Put(std::move(snapshot));
      });
  firewall::read::FactResolver resolver(*host);
  process::UsageMeter usage;
  channel::Answerer answerer(
      std::move(connection),
      {std::move(hello), snapshots, resolver, settings.cpu_budget,
       [&host](const firewall::facts::Need& need) { return MayAsk(*host, need); },
       [&] {
         return process::ProcessReport{usage.Read(SteadyClock::now()), confinement->layers, privilege::RefusedCalls()};
       },
       [&sampler] { sampler.Start(); }, ResolversInside(settings.namespaces)});
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
    auto witness = StartWitness(options, ends->second.Descriptor());
    auto table_walk = StartTableWalk(options);
    Read(options, std::move(ends->second), std::move(witness), std::move(table_walk));
  } catch (const std::exception& error) {
    // No memory or no thread: the server sees the channel end, too, and says so.
    service::DescribeEnd(error);
    std::_Exit(2);
  }
  std::_Exit(0);
}

}  // namespace finwait::exporter
