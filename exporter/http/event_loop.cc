#include "exporter/http/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <new>
#include <set>

#include "exporter/http/refusal.h"

namespace finwait::http {

namespace {

using Phase = Connection::Phase;
using Progress = Connection::Progress;
using namespace std::chrono_literals;

constexpr EventLoop::ConnectionId kWakeupId = 0;  // listeners follow, then connections
constexpr int kAcceptsInATurn = 64;               // so that a flood of them cannot hold up the others
constexpr auto kSweepInterval = 100ms;            // between sweeps of the deadlines
constexpr auto kSweepIntervalWhileStopping = 10ms;

double SecondsSince(SteadyClock::time_point then) {
  return std::chrono::duration<double>(SteadyClock::now() - then).count();
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::Create(std::vector<ListeningSocket> listeners, Limits limits,
                                                     Dispatcher dispatcher, ProbeTest is_probe, Refuser refuser,
                                                     Reloader reloader, std::shared_ptr<TlsSessions> tls) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wakeup(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !wakeup) {
    return FailErrno("cannot create the HTTP event loop", errno);
  }
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(epoll), std::move(wakeup), std::move(listeners), limits,
                                                std::move(dispatcher), std::move(is_probe), std::move(refuser),
                                                std::move(reloader), std::move(tls)));
  loop->SetAccepting(true);
  if (!loop->accepting_ || !loop->Watch(EPOLL_CTL_ADD, loop->wakeup_.Get(), EPOLLIN, kWakeupId)) {
    return FailErrno("cannot create the HTTP event loop", errno);
  }
  return loop;
}

EventLoop::EventLoop(UniqueFd epoll, UniqueFd wakeup, std::vector<ListeningSocket> listeners, Limits limits,
                     Dispatcher dispatcher, ProbeTest is_probe, Refuser refuser, Reloader reloader,
                     std::shared_ptr<TlsSessions> tls)
    : limits_(limits),
      dispatcher_(std::move(dispatcher)),
      is_probe_(std::move(is_probe)),
      refuser_(std::move(refuser)),
      reloader_(std::move(reloader)),
      tls_(std::move(tls)),
      epoll_(std::move(epoll)),
      wakeup_(std::move(wakeup)),
      listeners_(std::move(listeners)),
      next_id_(listeners_.size() + 1) {
  if (tls_) {
    handshakes_.emplace("http-tls", 2,
                        FairWorkers::Bounds{.capacity = limits_.connections + 2,
                                            .waiting_per_peer = limits_.connections + 2,
                                            .running_per_peer = 1,
                                            .overtaking = 1});
  }
}

bool EventLoop::Watch(int operation, int fd, Events events, ConnectionId id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  return epoll_ctl(epoll_.Get(), operation, fd, &event) == 0;
}

void EventLoop::Wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wakeup_.Get(), &one, sizeof one);  // full is awake enough
}

void EventLoop::SetAccepting(bool accepting) {
  if (accepting == accepting_) {
    return;
  }
  bool all = true;
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    all = Watch(accepting ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listeners_[i].fd.Get(), EPOLLIN, i + 1) && all;
  }
  accepting_ = accepting && all;
}

void EventLoop::Stop() {
  stop_requested_ = true;
  Wake();
}

void EventLoop::Reload() {
  reload_requested_ = true;
  Wake();
}

void EventLoop::Answer(ConnectionId id, OutgoingResponse response) {
  {
    const std::lock_guard lock(mutex_);
    answers_.emplace_back(id, std::move(response));
  }
  Wake();
}

void EventLoop::Run() {
  std::array<epoll_event, 128> events;
  while (!IsFinished()) {
    const bool has_deadlines = !connections_.empty() || !accepting_;
    const auto interval = stop_at_ ? kSweepIntervalWhileStopping : kSweepInterval;
    const int ready =
        epoll_wait(epoll_.Get(), events.data(), events.size(), has_deadlines ? static_cast<int>(interval.count()) : -1);
    for (int i = 0; i < ready; ++i) {
      OnReadyWithinMemory(events[static_cast<std::size_t>(i)].data.u64);
    }
    if (reload_requested_.exchange(false)) {
      if (tls_) {
        tls_->Reload();
      }
      reloader_();
    }
    TakeAnswers();
    if (SteadyClock::now() >= next_sweep_) {
      next_sweep_ = SteadyClock::now() + interval;
      EnforceDeadlines();
    }
  }
}

bool EventLoop::IsFinished() {
  if (stop_requested_ && !stop_at_) {
    stop_at_ = SteadyClock::now() + limits_.stop_time;
    next_sweep_ = {};
    SetAccepting(false);
    listeners_.clear();
  }
  return stop_at_ && (connections_.empty() || SteadyClock::now() >= *stop_at_);
}

void EventLoop::OnReadyWithinMemory(ConnectionId id) {
  try {
    OnReady(id);
  } catch (const std::bad_alloc&) {  // costs the connection for which there was none, and no other
    if (const auto connection = connections_.find(id); connection != connections_.end() && Withdraw(connection)) {
      Abort(connection);
    }
  }
}

void EventLoop::OnReady(ConnectionId id) {
  if (id == kWakeupId) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t length = read(wakeup_.Get(), &count, sizeof count);
    return;
  }
  if (id <= listeners_.size()) {
    Accept(listeners_[id - 1].fd.Get());
    return;
  }
  const auto connection = connections_.find(id);
  if (connection == connections_.end()) {
    return;  // ended by an event before this one
  }
  OnClient(connection);
}

void EventLoop::OnClient(Connections::iterator connection) {
  switch (connection->second.GetPhase()) {
    case Phase::kHandshake:
      Handshake(connection);
      break;
    case Phase::kReading:
      Read(connection);
      break;
    case Phase::kInHandshake:
    case Phase::kAnswering:
      break;  // not watched
    case Phase::kSending:
      ContinueSending(connection);
      break;
    case Phase::kHalfClosed:
      Drain(connection);
      break;
  }
}

bool EventLoop::Await(Connections::iterator connection) {
  const Connection& client = connection->second;
  // It is not watched while it is being answered.
  if (Watch(EPOLL_CTL_MOD, client.Fd(), client.WaitsFor(), connection->first) ||
      Watch(EPOLL_CTL_ADD, client.Fd(), client.WaitsFor(), connection->first)) {
    return true;
  }
  Abort(connection);
  return false;
}

void EventLoop::Handshake(Connections::iterator connection) {
  Connection& client = connection->second;
  switch (client.BeginHandshake()) {
    case Progress::kBlocked:
      Await(connection);
      break;
    case Progress::kDone: {
      Watch(EPOLL_CTL_DEL, client.Fd(), 0, 0);  // its socket is the worker's now
      const auto done = [this, id = connection->first](Transport::Status status) {
        {
          const std::lock_guard lock(mutex_);
          handshakes_done_.emplace_back(id, status);
        }
        Wake();
      };
      handshakes_->Submit(client.Peer(), {.run = [done, &client]() -> FairWorkers::Handover {
                                            return [done, status = client.Handshake()] { done(status); };
                                          },
                                          .refuse = [done] { done(Transport::Status::kEnded); },
                                          .id = connection->first,
                                          .goes_on = client.HasBegunHandshake()});
      break;
    }
    case Progress::kBroken:
      Close(connection);
      break;
    case Progress::kRefused:
      HalfClose(connection);
      break;
    case Progress::kPlain:
      Send(connection, refuser_(Refusal(400, "Client sent an HTTP request to an HTTPS server."), false));
      break;
  }
}

void EventLoop::EndHandshake(Connections::iterator connection, Transport::Status status) {
  switch (connection->second.EndHandshake(status)) {
    case Progress::kBlocked:
      Await(connection);
      break;
    case Progress::kDone:
      Read(connection);
      break;
    case Progress::kRefused:
      HalfClose(connection);
      break;
    default:
      Close(connection);
      break;
  }
}

void EventLoop::Read(Connections::iterator connection) {
  Connection& client = connection->second;
  const bool was_idle = client.IsIdle();
  const Progress progress = client.Receive();
  if (was_idle && !client.IsIdle()) {
    client.SetDeadline(SteadyClock::now() + limits_.connection_time);
  }
  switch (progress) {
    case Progress::kBlocked:
      Await(connection);
      break;
    case Progress::kDone:
      OnReceived(connection);
      break;
    default:
      Close(connection);
      break;
  }
}

void EventLoop::Drain(Connections::iterator connection) {
  switch (connection->second.Drain()) {
    case Progress::kBlocked:
      break;
    case Progress::kDone:
      Close(connection);
      break;
    default:
      Abort(connection);
      break;
  }
}

void EventLoop::HalfClose(Connections::iterator connection) {
  connection->second.HalfClose(SteadyClock::now() + limits_.half_close_time);
  Await(connection);
}

void EventLoop::Accept(int listener) {
  for (int turn = 0; turn < kAcceptsInATurn; ++turn) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    UniqueFd fd(accept4(listener, reinterpret_cast<sockaddr*>(&address), &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
      const int error = errno;
      const bool out_of_resources = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
      if (out_of_resources && turn > 0) {
        return;  // the kernel says so before it looks whether anybody waits; if so, we are called again
      }
      if (out_of_resources && !Evict(nullptr, 0)) {
        SetAccepting(false);  // until the next sweep of the deadlines; the kernel keeps the clients waiting
        return;
      }
      if (error == EAGAIN) {
        return;
      }
      continue;  // a connection that is gone already, or one that may fit now
    }
    const Peer peer(address);
    const ConnectionId id = next_id_++;
    if (!MakeRoom(peer) || !Watch(EPOLL_CTL_ADD, fd.Get(), EPOLLIN, id)) {
      continue;  // all are being answered, or of peers with less; closing tells the client to come again
    }
    connections_.emplace(
        id, Connection(std::move(fd), peer, limits_, SteadyClock::now() + limits_.connection_time, tls_.get()));
    Share& share = shares_[peer];
    ++share.connections;
    share.opened += SecondsSince(started_);
    share.had = held_.Of(peer, SteadyClock::now());
  }
}

bool EventLoop::MakeRoom(const Peer& peer) {
  const auto share = shares_.find(peer);
  const std::size_t own = share == shares_.end() ? 0 : share->second.connections;
  if (own >= limits_.connections_per_peer) {
    return Evict(&peer, 0);
  }
  const auto has_room = [&] {
    return connections_.size() < limits_.connections || Evict(nullptr, own) || (own > 0 && Evict(&peer, 0));
  };
  if (has_room()) {
    return true;
  }
  TakeAnswers();  // what workers are done with is the clients' again
  return has_room();
}

double EventLoop::HeldBy(const Share& share, double now) {
  return share.had + static_cast<double>(share.connections) * now - share.opened;
}

bool EventLoop::Evict(const Peer* of, std::size_t fewer) {
  std::set<Peer> cannot;  // all of whose connections are being worked on
  const double now = SecondsSince(started_);
  for (;;) {
    auto fullest = shares_.end();
    for (auto one = shares_.begin(); one != shares_.end(); ++one) {
      const Share& share = one->second;
      if (share.connections <= fewer || (of != nullptr && !(one->first == *of)) || cannot.contains(one->first)) {
        continue;
      }
      if (fullest == shares_.end() || share.connections > fullest->second.connections ||
          (share.connections == fullest->second.connections && HeldBy(share, now) > HeldBy(fullest->second, now))) {
        fullest = one;
      }
    }
    if (fullest == shares_.end()) {
      return false;
    }
    const Peer peer = fullest->first;  // ending its last connection takes the share with it
    if (EvictOldest(peer, false) || EvictOldest(peer, true)) {
      return true;
    }
    cannot.insert(peer);
  }
}

bool EventLoop::EvictOldest(const Peer& peer, bool probes_too) {
  ConnectionId id = 0;
  // Not by iterator: reading from one connection may end it, and others.
  for (auto one = connections_.begin(); one != connections_.end(); one = connections_.upper_bound(id)) {
    id = one->first;
    if (!(one->second.Peer() == peer)) {
      continue;
    }
    if (one->second.GetPhase() == Phase::kReading && !one->second.Reader().HasReceived()) {
      Read(one);  // what has come may be a probe, which its turn has not come to yet
      one = connections_.find(id);
      if (one == connections_.end()) {
        return true;
      }
    }
    const bool may_end = probes_too || !one->second.IsProbe();
    if (may_end && one->second.GetPhase() != Phase::kAnswering && Withdraw(one)) {
      Abort(one);
      return true;
    }
  }
  return false;
}

bool EventLoop::Withdraw(Connections::iterator connection) {
  const Connection& client = connection->second;
  return client.GetPhase() != Phase::kInHandshake || handshakes_->Cancel(client.Peer(), connection->first);
}

void EventLoop::LimitUnsent(ConnectionId except) {
  std::map<Peer, std::size_t> unsent_of;
  std::size_t unsent = 0;
  for (const auto& [id, connection] : connections_) {
    if (connection.Unsent() > 0) {
      unsent_of[connection.Peer()] += connection.Unsent();
      unsent += connection.Unsent();
    }
  }
  while (unsent > limits_.unsent_bytes) {
    auto victim = connections_.end();
    for (auto one = connections_.begin(); one != connections_.end(); ++one) {
      const bool waits_for_reader = one->first != except && one->second.Unsent() > 0;
      if (waits_for_reader &&
          (victim == connections_.end() || unsent_of[one->second.Peer()] > unsent_of[victim->second.Peer()])) {
        victim = one;
      }
    }
    if (victim == connections_.end()) {
      return;
    }
    unsent -= victim->second.Unsent();
    unsent_of[victim->second.Peer()] -= victim->second.Unsent();
    Abort(victim);
  }
}

void EventLoop::OnReceived(Connections::iterator connection) {
  Connection& client = connection->second;
  if (const int refusal = client.Reader().Refusal()) {
    Send(connection, refuser_(Refusal(refusal), client.Reader().IsHead()));
    return;
  }
  Watch(EPOLL_CTL_DEL, client.Fd(), 0, 0);  // or a client that has gone would wake us until its answer is there
  RequestHead head = client.Reader().TakeHead();
  client.AwaitAnswer(is_probe_(head));
  head.keep_alive = head.keep_alive && !stop_at_ && client.Requests() + 1 < limits_.requests_per_connection;
  if (auto refusal = dispatcher_(connection->first, client.Peer(), std::move(head))) {
    Send(connection, std::move(*refusal));
  }
}

void EventLoop::Send(Connections::iterator connection, OutgoingResponse response) {
  connection->second.StartSending(std::move(response));
  ContinueSending(connection);
}

void EventLoop::ContinueSending(Connections::iterator connection) {
  switch (connection->second.Send()) {
    case Progress::kBlocked:
      if (Await(connection)) {
        LimitUnsent(connection->first);
      }
      break;
    case Progress::kDone:
      if (connection->second.IsKept() && !stop_at_) {
        connection->second.AwaitNext(SteadyClock::now() + limits_.idle_time);
        Read(connection);  // what OpenSSL holds already wakes no epoll
      } else {
        HalfClose(connection);
      }
      break;
    default:
      Close(connection);
      break;
  }
}

void EventLoop::TakeAnswers() {
  std::vector<std::pair<ConnectionId, OutgoingResponse>> answers;
  std::vector<std::pair<ConnectionId, Transport::Status>> handshakes_done;
  {
    const std::lock_guard lock(mutex_);
    answers.swap(answers_);
    handshakes_done.swap(handshakes_done_);
  }
  for (const auto& [id, status] : handshakes_done) {
    if (const auto connection = connections_.find(id); connection != connections_.end()) {
      EndHandshake(connection, status);
    }
  }
  for (auto& [id, response] : answers) {
    if (const auto connection = connections_.find(id); connection != connections_.end()) {
      Send(connection, std::move(response));
    }
  }
}

EventLoop::Connections::iterator EventLoop::Close(Connections::iterator connection) {
  const auto share = shares_.find(connection->second.Peer());
  const double age = SecondsSince(connection->second.Opened());
  share->second.opened -= SecondsSince(started_) - age;
  share->second.had = held_.Add(connection->second.Peer(), SteadyClock::now(), age);
  if (--share->second.connections == 0) {
    shares_.erase(share);
  }
  return connections_.erase(connection);  // closing takes it off epoll
}

EventLoop::Connections::iterator EventLoop::Abort(Connections::iterator connection) {
  connection->second.Abort();
  return Close(connection);
}

void EventLoop::EnforceDeadlines() {
  if (!stop_at_) {
    SetAccepting(true);
  }
  const auto now = SteadyClock::now();
  ConnectionId id = 0;
  // Not by iterator: ending one connection may end others.
  for (auto connection = connections_.begin(); connection != connections_.end();
       connection = connections_.upper_bound(id)) {
    id = connection->first;
    Connection& client = connection->second;
    const bool late = now >= client.Deadline();
    switch (client.GetPhase()) {
      case Phase::kHandshake:
      case Phase::kInHandshake:
        if ((stop_at_ || late) && Withdraw(connection)) {
          Close(connection);
        }
        break;
      case Phase::kReading:
        if (stop_at_ || (late && !client.Reader().HasReceived())) {
          Close(connection);
        } else if (late) {
          client.SetDeadline(now + limits_.half_close_time);
          Send(connection, refuser_(Refusal(408), client.Reader().IsHead()));
        }
        break;
      case Phase::kAnswering:
        break;  // its answer will come
      case Phase::kSending:
        if (late) {
          Abort(connection);
        }
        break;
      case Phase::kHalfClosed:
        if (client.IsHalfCloseOver(stop_at_ ? SteadyClock::time_point::max() : now)) {
          Close(connection);
        } else if (late) {
          Abort(connection);
        }
        break;
    }
  }
}

}  // namespace finwait::http
