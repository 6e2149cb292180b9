#include "exporter/privilege/call_filter.h"

#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "collectors/base/text.h"
#include "exporter/privilege/allowed_calls.h"
#include "exporter/privilege/refused_calls.h"

namespace finwait::privilege {
namespace {

using Filter = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, decltype(&seccomp_release)>;

scmp_arg_cmp Compare(const Demand& demand) {
  return demand.comparison == Demand::Comparison::kAtLeast
             ? scmp_arg_cmp{demand.argument, SCMP_CMP_GE, demand.value, 0}
             : scmp_arg_cmp{demand.argument, SCMP_CMP_MASKED_EQ, demand.mask, demand.value};
}

// 0, or a negative errno, as libseccomp has it.
int Add(const Filter& filter, std::uint32_t action, const char* name, const std::vector<scmp_arg_cmp>& demands) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) {
    return 0;  // newer than the library, which then refuses it: its callers have done without it before
  }
  return seccomp_rule_add_array(filter.get(), action, number, static_cast<unsigned>(demands.size()), demands.data());
}

int AddAll(const Filter& filter, std::uint32_t action, std::span<const AllowedCall> calls) {
  for (const AllowedCall& call : calls) {
    std::vector<scmp_arg_cmp> demands;
    for (std::size_t i = 0; i < call.demand_count; ++i) {
      demands.push_back(Compare(call.demands[i]));
    }
    if (const int error = Add(filter, action, call.name, demands); error != 0) {
      return error;
    }
  }
  return 0;
}

int AddAllowed(const Filter& filter, const Work& work) {
  if (const int error = AddAll(filter, SCMP_ACT_ALLOW, AllowedCalls(work)); error != 0) {
    return error;
  }
  // abort signals its own thread.
  const scmp_arg_cmp own_process = {0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid()), 0};
  if (const int error = Add(filter, SCMP_ACT_ALLOW, "tgkill", {own_process}); error != 0) {
    return error;
  }
  return AddAll(filter, SCMP_ACT_ERRNO(ENOSYS), ExpectedCalls(work));
}

int Configure(const Filter& filter, const Work& work) {
  for (const auto& [attribute, value] : {std::pair<scmp_filter_attr, std::uint32_t>{SCMP_FLTATR_CTL_NNP, 1},
                                         {SCMP_FLTATR_CTL_TSYNC, 1},
                                         {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS},
                                         {SCMP_FLTATR_CTL_OPTIMIZE, 2}}) {  // a tree: not one comparison a rule
    if (const int error = seccomp_attr_set(filter.get(), attribute, value); error != 0) {
      return error;
    }
  }
  return AddAllowed(filter, work);
}

}  // namespace

Result<void> InstallCallFilter(const Work& work) {
  const std::uint32_t refuse = CountRefusedCalls() ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(ENOSYS);
  const Filter filter(seccomp_init(refuse), seccomp_release);
  if (!filter) {
    return FailErrno("make a filter of system calls", ENOMEM);
  }
  int error = Configure(filter, work);
  if (error == 0) {
    error = seccomp_load(filter.get());
  }
  if (error != 0) {
    return FailErrno("filter this process's system calls", -error);
  }
  return {};
}

std::string CallName(int number) {
  const std::unique_ptr<char, decltype(&std::free)> name(
      seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number), std::free);
  return name ? name.get() : "system call " + std::to_string(number);
}

std::string DescribeRefusedCalls() {
  std::string text;
  for (const RefusedCall& call : RefusedCalls()) {
    text += (text.empty() ? "" : ", ") + CallName(call.number) + " " + Counted(call.times, "time", "times");
  }
  return text;
}

}  // namespace finwait::privilege
