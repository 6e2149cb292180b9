#pragma once

#include <chrono>
#include <csignal>
#include <optional>

namespace finwait::service {

/// Blocks what would end a program that does not know it yet (SIGHUP, SIGUSR1, SIGALRM, real-time signals): a service
/// is told to read its configuration again as soon as somebody knows its process. To be called before anything else.
/// ServiceSignals takes or ignores them; who is no service is to let them through.
void HoldSignals();
void LetSignalsThrough();

/// The signals that mean something to the service: SIGTERM and SIGINT end it, SIGHUP has it read its web configuration
/// again, SIGCHLD tells that a process of it has ended. Others that end a program which does not know them (SIGUSR1,
/// SIGALRM, real-time signals) are ignored. They are blocked from here on, so to be made before the first thread, and
/// only WaitFor takes them.
class ServiceSignals {
 public:
  ServiceSignals();

  /// SIGTERM, SIGINT, SIGHUP or SIGCHLD; nothing when none came in that time.
  std::optional<int> WaitFor(std::chrono::microseconds time) const;

 private:
  sigset_t set_ = {};
};

}  // namespace finwait::service
