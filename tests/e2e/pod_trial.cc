#include "tests/e2e/pod_trial.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "collectors/base/ip.h"
#include "tests/e2e/answers.h"
#include "tests/e2e/program.h"
#include "tests/e2e/scene.h"
#include "tests/e2e/short_trials.h"
#include "tests/lab/connection.h"
#include "tests/lab/own_processes.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;

constexpr int kConnections = 3;
constexpr double kPodPatience = 40;  // beside seven others, on two cores
constexpr const char* kForget = "conntrack -F >/dev/null 2>&1";

bool Has(const std::string& text, const std::string& word) { return text.find(word) != std::string::npos; }

class PodPlayer {
 public:
  explicit PodPlayer(const PodTrial& trial) : trial_(trial) { outcome_.name = trial.name; }

  Outcome Play() {
    Join();
    Shell(trial_.prepare);
    Shell(trial_.rules);
    if (!trial_.pod_rules.empty()) {
      pod_.Shell(trial_.pod_rules);
    }
    for (int i = 0; i < kConnections; ++i) {
      Open();
    }
    outcome_.open = kConnections * trial_.ends;
    const Program program(host_.local, {Depth(), "--sampling.interval=1s", "--sampling.cpu-budget=0.5"});
    // It has seen them as they were. Of those to the host itself it may count both ends for as long as they have
    // entries.
    if (!Eventually([&] { return IsSeen(ReportOf(program)); }, kPodPatience)) {
      Complain("the service does not see the connections");
    }
    Shell(trial_.changes);
    PeerCloses();
    Forget();
    Evaluate(program);
    Forget();
    if (trial_.peer_vanishes) {
      host_.peer.Shell("iptables -A INPUT -j DROP; iptables -A OUTPUT -j DROP");
    }
    Finish();
    EvaluateAfter(program);
    return outcome_;
  }

 private:
  std::string Depth() const { return trial_.enter ? "--namespaces=enter" : "--namespaces=observe"; }
  void Complain(const std::string& what) { outcome_.Complain(what); }
  void Shell(const std::string& script) const {
    if (!script.empty()) {
      host_.local.Shell(script);
    }
  }
  void Forget() const {
    if (!trial_.entries_stay) {
      Shell(kForget);
      if (trial_.enter) {
        pod_.Shell(kForget);
      }
    }
  }

  // The pod is 198.51.100.2, or .3 where the other one has to be what rules of kube-proxy's lead to.
  std::string PodAddress() const { return Net(trial_.far == Far::kOtherPod ? 3 : 2); }
  std::string OtherAddress() const { return Net(2); }
  std::string Net(int number) const {
    if (trial_.joint == Joint::kMacvlan) {
      return (trial_.ipv6 ? "2001:db8::" : "192.0.2.") + std::to_string(number + 1);
    }
    return (trial_.ipv6 ? "2001:db8:1::" : "198.51.100.") + std::to_string(number);
  }
  std::string Ip() const { return trial_.ipv6 ? "ip -6 " : "ip "; }
  std::string One() const { return trial_.ipv6 ? "/128" : "/32"; }

  void AddAddress(const lab::Namespace& where, const std::string& device, const std::string& address) const {
    where.Shell("sysctl -qw net.ipv6.conf." + device + ".accept_dad=0; ip link set " + device + " up; " + Ip() +
                "address add " + address + " dev " + device + (trial_.ipv6 ? " nodad" : ""));
  }

  void Join() {
    host_.local.Sysctl("net.ipv4.ip_forward", "1");
    host_.local.Sysctl("net.ipv6.conf.all.forwarding", "1");
    if (trial_.joint == Joint::kBridge) {
      Shell("ip link add docker0 type bridge forward_delay 0");
      AddAddress(host_.local, "docker0", Net(1) + (trial_.ipv6 ? "/64" : "/25"));
    }
    JoinOne(pod_, 0, PodAddress());
    if (trial_.far == Far::kOtherPod) {
      JoinOne(other_, 1, OtherAddress());
      if (trial_.ends == 2) {
        Inhabit(other_);
      }
    }
    if (!trial_.masqueraded && trial_.joint != Joint::kMacvlan) {
      host_.peer.Shell(Ip() + "route add " + (trial_.ipv6 ? "2001:db8:1::/64" : "198.51.100.0/24") + " via " +
                       (trial_.ipv6 ? lab::Wire::kLocal6 : lab::Wire::kLocal4));
    }
    process_ = Inhabit(pod_);
    // The kernel tells the IPv6 stack of a new link up to a second late; until then it loses what is sent.
    pod_.Shell("for i in $(seq 100); do ip -o link show eth0 | grep -q 'state UP' && exit; sleep 0.05; done; exit 1");
    Shell(
        "for d in $(ls /sys/class/net | grep ^veth); do for i in $(seq 100); do ip -o link show $d | grep -q 'state "
        "UP' && continue 2; sleep 0.05; done; exit 1; done; true");
  }

  void JoinOne(const lab::Namespace& pod, int which, const std::string& address) {
    const std::string near = (trial_.joint == Joint::kCalico ? "cali" : "vethpod") + std::to_string(which);
    const std::string net = trial_.ipv6 ? "/64" : "/25";
    switch (trial_.joint) {
      case Joint::kMacvlan:
        Shell("ip link add link veth0 name mac0 type macvlan mode bridge; ip link set mac0 netns " + pod.Path() +
              " name eth0");
        AddAddress(pod, "eth0", address + (trial_.ipv6 ? "/64" : "/24"));
        return;
      case Joint::kBridge:
        Shell("ip link add " + near + " type veth peer name eth0 netns " + pod.Path() + "; ip link set " + near +
              " master docker0 up; bridge link set dev " + near + " hairpin on");
        AddAddress(pod, "eth0", address + net);
        pod.Shell(Ip() + "route add default via " + Net(1));
        return;
      case Joint::kRouted:
      case Joint::kCalico: {
        Shell("ip link add " + near + " type veth peer name eth0 netns " + pod.Path());
        const std::string gateway = trial_.ipv6 ? "fe80::1" : "169.254.1.1";
        AddAddress(host_.local, near, gateway + (trial_.ipv6 ? "/64" : "/32"));
        AddAddress(pod, "eth0", address + One());
        Shell(Ip() + "route add " + address + One() + " dev " + near);
        pod.Shell((trial_.ipv6 ? "" : "ip route add 169.254.1.1 dev eth0 scope link; ") + Ip() +
                  "route add default via " + gateway + " dev eth0");
        return;
      }
      case Joint::kNested:
        JoinNested(pod, address, net);
        return;
    }
  }

  // The host, a namespace of its that forwards, and the pod behind that.
  void JoinNested(const lab::Namespace& pod, const std::string& address, const std::string& net) {
    Shell("ip link add vethmid type veth peer name out netns " + other_.Path());
    AddAddress(host_.local, "vethmid", trial_.ipv6 ? "2001:db8:3::1/64" : "203.0.113.1/24");
    AddAddress(other_, "out", trial_.ipv6 ? "2001:db8:3::2/64" : "203.0.113.2/24");
    other_.Shell("ip link add near type veth peer name eth0 netns " + pod.Path());
    AddAddress(other_, "near", Net(1) + net);
    AddAddress(pod, "eth0", address + net);
    pod.Shell(Ip() + "route add default via " + Net(1));
    other_.Shell("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; " + Ip() + "route add default via " +
                 (trial_.ipv6 ? "2001:db8:3::1" : "203.0.113.1"));
    Shell(Ip() + "route add " + Net(0) + net + " via " + (trial_.ipv6 ? "2001:db8:3::2" : "203.0.113.2"));
    Inhabit(other_);
  }

  static pid_t Inhabit(const lab::Namespace& where) {
    const pid_t process = where.Spawn({"sleep", "600"});
    const std::string own = "/proc/" + std::to_string(process) + "/ns/net";
    if (!Eventually([&] { return std::filesystem::equivalent(own, where.Path()); })) {
      throw std::runtime_error("no process in a namespace");
    }
    return process;
  }

  const lab::Namespace& Server() const {
    if (trial_.peer_opens || trial_.far == Far::kItself) {
      return pod_;
    }
    return trial_.far == Far::kOtherPod ? other_ : trial_.far == Far::kHost ? host_.local : host_.peer;
  }
  std::string FarAddress() const {
    if (trial_.peer_opens) {
      return PodAddress();
    }
    switch (trial_.far) {
      case Far::kPeer:
        return trial_.ipv6 ? lab::Wire::kPeer6 : lab::Wire::kPeer4;
      case Far::kHost:
        return trial_.ipv6 ? lab::Wire::kLocal6 : lab::Wire::kLocal4;
      case Far::kOtherPod:
        return OtherAddress();
      case Far::kItself:
        return PodAddress();
    }
    return "";
  }

  int Protocol() const { return trial_.multipath ? IPPROTO_MPTCP : 0; }
  void Open() {
    // kube-proxy's rules have two ends for a service, at ports 80 and 8080 of one pod.
    if (listeners_.empty()) {
      for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{8080}}) {
        listeners_.push_back(
            std::make_unique<lab::Listener>(Server(), trial_.ipv6 ? "::" : "0.0.0.0", port, Protocol()));
      }
    }
    const lab::Namespace& from = trial_.peer_opens ? host_.peer : pod_;
    UniqueFd client =
        lab::Connect(from, trial_.address.empty() ? FarAddress() : trial_.address, trial_.port, "", Protocol());
    UniqueFd server;
    Eventually([&] {
      for (const auto& listener : listeners_) {
        if (listener->HasConnection()) {
          server = listener->Accept();
          return true;
        }
      }
      return false;
    });
    Ends ends;
    ends.local = std::move(trial_.peer_opens ? server : client);
    ends.peer = std::move(trial_.peer_opens ? client : server);
    if (trial_.mark != 0) {
      ::setsockopt(ends.local.Get(), SOL_SOCKET, SO_MARK, &trial_.mark, sizeof trial_.mark);
    }
    ends_.push_back(std::move(ends));
  }

  void PeerCloses() {
    if (trial_.end != PodEnd::kAfterPeer) {
      return;
    }
    for (Ends& one : ends_) {
      one.peer.Reset();
    }
    Eventually([&] { return Lines(pod_, "state close-wait").size() == ends_.size(); });
  }

  static std::vector<std::string> Lines(const lab::Namespace& where, const std::string& filter) {
    std::istringstream text(where.Shell("ss -Htano " + filter));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) {
      lines.push_back(line);
    }
    return lines;
  }

  // Whether a report counts these connections and no other.
  bool IsWhole(const nlohmann::json& report) const {
    return report.is_object() && report["live"].is_object() && report["live"]["open"] == outcome_.open;
  }
  // Whether it counts them, and knows of those that are to be lost that they have an entry here: before the first
  // collection of all zones it does not.
  bool IsSeen(const nlohmann::json& report) const {
    const bool may_have_none = trial_.fate == "clean" || trial_.fate == "unknown" || trial_.enter;
    return report.is_object() && report["live"].is_object() && report["live"]["open"] >= outcome_.open &&
           (may_have_none || report["live"]["never_tracked"] == 0);
  }
  static int AtRisk(const nlohmann::json& report) {
    int all = 0;
    for (const auto& [fate, count] : report["live"]["at_risk"].items()) {
      all += count.is_number() ? count.get<int>() : 0;
    }
    return all;
  }

  void Evaluate(const Program& program) {
    Explain();
    nlohmann::json report;
    std::string disagreement;
    const auto as_predicted = [&] {
      report = ReportOf(program);
      if (!IsWhole(report) || FateAtRisk(report) != trial_.fate || StageOf(report) != trial_.stage_before ||
          AtRisk(report) != Predicted()) {
        return false;
      }
      disagreement = trial_.checked ? CheckAlone() + DisagreementWithin(program, report)
                                    : Disagreement(host_.local, program, report, {Depth()});
      return disagreement.empty();
    };
    if (!Eventually(as_predicted, kPodPatience)) {
      Complain("the service says " + FateAtRisk(report) + ", stage " + StageOf(report) + " of " +
               (report.is_object() ? report["live"]["at_risk"].dump() + " of " + report["live"]["open"].dump() : "") +
               "; " + disagreement);
    }
    outcome_.fate = FateAtRisk(report);
    outcome_.at_risk = AtRisk(report);
    outcome_.stage_before = StageOf(report);
    if (report.is_object() && report["verdict"]["score"].is_number()) {
      outcome_.score_before = report["verdict"]["score"].get<double>();
    }
  }
  // In what `check`, which knows less than the service, says something else than it has to.
  std::string CheckAlone() const {
    const auto checked = CheckedReport(host_.local, {Depth()});
    const std::string fate = FateAtRisk(checked);
    const bool is_stage =
        *trial_.checked == "clean" ? IsStageOf("clean", StageOf(checked)) : StageOf(checked) == trial_.stage_before;
    return fate == *trial_.checked && is_stage ? "" : "check says " + fate + ", " + StageOf(checked) + "; ";
  }
  int Predicted() const { return trial_.fate == "clean" ? 0 : outcome_.open; }

  // Asked of an entry that is there, too, `explain` tells what comes of the connection without it, unless what comes of
  // it with the entry is worse.
  void Explain() {
    if (trial_.entries_stay && trial_.fate == "clean") {
      return;
    }
    const auto output =
        host_.local.Command({lab::Program(), "explain", "--netns=" + std::to_string(process_),
                             lab::LocalEndpoint(ends_[0].local), lab::PeerEndpoint(ends_[0].local), "--format=json"});
    const auto json = nlohmann::json::parse(output.out, nullptr, false);
    const std::string fate = json.is_object() ? json.value("fate", "") : output.err;
    if (fate != trial_.explained.value_or(trial_.fate)) {
      Complain("explain says " + fate);
    }
  }

  void Finish() {
    if (trial_.end == PodEnd::kPeer) {
      for (Ends& one : ends_) {
        one.peer.Reset();
      }
      return;
    }
    for (Ends& one : ends_) {
      ports_.push_back(Endpoint::Parse(lab::LocalEndpoint(one.local))->port);
      if (trial_.end == PodEnd::kReset) {
        CloseWithReset(one.local);
      } else if (trial_.end == PodEnd::kShutdown) {
        ::shutdown(one.local.Get(), SHUT_WR);
      } else {
        one.local.Reset();
      }
    }
  }

  // Whether that end has been told that the connection is over.
  static bool IsTold(const UniqueFd& end) {
    char byte = 0;
    const ssize_t got = ::recv(end.Get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
  }
  static bool IsStuck(const std::string& line) { return IsClosing(line) && TriesOf(line) >= 2; }
  static bool IsClosing(const std::string& line) {
    return Has(line, "FIN-WAIT-1") || Has(line, "LAST-ACK") || Has(line, "CLOSING");
  }

  // Closes that have not got through: the other end has not been told, or this one goes on trying. -1 while it is not
  // settled.
  int Lost() {
    const bool here = trial_.end != PodEnd::kPeer;
    int lost = 0;
    const lab::Namespace& closer = here ? pod_ : host_.peer;
    const std::vector<std::string> closing = Lines(closer, "state fin-wait-1 state last-ack state closing");
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      const UniqueFd& other = here ? ends_[i].peer : ends_[i].local;
      bool stuck = false;
      for (const std::string& line : closing) {
        if (!here || Has(line, ":" + std::to_string(ports_[i]) + " ")) {
          if (IsClosing(line) && !IsStuck(line)) {
            return -1;
          }
          stuck = stuck || here || (i < closing.size());
        }
      }
      const bool told = !other || IsTold(other);
      lost += stuck || !told ? 1 : 0;
    }
    return lost;
  }

  void EvaluateAfter(const Program& program) {
    if (trial_.fate == "unknown") {
      return;  // whatever the kernel does is right
    }
    const int lost = trial_.lost.value_or(trial_.cause.empty() ? 0 : kConnections);
    Eventually([&] { return (outcome_.lost = Lost()) == lost; }, kPodPatience);
    const std::string cause = trial_.cause.empty() ? "" : trial_.cause + " " + std::to_string(kConnections);
    nlohmann::json report;
    // Of those to the host itself its own ends are counted, which stay open; so do subflows until both ends have
    // closed.
    const bool fewer_open = trial_.end != PodEnd::kPeer && trial_.far != Far::kHost && !trial_.multipath;
    const auto as_predicted = [&] {
      report = ReportOf(program);
      const bool has_looked =
          !fewer_open || (report.is_object() && report["live"].is_object() && report["live"]["open"] < outcome_.open);
      return has_looked && CausesOf(report) == cause && StageOf(report) == trial_.stage_after;
    };
    Eventually(as_predicted, kPodPatience);
    outcome_.causes = CausesOf(report);
    outcome_.stage_after = StageOf(report);
    // A packet that has just left has no timer yet.
    Eventually([&] { return (outcome_.lost = Lost()) >= 0; }, kPodPatience);
    if (outcome_.lost != lost || outcome_.causes != cause || outcome_.stage_after != trial_.stage_after) {
      Complain("after the end: lost " + std::to_string(outcome_.lost) + ", stuck: " + outcome_.causes + ", stage " +
               outcome_.stage_after + "; predicted " + std::to_string(lost) + ", " + cause + ", " + trial_.stage_after);
    }
  }

  const PodTrial& trial_;
  Outcome outcome_;
  lab::Wire host_;
  lab::Namespace pod_;
  lab::Namespace other_;
  pid_t process_ = 0;  // in the pod
  std::vector<std::unique_ptr<lab::Listener>> listeners_;
  std::vector<Ends> ends_;  // of each connection the pod's, then the other
  std::vector<std::uint16_t> ports_;
};

Outcome PlayHere(const PodTrial& trial) {
  return PlayedOr(trial.name, [&] { return PodPlayer(trial).Play(); });
}

// An outcome on its way from the process that played it.
std::string Written(const Outcome& outcome) {
  return nlohmann::json{{"fate", outcome.fate},
                        {"stage_before", outcome.stage_before},
                        {"stage_after", outcome.stage_after},
                        {"score", outcome.score_before},
                        {"at_risk", outcome.at_risk},
                        {"open", outcome.open},
                        {"lost", outcome.lost},
                        {"causes", outcome.causes},
                        {"grades", outcome.grades},
                        {"complaint", outcome.complaint}}
      .dump();
}

Outcome Read(const std::string& name, const std::string& text) {
  Outcome outcome;
  outcome.name = name;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) {
    outcome.complaint = "its process ended early";
    return outcome;
  }
  outcome.fate = json["fate"];
  outcome.stage_before = json["stage_before"];
  outcome.stage_after = json["stage_after"];
  outcome.score_before = json["score"];
  outcome.at_risk = json["at_risk"];
  outcome.open = json["open"];
  outcome.lost = json["lost"];
  outcome.causes = json["causes"];
  outcome.grades = json["grades"];
  outcome.complaint = json["complaint"];
  return outcome;
}

struct Running {
  std::size_t trial = 0;
  pid_t process = -1;
  UniqueFd result;
};

Running StartPod(const std::vector<PodTrial>& trials, std::size_t which) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw std::runtime_error("pipe");
  }
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) {
    throw std::runtime_error("fork");
  }
  if (child == 0) {
    ::close(ends[0]);
    lab::SeeOwnProcessesOnly();
    Outcome outcome = PlayHere(trials[which]);
    if (testing::Test::HasFailure()) {
      outcome.Complain("a failure that is printed above");
    }
    const std::string text = Written(outcome);
    const bool written = ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    std::fflush(nullptr);
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  return {which, child, UniqueFd(ends[0])};
}

// The whole of what the process has to say, which fits into a pipe.
std::string Await(const Running& running) {
  std::string text;
  char buffer[4096];
  for (ssize_t got = 1; got > 0;) {
    got = ::read(running.result.Get(), buffer, sizeof buffer);
    text.append(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
  }
  ::waitpid(running.process, nullptr, 0);
  return text;
}

}  // namespace

std::vector<Outcome> PlayApart(const std::vector<PodTrial>& trials) {
  constexpr std::size_t kAtOnce = 8;
  std::vector<Outcome> outcomes(trials.size());
  std::vector<Running> running;
  std::size_t next = 0;
  while (next < trials.size() || !running.empty()) {
    while (next < trials.size() && running.size() < kAtOnce) {
      running.push_back(StartPod(trials, next++));
    }
    std::vector<pollfd> polls;
    for (const Running& one : running) {
      polls.push_back({one.result.Get(), POLLIN, 0});
    }
    ::poll(polls.data(), polls.size(), -1);
    const auto ready = std::ranges::find_if(polls, [](const pollfd& one) { return one.revents != 0; });
    if (ready == polls.end()) {
      continue;
    }
    const auto ended = running.begin() + (ready - polls.begin());
    outcomes[ended->trial] = Read(trials[ended->trial].name, Await(*ended));
    running.erase(ended);
  }
  return outcomes;
}

}  // namespace finwait::e2e
