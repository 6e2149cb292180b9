#pragma once

#include <string>

#include "collectors/base/result.h"

namespace finwait::privilege {

/// Has the kernel refuse, from now on and for every thread of this process, each system call that AllowedCalls does not
/// list, nor, with `writes_store`, StoreCalls, nor, with `asks_hosts`, ClientCalls. A refused call fails with ENOSYS and is counted (refused_calls.h); one
/// made by the numbers of another processor mode ends the process. Sets no_new_privs. An error where this kernel, or
/// what confines this process already, does not let a program filter its calls.
Result<void> InstallCallFilter(bool writes_store = false, bool asks_hosts = false);

/// The name of a system call by its native number, or "system call NUMBER".
std::string CallName(int number);

/// The calls refused so far, as an operator reads them: "execve 1 time, ptrace 3 times"; empty when there is none.
std::string DescribeRefusedCalls();

}  // namespace finwait::privilege
