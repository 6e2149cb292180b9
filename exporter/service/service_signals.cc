#include "exporter/service/service_signals.h"

#include <pthread.h>

namespace finwait::service {

ServiceSignals::ServiceSignals() {
  for (const int ignored : {SIGUSR1, SIGUSR2, SIGALRM}) {
    std::signal(ignored, SIG_IGN);
  }
  sigemptyset(&set_);
  for (const int taken : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) {
    sigaddset(&set_, taken);
  }
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
}

std::optional<int> ServiceSignals::WaitFor(std::chrono::microseconds time) const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  const timespec timeout = {seconds.count(), std::chrono::nanoseconds(time - seconds).count()};
  const int signal = sigtimedwait(&set_, nullptr, &timeout);
  return signal > 0 ? std::optional(signal) : std::nullopt;
}

}  // namespace finwait::service
