// What one call of each hot path costs, without the kernel: decoding, joining, evaluating, rendering. The input is the
// kernel's own, recorded before from a namespace with 20,000 entries, 10,000 sockets and 10,000 kube-proxy rules.
//
//   bench_micro [--benchmark_filter=REGEX] [--benchmark_repetitions=N]   and Google Benchmark's other options

#include <benchmark/benchmark.h>
#include <linux/inet_diag.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/kernel/conntrack_entry.h"
#include "collectors/kernel/decode_socket.h"
#include "collectors/kernel/socket_dump.h"
#include "collectors/kernel/socket_index.h"
#include "collectors/kernel/socket_pass.h"
#include "collectors/sources/registry.h"
#include "collectors/sources/sockets.h"
#include "exporter/diagnosis/diagnostician.h"
#include "exporter/diagnosis/evaluation_rounds.h"
#include "exporter/diagnosis/path_results.h"
#include "exporter/http/gzip.h"
#include "exporter/report/report.h"
#include "exporter/scheduling/sampler.h"
#include "exporter/views/exposition.h"
#include "exporter/views/json.h"
#include "exporter/views/metrics/metrics.h"
#include "tests/bench/load/conntrack_fill.h"
#include "tests/bench/load/kube_rules.h"
#include "tests/bench/load/socket_farm.h"
#include "tests/lab/host.h"
#include "tests/soon.h"

namespace finwait::bench {
namespace {

constexpr std::uint32_t kEveryState = 0x1fff;  // as the sockets collector asks

template <typename T>
T Value(Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
  return std::move(*result);
}

// Messages as they came, to be decoded again and again.
class Recording : public kernel::netlink::MessageSink {
 public:
  void Restart() override { messages_.clear(); }
  Result<void> OnMessage(const kernel::netlink::Message& message) override {
    messages_.push_back({message.type, {message.payload.begin(), message.payload.end()}});
    return {};
  }
  /// One after the other, without end.
  kernel::netlink::Message Next() {
    at_ = at_ + 1 < messages_.size() ? at_ + 1 : 0;
    return {messages_[at_].type, messages_[at_].payload};
  }

 private:
  struct Kept {
    std::uint16_t type;
    std::vector<std::byte> payload;
  };
  std::vector<Kept> messages_;
  std::size_t at_ = 0;
};

// What all benchmarks work on.
struct Input {
  Recording entries;
  Recording sockets;
  Recording sockets_with_info;
  kernel::SocketTable live;
  std::shared_ptr<const diagnosis::Diagnosis> diagnosis;
  std::shared_ptr<const firewall::Ruleset> rules;
  std::shared_ptr<firewall::facts::Resolver> resolver;

  explicit Input(const kernel::Host& host) : resolver(std::make_shared<firewall::read::FactResolver>(host)) {
    auto channel = Value(host.open_channel(NETLINK_NETFILTER));
    kernel::netlink::Request request(kernel::netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
    request.Header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0});
    Value(channel.Dump(std::move(request), "record", Soon(), entries));
    for (auto [recording, extensions] :
         {std::pair(&sockets, std::uint8_t{0}), {&sockets_with_info, kernel::kWithTcpInfo}}) {
      if (auto dumped = DumpTcpSockets(host, AF_INET, kEveryState, extensions, Soon(), *recording); !dumped) {
        throw std::runtime_error(dumped.error().message);
      }
    }
    Value(ReadSockets(host, kernel::kAllSocketStates, 0, Soon(), kernel::Into(live)));
    std::vector<scheduling::EnabledCollector> collectors;
    for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
      collectors.push_back({&info, info.make(host, sources::CollectorSettings())});
    }
    const auto snapshot = CollectOnce(host.network_namespace, std::move(collectors), std::chrono::seconds(30));
    diagnosis::Diagnostician diagnostician(resolver);
    diagnosis = diagnostician.Diagnose(snapshot, SteadyClock::now(), scheduling::WallClock::now());
    const auto* firewall = snapshot->Find<sources::FirewallSample>();
    if (firewall == nullptr) {
      throw std::runtime_error("the rules cannot be read");
    }
    rules = firewall->ruleset;
  }
};

void Register(Input& input) {
  benchmark::RegisterBenchmark("decode a conntrack entry", [&](benchmark::State& state) {
    for (auto _ : state) {
      benchmark::DoNotOptimize(kernel::DecodeConntrackEntry(input.entries.Next()));
    }
  });
  benchmark::RegisterBenchmark("decode a conntrack entry and its tuples", [&](benchmark::State& state) {
    for (auto _ : state) {
      const auto entry = kernel::DecodeConntrackEntry(input.entries.Next());
      benchmark::DoNotOptimize(kernel::DecodeConntrackTuple((*entry)->original));
      benchmark::DoNotOptimize(kernel::DecodeConntrackTuple((*entry)->reply));
    }
  });
  benchmark::RegisterBenchmark("decode a socket", [&](benchmark::State& state) {
    for (auto _ : state) {
      benchmark::DoNotOptimize(kernel::DecodeSocket(input.sockets.Next().payload));
    }
  });
  benchmark::RegisterBenchmark("decode a socket with tcp_info", [&](benchmark::State& state) {
    for (auto _ : state) {
      benchmark::DoNotOptimize(kernel::DecodeSocket(input.sockets_with_info.Next().payload));
    }
  });

  // As a streamed table goes past the sockets.
  benchmark::RegisterBenchmark("join: one entry with 10,000 sockets", [&](benchmark::State& state) {
    const kernel::SocketIndex index(input.live);
    for (auto _ : state) {
      const auto entry = kernel::DecodeConntrackEntry(input.entries.Next());
      for (const kernel::netlink::Bytes direction : {(*entry)->original, (*entry)->reply}) {
        if (const auto tuple = kernel::DecodeConntrackTuple(direction)) {
          benchmark::DoNotOptimize(index.Find(tuple->source, tuple->destination));
        }
      }
    }
  });
  benchmark::RegisterBenchmark("join: the index, each socket", [&](benchmark::State& state) {
    for (auto _ : state) {
      benchmark::DoNotOptimize(kernel::SocketIndex(input.live));
    }
    state.counters["each"] =
        benchmark::Counter(static_cast<double>(input.live.Size()),
                           benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  });
  benchmark::RegisterBenchmark("pack and unpack a live socket", [&](benchmark::State& state) {
    kernel::SocketTable list = {input.live[0]};
    std::size_t i = 0;
    for (auto _ : state) {
      list.Shorten(0);
      list.Add(input.live[i]);
      i = i + 1 < input.live.Size() ? i + 1 : 0;
    }
    benchmark::DoNotOptimize(list);
  });

  benchmark::RegisterBenchmark("evaluate the general paths of IPv4, rules read again", [&](benchmark::State& state) {
    for (auto _ : state) {
      diagnosis::CloseEvaluator evaluator(input.rules, diagnosis::EvaluationSettings{true, {true, true}}, nullptr);
      EvaluateInRounds(evaluator, input.resolver.get(),
                       [&] { benchmark::DoNotOptimize(EvaluatePaths(evaluator.Packets(), IpFamily::kIpv4)); });
    }
  });
  benchmark::RegisterBenchmark("judge the representative connection's FIN", [&](benchmark::State& state) {
    diagnosis::CloseEvaluator evaluator(input.rules, diagnosis::EvaluationSettings{true, {true, true}}, nullptr);
    for (auto _ : state) {
      benchmark::DoNotOptimize(evaluator.Packets().General(IpFamily::kIpv4, firewall::eval::PathKind::kLocal,
                                                           firewall::eval::PacketKind::kFin));
    }
  });
  benchmark::RegisterBenchmark("judge a close through 10,000 nat rules", [&](benchmark::State& state) {
    diagnosis::CloseEvaluator evaluator(input.rules, diagnosis::EvaluationSettings{true, {true, true}}, nullptr);
    const auto ask = [&](std::size_t i) {
      kernel::TcpSocket socket = input.live[i];
      socket.peer.address = *IpAddress::Parse("203.0.113.9");  // not loopback, and no service's
      EvaluateInRounds(evaluator, input.resolver.get(), [&] {
        benchmark::DoNotOptimize(
            evaluator.Packets().TranslationOf(diagnosis::ConnectionByEnds(diagnosis::ListedSocket(socket)), nullptr));
      });
    };
    // The first question about each local address reads and runs through what later ones have an answer to.
    constexpr std::size_t kWarm = 100;
    for (std::size_t i = 0; i < kWarm; ++i) {
      ask(i);
    }
    std::size_t i = 0;
    for (auto _ : state) {
      ask(i);
      i = i + 1 < kWarm ? i + 1 : 0;
    }
  });

  benchmark::RegisterBenchmark("metric families of a diagnosis", [&](benchmark::State& state) {
    for (auto _ : state) {
      benchmark::DoNotOptimize(views::metrics::MetricFamilies(*input.diagnosis, true));
    }
  });
  for (const auto& [name, format] : {std::pair("exposition, text", views::ExpositionFormat::kText),
                                     {"exposition, OpenMetrics", views::ExpositionFormat::kOpenMetrics}}) {
    benchmark::RegisterBenchmark(name, [&input, form = format](benchmark::State& state) {
      const auto families = views::metrics::MetricFamilies(*input.diagnosis, true);
      std::size_t bytes = 0;
      for (auto _ : state) {
        const std::string text = RenderFamilies(families, form);
        bytes = text.size();
        benchmark::DoNotOptimize(text.data());
      }
      state.counters["bytes"] = static_cast<double>(bytes);
    });
  }
  benchmark::RegisterBenchmark("gzip of the exposition", [&](benchmark::State& state) {
    const std::string text =
        RenderFamilies(views::metrics::MetricFamilies(*input.diagnosis, true), views::ExpositionFormat::kText);
    std::size_t bytes = 0;
    for (auto _ : state) {
      const auto compressed = http::Gzip(text);
      bytes = compressed->size();
    }
    state.counters["bytes"] = static_cast<double>(bytes);
  });
  benchmark::RegisterBenchmark("the report as JSON", [&](benchmark::State& state) {
    const auto report = report::MakeReport(input.diagnosis);
    for (auto _ : state) {
      benchmark::DoNotOptimize(ReportJson(*report, views::Details::kShow));
    }
  });
}

void Run() {
  constexpr std::size_t kEntries = 20'000;
  constexpr std::size_t kSockets = 10'000;
  constexpr std::size_t kRules = 10'000;
  const lab::Namespace alone;
  alone.Shell("nft 'table inet t { chain c { type filter hook output priority 0; ct state invalid drop; }; }'");
  const SocketFarm farm(alone, kSockets);
  alone.Run([&] { FillConntrack(kEntries); });
  LoadKubeRules(alone, Rules::kIptablesNft, kRules);
  alone.Run([&] {
    Input input(lab::HostHere());
    Register(input);
    benchmark::RunSpecifiedBenchmarks();
  });
}

}  // namespace
}  // namespace finwait::bench

int main(int argc, char** argv) {
  finwait::lab::RequireLab(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  try {
    finwait::bench::Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
  return 0;
}
