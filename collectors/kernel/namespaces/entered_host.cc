#include "collectors/kernel/namespaces/entered_host.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "collectors/kernel/netlink/bound_socket.h"
#include "collectors/kernel/netlink/receive.h"
#include "collectors/kernel/netlink/transport.h"

namespace finwait::kernel::namespaces {
namespace {

OpenRequest RequestFor(const EnteredNamespace& entered, Opened what) {
  OpenRequest request;
  request.process = entered.process;
  request.inode = entered.inode;
  request.what = what;
  return request;
}

// A dump of sockets whose request the opener sends: this process may send such requests by sockets of its own only
// (SealedRequests).
class SocketsTransport : public netlink::Transport {
 public:
  SocketsTransport(std::shared_ptr<Opener> opener, const EnteredNamespace& entered)
      : opener_(std::move(opener)), entered_(entered), buffer_(netlink::kReceiveBuffer) {}

  Result<void> Send(netlink::Bytes datagram, Deadline) override {
    nlmsghdr header = {};
    inet_diag_req_v2 question = {};
    if (datagram.size() < sizeof header + sizeof question) {
      return NotADump();
    }
    std::memcpy(&header, datagram.data(), sizeof header);
    std::memcpy(&question, datagram.data() + sizeof header, sizeof question);
    if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY || (header.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP ||
        question.sdiag_protocol != IPPROTO_TCP) {
      return NotADump();
    }
    OpenRequest request = RequestFor(entered_, Opened::kSockets);
    request.family = question.sdiag_family;
    request.extensions = question.idiag_ext;
    request.states = question.idiag_states;
    request.sequence = header.nlmsg_seq;
    auto opened = opener_->Open(request);
    if (!opened) {
      return Failure(opened.error());
    }
    sockaddr_nl address = {};
    socklen_t length = sizeof address;
    if (::getsockname(opened->Get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      return FailErrno("read a netlink socket's port", errno);
    }
    socket_ = {std::move(*opened), address.nl_pid};
    return {};
  }

  Result<netlink::Datagram> Receive(Deadline deadline) override {
    for (;;) {
      const auto received = netlink::ReceiveWaiting(socket_.fd.Get(), buffer_);
      if (!received) {
        return Failure(received.error());
      }
      if (*received) {
        return **received;
      }
      if (auto ready = netlink::WaitFor(socket_.fd.Get(), POLLIN, deadline, "receive from netlink"); !ready) {
        return Failure(ready.error());
      }
    }
  }

  std::uint32_t Port() const override { return socket_.port; }

 private:
  static Failure NotADump() {
    return Fail(FailureReason::kUnsupported, "of another network namespace all sockets are read, or none");
  }

  std::shared_ptr<Opener> opener_;
  EnteredNamespace entered_;
  netlink::BoundSocket socket_;
  std::vector<std::byte> buffer_;
};

}  // namespace

Host HostOf(const Host& own, const std::shared_ptr<const Entrance>& entrance, const EnteredNamespace& entered) {
  Host host;
  host.network_namespace = NamespaceId{entered.inode};
  host.procfs = own.procfs / std::to_string(entered.process);
  host.find_feature = own.find_feature;
  host.open_channel = [entrance, entered](int protocol) -> Result<netlink::Channel> {
    if (protocol == NETLINK_SOCK_DIAG) {
      return netlink::Channel(std::make_unique<SocketsTransport>(entrance->opener, entered));
    }
    if (protocol != NETLINK_NETFILTER && protocol != NETLINK_ROUTE) {
      return Fail(FailureReason::kUnsupported, "this is not asked for in other network namespaces");
    }
    auto opened =
        entrance->opener->Open(RequestFor(entered, protocol == NETLINK_ROUTE ? Opened::kRouting : Opened::kNetfilter));
    return opened ? entrance->adopt(protocol, std::move(*opened)) : Failure(opened.error());
  };
  return host;
}

bool HasGone(const Error& error) {
  return error.errno_code == ENOENT || error.errno_code == ESRCH || error.errno_code == ESTALE;
}

std::optional<bool> ReadTcpLoose(Opener& opener, const EnteredNamespace& entered) {
  const auto file = opener.Open(RequestFor(entered, Opened::kTcpLoose));
  char value = 0;
  if (!file || ::read(file->Get(), &value, 1) != 1) {
    return std::nullopt;
  }
  return value != '0';
}

}  // namespace finwait::kernel::namespaces
