#include "exporter/http/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

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

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::Create(std::vector<ListeningSocket> listeners, Limits limits,
                                                     Dispatcher dispatcher, Refuser refuser,
                                                     std::shared_ptr<TlsSessions> tls) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wakeup(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !wakeup) {
    return FailErrno("cannot create the HTTP event loop", errno);
  }
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(epoll), std::move(wakeup), std::move(listeners), limits,
                                                std::move(dispatcher), std::move(refuser), std::move(tls)));
  loop->SetAccepting(true);
  if (!loop->accepting_ || !loop->Watch(EPOLL_CTL_ADD, loop->wakeup_.Get(), EPOLLIN, kWakeupId)) {
    return FailErrno("cannot create the HTTP event loop", errno);
  }
  return loop;
}

EventLoop::EventLoop(UniqueFd epoll, UniqueFd wakeup, std::vector<ListeningSocket> listeners, Limits limits,
                     Dispatcher dispatcher, Refuser refuser, std::shared_ptr<TlsSessions> tls)
    : limits_(limits),
      dispatcher_(std::move(dispatcher)),
      refuser_(std::move(refuser)),
      tls_(std::move(tls)),
      epoll_(std::move(epoll)),
      wakeup_(std::move(wakeup)),
      listeners_(std::move(listeners)),
      next_id_(listeners_.size() + 1) {}

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
      OnReady(events[static_cast<std::size_t>(i)].data.u64);
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
  switch (connection->second.Handshake()) {
    case Progress::kBlocked:
      Await(connection);
      break;
    case Progress::kDone:
      Read(connection);
      break;
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

void EventLoop::Read(Connections::iterator connection) {
  switch (connection->second.Receive()) {
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
      if (out_of_resources && !EvictOldest(nullptr)) {
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
      continue;  // all are being answered; closing tells the client to come again
    }
    connections_.emplace(
        id, Connection(std::move(fd), peer, limits_, SteadyClock::now() + limits_.connection_time, tls_.get()));
    ++connections_of_[peer];
  }
}

bool EventLoop::MakeRoom(const Peer& peer) {
  const auto of_peer = connections_of_.find(peer);
  if (of_peer != connections_of_.end() && of_peer->second >= limits_.connections_per_peer) {
    return EvictOldest(&peer);
  }
  return connections_.size() < limits_.connections || EvictOldest(nullptr);
}

bool EventLoop::EvictOldest(const Peer* peer) {
  const auto oldest = std::find_if(connections_.begin(), connections_.end(), [peer](const auto& entry) {
    return entry.second.GetPhase() != Phase::kAnswering && (peer == nullptr || entry.second.Peer() == *peer);
  });
  if (oldest == connections_.end()) {
    return false;
  }
  Abort(oldest);
  return true;
}

void EventLoop::LimitUnsent(ConnectionId except) {
  std::size_t unsent = 0;
  for (const auto& [id, connection] : connections_) {
    unsent += connection.Unsent();
  }
  for (auto it = connections_.begin(); it != connections_.end() && unsent > limits_.unsent_bytes;) {
    if (it->first != except && it->second.GetPhase() == Phase::kSending) {
      unsent -= it->second.Unsent();
      it = Abort(it);
    } else {
      ++it;
    }
  }
}

void EventLoop::OnReceived(Connections::iterator connection) {
  Connection& client = connection->second;
  if (const int refusal = client.Reader().Refusal()) {
    Send(connection, refuser_(Refusal(refusal), client.Reader().IsHead()));
    return;
  }
  Watch(EPOLL_CTL_DEL, client.Fd(), 0, 0);  // or a client that has gone would wake us until its answer is there
  client.AwaitAnswer();
  if (auto refusal = dispatcher_(connection->first, client.Peer(), client.Reader().TakeHead())) {
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
      HalfClose(connection);
      break;
    default:
      Close(connection);
      break;
  }
}

void EventLoop::TakeAnswers() {
  std::vector<std::pair<ConnectionId, OutgoingResponse>> answers;
  {
    const std::lock_guard lock(mutex_);
    answers.swap(answers_);
  }
  for (auto& [id, response] : answers) {
    if (const auto connection = connections_.find(id); connection != connections_.end()) {
      Send(connection, std::move(response));
    }
  }
}

EventLoop::Connections::iterator EventLoop::Close(Connections::iterator connection) {
  const auto of_peer = connections_of_.find(connection->second.Peer());
  if (--of_peer->second == 0) {
    connections_of_.erase(of_peer);
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
        if (stop_at_ || late) {
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
