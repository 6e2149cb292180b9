#pragma once

#include "exporter/channel/connection.h"
#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// The process of the service that reads the kernel, and holds CAP_NET_ADMIN for it. It hears nobody but the server,
/// and ends with it.
struct Reader {
  channel::Connection connection;  ///< the server's end of the channel
  pid_t process = -1;
};

/// Starts it, as a child of this process. To be called before the first thread, before anything is open that is not the
/// reader's business, and before privileges are given up.
Result<Reader> StartReader(const command_line::Options& options);

}  // namespace finwait::exporter
