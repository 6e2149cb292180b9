#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/firewall/classes/divide.h"
#include "collectors/firewall/facts/resolver.h"
#include "collectors/firewall/model/rule_id.h"
#include "collectors/kernel/tcp_socket.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/connection_space.h"

namespace finwait::diagnosis {

/// What becomes of all connections of a class.
struct ClassOutcome {
  Fate fate = Fate::kUnknown;
  /// The packet that is lost, and where; no rule where a translation misroutes it.
  std::optional<firewall::eval::PacketKind> packet;
  std::optional<firewall::RuleId> rule;
  std::optional<firewall::Hook> hook;
  bool rejects = false;
  bool by_translation = false;  ///< no rule drops the packet: translated, it is no longer its connection's
  /// kNatLost: what was translated.
  bool source_nat = false;
  bool destination_nat = false;
  std::string reason;  ///< kUnknown: what it hangs on; else a remark, mostly empty
  auto operator<=>(const ClassOutcome&) const = default;
};

/// The same of one connection; what was translated is left open.
ClassOutcome OutcomeOf(const CloseOutcome& close);

/// Connections that fare alike.
struct SurveyedClass {
  firewall::eval::PathKind path = firewall::eval::PathKind::kLocal;
  firewall::packet::ConnectionClass connections;
  ClassOutcome outcome;
  /// One of them: a socket of this host where there is one.
  Endpoint example_local;
  Endpoint example_peer;
  std::size_t sockets = 0;  ///< of this host, that can still close or have begun to
};

/// Said of a survey whose classes of unknown fate are not told apart. Each of them says what it hangs on.
inline constexpr std::string_view kUndivided =
    "what some classes of unknown fate depend on (each says what) is not told apart connection by connection";

/// All connections of one family.
struct FamilySurvey {
  IpFamily family = IpFamily::kIpv4;
  std::vector<SurveyedClass> classes;   ///< not clean ones first, and of these the ones with most sockets
  std::vector<std::string> incomplete;  ///< what was not told apart, each as a sentence without a stop
  bool reached_all = true;              ///< what was noted as reached is complete
  std::size_t sockets_of_no_class = 0;  ///< sockets of which it cannot be told which class they are of
};

/// Chooses a connection of the class as its example, one whose ends are easy to recognise.
void MakeExample(SurveyedClass& surveyed);

/// Which rules packets of a close without an entry have come past.
using RulesReached = firewall::eval::ChainEvaluator::RulesReached;

/// Divides `space` by what becomes of a close, evaluated by `evaluator`; what facts are missing `resolver` reads, which
/// may be null. Adds to `reached`, which may be null.
FamilySurvey SurveyClasses(CloseEvaluator& evaluator, firewall::facts::Resolver* resolver, const ConnectionSpace& space,
                           IpFamily family, std::span<const kernel::TcpSocket> sockets, RulesReached* reached,
                           const firewall::classes::Limits& limits = {});

/// The rules that no packet of a close without an entry comes to, of the tables that `families` cover wholly: what
/// stands behind a rule that decides everything, or in a chain that only such rules lead to. Rules that forwarded
/// packets may come to, and those of nat, are not among them.
std::vector<firewall::RuleId> UnreachedRules(const firewall::Ruleset& ruleset, const std::set<IpFamily>& families,
                                             const RulesReached& reached);

}  // namespace finwait::diagnosis
