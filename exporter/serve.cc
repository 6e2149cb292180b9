#include "exporter/serve.h"

#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/diagnosis_loop.h"
#include "exporter/http/server.h"
#include "exporter/reader.h"
#include "exporter/server_start.h"
#include "exporter/service/routes.h"
#include "exporter/service/service_signals.h"

namespace finwait::exporter {
namespace {

constexpr int kCannotStart = 2;
constexpr int kReaderEnded = 1;
// A scraper every 15 s keeps its connection for 25 minutes: certificates and users that are gone are so by then.
constexpr std::size_t kRequestsPerConnection = 100;

// How long the server goes on answering, without data, once the reader has ended: two scrapes at a usual interval see
// that, and why. Then whoever started the service starts both again: nobody here has kept the rights to do so.
constexpr std::chrono::seconds kWithoutReader{30};

// Waits for a signal that ends the program, or for the end of the reader; meanwhile reads the web configuration again
// when told to, and tells the service manager that we are alive. Returns the signal: SIGCHLD where the reader ended.
int WaitForTheEnd(const service::ServiceSignals& signals, const service::ServiceNotify& notify,
                  const DiagnosisLoop& loop, SteadyClock::duration sampling_interval,
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
    if (period && !loop.HasStarvedFor(*period + kMissedIntervals * sampling_interval)) {
      (void)notify.Alive();  // if it is not heard, the service manager acts by itself
    }
  }
}

http::ServerOptions ServerOptionsOf(const command_line::Options& options, const ConfinedServer& confined,
                                    DiagnosisLoop& loop, const service::Logger& logger) {
  http::ServerOptions server;
  server.route_groups = service::MakeRouteGroups(
      {options.telemetry_path, options.max_requests,
       options.report_details ? views::Details::kShow : views::Details::kHide,
       [&journal = loop.Journal()] { return journal.Latest(); },
       loop.Pairs() == nullptr
           ? http::Handler()
           : [pairs = loop.Pairs()](const httplib::Request& request) { return pairs->Answer(request); }},
      loop.Latest(), loop.Metrics());
  server.limits.requests_per_connection = kRequestsPerConnection;
  server.report_exception = [&logger](std::string_view path, std::string_view what) {
    logger.Error("a request handler failed", {{"path", path}, {"error", what}});
  };
  server.tls = confined.protection.tls;
  server.auth = confined.protection.auth;
  server.allowed_hosts = confined.allowed_hosts;
  return server;
}

// Takes the first snapshot, then answers, then takes the others.
Result<std::unique_ptr<http::HttpServer>> StartServing(const command_line::Options& options, ConfinedServer& confined,
                                                       DiagnosisLoop& loop, const service::Logger& logger) {
  std::vector<http::ListenAddress> addresses;
  for (const http::ListeningSocket& listener : confined.listeners) {
    addresses.push_back(listener.address);
  }
  if (const auto started = loop.TakeFirst(); !started) {
    return Failure(started.error());
  }
  auto server =
      http::HttpServer::Start(ServerOptionsOf(options, confined, loop, logger), std::move(confined.listeners));
  if (!server) {
    return server;
  }
  loop.Start();
  for (const http::ListenAddress& address : addresses) {
    logger.Info("listening", {{"address", http::ToString(address)},
                              {"tls", confined.protection.tls != nullptr},
                              {"version", FINWAIT_VERSION}});
  }
  if (const auto told = confined.notify.Ready(); !told) {
    logger.Warn("the service manager does not know that this is ready", {{"error", told.error().message}});
  }
  return server;
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

}  // namespace

int RunServe(const command_line::Options& options, const service::Logger& logger) {
  const service::ServiceSignals signals;
  const auto cannot_start = [&logger](const Error& why) {
    logger.Error("cannot start", {{"error", why.message}});
    return kCannotStart;
  };
  auto confined = StartConfined(options, logger);
  if (!confined) {
    return cannot_start(confined.error());
  }
  DiagnosisLoop loop(options, diagnosis::EvaluationPace::Within(confined->settings), confined->layers,
                     std::move(confined->store), confined->pairs_key, *confined->client, logger);
  const auto server = StartServing(options, *confined, loop, logger);
  if (!server) {
    return cannot_start(server.error());
  }

  const int signal = WaitForTheEnd(
      signals, confined->notify, loop, options.sampling_interval,
      [&] {
        logger.Info("SIGHUP: reading the web configuration again", {{"file", options.web_config_file.string()}});
        (*server)->Reload();
      },
      [&] { return HasEnded(confined->reader, logger); });
  (void)confined->notify.Stopping();
  if (signal == SIGCHLD) {
    logger.Error("stopping: the process that reads the kernel has ended");
  } else {
    logger.Info("stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
  }
  (*server)->Stop();
  const int exit_code = signal == SIGCHLD ? kReaderEnded : 0;
  if (!loop.Stop(Deadline::After(std::chrono::seconds(2)))) {
    logger.Warn("the diagnosis does not end and is left behind");
    std::_Exit(exit_code);  // its thread still uses what this function owns
  }
  return exit_code;
}

}  // namespace finwait::exporter
