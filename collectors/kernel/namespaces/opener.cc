#include "collectors/kernel/namespaces/opener.h"

#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

namespace finwait::kernel::namespaces {
namespace {

constexpr int kLongestWaitMilliseconds = 1000;

// A message with room for one descriptor.
struct Envelope {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  iovec part = {};
  msghdr header = {};

  Envelope(void* data, std::size_t size) : part{data, size} {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
  }
};

// A descriptor, or why there is none (errno).
struct Attempt {
  UniqueFd fd;
  int error = 0;
};

Attempt Tried(int fd) { return {UniqueFd(fd), fd < 0 ? errno : 0}; }

Attempt OpenNetlink(int protocol) {
  Attempt opened = Tried(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  if (opened.fd && ::bind(opened.fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return {UniqueFd(), errno};
  }
  return opened;
}

Attempt AskForSockets(const OpenRequest& request) {
  Attempt opened = OpenNetlink(NETLINK_SOCK_DIAG);
  if (!opened.fd) {
    return opened;
  }
  struct {
    nlmsghdr header;
    inet_diag_req_v2 question;
  } message = {};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.header.nlmsg_seq = request.sequence;
  message.question.sdiag_family = request.family;
  message.question.sdiag_protocol = IPPROTO_TCP;
  message.question.idiag_ext = request.extensions;
  message.question.idiag_states = request.states;
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(opened.fd.Get(), &message, sizeof message, 0, reinterpret_cast<const sockaddr*>(&kernel),
               sizeof kernel) < 0) {
    return {UniqueFd(), errno};
  }
  return opened;
}

// In the namespace that the process is in.
Attempt OpenHere(const OpenRequest& request, int procfs) {
  switch (request.what) {
    case Opened::kSockets:
      return AskForSockets(request);
    case Opened::kNetfilter:
      return OpenNetlink(NETLINK_NETFILTER);
    case Opened::kRouting:
      return OpenNetlink(NETLINK_ROUTE);
    case Opened::kTcpLoose:
      return Tried(::openat(procfs, "sys/net/netfilter/nf_conntrack_tcp_loose", O_RDONLY | O_CLOEXEC));
  }
  return {UniqueFd(), EBADMSG};
}

bool IsRequest(const OpenRequest& request) {
  return request.process != 0 && static_cast<std::uint8_t>(request.what) <= kMostOpened && request.zero == 0 &&
         request.zero_too == 0 &&
         (request.what != Opened::kSockets || request.family == AF_INET || request.family == AF_INET6);
}

// Enters the namespace, which the inode names for certain: a PID may be another process's by now.
Attempt OpenInside(const OpenRequest& request, int procfs, int own) {
  std::array<char, 32> name = {};
  std::snprintf(name.data(), name.size(), "%u/ns/net", request.process);
  const Attempt there = Tried(::openat(procfs, name.data(), O_RDONLY | O_CLOEXEC));
  if (!there.fd) {
    return {UniqueFd(), there.error};
  }
  if (::setns(there.fd.Get(), CLONE_NEWNET) != 0) {
    return {UniqueFd(), errno};
  }
  struct stat list = {};
  Attempt opened = {UniqueFd(), ESTALE};
  if (::fstatat(procfs, "thread-self/net/tcp", &list, 0) == 0 && list.st_ino == request.inode) {
    opened = OpenHere(request, procfs);
  }
  if (::setns(own, CLONE_NEWNET) != 0) {
    ::_exit(1);  // it would hold the other namespace, and open the wrong one the next time
  }
  return opened;
}

void Answer(int channel, OpenAnswer answer, int descriptor) {
  Envelope envelope(&answer, sizeof answer);
  if (descriptor >= 0) {
    envelope.header.msg_control = envelope.control.data();
    envelope.header.msg_controllen = envelope.control.size();
    cmsghdr* const control = CMSG_FIRSTHDR(&envelope.header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
  }
  while (::sendmsg(channel, &envelope.header, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

constexpr const char* kEnded = "the process that enters network namespaces has ended";

Error ErrorOf(const char* why_gone) {
  return {FailureReason::kError, 0,
          std::string(why_gone) +
              ": other network namespaces are observed through procfs until the service is started again"};
}

}  // namespace

Result<std::pair<UniqueFd, UniqueFd>> MakeOpenerChannel() {
  std::array<int, 2> ends = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FailErrno("make a pair of sockets to the opener", errno);
  }
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

void RunOpener(int channel, int procfs) {
  const UniqueFd own(::openat(procfs, "thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!own) {
    return;
  }
  for (;;) {
    std::array<char, sizeof(OpenRequest) + 1> bytes;
    const ssize_t got = ::recv(channel, bytes.data(), bytes.size(), 0);
    if (got == 0 || (got < 0 && errno != EINTR)) {
      return;
    }
    if (got < 0) {
      continue;
    }
    OpenRequest request;
    if (got == sizeof request) {
      std::memcpy(&request, bytes.data(), sizeof request);
    }
    if (got != sizeof request || !IsRequest(request)) {
      Answer(channel, {got == sizeof request ? request.number : 0, EBADMSG}, -1);
      continue;
    }
    const Attempt opened = OpenInside(request, procfs, own.Get());
    Answer(channel, {request.number, opened.error}, opened.fd.Get());
  }
}

Failure Opener::Gone(const char* why) {
  gone_ = ErrorOf(why);
  return Failure(*gone_);
}

std::optional<Error> Opener::WhyGone() const {
  const std::lock_guard lock(mutex_);
  pollfd end = {channel_.Get(), 0, 0};
  if (!gone_ && ::poll(&end, 1, 0) > 0 && (end.revents & (POLLHUP | POLLERR)) != 0) {
    return ErrorOf(kEnded);
  }
  return gone_;
}

Result<UniqueFd> Opener::Receive(std::uint32_t number) {
  const Deadline deadline = Deadline::After(std::chrono::milliseconds(kLongestWaitMilliseconds));
  for (;;) {
    pollfd waiting = {channel_.Get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(deadline.Remaining().count()) + 1);
    if (ready == 0 || (ready < 0 && errno == EINTR && deadline.Passed())) {
      return Fail(FailureReason::kTimeout, "the process that enters network namespaces does not answer");
    }
    if (ready < 0) {
      continue;
    }
    OpenAnswer answer;
    Envelope envelope(&answer, sizeof answer);
    envelope.header.msg_control = envelope.control.data();
    envelope.header.msg_controllen = envelope.control.size();
    const ssize_t got = ::recvmsg(channel_.Get(), &envelope.header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
      continue;
    }
    UniqueFd descriptor;
    for (cmsghdr* control = got > 0 ? CMSG_FIRSTHDR(&envelope.header) : nullptr; control != nullptr;
         control = CMSG_NXTHDR(&envelope.header, control)) {
      if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS) {
        int passed = -1;
        std::memcpy(&passed, CMSG_DATA(control), sizeof passed);
        descriptor = UniqueFd(passed);
      }
    }
    if (got <= 0) {
      return Gone(kEnded);
    }
    if (got != sizeof answer || (envelope.header.msg_flags & MSG_TRUNC) != 0) {
      return Gone("the process that enters network namespaces has answered what is no answer");
    }
    if (answer.number != number) {
      continue;  // to a request that nobody waits for any more
    }
    if (answer.error != 0) {
      return FailErrno("open something in another network namespace", answer.error);
    }
    if (!descriptor) {
      return FailErrno("take a descriptor from the process that enters network namespaces", EMFILE);
    }
    return descriptor;
  }
}

Result<UniqueFd> Opener::Open(OpenRequest request) {
  const std::lock_guard lock(mutex_);
  if (gone_) {
    return Failure(*gone_);
  }
  request.number = ++numbers_;
  for (;;) {
    const ssize_t sent = ::send(channel_.Get(), &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == sizeof request) {
      return Receive(request.number);
    }
    if (sent < 0 && errno == EINTR) {
      continue;
    }
    if (sent < 0 && errno == EAGAIN) {
      return Fail(FailureReason::kTimeout, "the process that enters network namespaces does not answer");
    }
    return Gone(kEnded);
  }
}

}  // namespace finwait::kernel::namespaces
