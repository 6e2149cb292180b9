#include "exporter/http/listening_socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace finwait::http {

namespace {

constexpr int kBacklog = 1024;
/// Of each connection, in the kernel (which doubles it). Keeps what a slow reader can pin in kernel memory small; what
/// does not fit waits here, where it is counted.
constexpr int kSendBufferBytes = 64 * 1024;

struct Endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;
  bool takes_both_families = false;
};

Endpoint AnyAddress(int family, std::uint16_t port) {
  Endpoint endpoint;
  if (family == AF_INET6) {
    auto* address = reinterpret_cast<sockaddr_in6*>(&endpoint.address);
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(port);
    endpoint.length = sizeof *address;
    endpoint.takes_both_families = true;
  } else {
    auto* address = reinterpret_cast<sockaddr_in*>(&endpoint.address);
    address->sin_family = AF_INET;
    address->sin_port = htons(port);
    endpoint.length = sizeof *address;
  }
  return endpoint;
}

Result<Endpoint> LookUp(const ListenAddress& address, const std::string& operation) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (error == EAI_SYSTEM) {
    return FailErrno(operation, errno);
  }
  if (error != 0) {
    return Fail(FailureReason::kError, operation + ": " + gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  const addrinfo* chosen = found;
  for (const addrinfo* candidate = found; candidate != nullptr; candidate = candidate->ai_next) {
    if (candidate->ai_family == AF_INET) {
      chosen = candidate;
      break;
    }
  }
  Endpoint endpoint;
  std::memcpy(&endpoint.address, chosen->ai_addr, chosen->ai_addrlen);
  endpoint.length = chosen->ai_addrlen;
  return endpoint;
}

bool SetOption(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/// A listening socket, or errno.
tl::expected<UniqueFd, int> Open(const Endpoint& endpoint) {
  UniqueFd fd(socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  const bool is_ready = fd && SetOption(fd.Get(), SOL_SOCKET, SO_REUSEADDR, 1) &&
                        SetOption(fd.Get(), SOL_SOCKET, SO_SNDBUF, kSendBufferBytes) &&
                        SetOption(fd.Get(), IPPROTO_TCP, TCP_NODELAY, 1) &&
                        (endpoint.address.ss_family != AF_INET6 ||
                         SetOption(fd.Get(), IPPROTO_IPV6, IPV6_V6ONLY, endpoint.takes_both_families ? 0 : 1)) &&
                        bind(fd.Get(), reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.length) == 0 &&
                        listen(fd.Get(), kBacklog) == 0;
  if (!is_ready) {
    return tl::unexpected(errno);
  }
  return fd;
}

}  // namespace

ListeningSocket MakeListeningSocket(UniqueFd fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  getsockname(fd.Get(), reinterpret_cast<sockaddr*>(&address), &length);
  const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
  const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address);
  const bool is_ipv6 = address.ss_family == AF_INET6;
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(address.ss_family, is_ipv6 ? static_cast<const void*>(&ipv6.sin6_addr) : &ipv4.sin_addr, text.data(),
            text.size());
  const std::uint16_t port = ntohs(is_ipv6 ? ipv6.sin6_port : ipv4.sin_port);
  return {std::move(fd), port, {text.data(), port}};
}

Result<ListeningSocket> Listen(const ListenAddress& address) {
  const std::string operation = "cannot listen on " + ToString(address);
  Endpoint endpoint = AnyAddress(AF_INET6, address.port);
  if (!address.host.empty()) {
    const Result<Endpoint> found = LookUp(address, operation);
    if (!found) {
      return Failure(found.error());
    }
    endpoint = *found;
  }
  auto fd = Open(endpoint);
  // Without IPv6 in the kernel there is no such family; with it disabled by sysctl there is no such address.
  if (!fd && address.host.empty() && (fd.error() == EAFNOSUPPORT || fd.error() == EADDRNOTAVAIL)) {
    fd = Open(AnyAddress(AF_INET, address.port));
  }
  if (!fd) {
    return FailErrno(operation, fd.error());
  }
  ListeningSocket socket = MakeListeningSocket(std::move(*fd));
  socket.address.host = address.host;
  return socket;
}

}  // namespace finwait::http
