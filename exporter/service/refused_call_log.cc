#include "exporter/service/refused_call_log.h"

#include "exporter/privilege/call_filter.h"
#include "exporter/privilege/refused_calls.h"

namespace finwait::service {

void RefusedCallLog::Report() {
  for (const privilege::RefusedCall& call : privilege::RefusedCalls()) {
    if (known_.insert(call.number).second) {
      logger_.Error(
          "refused a system call that this program does not need: a bug, a library that is new to it, or an "
          "intruder",
          {{"call", privilege::CallName(call.number)}, {"times", call.times}});
    }
  }
}

}  // namespace finwait::service
