#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"
#include "exporter/http/limits.h"
#include "exporter/http/message.h"
#include "exporter/http/peer.h"
#include "exporter/http/request_reader.h"
#include "exporter/http/tls_sessions.h"
#include "exporter/http/transport.h"

namespace finwait::http {

/// One connection: a request is read, its response sent, then it ends or takes the next request. Never blocks. Moves
/// through its phases in order; the event loop decides when.
class Connection {
 public:
  enum class Phase {
    kHandshake,    ///< the TLS handshake waits for the client; nothing without TLS
    kInHandshake,  ///< a worker goes on with the handshake, or is about to; the socket is left alone
    kReading,      ///< the request head arrives
    kAnswering,    ///< a worker has the request, or is about to; the socket is left alone
    kSending,      ///< the response leaves
    kHalfClosed,   ///< all is sent: waits for the client to have it, so that closing cannot destroy it on the way
  };
  enum class Progress {
    kBlocked,  ///< nothing more can be done until the socket is ready for what WaitsFor() says
    kDone,     ///< this phase is over
    kBroken,   ///< the client is gone, or spends more than it may
    kRefused,  ///< kHandshake: no TLS session came about, and the client knows
    kPlain,    ///< kHandshake: the client speaks plain HTTP; it can be answered so
  };

  /// `deadline` bounds the connection as a whole. Speaks plain HTTP where `tls` is null; else `tls` must outlive this.
  Connection(UniqueFd fd, Peer peer, const Limits& limits, SteadyClock::time_point deadline, TlsSessions* tls);

  int Fd() const { return fd_.Get(); }
  const http::Peer& Peer() const { return peer_; }
  Phase GetPhase() const { return phase_; }
  SteadyClock::time_point Opened() const { return opened_; }
  SteadyClock::time_point Deadline() const { return deadline_; }
  void SetDeadline(SteadyClock::time_point deadline) { deadline_ = deadline; }

  /// The epoll events that the last kBlocked waits for.
  std::uint32_t WaitsFor() const { return waits_for_; }

  /// kHandshake: looks at what arrived. kDone: kInHandshake has begun.
  Progress BeginHandshake();
  /// kInHandshake: goes on with the handshake, on a worker's thread; nothing else may be called meanwhile.
  Transport::Status Handshake() { return transport_->Handshake(); }
  /// Whether Handshake has been called before: what was expensive about it is done.
  bool HasBegunHandshake() const { return has_begun_handshake_; }
  /// kInHandshake: takes what Handshake came to. kDone: kReading has begun. kBlocked: it is kHandshake again.
  Progress EndHandshake(Transport::Status status);
  /// kReading: whether it is kept for a next request of which nothing has come.
  bool IsIdle() const { return phase_ == Phase::kReading && requests_ > 0 && !reader_.HasReceived(); }
  /// Requests that have been answered.
  std::size_t Requests() const { return requests_; }
  /// kReading: takes what has arrived. kDone: Reader() has a head or a refusal.
  Progress Receive();
  RequestReader& Reader() { return reader_; }

  /// Ends kReading; the request is with a worker. A probe's counts for more, to the end of its answer (IsProbe).
  void AwaitAnswer(bool is_probe) {
    phase_ = Phase::kAnswering;
    is_probe_ = is_probe;
  }
  bool IsProbe() const { return is_probe_; }
  /// Ends kHandshake, kReading or kAnswering.
  void StartSending(OutgoingResponse response);
  /// kSending: sends what fits. kDone: all of it, and unless IsKept the client has been told that this is all.
  Progress Send();
  /// kSending: response bytes not yet taken by the kernel.
  std::size_t Unsent() const { return phase_ == Phase::kSending ? response_.Size() - sent_ : 0; }

  /// Whether the response under way promises that the connection takes another request.
  bool IsKept() const { return response_.keep_alive; }
  /// Ends kSending of a kept connection: kReading begins again, with a new budget of bytes.
  void AwaitNext(SteadyClock::time_point idle_until);
  /// Ends kSending: no more will be sent, and the client is told so. Stays half-closed until `until` at most once the
  /// client has acknowledged everything.
  void HalfClose(SteadyClock::time_point until);
  /// kHalfClosed: throws away what the client still sends. kDone: the client has closed as well. kBroken: it has not,
  /// and sends too much.
  Progress Drain();
  /// kHalfClosed: whether the client has everything and had its time to close.
  bool IsHalfCloseOver(SteadyClock::time_point now) const;

  /// Makes closing drop what is unsent and reset the connection, rather than leave the kernel to retry it.
  void Abort();

 private:
  Progress From(Transport::Status status);
  bool SpendsTooMuch() const { return transport_->RawReceived() > raw_limit_; }

  UniqueFd fd_;
  http::Peer peer_;
  std::unique_ptr<Transport> transport_;
  Phase phase_;
  std::uint32_t waits_for_;
  const SteadyClock::time_point opened_ = SteadyClock::now();
  SteadyClock::time_point deadline_;
  const std::size_t raw_bytes_;  ///< of one request
  const HeadLimits head_limits_;
  std::size_t raw_limit_;
  std::size_t requests_ = 0;
  bool has_begun_handshake_ = false;
  bool is_probe_ = false;
  RequestReader reader_;
  OutgoingResponse response_;
  std::size_t sent_ = 0;
  std::size_t drained_ = 0;
  SteadyClock::time_point half_closed_until_;
};

}  // namespace finwait::http
