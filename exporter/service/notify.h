#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"

namespace finwait::service {

/// Tells the service manager how we are, as sd_notify(3) does: one datagram a message to the Unix socket that the
/// environment names. Without a service manager everything here does nothing and succeeds.
class ServiceNotify {
 public:
  /// Looks up an environment variable; nothing where it is not set.
  using Environment = std::function<std::optional<std::string>(const char* name)>;

  /// Reads NOTIFY_SOCKET, a path or "@" and an abstract name, and connects to it; and WATCHDOG_USEC unless WATCHDOG_PID
  /// names another process. A watchdog period that is no positive number of microseconds, or longer than a year, counts
  /// as none. The socket is made here, before the sandbox, and has a name of its own: one that exists and is bound
  /// cannot be used to make a file.
  explicit ServiceNotify(const Environment& environment);
  /// From this process's environment.
  static ServiceNotify FromEnvironment();

  Result<void> Ready() const { return Send("READY=1"); }
  Result<void> Stopping() const { return Send("STOPPING=1"); }
  /// Due within each WatchdogPeriod.
  Result<void> Alive() const { return Send("WATCHDOG=1"); }

  /// The service manager ends a service that was not Alive for so long; nothing where it does not watch.
  std::optional<std::chrono::microseconds> WatchdogPeriod() const { return watchdog_period_; }

 private:
  Result<void> Send(const std::string& message) const;

  /// Connected to the service manager; none where nobody wants to know, an error where that cannot be.
  Result<UniqueFd> socket_;
  std::optional<std::chrono::microseconds> watchdog_period_;
};

}  // namespace finwait::service
