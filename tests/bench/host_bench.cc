// What looking at a busy host costs: the kernel's own share (the floor), our collectors, and the tools that people use
// today, in turn within one process, so that ratios hold on a machine that does other things too. Everything happens in
// network namespaces of its own. Prints Markdown tables; docs/performance.md keeps them.
//
//   bench_host table [ENTRIES] [SOCKETS] [ROUNDS]   a conntrack table, joined with sockets (also 1/10 of them)
//   bench_host walk [ENTRIES] [ROUNDS]              a conntrack table, dumped and walked in the kernel; as root
//   bench_host sockets [SOCKETS] [ROUNDS]
//   bench_host rules [RULES] [ROUNDS]               kube-proxy's, by each of three backends
//   bench_host growth [MOST_ENTRIES]                our collectors over four sizes of each
//
// Beyond the default nf_conntrack_max only the initial namespace can make room: tools/bench.sh --full does.

#include <linux/inet_diag.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "collectors/kernel/socket_pass.h"
#include "collectors/kernel/tcp_state.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/netstat.h"
#include "collectors/sources/sockets.h"
#include "collectors/sources/sysctl.h"
#include "collectors/sources/tracking.h"
#include "collectors/witness/table_walker.h"
#include "tests/bench/contest.h"
#include "tests/bench/http_client.h"
#include "tests/bench/load/conntrack_fill.h"
#include "tests/bench/load/kube_rules.h"
#include "tests/bench/load/socket_farm.h"
#include "tests/bench/raw_dump.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::bench {
namespace {

constexpr std::uint32_t kEveryState = 0x1fff;  // as the sockets collector asks
constexpr char kTrackEverything[] =
    "nft 'table inet t { chain c { type filter hook output priority 0; ct state invalid drop; }; }'";

void Require(const Result<sources::Collected>& collected) {
  if (!collected) {
    throw std::runtime_error(collected.error().message);
  }
}

void Collect(sources::Collector& collector) { Require(collector.Collect(Deadline::After(std::chrono::seconds(120)))); }

std::uint32_t ClosingStates() {
  return KernelStateBit(kernel::TcpState::kFinWait1) | KernelStateBit(kernel::TcpState::kFinWait2) |
         KernelStateBit(kernel::TcpState::kClosing) | KernelStateBit(kernel::TcpState::kLastAck);
}

// A node exporter with the collectors that show what ours does, in the namespace, from its start to its end.
class NodeExporter {
 public:
  explicit NodeExporter(const lab::Namespace& where)
      : process_(where.Spawn({"prometheus-node-exporter", "--collector.disable-defaults", "--collector.tcpstat",
                              "--collector.conntrack", "--collector.sockstat", "--collector.netstat",
                              "--web.listen-address=127.0.0.1:" + std::to_string(kPort)})) {
    if (!lab::Eventually([&] {
          bool up = false;
          where.Run([&] { up = Scrape(); });
          return up;
        })) {
      Stop();
      throw std::runtime_error("prometheus-node-exporter does not answer; is it installed?");
    }
  }
  ~NodeExporter() { Stop(); }
  NodeExporter(const NodeExporter&) = delete;
  NodeExporter& operator=(const NodeExporter&) = delete;

  double CpuOfScrape() const {
    const double before = CpuSoFar(process_);
    if (!Scrape()) {
      throw std::runtime_error("prometheus-node-exporter no longer answers");
    }
    return CpuSoFar(process_) - before;
  }

 private:
  static bool Scrape() { return !HttpGet(kPort, "/metrics").empty(); }
  void Stop() const {
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
  }
  static constexpr std::uint16_t kPort = 9100;
  pid_t process_;
};

std::string Thousands(std::size_t count) {
  return count % 1000 == 0 ? std::to_string(count / 1000) + " k" : std::to_string(count);
}

// Asks for, or streams for, the entries of the first `count` live sockets.
double CpuOfJoin(const kernel::Host& host, std::size_t count, bool ask) {
  return CpuOfThread([&] {
    kernel::SocketTable live;
    if (const auto read = ReadSockets(host, kernel::kAllSocketStates, 0, Deadline::After(std::chrono::seconds(60)),
                                      kernel::Into(live));
        !read) {
      throw std::runtime_error(read.error().message);
    }
    live.Shorten(std::min(count, live.Size()));
    std::vector<std::size_t> positions;
    for (std::size_t i = 0; ask && i < live.Size(); ++i) {
      positions.push_back(i);
    }
    const Deadline deadline = Deadline::After(std::chrono::seconds(60));
    const bool done =
        ask ? bool(AskForEntries(host, positions, {}, deadline, live)) : bool(StreamEntries(host, deadline, live));
    if (!done) {
      throw std::runtime_error("the join failed");
    }
  });
}

void AddTable(Contest& contest, const kernel::Host& host) {
  contest.Add("raw receive", "", [] { return CpuOfThread([] { RawConntrackDump(); }); });
  contest.Add("conntrack_table", "raw receive", [&host] {
    sources::ConntrackTableCollector collector(host);
    return CpuOfThread([&] { Collect(collector); });
  });
}

// A table that holds still, read as with --sampling.table-walk, but within this thread: what it costs beside
// are two messages. The first collection is held against a dump, and the round that is thrown away looks for the table.
void RunWalk(std::size_t entries, int rounds) {
  const lab::Namespace alone;
  alone.Shell(std::string("ip link set lo up; ") + kTrackEverything);
  alone.Run([&] {
    FillConntrack(entries);
    const kernel::Host host = lab::HostHere();
    const auto walker = witness::TableWalker::Load(host.network_namespace.inode, host.procfs);
    if (!walker) {
      throw std::runtime_error(walker.error().message);
    }
    alone.Shell("bash -c 'echo x >/dev/udp/127.0.0.1/9'");  // a packet with an entry
    sources::ConntrackTableCollector walking(
        host, {}, sources::TranslatedFlows::kSkip,
        [&walker](const witness::LiveTimeouts& timeouts, Deadline deadline) -> Result<witness::WalkResult> {
          witness::WalkResult result = (*walker)->Walk(timeouts, deadline);
          if (result.kind != witness::WalkResult::Kind::kTold) {
            throw std::runtime_error("no walk: " + result.why);
          }
          return result;
        });
    Collect(walking);
    Contest contest("The table walked in the kernel: " + Thousands(entries) + " entries",
                    static_cast<double>(ConntrackCount()));
    AddTable(contest, host);
    contest.Add("conntrack_table, by the walk", "raw receive",
                [&walking] { return CpuOfThread([&] { Collect(walking); }); });
    contest.Run(std::min(rounds, sources::WalkTrust::kBetweenChecks - 1));
    contest.Print();
  });
}

void RunTable(std::size_t entries, std::size_t sockets, int rounds) {
  const lab::Namespace alone;
  alone.Shell(kTrackEverything);
  const SocketFarm farm(alone, sockets);
  alone.Run([&] {
    FillConntrack(entries);
    const kernel::Host host = lab::HostHere();
    Contest contest("Conntrack table: " + Thousands(ConntrackCount()) + " entries, " + Thousands(sockets) + " sockets",
                    static_cast<double>(ConntrackCount()));
    AddTable(contest, host);
    for (const std::size_t count : {sockets / 10, sockets}) {
      contest.Add("join of " + Thousands(count) + " sockets, asking", "raw receive",
                  [&host, count] { return CpuOfJoin(host, count, true); });
      contest.Add("join of " + Thousands(count) + " sockets, streaming", "raw receive",
                  [&host, count] { return CpuOfJoin(host, count, false); });
    }
    sources::TrackingCollector tracking(host);
    contest.Add("tracking, its choice", "raw receive", [&] { return CpuOfThread([&] { Collect(tracking); }); });
    contest.Add("conntrack -L", "raw receive", [] { return CpuOfProgram({"conntrack", "-L"}); });
    contest.Add("conntrack -L, counted by awk", "raw receive", [] {
      return CpuOfProgram(
          {"sh", "-c", "conntrack -L 2>/dev/null | awk '$1 == \"tcp\" {n[$4]++} END {for (s in n) print s, n[s]}'"});
    });
    contest.Run(rounds);
    contest.Print();
  });
}

void AddSockets(Contest& contest, const kernel::Host& host) {
  contest.Add("raw dump, all states", "", [] { return CpuOfThread([] { RawSocketDump(kEveryState, 0); }); });
  contest.Add("raw dump, closing states, tcp_info", "raw dump, all states",
              [] { return CpuOfThread([] { RawSocketDump(ClosingStates(), 1U << (INET_DIAG_INFO - 1)); }); });
  contest.Add("raw, both", "raw dump, all states", [] {
    return CpuOfThread([] {
      RawSocketDump(ClosingStates(), 1U << (INET_DIAG_INFO - 1));
      RawSocketDump(kEveryState, 0);
    });
  });
  contest.Add("sockets", "raw, both", [&host] {
    sources::SocketsCollector collector(host, Pacer(std::chrono::seconds(5), 1));  // the first look counts all
    return CpuOfThread([&] { Collect(collector); });
  });
}

void RunSockets(std::size_t sockets, int rounds) {
  const lab::Namespace alone;
  alone.Shell(kTrackEverything);
  const NodeExporter node_exporter(alone);
  const SocketFarm farm(alone, sockets);
  alone.Run([&] {
    const kernel::Host host = lab::HostHere();
    Contest contest("Sockets: " + Thousands(sockets), static_cast<double>(sockets));
    AddSockets(contest, host);
    sources::SocketsCollector between(host, Pacer(std::chrono::hours(24), 1));
    Collect(between);
    contest.Add("sockets, between two counts", "raw dump, closing states, tcp_info",
                [&] { return CpuOfThread([&] { Collect(between); }); });
    contest.Add("ss -Htan", "raw dump, all states", [] { return CpuOfProgram({"ss", "-Htan"}); });
    contest.Add("node_exporter, one scrape", "raw dump, all states", [&] { return node_exporter.CpuOfScrape(); });
    sources::NetstatCollector netstat(host);
    sources::SysctlCollector sysctl(host);
    contest.Add("netstat and sysctl", "raw dump, all states", [&] {
      return CpuOfThread([&] {
        Collect(netstat);
        Collect(sysctl);
      });
    });
    contest.Run(rounds);
    contest.Print();
  });
}

void AddRules(Contest& contest, const kernel::Host& host, Rules backend, sources::FirewallCollector& settled) {
  if (backend == Rules::kLegacy) {
    contest.Add("getsockopt, raw", "", [] {
      return CpuOfThread([] {
        RawLegacyTable("nat");
        RawLegacyTable("filter");
      });
    });
  } else {
    contest.Add("netlink, raw", "", [] { return CpuOfThread([] { RawNftRulesDump(); }); });
    contest.Add("generation id, raw", "netlink, raw", [] { return CpuOfThread([] { RawNftGeneration(); }); });
  }
  const std::string all = backend == Rules::kLegacy ? "getsockopt, raw" : "netlink, raw";
  contest.Add("firewall, first look", all, [&host] {
    sources::FirewallCollector collector(host);
    return CpuOfThread([&] { Collect(collector); });
  });
  contest.Add("firewall, nothing changed", all, [&settled] { return CpuOfThread([&] { Collect(settled); }); });
}

void RunRules(std::size_t rules, int rounds) {
  for (const finwait::bench::Rules backend : finwait::bench::kRulesBackends) {
    const lab::Namespace alone;
    LoadKubeRules(alone, backend, rules);
    alone.Run([&] {
      const kernel::Host host = lab::HostHere();
      Contest contest("Rules: " + Thousands(rules) + ", " + Name(backend), static_cast<double>(rules));
      sources::FirewallCollector settled(host);
      Collect(settled);
      AddRules(contest, host, backend, settled);
      const std::vector<std::string> tool =
          backend == Rules::kLegacy        ? std::vector<std::string>{"iptables-legacy-save", "-c"}
          : backend == Rules::kIptablesNft ? std::vector<std::string>{"iptables-nft-save", "-c"}
                                           : std::vector<std::string>{"nft", "-j", "list", "ruleset"};
      std::string name;
      for (const std::string& word : tool) {
        name += (name.empty() ? "" : " ") + word;
      }
      contest.Add(name, backend == Rules::kLegacy ? "getsockopt, raw" : "netlink, raw",
                  [&] { return CpuOfProgram(tool); });
      contest.Run(rounds);
      contest.Print();
    });
  }
}

void RunGrowth(std::size_t most_entries) {
  for (std::size_t entries = 1000; entries <= most_entries; entries *= 10) {
    const lab::Namespace alone;
    alone.Run([&] {
      FillConntrack(entries);
      const kernel::Host host = lab::HostHere();
      Contest contest("Growth: " + Thousands(entries) + " entries", static_cast<double>(entries));
      AddTable(contest, host);
      contest.Run(7);
      contest.Print();
    });
  }
  for (std::size_t sockets = 100; sockets <= 100'000; sockets *= 10) {
    const lab::Namespace alone;
    alone.Shell(kTrackEverything);
    const SocketFarm farm(alone, sockets);
    alone.Run([&] {
      const kernel::Host host = lab::HostHere();
      Contest contest("Growth: " + std::to_string(sockets) + " sockets", static_cast<double>(sockets));
      AddSockets(contest, host);
      sources::TrackingCollector tracking(host);
      contest.Add("tracking", "raw dump, all states", [&] { return CpuOfThread([&] { Collect(tracking); }); });
      contest.Run(7);
      contest.Print();
    });
  }
  for (const std::size_t rules : {100, 1000, 10'000, 50'000}) {
    for (const finwait::bench::Rules backend : finwait::bench::kRulesBackends) {
      const lab::Namespace alone;
      LoadKubeRules(alone, backend, rules);
      alone.Run([&] {
        const kernel::Host host = lab::HostHere();
        Contest contest("Growth: " + Thousands(rules) + " rules, " + Name(backend), static_cast<double>(rules));
        sources::FirewallCollector settled(host);
        Collect(settled);
        AddRules(contest, host, backend, settled);
        contest.Run(5);
        contest.Print();
      });
    }
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
    if (mode == "table") {
      finwait::bench::RunTable(count(2, 200'000), count(3, 10'000), number(4, 11));
    } else if (mode == "walk") {
      finwait::bench::RunWalk(count(2, 200'000), number(3, 7));
    } else if (mode == "sockets") {
      finwait::bench::RunSockets(count(2, 100'000), number(3, 11));
    } else if (mode == "rules") {
      finwait::bench::RunRules(count(2, 50'000), number(3, 7));
    } else if (mode == "growth") {
      finwait::bench::RunGrowth(count(2, 100'000));
    } else {
      std::fprintf(stderr, "usage: %s table | walk | sockets | rules | growth, see the head of host_bench.cc\n",
                   argv[0]);
      return 2;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
  return 0;
}
