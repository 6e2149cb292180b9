#pragma once

#include <exception>

namespace finwait::service {

/// Says on standard error, in one sentence, that the program cannot go on for `error` and what it takes. Needs no
/// memory.
void DescribeEnd(const std::exception& error) noexcept;

/// From now on, where memory or threads are short and nobody handles it (the entry of a thread, a destructor), the
/// process ends with the exit code 2 and the sentence of DescribeEnd. What else meets no handler is a mistake of this
/// program's and aborts as ever. For the service alone: `check` has its own meaning of 2.
void EndWhereResourcesLack();

}  // namespace finwait::service
