#include "exporter/service/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "collectors/base/text.h"
#include "collectors/base/unique_fd.h"

namespace finwait::service {
namespace {

constexpr std::chrono::microseconds kLongestPeriod = std::chrono::hours(24 * 365);

std::optional<std::chrono::microseconds> ReadWatchdogPeriod(const ServiceNotify::Environment& environment) {
  const auto watched = environment("WATCHDOG_PID");
  const auto period = environment("WATCHDOG_USEC");
  if (!period || (watched && ParseNumber<std::int64_t>(*watched) != ::getpid())) {
    return std::nullopt;
  }
  const auto microseconds = ParseNumber<std::int64_t>(*period);
  if (!microseconds || *microseconds <= 0 || *microseconds > kLongestPeriod.count()) {
    return std::nullopt;
  }
  return std::chrono::microseconds(*microseconds);
}

}  // namespace

ServiceNotify::ServiceNotify(const Environment& environment)
    : socket_(environment("NOTIFY_SOCKET").value_or("")), watchdog_period_(ReadWatchdogPeriod(environment)) {}

ServiceNotify ServiceNotify::FromEnvironment() {
  return ServiceNotify([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
}

Result<void> ServiceNotify::Send(const std::string& message) const {
  if (socket_.empty()) {
    return {};
  }
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if ((socket_[0] != '/' && socket_[0] != '@') || socket_.size() >= sizeof(address.sun_path)) {
    return Fail(FailureReason::kError, "NOTIFY_SOCKET names no socket: \"" + socket_ + "\"");
  }
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') {
    address.sun_path[0] = '\0';  // an abstract name begins with a zero byte and ends with the address's length
  }
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());

  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) {
    return FailErrno("open a socket to the service manager", errno);
  }
  ssize_t sent = -1;
  do {  // never blocks: a service manager that does not listen must not stop us
    sent = ::sendto(fd.Get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                    reinterpret_cast<const sockaddr*>(&address), length);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    return FailErrno("tell the service manager " + message, errno);
  }
  return {};
}

}  // namespace finwait::service
