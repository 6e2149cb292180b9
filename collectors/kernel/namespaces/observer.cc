#include "collectors/kernel/namespaces/observer.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "collectors/base/hash.h"
#include "collectors/base/pacer.h"
#include "collectors/kernel/namespaces/multipath.h"
#include "collectors/kernel/namespaces/namespace_owner.h"
#include "collectors/kernel/procfs.h"
#include "collectors/kernel/socket_dump.h"

namespace finwait::kernel::namespaces {
namespace {

// A list of live sockets that changed is read again after this, one that did not after the longer time: the gate does
// not hear of everything.
constexpr auto kRefreshAfter = std::chrono::seconds(15);
constexpr auto kReadAgainAfter = std::chrono::minutes(30);
constexpr auto kNameAgainAfter = std::chrono::minutes(1);
constexpr auto kEnterAgainAfter = std::chrono::minutes(1);  // one that could not be entered

constexpr std::uint64_t kOurCookies = std::uint64_t{1} << 63;

std::uint64_t MixEnd(std::uint64_t hash, const Endpoint& end) {
  for (const std::byte byte : end.address.Bytes()) {
    hash = MixHash(hash, static_cast<std::uint64_t>(byte));
  }
  return MixHash(hash, end.port);
}

// The whole of a small file that is open.
std::optional<std::string> Content(const UniqueFd& file) {
  std::string content(16 * 1024, '\0');
  std::size_t size = 0;
  for (;;) {
    const ssize_t got = ::read(file.Get(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return std::nullopt;
    }
    size += static_cast<std::size_t>(got);
    if (got == 0 || size == content.size()) {
      content.resize(size);
      return content;
    }
  }
}

UniqueFd OpenIn(const UniqueFd& folder, const char* file) {
  return UniqueFd(::openat(folder.Get(), file, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

std::optional<std::string> ContentIn(const UniqueFd& folder, const char* file) {
  const UniqueFd opened = OpenIn(folder, file);
  return opened ? Content(opened) : std::nullopt;
}

// Which end opened a connection, by the listeners of its namespace, which a list has before all connections: where one
// has the port, it was accepted. Without one, the end whose port the kernel hands out to clients (ip_local_port_range
// at its default) is the client's. Where both have such a port, a listener may have gone since (FTP's data, `nc -l`).
std::optional<bool> OpenedHere(const TcpSocket& socket, const std::set<std::uint16_t>& listening) {
  constexpr std::uint16_t kFirstEphemeral = 32768;
  if (listening.contains(socket.local.port)) {
    return false;
  }
  const bool client_here = socket.local.port >= kFirstEphemeral && socket.peer.port < kFirstEphemeral;
  return client_here ? std::optional(true) : std::nullopt;
}

bool IsClosing(TcpState state) {
  return state == TcpState::kFinWait1 || state == TcpState::kClosing || state == TcpState::kLastAck;
}

// By the first of its processes by which it may be entered: some may be of a user namespace above this one.
Result<Host> EnterByAny(const Host& own, const std::shared_ptr<const Entrance>& entrance,
                        const ObservedNamespace& one) {
  Error why = {FailureReason::kError, ESRCH, "the last process of a network namespace has ended"};
  for (const std::uint32_t process : one.processes) {
    Host host = HostOf(own, entrance, {one.inode, process});
    auto channel = host.open_channel(NETLINK_ROUTE);
    if (channel) {
      return host;
    }
    why = channel.error();
    if (why.reason == FailureReason::kTimeout) {
      break;
    }
  }
  return Failure(std::move(why));
}

int Weight(Urgency urgency) {
  switch (urgency) {
    case Urgency::kClosing:
    case Urgency::kSilence:
      return 8;
    case Urgency::kSuspect:
      return 4;
    case Urgency::kRefresh:
    case Urgency::kNone:
      return 1;
  }
  return 1;
}

}  // namespace

Observer::Observer(std::filesystem::path procfs, NamePaths names)
    : procfs_(std::move(procfs)), names_(std::move(names)), processes_(procfs_) {
  std::random_device random;
  seed_ = std::uint64_t{random()} << 32 | random();
}

void Observer::TakeInCensus(SteadyClock::time_point now) {
  for (auto& [id, state] : states_) {
    if (std::exchange(state.seen.inhabited, false)) {
      state.left_at = now;
    }
  }
  for (const InhabitedNamespace& other : census_.others) {
    // What is known of a namespace whose last process had ended goes on if another process enters it: only one that is
    // held can be that, as the inode of any other is free.
    auto known = states_.find(other.id);
    if (known == states_.end() && held_ > 0) {
      known = std::ranges::find_if(
          states_, [&](const auto& item) { return item.second.seen.inode == other.inode && item.second.lists[0]; });
    }
    State& state = known != states_.end() ? known->second : states_[other.id];
    if (state.seen.id == 0) {
      state.seen.id = other.id;
      state.seen.inode = other.inode;
    }
    state.owner_is_new = state.owner_is_new || state.seen.processes != other.processes;
    state.seen.processes = other.processes;
    state.seen.inhabited = true;
  }
  std::erase_if(states_, [&](const auto& item) {
    const State& state = item.second;
    return !state.seen.inhabited && (!state.lists[0] || now >= state.left_at + kLongestAfterlife ||
                                     (state.seen.sockets != nullptr && state.seen.sockets->read_at > state.left_at &&
                                      state.seen.sockets->closing.empty()));
  });
  held_ = static_cast<std::size_t>(
      std::ranges::count_if(states_, [](const auto& item) { return static_cast<bool>(item.second.lists[0]); }));
}

void Observer::NameOwner(State& state, SteadyClock::time_point now) {
  // A container's cgroup and name may come a moment after its first process.
  if (state.seen.inhabited && (state.owner_is_new || now >= state.owner_at + kNameAgainAfter)) {
    Owner owner = OwnerOfProcesses(procfs_, state.seen.processes, names_, now);
    if (state.seen.owner == nullptr || (*state.seen.owner != owner && owner.kind != OwnerKind::kOther)) {
      state.seen.owner = std::make_shared<const Owner>(std::move(owner));
    }
    state.owner_is_new = false;
    state.owner_at = now;
  }
}

// By a folder of the process itself, as by its number another process's might be opened that got it meanwhile.
Result<UniqueFd> Observer::OpenNet(const State& state) const {
  Error why = ErrnoError("open net/tcp of another network namespace", ESRCH);
  for (const std::uint32_t pid : state.seen.processes) {
    const std::filesystem::path path = procfs_ / std::to_string(pid) / "net";
    UniqueFd net(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat status = {};
    if (!net || ::fstatat(net.Get(), "tcp", &status, 0) != 0) {
      why = ErrnoError("open net/tcp of another network namespace", errno);
    } else if (status.st_ino != state.seen.inode) {
      why = {FailureReason::kError, ESTALE, "a process has gone, and another namespace's has its number"};
    } else {
      return net;
    }
  }
  return Failure(std::move(why));
}

std::optional<GateNumbers> Observer::ReadNumbers(const State& state) const {
  GateNumbers numbers;
  const auto net = OpenNet(state);
  const auto snmp = net ? ContentIn(*net, "snmp") : std::nullopt;
  if (!snmp || !ReadSnmp(*snmp, numbers)) {
    return std::nullopt;
  }
  if (state.numbers) {
    numbers.in_use4 = state.numbers->in_use4;
    numbers.in_use6 = state.numbers->in_use6;
    if (numbers == *state.numbers) {
      return numbers;  // no connection came or went, and no packet: what is in use is what was
    }
  }
  const auto in_use = ContentIn(*net, "sockstat");
  const auto in_use4 = in_use ? ReadInUse(*in_use, "TCP") : std::nullopt;
  if (!in_use4) {
    return std::nullopt;
  }
  numbers.in_use4 = *in_use4;
  const auto more = ContentIn(*net, "sockstat6");  // a kernel without IPv6 has none
  numbers.in_use6 = more ? ReadInUse(*more, "TCP6").value_or(0) : 0;
  return numbers;
}

void Observer::AskGate(State& state, SteadyClock::time_point now) const {
  if (!state.seen.inhabited) {
    state.urgency = Urgency::kClosing;
    return;
  }
  const auto numbers = ReadNumbers(state);
  if (!numbers) {
    state.urgency = Urgency::kSuspect;  // nothing tells that the sockets are what they were
    return;
  }
  state.urgency = UrgencyOf(state.last ? &*state.last : nullptr, state.numbers.value_or(*numbers), *numbers);
  state.numbers = numbers;
  if (state.urgency <= Urgency::kRefresh && state.last) {
    const auto age = now - state.seen.sockets->read_at;
    // How long a socket has been silent, which is known of those that were read inside, is old once packets have
    // passed.
    const GateNumbers& then = state.last->numbers;
    const bool silence_is_old =
        state.seen.entered && (numbers->received != then.received || numbers->sent != then.sent);
    const bool due = age >= kReadAgainAfter || (state.why_not_entered && age >= kEnterAgainAfter) ||
                     ((state.urgency == Urgency::kRefresh || silence_is_old) && age >= kRefreshAfter);
    state.urgency = due ? Urgency::kRefresh : Urgency::kNone;
  }
}

std::uint64_t Observer::CookieOf(State& state, const TcpSocket& socket, std::uint64_t inode, std::uint64_t cookie,
                                 std::vector<Descriptor>& descriptors) const {
  const std::uint64_t ends = MixEnd(MixEnd(seed_, socket.local), socket.peer);
  Descriptor descriptor{ends, inode, cookie, 0};
  const auto known = std::ranges::lower_bound(state.descriptors, ends, {}, &Descriptor::ends);
  if (known != state.descriptors.end() && known->ends == ends) {
    descriptor = *known;
    // Another descriptor, or another socket: another connection, with the ends of one that is gone.
    if ((inode != 0 && known->inode != 0 && inode != known->inode) ||
        (cookie != 0 && known->cookie != 0 && cookie != known->cookie)) {
      descriptor = {ends, 0, 0, known->generation + 1};
    }
    descriptor.inode = inode != 0 ? inode : descriptor.inode;
    descriptor.cookie = cookie != 0 ? cookie : descriptor.cookie;
  }
  descriptors.push_back(descriptor);
  return MixHash(MixHash(MixHash(seed_, state.seen.id), ends), descriptor.generation) | kOurCookies;
}

void Observer::EnterBy(const Host& own, std::shared_ptr<const Entrance> entrance) {
  own_ = own;
  entrance_ = std::move(entrance);
}

Result<Host> Observer::HostIn(const ObservedNamespace& one) const {
  return entrance_ != nullptr && one.inhabited ? EnterByAny(own_, entrance_, one)
                                               : Failure(Error{FailureReason::kError, ESRCH, "nobody lives in it"});
}

void Observer::NoteWhyNot(const Error& error, State& state) {
  if (HasGone(error)) {
    return;
  }
  state.why_not_entered = error;
  if (error.reason == FailureReason::kTimeout) {
    silent_ = error;
  }
}

void Observer::Keep(State& state, std::shared_ptr<const ObservedSockets> sockets, std::vector<Descriptor> descriptors,
                    const LastReading& last) {
  std::ranges::sort(descriptors, {}, &Descriptor::ends);
  state.descriptors = std::move(descriptors);
  state.seen.sockets = std::move(sockets);
  state.last = last;
}

bool Observer::ReadInside(State& state, Deadline deadline) {
  state.why_not_entered.reset();
  if (entrance_ == nullptr || !state.seen.inhabited) {
    return false;
  }
  if (silent_) {
    state.why_not_entered = silent_;
    return false;
  }
  const auto host = EnterByAny(own_, entrance_, state.seen);
  if (!host) {
    NoteWhyNot(host.error(), state);
    return false;
  }
  auto sockets = std::make_shared<ObservedSockets>();
  std::vector<TcpSocket> unfinished;
  const auto tally =
      ReadSockets(*host, kAllSocketStates, kWithTcpInfo, deadline, Into(unfinished, 2 * ObservedSockets::kMostSockets));
  if (!tally) {
    NoteWhyNot(tally.error(), state);
    return false;
  }
  sockets->counts = tally->by_family;
  sockets->orphans = tally->orphans;
  LastReading last;
  last.numbers = state.numbers.value_or(GateNumbers());
  std::vector<Descriptor> descriptors;
  for (TcpSocket& socket : unfinished) {
    last.closing = last.closing || IsClosing(socket.state);
    last.close_wait = last.close_wait || socket.state == TcpState::kCloseWait;
    // The key is the namespace and the connection, as it is for what is read through procfs: one that is read in both
    // ways is one.
    socket.cookie = CookieOf(state, socket, 0, socket.cookie, descriptors);
    if (socket.IsOpen() && sockets->open.Size() < ObservedSockets::kMostSockets) {
      sockets->open.Add(socket);
    } else if (IsClosing(socket.state) && sockets->closing.size() < ObservedSockets::kMostSockets) {
      sockets->closing.push_back(socket);
    }
  }
  sockets->read_at = SteadyClock::now();
  Keep(state, std::move(sockets), std::move(descriptors), last);
  return true;
}

Result<void> Observer::Read(State& state, Deadline deadline) {
  state.seen.entered = ReadInside(state, deadline);
  if (state.seen.entered) {
    return {};
  }
  auto sockets = std::make_shared<ObservedSockets>();
  std::vector<Descriptor> descriptors;
  std::set<std::uint16_t> listening;
  LastReading last;
  last.numbers = state.numbers.value_or(GateNumbers());
  constexpr const char* kFiles[] = {"tcp", "tcp6"};
  const Result<UniqueFd> net = OpenNet(state);
  if (!net && !state.lists[0]) {
    return Failure(net.error());
  }
  if (const auto counted = net ? ContentIn(*net, "netstat") : std::nullopt) {
    state.may_be_multipath = MayBeMultipath(*counted);
  }
  for (const IpFamily family : kIpFamilies) {
    const auto index = static_cast<std::size_t>(family);
    if (state.numbers && state.seen.inhabited && (index == 0 ? state.numbers->in_use4 : state.numbers->in_use6) == 0) {
      continue;  // each list walks the hash of the whole machine
    }
    UniqueFd opened;
    if (!state.lists[0]) {
      opened = OpenIn(*net, kFiles[index]);
      if (!opened && (index == 0 || errno != ENOENT)) {
        return FailErrno("open net/tcp of another network namespace", errno);
      }
    }
    if (!opened && !state.lists[index]) {
      continue;  // a kernel without IPv6
    }
    const int list = state.lists[index] ? state.lists[index].Get() : opened.Get();
    auto read = ReadProcSockets(list, family, deadline, [&](const ProcSocket& one) {
      TcpSocket socket = one.socket;
      socket.multipath = state.may_be_multipath ? std::nullopt : std::optional(false);
      const auto at = static_cast<std::size_t>(socket.state);
      ++sockets->counts[socket.local.address.Family()][at];
      sockets->orphans[at] += socket.orphan ? 1 : 0;
      if (socket.state == TcpState::kListen) {
        listening.insert(socket.local.port);
      } else {
        socket.opened_here = OpenedHere(socket, listening);
      }
      last.closing = last.closing || IsClosing(socket.state);
      last.close_wait = last.close_wait || socket.state == TcpState::kCloseWait;
      if (socket.IsOpen() && sockets->open.Size() < ObservedSockets::kMostSockets) {
        socket.cookie = CookieOf(state, socket, one.inode, 0, descriptors);
        sockets->open.Add(socket);
      } else if (IsClosing(socket.state) && sockets->closing.size() < ObservedSockets::kMostSockets) {
        socket.cookie = CookieOf(state, socket, one.inode, 0, descriptors);
        sockets->closing.push_back(socket);
      }
    });
    if (!read) {
      return read;
    }
  }
  sockets->read_at = SteadyClock::now();
  Keep(state, std::move(sockets), std::move(descriptors), last);
  return {};
}

void Observer::ReadNoting(State& state, Deadline deadline) {
  state.why_not_read.reset();
  const auto read = Read(state, deadline);
  // One that went while it was read is not there in the next round; one that the deadline cut is read in it.
  if (!read && !HasGone(read.error()) && read.error().reason != FailureReason::kTimeout) {
    state.why_not_read = read.error();
  }
  state.seen.unavailable = state.why_not_read || (state.seen.inhabited && state.why_not_entered);
}

void Observer::Hold(State& state) {
  const bool wanted = state.seen.sockets != nullptr &&
                      (!state.seen.sockets->closing.empty() || (state.at_risk && !state.seen.sockets->open.IsEmpty()));
  if (!wanted) {
    if (state.seen.inhabited) {
      held_ -= state.lists[0] ? 1 : 0;
      state.lists = {};
    }
    return;
  }
  if (state.lists[0] || held_ >= kMostHeld || !state.seen.inhabited) {
    return;
  }
  const auto net = OpenNet(state);
  UniqueFd tcp = net ? OpenIn(*net, "tcp") : UniqueFd();
  if (!tcp) {
    return;
  }
  state.lists[0] = std::move(tcp);
  state.lists[1] = OpenIn(*net, "tcp6");
  ++held_;
}

Result<void> Observer::Count(Deadline deadline) {
  auto census = processes_.Take(deadline);
  if (!census) {
    return Failure(census.error());
  }
  census_ = std::move(*census);
  return {};
}

Result<void> Observer::Observe(Deadline deadline, std::chrono::nanoseconds effort) {
  if (auto counted = Count(deadline); !counted) {
    return counted;
  }
  const SteadyClock::time_point now = SteadyClock::now();
  TakeInCensus(now);
  std::vector<State*> due;
  for (auto& [id, state] : states_) {
    NameOwner(state, now);
    AskGate(state, now);
    if (state.urgency != Urgency::kNone) {
      due.push_back(&state);
    }
  }
  // One that has never been read has waited for longest. Urgent ones age faster, so that none waits for ever.
  const auto rank = [now](const State* state) {
    const auto age = state->seen.sockets == nullptr ? std::chrono::duration<double>(std::chrono::hours(24))
                                                    : std::chrono::duration<double>(now - state->seen.sockets->read_at);
    return age.count() * Weight(state->urgency);
  };
  std::ranges::stable_sort(due, [&](const State* a, const State* b) { return rank(a) > rank(b); });
  silent_.reset();
  why_not_read_.reset();
  why_not_entered_ = entrance_ != nullptr ? entrance_->opener->WhyGone() : std::nullopt;
  const bool nobody_enters = why_not_entered_.has_value();
  const CpuStopwatch stopwatch;
  std::size_t read = 0;
  while (read < due.size() && !deadline.Passed() && stopwatch.Elapsed() < effort) {
    ReadNoting(*due[read], deadline);
    ++read;
  }
  effort_.spent = stopwatch.Elapsed();
  for (auto& [id, state] : states_) {
    if (nobody_enters) {
      state.seen.entered = false;
      state.seen.unavailable = state.seen.unavailable || state.seen.inhabited;
    } else if (!why_not_entered_ && state.seen.inhabited) {
      why_not_entered_ = state.why_not_entered;
    }
    why_not_read_ = why_not_read_ ? why_not_read_ : state.why_not_read;
  }
  if (read > 0) {
    const auto each = effort_.spent / static_cast<std::int64_t>(read);
    typical_ = typical_.count() == 0 ? each : (typical_ * 3 + each) / 4;
  }
  effort_.waiting = typical_ * static_cast<std::int64_t>(due.size() - read);
  for (auto& [id, state] : states_) {
    Hold(state);
  }
  return {};
}

void Observer::SetAtRisk(std::uint64_t id, bool at_risk) {
  if (const auto found = states_.find(id); found != states_.end()) {
    found->second.at_risk = at_risk;
    Hold(found->second);  // at once: its last process may end before the next round
  }
}

std::vector<ObservedNamespace> Observer::Namespaces() const {
  std::vector<ObservedNamespace> namespaces;
  namespaces.reserve(states_.size());
  for (const auto& [id, state] : states_) {
    namespaces.push_back(state.seen);
  }
  return namespaces;
}

}  // namespace finwait::kernel::namespaces
