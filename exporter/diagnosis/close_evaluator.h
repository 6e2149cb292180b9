#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "collectors/base/cookie_table.h"
#include "collectors/firewall/eval/nat_effect.h"
#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/kernel/route.h"
#include "collectors/kernel/socket_table.h"
#include "collectors/sources/firewall.h"
#include "exporter/diagnosis/connection_history.h"

namespace finwait::diagnosis {

/// What becomes of a connection that is closed when its conntrack entry is gone.
enum class Fate : std::uint8_t {
  kClean,       ///< it closes
  kFinDropped,  ///< its FIN never leaves: the socket sticks, the peer knows nothing
  kAckDropped,  ///< its FIN leaves and the peer's answer is dropped here: the socket sticks
  kNatLost,     ///< it was translated and no longer is: its FIN goes astray
  kUnknown,     ///< what decides it cannot be known
};
/// The ones that finwait_tcp_at_risk_sockets has, in the order of its label.
inline constexpr Fate kFatesAtRisk[] = {Fate::kFinDropped, Fate::kAckDropped, Fate::kNatLost, Fate::kUnknown};
std::string_view Name(Fate fate);

/// The fate of one connection, and what decides it.
struct CloseOutcome {
  Fate fate = Fate::kUnknown;
  firewall::eval::TraversalResult fin;
  firewall::eval::TraversalResult ack;  ///< not judged with kFinDropped
  std::string reason;                   ///< kUnknown: what it hangs on
};

/// What a judgement needs to know of the namespace beside its rules.
struct EvaluationSettings {
  std::optional<bool> tcp_loose;                        ///< nothing: could not be read
  std::array<bool, 2> conntrack_active = {true, true};  ///< by IpFamily
  /// See firewall::NamespaceSettings.
  firewall::eval::Tristate early_demultiplexing = firewall::eval::Tristate::kUnknown;
  firewall::eval::Tristate routes_by_mark = firewall::eval::Tristate::kUnknown;
  bool operator==(const EvaluationSettings&) const = default;
};

/// How a judge asks the kernel for what no sample holds. Each may be null.
struct KernelQueries {
  std::shared_ptr<firewall::RuleResolver> rules;
  std::function<std::optional<kernel::Route>(const IpAddress& source, const IpAddress& destination)> route;
  /// See MasqueradeAddress().
  std::function<std::optional<IpAddress>(const kernel::Route& route, const IpAddress& destination)> masquerade;
  /// Which end opened a connection of a socket here.
  std::function<firewall::eval::OpenedBy(const Endpoint& local, const Endpoint& peer)> opened_by;
};

/// Judges closes against one ruleset, and remembers what it has judged: what holds for every connection of a family is
/// judged once, what depends on addresses once a connection. Not thread-safe.
class CloseEvaluator {
 public:
  /// `questions` answers what the ruleset leaves out: nat chains, and where routing sends a packet; without, that stays
  /// unknown.
  CloseEvaluator(std::shared_ptr<const firewall::Ruleset> ruleset, EvaluationSettings settings,
                 KernelQueries questions);

  bool IsFor(const firewall::Ruleset* ruleset, const EvaluationSettings& settings) const {
    return ruleset_.get() == ruleset && settings_ == settings;
  }

  /// The fate of a close of `socket` without an entry. `past`: what earlier looks saw of it, null for nothing.
  CloseOutcome Evaluate(const kernel::TcpSocket& socket, const ConnectionHistory* past);
  /// The same for a connection that need have no socket here.
  CloseOutcome Evaluate(const firewall::eval::Connection& connection, const ConnectionHistory* past);
  /// Whether nat translated the connection when it was opened: from what earlier looks saw, or else from the nat chains
  /// as they are now.
  firewall::eval::NatEffect TranslationOf(const firewall::eval::Connection& connection, const ConnectionHistory* past);
  /// The device of a route as rules see it.
  static firewall::eval::Interface DeviceOf(const kernel::Route& route);
  /// `socket` as the firewall sees it; `route`: where its packets leave, nothing where that is not known.
  static firewall::eval::Connection ConnectionFor(const kernel::TcpSocket& socket,
                                                  const std::optional<kernel::Route>& route);
  /// What becomes of one packet without an entry. Judged for either value of tcp_loose where that could not be read:
  /// unknown where they differ.
  firewall::eval::TraversalResult EvaluatePath(const firewall::eval::Connection& connection,
                                               firewall::eval::PacketKind kind);
  /// The fate if it has been judged in an earlier look under the same circumstances.
  std::optional<Fate> Remembered(const kernel::TcpSocket& socket, const ConnectionHistory* past) const;
  /// The same without its reasons, remembered from look to look.
  Fate FateOf(const kernel::TcpSocket& socket, const ConnectionHistory* past);

  /// What this host's rules do to the FIN of a socket whose entry is there (ctstate ESTABLISHED).
  firewall::eval::TraversalResult TrackedFin(const kernel::TcpSocket& socket);

  /// What becomes of a packet of the general connection, which no narrower rule singles out.
  firewall::eval::TraversalResult General(IpFamily family, firewall::eval::PathKind journey,
                                          firewall::eval::PacketKind kind);

  /// Forgets the connections that are not among `sockets`.
  void Keep(const kernel::SocketTable& sockets);

  /// Frees the rules that were read only to answer questions, once nobody has asked for kKeepUnused. Returns whether it
  /// did. Call with every look.
  bool ForgetUnusedRules(SteadyClock::time_point now);
  /// The same without waiting. Returns whether there were any.
  bool ForgetRules();
  static constexpr std::chrono::seconds kKeepUnused{15};

 private:
  firewall::eval::Connection Routed(const kernel::TcpSocket& socket);
  firewall::eval::NamespaceSettings SettingsFor(IpFamily family, bool tcp_loose) const;
  /// The same for every connection of the family that is not over loopback, or nothing where it depends on the
  /// connection.
  const std::optional<firewall::eval::TraversalResult>& ForAll(IpFamily family, firewall::eval::PacketKind kind);
  firewall::eval::TraversalResult ForOne(const firewall::eval::Connection& connection, firewall::eval::PacketKind kind);
  /// firewall::EvaluateNat(), which for what peers open is asked once for all connections of a local address if it can
  /// be.
  firewall::eval::NatEffect NatOf(const firewall::eval::Connection& connection, firewall::eval::OpenedBy opened_by);

  std::shared_ptr<const firewall::Ruleset> ruleset_;
  EvaluationSettings settings_;
  KernelQueries questions_;
  firewall::eval::ChainEvaluator evaluator_;
  std::map<std::pair<IpFamily, firewall::eval::PacketKind>, std::optional<firewall::eval::TraversalResult>> for_all_;
  std::map<IpAddress, bool> arrivals_left_alone_;  // by local address; of few, as those of sockets here are this host's
  struct Judged {
    bool translated = false;  // what the memory said when it was judged
    bool seen_tracked = false;
    bool held = true;
    Fate fate = Fate::kUnknown;
  };
  CookieTable<Judged> judged_;
  std::uint64_t uses_seen_ = 0;  // of the evaluator's rules on demand, at the last look that saw them used
  SteadyClock::time_point last_used_;
};

}  // namespace finwait::diagnosis
