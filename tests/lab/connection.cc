#include "tests/lab/connection.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace finwait::lab {
namespace {

constexpr int kPatienceMs = 5000;

struct Address {
  sockaddr_storage storage = {};
  socklen_t length = 0;
};

Address Parse(const std::string& text, std::uint16_t port) {
  Address address;
  auto* four = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, text.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    address.length = sizeof *four;
  } else if (::inet_pton(AF_INET6, text.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    address.length = sizeof *six;
  } else {
    throw std::runtime_error("not an address: " + text);
  }
  return address;
}

void Check(bool ok, const std::string& what) {
  if (!ok) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
  }
}

std::string Text(const sockaddr_storage& storage) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&storage), sizeof storage, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
  const std::string name(host);
  return (name.find(':') == std::string::npos ? name : "[" + name + "]") + ":" + port;
}

}  // namespace

Listener::Listener(const Namespace& where, const std::string& address, std::uint16_t port, int protocol) {
  where.Run([&] {
    const Address parsed = Parse(address, port);
    fd_ = UniqueFd(::socket(parsed.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, protocol));
    const int on = 1;
    ::setsockopt(fd_.Get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    Check(::bind(fd_.Get(), reinterpret_cast<const sockaddr*>(&parsed.storage), parsed.length) == 0, "bind " + address);
    Check(::listen(fd_.Get(), 4096) == 0, "listen");
  });
}

UniqueFd Listener::Accept() const {
  pollfd poll = {fd_.Get(), POLLIN, 0};
  errno = ETIMEDOUT;
  Check(::poll(&poll, 1, kPatienceMs) == 1, "accept");
  UniqueFd fd(::accept4(fd_.Get(), nullptr, nullptr, SOCK_CLOEXEC));
  Check(bool(fd), "accept");
  return fd;
}

bool Listener::HasConnection() const {
  pollfd poll = {fd_.Get(), POLLIN, 0};
  return ::poll(&poll, 1, 0) == 1;
}

UniqueFd Connect(const Namespace& where, const std::string& address, std::uint16_t port,
                 const std::string& local_address, int protocol) {
  UniqueFd fd;
  where.Run([&] {
    const Address peer = Parse(address, port);
    // On a busy machine the kernel is late with the carrier of new devices (linkwatch), and nobody is there before
    // that.
    int error = EHOSTUNREACH;
    for (int tries = 0; tries < 4 && error == EHOSTUNREACH; ++tries) {
      fd = UniqueFd(::socket(peer.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, protocol));
      const timeval patience = {kPatienceMs / 1000, 0};
      ::setsockopt(fd.Get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
      if (!local_address.empty()) {
        const Address local = Parse(local_address, 0);
        Check(::bind(fd.Get(), reinterpret_cast<const sockaddr*>(&local.storage), local.length) == 0,
              "bind " + local_address);
      }
      error = ::connect(fd.Get(), reinterpret_cast<const sockaddr*>(&peer.storage), peer.length) == 0 ? 0 : errno;
    }
    errno = error;
    Check(error == 0, "connect to " + address);
  });
  return fd;
}

std::vector<UniqueFd> ConnectMany(std::size_t count, const Namespace& where, const std::string& address,
                                  std::uint16_t port, const Listener& listener) {
  std::vector<UniqueFd> ends;
  for (std::size_t i = 0; i < count; ++i) {
    ends.push_back(Connect(where, address, port));
    ends.push_back(listener.Accept());
  }
  return ends;
}

std::string LocalEndpoint(const UniqueFd& socket) {
  sockaddr_storage storage = {};
  socklen_t length = sizeof storage;
  Check(::getsockname(socket.Get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0, "getsockname");
  return Text(storage);
}

std::string PeerEndpoint(const UniqueFd& socket) {
  sockaddr_storage storage = {};
  socklen_t length = sizeof storage;
  Check(::getpeername(socket.Get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0, "getpeername");
  return Text(storage);
}

bool Eventually(const std::function<bool()>& condition, double seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    if (condition()) {
      return true;
    }
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace finwait::lab
