// The exporter as a whole, on a host that has nothing to look at and on one that has everything: what it holds in
// memory, takes of the CPU, and how fast it answers a scrape. Both run in network namespaces of their own, in turn.
//
//   bench_service load [ENTRIES] [SOCKETS] [RULES] [SECONDS]   SECONDS: of the CPU average, beginning with the start;
//   the
//                      longest interval of a collector at least, or it shows little but the first look
//   bench_service under [ENTRIES] [SOCKETS] [RULES] -- COMMAND...   runs a command on the loaded host, for profilers

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "collectors/base/unique_fd.h"
#include "exporter/service/scheduler_slice.h"
#include "tests/bench/contest.h"
#include "tests/bench/http_client.h"
#include "tests/bench/load/conntrack_fill.h"
#include "tests/bench/load/kube_rules.h"
#include "tests/bench/load/socket_farm.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"

namespace finwait::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint16_t kPort = 10061;
constexpr char kAsPrometheusAsks[] =
    "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\nAccept-Encoding: gzip\r\n";

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A namespace with as much in it as asked for.
class LoadedHost {
 public:
  LoadedHost(std::size_t entries, std::size_t sockets, std::size_t rules) {
    if (entries + sockets + rules == 0) {
      return;
    }
    // The sockets first, with a rule that has them tracked; then the rules, which would slow down their opening.
    where_.Shell(
        "nft 'table inet t { chain c { type filter hook output priority 0; ct state invalid counter drop; }; }'");
    farm_ = std::make_unique<SocketFarm>(where_, sockets);
    where_.Run([&] { FillConntrack(entries); });
    if (rules > 0) {
      LoadKubeRules(where_, Rules::kIptablesNft, rules);
    }
  }
  const lab::Namespace& Where() const { return where_; }

 private:
  lab::Namespace where_;
  std::unique_ptr<SocketFarm> farm_;
};

// The built program, serving inside a namespace.
class Exporter {
 public:
  explicit Exporter(const lab::Namespace& where)
      : where_(where),
        started_(Clock::now()),
        process_(where.Spawn({lab::Program(), "--web.listen-address=127.0.0.1:" + std::to_string(kPort)})) {}
  ~Exporter() {
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
  }
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  void WaitUntilReady() const {
    if (!lab::Eventually([&] { return Get("/readyz").starts_with("HTTP/1.1 200"); }, 120)) {
      throw std::runtime_error("the exporter does not get ready: " + Get("/readyz"));
    }
  }
  std::string Get(const std::string& path) const {
    std::string response;
    where_.Run([&] { response = HttpGet(kPort, path); });
    return response;
  }
  // Wall milliseconds of each of `count` scrapes that was not refused.
  std::vector<double> Scrape(int count) const {
    std::vector<double> times;
    where_.Run([&] {
      for (int i = 0; i < count; ++i) {
        const auto start = Clock::now();
        if (HttpGet(kPort, "/metrics", kAsPrometheusAsks).starts_with("HTTP/1.1 200")) {
          times.push_back(1e3 * SecondsSince(start));
        }
      }
    });
    return times;
  }
  // The program's first process, and the one that reads the kernel, its child.
  std::vector<int> Processes() const {
    std::vector<int> processes = {process_};
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::string line;
      std::getline(std::ifstream(entry.path() / "stat"), line);
      const std::size_t name_end = line.rfind(')');
      if (name_end != std::string::npos && line.size() > name_end + 4 &&
          std::atoi(line.c_str() + name_end + 4) == process_) {
        processes.push_back(std::atoi(entry.path().filename().c_str()));
      }
    }
    return processes;
  }
  // Of all processes of the program.
  double Cpu() const {
    double seconds = 0;
    for (const int process : Processes()) {
      seconds += CpuSoFar(process);
    }
    return seconds;
  }
  // CPU seconds so far by thread name; threads of one name together.
  std::map<std::string, double> CpuByThread() const {
    std::map<std::string, double> seconds;
    for (const int process : Processes()) {
      for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
        std::string name;
        std::getline(std::ifstream(task.path() / "comm"), name);
        double nanoseconds = 0;
        std::ifstream(task.path() / "schedstat") >> nanoseconds;
        seconds[name] += nanoseconds / 1e9;
      }
    }
    return seconds;
  }
  Clock::time_point Started() const { return started_; }
  double Age() const { return SecondsSince(started_); }
  // The sum of all processes, in MB (10^6 bytes): Pss: of smaps_rollup, what they share once; VmHWM: of status, whole.
  double Memory(const char* field) const {
    double sum = 0;
    for (const int process : Processes()) {
      for (const char* name : {"/smaps_rollup", "/status"}) {
        std::ifstream file("/proc/" + std::to_string(process) + name);
        for (std::string line; std::getline(file, line);) {
          if (line.starts_with(field)) {
            sum += std::atof(line.c_str() + std::strlen(field) + 1) * 1024 / 1e6;
          }
        }
      }
    }
    return sum;
  }

 private:
  const lab::Namespace& where_;
  Clock::time_point started_;
  pid_t process_;
};

// Wall milliseconds of connections that nobody says anything on: what the kernel takes for each, its nat chains
// included.
std::vector<double> Connect(const lab::Namespace& where, int count) {
  std::vector<double> times;
  where.Run([&] {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener.Get(), raw, size) != 0 || ::listen(listener.Get(), 16) != 0 ||
        ::getsockname(listener.Get(), raw, &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    for (int i = 0; i < count; ++i) {
      const auto start = Clock::now();
      const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(client.Get(), raw, size) != 0) {
        throw std::runtime_error("cannot connect");
      }
      const UniqueFd server(::accept4(listener.Get(), nullptr, nullptr, SOCK_CLOEXEC));
      times.push_back(1e3 * SecondsSince(start));
    }
  });
  return times;
}

double Percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

std::size_t Series(const std::string& response) {
  std::size_t series = 0;
  for (std::size_t at = response.find("\r\n\r\n") + 3; at < response.size() - 1; at = response.find('\n', at + 1)) {
    series += response[at + 1] != '#' ? 1 : 0;
  }
  return series;
}

void PrintIntervals(const std::string& response) {
  for (std::size_t at = response.find("\nfinwait_collector_interval_seconds{"); at != std::string::npos;
       at = response.find("\nfinwait_collector_interval_seconds{", at + 1)) {
    std::printf("%s\n", response.substr(at + 1, response.find('\n', at + 1) - at - 1).c_str());
  }
}

// Of one host.
struct ScrapeTimes {
  std::vector<double> scrapes;
  std::vector<double> connections;
};

void PrintScrapes(const char* how, const ScrapeTimes& idle, const ScrapeTimes& loaded) {
  std::printf("\nScrapes, %zu of each host, %s; wall milliseconds\n\n| host | median | p99 |\n|---|---|---|\n",
              idle.scrapes.size(), how);
  const auto row = [](const char* what, const std::vector<double>& times) {
    std::printf("| %s | %.2f | %.2f |\n", what, Percentile(times, 0.5), Percentile(times, 0.99));
  };
  row("idle", idle.scrapes);
  row("loaded", loaded.scrapes);
  row("idle, a connection alone", idle.connections);
  row("loaded, a connection alone", loaded.connections);
  const auto ratio = [&](double share) { return Percentile(loaded.scrapes, share) / Percentile(idle.scrapes, share); };
  std::printf("\nloaded to idle: medians %.2f, p99 %.2f\n", ratio(0.5), ratio(0.99));
}

void Append(std::vector<double>& to, const std::vector<double>& more) { to.insert(to.end(), more.begin(), more.end()); }

// In turn, `batch` in a row each, with a pause before each batch, so that others' work fills the caches meanwhile.
void RunScrapes(const char* how, const Exporter& idle, const Exporter& loaded, const lab::Namespace& quiet,
                const lab::Namespace& busy, int batches, int batch) {
  constexpr std::chrono::milliseconds kPause(10);
  ScrapeTimes of_idle;
  ScrapeTimes of_loaded;
  for (int i = 0; i < batches; ++i) {
    for (const bool is_idle : {i % 2 == 0, i % 2 != 0}) {
      ScrapeTimes& times = is_idle ? of_idle : of_loaded;
      std::this_thread::sleep_for(kPause);
      Append(times.scrapes, (is_idle ? idle : loaded).Scrape(batch));
      std::this_thread::sleep_for(kPause);
      Append(times.connections, Connect(is_idle ? quiet : busy, batch));
    }
  }
  PrintScrapes(how, of_idle, of_loaded);
}

void RunScrapers(const Exporter& exporter) {
  std::printf(
      "\nScrapers at once\n\n| scrapers | refused (--web.max-requests) | server CPU, ms a scrape | wall ms, median | "
      "p99 |\n|---|---|---|---|---|\n");
  for (const int scrapers : {1, 4, 16, 64}) {
    const int each = 1024 / scrapers;
    std::vector<std::vector<double>> times(static_cast<std::size_t>(scrapers));
    const double before = exporter.Cpu();
    {
      std::vector<std::jthread> threads;
      for (auto& mine : times) {
        threads.emplace_back([&exporter, &mine, each] { mine = exporter.Scrape(each); });
      }
    }
    const double cpu = exporter.Cpu() - before;
    std::vector<double> all;
    for (const auto& mine : times) {
      all.insert(all.end(), mine.begin(), mine.end());
    }
    std::printf("| %d | %zu of 1024 | %.3f | %.2f | %.2f |\n", scrapers, 1024 - all.size(),
                1e3 * cpu / static_cast<double>(all.size()), Percentile(all, 0.5), Percentile(all, 0.99));
  }
}

// The average from the start on, first look included, with a scrape every 15 s as a Prometheus makes them.
void RunAverage(const Exporter& idle, const Exporter& loaded, int seconds) {
  std::printf("\nWith a scrape every 15 s\n\n");
  std::printf(
      "| after, s | idle: CPU, %% of a core | PSS, MB | loaded: CPU, %% | PSS, MB | peak, MB "
      "|\n|---|---|---|---|---|---|\n");
  for (int next = 15; next <= seconds; next += 15) {
    std::this_thread::sleep_until(loaded.Started() + std::chrono::seconds(next));
    (void)idle.Scrape(1);
    (void)loaded.Scrape(1);
    if (next % 60 == 0 || next + 15 > seconds) {
      std::printf("| %d | %.2f | %.1f | %.2f | %.1f | %.1f |\n", next, 100 * idle.Cpu() / idle.Age(),
                  idle.Memory("Pss:"), 100 * loaded.Cpu() / loaded.Age(), loaded.Memory("Pss:"),
                  loaded.Memory("VmHWM:"));
      std::fflush(stdout);
    }
  }
}

void PrintThreads(const Exporter& idle, const Exporter& loaded) {
  std::printf("\n| thread | idle: CPU, %% of a core | loaded |\n|---|---|---|\n");
  const auto quiet = idle.CpuByThread();
  for (const auto& [name, seconds] : loaded.CpuByThread()) {
    const auto found = quiet.find(name);
    std::printf("| %s | %.3f | %.3f |\n", name.c_str(), found == quiet.end() ? 0 : 100 * found->second / idle.Age(),
                100 * seconds / loaded.Age());
  }
}

void RunLoad(std::size_t entries, std::size_t sockets, std::size_t rules, int seconds) {
  const LoadedHost quiet(0, 0, 0);
  const LoadedHost busy(entries, sockets, rules);
  const Exporter idle(quiet.Where());
  const Exporter loaded(busy.Where());
  idle.WaitUntilReady();
  loaded.WaitUntilReady();
  std::printf("\nThe exporter with %zu entries, %zu sockets, %zu rules: ready after %.1f s and %.2f s of CPU\n",
              entries, sockets, rules, loaded.Age(), loaded.Cpu());
  RunAverage(idle, loaded, seconds);
  PrintThreads(idle, loaded);
  const std::string metrics = loaded.Get("/metrics");
  std::printf("\nseries: idle %zu, loaded %zu\n\n", Series(idle.Get("/metrics")), Series(metrics));
  PrintIntervals(metrics);
  // A Prometheus asks from another machine: that one's waiting for a CPU is not to be measured. Not before: the
  // exporters would inherit it.
  service::SetSchedulerSlice();
  RunScrapes("one by one", idle, loaded, quiet.Where(), busy.Where(), 3000, 1);
  RunScrapes("50 in a row", idle, loaded, quiet.Where(), busy.Where(), 60, 50);
  RunScrapers(loaded);
}

void RunUnder(std::size_t entries, std::size_t sockets, std::size_t rules, const std::vector<std::string>& command) {
  const LoadedHost busy(entries, sockets, rules);
  int status = 0;
  busy.Where().Run([&] {
    std::vector<char*> pointers;
    for (const std::string& word : command) {
      pointers.push_back(const_cast<char*>(word.c_str()));
    }
    pointers.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      ::execvp(pointers[0], pointers.data());
      ::_exit(127);
    }
    ::waitpid(child, &status, 0);
  });
  if (status != 0) {
    throw std::runtime_error(command.front() + " ended with status " + std::to_string(status));
  }
}

}  // namespace
}  // namespace finwait::bench

int main(int argc, char** argv) {
  finwait::lab::RequireLab(argc, argv);
  const std::string mode = argc > 1 ? argv[1] : "";
  const auto number = [&](int position, int otherwise) {
    return argc > position ? std::atoi(argv[position]) : otherwise;
  };
  const auto count = [&](int position, int otherwise) { return static_cast<std::size_t>(number(position, otherwise)); };
  try {
    if (mode == "load") {
      finwait::bench::RunLoad(count(2, 200'000), count(3, 20'000), count(4, 10'000), number(5, 120));
    } else if (mode == "under" && argc > 6 && std::string(argv[5]) == "--") {
      finwait::bench::RunUnder(count(2, 0), count(3, 0), count(4, 0), {argv + 6, argv + argc});
    } else {
      std::fprintf(stderr, "usage: %s load | under, see the head of service_bench.cc\n", argv[0]);
      return 2;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
  return 0;
}
