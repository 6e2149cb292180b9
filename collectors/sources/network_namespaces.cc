#include "collectors/sources/network_namespaces.h"

#include <linux/netlink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <numeric>
#include <set>
#include <utility>

#include "collectors/base/text.h"
#include "collectors/kernel/cgroup_walk.h"
#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/procfs.h"

namespace finwait::sources {
namespace {

using kernel::namespaces::ObservedNamespace;

constexpr auto kCgroupsAgainAfter = std::chrono::seconds(15);
constexpr auto kJointsAgainAfter = std::chrono::seconds(60);
constexpr auto kNoJointAgainAfter = std::chrono::seconds(2);  // a runtime gives a namespace its device after it is made
constexpr auto kOwnRulesAgainAfter = std::chrono::seconds(15);
constexpr std::size_t kMostOwnRulesAtOnce = 16;
constexpr std::size_t kMostAskedEachTime = 8192;  // of closing sockets, in each collection; all others are paced

// By which process HostIn() has reached it.
kernel::namespaces::EnteredNamespace EnteredBy(const kernel::Host& host, std::uint64_t inode) {
  return {inode, ParseNumber<std::uint32_t>(host.procfs.filename().string()).value_or(0)};
}

// Told by files that say which tables there are.
LegacyTables LegacyTablesIn(const std::filesystem::path& net) {
  LegacyTables tables = LegacyTables::kNone;
  for (const char* names : {"ip_tables_names", "ip6_tables_names"}) {
    std::error_code error;
    if (!std::filesystem::exists(net / names, error)) {
      tables = !error && std::filesystem::exists(net / "tcp", error) ? tables : LegacyTables::kUntold;
      continue;
    }
    const auto content = kernel::ReadSmallFile(net / names);
    if (content && !content->empty()) {
      return LegacyTables::kSome;
    }
    tables = content ? tables : LegacyTables::kUntold;
  }
  return tables;
}

std::shared_ptr<const firewall::Ruleset> WithoutLegacy(const std::shared_ptr<const firewall::Ruleset>& ruleset,
                                                       LegacyTables legacy) {
  if (legacy != LegacyTables::kNone) {
    return ruleset;
  }
  auto plain = std::make_shared<firewall::Ruleset>(*ruleset);
  std::erase_if(plain->unread, [](const auto& part) { return part.backend == firewall::Backend::kLegacy; });
  return plain;
}

// Whether `procfs` shows processes by the numbers that this process has for them, too: not so where it is another PID
// namespace's.
bool SharesNumbersOfProcesses(const std::filesystem::path& procfs) {
  std::error_code error;
  return std::filesystem::read_symlink(procfs / "self", error) == std::to_string(::getpid());
}

// How many open sockets have been counted and are not listed.
std::uint64_t Unlisted(const kernel::namespaces::ObservedSockets& sockets) {
  std::uint64_t open = 0;
  for (const kernel::SocketCounts& counts : sockets.counts) {
    open += counts[static_cast<std::size_t>(kernel::TcpState::kEstablished)] +
            counts[static_cast<std::size_t>(kernel::TcpState::kCloseWait)];
  }
  return open - std::min<std::uint64_t>(open, sockets.open.Size());
}

// A namespace that has gone meanwhile leaves no gap.
void NoteGap(const Error& error, std::optional<Error>& gap, std::optional<Error>& silent) {
  if (kernel::namespaces::HasGone(error)) {
    return;
  }
  gap = error;
  if (error.reason == FailureReason::kTimeout) {
    silent = error;
  }
}

// Sets what was last known of their entries.
void Recall(const std::map<std::uint64_t, kernel::Tracking>& last, kernel::SocketTable& sockets) {
  for (std::size_t i = 0; i < sockets.Size(); ++i) {
    if (const auto known = last.find(sockets.Cookie(i)); known != last.end()) {
      kernel::SocketEntry entry;
      entry.tracking = known->second;
      sockets.SetEntry(i, entry);
    }
  }
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
      observer_(host_.procfs, settings.names) {
  if (settings_.entrance != nullptr) {
    observer_.EnterBy(host_, settings_.entrance);
  }
}

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

bool NetworkNamespacesCollector::IsUnavailable(const ObservedNamespace& one) const {
  if (one.unavailable || settings_.depth != NamespaceDepth::kEnter) {
    return one.unavailable;
  }
  const auto inside = inside_.find(one.id);
  if (inside != inside_.end()) {
    return inside->second.IsUnavailable();
  }
  const bool has_rules_unread = one.entered && !gone_.contains(one.id);
  return one.inhabited && (settings_.entrance == nullptr || has_rules_unread);
}

void NetworkNamespacesCollector::ListSockets(NetworkNamespacesSample& sample) const {
  for (const ObservedNamespace& one : observer_.Namespaces()) {
    if (one.sockets == nullptr) {
      ++sample.unseen;
      continue;
    }
    const auto inside = inside_.find(one.id);
    const bool is_inside = one.entered && (inside == inside_.end() || !inside->second.IsUnavailable());
    ++(is_inside ? sample.entered : sample.observed);
    sample.namespaces.push_back({one.id, one.inhabited && !one.processes.empty() ? one.processes.front() : 0, one.owner,
                                 one.sockets->counts, one.sockets->orphans, std::nullopt, is_inside, std::nullopt,
                                 IsUnavailable(one), Unlisted(*one.sockets)});
    if ((one.entered || !one.inhabited) && inside != inside_.end()) {
      sample.namespaces.back().own = inside->second.rules;
    }
    if (const auto joint = joints_.find(one.id); joint != joints_.end()) {
      sample.namespaces.back().joined = joint->second;
    }
    for (const kernel::TcpSocket& socket : one.sockets->closing) {
      if (sample.closing.size() < NetworkNamespacesSample::kMaxClosing) {
        sample.closing.push_back({one.id, socket, kernel::Tracking::kUnknown});
      }
    }
  }
}

void NetworkNamespacesCollector::JoinClosing(Deadline deadline, NetworkNamespacesSample& sample) {
  std::map<std::uint64_t, std::vector<std::size_t>> by_namespace;
  for (std::size_t i = 0; i < sample.closing.size(); ++i) {
    by_namespace[sample.closing[i].network_namespace].push_back(i);
  }
  for (const auto& [id, positions] : by_namespace) {
    kernel::SocketTable own;
    for (const std::size_t i : positions) {
      own.Add(sample.closing[i].socket);
    }
    JoinInside(id, kMostAskedEachTime, false, deadline, own);
    for (std::size_t i = 0; i < positions.size(); ++i) {
      sample.closing[positions[i]].own_tracking = own.TrackingOf(i);
    }
  }
  if (sample.closing.empty() || !RequireConntrack(host_)) {
    return;
  }
  kernel::SocketTable table;
  for (const ForeignClosingSocket& one : sample.closing) {
    table.Add(one.socket);
  }
  if (!join_.Join(host_, deadline, table)) {
    return;  // their entries stay unknown; `tracking` tells why
  }
  for (std::size_t i = 0; i < sample.closing.size(); ++i) {
    sample.closing[i].socket.entry = table[i].entry;
  }
}

std::vector<const ObservedNamespace*> NetworkNamespacesCollector::DueForOwnRules(
    const std::vector<ObservedNamespace>& namespaces, SteadyClock::time_point now) {
  std::vector<std::pair<SteadyClock::time_point, const ObservedNamespace*>> due;
  for (const ObservedNamespace& one : namespaces) {
    const auto known = inside_.find(one.id);
    if (known != inside_.end()) {
      known->second.inhabited = one.inhabited;
    }
    const auto read_at = known == inside_.end() ? SteadyClock::time_point() : known->second.read_at;
    if (one.entered && one.inhabited && (known == inside_.end() || now >= read_at + kOwnRulesAgainAfter)) {
      due.emplace_back(read_at, &one);
    }
  }
  std::ranges::sort(due);
  if (reading_) {  // else there is no next time
    due.resize(std::min(due.size(), kMostOwnRulesAtOnce));
  }
  std::vector<const ObservedNamespace*> in_turn;
  in_turn.reserve(due.size());
  for (const auto& [read_at, one] : due) {
    in_turn.push_back(one);
  }
  return in_turn;
}

void NetworkNamespacesCollector::KeepOwnRules(Deadline deadline) {
  if (settings_.entrance == nullptr) {
    return;
  }
  const std::vector<ObservedNamespace> namespaces = observer_.Namespaces();
  std::erase_if(inside_, [&](const auto& known) {
    const auto one = std::ranges::lower_bound(namespaces, known.first, {}, &ObservedNamespace::id);
    return one == namespaces.end() || one->id != known.first || (one->inhabited && !one->entered);
  });
  gone_.clear();
  const SteadyClock::time_point now = SteadyClock::now();
  for (const ObservedNamespace* one : DueForOwnRules(namespaces, now)) {
    if (silent_) {
      break;
    }
    ReadOwnRules(*one, now, deadline);
  }
  std::map<std::uint64_t, kernel::Host> hosts;
  for (const auto& [id, inside] : inside_) {
    if (inside.firewall != nullptr) {
      hosts.emplace(id, inside.host);
    }
  }
  settings_.entrance->hosts->Set(std::move(hosts));
}

void NetworkNamespacesCollector::ReadOwnRules(const ObservedNamespace& one, SteadyClock::time_point now,
                                              Deadline deadline) {
  const auto host = observer_.HostIn(one);
  if (!host && kernel::namespaces::HasGone(host.error())) {
    gone_.insert(one.id);
    return;
  }
  Inside& inside = inside_[one.id];
  inside.read_at = now;
  inside.rules_gap.reset();
  if (!host) {
    NoteGap(host.error(), inside.rules_gap, silent_);
    return;
  }
  const kernel::namespaces::EnteredNamespace entered = EnteredBy(*host, one.inode);
  if (inside.firewall == nullptr || inside.entered != entered) {
    inside.host = *host;
    inside.entered = entered;
    inside.firewall = std::make_unique<FirewallCollector>(*host);
  }
  const auto collected = inside.firewall->Collect(deadline);
  if (!collected) {
    inside.rules.reset();
    NoteGap(collected.error(), inside.rules_gap, silent_);
    return;
  }
  const auto& ruleset = static_cast<const FirewallSample&>(*collected->data).ruleset;
  const auto tcp_loose = kernel::namespaces::ReadTcpLoose(*settings_.entrance->opener, entered);
  const LegacyTables legacy = LegacyTablesIn(host_.procfs / std::to_string(entered.process) / "net");
  if (inside.rules && inside.as_read == ruleset && inside.legacy == legacy && inside.rules->tcp_loose == tcp_loose) {
    return;
  }
  inside.as_read = ruleset;
  inside.legacy = legacy;
  inside.rules = OwnRules{WithoutLegacy(ruleset, legacy), tcp_loose};
  // Where it cannot be told whether there are legacy tables, as a rule there are none.
  const auto& unread = inside.rules->ruleset->unread;
  inside.hangs_on_entries = !ruleset->tables.empty() || std::ranges::any_of(unread, [&](const auto& part) {
    return part.backend != firewall::Backend::kLegacy || legacy == LegacyTables::kSome;
  });
}

void NetworkNamespacesCollector::JoinInside(std::uint64_t id, std::size_t most, bool are_all, Deadline deadline,
                                            kernel::SocketTable& sockets) {
  const auto inside = inside_.find(id);
  if (inside == inside_.end()) {
    return;
  }
  Inside& there = inside->second;
  if (are_all) {
    there.entries_gap.reset();  // of what is asked for between, the rest is still not known
  }
  if (!there.rules || !there.hangs_on_entries || sockets.IsEmpty() || !RequireConntrack(host_)) {
    return;
  }
  if (!there.inhabited) {
    Recall(there.last_tracking, sockets);
    return;
  }
  if (silent_) {
    there.entries_gap = silent_;
    return;
  }
  kernel::Host host = there.host;
  host.procfs = host_.procfs;  // where it tells whether this kernel has conntrack at all
  std::vector<std::size_t> asked_for(std::min(most, sockets.Size()));
  std::iota(asked_for.begin(), asked_for.end(), std::size_t{0});
  if (asked_for.size() < sockets.Size()) {
    Recall(there.last_tracking, sockets);
  }
  if (const auto asked = kernel::AskForEntries(host, asked_for, {}, deadline, sockets); !asked) {
    NoteGap(asked.error(), there.entries_gap, silent_);  // those that were not told of stay unknown
    if (kernel::namespaces::HasGone(asked.error())) {
      Recall(there.last_tracking, sockets);
    }
    return;
  }
  if (are_all && asked_for.size() == sockets.Size() &&
      there.last_tracking.size() > 2 * sockets.Size() + kMostAskedEachTime) {
    there.last_tracking.clear();
  }
  for (const std::size_t i : asked_for) {
    there.last_tracking[sockets.Cookie(i)] = sockets.TrackingOf(i);
  }
}

void NetworkNamespacesCollector::AddGapsInside(std::vector<Error>& gaps) const {
  for (const auto& [id, inside] : inside_) {
    for (const std::optional<Error>& gap : {inside.rules_gap, inside.entries_gap}) {
      if (gap && std::ranges::find(gaps, gap->message, &Error::message) == gaps.end()) {
        gaps.push_back(*gap);
      }
    }
  }
}

std::chrono::nanoseconds NetworkNamespacesCollector::KeepJoined(Deadline deadline, std::vector<Error>& gaps) {
  const SteadyClock::time_point now = SteadyClock::now();
  if (!joining_.Due(now)) {
    return std::chrono::nanoseconds(0);
  }
  const CpuStopwatch stopwatch;
  live_.reset();
  auto live = std::make_shared<ForeignLiveSockets>();
  const std::vector<ObservedNamespace> namespaces = observer_.Namespaces();
  for (const ObservedNamespace& one : namespaces) {
    if (one.sockets == nullptr) {
      continue;
    }
    const auto id = static_cast<std::uint32_t>(one.id);
    const std::size_t first = live->sockets.Size();
    kernel::SocketTable own;
    // A list is read again only where something has changed: meanwhile a timer has come closer.
    const auto age = std::chrono::floor<std::chrono::milliseconds>(now - one.sockets->read_at);
    for (kernel::TcpSocket socket : one.sockets->open) {
      socket.timer_expires -= std::clamp(age, std::chrono::milliseconds(0), socket.timer_expires);
      if (socket.idle) {
        *socket.idle += std::max(age, std::chrono::milliseconds(0));
      }
      live->sockets.Add(socket);
      live->namespaces.push_back(id);
    }
    for (const kernel::TcpSocket& socket : one.sockets->closing) {
      live->sockets.Add(socket);
      live->namespaces.push_back(id);
    }
    for (std::size_t i = first; i < live->sockets.Size(); ++i) {
      own.Add(live->sockets[i]);
    }
    JoinInside(one.id, own.Size(), true, deadline, own);
    for (std::size_t i = 0; i < own.Size(); ++i) {
      live->own_tracking.push_back(own.TrackingOf(i));
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
    if ((live->sockets.TrackingOf(i) == kernel::Tracking::kUntracked ||
         live->own_tracking[i] == kernel::Tracking::kUntracked) &&
        live->sockets[i].IsOpen()) {
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
  if (!cgroup_paths_) {
    const auto root = kernel::FindCgroup2(host_.procfs, deadline);
    if (!root) {
      return;
    }
    cgroup_paths_.emplace(*root);
  }
  cgroup_paths_->Walk(now, deadline);
  auto cgroups = std::make_shared<OwnedCgroups>();
  cgroup_paths_->ForEach([&](std::uint64_t number, const std::string& path) {
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
  const bool all_joined =
      std::ranges::all_of(joints_, [](const auto& known) { return known.second && known.second->device; });
  newest_at_ = all_known ? newest_at_ : now;
  const bool may_yet_be_joined = !all_joined && now < newest_at_ + kJointsAgainAfter;
  const auto again_after = may_yet_be_joined ? kNoJointAgainAfter : kJointsAgainAfter;
  if ((all_known && joints_at_ && now < *joints_at_ + again_after) || !SharesNumbersOfProcesses(host_.procfs)) {
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
  sample->observes = settings_.depth != NamespaceDepth::kNone;
  if (sample->observes) {
    const auto reading = Observe(deadline);
    if (!reading) {
      return Failure(reading.error());
    }
    if (settings_.depth == NamespaceDepth::kEnter && settings_.entrance == nullptr) {
      collected.gaps.push_back({FailureReason::kPermission, 0, settings_.no_entrance});
    } else if (const auto& why = observer_.WhyNotEntered()) {
      collected.gaps.push_back(*why);
    }
    if (const auto& why = observer_.WhyNotRead()) {
      collected.gaps.push_back(*why);
    }
    silent_ = observer_.Silent();
    KeepJoints(deadline, collected.gaps);
    KeepOwnRules(deadline);
    collected.charged_elsewhere = *reading + KeepJoined(deadline, collected.gaps);
    ListSockets(*sample);
    JoinClosing(deadline, *sample);
    AddGapsInside(collected.gaps);
    sample->live = live_;
    std::uint64_t unlisted = 0;
    for (const OtherNamespace& one : sample->namespaces) {
      unlisted += one.unlisted;
    }
    if (unlisted > 0) {
      collected.gaps.push_back(
          {FailureReason::kError, 0,
           Counted(unlisted, "open connection", "open connections") + " of other network namespaces are beyond the " +
               std::to_string(kernel::namespaces::ObservedSockets::kMostSockets) + " of one that are evaluated"});
    }
    if (const std::uint64_t beyond = observer_.LastCensus().beyond; beyond > 0) {
      collected.gaps.push_back({FailureReason::kError, 0,
                                Counted(beyond, "network namespace is", "network namespaces are") + " beyond the " +
                                    std::to_string(kernel::namespaces::ProcessCensus::kMostNamespaces) +
                                    " that are looked at"});
    }
  } else if (auto counted = observer_.Count(deadline); !counted) {
    return Failure(counted.error());
  }
  KeepCgroups(deadline);
  sample->cgroups = cgroups_;
  const kernel::namespaces::Census& census = observer_.LastCensus();
  sample->unseen = sample->observes ? sample->unseen + census.beyond : census.others.size() + census.beyond;
  sample->processes_elsewhere = census.processes_elsewhere;
  sample->unreadable = census.unreadable;
  sample->limit = census.limit;
  collected.data = std::move(sample);
  return collected;
}

}  // namespace finwait::sources
