#include "exporter/server_start.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "exporter/channel/snapshot_feed.h"
#include "exporter/command_line/enabled_collectors.h"
#include "exporter/early_threads.h"
#include "exporter/http/passed_sockets.h"
#include "exporter/http/server.h"
#include "exporter/privilege/inheritance.h"
#include "exporter/privilege/sandbox.h"
#include "exporter/re_execution.h"
#include "exporter/reader.h"
#include "exporter/service/own_names.h"
#include "exporter/service/scheduler_slice.h"

namespace finwait::exporter {
namespace {

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

void SayWhyUnfiltered(std::string_view process, const std::optional<std::string>& because,
                      const service::Logger& logger) {
  if (because) {
    logger.Warn("system calls are not filtered", {{"process", process}, {"reason", *because}});
  }
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

// Closes the sandbox around this process.
void CloseSandbox(const command_line::Options& options, const service::Logger& logger, ConfinedServer& server) {
  std::vector<std::filesystem::path> readable = server.protection.folders;
  readable.insert(readable.end(), {"/proc/self", "/proc/stat"});
  const bool threads_confined = EarlyThreadsAreConfined();
  server.files = privilege::FileDomain::Enter(readable);
  const auto unfiltered = privilege::FilterCalls(
      options.filter_calls, {.role = privilege::Role::kServer, .writes_store = !options.storage_path.empty()});
  SayWhyUnfiltered("server", unfiltered, logger);
  // It makes no socket to the kernel, so it needs no sealed headers.
  server.layers = {true, !unfiltered, server.files && threads_confined, !unfiltered};
}

// The reader's first words.
Result<channel::HelloAnswer> GreetReader(channel::ReaderClient& client, const service::Logger& logger) {
  auto hello = client.Hello(Deadline::After(channel::SnapshotFeed::kPatience));
  if (!hello) {
    return Failure(hello.error());
  }
  if (hello->why_not) {
    return Failure(*hello->why_not);
  }
  SayWhyUnfiltered("reader", hello->unfiltered, logger);
  if (hello->unsealed) {
    logger.Warn("the list of requests to the kernel is kept by this program only", {{"reason", *hello->unsealed}});
  }
  return *hello;
}

}  // namespace

Result<ConfinedServer> StartConfined(const command_line::Options& options, const service::Logger& logger) {
  // With a few less it would listen and not have one for a client.
  constexpr unsigned kLeastDescriptors = 64;
  if (const auto enough = privilege::RequireDescriptors(kLeastDescriptors); !enough) {
    return Failure(enough.error());
  }
  auto reader = StartReaderConfined(options);
  if (!reader) {
    return Failure(reader.error());
  }
  const sources::CollectorSettings settings = SettingsOf(options);
  auto client = std::make_unique<channel::ReaderClient>(std::move(reader->connection), settings.cpu_budget);

  service::SetSchedulerSlice();
  auto store = service::OpenStore(options.storage_path);
  if (!store) {
    return Failure(store.error());
  }
  auto key = KeyOf(options);
  if (!key) {
    return Failure(key.error());
  }
  // In this order: a port below 1024 takes a capability; files are read as they will be re-read, without any; what
  // reads them the first time may load libraries, which the filter allows no more.
  auto listeners = options.systemd_socket ? http::TakePassedSockets(Environment)
                                          : http::HttpServer::Listen(options.listen_addresses);
  if (!listeners) {
    return Failure(listeners.error());
  }
  auto allowed_hosts = AllowedHostsOf(options);
  const auto privileges = privilege::GiveUpPrivileges({});
  if (!privileges) {
    return Failure(privileges.error());
  }
  auto protection = ProtectionOf(options, logger);
  if (!protection) {
    return Failure(protection.error());
  }
  auto notify = service::ServiceNotify::FromEnvironment();
  const auto hello = GreetReader(*client, logger);
  if (!hello) {
    return Failure(hello.error());
  }
  ConfinedServer server{.reader = reader->process,
                        .client = std::move(client),
                        .settings = settings,
                        .store = std::move(*store),
                        .pairs_key = std::move(*key),
                        .listeners = std::move(*listeners),
                        .allowed_hosts = std::move(allowed_hosts),
                        .protection = std::move(*protection),
                        .notify = std::move(notify),
                        .files = Fail(FailureReason::kError, "not confined yet"),
                        .layers = {}};
  CloseSandbox(options, logger, server);
  logger.Info("gave up all other privileges", {{"process", "reader"}, {"capabilities", hello->capabilities}});
  logger.Info("gave up all other privileges", {{"process", "server"}, {"capabilities", *privileges}});
  return Result<ConfinedServer>(std::move(server));
}

}  // namespace finwait::exporter
