#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "collectors/base/result.h"
#include "exporter/http/listening_socket.h"

namespace finwait::http {

/// Looks up an environment variable; nothing where it is not set.
using EnvironmentLookup = std::function<std::optional<std::string>(const char* name)>;

/// How many descriptors, from 3 on, a service manager has passed to this process: LISTEN_FDS where LISTEN_PID is this
/// process, as sd_listen_fds(3) has it; else 0.
unsigned PassedDescriptors(const EnvironmentLookup& environment);

/// Takes over those descriptors, each of which has to be a TCP socket that listens (--web.systemd-socket). An error
/// where there is none, and where one is something else. To be called once.
Result<std::vector<ListeningSocket>> TakePassedSockets(const EnvironmentLookup& environment);

}  // namespace finwait::http
