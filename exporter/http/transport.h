#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace finwait::http {

/// How the bytes of one connection get through its socket. Never blocks.
class Transport {
 public:
  enum class Status {
    kDone,
    kWantsRead,   ///< go on when the socket can be read
    kWantsWrite,  ///< go on when the socket can be written
    kEnded,       ///< the client has closed or reset the connection, or broke its protocol
    kRefused,     ///< Begin and Handshake: this client gets no session; it has been told so
    kPlain,       ///< Begin: the client speaks plain HTTP where it should not; nothing of it has been read
  };
  struct Moved {
    Status status = Status::kDone;
    std::size_t bytes = 0;  ///< when kDone, at least 1
  };

  virtual ~Transport() = default;

  /// What has to happen before Handshake, and costs little. To be called until it is kDone.
  virtual Status Begin() = 0;
  /// What comes before the first byte of a request; may take milliseconds of cryptography, and may run on another
  /// thread while nothing else is called. To be called until it is kDone.
  virtual Status Handshake() = 0;
  /// Takes bytes that have arrived.
  virtual Moved Receive(std::span<char> buffer) = 0;
  /// Whether Receive would have something although the socket has not.
  virtual bool HasBuffered() const = 0;
  /// Bytes of the client's taken from the socket so far, handshake and wrapping included.
  virtual std::size_t RawReceived() const = 0;
  /// Sends the first bytes of `head` followed by `body`, which are not both empty.
  virtual Moved Send(std::string_view head, std::string_view body) = 0;
  /// Tells the client that it has everything. To be called until it is kDone.
  virtual Status Finish() = 0;
};

}  // namespace finwait::http
