#include "exporter/service/collector_log.h"

namespace finwait::service {

void CollectorLog::Report(const scheduling::Snapshot& snapshot) {
  for (const scheduling::CollectorStatus& status : snapshot.collectors) {
    if (!status.collected) {
      continue;
    }
    const std::string name(status.info->name);
    std::string messages;
    for (const Error& error : status.errors) {
      messages += (messages.empty() ? "" : "; ") + error.message;
    }
    const auto known = failing_.find(name);
    if (messages.empty()) {
      if (known != failing_.end()) {
        logger_.Info("collector works again", {{"collector", name}});
        failing_.erase(known);
      }
    } else if (known == failing_.end() || known->second != messages) {
      logger_.Warn(status.data ? "collector cannot read everything" : "collector is unavailable",
                   {{"collector", name}, {"reason", Name(status.errors.front().reason)}, {"error", messages}});
      failing_[name] = messages;
    }
  }
}

}  // namespace finwait::service
