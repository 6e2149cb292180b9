#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <exception>
#include <stdexcept>

#include "collectors/base/ip.h"
#include "tests/e2e/answers.h"
#include "tests/e2e/program.h"
#include "tests/e2e/short_trials.h"
#include "tests/lab/connection.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;

constexpr std::uint16_t kPort = 80;
constexpr double kPatience = 40;  // beside eleven others, on two cores

// Conntrack works, and nothing that leaves or comes in here meets this.
constexpr const char* kTracks =
    "nft 'table inet tracks { chain f { type filter hook forward priority 0; ct state established accept; }; }'";

class Player {
 public:
  explicit Player(const ShortTrial& trial)
      : trial_(trial), listener_(wire_.peer, trial.ipv6 ? lab::Wire::kPeer6 : lab::Wire::kPeer4, kPort) {}

  std::string Play() {
    Shell(trial_.prepare);
    if (trial_.entry_stays) {
      Shell(kTracks);
    }
    Connect();
    Shell(trial_.rules);
    if (!trial_.entry_stays) {
      Shell(kTracks);
      LoseEntries();
    }
    AskEverywhere();
    if (!trial_.entry_stays) {
      LoseEntries();
    }
    Close();
    return complaint_;
  }

 private:
  void Shell(const std::string& script) const {
    if (!script.empty()) {
      wire_.local.Shell(script);
    }
  }
  void LoseEntries() const { Shell("conntrack -F >/dev/null 2>&1"); }
  void Complain(const std::string& what) { complaint_ += (complaint_.empty() ? "" : "; ") + what; }

  void Connect() {
    wire_.local.Run([&] {
      local_ = UniqueFd(::socket(trial_.ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (trial_.mark != 0) {
        ::setsockopt(local_.Get(), SOL_SOCKET, SO_MARK, &trial_.mark, sizeof trial_.mark);
      }
      if (!trial_.device.empty()) {
        ::setsockopt(local_.Get(), SOL_SOCKET, SO_BINDTODEVICE, trial_.device.c_str(),
                     static_cast<socklen_t>(trial_.device.size()));
      }
      sockaddr_in6 address6 = {};
      address6.sin6_family = AF_INET6;
      address6.sin6_port = htons(kPort);
      ::inet_pton(AF_INET6, lab::Wire::kPeer6, &address6.sin6_addr);
      sockaddr_in address4 = {};
      address4.sin_family = AF_INET;
      address4.sin_port = htons(kPort);
      ::inet_pton(AF_INET, lab::Wire::kPeer4, &address4.sin_addr);
      const int connected =
          trial_.ipv6 ? ::connect(local_.Get(), reinterpret_cast<const sockaddr*>(&address6), sizeof address6)
                      : ::connect(local_.Get(), reinterpret_cast<const sockaddr*>(&address4), sizeof address4);
      if (connected != 0) {
        throw std::runtime_error("cannot connect");
      }
    });
    port_ = std::to_string(Endpoint::Parse(lab::LocalEndpoint(local_))->port);
    peer_ = listener_.Accept();
  }

  void AskEverywhere() {
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
    Program program(wire_.local);
    std::string said;
    std::string disagreement;
    const auto agree = [&] {
      const auto report = nlohmann::json::parse(program.Get("/api/v1/report").body, nullptr, false);
      said = FateAtRisk(report);
      if (said != alarm || report["live"]["open"] != 1) {
        return false;  // not yet, or a question of this test's own is counted
      }
      disagreement = Disagreement(wire_.local, program, report);
      return disagreement.empty();
    };
    if (!Eventually(agree, kPatience)) {
      Complain("the service says " + said + " " + disagreement);
    }
  }

  // ss's line of the socket in `where` that has the connection's port, "" for none.
  std::string Socket(const lab::Namespace& where, const char* side) const {
    return where.Shell(std::string("ss -Htano '") + side + " = :" + port_ + "'");
  }
  static bool Has(const std::string& text, const std::string& word) { return text.find(word) != std::string::npos; }
  // Tried twice and more: nothing has saved it.
  static bool IsStuck(const std::string& line) {
    return (Has(line, "FIN-WAIT-1") || Has(line, "LAST-ACK") || Has(line, "CLOSING")) &&
           (Has(line, ",2)") || Has(line, ",3)") || Has(line, ",4)") || Has(line, ",5)"));
  }
  static bool IsOver(const std::string& line) {
    return line.empty() || Has(line, "FIN-WAIT-2") || Has(line, "TIME-WAIT");
  }

  void Close() {
    if (trial_.fate == "unknown") {
      return;  // whatever the kernel does is right
    }
    (trial_.first == FirstToClose::kThisEnd ? local_ : peer_).Reset();
    const bool here = trial_.first == FirstToClose::kThisEnd;
    const lab::Namespace& closer = here ? wire_.local : wire_.peer;
    const char* side = here ? "sport" : "dport";
    std::string line;
    const auto settled = [&] {
      line = Socket(closer, side);
      return IsStuck(line) || IsOver(line);
    };
    if (!Eventually(settled, kPatience)) {
      Complain("the closed socket stays " + line);
      return;
    }
    const std::string came = Came(IsStuck(line));
    if (came != trial_.fate) {
      Complain("the kernel does " + came + ": " + line);
    }
  }

  // The fate that the kernel shows, as far as this kind of close can show it.
  std::string Came(bool stuck) const {
    const std::string& fate = trial_.fate;
    if (trial_.first == FirstToClose::kPeer) {
      return stuck ? "peer_fin_dropped" : fate == "peer_fin_dropped" ? "clean" : fate;
    }
    const bool told = !Has(Socket(wire_.peer, "dport"), "ESTAB");
    if (!told) {
      return fate == "nat_lost" ? fate : "fin_dropped";  // a reset may have ended this end
    }
    if (!stuck) {
      return fate == "peer_fin_dropped" ? fate : "clean";
    }
    return fate == "peer_decides" ? fate : "ack_dropped";
  }

  const ShortTrial& trial_;
  lab::Wire wire_;
  lab::Listener listener_;
  UniqueFd local_;
  UniqueFd peer_;
  std::string port_;
  std::string complaint_;
};

}  // namespace

std::string Play(const ShortTrial& trial) {
  try {
    return Player(trial).Play();
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace finwait::e2e
