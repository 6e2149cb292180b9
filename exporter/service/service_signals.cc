#include "exporter/service/service_signals.h"

#include <pthread.h>

namespace finwait::service {

ServiceSignals::ServiceSignals() {
  // All that would end it and tell it nothing. SIGXFSZ: a store that may not grow is a failed write, which is said.
  // SIGPIPE: nor does it end because nobody reads its log any more.
  for (const int ignored :
       {SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGPOLL, SIGPWR, SIGSTKFLT, SIGXFSZ}) {
    std::signal(ignored, SIG_IGN);
  }
  for (int ignored = SIGRTMIN; ignored <= SIGRTMAX; ++ignored) {
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
