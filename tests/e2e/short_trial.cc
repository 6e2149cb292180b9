#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <exception>
#include <memory>
#include <stdexcept>

#include "collectors/base/ip.h"
#include "tests/e2e/answers.h"
#include "tests/e2e/program.h"
#include "tests/e2e/rules.h"
#include "tests/e2e/scene.h"
#include "tests/e2e/short_trials.h"
#include "tests/lab/connection.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;

constexpr std::uint16_t kServerPort = 80;
constexpr double kShortPatience = 40;  // beside eleven others, on two cores

// What the kernel takes for an address; `device` is that of one that only it knows.
struct Address {
  Address(const std::string& text, std::uint16_t port, const std::string& device) {
    if (text.find(':') != std::string::npos) {
      auto& six = reinterpret_cast<sockaddr_in6&>(storage);
      six.sin6_family = AF_INET6;
      six.sin6_port = htons(port);
      six.sin6_scope_id = text.starts_with("fe80:") ? ::if_nametoindex(device.c_str()) : 0;
      ::inet_pton(AF_INET6, text.c_str(), &six.sin6_addr);
      size = sizeof six;
    } else {
      auto& four = reinterpret_cast<sockaddr_in&>(storage);
      four.sin_family = AF_INET;
      four.sin_port = htons(port);
      ::inet_pton(AF_INET, text.c_str(), &four.sin_addr);
      size = sizeof four;
    }
  }
  const sockaddr* Get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr_storage storage = {};
  socklen_t size = 0;
};

class ShortPlayer {
 public:
  explicit ShortPlayer(const ShortTrial& trial) : trial_(trial) { outcome_.name = trial.name; }

  Outcome Play() {
    Shell(trial_.prepare);
    if (!trial_.prepare_peer.empty()) {
      wire_.peer.Shell(trial_.prepare_peer);
    }
    if (trial_.entry_stays || trial_.peer != PeerAct::kNothing) {
      Shell(kTracks);
    }
    Open();
    Shell(trial_.rules);
    PeerActs();
    if (!trial_.entry_stays) {
      Shell(trial_.peer == PeerAct::kNothing ? kTracks : "");
      LoseEntries();
    }
    AskEverywhere();
    if (!trial_.entry_stays) {
      LoseEntries();
    }
    Close();
    return outcome_;
  }

 private:
  void Shell(const std::string& script) const {
    if (!script.empty()) {
      wire_.local.Shell("FAR=" + wire_.peer.Path() + "; PORT=" + port_ + "; " + script);
    }
  }
  void LoseEntries() const { Shell("conntrack -F >/dev/null 2>&1"); }
  void Complain(const std::string& what) { outcome_.Complain(what); }

  void Open() {
    const lab::Namespace& server = trial_.peer_opens ? wire_.local : wire_.peer;
    const std::string own = trial_.peer_opens ? (trial_.ipv6 ? lab::Wire::kLocal6 : lab::Wire::kLocal4)
                                              : (trial_.ipv6 ? lab::Wire::kPeer6 : lab::Wire::kPeer4);
    const std::string address = trial_.address.empty() ? own : trial_.address;
    const lab::Listener listener(server, trial_.listens.empty() ? address : trial_.listens, kServerPort);
    UniqueFd client;
    if (trial_.peer_opens) {
      client = lab::Connect(wire_.peer, address, kServerPort);
    } else {
      Connect(address, client);
    }
    const std::string own_end = lab::LocalEndpoint(client);
    port_ = own_end.substr(own_end.rfind(':') + 1);
    (trial_.peer_opens ? peer_ : local_) = std::move(client);
    (trial_.peer_opens ? local_ : peer_) = listener.Accept();
    outcome_.open = 1;
  }

  void Connect(const std::string& address, UniqueFd& client) const {
    wire_.local.Run([&] {
      const Address to(address, kServerPort, trial_.device);
      client = UniqueFd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (trial_.mark != 0) {
        ::setsockopt(client.Get(), SOL_SOCKET, SO_MARK, &trial_.mark, sizeof trial_.mark);
      }
      if (!trial_.device.empty()) {
        ::setsockopt(client.Get(), SOL_SOCKET, SO_BINDTODEVICE, trial_.device.c_str(),
                     static_cast<socklen_t>(trial_.device.size()));
      }
      if (!trial_.from.empty()) {
        const int on = 1;
        ::setsockopt(client.Get(), SOL_IP, IP_TRANSPARENT, &on, sizeof on);
        const Address from(trial_.from, 0, trial_.device);
        if (::bind(client.Get(), from.Get(), from.size) != 0) {
          throw std::runtime_error("cannot bind to " + trial_.from);
        }
      }
      if (::connect(client.Get(), to.Get(), to.size) != 0) {
        throw std::runtime_error("cannot connect");
      }
    });
  }

  void PeerActs() {
    switch (trial_.peer) {
      case PeerAct::kNothing:
        return;
      case PeerAct::kCloses:
      case PeerAct::kClosesAndGoes:
        wire_.peer.Sysctl("net.ipv4.tcp_fin_timeout", trial_.peer == PeerAct::kCloses ? "60" : "1");
        peer_.Reset();
        if (!Eventually([&] { return Has(Socket(wire_.local), "CLOSE-WAIT"); }, kShortPatience) ||
            (trial_.peer == PeerAct::kClosesAndGoes &&
             !Eventually([&] { return Socket(wire_.peer).empty(); }, kShortPatience))) {
          throw std::runtime_error("the peer does not close");
        }
        return;
      case PeerAct::kStopsReading: {
        const std::string block(65536, 'x');
        // A full buffer may find room in the window yet.
        const auto closes = [&] {
          while (::send(local_.Get(), block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
          }
          return Has(Socket(wire_.local), "persist");
        };
        if (!Eventually(closes, kShortPatience)) {
          throw std::runtime_error("the window does not close");
        }
        return;
      }
    }
  }

  void AskEverywhere() {
    if (!trial_.changes.empty()) {
      Watch();
      Shell(trial_.changes);
    }
    const std::string alarm = trial_.refused_by_routing ? "clean" : trial_.fate;
    if (!trial_.entry_stays || trial_.refused_by_routing) {
      const std::string explained = ExplainedFate(wire_.local, local_);
      if (explained != trial_.fate) {
        Complain("explain says " + explained);
      }
    }
    const std::string checked = FateAtRisk(CheckedReport(wire_.local));
    if (checked != alarm) {
      Complain("check says " + checked);
    }
    Watch();
    nlohmann::json report;
    std::string disagreement;
    const auto agree = [&] {
      report = ReportOf(*program_);
      if (FateAtRisk(report) != alarm || report["live"]["open"] != 1) {
        return false;  // not yet, or a question of this test's own is counted
      }
      disagreement = Disagreement(wire_.local, *program_, report);
      return disagreement.empty();
    };
    if (!Eventually(agree, kShortPatience)) {
      Complain("the service says " + FateAtRisk(report) + " " + disagreement);
    }
    outcome_.fate = FateAtRisk(report);
    outcome_.at_risk = alarm == "clean" ? 0 : 1;
    outcome_.stage_before = StageOf(report);
    if (report.is_object() && report["verdict"]["score"].is_number()) {
      outcome_.score_before = report["verdict"]["score"].get<double>();
    }
    if (!IsStageOf(alarm, outcome_.stage_before)) {
      Complain("the stage is " + outcome_.stage_before);
    }
  }

  // The service, from now on; it has seen the connection.
  void Watch() {
    if (program_ != nullptr) {
      return;
    }
    program_ = std::make_unique<Program>(wire_.local, std::vector<std::string>{"--sampling.interval=1s"});
    if (!Eventually([&] { return ReportOf(*program_)["live"]["open"] == 1; }, kShortPatience)) {
      Complain("the service does not see the connection");
    }
  }

  // ss's line of the socket in `where`.
  std::string Socket(const lab::Namespace& where) const {
    // A request to the program may have come from a port of the same number.
    return where.Shell("ss -Htano '( sport = :" + port_ + " or dport = :" + port_ +
                       " ) and sport != :10061 and dport != :10061'");
  }
  static bool Has(const std::string& text, const std::string& word) { return text.find(word) != std::string::npos; }
  // Tried twice and more: nothing has saved it.
  static bool IsStuck(const std::string& line) {
    return (Has(line, "FIN-WAIT-1") || Has(line, "LAST-ACK") || Has(line, "CLOSING")) && TriesOf(line) >= 2;
  }
  static bool IsOver(const std::string& line) {
    return line.empty() || Has(line, "FIN-WAIT-2") || Has(line, "TIME-WAIT");
  }

  void Close() {
    const bool here = trial_.first == FirstToClose::kThisEnd;
    (here ? local_ : peer_).Reset();
    if (trial_.fate == "unknown") {
      return;  // whatever the kernel does is right
    }
    if (trial_.peer == PeerAct::kStopsReading) {
      PeerReadsToTheEnd();
    }
    const lab::Namespace& closer = here ? wire_.local : wire_.peer;
    std::string line;
    const auto settled = [&] {
      line = Socket(closer);
      return IsStuck(line) || IsOver(line);
    };
    if (!Eventually(settled, kShortPatience)) {
      Complain("the closed socket stays " + line);
      return;
    }
    const bool told = here ? IsPeerTold() : !IsStuck(line);
    outcome_.lost = !told || IsStuck(line) ? 1 : 0;
    const std::string came = Came(IsStuck(line), told);
    if (came != trial_.fate) {
      Complain("the kernel does " + came + ": " + line);
    }
    EvaluateAfter();
  }

  // The end is a FIN or, where none comes, silence.
  void PeerReadsToTheEnd() const {
    const timeval silence = {.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(peer_.Get(), SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
    std::string buffer(1 << 16, '\0');
    for (ssize_t got = 1; got > 0;) {
      got = ::recv(peer_.Get(), buffer.data(), buffer.size(), 0);
    }
  }

  bool IsPeerTold() const {
    const std::string line = Socket(wire_.peer);
    return !Has(line, "ESTAB") && !Has(line, "FIN-WAIT-2");
  }

  // The fate that the kernel shows, as far as this kind of close can show it.
  std::string Came(bool stuck, bool told) const {
    const std::string& fate = trial_.fate;
    if (trial_.first == FirstToClose::kPeer) {
      return stuck ? "peer_fin_dropped" : fate == "peer_fin_dropped" ? "clean" : fate;
    }
    if (trial_.peer == PeerAct::kClosesAndGoes) {
      return stuck ? fate : "clean";  // there is nobody to be told
    }
    if (!told) {
      return fate == "nat_lost" ? fate : "fin_dropped";  // a reset may have ended this end
    }
    if (!stuck) {
      const bool peer_did_it =
          fate == "peer_decides" && (trial_.peer == PeerAct::kCloses || trial_.peer == PeerAct::kStopsReading);
      return fate == "peer_fin_dropped" || peer_did_it ? fate : "clean";
    }
    return fate == "peer_decides" ? fate : "ack_dropped";
  }

  // What the service says once all is over: the cause of what is stuck, the stage, and how good its prediction was.
  void EvaluateAfter() {
    const bool here = trial_.first == FirstToClose::kThisEnd;
    std::string cause;
    if (here && !trial_.undetermined) {
      cause = trial_.cause.value_or(trial_.refused_by_routing ? "local_error" : CauseOf(trial_.fate));
      cause += cause.empty() ? "" : " 1";
    }
    const bool proven = !cause.empty() && !Has(cause, "local_error") && !Has(cause, "no_reply");
    nlohmann::json report;
    const auto is_stage = [&] {
      const std::string stage = StageOf(report);
      if (trial_.undetermined) {
        return stage == "cannot tell";
      }
      return proven ? stage == "failing" : IsStageOf(here ? "clean" : outcome_.fate, stage);
    };
    // Of sockets without an entry the service has a prediction, and each that proves something is graded. One that
    // closes is, too, but only once the service has taken stock of all sockets again.
    const bool followed = proven && !trial_.entry_stays;
    const auto is_graded = [&] { return !followed || outcome_.grades.contains(trial_.fate + " as_foretold"); };
    const auto as_predicted = [&] {
      report = ReportOf(*program_);
      outcome_.grades = GradesOf(*program_);
      const bool has_looked =
          !here || (report.is_object() && report["live"].is_object() && report["live"]["open"] == 0);
      return has_looked && CausesOf(report) == cause && is_stage() && is_graded();
    };
    Eventually(as_predicted, kShortPatience);
    outcome_.causes = CausesOf(report);
    outcome_.stage_after = StageOf(report);
    if (outcome_.causes != cause || !is_stage()) {
      Complain("afterwards stuck: " + outcome_.causes + ", predicted " + cause + "; stage " + outcome_.stage_after);
    }
    if (outcome_.Graded("otherwise") > 0 || !is_graded()) {
      Complain("graded " + outcome_.GradesText());
    }
  }

  const ShortTrial& trial_;
  Outcome outcome_;
  lab::Wire wire_;
  UniqueFd local_;
  UniqueFd peer_;
  std::string port_;
  std::unique_ptr<Program> program_;
};

}  // namespace

bool IsStageOf(const std::string& fate, const std::string& stage) {
  if (fate == "unknown") {
    return stage == "cannot tell";
  }
  if (fate == "peer_decides") {
    return stage == "latent";
  }
  return fate == "clean" ? stage == "none" || stage == "latent" : stage == "exposed";
}

std::string CauseOf(const std::string& fate) {
  if (fate == "fin_dropped") {
    return "local_drop";
  }
  if (fate == "ack_dropped" || fate == "peer_decides") {
    return "reply_drop";
  }
  return fate == "nat_lost" ? fate : "";
}

Outcome Play(const ShortTrial& trial) {
  return PlayedOr(trial.name, [&] { return ShortPlayer(trial).Play(); });
}

}  // namespace finwait::e2e
