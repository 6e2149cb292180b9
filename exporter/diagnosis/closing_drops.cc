#include "exporter/diagnosis/closing_drops.h"

#include "exporter/diagnosis/packet_evaluator.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Accepts;
using firewall::eval::Connection;
using firewall::eval::Disposition;
using firewall::eval::PacketKind;
using firewall::eval::TraversalResult;

// Tables in series: a packet rarely meets more than two that drop it.
constexpr std::size_t kMostInSeries = 8;

class Search {
 public:
  Search(PacketEvaluator& evaluator, const Connection& connection) : evaluator_(evaluator), connection_(connection) {
    evaluator_.Plan(&planned_);
  }
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;
  ~Search() { evaluator_.Plan(nullptr); }

  void Follow(PacketKind kind, Accepts accepts, bool tracked) {
    TraversalResult result = Evaluate(kind, tracked);
    for (std::size_t i = 0; i < kMostInSeries && IsLost(result.disposition); ++i) {
      const auto site = SiteOf(result, evaluator_);
      if (!site) {
        break;
      }
      planned_.Add(site->rule, accepts);
      found_.places.push_back({*site, kind, accepts, true});
      result = Evaluate(kind, tracked);
      if (IsLost(result.disposition) && result.location == site->rule) {
        found_.places.back().helps = false;
        break;
      }
    }
    if (result.disposition != Disposition::kAccept) {
      found_.enough = false;
      found_.reason = found_.reason.empty() ? result.reason : found_.reason;
    }
  }

  ClosingDrops Take() { return std::move(found_); }

 private:
  TraversalResult Evaluate(PacketKind kind, bool tracked) {
    if (!tracked) {
      return evaluator_.EvaluatePath(connection_, kind);
    }
    return kind == PacketKind::kData ? evaluator_.TrackedLastAck(connection_)
                                     : evaluator_.EvaluateTrackedPath(connection_, kind);
  }

  PacketEvaluator& evaluator_;
  const Connection& connection_;
  firewall::eval::PlannedAccepts planned_;
  ClosingDrops found_;
};

}  // namespace

ClosingDrops FindClosingDrops(PacketEvaluator& evaluator, const Connection& connection, bool peer_has_closed,
                              bool tracked) {
  Search search(evaluator, connection);
  if (tracked) {
    search.Follow(PacketKind::kFin, Accepts::kFins, true);
    if (!peer_has_closed) {
      search.Follow(PacketKind::kPeerFin, Accepts::kFins, true);
    }
    // No rule is advised that lets ACKs pass which have an entry.
    search.Follow(PacketKind::kAck, Accepts::kReplies, true);
    if (!peer_has_closed) {
      search.Follow(PacketKind::kData, Accepts::kReplies, true);
    }
  }
  search.Follow(PacketKind::kFin, Accepts::kClosing, false);
  search.Follow(PacketKind::kAck, Accepts::kReplies, false);
  if (!peer_has_closed) {
    search.Follow(PacketKind::kPeerFin, Accepts::kReplies, false);
    search.Follow(PacketKind::kData, Accepts::kReplies, false);
  }
  return search.Take();
}

}  // namespace finwait::diagnosis
