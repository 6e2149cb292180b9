#include "exporter/service/refused_call_log.h"

#include "exporter/privilege/call_filter.h"
#include "exporter/privilege/refused_calls.h"

namespace finwait::service {

void RefusedCallLog::Report(const std::vector<privilege::RefusedCall>& reader) {
  for (const bool is_reader : {false, true}) {
    for (const privilege::RefusedCall& call : is_reader ? reader : privilege::RefusedCalls()) {
      if (known_.emplace(is_reader, call.number).second) {
        logger_.Error(
            "refused a system call that this program does not need: a bug, a library that is new to it, or an "
            "intruder",
            {{"process", is_reader ? "reader" : "server"},
             {"call", privilege::CallName(call.number)},
             {"times", call.times}});
      }
    }
  }
}

}  // namespace finwait::service
