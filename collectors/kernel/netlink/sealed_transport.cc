#include "collectors/kernel/netlink/sealed_transport.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "collectors/kernel/netlink/bound_socket.h"
#include "collectors/kernel/netlink/messages.h"
#include "collectors/kernel/netlink/read_requests.h"
#include "collectors/kernel/netlink/receive.h"

namespace finwait::kernel::netlink {
namespace {

constexpr std::chrono::seconds kLongestWait{5};

}  // namespace

SealedTransport::SealedTransport(std::shared_ptr<SealedRequests> requests, int protocol)
    : requests_(std::move(requests)), protocol_(protocol), buffer_(kReceiveBuffer) {}

Result<std::unique_ptr<Transport>> SealedTransport::Open(std::shared_ptr<SealedRequests> requests, int protocol) {
  std::unique_ptr<SealedTransport> transport(new SealedTransport(std::move(requests), protocol));
  if (SealedRequests::IsApart(protocol)) {
    auto socket = transport->requests_->TakeSocket(protocol, Deadline::After(kLongestWait));
    if (!socket) {
      return Failure(socket.error());
    }
    transport->fixed_.emplace(std::move(*socket));
  } else {
    auto socket = OpenBoundSocket(protocol);
    if (!socket) {
      return Failure(socket.error());
    }
    transport->own_ = std::move(*socket);
  }
  return transport;
}

Result<std::unique_ptr<Transport>> SealedTransport::Adopt(std::shared_ptr<SealedRequests> requests, int protocol,
                                                          UniqueFd socket) {
  auto adopted = UseBoundSocket(std::move(socket));
  if (!adopted) {
    return Failure(adopted.error());
  }
  std::unique_ptr<SealedTransport> transport(new SealedTransport(std::move(requests), protocol));
  transport->own_ = std::move(*adopted);
  return transport;
}

Result<void> SealedTransport::SendOne(Bytes message, Deadline deadline) {
  for (;;) {
    if (requests_->Send(Fd(), protocol_, message) >= 0) {
      return {};
    }
    if (errno == EAGAIN) {
      if (auto ready = WaitFor(Fd(), POLLOUT, deadline, "send to netlink"); !ready) {
        return ready;
      }
    } else if (errno != EINTR) {
      return FailErrno("send to netlink", errno);
    }
  }
}

Result<void> SealedTransport::Send(Bytes datagram, Deadline deadline) {
  if (auto allowed = RequireReadOnly(protocol_, datagram); !allowed) {
    return allowed;
  }
  while (!datagram.empty()) {
    nlmsghdr header = {};
    std::memcpy(&header, datagram.data(), sizeof header);
    if (auto sent = SendOne(datagram.first(header.nlmsg_len), deadline); !sent) {
      return sent;
    }
    unanswered_.push_back(header.nlmsg_seq);
    datagram = datagram.subspan(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), datagram.size()));
  }
  return {};
}

Result<Datagram> SealedTransport::Receive(Deadline deadline) {
  for (;;) {
    const auto received = ReceiveWaiting(Fd(), buffer_);
    if (!received) {
      return Failure(received.error());
    }
    if (*received) {
      if ((*received)->sender_port == 0 && !(*received)->truncated) {
        RestoreSequenceNumbers((*received)->bytes.size());
      }
      return **received;
    }
    if (auto ready = WaitFor(Fd(), POLLIN, deadline, "receive from netlink"); !ready) {
      return Failure(ready.error());
    }
  }
}

// The kernel answers in order, and each answer ends with an NLMSG_ERROR (an acknowledgement) or an NLMSG_DONE.
void SealedTransport::RestoreSequenceNumbers(std::size_t size) {
  const Bytes datagram = Bytes(buffer_).first(size);
  MessageReader reader(datagram);
  std::size_t offset = 0;
  while (reader.Next()) {
    nlmsghdr header = reader.Header();
    if (header.nlmsg_seq == SealedRequests::kSequence && header.nlmsg_pid == Port() && !unanswered_.empty()) {
      header.nlmsg_seq = unanswered_.front();
      std::memcpy(buffer_.data() + offset, &header, sizeof header);
      if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE) {
        unanswered_.pop_front();
      }
    }
    offset += NLMSG_ALIGN(header.nlmsg_len);
  }
}

}  // namespace finwait::kernel::netlink
