#include "exporter/serve.h"

#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "exporter/channel/reader_client.h"
#include "exporter/channel/snapshot_feed.h"
#include "exporter/command_line/enabled_collectors.h"
#include "exporter/diagnosis/diagnostician.h"
#include "exporter/early_threads.h"
#include "exporter/http/passed_sockets.h"
#include "exporter/pairs/key.h"
#include "exporter/pairs/view.h"
#include "exporter/privilege/file_domain.h"
#include "exporter/privilege/inheritance.h"
#include "exporter/privilege/sandbox.h"
#include "exporter/re_execution.h"
#include "exporter/reader.h"
#include "exporter/report/latest.h"
#include "exporter/service/collector_log.h"
#include "exporter/service/incident_journal.h"
#include "exporter/service/memory_policy.h"
#include "exporter/service/notify.h"
#include "exporter/service/own_names.h"
#include "exporter/service/refused_call_log.h"
#include "exporter/service/rendered_metrics.h"
#include "exporter/service/routes.h"
#include "exporter/service/scheduler_slice.h"
#include "exporter/service/service_signals.h"
#include "exporter/service/stage_log.h"
#include "exporter/views/metrics/boot_time.h"
#include "exporter/views/metrics/carried_counters.h"
#include "exporter/views/metrics/counter_origin.h"
#include "exporter/views/metrics/metrics.h"
#include "exporter/web_config/protection.h"

namespace finwait::exporter {
namespace {

constexpr int kCannotStart = 2;
constexpr int kReaderEnded = 1;
// A scraper every 15 s keeps its connection for 25 minutes: certificates and users that are gone are so by then.
constexpr std::size_t kRequestsPerConnection = 100;

// When a snapshot was last diagnosed: what the service manager's watchdog is told follows it, so that a sampler or a
// diagnosis that has stopped gets the service restarted.
class Watchdog {
 public:
  void Feed() { last_fed_.store(SteadyClock::now()); }
  bool HasStarvedFor(SteadyClock::duration age) const { return SteadyClock::now() - last_fed_.load() > age; }

 private:
  std::atomic<SteadyClock::time_point> last_fed_{SteadyClock::now()};
};

// How long the server goes on answering, without data, once the reader has ended: two scrapes at a usual interval see
// that, and why. Then whoever started the service starts both again: nobody here has kept the rights to do so.
constexpr std::chrono::seconds kWithoutReader{30};

// Waits for a signal that ends the program, or for the end of the reader; meanwhile reads the web configuration again
// when told to, and tells the service manager that we are alive. Returns the signal: SIGCHLD where the reader ended.
int WaitForTheEnd(const service::ServiceSignals& signals, const service::ServiceNotify& notify,
                  const Watchdog& watchdog, SteadyClock::duration sampling_interval,
                  const std::function<void()>& reload,
                  const std::function<std::optional<std::chrono::seconds>()>& reader_has_ended) {
  constexpr std::chrono::microseconds kUnwatched = std::chrono::hours(1);
  constexpr int kMissedIntervals = 3;
  const auto period = notify.WatchdogPeriod();
  std::optional<SteadyClock::time_point> end;
  for (;;) {
    std::chrono::microseconds wait = period ? *period / 2 : kUnwatched;
    if (end) {
      wait = std::min(wait, std::chrono::duration_cast<std::chrono::microseconds>(*end - SteadyClock::now()));
    }
    const auto signal = signals.WaitFor(std::max(wait, std::chrono::microseconds(0)));
    if (signal == SIGHUP) {
      reload();
    } else if (signal == SIGCHLD) {
      if (const auto left = end ? std::nullopt : reader_has_ended()) {
        end = SteadyClock::now() + *left;
      }
    } else if (signal) {
      return *signal;
    }
    if (end && SteadyClock::now() >= *end) {
      return SIGCHLD;
    }
    if (period && !watchdog.HasStarvedFor(*period + kMissedIntervals * sampling_interval)) {
      (void)notify.Alive();  // if it is not heard, the service manager acts by itself
    }
  }
}

std::optional<std::string> Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// The names by which this host may be asked for; nothing where any will do.
std::optional<http::AllowedHosts> AllowedHostsOf(const command_line::Options& options) {
  if (!options.allowed_hosts.empty()) {
    return http::AllowedHosts(options.allowed_hosts);
  }
  if (!options.report_details) {
    return std::nullopt;
  }
  return http::AllowedHosts(service::OwnNames(service::ReadNameSources()));
}

// The key of --pairs.key-file; nothing without one.
Result<std::optional<pairs::Key>> KeyOf(const command_line::Options& options) {
  if (options.pairs_key_file.empty()) {
    return std::optional<pairs::Key>();
  }
  auto key = pairs::Key::Read(options.pairs_key_file);
  return key ? Result<std::optional<pairs::Key>>(std::move(*key)) : Failure(key.error());
}

// What answers /api/v1/pairs; null without a key.
std::shared_ptr<pairs::PairsView> PairsOf(const std::optional<pairs::Key>& key, bool owner_names,
                                          const report::LatestReport& latest, const incidents::Journal& journal) {
  return key ? std::make_shared<pairs::PairsView>(
                   *key, owner_names, [&journal] { return journal.Records(); }, latest)
             : nullptr;
}

http::ServerOptions ServerOptionsOf(const command_line::Options& options,
                                    const std::shared_ptr<pairs::PairsView>& pairs, const report::LatestReport& latest,
                                    service::RenderedMetrics& metrics, const incidents::Journal& journal,
                                    const service::Logger& logger) {
  http::ServerOptions server;
  server.route_groups = service::MakeRouteGroups(
      {options.telemetry_path, options.max_requests,
       options.report_details ? views::Details::kShow : views::Details::kHide, [&journal] { return journal.Latest(); },
       pairs == nullptr ? http::Handler()
                        : [pairs](const httplib::Request& request) { return pairs->Answer(request); }},
      latest, metrics);
  server.limits.requests_per_connection = kRequestsPerConnection;
  server.report_exception = [&logger](std::string_view path, std::string_view what) {
    logger.Error("a request handler failed", {{"path", path}, {"error", what}});
  };
  return server;
}

Result<web_config::Protection> ProtectionOf(const command_line::Options& options, const service::Logger& logger) {
  if (options.web_config_file.empty()) {
    return web_config::Protection{};
  }
  return web_config::OpenProtection(options.web_config_file, [&logger](const Result<void>& usable) {
    if (usable) {
      logger.Info("the web configuration has changed");
    } else {
      logger.Error("the web configuration cannot be used; clients are refused", {{"error", usable.error().message}});
    }
  });
}

views::metrics::CounterValues CountersToStore(const diagnosis::Diagnosis& diagnosis,
                                              const incidents::Journal& journal) {
  auto families = views::metrics::MetricFamilies(diagnosis, false, {});
  views::metrics::CarryOn(families, journal.CountersBefore());
  return views::metrics::ObservedCounters(families);
}

double UnixTime(incidents::Time time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

void SayWhyUnfiltered(std::string_view process, const std::optional<std::string>& because,
                      const service::Logger& logger) {
  if (because) {
    logger.Warn("system calls are not filtered", {{"process", process}, {"reason", *because}});
  }
}

// Nothing while the reader lives. Else says how it has ended, and how long this process shall go on.
std::optional<std::chrono::seconds> HasEnded(pid_t reader, const service::Logger& logger) {
  int status = 0;
  if (::waitpid(reader, &status, WNOHANG) != reader) {
    return std::nullopt;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == kEndedToBeStartedAgain) {
    logger.Warn(
        "iptables-legacy has tables now for an IP version that had none at the start; this program ends, to be "
        "started again and read them");
    return std::chrono::seconds(0);
  }
  logger.Error("the process that reads the kernel has ended; this one goes on without data for a while, then ends",
               {{"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0},
                {"exit_code", WIFEXITED(status) ? WEXITSTATUS(status) : 0},
                {"seconds", kWithoutReader.count()}});
  return kWithoutReader;
}

// Where no capability can be given up it is left to a new start of this program: of the server, with its reader there
// already, or of both where the reader needs none.
Result<Reader> StartReaderConfined(const command_line::Options& options) {
  if (auto from_before = TakeReader()) {
    return std::move(*from_before);
  }
  const bool re_execute = MustReExecute();
  if (re_execute && !NeedNetAdmin(options)) {
    return Failure(ReExecute(nullptr));
  }
  auto reader = StartReader(options);
  if (reader && re_execute) {
    return Failure(ReExecute(&*reader));
  }
  return reader;
}

}  // namespace

int RunServe(const command_line::Options& options, const service::Logger& logger) {
  const service::ServiceSignals signals;
  // With a few less it would listen and not have one for a client.
  constexpr unsigned kLeastDescriptors = 64;
  if (const auto enough = privilege::RequireDescriptors(kLeastDescriptors); !enough) {
    logger.Error("cannot start", {{"error", enough.error().message}});
    return kCannotStart;
  }
  auto reader = StartReaderConfined(options);
  if (!reader) {
    logger.Error("cannot start", {{"error", reader.error().message}});
    return kCannotStart;
  }
  const sources::CollectorSettings settings = SettingsOf(options);
  channel::ReaderClient client(std::move(reader->connection), settings.cpu_budget);

  service::SetSchedulerSlice();
  auto store = service::OpenStore(options.storage_path);
  if (!store) {
    logger.Error("cannot start", {{"error", store.error().message}});
    return kCannotStart;
  }
  const auto key = KeyOf(options);
  if (!key) {
    logger.Error("cannot start", {{"error", key.error().message}});
    return kCannotStart;
  }
  // In this order: a port below 1024 takes a capability; files are read as they will be re-read, without any; what
  // reads them the first time may load libraries, which the filter allows no more.
  auto listeners = options.systemd_socket ? http::TakePassedSockets(Environment)
                                          : http::HttpServer::Listen(options.listen_addresses);
  if (!listeners) {
    logger.Error("cannot start", {{"error", listeners.error().message}});
    return kCannotStart;
  }
  const auto allowed_hosts = AllowedHostsOf(options);
  const auto privileges = privilege::GiveUpPrivileges({});
  if (!privileges) {
    logger.Error("cannot start", {{"error", privileges.error().message}});
    return kCannotStart;
  }
  const auto protection = ProtectionOf(options, logger);
  if (!protection) {
    logger.Error("cannot start", {{"error", protection.error().message}});
    return kCannotStart;
  }
  const service::ServiceNotify notify = service::ServiceNotify::FromEnvironment();
  const auto hello = client.Hello(Deadline::After(channel::SnapshotFeed::kPatience));
  if (!hello || hello->why_not) {
    logger.Error("cannot start", {{"error", hello ? hello->why_not->message : hello.error().message}});
    return kCannotStart;
  }
  SayWhyUnfiltered("reader", hello->unfiltered, logger);
  if (hello->unsealed) {
    logger.Warn("the list of requests to the kernel is kept by this program only", {{"reason", *hello->unsealed}});
  }
  std::vector<std::filesystem::path> readable = protection->folders;
  readable.insert(readable.end(), {"/proc/self", "/proc/stat"});
  const bool threads_confined = EarlyThreadsAreConfined();
  const auto files = privilege::FileDomain::Enter(readable);
  const auto unfiltered = privilege::FilterCalls(
      options.filter_calls, {.role = privilege::Role::kServer, .writes_store = !options.storage_path.empty()});
  SayWhyUnfiltered("server", unfiltered, logger);
  logger.Info("gave up all other privileges", {{"process", "reader"}, {"capabilities", hello->capabilities}});
  logger.Info("gave up all other privileges", {{"process", "server"}, {"capabilities", *privileges}});

  // It makes no socket to the kernel, so it needs no sealed headers.
  const process::Layers layers = {true, !unfiltered, files && threads_confined, !unfiltered};
  Watchdog watchdog;
  const auto journal = service::StartJournal(std::move(*store), logger);
  const bool stored = !options.storage_path.empty();
  report::LatestReport latest;
  service::RenderedMetrics metrics(
      [&client, layers, exporter_metrics = options.exporter_metrics,
       &before = journal->CountersBefore()](const diagnosis::Diagnosis& diagnosis) {
        auto families = views::metrics::MetricFamilies(diagnosis, exporter_metrics, {layers, {client.Report()}});
        views::metrics::CarryOn(families, before);
        return families;
      },
      latest,
      [starts = views::metrics::CounterStarts{views::metrics::BootTime(), UnixTime(journal->CountersSince())}](
          std::string_view name) { return StartOf(name, starts); });
  diagnosis::Diagnostician diagnostician(std::make_shared<channel::RemoteResolver>(client),
                                         diagnosis::EvaluationPace::Within(settings), options.path_timeouts);
  diagnostician.ResolveInside([&client](std::uint64_t network_namespace) {
    return std::make_shared<channel::RemoteResolver>(client, network_namespace);
  });
  diagnostician.SkipCounted(journal->CountedBefore());
  if (!options.owner_names) {
    diagnostician.HideOwnerNames();
  }
  const auto pairs = PairsOf(*key, options.owner_names, latest, *journal);
  service::CollectorLog collector_log(logger);
  service::StageLog stage_log(logger);
  service::RefusedCallLog refused_call_log(logger);
  channel::SnapshotFeed feed(client, [&](std::shared_ptr<const scheduling::Snapshot> snapshot, bool fresh) {
    try {
      collector_log.Report(*snapshot);
      refused_call_log.Report(client.Report().refused);
      const auto now = SteadyClock::now();
      auto diagnosis = diagnostician.Diagnose(std::move(snapshot), now, scheduling::WallClock::now());
      journal->Take(*diagnosis, stored ? CountersToStore(*diagnosis, *journal) : views::metrics::CounterValues());
      if (pairs != nullptr) {
        pairs->Take(*diagnosis);
      }
      auto report = report::MakeReport(std::move(diagnosis));
      stage_log.Report(*report, now);
      metrics.Publish(std::move(report), now);
      if (fresh) {
        watchdog.Feed();
      }
      if (diagnostician.PruneUnused(now)) {
        service::TrimMemory();
      }
    } catch (const std::exception& problem) {
      // No memory, as a rule. The next sample tells everything again; without one, readiness and the watchdog notice.
      logger.Error("what was read could not be diagnosed", {{"error", problem.what()}});
    }
  });
  auto server_options = ServerOptionsOf(options, pairs, latest, metrics, *journal, logger);
  server_options.tls = protection->tls;
  server_options.auth = protection->auth;
  server_options.allowed_hosts = allowed_hosts;
  std::vector<http::ListenAddress> addresses;
  for (const http::ListeningSocket& listener : *listeners) {
    addresses.push_back(listener.address);
  }
  if (const auto started = feed.TakeFirst(); !started) {
    logger.Error("cannot start", {{"error", started.error().message}});
    return kCannotStart;
  }
  auto server = http::HttpServer::Start(std::move(server_options), std::move(*listeners));
  if (!server) {
    logger.Error("cannot start", {{"error", server.error().message}});
    return kCannotStart;
  }
  feed.Start();
  for (const http::ListenAddress& address : addresses) {
    logger.Info(
        "listening",
        {{"address", http::ToString(address)}, {"tls", protection->tls != nullptr}, {"version", FINWAIT_VERSION}});
  }

  if (const auto told = notify.Ready(); !told) {
    logger.Warn("the service manager does not know that this is ready", {{"error", told.error().message}});
  }

  const int signal = WaitForTheEnd(
      signals, notify, watchdog, options.sampling_interval,
      [&] {
        logger.Info("SIGHUP: reading the web configuration again", {{"file", options.web_config_file.string()}});
        (*server)->Reload();
      },
      [&] { return HasEnded(reader->process, logger); });
  (void)notify.Stopping();
  if (signal == SIGCHLD) {
    logger.Error("stopping: the process that reads the kernel has ended");
  } else {
    logger.Info("stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
  }
  (*server)->Stop();
  const int exit_code = signal == SIGCHLD ? kReaderEnded : 0;
  if (!feed.Stop(Deadline::After(std::chrono::seconds(2)))) {
    logger.Warn("the diagnosis does not end and is left behind");
    std::_Exit(exit_code);  // its thread still uses what this function owns
  }
  refused_call_log.Report(client.Report().refused);
  return exit_code;
}

}  // namespace finwait::exporter
