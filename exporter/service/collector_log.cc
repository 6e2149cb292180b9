#include "exporter/service/collector_log.h"

namespace finwait::service {

void CollectorLog::Report(const scheduling::Snapshot& snapshot, SteadyClock::time_point now) {
  for (const scheduling::CollectorStatus& status : snapshot.collectors) {
    if (!status.collected) {
      continue;
    }
    const std::string name(status.info->name);
    std::string messages;
    for (const Error& error : status.errors) {
      messages += (messages.empty() ? "" : "; ") + error.message;
    }
    const auto last = last_.find(name);
    if (last == last_.end() ? messages.empty() : last->second.messages == messages || now - last->second.at < kApart) {
      continue;
    }
    if (messages.empty()) {
      logger_.Info("collector works again", {{"collector", name}});
    } else {
      logger_.Warn(status.data ? "collector cannot read everything" : "collector is unavailable",
                   {{"collector", name}, {"reason", Name(status.errors.front().reason)}, {"error", messages}});
    }
    last_[name] = {messages, now};
  }
}

}  // namespace finwait::service
