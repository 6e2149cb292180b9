#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <vector>

#include "collectors/sources/registry.h"
#include "exporter/channel/reader_client.h"
#include "exporter/command_line/options.h"
#include "exporter/http/allowed_hosts.h"
#include "exporter/http/listening_socket.h"
#include "exporter/pairs/key.h"
#include "exporter/privilege/file_domain.h"
#include "exporter/process/process_report.h"
#include "exporter/service/incident_journal.h"
#include "exporter/service/log.h"
#include "exporter/service/notify.h"
#include "exporter/web_config/protection.h"

namespace finwait::exporter {

/// The service's first process once it is confined, with its reader and what it opened before. It has no thread yet.
struct ConfinedServer {
  pid_t reader = -1;
  std::unique_ptr<channel::ReaderClient> client;  ///< never null
  sources::CollectorSettings settings;
  service::OpenedStore store;
  std::optional<pairs::Key> pairs_key;  ///< of --pairs.key-file; nothing without one
  std::vector<http::ListeningSocket> listeners;
  std::optional<http::AllowedHosts> allowed_hosts;  ///< nothing where any name will do
  web_config::Protection protection;
  service::ServiceNotify notify;
  Result<privilege::FileDomain> files;  ///< lives as long as the process
  process::Layers layers;
};

/// Starts the reader, opens what the service needs, and gives up the rights to do so. What of the sandbox this kernel
/// does not have is logged.
Result<ConfinedServer> StartConfined(const command_line::Options& options, const service::Logger& logger);

}  // namespace finwait::exporter
