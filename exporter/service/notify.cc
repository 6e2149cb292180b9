#include "exporter/service/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "collectors/base/text.h"

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

// None where `name` is empty.
Result<UniqueFd> ConnectTo(const std::string& name) {
  if (name.empty()) {
    return UniqueFd();
  }
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if ((name[0] != '/' && name[0] != '@') || name.size() >= sizeof(address.sun_path)) {
    return Fail(FailureReason::kError, "NOTIFY_SOCKET names no socket: \"" + name + "\"");
  }
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') {
    address.sun_path[0] = '\0';  // an abstract name begins with a zero byte and ends with the address's length
  }
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) {
    return FailErrno("open a socket to the service manager", errno);
  }
  const sockaddr_un any = {.sun_family = AF_UNIX, .sun_path = {}};
  if (::bind(fd.Get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any.sun_family)) != 0 ||  // a name of its choice
      ::connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    return FailErrno("connect to the service manager", errno);
  }
  return fd;
}

}  // namespace

ServiceNotify::ServiceNotify(const Environment& environment)
    : socket_(ConnectTo(environment("NOTIFY_SOCKET").value_or(""))),
      watchdog_period_(ReadWatchdogPeriod(environment)) {}

ServiceNotify ServiceNotify::FromEnvironment() {
  return ServiceNotify([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
}

Result<void> ServiceNotify::Send(const std::string& message) const {
  if (!socket_) {
    return Failure(socket_.error());
  }
  if (!*socket_) {
    return {};
  }
  ssize_t sent = -1;
  do {  // never blocks: a service manager that does not listen must not stop us
    sent = ::send(socket_->Get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    return FailErrno("tell the service manager " + message, errno);
  }
  return {};
}

}  // namespace finwait::service
