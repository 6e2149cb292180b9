#include "exporter/diagnosis/witness_evaluation.h"

#include <algorithm>
#include <iterator>

#include "collectors/sources/firewall.h"
#include "collectors/sources/network_namespaces.h"
#include "exporter/diagnosis/connection_facts.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Disposition;
using firewall::eval::PacketKind;
using firewall::eval::TraversalResult;

// A packet that came in is the peer's.
bool IsOfThePeer(const witness::Drop& drop) { return drop.place == witness::Place::kLocal && drop.incoming; }

Endpoint LocalEnd(const witness::Drop& drop) { return IsOfThePeer(drop) ? drop.destination : drop.source; }
Endpoint PeerEnd(const witness::Drop& drop) { return IsOfThePeer(drop) ? drop.source : drop.destination; }

const kernel::TcpSocket* FindSocket(const sources::SocketsSample* sample, const witness::Drop& drop) {
  if (sample == nullptr || drop.place == witness::Place::kForwarded) {
    return nullptr;
  }
  const auto found = std::ranges::find_if(sample->closing, [&](const kernel::TcpSocket& socket) {
    return (drop.cookie != 0 && socket.cookie == drop.cookie) ||
           (socket.local == LocalEnd(drop) && socket.peer == PeerEnd(drop));
  });
  return found == sample->closing.end() ? nullptr : &*found;
}

template <typename Item>
void Append(Item item, std::size_t most, std::vector<Item>& list) {
  if (list.size() == most) {
    list.erase(list.begin());
  }
  list.push_back(std::move(item));
}

}  // namespace

TraversalResult EvaluateDrop(const witness::Drop& drop, const kernel::TcpSocket* socket, CloseEvaluator& evaluator) {
  Result<firewall::eval::Connection> connection =
      socket != nullptr ? evaluator.ConnectionWithFacts(*socket)
                        : ConnectionBetween({LocalEnd(drop), PeerEnd(drop)}, evaluator.Packets().Facts());
  if (!connection) {
    TraversalResult unknown;
    unknown.reason = connection.error().message;
    return unknown;
  }
  if (socket == nullptr && !IsOfThePeer(drop) && drop.place == witness::Place::kLocal) {
    connection->local_socket.mark = drop.mark;  // the socket is gone, and its mark was the packet's
    connection->local_socket.held = false;
  }
  if (IsOfThePeer(drop) && drop.packet == witness::ClosingPacket::kRst) {
    return evaluator.Packets().EvaluatePeersReset(*connection);
  }
  const PacketKind kind = drop.packet == witness::ClosingPacket::kRst ? PacketKind::kRst
                          : IsOfThePeer(drop)                         ? PacketKind::kPeerFin
                                                                      : PacketKind::kFin;
  return drop.entry == witness::PacketEntry::kTracked ? evaluator.Packets().EvaluateTrackedPath(*connection, kind)
                                                      : evaluator.Packets().EvaluatePath(*connection, kind);
}

void WitnessEvaluation::Settle(const scheduling::Snapshot& snapshot) {
  const auto* firewall = snapshot.Find<sources::FirewallSample>();
  if (firewall == nullptr) {
    ruleset_.reset();
    suspects_.clear();
    return;
  }
  const SteadyClock::time_point read_at = snapshot.Status<sources::FirewallSample>()->taken_at;
  if (firewall->ruleset != ruleset_) {
    ruleset_ = firewall->ruleset;
    first_read_ = read_at;
    suspects_.clear();
    return;
  }
  std::erase_if(suspects_, [&](const Dropped& one) {
    if (one->drop.at >= read_at) {
      return false;
    }
    ++summary_.disagreements;
    Append(one, WitnessSummary::kMostDisagreements, summary_.newest_disagreements);
    return true;
  });
}

void WitnessEvaluation::TakeIn(DroppedPacket packet) {
  const auto dropped = std::make_shared<const DroppedPacket>(std::move(packet));
  const witness::Drop& drop = dropped->drop;
  const bool is_fin = drop.packet == witness::ClosingPacket::kFin;
  if (is_fin && dropped->evaluated == Disposition::kAccept && drop.at > first_read_ &&
      suspects_.size() < sources::WitnessSample::kMostDrops) {
    suspects_.push_back(dropped);
  }
  if (IsOfThePeer(drop)) {
    if (is_fin) {
      Append(dropped, WitnessSummary::kMostListed, summary_.peer_fins);
    }
  } else if (!is_fin && drop.place == witness::Place::kLocal) {
    Append(dropped, WitnessSummary::kMostListed, summary_.resets);
    summary_.new_resets.push_back(dropped);
  }
  if (is_fin && !IsOfThePeer(drop)) {
    if (fins_.size() == kMostConnections) {
      fins_.clear();  // a stuck socket tries again, and is seen again
    }
    fins_[{dropped->local, dropped->peer}] = dropped;
  }
}

void WitnessEvaluation::MarkStuck(Diagnosis& diagnosis) const {
  if (!diagnosis.stuck) {
    return;
  }
  for (StuckSocket& one : diagnosis.stuck->sockets) {
    const auto found = fins_.find({one.socket.local, one.socket.peer});
    one.observed = found == fins_.end() ? nullptr : found->second;
  }
}

void WitnessEvaluation::Evaluate(const scheduling::Snapshot& snapshot, SteadyClock::time_point now,
                                 RulesEvaluation& rules, const OwnerHistory& owners, Diagnosis& diagnosis) {
  const auto* sample = snapshot.Find<sources::WitnessSample>();
  if (sample == nullptr) {
    return;
  }
  Settle(snapshot);
  summary_.new_resets.clear();
  std::vector<const witness::Drop*> news;
  for (const witness::Drop& drop : sample->drops) {
    if (drop.number > last_) {
      news.push_back(&drop);
    }
  }
  const auto* sockets = snapshot.Find<sources::SocketsSample>();
  const auto* names = snapshot.Find<sources::NetworkNamespacesSample>();
  std::vector<DroppedPacket> evaluated;
  const auto evaluate = [&] {
    evaluated.clear();
    for (const witness::Drop* drop : news) {
      const auto ago = std::max(now - drop->at, SteadyClock::duration(0));
      DroppedPacket packet{*drop, diagnosis.at - ago, LocalEnd(*drop), PeerEnd(*drop), {}, nullptr, {}, nullptr};
      if (drop->reason_class == witness::ReasonClass::kNetfilter && rules.Evaluator() != nullptr) {
        const auto result = EvaluateDrop(*drop, FindSocket(sockets, *drop), *rules.Evaluator());
        packet.evaluated = result.disposition;
        packet.site = rules.Sites().Of(result, rules.Evaluator()->Packets());
        packet.reason = result.disposition == Disposition::kUnknown ? result.reason : std::string();
      }
      evaluated.push_back(std::move(packet));
    }
  };
  if (!news.empty()) {
    rules.InRounds(evaluate);
    last_ = news.back()->number;
  }
  for (DroppedPacket& packet : evaluated) {
    packet.owner = packet.drop.cgroup != 0 ? owners.OwnerOf(names, packet.drop.cgroup) : nullptr;
    TakeIn(std::move(packet));
  }
  diagnosis.witness = summary_;
  MarkStuck(diagnosis);
}

}  // namespace finwait::diagnosis
