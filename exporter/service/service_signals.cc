#include "exporter/service/service_signals.h"

#include <pthread.h>

namespace finwait::service {
namespace {

// All that would end it and tell it nothing.
template <typename Function>
void ForEachMeaningless(Function function) {
  for (const int signal : {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGPOLL, SIGPWR, SIGSTKFLT}) {
    function(signal);
  }
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) {
    function(signal);
  }
}

sigset_t Meaningless() {
  sigset_t set;
  sigemptyset(&set);
  ForEachMeaningless([&set](int signal) { sigaddset(&set, signal); });
  return set;
}

sigset_t Held() {
  sigset_t set = Meaningless();
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

void HoldSignals() {
  const sigset_t held = Held();
  sigprocmask(SIG_BLOCK, &held, nullptr);
}

void LetSignalsThrough() {
  const sigset_t held = Held();
  sigprocmask(SIG_UNBLOCK, &held, nullptr);
}

ServiceSignals::ServiceSignals() {
  // SIGXFSZ: a store that may not grow is a failed write, which is said. SIGPIPE: nor does it end because nobody reads
  // its log any more.
  for (const int ignored : {SIGPIPE, SIGXFSZ}) {
    std::signal(ignored, SIG_IGN);
  }
  ForEachMeaningless([](int ignored) { std::signal(ignored, SIG_IGN); });
  const sigset_t meaningless = Meaningless();
  sigprocmask(SIG_UNBLOCK, &meaningless, nullptr);  // those that were held are forgotten
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
