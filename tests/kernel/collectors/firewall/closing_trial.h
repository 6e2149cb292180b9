#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "collectors/firewall/ruleset.h"
#include "collectors/firewall/verdict/path.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"

/// Holds the verdict engine against the kernel: opens connections, loads a ruleset, removes the connections' entries,
/// closes them, and learns from the sockets at both ends which packets passed.
namespace finwait::firewall {

/// A connection to try. Peers and listeners are where ClosingTrial has them.
struct TrialConnection {
  IpFamily family = IpFamily::kIpv4;
  bool loopback = false;       ///< both ends in the namespace with the rules
  bool inbound = false;        ///< the peer opens it
  std::uint16_t port = 80;     ///< that the opened end listens on: one of kPorts
  unsigned local_address = 0;  ///< which of the two
  unsigned peer_address = 0;
};

/// What is done to a connection, and which packets it shows.
enum class TrialRole {
  kClose,      ///< fin, and where it passes ack
  kReset,      ///< rst
  kSend,       ///< data
  kPeerClose,  ///< peer_fin
};

/// One packet: what was foretold, and what happened.
struct TrialPacket {
  TrialConnection connection;
  PacketKind kind = PacketKind::kFin;
  PathVerdict verdict;
  std::optional<bool> passed;  ///< nothing: the sockets did not show it
  std::string Describe() const;
  /// Foretold accept and did not pass, or foretold drop and passed.
  bool IsWrong() const;
};

/// One namespace with rules, one with peers, reused for many rulesets. 192.0.2.1 and .3 here, .2 and .4 there; the same
/// in 2001:db8::/32.
class ClosingTrial {
 public:
  static constexpr std::uint16_t kPorts[] = {22, 80, 443, 8080};

  ClosingTrial();

  const lab::Namespace& Local() const { return wire_.local; }
  void SetTcpLoose(bool loose);

  /// Opens `connections`, each once for every role, with no rules loaded; runs `load` in the namespace (it loads the
  /// rules); judges; closes and observes; removes all rules.
  std::vector<TrialPacket> Run(const std::vector<TrialConnection>& connections, const std::vector<TrialRole>& roles,
                               const std::function<void(const lab::Namespace&)>& load);

  /// The ruleset as the last Run read it.
  const Ruleset& LastRuleset() const { return *ruleset_; }

 private:
  struct Live;

  void Reset();
  Live Open(const TrialConnection& connection, TrialRole role);
  void Judge(std::vector<Live>& all);
  void Act(std::vector<Live>& all);
  void Observe(std::vector<Live>& all);

  lab::Wire wire_;
  using Place = std::tuple<unsigned, unsigned, std::uint16_t>;  ///< is IPv6, which address, port
  std::map<Place, std::unique_ptr<lab::Listener>> peer_listeners_;
  std::map<Place, std::unique_ptr<lab::Listener>> local_listeners_;
  std::shared_ptr<const Ruleset> ruleset_;
  std::uint32_t device_index_ = 0;
  bool loose_ = true;
};

}  // namespace finwait::firewall
