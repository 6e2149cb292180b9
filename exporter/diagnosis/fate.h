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

#include "collectors/firewall.h"
#include "collectors/firewall/verdict/nat_effect.h"
#include "collectors/firewall/verdict/path.h"
#include "collectors/live_socket_list.h"
#include "collectors/route.h"
#include "exporter/diagnosis/connection_memory.h"
#include "exporter/diagnosis/cookie_table.h"

namespace finwait {

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
struct CloseJudgement {
  Fate fate = Fate::kUnknown;
  firewall::PathVerdict fin;
  firewall::PathVerdict ack;  ///< not judged with kFinDropped
  std::string reason;         ///< kUnknown: what it hangs on
};

/// What a judgement needs to know of the namespace beside its rules.
struct JudgeSettings {
  std::optional<bool> tcp_loose;                        ///< nothing: could not be read
  std::array<bool, 2> conntrack_active = {true, true};  ///< by IpFamily
  /// See firewall::NamespaceSettings.
  firewall::Truth early_demultiplexing = firewall::Truth::kUnknown;
  firewall::Truth routes_by_mark = firewall::Truth::kUnknown;
  bool operator==(const JudgeSettings&) const = default;
};

/// How a judge asks the kernel for what no sample holds. Each may be null.
struct KernelQuestions {
  std::shared_ptr<firewall::ReadOnDemand> rules;
  std::function<std::optional<Route>(const IpAddress& source, const IpAddress& destination)> route;
  /// See MasqueradeAddress().
  std::function<std::optional<IpAddress>(const Route& route, const IpAddress& destination)> masquerade;
  /// Which end opened a connection of a socket here.
  std::function<firewall::OpenedBy(const Endpoint& local, const Endpoint& peer)> opened_by;
};

/// Judges closes against one ruleset, and remembers what it has judged: what holds for every connection of a family is
/// judged once, what depends on addresses once a connection. Not thread-safe.
class CloseJudge {
 public:
  /// `questions` answers what the ruleset leaves out: nat chains, and where routing sends a packet; without, that stays
  /// unknown.
  CloseJudge(std::shared_ptr<const firewall::Ruleset> ruleset, JudgeSettings settings, KernelQuestions questions);

  bool IsFor(const firewall::Ruleset* ruleset, const JudgeSettings& settings) const {
    return ruleset_.get() == ruleset && settings_ == settings;
  }

  /// The fate of a close of `socket` without an entry. `past`: what earlier looks saw of it, null for nothing.
  CloseJudgement Judge(const LiveSocket& socket, const ConnectionPast* past);
  /// The same for a connection that need have no socket here.
  CloseJudgement Judge(const firewall::Connection& connection, const ConnectionPast* past);
  /// Whether nat translated the connection when it was opened: from what earlier looks saw, or else from the nat chains
  /// as they are now.
  firewall::NatEffect TranslationOf(const firewall::Connection& connection, const ConnectionPast* past);
  /// The device of a route as rules see it.
  static firewall::Interface DeviceOf(const Route& route);
  /// `socket` as the firewall sees it; `route`: where its packets leave, nothing where that is not known.
  static firewall::Connection ConnectionFor(const LiveSocket& socket, const std::optional<Route>& route);
  /// What becomes of one packet without an entry. Judged for either value of tcp_loose where that could not be read:
  /// unknown where they differ.
  firewall::PathVerdict JudgePath(const firewall::Connection& connection, firewall::PacketKind kind);
  /// The fate if it has been judged in an earlier look under the same circumstances.
  std::optional<Fate> Remembered(const LiveSocket& socket, const ConnectionPast* past) const;
  /// The same without its reasons, remembered from look to look.
  Fate FateOf(const LiveSocket& socket, const ConnectionPast* past);

  /// What this host's rules do to the FIN of a socket whose entry is there (ctstate ESTABLISHED).
  firewall::PathVerdict TrackedFin(const LiveSocket& socket);

  /// What becomes of a packet of the general connection, which no narrower rule singles out.
  firewall::PathVerdict General(IpFamily family, firewall::Journey journey, firewall::PacketKind kind);

  /// Forgets the connections that are not among `sockets`.
  void Keep(const LiveSocketList& sockets);

  /// Frees the rules that were read only to answer questions, once nobody has asked for kKeepUnused. Returns whether it
  /// did. Call with every look.
  bool ForgetUnusedRules(SteadyClock::time_point now);
  /// The same without waiting. Returns whether there were any.
  bool ForgetRules();
  static constexpr std::chrono::seconds kKeepUnused{15};

 private:
  firewall::Connection Routed(const LiveSocket& socket);
  firewall::NamespaceSettings SettingsFor(IpFamily family, bool tcp_loose) const;
  /// The same for every connection of the family that is not over loopback, or nothing where it depends on the
  /// connection.
  const std::optional<firewall::PathVerdict>& ForAll(IpFamily family, firewall::PacketKind kind);
  firewall::PathVerdict ForOne(const firewall::Connection& connection, firewall::PacketKind kind);
  /// firewall::EvaluateNat(), which for what peers open is asked once for all connections of a local address if it can
  /// be.
  firewall::NatEffect NatOf(const firewall::Connection& connection, firewall::OpenedBy opened_by);

  std::shared_ptr<const firewall::Ruleset> ruleset_;
  JudgeSettings settings_;
  KernelQuestions questions_;
  firewall::Evaluator evaluator_;
  std::map<std::pair<IpFamily, firewall::PacketKind>, std::optional<firewall::PathVerdict>> for_all_;
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

}  // namespace finwait
