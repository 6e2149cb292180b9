#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "collectors/base/result.h"
#include "collectors/kernel/netlink/attributes.h"
#include "collectors/kernel/netlink/messages.h"
#include "collectors/kernel/netlink/request.h"
#include "collectors/kernel/netlink/transport.h"

namespace finwait::kernel::netlink {

/// Receives an answer as it streams in; nothing is held back.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  /// A dump starts, or starts again because the last attempt was torn: forget what came before.
  virtual void Restart() = 0;
  /// One message. An error ends the exchange with that error.
  virtual Result<void> OnMessage(const Message& message) = 0;
};

/// How a dump went.
struct DumpReport {
  int attempts = 1;
  /// Every attempt was interrupted (NLM_F_DUMP_INTR, or ENOBUFS): the table changed while it was read, and the last
  /// attempt's messages may miss some entries or repeat them.
  bool torn = false;
};

/// Request and answer over one netlink socket. Checks sequence number and sender of all that comes back, turns
/// NLMSG_ERROR into an Error with the kernel's extended message, ends every exchange by its deadline. Not thread-safe.
/// After an exchange that did not run to its end (kTimeout, a malformed answer, an error of the visitor or the sink)
/// the channel is not to be used again: the kernel may still be busy with it.
class Channel {
 public:
  /// How often a torn dump is read before it is published as torn.
  static constexpr int kDumpAttempts = 3;

  static Result<Channel> Open(int protocol);
  explicit Channel(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}

  /// Sends `request` and gives every message of its answer to `visit` until the kernel's acknowledgement. `operation`
  /// names the exchange in errors ("read conntrack statistics"). An answer of which part was lost is kError.
  Result<void> Get(Request request, const std::string& operation, Deadline deadline,
                   const std::function<Result<void>(const Message&)>& visit);

  /// The most requests that GetEach takes at once: the answers to all of them must fit the socket's receive buffer.
  static constexpr std::size_t kMostAtOnce = 32;

  /// Sends up to kMostAtOnce requests in one datagram and gives `answered` the outcome of each, by its position: a
  /// message of its answer, or the kernel's refusal. A request whose answer has no message is not reported. An error of
  /// the exchange itself ends it, and so does a missing permission, which the kernel says once for all of them.
  Result<void> GetEach(std::span<Request> requests, const std::string& operation, Deadline deadline,
                       const std::function<void(std::size_t, const Result<Message>&)>& answered);

  /// Sends `request` as a dump and streams the answer into `sink`. A torn dump is repeated, kDumpAttempts times in all.
  Result<DumpReport> Dump(Request request, const std::string& operation, Deadline deadline, MessageSink& sink);

 private:
  enum class Progress { kMore, kDone };
  static Result<Progress> Ended(Result<void> outcome, bool* interrupted);
  Result<void> SendNumbered(Request& request, const std::string& operation, Deadline deadline);
  /// Reads datagrams until the exchange with the current sequence number has ended. `*interrupted` is set when the
  /// kernel says that the data changed underneath.
  Result<void> ReceiveAll(const std::string& operation, Deadline deadline, bool* interrupted,
                          const std::function<Result<void>(const Message&)>& visit);
  Result<Progress> Dispatch(Bytes datagram, const std::string& operation, bool* interrupted,
                            const std::function<Result<void>(const Message&)>& visit);

  std::unique_ptr<Transport> transport_;
  std::uint32_t sequence_ = 0;
};

/// A sink made of one function, for dumps that keep nothing between messages but what `visit` collects; `restart`
/// forgets it.
class FunctionSink : public MessageSink {
 public:
  FunctionSink(std::function<void()> restart, std::function<Result<void>(const Message&)> visit)
      : restart_(std::move(restart)), visit_(std::move(visit)) {}
  void Restart() override { restart_(); }
  Result<void> OnMessage(const Message& message) override { return visit_(message); }

 private:
  std::function<void()> restart_;
  std::function<Result<void>(const Message&)> visit_;
};

}  // namespace finwait::kernel::netlink
