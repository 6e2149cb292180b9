#include "tests/bench/load/socket_farm.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "collectors/base/unique_fd.h"

namespace finwait::bench {
namespace {

constexpr std::size_t kConnectionsAnAddress = 40000;  // of a client to one port: there are only so many local ports
constexpr std::uint16_t kPort = 8080;
constexpr std::uint16_t kFirstLocalPort = 20000;

void Check(bool ok, const std::string& what) {
  if (!ok) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
  }
}

// How many connections, two sockets each, one process may hold.
std::size_t ConnectionsAProcess() {
  rlimit limit = {};
  Check(::getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  Check(::setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
  constexpr rlim_t kReserve = 100;
  return std::min<rlim_t>((limit.rlim_max - kReserve) / 2, kConnectionsAnAddress);
}

void Shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) {  // NOLINT: the arguments are this file's own
    throw std::runtime_error("failed: " + command);
  }
}

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  int Family() const { return storage.ss_family; }
  const sockaddr* Get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address MakeAddress(const std::string& text, std::uint16_t port) {
  Address address;
  if (text.find(':') == std::string::npos) {
    auto* ipv4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(port);
    ::inet_pton(AF_INET, text.c_str(), &ipv4->sin_addr);
    address.size = sizeof *ipv4;
  } else {
    auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(port);
    ::inet_pton(AF_INET6, text.c_str(), &ipv6->sin6_addr);
    address.size = sizeof *ipv6;
  }
  return address;
}

UniqueFd Socket(const Address& address) {
  UniqueFd socket(::socket(address.Family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  Check(bool(socket), "open a socket");
  const int on = 1;
  ::setsockopt(socket.Get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return socket;
}

UniqueFd Listen(const Address& address) {
  UniqueFd socket = Socket(address);
  Check(::bind(socket.Get(), address.Get(), address.size) == 0, "bind");
  Check(::listen(socket.Get(), 16) == 0, "listen");
  return socket;
}

// Everything that one child does: its connections come from an address of its own.
void OpenAndHold(std::size_t child, std::size_t connections, int ready) {
  const std::string number = std::to_string(child);
  const std::string client4 = "192.0.2." + std::to_string(10 + child);
  const std::string client6 = "2001:db8::1:" + number;
  const std::string server4 = "192.0.2." + std::to_string(130 + child);
  const std::string server6 = "2001:db8::2:" + number;
  Shell("ip address add " + client4 + "/32 dev lo; ip address add " + server4 + "/32 dev lo; ip address add " +
        client6 + "/128 dev lo nodad; ip address add " + server6 + "/128 dev lo nodad");
  const Address peer4 = MakeAddress(server4, kPort);
  const Address peer6 = MakeAddress(server6, kPort);
  const UniqueFd listener4 = Listen(peer4);
  const UniqueFd listener6 = Listen(peer6);
  std::vector<UniqueFd> held;
  for (std::size_t i = 0; i < connections; ++i) {
    const bool ipv6 = i % 8 == 7;
    const Address& peer = ipv6 ? peer6 : peer4;
    const Address local = MakeAddress(ipv6 ? client6 : client4, static_cast<std::uint16_t>(kFirstLocalPort + i));
    UniqueFd client = Socket(local);
    Check(::bind(client.Get(), local.Get(), local.size) == 0, "bind a client");
    for (int tries = 0; ::connect(client.Get(), peer.Get(), peer.size) != 0; ++tries) {
      // The kernel adds the route to an IPv6 address in a work queue (addrconf_dad_work), after the address is there.
      Check(errno == ENETUNREACH && tries < 5000, "connect");
      ::usleep(1000);
    }
    UniqueFd server(::accept4(ipv6 ? listener6.Get() : listener4.Get(), nullptr, nullptr, SOCK_CLOEXEC));
    Check(bool(server), "accept");
    const std::size_t kind = i % 100;
    if (kind < 3) {
      Check(::shutdown(client.Get(), SHUT_WR) == 0, "shutdown");
    }
    if (kind < 2 || kind > 2) {  // of the third, both ends close
      held.push_back(std::move(client));
      held.push_back(std::move(server));
    }
  }
  Check(::write(ready, "", 1) == 1, "tell that the sockets are open");
  for (;;) {
    ::pause();
  }
}

}  // namespace

SocketFarm::SocketFarm(const lab::Namespace& where, std::size_t sockets) {
  const UniqueFd network(::open(where.Path().c_str(), O_RDONLY | O_CLOEXEC));
  Check(bool(network), "open " + where.Path());
  const std::size_t a_process = ConnectionsAProcess();
  std::size_t left = (sockets + 1) / 2;
  const pid_t parent = ::getpid();
  while (left > 0) {
    const std::size_t connections = std::min(left, a_process);
    left -= connections;
    int pipe[2];
    Check(::pipe2(pipe, O_CLOEXEC) == 0, "pipe");
    const UniqueFd read_end(pipe[0]);
    UniqueFd write_end(pipe[1]);
    const pid_t child = ::fork();
    Check(child >= 0, "fork");
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent || ::setns(network.Get(), CLONE_NEWNET) != 0) {
        ::_exit(1);
      }
      try {
        OpenAndHold(children_.size(), connections, write_end.Get());
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
      ::_exit(1);
    }
    children_.push_back(child);
    write_end.Reset();
    char byte = 0;
    if (::read(read_end.Get(), &byte, 1) != 1) {
      throw std::runtime_error("a child could not open its sockets");
    }
  }
}

SocketFarm::~SocketFarm() {
  for (const pid_t child : children_) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
}

}  // namespace finwait::bench
