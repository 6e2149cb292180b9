#include "exporter/service/scheduler_slice.h"

// Not with <sched.h>, nor a header that includes it: Debian 12's kernel and glibc both define sched_param.
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace finwait::service {

void SetSchedulerSlice() {
  constexpr __u64 kShortestNanoseconds = 100'000;  // less than this the kernel takes for this
  // By number: glibc has these calls only since 2.41.
  sched_attr attributes = {};
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0U) != 0 ||
      attributes.sched_policy != SCHED_NORMAL) {
    return;
  }
  attributes.sched_runtime = kShortestNanoseconds;
  (void)::syscall(SYS_sched_setattr, 0, &attributes, 0U);
}

}  // namespace finwait::service
