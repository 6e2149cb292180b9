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

/// How it ends where rules have come that a process already confined may not read (the first iptables-legacy table of
/// an IP version), and somebody starts the program again: a new one reads them.
inline constexpr int kEndedToBeStartedAgain = 3;

/// Starts it, as a child of this process. To be called before the first thread, before anything is open that is not the
/// reader's business, and before privileges are given up.
Result<Reader> StartReader(const command_line::Options& options);

}  // namespace finwait::exporter
