#include "exporter/service/incident_journal.h"

#include <utility>

namespace finwait::service {
namespace {

incidents::Time Now() { return std::chrono::time_point_cast<std::chrono::milliseconds>(scheduling::WallClock::now()); }

}  // namespace

Result<OpenedStore> OpenStore(const std::filesystem::path& path) {
  OpenedStore opened;
  if (path.empty()) {
    return opened;
  }
  auto store = incidents::Store::Open(incidents::Store::FileOf(path));
  if (!store) {
    return Failure(store.error());
  }
  auto history = (*store)->Load();
  if (!history) {
    return Failure(history.error());
  }
  if (const auto begun = (*store)->BeginRun(Now()); !begun) {
    return Failure(begun.error());
  }
  opened.store = std::move(*store);
  opened.history = std::move(*history);
  return opened;
}

std::unique_ptr<incidents::Journal> StartJournal(OpenedStore opened, const Logger& logger) {
  if (opened.store == nullptr) {
    return std::make_unique<incidents::Journal>(Now());
  }
  return std::make_unique<incidents::Journal>(
      std::move(opened.store), std::move(opened.history), Now(), [&logger](const Result<void>& written) {
        if (written) {
          logger.Info("the store is written again", {});
        } else {
          logger.Error("the store cannot be written; what happens is kept in memory until it can",
                       {{"error", written.error().message}});
        }
      });
}

}  // namespace finwait::service
