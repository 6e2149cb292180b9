#include "collectors/sources/network_namespaces.h"

#include <linux/netlink.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "collectors/kernel/cgroup_walk.h"
#include "collectors/kernel/conntrack_presence.h"

namespace finwait::sources {
namespace {

using kernel::namespaces::ObservedNamespace;

constexpr auto kCgroupsAgainAfter = std::chrono::seconds(15);
constexpr auto kJointsAgainAfter = std::chrono::seconds(60);

// Whether `procfs` shows processes by the numbers that this process has for them, too: not so where it is another PID
// namespace's.
bool SharesNumbersOfProcesses(const std::filesystem::path& procfs) {
  std::error_code error;
  return std::filesystem::read_symlink(procfs / "self", error) == std::to_string(::getpid());
}

}  // namespace

std::shared_ptr<const kernel::namespaces::Owner> NetworkNamespacesSample::OwnerOf(
    std::uint64_t network_namespace) const {
  const auto found = std::ranges::lower_bound(namespaces, network_namespace, {}, &OtherNamespace::id);
  return found != namespaces.end() && found->id == network_namespace ? found->owner : nullptr;
}

NetworkNamespacesCollector::NetworkNamespacesCollector(kernel::Host host, const NamespaceSettings& settings,
                                                       Pacer joining, std::optional<WorkCredit> reading,
                                                       SharedReads shared)
    : host_(std::move(host)),
      settings_(settings),
      joining_(std::move(joining)),
      reading_(std::move(reading)),
      join_(std::move(shared.zones)),
      observer_(host_.procfs, settings.names) {}

Result<std::chrono::nanoseconds> NetworkNamespacesCollector::Observe(Deadline deadline) {
  if (!reading_) {
    constexpr auto kWithoutBound = std::chrono::hours(1);  // the deadline is one
    auto observed = observer_.Observe(deadline, kWithoutBound);
    return observed ? Result<std::chrono::nanoseconds>(std::chrono::nanoseconds(0)) : Failure(observed.error());
  }
  const SteadyClock::time_point now = SteadyClock::now();
  auto observed = observer_.Observe(deadline, reading_->Available(now));
  if (!observed) {
    return Failure(observed.error());
  }
  const kernel::namespaces::ReadingEffort& effort = observer_.LastEffort();
  reading_->Spent(effort.spent, effort.spent + effort.waiting);
  return effort.spent;
}

void NetworkNamespacesCollector::ListSockets(NetworkNamespacesSample& sample) const {
  for (const ObservedNamespace& one : observer_.Namespaces()) {
    if (one.sockets == nullptr) {
      ++sample.unseen;
      continue;
    }
    ++sample.observed;
    sample.namespaces.push_back({one.id, one.inhabited && !one.processes.empty() ? one.processes.front() : 0, one.owner,
                                 one.sockets->counts, one.sockets->orphans, std::nullopt});
    if (const auto joint = joints_.find(one.id); joint != joints_.end()) {
      sample.namespaces.back().joined = joint->second;
    }
    for (const kernel::TcpSocket& socket : one.sockets->closing) {
      if (sample.closing.size() < NetworkNamespacesSample::kMaxClosing) {
        sample.closing.push_back({one.id, socket});
      }
    }
  }
}

void NetworkNamespacesCollector::JoinClosing(Deadline deadline, NetworkNamespacesSample& sample) {
  if (sample.closing.empty() || !RequireConntrack(host_)) {
    return;
  }
  kernel::SocketTable table;
  for (const OtherClosingSocket& one : sample.closing) {
    table.Add(one.socket);
  }
  if (!join_.Join(host_, deadline, table)) {
    return;  // their entries stay unknown; `tracking` tells why
  }
  for (std::size_t i = 0; i < sample.closing.size(); ++i) {
    sample.closing[i].socket.entry = table[i].entry;
  }
}

std::chrono::nanoseconds NetworkNamespacesCollector::KeepJoined(Deadline deadline, std::vector<Error>& gaps) {
  const SteadyClock::time_point now = SteadyClock::now();
  if (!joining_.Due(now)) {
    return std::chrono::nanoseconds(0);
  }
  const CpuStopwatch stopwatch;
  live_.reset();
  auto live = std::make_shared<OtherLiveSockets>();
  const std::vector<ObservedNamespace> namespaces = observer_.Namespaces();
  for (const ObservedNamespace& one : namespaces) {
    if (one.sockets == nullptr) {
      continue;
    }
    const auto id = static_cast<std::uint32_t>(one.id);
    // A list is read again only where something has changed: meanwhile a timer has come closer.
    const auto age = std::chrono::floor<std::chrono::milliseconds>(now - one.sockets->read_at);
    for (kernel::TcpSocket socket : one.sockets->open) {
      socket.timer_expires -= std::clamp(age, std::chrono::milliseconds(0), socket.timer_expires);
      live->sockets.Add(socket);
      live->namespaces.push_back(id);
    }
    for (const kernel::TcpSocket& socket : one.sockets->closing) {
      live->sockets.Add(socket);
      live->namespaces.push_back(id);
    }
  }
  if (RequireConntrack(host_)) {  // without conntrack no connection has an entry, which `tracking` tells
    if (const auto joined = join_.Join(host_, deadline, live->sockets); !joined) {
      gaps.push_back(joined.error());
      joining_.Ran(SteadyClock::now(), stopwatch.Elapsed());
      return stopwatch.Elapsed();
    }
  }
  std::set<std::uint64_t> at_risk;
  for (std::size_t i = 0; i < live->namespaces.size(); ++i) {
    if (live->sockets.TrackingOf(i) == kernel::Tracking::kUntracked && live->sockets[i].IsOpen()) {
      at_risk.insert(live->namespaces[i]);
    }
  }
  for (const ObservedNamespace& one : namespaces) {
    observer_.SetAtRisk(one.id, at_risk.contains(one.id));
  }
  live->taken_at = SteadyClock::now();
  live_ = std::move(live);
  joining_.Ran(SteadyClock::now(), stopwatch.Elapsed());
  return stopwatch.Elapsed();
}

void NetworkNamespacesCollector::KeepCgroups(Deadline deadline) {
  const SteadyClock::time_point now = SteadyClock::now();
  if (cgroups_at_ && now < *cgroups_at_ + kCgroupsAgainAfter) {
    return;
  }
  cgroups_at_ = now;
  if (!cgroup_tree_) {
    const auto root = kernel::FindCgroup2(host_.procfs, deadline);
    if (!root) {
      return;
    }
    cgroup_tree_.emplace(*root);
  }
  cgroup_tree_->Walk(now, deadline);
  auto cgroups = std::make_shared<OwnedCgroups>();
  cgroup_tree_->ForEach([&](std::uint64_t number, const std::string& path) {
    kernel::namespaces::Owner owner = observer_.Names().NameOf(kernel::namespaces::OwnerOfCgroup(path), now);
    if (owner.kind != kernel::namespaces::OwnerKind::kOther) {
      cgroups->by_number.push_back({number, std::move(owner)});
    }
  });
  std::ranges::sort(cgroups->by_number, {}, &CgroupOfOwner::number);
  const auto same = [](const CgroupOfOwner& a, const CgroupOfOwner& b) {
    return a.number == b.number && a.owner == b.owner;
  };
  if (cgroups_ == nullptr || !std::ranges::equal(cgroups->by_number, cgroups_->by_number, same)) {
    cgroups_ = std::move(cgroups);
  }
}

void NetworkNamespacesCollector::KeepJoints(Deadline deadline, std::vector<Error>& gaps) {
  const std::vector<ObservedNamespace> namespaces = observer_.Namespaces();
  const SteadyClock::time_point now = SteadyClock::now();
  const bool all_known = std::ranges::all_of(namespaces, [this](const auto& one) { return joints_.contains(one.id); });
  if ((all_known && joints_at_ && now < *joints_at_ + kJointsAgainAfter) || !SharesNumbersOfProcesses(host_.procfs)) {
    return;
  }
  joints_at_ = now;
  std::erase_if(joints_, [&](const auto& known) {
    return !std::ranges::binary_search(namespaces, known.first, {}, &ObservedNamespace::id);
  });
  for (const ObservedNamespace& one : namespaces) {
    joints_.try_emplace(one.id);
  }
  if (namespaces.empty()) {
    return;
  }
  const auto links = kernel::Links::Read(host_, deadline);
  auto channel = links ? host_.open_channel(NETLINK_ROUTE) : Failure(links.error());
  if (!channel) {
    gaps.push_back(channel.error());
    return;
  }
  for (const ObservedNamespace& one : namespaces) {
    if (!one.inhabited || one.processes.empty()) {
      continue;  // as it was joined while a process lived in it
    }
    const auto number = kernel::NamespaceNumber(*channel, static_cast<pid_t>(one.processes.front()), deadline);
    if (number) {  // else the process has ended; another of them is asked with the next round of all
      joints_[one.id] = links->LinkTo(*number);
    }
  }
}

Result<Collected> NetworkNamespacesCollector::Collect(Deadline deadline) {
  auto sample = std::make_shared<NetworkNamespacesSample>();
  Collected collected;
  sample->observes = settings_.depth == NamespaceDepth::kObserve;
  if (sample->observes) {
    const auto reading = Observe(deadline);
    if (!reading) {
      return Failure(reading.error());
    }
    KeepJoints(deadline, collected.gaps);
    ListSockets(*sample);
    JoinClosing(deadline, *sample);
    collected.charged_elsewhere = *reading + KeepJoined(deadline, collected.gaps);
    sample->live = live_;
  } else if (auto counted = observer_.Count(deadline); !counted) {
    return Failure(counted.error());
  }
  KeepCgroups(deadline);
  sample->cgroups = cgroups_;
  const kernel::namespaces::Census& census = observer_.LastCensus();
  sample->unseen = sample->observes ? sample->unseen + census.beyond : census.others.size() + census.beyond;
  sample->processes_elsewhere = census.processes_elsewhere;
  sample->unreadable = census.unreadable;
  sample->complete = census.complete;
  collected.data = std::move(sample);
  return collected;
}

}  // namespace finwait::sources
