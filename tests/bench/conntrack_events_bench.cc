// What listening to conntrack's DESTROY events costs a host that opens and closes connections, and how large a burst of
// expiries the listener takes without a loss. Everything happens in network namespaces of its own. CPU time is this
// process's, its work in the kernel and the listener's thread included, so that other load disturbs it little.
//
//   bench_conntrack_events churn [ROUNDS] [CONNECTIONS]   rounds of every arm, interleaved, and connections a round
//   bench_conntrack_events sustained [ROUNDS] [RATE] [SECONDS]   RATE connections a second, held for SECONDS an arm
//   bench_conntrack_events burst [ENTRIES]                entries that expire at once

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "collectors/kernel/conntrack_event_filter.h"
#include "collectors/kernel/expiry_listener.h"
#include "collectors/kernel/netlink/event_socket.h"
#include "collectors/kernel/procfs.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint16_t kPort = 80;

double ProcessCpuSeconds() {
  timespec now = {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

void Check(bool ok, const char* what) {
  if (!ok) {
    throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  }
}

// Never pauses.
kernel::ListeningLimits Unbounded() {
  kernel::ListeningLimits limits;
  limits.core_share = 1e3;
  return limits;
}

std::uint64_t EntriesHere() {
  return kernel::ReadProcfsUnsigned("/proc/sys/net/netfilter/nf_conntrack_count").value_or(0);
}

// Conntrack collects what has expired as a dump comes across it: done here, so that the cost is in our own account.
void CollectExpired(const kernel::Host& host) {
  auto channel = host.open_channel(NETLINK_NETFILTER);
  kernel::netlink::FunctionSink sink([] {}, [](const kernel::netlink::Message&) -> Result<void> { return {}; });
  kernel::netlink::Request request(kernel::netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
  request.Header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0});
  Check(channel && channel->Dump(std::move(request), "dump", Deadline::After(seconds(60)), sink), "dump the table");
}

struct Spread {
  double low, median, high;  // quartiles
};
Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
  };
  return {at(0.25), at(0.5), at(0.75)};
}

// Reads all DESTROY events and throws them away: what a listener without a filter in the kernel costs.
class UnfilteredListener {
 public:
  explicit UnfilteredListener(const kernel::Host& host)
      : events_(*host.open_events({NETLINK_NETFILTER, {NFNLGRP_CONNTRACK_DESTROY}, {}, 16 * 1024 * 1024})),
        thread_([this](const std::stop_token& stop) {
          while (*events_->Wait(stop, SteadyClock::time_point::max())) {
            for (auto next = events_->Next(); !next || *next; next = events_->Next()) {
            }
          }
        }) {}

 private:
  std::unique_ptr<kernel::netlink::EventSource> events_;
  std::jthread thread_;
};

// Opens a connection to a listener on the other end of the wire, and closes both ends.
void OpenAndClose(int listener) {
  sockaddr_in peer = {};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(kPort);
  ::inet_pton(AF_INET, lab::Wire::kPeer4, &peer.sin_addr);
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Check(::connect(client.Get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) == 0, "connect");
  UniqueFd server(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  Check(bool(server), "accept");
  server.Reset();
  char byte = 0;
  Check(::read(client.Get(), &byte, 1) == 0, "read the end");
}

struct Round {
  double open_and_close = 0;  // CPU microseconds a connection
  double collect = 0;
  double rate = 0;  // connections a second of wall time
  double Total() const { return open_and_close + collect; }
};

// Both ends of a connection in this thread: over a veth pair every packet is carried within the system call.
Round Churn(const kernel::Host& host, int listener, int connections) {
  Round round;
  const auto start = SteadyClock::now();
  const double cpu_start = ProcessCpuSeconds();
  for (int i = 0; i < connections; ++i) {
    OpenAndClose(listener);
  }
  const double cpu_opened = ProcessCpuSeconds();
  round.rate = connections / SecondsSince(start);
  round.open_and_close = 1e6 * (cpu_opened - cpu_start) / connections;
  std::this_thread::sleep_for(milliseconds(1200));  // the entries' timeout
  const double cpu_waited = ProcessCpuSeconds();
  CollectExpired(host);
  round.collect = 1e6 * (ProcessCpuSeconds() - cpu_waited) / connections;
  while (EntriesHere() > 0) {
    std::this_thread::sleep_for(milliseconds(100));
    CollectExpired(host);
  }
  return round;
}

// A namespace whose entries end a second after their connections, and a listener on the other end of its wire.
UniqueFd PrepareChurn(const lab::Wire& wire) {
  wire.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  wire.local.Sysctl("net.ipv4.ip_local_port_range", "1024 65535");
  wire.peer.Sysctl("net.ipv4.tcp_max_tw_buckets", "0");
  for (const char* state : {"fin_wait", "close_wait", "last_ack", "time_wait", "close"}) {
    wire.local.Sysctl(std::string("net.netfilter.nf_conntrack_tcp_timeout_") + state, "1");
  }
  UniqueFd listener;
  wire.peer.Run([&] {
    listener = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    any.sin_port = htons(kPort);
    Check(::bind(listener.Get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0, "bind");
    Check(::listen(listener.Get(), 128) == 0, "listen");
  });
  return listener;
}

void RunChurn(int rounds, int connections) {
  const lab::Wire wire;
  const UniqueFd listener = PrepareChurn(wire);
  enum Arm { kNobody, kOurs, kUnfiltered, kNobodyAgain, kArms };
  constexpr const char* kNames[kArms] = {"nobody listens", "conntrack_events", "unfiltered", "nobody, again"};
  std::vector<Round> results[kArms];
  wire.local.Run([&] {
    const kernel::Host host = lab::HostHere();
    Churn(host, listener.Get(), connections);  // warm up
    for (int i = 0; i < rounds; ++i) {
      for (int step = 0; step < kArms; ++step) {
        const int arm = (i % 2 == 0) ? step : kArms - 1 - step;
        std::unique_ptr<kernel::ExpiryListener> ours;
        std::unique_ptr<UnfilteredListener> unfiltered;
        if (arm == kOurs) {
          ours = std::move(*kernel::ExpiryListener::Start(host, {}, Unbounded(), Deadline::After(seconds(5))));
        } else if (arm == kUnfiltered) {
          unfiltered = std::make_unique<UnfilteredListener>(host);
        }
        results[arm].push_back(Churn(host, listener.Get(), connections));
      }
    }
  });
  std::printf("%d rounds of %d connections; medians with quartiles\n", rounds, connections);
  std::printf("%-18s %22s %22s %20s\n", "", "CPU us a connection", "of it for collecting", "connections/s");
  for (int arm = 0; arm < kArms; ++arm) {
    std::vector<double> total, collect, rate;
    for (const Round& round : results[arm]) {
      total.push_back(round.Total());
      collect.push_back(round.collect);
      rate.push_back(round.rate);
    }
    const Spread t = SpreadOf(total), c = SpreadOf(collect), r = SpreadOf(rate);
    std::printf("%-18s %6.2f (%5.2f..%5.2f)   %6.2f (%5.2f..%5.2f) %7.0f (%.0f..%.0f)\n", kNames[arm], t.median, t.low,
                t.high, c.median, c.low, c.high, r.median, r.low, r.high);
  }
  std::printf("against \"nobody listens\" of the same round:\n");
  for (int arm = 1; arm < kArms; ++arm) {
    std::vector<double> added, percent, rate;
    for (std::size_t i = 0; i < results[arm].size(); ++i) {
      const Round& base = results[kNobody][i];
      added.push_back(results[arm][i].Total() - base.Total());
      percent.push_back(100 * (results[arm][i].Total() / base.Total() - 1));
      rate.push_back(100 * (results[arm][i].rate / base.rate - 1));
    }
    const Spread a = SpreadOf(added), p = SpreadOf(percent), r = SpreadOf(rate);
    std::printf(
        "%-18s %+6.2f us (%+.2f..%+.2f) = %+.1f %% (%+.1f..%+.1f) CPU, %+.1f %% (%+.1f..%+.1f) rate; "
        "at 20000/s %+.2f %% of a core\n",
        kNames[arm], a.median, a.low, a.high, p.median, p.low, p.high, r.median, r.low, r.high, a.median * 20000 / 1e4);
  }
}

// Holds a rate of connections, collecting every half second what has expired, and tells what it took.
class Load {
 public:
  Load(const kernel::Host& host, int listener, double rate) : host_(host), listener_(listener), rate_(rate) {}

  struct Taken {
    double cpu = 0;  // seconds
    double wall = 0;
    double connections = 0;
    double CoreAt(double rate) const { return connections > 0 ? cpu / connections * rate : 0; }  // share of a core
    void Add(const Taken& more) {
      cpu += more.cpu;
      wall += more.wall;
      connections += more.connections;
    }
  };

  // Half a second of it.
  Taken Step() {
    constexpr double kStep = 0.5;
    const auto start = SteadyClock::now();
    const double cpu = ProcessCpuSeconds();
    Taken taken;
    while (SecondsSince(start) < kStep) {
      if (taken.connections < SecondsSince(start) * rate_) {
        OpenAndClose(listener_);
        ++taken.connections;
      } else {
        std::this_thread::sleep_for(milliseconds(1));
      }
    }
    CollectExpired(host_);
    taken.cpu = ProcessCpuSeconds() - cpu;
    taken.wall = SecondsSince(start);
    return taken;
  }
  Taken For(double length) {
    Taken taken;
    while (taken.wall < length) {
      taken.Add(Step());
    }
    return taken;
  }

 private:
  const kernel::Host& host_;
  int listener_;
  double rate_;
};

// The listener as it ships: whole cycles of listening and pausing, from the start of a pause to that of another.
struct ShippedRun {
  Load::Taken all;
  Load::Taken listening;
  Load::Taken paused;
  double paused_share = 0;
};
ShippedRun RunShipped(const kernel::Host& host, Load& load, double at_least_seconds) {
  const auto listener = std::move(*kernel::ExpiryListener::Start(host, {}, {}, Deadline::After(seconds(5))));
  while (listener->Counts().losses == 0) {  // the reserve is to be spent first
    load.Step();
  }
  ShippedRun run;
  kernel::ExpiryCounts before = listener->Counts();
  const kernel::ExpiryCounts start = before;
  for (bool over = false; !over;) {
    const Load::Taken step = load.Step();
    const kernel::ExpiryCounts now = listener->Counts();
    if (now.paused == before.paused) {
      run.listening.Add(step);
    } else if (now.paused - before.paused > milliseconds(400)) {
      run.paused.Add(step);
    }
    run.all.Add(step);
    over = run.all.wall >= at_least_seconds && now.losses > before.losses;
    before = now;
  }
  run.paused_share = std::chrono::duration<double>(before.paused - start.paused).count() / run.all.wall;
  return run;
}

void RunSustained(int rounds, int rate, int length) {
  const lab::Wire wire;
  const UniqueFd listener = PrepareChurn(wire);
  // Per round, in % of a core at that rate.
  std::vector<double> achieved, nobody, unbounded, shipped, listening, paused, share;
  wire.local.Run([&] {
    const kernel::Host host = lab::HostHere();
    Load load(host, listener.Get(), rate);
    constexpr double kSettle = 1.5;  // until the entries that were made before are gone
    for (int i = 0; i < rounds; ++i) {
      // Blocks of a few seconds in turn, as what else the machine does changes from one to the next.
      Load::Taken without;
      Load::Taken with;
      while (with.wall < length / 2.0) {
        load.For(kSettle);
        without.Add(load.For(3));
        const auto ours = std::move(*kernel::ExpiryListener::Start(host, {}, Unbounded(), Deadline::After(seconds(5))));
        load.For(kSettle);
        with.Add(load.For(3));
      }
      const ShippedRun ours = RunShipped(host, load, length);
      const auto percent = [&](const Load::Taken& taken) { return 100 * taken.CoreAt(rate); };
      achieved.push_back(ours.all.connections / ours.all.wall);
      nobody.push_back(percent(without));
      unbounded.push_back(percent(with) - percent(without));
      shipped.push_back(percent(ours.all) - percent(ours.paused));
      listening.push_back(percent(ours.listening) - percent(ours.paused));
      paused.push_back(percent(ours.paused) - percent(without));
      share.push_back(100 * (1 - ours.paused_share));
      std::printf(
          "round %d: nobody %.1f %%, unbounded %+.2f %%; as shipped, against its pauses: %+.2f %%, while it listens "
          "%+.2f %%; its pauses against nobody %+.2f %%; %.0f connections/s, it listened %.0f %% of %.0f s\n",
          i + 1, nobody.back(), unbounded.back(), shipped.back(), listening.back(), paused.back(), achieved.back(),
          share.back(), ours.all.wall);
      std::fflush(stdout);
    }
  });
  std::printf("medians with quartiles; %% of a core at %d connections a second\n", rate);
  const auto print = [](const char* name, const std::vector<double>& values) {
    const Spread spread = SpreadOf(values);
    std::printf("%-46s %8.2f (%.2f..%.2f)\n", name, spread.median, spread.low, spread.high);
  };
  print("nobody listens, both ends and all", nobody);
  print("unbounded, against nobody", unbounded);
  print("as shipped, against its pauses", shipped);
  print("as shipped while it listens, against its pauses", listening);
  print("its pauses, against nobody", paused);
  print("connections a second, as shipped", achieved);
  print("% of the time that it listened", share);
}

// ESTABLISHED entries between addresses of nobody's, made without packets, with one second to live.
void MakeEntries(int entries) {
  nfct_handle* handle = nfct_open(CONNTRACK, 0);
  Check(handle != nullptr, "nfct_open");
  for (int i = 0; i < entries; ++i) {
    nf_conntrack* entry = nfct_new();
    nfct_set_attr_u8(entry, ATTR_L3PROTO, AF_INET);
    nfct_set_attr_u8(entry, ATTR_L4PROTO, IPPROTO_TCP);
    nfct_set_attr_u32(entry, ATTR_IPV4_SRC, htonl(0xc6336400U + static_cast<unsigned>(i) / 60000));  // 198.51.100.0/24
    nfct_set_attr_u32(entry, ATTR_IPV4_DST, htonl(0xc0000202U));
    nfct_set_attr_u16(entry, ATTR_PORT_SRC, htons(static_cast<std::uint16_t>(1024 + i % 60000)));
    nfct_set_attr_u16(entry, ATTR_PORT_DST, htons(kPort));
    nfct_setobjopt(entry, NFCT_SOPT_SETUP_REPLY);
    nfct_set_attr_u8(entry, ATTR_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
    nfct_set_attr_u32(entry, ATTR_TIMEOUT, 1);
    nfct_set_attr_u32(entry, ATTR_STATUS, IPS_CONFIRMED | IPS_ASSURED | IPS_SEEN_REPLY);
    Check(nfct_query(handle, NFCT_Q_CREATE, entry) == 0, "make an entry");
    nfct_destroy(entry);
  }
  nfct_close(handle);
}

void RunBurst(int entries) {
  const lab::Namespace alone;
  alone.Run([&] {
    const kernel::Host host = lab::HostHere();
    for (const bool drained_by_thread : {true, false}) {
      const kernel::netlink::Subscription subscription = {NETLINK_NETFILTER,
                                                          {NFNLGRP_CONNTRACK_DESTROY},
                                                          kernel::LiveExpiryFilter(),
                                                          kernel::ExpiryListener::kReceiveBuffer};
      std::unique_ptr<kernel::ExpiryListener> listener;
      std::unique_ptr<kernel::netlink::EventSource> idle;
      if (drained_by_thread) {
        listener = std::move(*kernel::ExpiryListener::Start(host, {}, Unbounded(), Deadline::After(seconds(5))));
      } else {
        idle = std::move(*host.open_events(subscription));
      }
      MakeEntries(entries);
      std::this_thread::sleep_for(milliseconds(1200));
      const auto start = SteadyClock::now();
      const double cpu = ProcessCpuSeconds();
      while (EntriesHere() > 0) {
        CollectExpired(host);
      }
      const double collected = SecondsSince(start);
      std::uint64_t counted = 0;
      std::uint64_t losses = 0;
      if (drained_by_thread) {
        for (std::uint64_t before = ~0ULL; counted != before; std::this_thread::sleep_for(milliseconds(50))) {
          before = counted;
          const kernel::ExpiryCounts counts = listener->Counts();
          counted = counts.expired[0][0] + counts.expired[0][1];
          losses = counts.losses;
        }
      } else {
        for (auto next = idle->Next(); !next || *next; next = idle->Next()) {
          ++(next ? counted : losses);
        }
      }
      std::printf("%-34s %d expired within %.2f s: %llu heard, %llu overruns; %.2f us CPU each\n",
                  drained_by_thread ? "drained by a thread:" : "left in the buffer until a look:", entries, collected,
                  static_cast<unsigned long long>(counted), static_cast<unsigned long long>(losses),
                  1e6 * (ProcessCpuSeconds() - cpu) / entries);
    }
  });
}

}  // namespace
}  // namespace finwait::bench

int main(int argc, char** argv) {
  finwait::lab::RequireLab(argc, argv);
  const std::string mode = argc > 1 ? argv[1] : "";
  const auto number = [&](int position, int otherwise) {
    return argc > position ? std::atoi(argv[position]) : otherwise;
  };
  if (mode == "churn") {
    finwait::bench::RunChurn(number(2, 20), number(3, 20000));
  } else if (mode == "sustained") {
    finwait::bench::RunSustained(number(2, 4), number(3, 20000), number(4, 60));
  } else if (mode == "burst") {
    finwait::bench::RunBurst(number(2, 100000));
  } else {
    std::fprintf(stderr,
                 "usage: %s churn [ROUNDS] [CONNECTIONS] | sustained [ROUNDS] [RATE] [SECONDS] | burst [ENTRIES]\n",
                 argv[0]);
    return 2;
  }
  return 0;
}
