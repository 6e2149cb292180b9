#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"

namespace finwait::channel {

/// One end of the pair of sockets between two processes of this program. Messages are whole: four bytes of length, then
/// so many bytes. Not thread-safe.
class Connection {
 public:
  /// An end that this process had before its program was executed again; close-on-exec from here on.
  static Connection Inherited(int descriptor);

  /// No message is larger: the ruleset of a node with 100,000 rules takes some 30 MiB.
  static constexpr std::uint32_t kMostBytes = std::uint32_t{128} << 20;

  /// Receives no message longer than that, which is at most kMostBytes.
  void LimitMessages(std::size_t bytes) { longest_ = bytes; }
  /// How long a message may take from its first byte to its last: 10 s, as it comes from a buffer on the same machine.
  void LimitTime(std::chrono::milliseconds time) { message_limit_ = time; }

  /// Gives this end the lowest free descriptor from `number` on; where there is none it keeps the one that it has.
  void MoveTo(int number);

  /// Both ends, close-on-exec and not blocking.
  static Result<std::pair<Connection, Connection>> MakePair();

  /// kTimeout where the other end has not taken it all by the deadline: half a message is then on its way, and the
  /// connection is of no more use.
  Result<void> Send(std::span<const std::byte> message, Deadline deadline);
  /// The next message. kTimeout where none has begun by the deadline, and the connection can be asked again. kError
  /// where the other end is gone, or a message is too long or does not end in time: the connection is of no more use.
  /// Memory grows with what has arrived, not with what was announced.
  Result<std::vector<std::byte>> Receive(Deadline deadline);

  int Descriptor() const { return socket_.Get(); }
  /// Wakes whoever waits in Send or Receive, on either end: they fail, as does all later use. Thread-safe.
  void Shutdown();

 private:
  explicit Connection(UniqueFd socket);
  Result<void> WaitFor(short events, Deadline deadline) const;
  Result<void> ReceiveInto(std::span<std::byte> bytes, Deadline deadline);

  UniqueFd socket_;
  std::vector<std::byte> first_;  // the beginning of what is sent, made once: memory may be short later
  std::size_t longest_ = kMostBytes;
  std::chrono::milliseconds message_limit_ = std::chrono::seconds(10);
};

}  // namespace finwait::channel
