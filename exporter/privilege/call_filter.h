#pragma once

#include <string>

#include "collectors/base/result.h"
#include "exporter/privilege/allowed_calls.h"

namespace finwait::privilege {

/// Has the kernel refuse, from now on and for every thread of this process, each system call that AllowedCalls does not
/// list for its work. A refused call fails with ENOSYS and is counted (refused_calls.h), unless it is one of
/// ExpectedCalls; one made by the numbers of another processor mode ends the process. Sets no_new_privs. An error where
/// this kernel, or what confines this process already, does not let a program filter its calls.
Result<void> InstallCallFilter(const Work& work);

/// The name of a system call by its native number, or "system call NUMBER".
std::string CallName(int number);

/// The calls refused so far, as an operator reads them: "execve 1 time, ptrace 3 times"; empty when there is none.
std::string DescribeRefusedCalls();

}  // namespace finwait::privilege
