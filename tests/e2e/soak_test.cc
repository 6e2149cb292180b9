// The program under churn of connections, entries, rules and scrapes, for as long as FINWAIT_SOAK_SECONDS says:
// tools/soak.sh is the long form. It prints its figures as one line of JSON.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"

namespace finwait::e2e {
namespace {

using Clock = std::chrono::steady_clock;
using lab::Connect;
using lab::Listener;
using lab::Namespace;
using lab::Wire;
using std::chrono::seconds;

seconds Length() {
  constexpr int kShort = 20;
  const char* given = std::getenv("FINWAIT_SOAK_SECONDS");
  return seconds(given == nullptr ? kShort : std::atoi(given));
}

/// A shell script that runs over and over inside a namespace until this object goes.
class Churn {
 public:
  Churn(const Namespace& where, const std::string& script)
      : pid_(where.Spawn({"setsid", "sh", "-c", "exec >/dev/null 2>&1; while :; do " + script + "; done"})) {}
  ~Churn() {
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Churn(const Churn&) = delete;
  Churn& operator=(const Churn&) = delete;

 private:
  pid_t pid_;
};

/// Connections that open and end in every way: by FIN from either side, by RST, and closed after their entry is gone.
class Connections {
 public:
  explicit Connections(const Wire& wire) : thread_([this, &wire](const std::stop_token& stop) { Run(stop, wire); }) {}
  std::uint64_t Opened() const { return opened_; }

 private:
  void Run(const std::stop_token& stop, const Wire& wire) {
    const Listener four(wire.peer, Wire::kPeer4, 80);
    const Listener six(wire.peer, Wire::kPeer6, 80);
    std::vector<std::pair<UniqueFd, UniqueFd>> held;
    constexpr std::size_t kHeld = 50;
    while (!stop.stop_requested()) {
      const bool ipv4 = opened_ % 2 == 0;
      UniqueFd client = Connect(wire.local, ipv4 ? Wire::kPeer4 : Wire::kPeer6, 80);
      UniqueFd server = (ipv4 ? four : six).Accept();
      ++opened_;
      if (opened_ % 5 == 0) {
        const linger now = {1, 0};
        ::setsockopt(client.Get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
      }
      if (opened_ % 3 == 0) {
        server.Reset();
      }
      held.emplace_back(std::move(client), std::move(server));
      if (held.size() == kHeld) {
        held.erase(held.begin(), held.begin() + kHeld / 2);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));  // a load, not a benchmark
    }
  }

  std::atomic<std::uint64_t> opened_ = 0;
  std::jthread thread_;
};

std::uint64_t ResidentKib(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) {
      return std::stoull(line.substr(6));
    }
  }
  return 0;
}

std::uint64_t OpenFilesOf(pid_t process) {
  std::uint64_t open = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd")) {
    ++open;
  }
  return open;
}

double Quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0
                        : values[std::min(values.size() - 1,
                                          static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

TEST(SoakTest, UnderChurnMemoryAndDescriptorsStayFlatAndNoScrapeIsMissed) {
  const Wire wire;
  wire.local.Shell(
      "iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP; "
      "ip6tables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  Program program(wire.local, {"--sampling.interval=1s"});
  Connections connections(wire);
  const Churn entries(wire.local, "sleep 0.7; conntrack -F");
  const Churn rules(
      wire.local,
      "sleep 0.3; iptables -I INPUT -s 198.51.100.1 -j DROP; nft add table inet t; "
      "nft 'add chain inet t c { type filter hook output priority 1; }'; nft add rule inet t c ct state "
      "invalid counter drop; sleep 0.3; iptables -D INPUT -s 198.51.100.1 -j DROP; nft delete table inet t");

  const auto start = Clock::now();
  const auto end = start + Length();
  std::vector<double> milliseconds;
  std::vector<std::uint64_t> resident;
  std::vector<std::uint64_t> files;
  std::uint64_t missed = 0;
  std::map<std::string, double> before;
  std::vector<std::string> backwards;
  const char* paths[] = {"/", "/api/v1/report", "/health", "/readyz", "/healthz"};
  for (std::size_t turn = 0; Clock::now() < end; ++turn) {
    const auto asked = Clock::now();
    const auto scrape =
        program.Get("/metrics", {{"Accept", turn % 2 == 0 ? "text/plain" : "application/openmetrics-text"}});
    milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - asked).count());
    missed += scrape.status == 200 ? 0 : 1;
    program.Get(paths[turn % std::size(paths)], {{"Accept-Encoding", "gzip"}});
    for (const auto& [name, value] : ParseSeries(scrape.body)) {
      if (name.substr(0, name.find('{')).ends_with("_total")) {
        double& last = before[name];
        if (value < last) {
          backwards.push_back(name);
        }
        last = value;
      }
    }
    resident.push_back(ResidentKib(program.Pid()) + ResidentKib(program.ReaderPid()));
    files.push_back(OpenFilesOf(program.Pid()) + OpenFilesOf(program.ReaderPid()));
    std::this_thread::sleep_until(asked + std::chrono::milliseconds(250));  // the pace of the scrapes, four a second
  }

  ASSERT_GT(resident.size(), 8U);
  // The first quarter is for warming up: from then on, whatever grows is a leak.
  const std::size_t warm = resident.size() / 4;
  const auto third_quarter = resident.begin() + static_cast<std::ptrdiff_t>(3 * warm);
  const std::uint64_t early = *std::max_element(resident.begin() + static_cast<std::ptrdiff_t>(warm),
                                                resident.begin() + static_cast<std::ptrdiff_t>(2 * warm));
  const std::uint64_t late = *std::max_element(third_quarter, resident.end());
  const auto [fewest, most] = std::minmax_element(files.begin() + static_cast<std::ptrdiff_t>(warm), files.end());
  const auto value = [&before](const char* name) { return before[name]; };
  const nlohmann::ordered_json figures = {
      {"seconds", std::chrono::duration_cast<seconds>(Clock::now() - start).count()},
      {"scrapes", milliseconds.size()},
      {"missed", missed},
      {"scrape_ms_p50", Quantile(milliseconds, 0.5)},
      {"scrape_ms_p99", Quantile(milliseconds, 0.99)},
      {"scrape_ms_max", Quantile(milliseconds, 1)},
      {"rss_kib_start", resident.front()},
      {"rss_kib_quarter", resident[warm]},
      {"rss_kib_half", resident[2 * warm]},
      {"rss_kib_end", resident.back()},
      {"rss_kib_max_second_quarter", early},
      {"rss_kib_max_last_quarter", late},
      {"files_min", *fewest},
      {"files_max", *most},
      {"connections", connections.Opened()},
      {"stuck", value("finwait_tcp_sockets_stuck_total{state=\"fin_wait_1\",cause=\"local_drop\"}") +
                    value("finwait_tcp_sockets_stuck_total{state=\"last_ack\",cause=\"local_drop\"}")},
      {"counters_that_went_back", backwards}};
  std::cout << "soak: " << figures.dump() << std::endl;

  EXPECT_EQ(missed, 0U);
  EXPECT_TRUE(backwards.empty()) << backwards.front();
  EXPECT_TRUE(kSanitized || late <= early + early / 8) << "memory grows";
  EXPECT_LE(*most - *fewest, 16U) << "descriptors leak";
  EXPECT_GT(connections.Opened(), 20U);
  EXPECT_EQ(program.Terminate(), 0);
}

}  // namespace
}  // namespace finwait::e2e
