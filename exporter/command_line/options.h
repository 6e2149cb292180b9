#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "collectors/base/ip.h"
#include "collectors/sources/namespace_settings.h"
#include "exporter/diagnosis/path_timeout.h"
#include "exporter/http/listen_address.h"
#include "exporter/pairs/target.h"
#include "exporter/service/log.h"

namespace finwait::command_line {

/// What the program was asked to do.
enum class Command { kServe, kCheck, kExplain, kPlan, kPairs, kVersion, kHelp };

/// How the commands print; `explain` and `plan` know the first two, `pairs` the first three.
enum class ReportFormat {
  kText,
  kJson,
  kPrometheus,  ///< metrics, for node_exporter's textfile directory
  kNagios,      ///< one line and its performance data, as the Monitoring Plugins guidelines have it
  kBug,         ///< what a report of a fault needs, without addresses and rules' text
};

/// One end of a TCP connection, as `explain` is given it.
struct ConnectionEnd {
  std::string address;  ///< IPv4 or IPv6, in the form inet_ntop writes
  std::uint16_t port = 0;
  bool operator==(const ConnectionEnd&) const = default;
};

/// A collector that --collector.<name> and --no-collector.<name> switch.
struct CollectorSwitch {
  std::string_view name;
  bool enabled_by_default = true;
};

/// The command line, every value checked. Defaults are those of docs and `--help`.
struct Options {
  Command command = Command::kServe;
  std::string text;  ///< kVersion and kHelp: what to print

  ReportFormat report_format = ReportFormat::kText;  ///< kCheck, kExplain and kPlan
  ConnectionEnd local;                               ///< kExplain
  ConnectionEnd peer;                                ///< kExplain; of the same family as `local`
  bool explain_all = false;  ///< kExplain: every connection, by classes, and not `local` and `peer`
  /// kExplain: what no socket shows of `local` and `peer`.
  std::optional<bool> opened_here;
  std::optional<std::uint32_t> mark;
  std::optional<std::uint32_t> user;
  std::optional<std::uint32_t> group;
  std::vector<pairs::Target> targets;    ///< kPairs: hosts to ask
  std::filesystem::path target_file;     ///< kPairs, --file_sd: more of them; empty: none
  std::filesystem::path pairs_key_file;  ///< kPairs, --key-file; of the service --pairs.key-file, empty: no pairs
  std::filesystem::path ca_file;         ///< kPairs, --ca-file; empty: the system's
  std::string netns;                     ///< kCheck and kExplain, --netns: the namespace to look at; empty: the own one
  std::optional<IpFamily> family;        ///< kExplain with explain_all; absent: both
  std::string against;                   ///< kPlan: "live", or the file of a report; not empty
  bool list_devices = false;             ///< kPlan: print the devices that the namespace must have, and nothing else

  std::vector<http::ListenAddress> listen_addresses = {{"", 10061}};
  std::filesystem::path storage_path;  ///< --storage.path; empty: what has happened is kept in memory alone
  std::optional<std::chrono::nanoseconds>
      since;  ///< kCheck, --since: tell what has happened since then, from the store

  std::string telemetry_path = "/metrics";  ///< begins with '/', is none of the paths that have another meaning
  std::filesystem::path web_config_file;    ///< empty: neither TLS nor authentication
  bool systemd_socket = false;              ///< serve on the sockets passed instead of listen_addresses
  std::vector<std::string> allowed_hosts;   ///< --web.allowed-hosts; empty: not given
  std::size_t max_requests = 40;            ///< requests to the telemetry path at once; 0 is no limit
  bool exporter_metrics = true;             ///< process_* and the like

  std::vector<std::string> enabled_collectors;  ///< in the order of the switches
  bool table_walk = false;                      ///< --sampling.table-walk
  service::LogLevel log_level = service::LogLevel::kInfo;
  service::LogFormat log_format = service::LogFormat::kLogfmt;
  std::filesystem::path procfs = "/proc";
  std::vector<diagnosis::PathTimeout> path_timeouts;  ///< --path.timeout; at most kMostPathTimeouts
  static constexpr std::size_t kMostPathTimeouts = diagnosis::kMostPaths;
  sources::NamespaceDepth namespaces = sources::NamespaceDepth::kObserve;  ///< --namespaces
  std::filesystem::path pod_logs = "/var/log/pods";                        ///< --path.pod-logs
  bool owner_names = true;                                                 ///< --owners.names
  std::chrono::milliseconds sampling_interval{5000};                       ///< 1 s to 1 h
  double cpu_budget = 0.02;                                                ///< share of one core, above 0 and at most 1
  bool report_details = false;
  bool filter_calls = true;  ///< --[no-]sandbox.seccomp
};

/// A command line that cannot be followed.
struct UsageError {
  std::string message;                ///< one sentence: the flag, the value given in quotes, what would be right
  Command command = Command::kServe;  ///< what was asked for, as the exit code depends on it
};

/// Reads the command line; `arguments[0]` is the program. Depends on nothing but its arguments and prints nothing.
tl::expected<Options, UsageError> ParseOptions(std::span<const char* const> arguments,
                                               std::span<const CollectorSwitch> collectors);

}  // namespace finwait::command_line
