#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>

#include "collectors/base/cookie_table.h"
#include "collectors/firewall/facts/fact_store.h"
#include "collectors/kernel/socket_table.h"
#include "exporter/diagnosis/close_outcome.h"
#include "exporter/diagnosis/connection_history.h"

namespace finwait::diagnosis {

/// The fates that have been evaluated, by socket: each with all that it hung on, so that none outlives it. Belongs to
/// one ruleset and one set of settings. Not thread-safe.
class OutcomeMemo {
 public:
  /// `history` may be null, here and below.
  void Remember(const kernel::TcpSocket& socket, const ConnectionHistory* history, const CloseOutcome& outcome,
                firewall::facts::FactKinds hung_on, std::uint32_t facts_as_of);
  /// The fate, where nothing that it hung on can have changed.
  std::optional<Fate> Find(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                           const firewall::facts::FactStore& facts) const;
  /// The newest one, also where facts were missing for it.
  std::optional<Fate> FindProvisional(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                                      const firewall::facts::FactStore& facts) const;
  /// A number for the rule and the packet that decide the provisional fate: the same for all sockets that are lost
  /// there. 0: nothing is lost, or no rule is known.
  std::uint16_t FindSite(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                         const firewall::facts::FactStore& facts) const;
  /// What is remembered of it holds provisionally only, until it is evaluated again.
  void Doubt(std::uint64_t cookie);
  /// Prunes the sockets that are not among `sockets`.
  void Retain(const kernel::SocketTable& sockets);

 private:
  struct Remembered {
    std::uint32_t facts_as_of = 0;  // FactStore::Now()
    firewall::facts::FactKinds hung_on = 0;
    std::uint16_t site = 0;
    Fate fate = Fate::kUnknown;
    // What the history and the socket said when it was evaluated.
    bool translated : 1 = false;
    bool seen_tracked : 1 = false;
    bool tracked : 1 = false;
    bool open : 1 = true;
    bool peer_has_closed : 1 = false;
    bool sends_first : 1 = false;
    bool multipath_told : 1 = true;
    bool incomplete : 1 = false;
  };
  const Remembered* FindIn(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                           const firewall::facts::FactStore& facts) const;

  std::uint16_t NumberOfSite(const CloseOutcome& outcome);

  CookieTable<Remembered> remembered_;
  std::map<std::tuple<firewall::RuleId, firewall::Hook, firewall::eval::PacketKind>, std::uint16_t> sites_;
};

}  // namespace finwait::diagnosis
