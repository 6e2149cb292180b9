#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/firewall/model/ruleset.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "tests/kernel/collectors/firewall/eval/fin_tap.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"
#include "tests/recording/closed_connections.h"

/// Holds the verdict engine against the kernel: opens connections, loads a ruleset, removes the connections' entries,
/// closes them, and learns from the sockets at both ends which packets passed.
namespace finwait::firewall::eval {

/// A connection to try. Peers and listeners are where ClosingTrial has them.
struct TrialConnection {
  enum class Through {
    kNothing,
    kVirtualAddress,  ///< outbound, to VirtualAddress(), which a nat rule leads to the peer
    kServicePort,     ///< inbound, to ServicePort(), which a nat rule leads to `port`
  };
  IpFamily family = IpFamily::kIpv4;
  bool loopback = false;       ///< both ends in the namespace with the rules
  bool inbound = false;        ///< the peer opens it
  std::uint16_t port = 80;     ///< that the opened end listens on: one of kPorts
  unsigned local_address = 0;  ///< which of the two
  unsigned peer_address = 0;
  Through through = Through::kNothing;
  std::uint32_t mark = 0;  ///< SO_MARK of the local socket
};

/// The addresses and ports that nat rules of a trial must translate, to the connection's own.
std::string VirtualAddress(bool ipv6, bool loopback, unsigned peer_address);
std::string TrialAddress(bool ipv6, bool peer, unsigned which);
constexpr std::uint16_t ServicePort(std::uint16_t port) { return static_cast<std::uint16_t>(port + 10000); }

/// What is done to a connection, and which packets it shows.
enum class TrialRole {
  kClose,      ///< fin, and where it passes ack
  kReset,      ///< rst
  kSend,       ///< data
  kPeerClose,  ///< peer_fin
  kPeerGone,   ///< the RST by which a peer without the connection answers fin; not over loopback
};

/// One packet: what was predicted, and what happened.
struct TrialPacket {
  TrialConnection connection;
  PacketKind kind = PacketKind::kFin;
  TraversalResult verdict;
  std::optional<bool> passed;  ///< nothing: the sockets did not show it
  bool resets = false;         ///< it is not the FIN but the RST of a peer that is gone
  std::string Describe() const;
  /// Predicted accept and did not pass, or predicted drop and passed.
  bool IsWrong() const;
};

/// A whole close: the fate that was predicted, and what happened.
struct TrialFate {
  TrialConnection connection;
  bool translated = false;  ///< the peer's socket has other ends than this one's
  diagnosis::Fate predicted = diagnosis::Fate::kUnknown;
  std::string reason;
  bool fin_left = false;     ///< it was put on the wire
  bool fin_arrived = false;  ///< at the peer's socket
  bool closed = false;       ///< and its answer came back
  Endpoint local_end = {};
  Endpoint peer_end = {};
  std::string Describe() const;
  bool IsWrong() const;
};

struct TrialOutcome {
  std::size_t pairs = 0;  ///< connections that were tried, each in one role
  std::vector<TrialPacket> packets;
  std::vector<TrialFate> fates;
};

/// One namespace with rules, one with peers, reused for many rulesets. 192.0.2.1 and .3 here, .2 and .4 there; the same
/// in 2001:db8::/32.
class ClosingTrial {
 public:
  static constexpr std::uint16_t kPorts[] = {22, 80, 443, 8080};

  ClosingTrial();

  const lab::Namespace& Local() const { return wire_.local; }
  void SetTcpLoose(bool loose);
  /// Removes all rules.
  void Reset();

  /// Opens `connections`, each once for every role, with no rules loaded; runs `load` in the namespace (it loads the
  /// rules); evaluates; closes and observes; removes all rules.
  std::vector<TrialPacket> Run(const std::vector<TrialConnection>& connections, const std::vector<TrialRole>& roles,
                               const std::function<void(const lab::Namespace&)>& load) {
    return Run(connections, roles, {}, load).packets;
  }
  /// The same with rules that are there before anything is opened (`load_first`), as nat rules are. Of connections that
  /// they translate only kClose and kSend are tried, as other packets cannot be told apart at the sockets.
  /// `never_seen`: the connections' entries were gone before anybody looked; else it is known whether they were
  /// translated.
  TrialOutcome Run(const std::vector<TrialConnection>& connections, const std::vector<TrialRole>& roles,
                   const std::function<void(const lab::Namespace&)>& load_first,
                   const std::function<void(const lab::Namespace&)>& load, bool never_seen = true);

  /// The ruleset as the last Run read it.
  const Ruleset& LastRuleset() const { return *ruleset_; }

  /// Calls `observer` in each later Run, inside the namespace, while its rules are there and nothing is closed yet,
  /// with the connections and the packets that they will show. What it evaluates may ask the kernel.
  using Observer = std::function<void(recording::ClosedConnections& connections)>;
  void BeforeClosing(Observer observer) { observer_ = std::move(observer); }
  /// The connections of the last Run, and which of their packets passed.
  const recording::ClosedConnections& LastConnections() const { return closed_; }

 private:
  struct Live;

  Live Open(const TrialConnection& connection, TrialRole role);
  void Evaluate(std::vector<Live>& all, bool never_seen);
  void EvaluateEach(std::vector<Live>& all, bool never_seen, diagnosis::CloseEvaluator& evaluator);
  void Act(std::vector<Live>& all);
  void Observe(std::vector<Live>& all);
  static void AddReset(const Live& live, TrialOutcome& outcome);

  lab::Wire wire_;
  FinTap tap_;
  using Place = std::tuple<unsigned, unsigned, std::uint16_t>;  ///< is IPv6, which address, port
  std::map<Place, std::unique_ptr<lab::Listener>> peer_listeners_;
  std::map<Place, std::unique_ptr<lab::Listener>> local_listeners_;
  std::shared_ptr<const Ruleset> ruleset_;
  bool loose_ = true;
  Observer observer_;
  recording::ClosedConnections closed_;  // in the order of the connections that are open
};

}  // namespace finwait::firewall::eval
