#pragma once

#include <filesystem>
#include <memory>

#include "exporter/incidents/journal.h"
#include "exporter/service/log.h"

namespace finwait::service {

/// The store of --storage.path and what it held; both empty without one.
struct OpenedStore {
  std::unique_ptr<incidents::Store> store;
  incidents::StoredHistory history;
};

/// Opens the store that `path` names; nothing is opened where it is empty. To be called before the sandbox closes:
/// afterwards no file can be opened for writing.
Result<OpenedStore> OpenStore(const std::filesystem::path& path);

/// Starts the thread that writes; it is to be called once the sandbox is closed, as a thread keeps what it starts with.
/// Logs when writing begins to fail, and when it works again. `logger` must outlive the journal.
std::unique_ptr<incidents::Journal> StartJournal(OpenedStore opened, const Logger& logger);

}  // namespace finwait::service
