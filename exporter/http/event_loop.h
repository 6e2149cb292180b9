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

#include "collectors/result.h"
#include "collectors/unique_fd.h"
#include "exporter/http/connection.h"
#include "exporter/http/limits.h"
#include "exporter/http/listening_socket.h"
#include "exporter/http/request_reader.h"

namespace finwait::http {

/// Accepts, reads, sends and closes for all connections, on one thread that never waits for any of them.
class EventLoop {
 public:
  using ConnectionId = std::uint64_t;
  /// Takes a request over to be answered by Answer() later; or returns at once the response that refuses it.
  using Dispatcher = std::function<std::optional<OutgoingResponse>(ConnectionId, const Peer&, RequestHead)>;
  /// The answer to bytes that are no request.
  using Refuser = std::function<OutgoingResponse(const HttpResponse& refusal, bool is_head)>;

  /// Speaks TLS where `tls` is not null; `tls` is used on the loop's thread alone.
  static Result<std::unique_ptr<EventLoop>> Create(std::vector<ListeningSocket> listeners, Limits limits,
                                                   Dispatcher dispatcher, Refuser refuser,
                                                   std::shared_ptr<TlsSessions> tls);

  /// Runs until Stop; to be called once.
  void Run();
  /// Thread-safe. Run then accepts nothing more, gives requests under way their answer and returns after
  /// Limits::stop_time at the latest.
  void Stop();
  /// Thread-safe: the answer to a request that the dispatcher took over.
  void Answer(ConnectionId id, OutgoingResponse response);

 private:
  using Connections = std::map<ConnectionId, Connection>;  // in order of arrival
  using Events = std::uint32_t;

  EventLoop(UniqueFd epoll, UniqueFd wakeup, std::vector<ListeningSocket> listeners, Limits limits,
            Dispatcher dispatcher, Refuser refuser, std::shared_ptr<TlsSessions> tls);

  bool Watch(int operation, int fd, Events events, ConnectionId id);
  void Wake();
  void SetAccepting(bool accepting);

  void Accept(int listener);
  bool MakeRoom(const Peer& peer);
  /// Ends the oldest connection that waits for its client, of one peer or of all; false when there is none.
  bool EvictOldest(const Peer* peer);
  void LimitUnsent(ConnectionId except);

  void OnReady(ConnectionId id);
  void OnClient(Connections::iterator connection);
  /// Watches for what the connection waits for; ends it where that cannot be.
  bool Await(Connections::iterator connection);
  void Handshake(Connections::iterator connection);
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
  const Refuser refuser_;
  const std::shared_ptr<TlsSessions> tls_;  ///< outlives the connections
  UniqueFd epoll_;
  UniqueFd wakeup_;
  std::vector<ListeningSocket> listeners_;
  bool accepting_ = false;
  Connections connections_;
  std::map<Peer, std::size_t> connections_of_;
  ConnectionId next_id_;
  SteadyClock::time_point next_sweep_;  ///< at the deadlines
  std::optional<SteadyClock::time_point> stop_at_;

  std::atomic<bool> stop_requested_ = false;
  std::mutex mutex_;
  std::vector<std::pair<ConnectionId, OutgoingResponse>> answers_;  ///< guarded by mutex_
};

}  // namespace finwait::http
