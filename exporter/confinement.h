#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "collectors/base/unique_fd.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/kernel/host.h"
#include "exporter/command_line/options.h"
#include "exporter/privilege/capabilities.h"
#include "exporter/privilege/file_domain.h"
#include "exporter/process/process_report.h"

namespace finwait::exporter {

/// The sandbox of a process that reads the kernel: the service's reader, or a command that collects once. It lives as
/// long as the process.
struct Confinement {
  std::string capabilities;  ///< those that are left, as privilege::EffectiveCapabilities writes them
  std::optional<std::string>
      unsealed;  ///< why the kernel does not keep the list of its requests; nothing where it does
  std::optional<std::string> unfiltered;  ///< why its system calls are not filtered; nothing where they are
  /// IP versions that had no iptables-legacy table, so that the filter lets none be read: asking would make one.
  std::vector<firewall::TableFamily> unreadable_tables;
  process::Layers layers = {};
  std::optional<privilege::FileDomain> files;
  /// A channel with sealed headers by a socket that another process has opened; null where headers are not sealed.
  std::function<Result<kernel::netlink::Channel>(int protocol, UniqueFd socket)> adopt;
};

/// What reading the kernel takes: procfs, what tells whether asking would load a module (kernel/features.h), and whose
/// a socket is (kernel/namespaces/owner_names.h).
std::vector<std::filesystem::path> ReadableFiles(const command_line::Options& options);

/// Gives up, for good, what reading takes no more: capabilities but those `kept`, requests that do more than read,
/// files beside the kernel's, system calls. `host` sends by sealed headers from then on. `channel`: the socket to the
/// server, where there is one; `opener`: to the opener. An error where capabilities cannot be given up. To be called
/// before the first thread.
Result<Confinement> Confine(const command_line::Options& options, privilege::KeptCapabilities kept,
                            std::optional<int> channel, std::optional<int> opener, kernel::Host& host);

}  // namespace finwait::exporter
