#include "tests/e2e/trial.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/e2e/answers.h"
#include "tests/e2e/fin_scan.h"
#include "tests/e2e/program.h"
#include "tests/e2e/scene.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;
using Clock = std::chrono::steady_clock;

constexpr int kAtOnce = 12;
// Under load a look, a timeout of conntrack's and a retry may each be seconds late.
constexpr double kPatience = 40;

// A process that holds copies of some sockets, for a real death.
class Holder {
 public:
  explicit Holder(const std::vector<int>& sockets) {
    const long most = ::sysconf(_SC_OPEN_MAX);
    pid_ = ::fork();
    if (pid_ != 0) {
      return;
    }
    // In the child: other trials' sockets must not live on here.
    for (int fd = 0; fd < most && fd < 65536; ++fd) {
      if (std::find(sockets.begin(), sockets.end(), fd) == sockets.end()) {
        ::close(fd);
      }
    }
    for (;;) {
      ::pause();
    }
  }
  ~Holder() { Kill(); }
  void Kill() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
      pid_ = -1;
    }
  }

 private:
  pid_t pid_ = -1;
};

// Whether the peer has been told that the connection is over.
bool IsTold(const UniqueFd& peer) {
  if (!peer) {
    return true;  // it has closed itself
  }
  char byte = 0;
  const ssize_t got = ::recv(peer.Get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN);
}

void Drain(const UniqueFd& socket) {
  char buffer[4096];
  while (::recv(socket.Get(), buffer, sizeof buffer, MSG_DONTWAIT) > 0) {
  }
}

class Player {
 public:
  explicit Player(const Trial& trial) : trial_(trial) { outcome_.name = trial.name; }

  Outcome Play() {
    SetUp();
    Program program(scene_.Local(), {"--sampling.interval=1s"});
    LoseEntries(program);
    Inject();
    std::jthread talking = Talking();
    Evaluate(program);
    if (talking.joinable()) {
      talking.request_stop();
      talking.join();
    }
    Finish();
    AwaitEnds();
    EvaluateAfter(program);
    return outcome_;
  }

 private:
  void Complain(const std::string& what) { outcome_.Complain(what); }

  void SetUp() {
    std::istringstream settings(trial_.sysctls);
    for (std::string one; settings >> one;) {
      const std::size_t equals = one.find('=');
      scene_.Local().Sysctl(one.substr(0, equals), one.substr(equals + 1));
    }
    if (!trial_.rules.empty()) {
      scene_.Local().Shell(trial_.rules);
    }
    for (int i = 0; i < trial_.idle + trial_.keepalive + trial_.talking; ++i) {
      ends_.push_back(scene_.Open(trial_.ipv6, trial_.address));
      if (i >= trial_.idle && i < trial_.idle + trial_.keepalive) {
        KeepAlive(ends_.back().local, 1);
      }
    }
    outcome_.open = static_cast<int>(ends_.size());
    if (trial_.end == End::kUnread) {
      for (const Ends& one : ends_) {
        ::send(one.peer.Get(), "x", 1, MSG_NOSIGNAL);
      }
    }
  }

  // From then on, whatever else the trial waits for: a silence of seconds, and they lose their entries like the idle
  // ones.
  [[nodiscard]] std::jthread Talking() const {
    if (trial_.talking == 0) {
      return {};
    }
    return std::jthread([this](const std::stop_token& over) {
      while (!over.stop_requested()) {
        for (std::size_t i = static_cast<std::size_t>(trial_.idle + trial_.keepalive); i < ends_.size(); ++i) {
          ::send(ends_[i].peer.Get(), "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
          ::send(ends_[i].local.Get(), "y", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
          Drain(ends_[i].local);
          Drain(ends_[i].peer);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
      }
    });
  }

  void LoseEntries(const Program& program) {
    if (trial_.end == End::kAfterPeer) {
      for (Ends& one : ends_) {
        one.peer.Reset();
      }
    }
    // The program has seen the connections tracked; only so can it know of NAT.
    if (trial_.flush) {
      Eventually([&] { return ReportOf(program)["live"]["open"] == ends_.size(); }, kPatience);
      scene_.LoseEntries();
    }
  }

  // Whether it comes to be as predicted, and then stays so for that time. Nothing: the look tells nothing, for it fell
  // on a question of this test's own, which is a connection, too. The last look that was asked about does tell.
  static bool ComesAndStays(const std::function<std::optional<bool>()>& as_predicted, std::chrono::milliseconds time) {
    Eventually([&] { return as_predicted().value_or(false); }, kPatience);
    const auto until = Clock::now() + time;
    std::optional<bool> last = true;
    while (Clock::now() < until && last.value_or(true)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      last = as_predicted();
    }
    if (!last) {
      Eventually([&] { return (last = as_predicted()).has_value(); }, kPatience);
    }
    return last.value_or(false);
  }

  // What is predicted just before the end.
  void Evaluate(const Program& program) {
    nlohmann::json report;
    int peer_half = 0;
    const auto as_predicted = [&]() -> std::optional<bool> {
      report = ReportOf(program);
      if (!report.is_object() || report["live"].is_null()) {
        return false;
      }
      if (report["live"]["open"] != ends_.size()) {
        return std::nullopt;
      }
      outcome_.at_risk = report["live"]["at_risk"]["fin_dropped"].get<int>() +
                         report["live"]["at_risk"]["ack_dropped"].get<int>() +
                         report["live"]["at_risk"]["nat_lost"].get<int>();
      peer_half = report["live"]["at_risk"]["peer_fin_dropped"].get<int>() +
                  report["live"]["at_risk"]["peer_decides"].get<int>();
      const int untracked =
          report["live"]["untracked"]["established"].get<int>() + report["live"]["untracked"]["close_wait"].get<int>();
      const bool settled = trial_.entries_stay || untracked >= trial_.idle;
      return settled && outcome_.at_risk == trial_.at_risk && peer_half == trial_.peer_half &&
             StageOf(report) == trial_.stage_before;
    };
    // Entries time out one after the other, so the numbers pass through others before; they must stay where they are.
    if (!ComesAndStays(as_predicted, std::chrono::milliseconds(1500))) {
      Complain("before the end: " + std::to_string(outcome_.at_risk) + " and " + std::to_string(peer_half) +
               " at risk, stage " + StageOf(report) + "; predicted " + std::to_string(trial_.at_risk) + " and " +
               std::to_string(trial_.peer_half) + ", " + trial_.stage_before);
    }
    outcome_.stage_before = StageOf(report);
    outcome_.fate = FateAtRisk(report);
    if (!report["verdict"]["score"].is_null()) {
      outcome_.score_before = report["verdict"]["score"].get<double>();
    }
    AskEverywhere(program);
  }

  // `check`, `explain`, the metrics and /health say what the report says. An entry may time out, or a question of this
  // test's own be counted, between two of them: they must agree once.
  void AskEverywhere(const Program& program) {
    std::string disagreement;
    const auto agree = [&] {
      const nlohmann::json report = ReportOf(program);
      if (!report.is_object() || !report["live"].is_object()) {
        return false;
      }
      disagreement = Disagreement(scene_.Local(), program, report);
      if (disagreement.empty() && trial_.idle > 0) {
        const std::string fate = ExplainedUntrackedFate(scene_.Local(), ends_.front().local);
        const std::string counted = FateAtRisk(report);
        if (!fate.empty() && fate != counted) {
          disagreement = "explain says " + fate + ", the report " + counted;
        }
      }
      return disagreement.empty();
    };
    if (!Eventually(agree, kPatience)) {
      Complain(disagreement);
    }
  }

  void Inject() {
    const std::string peer = trial_.ipv6 ? lab::Wire::kPeer6 : lab::Wire::kPeer4;
    const std::string ip = trial_.ipv6 ? "ip -6" : "ip";
    const std::string iptables = trial_.ipv6 ? "ip6tables" : "iptables";
    switch (trial_.fault) {
      case Fault::kNone:
        return;
      case Fault::kFinScan:
        ScanWithFins(scene_.Peer());
        return;
      case Fault::kLinkDown:
        scene_.Local().Shell("ip link set veth0 down");
        return;
      case Fault::kBlackhole:
        scene_.Local().Shell(ip + " route add blackhole " + peer);
        return;
      case Fault::kPeerVanishes:
        scene_.Peer().Shell(iptables + " -A INPUT -j DROP; " + iptables + " -A OUTPUT -j DROP");
        return;
      case Fault::kPeerStopsReading:
        for (Ends& one : ends_) {
          const std::string much(1 << 16, 'x');
          while (::send(one.local.Get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
          }
        }
        return;
    }
  }

  void Finish() {
    for (const Ends& one : ends_) {
      if (trial_.end != End::kUnread) {
        Drain(one.local);  // unread data would make it a reset
      }
    }
    if (trial_.end == End::kKill) {
      std::vector<int> sockets;
      for (const Ends& one : ends_) {
        sockets.push_back(one.local.Get());
      }
      Holder holder(sockets);
      for (Ends& one : ends_) {
        one.local.Reset();
      }
      holder.Kill();
      return;
    }
    for (Ends& one : ends_) {
      switch (trial_.end) {
        case End::kReset:
          CloseWithReset(one.local);
          break;
        case End::kShutdown:
          ::shutdown(one.local.Get(), SHUT_WR);
          break;
        case End::kUnread:
        case End::kClose:
        case End::kKill:
        case End::kAfterPeer:
          one.local.Reset();
          break;
      }
    }
  }

  // Closes that have not got through by now: the peer has not been told, or the local socket goes on trying.
  int Lost() {
    int told = 0;
    for (Ends& one : ends_) {
      if (IsTold(one.peer)) {
        ++told;
        if (!trial_.peer_stays) {
          one.peer.Reset();  // and so the local end can leave FIN_WAIT_2
        }
      }
    }
    const auto tries = scene_.Tries();
    closing_ = static_cast<int>(tries.size());
    stuck_ =
        static_cast<int>(std::count_if(tries.begin(), tries.end(), [this](int one) { return one >= trial_.tries; }));
    return std::max(outcome_.open - told, stuck_);
  }

  int Predicted() const { return trial_.lost.value_or(trial_.at_risk); }

  // Until every close has either got through or tried often enough to count as stuck.
  void AwaitEnds() {
    if (trial_.fault != Fault::kPeerStopsReading) {  // whose answers to probes reset their number
      Eventually([&] { return Lost() == Predicted() && closing_ == stuck_; }, kPatience);
    }
  }

  void EvaluateAfter(const Program& program) {
    nlohmann::json report;
    const std::string predicted = trial_.cause.empty() ? "" : trial_.cause + " " + std::to_string(Predicted());
    const auto as_predicted = [&]() -> std::optional<bool> {
      report = ReportOf(program);
      if (!report.is_object()) {
        return false;
      }
      if (report["live"].is_object() && report["live"]["open"] != 0) {
        return std::nullopt;  // the trial itself has none that is open any more
      }
      return StageOf(report) == trial_.stage_after && CausesOf(report) == predicted;
    };
    (void)ComesAndStays(as_predicted, std::chrono::milliseconds(2500));  // a false alarm may come a look later
    outcome_.stage_after = StageOf(report);
    outcome_.causes = CausesOf(report);
    const int lost = Predicted();
    outcome_.lost = Lost();
    if (outcome_.stage_after != trial_.stage_after || outcome_.causes != predicted || outcome_.lost != lost) {
      Complain("after the end: stage " + outcome_.stage_after + ", stuck: " + outcome_.causes + ", lost " +
               std::to_string(outcome_.lost) + "; predicted " + trial_.stage_after + ", " + predicted + ", lost " +
               std::to_string(lost));
    }
    GradePredictions(program);
  }

  // No close may have come to something else than what was predicted, and each prediction is graded in the end.
  void GradePredictions(const Program& program) {
    const auto graded = [&] {
      outcome_.grades = GradesOf(program);
      return outcome_.Graded() >= outcome_.at_risk;
    };
    if (!Eventually(graded, kPatience) || outcome_.Graded("otherwise") > 0) {
      Complain("of " + std::to_string(outcome_.at_risk) + " predicted losses: " + outcome_.GradesText());
    }
  }

  const Trial& trial_;
  Outcome outcome_;
  Scene scene_;
  std::vector<Ends> ends_;
  int closing_ = 0;
  int stuck_ = 0;
};

}  // namespace

Outcome Play(const Trial& trial) {
  return PlayedOr(trial.name, [&] { return Player(trial).Play(); });
}

std::vector<Outcome> PlayAll(const std::vector<Trial>& trials) {
  std::vector<Outcome> outcomes(trials.size());
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> players;
  for (int i = 0; i < kAtOnce; ++i) {
    players.emplace_back([&] {
      for (std::size_t mine = next++; mine < trials.size(); mine = next++) {
        outcomes[mine] = Play(trials[mine]);
      }
    });
  }
  players.clear();
  return outcomes;
}

}  // namespace finwait::e2e
