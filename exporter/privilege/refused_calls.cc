#include "exporter/privilege/refused_calls.h"

#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>

namespace finwait::privilege {
namespace {

// Larger than any call's number today (some 470); those beyond share the last place.
constexpr std::size_t kNumbers = 1024;

// The one thing here that is global and changes: a signal handler can reach nothing else.
constinit std::array<std::atomic<std::uint64_t>, kNumbers> refused = {};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "a signal handler must not wait for a lock");

#if defined(__x86_64__)
#define FINWAIT_ANSWERS_CALLS 1
void AnswerCall(ucontext_t& context, int result) { context.uc_mcontext.gregs[REG_RAX] = result; }
#elif defined(__aarch64__)
#define FINWAIT_ANSWERS_CALLS 1
void AnswerCall(ucontext_t& context, int result) {
  context.uc_mcontext.regs[0] = static_cast<unsigned long long>(static_cast<long long>(result));
}
#endif

#ifdef FINWAIT_ANSWERS_CALLS
constexpr int kSeccomp = 1;  // SYS_SECCOMP of asm-generic/siginfo.h, which glibc's headers do not go together with

// Runs on the thread whose call was refused, in the place of the call. Makes no call itself.
void OnRefusal(int /*signal*/, siginfo_t* information, void* context) {
  if (information->si_code != kSeccomp) {
    return;  // somebody's kill -SYS: there is no call to answer
  }
  const auto number = static_cast<std::size_t>(std::max(information->si_syscall, 0));
  refused[std::min(number, kNumbers - 1)].fetch_add(1, std::memory_order_relaxed);
  AnswerCall(*static_cast<ucontext_t*>(context), -ENOSYS);
}
#endif

}  // namespace

bool CountRefusedCalls() {
#ifdef FINWAIT_ANSWERS_CALLS
  struct sigaction action = {};
  action.sa_sigaction = &OnRefusal;
  action.sa_flags = SA_SIGINFO;
  sigfillset(&action.sa_mask);
  return ::sigaction(SIGSYS, &action, nullptr) == 0;
#else
  return false;
#endif
}

std::uint64_t RefusedCallTotal() {
  std::uint64_t total = 0;
  for (const auto& times : refused) {
    total += times.load(std::memory_order_relaxed);
  }
  return total;
}

std::vector<RefusedCall> RefusedCalls() {
  std::vector<RefusedCall> calls;
  for (std::size_t number = 0; number < kNumbers; ++number) {
    if (const auto times = refused[number].load(std::memory_order_relaxed); times > 0) {
      calls.push_back({static_cast<int>(number), times});
    }
  }
  return calls;
}

}  // namespace finwait::privilege
