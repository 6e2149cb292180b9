// What evaluating live sockets costs where it costs most: none was ever seen with its conntrack entry, so that each
// must be taken through the nat chains, in both directions; and nothing drops its FIN, so that no shorter way decides.
// The rules are kube-proxy's, the sockets' addresses all differ. Prints a Markdown table; docs/performance.md keeps it.
//
//   bench_evaluation [SOCKETS] [RULES]

#include <malloc.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/sources/firewall.h"
#include "exporter/diagnosis/evaluation_rounds.h"
#include "tests/bench/contest.h"
#include "tests/bench/load/kube_rules.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::bench {
namespace {

constexpr std::uint16_t kServicePort = 443;

// Half of them to a service's port elsewhere, half of clients to a port here.
std::vector<kernel::TcpSocket> MakeSockets(std::size_t count) {
  std::vector<kernel::TcpSocket> sockets(count);
  for (std::size_t i = 0; i < count; ++i) {
    kernel::TcpSocket& socket = sockets[i];
    socket.cookie = i + 1;
    const std::string there =
        "10." + std::to_string(i / 62500) + "." + std::to_string(i / 250 % 250) + "." + std::to_string(1 + i % 250);
    const bool client = i % 2 == 0;
    socket.local = *Endpoint::Parse("192.0.2.1:" + std::to_string(client ? 20000 + i % 40000 : 8080));
    socket.peer = *Endpoint::Parse(there + ":" + std::to_string(client ? kServicePort : 20000 + i % 40000));
  }
  return sockets;
}

std::shared_ptr<const firewall::Ruleset> ReadRules(const kernel::Host& host) {
  sources::FirewallCollector collector(host);
  auto collected = collector.Collect(Deadline::After(std::chrono::seconds(120)));
  if (!collected) {
    throw std::runtime_error(collected.error().message);
  }
  return dynamic_cast<const sources::FirewallSample&>(*collected->data).ruleset;
}

// The sockets are made up: the kernel is asked for each all the same, and its answer (none) is replaced by a plain one.
class ResolverOfMadeUpSockets : public firewall::read::FactResolver {
 public:
  using FactResolver::FactResolver;
  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override {
    FactResolver::Resolve(needs, store);
    for (const firewall::facts::Need& need : needs) {
      if (const auto* key = std::get_if<firewall::facts::SocketKey>(&need)) {
        firewall::facts::Socket plain;
        plain.mark = 0;
        plain.opened_here = key->peer.port == kServicePort;
        store.Put(need, firewall::facts::Fact::Present(plain));
      }
    }
  }
};

void Run(Rules backend, const std::vector<kernel::TcpSocket>& sockets, std::size_t rules) {
  const lab::Namespace alone;
  LoadKubeRules(alone, backend, rules);
  alone.Shell("ip link set lo up; ip link add veth0 type veth peer name veth1; ip address add 192.0.2.1/24 dev veth0");
  alone.Shell("ip link set veth0 up; ip link set veth1 up; ip route add default via 192.0.2.2");
  alone.Shell(backend == Rules::kLegacy        ? "iptables-legacy -D OUTPUT -m conntrack --ctstate INVALID -j DROP"
              : backend == Rules::kIptablesNft ? "iptables-nft -D OUTPUT -m conntrack --ctstate INVALID -j DROP"
                                               : "nft flush chain ip kube-proxy filter-output");
  alone.Run([&] {
    const kernel::Host host = lab::HostHere();
    const auto ruleset = ReadRules(host);
    const std::size_t held_before = ::mallinfo2().uordblks;
    ResolverOfMadeUpSockets resolver(host);
    diagnosis::CloseEvaluator evaluator(ruleset, diagnosis::EvaluationSettings{true, {true, true}}, nullptr);
    const double first = CpuOfThread(
        [&] { EvaluateInRounds(evaluator, &resolver, [&] { evaluator.FateOf(sockets.front(), nullptr); }); });
    std::array<std::size_t, 5> fates = {};
    const double all = CpuOfThread([&] {
      EvaluateInRounds(evaluator, &resolver, [&] {
        fates = {};
        for (const kernel::TcpSocket& socket : sockets) {
          ++fates[static_cast<std::size_t>(evaluator.FateOf(socket, nullptr))];
        }
      });
    });
    const double again = CpuOfThread([&] {
      for (const kernel::TcpSocket& socket : sockets) {
        evaluator.FateOf(socket, nullptr);
      }
    });
    const double held = static_cast<double>(::mallinfo2().uordblks) - static_cast<double>(held_before);
    std::printf("| %s | %.0f | %.1f | %.1f | %.1f | %.1f | %zu, %zu |\n", Name(backend), 1e3 * first,
                1e6 * all / static_cast<double>(sockets.size()), all, 1e6 * again / static_cast<double>(sockets.size()),
                held / 1e6, fates[static_cast<std::size_t>(diagnosis::Fate::kClean)],
                fates[static_cast<std::size_t>(diagnosis::Fate::kUnknown)]);
    std::fflush(stdout);
  });
}

}  // namespace
}  // namespace finwait::bench

int main(int argc, char** argv) {
  finwait::lab::RequireLab(argc, argv);
  const auto count = [&](int position, int otherwise) {
    return static_cast<std::size_t>(argc > position ? std::atoi(argv[position]) : otherwise);
  };
  try {
    const std::size_t rules = count(2, 10'000);
    const auto sockets = finwait::bench::MakeSockets(count(1, 20'000));
    std::printf(
        "\nJudging %zu sockets never seen tracked, %zu rules; CPU\n\n"
        "| rules | first socket, ms | each, us | all, s | remembered, us | held, MB | clean, unknown |\n"
        "|---|---|---|---|---|---|---|\n",
        sockets.size(), rules);
    for (const finwait::bench::Rules backend : finwait::bench::kRulesBackends) {
      finwait::bench::Run(backend, sockets, rules);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
  return 0;
}
