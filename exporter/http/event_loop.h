#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"
#include "exporter/http/connection.h"
#include "exporter/http/fair_workers.h"
#include "exporter/http/limits.h"
#include "exporter/http/listening_socket.h"
#include "exporter/http/peer_usage.h"
#include "exporter/http/request_reader.h"

namespace finwait::http {

/// Accepts, reads, sends and closes for all connections, on one thread that never waits for any of them.
class EventLoop {
 public:
  using ConnectionId = std::uint64_t;
  /// Takes a request over to be answered by Answer() later; or returns at once the response that refuses it.
  using Dispatcher = std::function<std::optional<OutgoingResponse>(ConnectionId, const Peer&, RequestHead)>;
  /// Whether a request is a probe's (RouteGroup::is_unlimited), whose connection is ended last.
  using ProbeTest = std::function<bool(const RequestHead&)>;
  /// The answer to bytes that are no request.
  using Refuser = std::function<OutgoingResponse(const HttpResponse& refusal, bool is_head)>;
  /// Called on the loop's thread after Reload.
  using Reloader = std::function<void()>;

  /// Speaks TLS where `tls` is not null; `tls` is used on the loop's thread alone. Throws std::system_error when the
  /// system has no thread left.
  static Result<std::unique_ptr<EventLoop>> Create(std::vector<ListeningSocket> listeners, Limits limits,
                                                   Dispatcher dispatcher, ProbeTest is_probe, Refuser refuser,
                                                   Reloader reloader, std::shared_ptr<TlsSessions> tls);

  /// Runs until Stop; to be called once.
  void Run();
  /// Thread-safe. Run then accepts nothing more, gives requests under way their answer and returns after
  /// Limits::stop_time at the latest.
  void Stop();
  /// Thread-safe. TLS and the reloader look at what they are made from, soon and on the loop's thread.
  void Reload();
  /// Thread-safe: the answer to a request that the dispatcher took over.
  void Answer(ConnectionId id, OutgoingResponse response);

 private:
  /// What one peer holds of the room for connections.
  struct Share {
    std::size_t connections = 0;
    double opened = 0;  ///< the sum of their ages, in seconds, is connections times now less this
    double had = 0;     ///< seconds of connections that have ended lately, at the newest accept
  };
  using Connections = std::map<ConnectionId, Connection>;  // in order of arrival
  using Events = std::uint32_t;

  EventLoop(UniqueFd epoll, UniqueFd wakeup, std::vector<ListeningSocket> listeners, Limits limits,
            Dispatcher dispatcher, ProbeTest is_probe, Refuser refuser, Reloader reloader,
            std::shared_ptr<TlsSessions> tls);

  bool Watch(int operation, int fd, Events events, ConnectionId id);
  void Wake();
  void SetAccepting(bool accepting);

  void Accept(int listener);
  /// Whether there is room for one more connection of a peer; where need be by the end of another one: of its own
  /// oldest, where no peer holds more.
  bool MakeRoom(const Peer& peer);
  /// Ends a connection that waits for its client: of the peer that holds most, or of those alike of the one that has
  /// held longest lately, its oldest. Only of `of` where that is not null; only where its peer holds more than `fewer`
  /// connections. False when there is none. Probes are the last of their peer's.
  bool Evict(const Peer* of, std::size_t fewer);
  bool EvictOldest(const Peer& peer, bool probes_too);
  /// How long the connections of a peer have been open lately, all together, `now` seconds after the start.
  static double HeldBy(const Share& share, double now);
  /// Takes a connection out of the hands of those who work on it; false when they have begun.
  bool Withdraw(Connections::iterator connection);
  void LimitUnsent(ConnectionId except);

  /// OnReady; where there is no memory for it, the connection is ended.
  void OnReadyWithinMemory(ConnectionId id);
  void OnReady(ConnectionId id);
  void OnClient(Connections::iterator connection);
  /// Watches for what the connection waits for; ends it where that cannot be.
  bool Await(Connections::iterator connection);
  void Handshake(Connections::iterator connection);
  void EndHandshake(Connections::iterator connection, Transport::Status status);
  void Read(Connections::iterator connection);
  void Drain(Connections::iterator connection);
  void HalfClose(Connections::iterator connection);
  void OnReceived(Connections::iterator connection);
  void Send(Connections::iterator connection, OutgoingResponse response);
  void ContinueSending(Connections::iterator connection);
  void TakeAnswers();
  Connections::iterator Close(Connections::iterator connection);
  Connections::iterator Abort(Connections::iterator connection);

  void EnforceDeadlines();
  bool IsFinished();

  const Limits limits_;
  const Dispatcher dispatcher_;
  const ProbeTest is_probe_;
  const Refuser refuser_;
  const Reloader reloader_;
  const std::shared_ptr<TlsSessions> tls_;  ///< outlives the connections
  const SteadyClock::time_point started_ = SteadyClock::now();
  PeerUsage held_;  ///< seconds of connections that have ended
  UniqueFd epoll_;
  UniqueFd wakeup_;
  std::vector<ListeningSocket> listeners_;
  bool accepting_ = false;
  Connections connections_;
  std::map<Peer, Share> shares_;
  ConnectionId next_id_;
  SteadyClock::time_point next_sweep_;  ///< at the deadlines
  std::optional<SteadyClock::time_point> stop_at_;

  std::atomic<bool> stop_requested_ = false;
  std::atomic<bool> reload_requested_ = false;
  std::mutex mutex_;
  std::vector<std::pair<ConnectionId, OutgoingResponse>> answers_;           ///< guarded by mutex_
  std::vector<std::pair<ConnectionId, Transport::Status>> handshakes_done_;  ///< guarded by mutex_
  std::optional<FairWorkers> handshakes_;  ///< with TLS; last, as its thread uses the rest
};

}  // namespace finwait::http
