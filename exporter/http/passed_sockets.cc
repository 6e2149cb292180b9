#include "exporter/http/passed_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "collectors/base/text.h"

namespace finwait::http {

namespace {

constexpr int kFirst = 3;         // SD_LISTEN_FDS_START
constexpr unsigned kMost = 1024;  // no service has as many

std::optional<unsigned> ParseCount(const std::optional<std::string>& text) {
  return text ? ParseNumber<unsigned>(*text) : std::nullopt;
}

bool Has(int fd, int option, int value) {
  int is = 0;
  socklen_t length = sizeof is;
  return getsockopt(fd, SOL_SOCKET, option, &is, &length) == 0 && is == value;
}

bool IsListeningTcp(int fd) {
  return (Has(fd, SO_DOMAIN, AF_INET) || Has(fd, SO_DOMAIN, AF_INET6)) && Has(fd, SO_TYPE, SOCK_STREAM) &&
         Has(fd, SO_ACCEPTCONN, 1);
}

}  // namespace

unsigned PassedDescriptors(const EnvironmentLookup& environment) {
  const auto count = ParseCount(environment("LISTEN_FDS"));
  if (!count || *count > kMost || ParseCount(environment("LISTEN_PID")) != static_cast<unsigned>(getpid())) {
    return 0;
  }
  return *count;
}

Result<std::vector<ListeningSocket>> TakePassedSockets(const EnvironmentLookup& environment) {
  const unsigned count = PassedDescriptors(environment);
  if (count == 0) {
    return Fail(FailureReason::kError,
                "--web.systemd-socket was given, but no socket was passed (LISTEN_FDS, LISTEN_PID): start this by a "
                "systemd socket unit, or leave the flag out");
  }
  std::vector<ListeningSocket> sockets;
  for (int fd = kFirst; fd < kFirst + static_cast<int>(count); ++fd) {
    UniqueFd owner(fd);
    if (!IsListeningTcp(fd)) {
      return Fail(FailureReason::kError,
                  "descriptor " + std::to_string(fd) +
                      ", which was passed for --web.systemd-socket, is no TCP socket "
                      "that listens: use ListenStream= with a port in the socket unit, and Accept=no");
    }
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
      return FailErrno("prepare a socket that was passed", errno);
    }
    sockets.push_back(MakeListeningSocket(std::move(owner)));
  }
  return sockets;
}

}  // namespace finwait::http
