#include "exporter/command_line/command_line.h"

#include <algorithm>
#include <string_view>

#include "collectors/base/text.h"
#include "exporter/command_line/help_formatter.h"

namespace finwait::command_line {

namespace {

bool IsIpv6(const ConnectionEnd& end) { return end.address.find(':') != std::string::npos; }

// Inserted, left out, replaced and swapped letters between two short words (optimal string alignment).
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> steps(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        steps[i][j] = i + j;
        continue;
      }
      const std::size_t replaced = steps[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      steps[i][j] = std::min({steps[i - 1][j] + 1, steps[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        steps[i][j] = std::min(steps[i][j], steps[i - 2][j - 2] + 1);
      }
    }
  }
  return steps[a.size()][b.size()];
}

// ", did you mean check?" for a command misspelt by two letters at most, else nothing.
std::string DidYouMean(const std::string& argument) {
  constexpr std::size_t kLongest = 16;
  for (const char* command : {"check", "explain", "plan", "pairs"}) {
    if (argument.size() <= kLongest && Distance(argument, command) <= 2) {
      return std::string("; did you mean ") + command + "?";
    }
  }
  return "";
}

}  // namespace

CommandLine::CommandLine(std::span<const CollectorSwitch> collectors)
    : app_("Finds TCP connections whose FIN conntrack and a firewall rule swallow, and those that come next.",
           "finwait_exporter") {
  const auto formatter = std::make_shared<HelpFormatter>();
  formatter->label("Positionals", "Arguments");
  app_.formatter(formatter);
  app_.option_defaults()->group("Flags");
  app_.set_help_flag("-h,--help", "Show this help and exit.");
  app_.allow_extras();  // RefuseLeftovers has the better sentence
  app_.fallthrough();   // flags may follow the subcommand
  app_.require_subcommand(0, 1);
  DescribeSubcommands();
  DescribeServing(collectors);
}

void CommandLine::AddText(CLI::App& app, const std::string& name, const std::string& placeholder,
                          const std::string& description) {
  app.add_option(name, texts_[name], description)
      ->option_text(name + "=" + placeholder)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::Option* CommandLine::AddSwitch(const std::string& name, bool& value, const std::string& description) {
  switches_.insert({"--" + name, "--no-" + name});
  return app_.add_flag("--" + name + ",!--no-" + name, value, description)->option_text("--[no-]" + name);
}

void CommandLine::DescribeServing(std::span<const CollectorSwitch> collectors) {
  switches_.insert({"--help", "--version"});
  app_.add_flag("--version", version_, "Show the version and exit.");
  AddText(app_, "--web.listen-address", "ADDRESS",
          "Address to listen on: \":port\" (every address, IPv4 and IPv6), \"host:port\" or \"[IPv6 address]:port\". "
          "May be given several times. Default \":10061\".");
  AddText(app_, "--web.telemetry-path", "PATH", "Path of the metrics. Default \"/metrics\".");
  AddText(app_, "--web.config.file", "FILE",
          "TLS, users, headers and rate limit, in exporter-toolkit's format; changes take effect at once.");
  AddText(
      app_, "--web.allowed-hosts", "NAME",
      "Host names that requests may be for (the Host header), beside addresses and localhost; \"*\" allows all. May "
      "be given several times, or with commas. Default: with --report.details this host's own names, else all.");
  AddSwitch("web.systemd-socket", systemd_socket_,
            "Serve on the sockets that a systemd socket unit passes, instead of --web.listen-address. Default off.");
  AddText(app_, "--web.max-requests", "N", "Most requests for metrics at once; 0 is no limit. Default 40.");
  AddSwitch("web.disable-exporter-metrics", disable_exporter_metrics_,
            "Leave out the metrics about the exporter itself (process_*).");
  AddText(app_, "--log.level", "LEVEL", "Least severity that is logged: debug, info, warn or error. Default info.");
  AddText(app_, "--log.format", "FORMAT", "logfmt or json. Default logfmt.");
  AddText(app_, "--path.procfs", "PATH", "Where procfs is mounted. Default \"/proc\".");
  AddText(app_, "--path.timeout", "CIDR=DURATION",
          "A device on the way to those peers forgets silent connections after that time; or CIDR=PRESET: aws-nitro, "
          "aws-nlb, aws-natgw, azure-lb, gcp, ipvs. May be given 8 times.");
  AddText(app_, "--namespaces", "DEPTH",
          "What is read of containers and pods, of all other network namespaces: none; observe, which takes no "
          "privilege; or enter, which takes CAP_SYS_ADMIN and CAP_SYS_PTRACE. Default observe.");
  AddText(app_, "--path.pod-logs", "PATH",
          "The kubelet's log tree, whose folders' names tell the names of pods. Default \"/var/log/pods\".");
  AddText(app_, "--owners.names", "on|off",
          "Name the pods, containers and units whose sockets are stuck or at risk; else their kind alone is told. "
          "Default on.");
  AddText(app_, "--sampling.interval", "DURATION", "How often the cheap collectors run, 1s to 1h. Default 5s.");
  AddText(app_, "--sampling.cpu-budget", "SHARE",
          "Share of one core for all collectors together, above 0 and at most 1: the dumps of the conntrack table and "
          "of sockets become rarer until it holds. Default 0.02.");
  AddSwitch("sampling.table-walk", table_walk_,
            "Count a large conntrack table in the kernel (BPF), and dump it now and then to compare; takes CAP_BPF and "
            "CAP_PERFMON at the start. Default off.");
  AddText(app_, "--storage.path", "PATH",
          "File, or folder for one, in which what has happened outlives a restart, counters too (an SQLite database of "
          "at most 16 MiB); check --since reads it. Default: in memory only.");
  AddText(app_, "--pairs.key-file", "FILE",
          "A secret that the fleet shares: with it /api/v1/pairs tells the command pairs, by keyed digests, which "
          "connections were lost and which are alive. Default: that path is not there.");
  AddSwitch("report.details", report_details_,
            "Show socket addresses and rule text in HTTP reports and on the page. Default off.");
  AddSwitch("sandbox.seccomp", filter_calls_,
            "Have the kernel refuse every system call that this program does not need. Default on.");
  collectors_.reserve(collectors.size());  // CLI11 keeps references to the elements
  for (const CollectorSwitch& collector : collectors) {
    auto& [name, enabled] = collectors_.emplace_back(collector.name, collector.enabled_by_default);
    AddSwitch("collector." + name, enabled, enabled ? "Default on." : "Default off.")->group("Collectors");
  }
}

void CommandLine::DescribeSubcommands() {
  check_ = app_.add_subcommand("check", "Take one sample of this host and say what is stuck, what would be, and why.");
  AddText(
      *check_, "--since", "DURATION",
      "Say what has happened since then, such as 2h, from the service's store (--storage.path), and take no sample. "
      "Format text or json.");
  check_->footer(
      "Exit code: 0 no or latent risk, 1 exposed, 2 failing, 3 cannot tell or wrong usage.\n"
      "With --since: 0 this host lost no connection, 2 it did, 3 cannot tell or wrong usage.");
  explain_ = app_.add_subcommand("explain", "Say what becomes of a connection closed without its conntrack entry.");
  explain_->footer("Exit code: 0 clean, 1 not clean, 3 unknown or wrong usage.");
  explain_->add_option("ENDS", ends_, "The local end and the peer's, as 192.0.2.1:443 or [2001:db8::1]:443.")
      ->option_text("LOCAL PEER");
  switches_.insert("--all");
  explain_->add_flag("--all", explain_all_,
                     "In place of LOCAL PEER: every connection at once, by classes that fare alike.");
  AddText(*explain_, "--opened-by", "END",
          "Who opened a connection that no socket here shows: local or peer. Default: not known.");
  AddText(*explain_, "--mark", "NUMBER", "The mark (SO_MARK) of a socket that is not there. Default: not known.");
  AddText(*explain_, "--user", "NUMBER", "The owner of a socket that is not there. Default: not known.");
  AddText(*explain_, "--group", "NUMBER", "The owner's group, which no socket shows. Default: not known.");
  AddText(*explain_, "--family", "FAMILY", "With --all: ipv4 or ipv6 alone. Default both.");
  plan_ = app_.add_subcommand(
      "plan", "Say which connections of a host the ruleset of this namespace would lose; finwait-plan makes one.");
  plan_->footer("Exit code: 0 none newly lost, 1 some are, 3 cannot tell or wrong usage.");
  AddText(*plan_, "--against", "REPORT|live",
          "The host: what `check --format=json` printed there, or live, the namespace that this one was made in.");
  switches_.insert("--list-devices");
  plan_->add_flag("--list-devices", list_devices_,
                  "Print the devices that the namespace should have, for `ip -batch -`, and exit.");
  pairs_ = app_.add_subcommand(
      "pairs", "Ask the exporters of a fleet and say which hosts have connections that the other end has closed.");
  pairs_->footer(
      "Exit code: 0 none is abandoned, 1 some are, 3 cannot tell (a host did not answer) or wrong usage.\n"
      "The services need the same key: --pairs.key-file.");
  pairs_->add_option("HOSTS", hosts_, "Exporters, as web-1, web-1:10061 or https://user:password@web-1:10061.")
      ->option_text("HOST_URL...");
  AddText(*pairs_, "--key-file", "FILE", "The key that the services were given. Needed.");
  AddText(*pairs_, "--file_sd", "FILE", "More exporters, from a file as Prometheus' file_sd_configs read it.");
  AddText(*pairs_, "--ca-file", "FILE", "Certificates of authorities to trust. Default: the system's.");
  const std::pair<CLI::App*, const char*> formats[] = {
      {check_,
       "text, json, prometheus (metrics for node_exporter's textfile directory), nagios (one line and performance "
       "data) "
       "or bug (a report without addresses). Default text."},
      {explain_, "text or json. Default text."},
      {plan_, "text or json. Default text."},
      {pairs_, "text, json or prometheus (metrics for node_exporter's textfile directory). Default text."}};
  for (CLI::App* const subcommand : {check_, explain_}) {
    AddText(
        *subcommand, "--netns", "NAMESPACE",
        "Look at one other network namespace: that of a process (PID), of a name that ip netns lists, of a container "
        "(its name, or the beginning of its ID), or of a pod (NAMESPACE/NAME).");
  }
  for (const auto& [subcommand, description] : formats) {
    subcommand->get_help_ptr()->group("Flags");
    AddText(*subcommand, "--format", "FORMAT", description);
  }
}

Command CommandLine::Asked() const {
  return check_->parsed()     ? Command::kCheck
         : explain_->parsed() ? Command::kExplain
         : plan_->parsed()    ? Command::kPlan
         : pairs_->parsed()   ? Command::kPairs
                              : Command::kServe;
}

void CommandLine::Complain(std::string sentence) {
  if (!complaint_) {
    complaint_ = std::move(sentence);
  }
}

bool CommandLine::Sort(std::span<const char* const> arguments) {
  for (const std::string argument : arguments.subspan(1)) {
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    if (!name.starts_with("--") || equals == std::string::npos) {
      continue;
    }
    if (equals + 1 == argument.size()) {  // CLI11 would take the next argument as its value
      const bool known = texts_.contains(name) || switches_.contains(name);
      Complain((known ? name : Quoted(name)) + " was given an empty value (\"\"); see --help.");
    } else if (switches_.contains(name)) {
      Complain(name + " takes no value, but was given " + Quoted(argument.substr(equals + 1)) + "; see --help.");
    }
  }
  try {
    app_.parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const CLI::CallForHelp&) {
    return true;
  } catch (const CLI::ArgumentMismatch& mismatch) {
    const std::string what = mismatch.what();  // "--flag: 1 required ..."
    Complain(what.substr(0, what.find(':')) + " needs a value; see --help.");
  } catch (const CLI::ParseError& error) {
    Complain(std::string(error.what()) + "; see --help.");
  }
  return false;
}

void CommandLine::RefuseLeftovers() {
  for (const std::string& argument : app_.remaining(true)) {
    if (argument.starts_with("-") && argument != "-" && argument != "--") {
      Complain("There is no flag " + Quoted(argument) + "; see --help.");
    } else if (argument != "--") {
      const bool command_given = Asked() != Command::kServe;
      const std::string meant = DidYouMean(argument);
      Complain(command_given    ? "The argument " + Quoted(argument) + " is one too many; see --help."
               : !meant.empty() ? "There is no command " + Quoted(argument) + meant
                                : "There is no command " + Quoted(argument) +
                                      "; the commands are check, explain, plan and pairs, see --help.");
    }
  }
}

std::optional<std::string> CommandLine::Single(const std::string& flag) {
  const Texts& given = texts_.at(flag);
  if (given.size() > 1) {
    Complain(flag + " may be given once, but was given as " + Quoted(given[0]) + " and " + Quoted(given[1]) + ".");
  }
  return given.empty() ? std::nullopt : std::optional(given.front());
}

template <typename T>
void CommandLine::Take(const std::string& flag, T& target,
                       option_values::Value<T> (*read)(const std::string& flag, const std::string& text)) {
  if (const auto text = Single(flag)) {
    option_values::Value<T> value = read(flag, *text);
    if (value) {
      target = std::move(*value);
    } else {
      Complain(std::move(value.error()));
    }
  }
}

template <typename T>
void CommandLine::TakeOptional(const std::string& flag, std::optional<T>& target,
                               option_values::Value<T> (*read)(const std::string& flag, const std::string& text)) {
  if (!texts_.at(flag).empty()) {
    Take(flag, target.emplace(), read);
  }
}

void CommandLine::ReadPathTimeouts(Options& options) {
  for (const std::string& text : texts_.at("--path.timeout")) {
    auto path = option_values::PathTimeout("--path.timeout", text);
    if (!path) {
      Complain(std::move(path.error()));
      return;
    }
    for (const diagnosis::PathTimeout& other : options.path_timeouts) {
      if (other.address == path->address && other.bits == path->bits) {
        Complain("--path.timeout was given twice for " + Quoted(path->network) + "; give each network once.");
      }
    }
    options.path_timeouts.push_back(std::move(*path));
  }
  if (options.path_timeouts.size() > Options::kMostPathTimeouts) {
    Complain("--path.timeout may be given " + std::to_string(Options::kMostPathTimeouts) + " times, but was given " +
             std::to_string(options.path_timeouts.size()) + " times.");
  }
}

void CommandLine::ReadPlan(Options& options) {
  const auto against = Single("--against");
  options.against = against.value_or("");
  options.list_devices = list_devices_;
  if (!against) {
    Complain("plan needs --against=REPORT, a file that check --format=json has made on the host, or --against=live.");
  }
}

void CommandLine::ReadEnds(Options& options) {
  options.explain_all = explain_all_;
  TakeOptional("--family", options.family, option_values::Family);
  TakeOptional("--opened-by", options.opened_here, option_values::Opener);
  TakeOptional("--mark", options.mark, option_values::Number);
  TakeOptional("--user", options.user, option_values::Number);
  TakeOptional("--group", options.group, option_values::Number);
  const bool of_one = options.opened_here || options.mark || options.user || options.group;
  if (explain_all_ && (!ends_.empty() || of_one)) {
    Complain(
        "explain takes either --all or one connection (its two ends, --opened-by, --mark, --user, --group), but was "
        "given both.");
  }
  if (explain_all_) {
    return;
  }
  if (options.family) {
    Complain("--family goes with explain --all only; one connection has the family of its addresses.");
  }
  if (ends_.size() != 2) {
    Complain("explain takes two arguments, the local end and the peer's; " + std::to_string(ends_.size()) +
             " were given.");
    return;
  }
  const auto local = option_values::End("LOCAL", ends_[0]);
  const auto peer = option_values::End("PEER", ends_[1]);
  if (!local || !peer) {
    Complain(local ? peer.error() : local.error());
  } else if (IsIpv6(*local) != IsIpv6(*peer)) {
    Complain(option_values::Refusal(
        "PEER", ends_[1], IsIpv6(*local) ? "an IPv6 address, as LOCAL is one" : "an IPv4 address, as LOCAL is one"));
  } else {
    options.local = *local;
    options.peer = *peer;
  }
}

void CommandLine::ReadNetns(Options& options) {
  const auto netns = Single("--netns");
  if (!netns) {
    return;
  }
  options.netns = *netns;
  options.namespaces = sources::NamespaceDepth::kNone;  // others are not joined to that one's table
  if (!texts_.at("--since").empty()) {
    Complain("check --since takes no sample, of this network namespace or another: leave out --since or --netns.");
  }
}

void CommandLine::ReadTargets(Options& options) {
  for (const std::string& text : hosts_) {
    auto target = option_values::Target("HOST_URL", text);
    if (!target) {
      Complain(std::move(target.error()));
      return;
    }
    options.targets.push_back(std::move(*target));
  }
  Take("--key-file", options.pairs_key_file, option_values::File);
  Take("--file_sd", options.target_file, option_values::File);
  Take("--ca-file", options.ca_file, option_values::File);
  if (options.pairs_key_file.empty()) {
    Complain("pairs needs the key that the services have: give --key-file=FILE.");
  }
  if (options.targets.empty() && options.target_file.empty()) {
    Complain("pairs needs exporters to ask: give HOST_URL or --file_sd=FILE.");
  }
}

Options CommandLine::Read() {
  Options options;
  options.command = Asked();
  if (const Texts& addresses = texts_.at("--web.listen-address"); !addresses.empty()) {
    options.listen_addresses.clear();
    for (const std::string& text : addresses) {
      const auto address = option_values::ListenAddress("--web.listen-address", text);
      if (address) {
        options.listen_addresses.push_back(*address);
      } else {
        Complain(address.error());
      }
    }
  }
  Take("--web.config.file", options.web_config_file, option_values::File);
  Take("--web.telemetry-path", options.telemetry_path, option_values::TelemetryPath);
  Take("--web.max-requests", options.max_requests, option_values::MaxRequests);
  Take("--log.level", options.log_level, option_values::Level);
  Take("--log.format", options.log_format, option_values::Format);
  Take("--path.procfs", options.procfs, option_values::Directory);
  ReadPathTimeouts(options);
  Take("--namespaces", options.namespaces, option_values::Depth);
  Take("--path.pod-logs", options.pod_logs, option_values::File);
  Take("--owners.names", options.owner_names, option_values::OnOff);
  ReadNetns(options);
  Take("--sampling.interval", options.sampling_interval, option_values::SamplingInterval);
  Take("--sampling.cpu-budget", options.cpu_budget, option_values::CpuBudget);
  Take("--format", options.report_format,
       options.command == Command::kPairs   ? option_values::PairsFormat
       : options.command == Command::kCheck ? option_values::CheckFormat
                                            : option_values::ExplainFormat);
  Take("--pairs.key-file", options.pairs_key_file, option_values::File);
  if (options.command == Command::kExplain) {
    ReadEnds(options);
  } else if (options.command == Command::kPlan) {
    ReadPlan(options);
  } else if (options.command == Command::kPairs) {
    ReadTargets(options);
  }
  Take("--storage.path", options.storage_path, option_values::StoragePath);
  Take("--since", options.since, option_values::Since);
  if (options.since && options.report_format != ReportFormat::kText && options.report_format != ReportFormat::kJson) {
    Complain("check --since prints text or json: leave --format out or give one of them.");
  }
  for (const std::string& text : texts_.at("--web.allowed-hosts")) {
    const auto names = option_values::HostNames("--web.allowed-hosts", text);
    if (names) {
      options.allowed_hosts.insert(options.allowed_hosts.end(), names->begin(), names->end());
    } else {
      Complain(names.error());
    }
  }
  options.systemd_socket = systemd_socket_;
  options.exporter_metrics = !disable_exporter_metrics_;
  options.report_details = report_details_;
  options.filter_calls = filter_calls_;
  options.table_walk = table_walk_;
  for (const auto& [name, enabled] : collectors_) {
    if (enabled) {
      options.enabled_collectors.push_back(name);
    }
  }
  return options;
}

tl::expected<Options, UsageError> CommandLine::Parse(std::span<const char* const> arguments) {
  Options options;
  if (Sort(arguments) && !complaint_) {
    options.command = Command::kHelp;
    options.text = app_.help();
    return options;
  }
  RefuseLeftovers();
  if (!complaint_ && version_) {
    options.command = Command::kVersion;
    options.text = "finwait_exporter, version " FINWAIT_VERSION "\n";
    return options;
  }
  if (!complaint_) {
    options = Read();
  }
  if (complaint_) {
    return tl::unexpected(UsageError{*complaint_, Asked()});
  }
  return options;
}

}  // namespace finwait::command_line
