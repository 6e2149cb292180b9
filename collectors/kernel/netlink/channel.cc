#include "collectors/kernel/netlink/channel.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <vector>

namespace finwait::kernel::netlink {
namespace {

// The kernel's MAX_ERRNO is 4095; ipset's own numbers are above it, up to those of its types (IPSET_ERR_TYPE_SPECIFIC).
constexpr int kLargestErrno = 4607;
constexpr std::size_t kLongestSentence = 256;

// The kernel's own sentence about an error (extended acknowledgement), empty where there is none among `attributes`.
std::string ExtendedMessage(Bytes attributes) {
  std::string message;
  AttributeReader reader(attributes);
  while (reader.Next()) {
    if (reader.Type() == NLMSGERR_ATTR_MSG) {
      message = reader.Text().substr(0, kLongestSentence);
    }
  }
  return message;
}

// The attributes behind an nlmsgerr. They follow the request's payload unless NLM_F_CAPPED says that it was left out.
Bytes ErrorAttributes(const nlmsghdr& header, Bytes after_error, std::uint32_t request_length) {
  if ((header.nlmsg_flags & NLM_F_CAPPED) != 0 || request_length < sizeof(nlmsghdr)) {
    return after_error;
  }
  if (request_length - sizeof(nlmsghdr) > after_error.size()) {
    return {};
  }
  const std::size_t echoed = NLMSG_ALIGN(request_length) - sizeof(nlmsghdr);
  return after_error.subspan(std::min(echoed, after_error.size()));
}

Failure KernelError(const std::string& operation, int errno_code, const std::string& extended) {
  Error error = ErrnoError(operation, errno_code);
  if (!extended.empty()) {
    error.message += " (the kernel says: " + extended + ")";
  }
  return Failure(std::move(error));
}

Failure Malformed(const std::string& operation, std::string_view what) {
  return Fail(FailureReason::kError, operation + ": malformed netlink answer, " + std::string(what));
}

// What ends an exchange: `code` is 0 or a negative errno, `attributes` may hold the kernel's sentence about it.
Result<void> Outcome(const std::string& operation, const nlmsghdr& header, int code, Bytes attributes) {
  if (code > 0 || code < -kLargestErrno) {
    return Malformed(operation, "an impossible error number");
  }
  if (code != 0) {
    const bool explained = (header.nlmsg_flags & NLM_F_ACK_TLVS) != 0;
    return KernelError(operation, -code, explained ? ExtendedMessage(attributes) : std::string());
  }
  return {};
}

// The same from an NLMSG_ERROR, which is an acknowledgement when its code is 0.
Result<void> OutcomeOfError(const std::string& operation, const nlmsghdr& header, Bytes payload) {
  const auto error = Attribute(0, payload).Read<nlmsgerr>();
  if (!error) {
    return Malformed(operation, "an error message cut short");
  }
  return Outcome(operation, header, error->error,
                 ErrorAttributes(header, payload.subspan(sizeof(nlmsgerr)), error->msg.nlmsg_len));
}

}  // namespace

Result<Channel> Channel::Open(int protocol) {
  auto transport = SocketTransport::Open(protocol);
  if (!transport) {
    return Failure(transport.error());
  }
  return Channel(std::move(*transport));
}

Result<void> Channel::SendNumbered(Request& request, const std::string& operation, Deadline deadline) {
  request.Head()->nlmsg_seq = ++sequence_;
  auto sent = transport_->Send(request.Data(), deadline);
  if (!sent) {
    sent.error().message = operation + ": " + sent.error().message;
  }
  return sent;
}

Result<void> Channel::Get(Request request, const std::string& operation, Deadline deadline,
                          const std::function<Result<void>(const Message&)>& visit) {
  // The acknowledgement marks the answer's end whatever the number of messages before it.
  request.Head()->nlmsg_flags |= NLM_F_ACK;
  if (auto sent = SendNumbered(request, operation, deadline); !sent) {
    return sent;
  }
  bool interrupted = false;
  auto received = ReceiveAll(operation, deadline, &interrupted, visit);
  if (received && interrupted) {
    return Fail(FailureReason::kError, operation + ": part of the answer is lost");
  }
  return received;
}

Result<void> Channel::GetEach(std::span<Request> requests, const std::string& operation, Deadline deadline,
                              const std::function<void(std::size_t, const Result<Message>&)>& answered) {
  if (requests.size() > kMostAtOnce) {
    throw std::length_error("more requests than Channel::kMostAtOnce");
  }
  const std::uint32_t first = sequence_ + 1;
  std::vector<std::byte> datagram;
  for (Request& request : requests) {
    request.Head()->nlmsg_flags |= NLM_F_ACK;
    request.Head()->nlmsg_seq = ++sequence_;
    const Bytes bytes = request.Data();
    datagram.insert(datagram.end(), bytes.begin(), bytes.end());
    datagram.resize(NLMSG_ALIGN(datagram.size()));
  }
  if (auto sent = transport_->Send(datagram, deadline); !sent) {
    sent.error().message = operation + ": " + sent.error().message;
    return sent;
  }
  // The kernel answers in order, each answer ending with its acknowledgement or its error.
  for (std::size_t i = 0; i < requests.size();) {
    if (deadline.Passed()) {
      return Fail(FailureReason::kTimeout, operation + ": not finished within the deadline");
    }
    const auto datagram_in = transport_->Receive(deadline);
    if (!datagram_in) {
      return Failure(Error{datagram_in.error().reason, datagram_in.error().errno_code,
                           operation + ": " + datagram_in.error().message});
    }
    if (datagram_in->sender_port != 0) {
      continue;
    }
    if (datagram_in->truncated) {
      return Malformed(operation, "larger than the receive buffer");
    }
    MessageReader reader(datagram_in->bytes);
    while (reader.Next()) {
      const nlmsghdr& header = reader.Header();
      const std::size_t position = header.nlmsg_seq - first;
      if (header.nlmsg_pid != transport_->Port() || position >= requests.size()) {
        continue;
      }
      if (header.nlmsg_type != NLMSG_ERROR) {
        answered(position, reader.Current());
        continue;
      }
      if (auto outcome = OutcomeOfError(operation, header, reader.Payload()); !outcome) {
        // Malformed, or no capability: nfnetlink_rcv() then refuses the whole datagram with one error and looks at none
        // of its requests, so that no more answers come.
        if (outcome.error().errno_code == 0 || outcome.error().reason == FailureReason::kPermission) {
          return outcome;
        }
        answered(position, Failure(outcome.error()));
      }
      ++i;
    }
    if (!reader.Sound()) {
      return Malformed(operation, reader.Problem());
    }
  }
  return {};
}

Result<DumpReport> Channel::Dump(Request request, const std::string& operation, Deadline deadline, MessageSink& sink) {
  request.Head()->nlmsg_flags |= NLM_F_DUMP;
  DumpReport report;
  for (report.attempts = 1;; ++report.attempts) {
    sink.Restart();
    if (auto sent = SendNumbered(request, operation, deadline); !sent) {
      return Failure(sent.error());
    }
    bool interrupted = false;
    auto received = ReceiveAll(operation, deadline, &interrupted,
                               [&sink](const Message& message) { return sink.OnMessage(message); });
    if (!received) {
      return Failure(received.error());
    }
    if (!interrupted) {
      return report;
    }
    if (report.attempts == kDumpAttempts) {
      report.torn = true;
      return report;
    }
  }
}

Result<void> Channel::ReceiveAll(const std::string& operation, Deadline deadline, bool* interrupted,
                                 const std::function<Result<void>(const Message&)>& visit) {
  for (;;) {
    // Checked here and not only while waiting: a kernel that always has more to say must not hold us.
    if (deadline.Passed()) {
      return Fail(FailureReason::kTimeout, operation + ": not finished within the deadline");
    }
    auto datagram = transport_->Receive(deadline);
    if (!datagram) {
      if (datagram.error().errno_code == ENOBUFS) {
        // Part of the answer is lost; what is still queued, the end included, follows.
        *interrupted = true;
        continue;
      }
      datagram.error().message = operation + ": " + datagram.error().message;
      return Failure(datagram.error());
    }
    if (datagram->sender_port != 0) {
      continue;  // not from the kernel: any local process may send to our port
    }
    if (datagram->truncated) {
      return Malformed(operation, "larger than the receive buffer");
    }
    auto progress = Dispatch(datagram->bytes, operation, interrupted, visit);
    if (!progress) {
      return Failure(progress.error());
    }
    if (*progress == Progress::kDone) {
      return {};
    }
  }
}

Result<Channel::Progress> Channel::Ended(Result<void> outcome, bool* interrupted) {
  if (!outcome && outcome.error().errno_code == EINTR) {
    // A dump that gave up because its table changed: as good as NLM_F_DUMP_INTR.
    *interrupted = true;
    return Progress::kDone;
  }
  if (!outcome) {
    return Failure(outcome.error());
  }
  return Progress::kDone;
}

Result<Channel::Progress> Channel::Dispatch(Bytes datagram, const std::string& operation, bool* interrupted,
                                            const std::function<Result<void>(const Message&)>& visit) {
  if (datagram.empty()) {
    return Malformed(operation, "an empty datagram");
  }
  MessageReader reader(datagram);
  while (reader.Next()) {
    const nlmsghdr& header = reader.Header();
    const Bytes payload = reader.Payload();
    if (header.nlmsg_seq != sequence_ || header.nlmsg_pid != transport_->Port()) {
      continue;  // the tail of an exchange that was given up, or not meant for us
    }
    if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) {
      *interrupted = true;
    }
    switch (header.nlmsg_type) {
      case NLMSG_NOOP:
        continue;
      case NLMSG_OVERRUN:
        *interrupted = true;
        continue;
      case NLMSG_ERROR:
        return Ended(OutcomeOfError(operation, header, payload), interrupted);
      case NLMSG_DONE: {
        // A dump that fails half-way says so in the errno that NLMSG_DONE carries. The protocol lets it carry none.
        const int code = Attribute(0, payload).Read<int>().value_or(0);
        const Bytes attributes = payload.subspan(std::min(sizeof(int), payload.size()));
        return Ended(Outcome(operation, header, code, attributes), interrupted);
      }
      default: {
        auto visited = visit(reader.Current());
        if (!visited) {
          return Failure(visited.error());
        }
      }
    }
  }
  if (!reader.Sound()) {
    return Malformed(operation, reader.Problem());
  }
  return Progress::kMore;
}

}  // namespace finwait::kernel::netlink
