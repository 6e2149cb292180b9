#include "exporter/serve.h"
#include "exporter/report/explanation.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>

#include "collectors/firewall/read/fact_resolver.h"
#include "exporter/command_line/enabled_collectors.h"
#include "exporter/diagnosis/diagnostician.h"
#include "exporter/diagnosis/latest.h"
#include "exporter/privilege/sandbox.h"
#include "exporter/scheduling/sampler.h"
#include "exporter/scheduling/snapshot_consumer.h"
#include "exporter/service/collector_log.h"
#include "exporter/service/memory_policy.h"
#include "exporter/service/notify.h"
#include "exporter/service/refused_call_log.h"
#include "exporter/service/rendered_metrics.h"
#include "exporter/service/routes.h"
#include "exporter/service/scheduler_slice.h"
#include "exporter/views/metrics/metrics.h"
#include "exporter/web_config/protection.h"

namespace finwait::exporter {
namespace {

constexpr int kCannotStart = 2;

// The signals that end the program, blocked from before the first thread on, so that only Wait takes them.
class TerminationSignals {
 public:
  TerminationSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  // The signal, or nothing when none came in that time.
  std::optional<int> WaitFor(std::chrono::microseconds time) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    const timespec timeout = {seconds.count(), std::chrono::nanoseconds(time - seconds).count()};
    const int signal = sigtimedwait(&set_, nullptr, &timeout);
    return signal > 0 ? std::optional(signal) : std::nullopt;
  }

 private:
  sigset_t set_ = {};
};

// When a snapshot was last diagnosed: what the service manager's watchdog is told follows it, so that a sampler or a
// diagnosis that has stopped gets the service restarted.
class Pulse {
 public:
  void Beat() { last_beat_.store(SteadyClock::now()); }
  bool IsOlderThan(SteadyClock::duration age) const { return SteadyClock::now() - last_beat_.load() > age; }

 private:
  std::atomic<SteadyClock::time_point> last_beat_{SteadyClock::now()};
};

// Waits for a signal that ends the program, and tells the service manager in the meantime that we are alive.
int WaitForTheEnd(const TerminationSignals& signals, const service::ServiceNotify& notify, const Pulse& pulse,
                  SteadyClock::duration sampling_interval) {
  constexpr std::chrono::microseconds kUnwatched = std::chrono::hours(1);
  constexpr int kMissedIntervals = 3;
  const auto period = notify.WatchdogPeriod();
  for (;;) {
    if (const auto signal = signals.WaitFor(period ? *period / 2 : kUnwatched)) {
      return *signal;
    }
    if (period && !pulse.IsOlderThan(*period + kMissedIntervals * sampling_interval)) {
      (void)notify.Alive();  // if it is not heard, the service manager acts by itself
    }
  }
}

http::ServerOptions ServerOptionsOf(const command_line::Options& options, const diagnosis::LatestDiagnosis& latest,
                                    service::RenderedMetrics& metrics, const service::Logger& logger) {
  http::ServerOptions server;
  server.lanes = MakeLanes({options.telemetry_path, options.max_requests,
                            options.report_details ? views::Details::kShow : views::Details::kHide},
                           latest, metrics);
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

void FilterCalls(const command_line::Options& options, const service::ServiceNotify& notify,
                 const service::Logger& logger) {
  const auto unfiltered_because =
      privilege::FilterCalls({.wanted = options.filter_calls, .to_service_manager = notify.IsHeard()});
  if (unfiltered_because) {
    logger.Warn("system calls are not filtered", {{"reason", *unfiltered_because}});
  }
}

}  // namespace

int RunServe(const command_line::Options& options, const service::Logger& logger) {
  const TerminationSignals signals;
  const auto host = kernel::OpenHost(options.procfs);
  if (!host) {
    logger.Error("cannot start", {{"error", host.error().message}});
    return kCannotStart;
  }

  service::SetSchedulerSlice();
  // In this order: a port below 1024 takes a capability; files are read as they will be re-read, without any; what
  // reads them the first time may load libraries, which the filter allows no more.
  auto listeners = http::HttpServer::Listen(options.listen_addresses);
  if (!listeners) {
    logger.Error("cannot start", {{"error", listeners.error().message}});
    return kCannotStart;
  }
  const auto privileges = privilege::GiveUpPrivileges({.net_admin = NeedNetAdmin(options)});
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
  FilterCalls(options, notify, logger);
  logger.Info("gave up all other privileges", {{"capabilities", *privileges}});

  Pulse pulse;
  diagnosis::LatestDiagnosis latest;
  service::RenderedMetrics metrics(
      [exporter_metrics = options.exporter_metrics](const diagnosis::Diagnosis& diagnosis) {
        return views::metrics::MetricFamilies(diagnosis, exporter_metrics);
      },
      latest);
  const sources::CollectorSettings settings = SettingsOf(options);
  diagnosis::Diagnostician diagnostician(std::make_shared<firewall::read::FactResolver>(*host),
                                         diagnosis::EvaluationPace::Within(settings), report::Explain);
  service::CollectorLog collector_log(logger);
  service::RefusedCallLog refused_call_log(logger);
  scheduling::SnapshotConsumer consumer([&](std::shared_ptr<const scheduling::Snapshot> snapshot) {
    try {
      collector_log.Report(*snapshot);
      refused_call_log.Report();
      const auto now = SteadyClock::now();
      metrics.Publish(diagnostician.Diagnose(std::move(snapshot), now, scheduling::WallClock::now()), now);
      pulse.Beat();
      if (diagnostician.ForgetUnused(now)) {
        service::TrimMemory();
      }
    } catch (const std::exception& problem) {
      // No memory, as a rule. The next look tells everything anew; without one, readiness and the watchdog notice.
      logger.Error("what was read could not be judged", {{"error", problem.what()}});
    }
  });
  scheduling::Sampler sampler(
      host->network_namespace, MakeCollectors(options, settings, *host), settings,
      [&](std::shared_ptr<const scheduling::Snapshot> snapshot) { consumer.Put(std::move(snapshot)); });
  auto server_options = ServerOptionsOf(options, latest, metrics, logger);
  server_options.tls = protection->tls;
  server_options.gate = protection->gate;
  consumer.Start();
  auto server = http::HttpServer::Start(std::move(server_options), std::move(*listeners));
  if (!server) {
    logger.Error("cannot start", {{"error", server.error().message}});
    return kCannotStart;
  }
  sampler.Start();
  for (std::size_t i = 0; i < options.listen_addresses.size(); ++i) {
    http::ListenAddress address = options.listen_addresses[i];
    address.port = (*server)->Ports().at(i);
    logger.Info(
        "listening",
        {{"address", http::ToString(address)}, {"tls", protection->tls != nullptr}, {"version", FINWAIT_VERSION}});
  }

  if (const auto told = notify.Ready(); !told) {
    logger.Warn("the service manager does not know that this is ready", {{"error", told.error().message}});
  }

  const int signal = WaitForTheEnd(signals, notify, pulse, options.sampling_interval);
  (void)notify.Stopping();
  logger.Info("stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
  (*server)->Stop();
  const auto deadline = Deadline::After(std::chrono::seconds(2));
  const bool collectors_ended = sampler.Stop(deadline);
  const bool diagnosis_ended = consumer.Stop(deadline);
  if (!collectors_ended || !diagnosis_ended) {
    logger.Warn("a question hangs in the kernel and is left behind");
    std::_Exit(0);  // its thread still uses what this function owns
  }
  refused_call_log.Report();
  return 0;
}

}  // namespace finwait::exporter
