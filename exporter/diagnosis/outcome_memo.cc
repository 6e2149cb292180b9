#include "exporter/diagnosis/outcome_memo.h"

#include <limits>
#include <utility>

namespace finwait::diagnosis {
namespace {

bool IsTranslated(const kernel::TcpSocket& socket, const ConnectionHistory* history) {
  return socket.entry.source_nat || socket.entry.destination_nat || (history != nullptr && history->Translated());
}

}  // namespace

std::uint16_t OutcomeMemo::NumberOfSite(const CloseOutcome& outcome) {
  const auto loss = DecisiveDropOf(outcome);
  if (!loss || !loss->result->location || !loss->result->hook) {
    return 0;
  }
  const std::tuple site(*loss->result->location, *loss->result->hook, loss->packet);
  const auto known = sites_.find(site);
  if (known != sites_.end()) {
    return known->second;
  }
  if (sites_.size() == std::numeric_limits<std::uint16_t>::max()) {
    return 0;
  }
  return sites_[site] = static_cast<std::uint16_t>(sites_.size() + 1);
}

void OutcomeMemo::Remember(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                           const CloseOutcome& outcome, firewall::facts::FactKinds hung_on, std::uint32_t facts_as_of) {
  Remembered remembered;
  remembered.facts_as_of = facts_as_of;
  remembered.hung_on = hung_on;
  remembered.fate = outcome.fate;
  remembered.site = NumberOfSite(outcome);
  remembered.translated = IsTranslated(socket, history);
  remembered.seen_tracked = history != nullptr && history->SeenTracked();
  remembered.tracked = socket.entry.tracking == kernel::Tracking::kTracked;
  remembered.open = socket.IsOpen();
  remembered.peer_has_closed = socket.state != kernel::TcpState::kEstablished;
  remembered.sends_first = socket.SendsBeforeFin();
  remembered.multipath_told = socket.multipath.has_value();
  remembered.incomplete = outcome.incomplete;
  remembered_.Set(socket.cookie, remembered);
}

const OutcomeMemo::Remembered* OutcomeMemo::FindIn(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                                                   const firewall::facts::FactStore& facts) const {
  const Remembered* found = remembered_.Find(socket.cookie);
  const bool same =
      found != nullptr && found->translated == IsTranslated(socket, history) &&
      found->seen_tracked == (history != nullptr && history->SeenTracked()) &&
      found->tracked == (socket.entry.tracking == kernel::Tracking::kTracked) && found->open == socket.IsOpen() &&
      found->peer_has_closed == (socket.state != kernel::TcpState::kEstablished) &&
      found->sends_first == socket.SendsBeforeFin() && found->multipath_told == socket.multipath.has_value() &&
      facts.Holds(found->hung_on, found->facts_as_of);
  return same ? found : nullptr;
}

std::optional<Fate> OutcomeMemo::Find(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                                      const firewall::facts::FactStore& facts) const {
  const Remembered* found = FindIn(socket, history, facts);
  return found != nullptr && !found->incomplete ? std::optional(found->fate) : std::nullopt;
}

std::optional<Fate> OutcomeMemo::FindProvisional(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                                                 const firewall::facts::FactStore& facts) const {
  const Remembered* found = FindIn(socket, history, facts);
  return found != nullptr ? std::optional(found->fate) : std::nullopt;
}

std::uint16_t OutcomeMemo::FindSite(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                                    const firewall::facts::FactStore& facts) const {
  const Remembered* found = FindIn(socket, history, facts);
  return found != nullptr ? found->site : 0;
}

void OutcomeMemo::Doubt(std::uint64_t cookie) {
  if (const Remembered* found = remembered_.Find(cookie)) {
    Remembered doubted = *found;
    doubted.incomplete = true;
    remembered_.Set(cookie, doubted);
  }
}

void OutcomeMemo::Retain(const kernel::SocketTable& sockets) {
  if (remembered_.Size() == 0) {
    return;
  }
  CookieTable<Remembered> retained;
  for (std::size_t i = 0; i < sockets.Size(); ++i) {
    if (const Remembered* one = remembered_.Find(sockets.Cookie(i))) {
      retained.Set(sockets.Cookie(i), *one);
    }
  }
  remembered_ = std::move(retained);
}

}  // namespace finwait::diagnosis
