#include "exporter/pairs/own_halves.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "collectors/sources/network_namespaces.h"
#include "collectors/sources/tracking.h"
#include "exporter/diagnosis/owner_by_cgroup.h"
#include "exporter/pairs/live_stream.h"
#include "exporter/views/rule_json.h"

namespace finwait::pairs {
namespace {

using diagnosis::DropSite;
using kernel::namespaces::Owner;

ForeignRule RuleOf(const DropSite& site) {
  auto json = views::RuleJson(site.rule);
  json["hook"] = Name(site.hook);
  json["policy"] = site.rule.IsPolicy();
  json["verdict"] = site.rejects ? "reject" : "drop";
  return {json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), Describe(site.rule)};
}

// Each value once, by the order in which they come.
template <typename Key>
class Positions {
 public:
  std::uint32_t Of(const Key& key) {
    const auto [item, is_new] = positions_.try_emplace(key, static_cast<std::uint32_t>(keys_.size()));
    if (is_new) {
      keys_.push_back(key);
    }
    return item->second;
  }
  const std::vector<Key>& Keys() const { return keys_; }

 private:
  std::map<Key, std::uint32_t> positions_;
  std::vector<Key> keys_;
};

// Sockets and records share their sites, so that most are known by their address.
class Rules {
 public:
  std::uint32_t PositionOf(const DropSite* site) {
    if (site == nullptr) {
      return kNone;
    }
    const auto [known, is_new] = known_.try_emplace(site, kNone);
    if (is_new) {
      ForeignRule rule = RuleOf(*site);
      known->second = positions_.Of(rule.json + rule.text);
      if (known->second == rules_.size()) {
        rules_.push_back(std::move(rule));
      }
    }
    return known->second;
  }
  std::vector<ForeignRule> Take() { return std::move(rules_); }

 private:
  std::map<const DropSite*, std::uint32_t> known_;
  Positions<std::string> positions_;
  std::vector<ForeignRule> rules_;
};

EndDigests DigestsOf(const Endpoint& local, const Endpoint& peer, Digester& digester) {
  return {digester.Of(local, peer), digester.Of(peer, local)};
}

// Writes the sockets of one table.
class LivePart {
 public:
  LivePart(const diagnosis::Diagnosis& diagnosis, std::shared_ptr<const Translations> translations, bool elsewhere,
           Digester& digester)
      : diagnosis_(diagnosis), translations_(std::move(translations)), elsewhere_(elsewhere), digester_(digester) {
    if (diagnosis.live) {
      for (const diagnosis::AtRiskSocket& one : diagnosis.live->sockets) {
        if ((one.network_namespace != 0) == elsewhere && one.fate == diagnosis::Fate::kPeerFinDropped && one.site) {
          sites_[one.socket.cookie] = &*one.site;
        }
      }
    }
  }

  LiveHalf HalfOf(const kernel::TcpSocket& socket) {
    LiveHalf half;
    const kernel::Translation* translation = TranslationOf(socket);
    half.digests[0] = digester_.Of(socket.local, socket.peer);
    half.digests[1] = translation != nullptr ? digester_.Of(translation->local, translation->peer) : half.digests[0];
    half.port = socket.local.port;
    if (socket.idle) {
      half.silent_seconds = static_cast<std::uint32_t>(
          std::max<std::int64_t>(0, std::chrono::floor<std::chrono::seconds>(*socket.idle).count()));
    }
    half.peer_has_closed = socket.state == kernel::TcpState::kCloseWait;
    return half;
  }

  // Where its peer's FIN would be dropped here, or has been; null where it would not.
  const DropSite* SiteOf(const kernel::TcpSocket& socket) const {
    if (const auto known = sites_.find(socket.cookie); known != sites_.end()) {
      return known->second;
    }
    if (elsewhere_ || socket.entry.tracking != kernel::Tracking::kUntracked) {
      return nullptr;
    }
    const auto& general = diagnosis_.path_places[socket.local.address.Family()];
    const auto& site = general[Index(diagnosis::PathPacket::kPeerFin)];
    return site ? &*site : nullptr;
  }

 private:
  const kernel::Translation* TranslationOf(const kernel::TcpSocket& socket) const {
    if (socket.entry.translation != nullptr) {
      return socket.entry.translation.get();
    }
    const auto found = translations_->find(socket.cookie);
    return found != translations_->end() ? found->second.get() : nullptr;
  }

  const diagnosis::Diagnosis& diagnosis_;
  std::shared_ptr<const Translations> translations_;  // of those whose entries are gone, too
  bool elsewhere_;
  Digester& digester_;
  std::map<std::uint64_t, const DropSite*> sites_;  // by cookie
};

float SecondsSince(SteadyClock::time_point at, SteadyClock::time_point now) {
  return std::chrono::duration<float>(std::max(now - at, SteadyClock::duration(0))).count();
}

}  // namespace

LostDocument LostHalvesOf(const std::vector<incidents::Record>& records, incidents::Time now,
                          std::chrono::duration<double> sampling, Digester& digester) {
  LostDocument document;
  document.key = digester.OfKey();
  Rules rules;
  for (const incidents::Record& record : records) {
    if (!record.HasEnds() || record.cause == diagnosis::Cause::kZeroWindow) {
      continue;
    }
    LostHalf half;
    half.ends[0] = DigestsOf(record.local, record.peer, digester);
    half.ends[1] = record.translation != nullptr
                       ? DigestsOf(record.translation->local, record.translation->peer, digester)
                       : half.ends[0];
    const auto since = [now](incidents::Time time) {
      return std::max(std::chrono::duration<double>(now - time), std::chrono::duration<double>(0));
    };
    const bool was_lost = record.outcome == incidents::Outcome::kOngoing ||
                          record.outcome == incidents::Outcome::kGaveUp ||
                          record.outcome == incidents::Outcome::kCounted;
    half.lost_seconds = static_cast<float>(since(record.first).count());
    half.settled_seconds =
        was_lost ? half.lost_seconds : static_cast<float>(std::max(since(record.last) - sampling, since(now)).count());
    half.cause = record.cause;
    half.ongoing = record.outcome == incidents::Outcome::kOngoing;
    half.elsewhere = record.elsewhere;
    half.rule = rules.PositionOf(record.site.get());
    document.halves.push_back(half);
  }
  document.rules = rules.Take();
  return document;
}

Result<std::string> LiveHalvesOf(const diagnosis::Diagnosis& diagnosis, const TranslationMemory& memory,
                                 SteadyClock::time_point now, bool owner_names, Digester& digester) {
  const scheduling::Snapshot& snapshot = *diagnosis.snapshot;
  const auto* tracking = snapshot.Find<sources::TrackingSample>();
  if (tracking == nullptr) {
    const auto* status = snapshot.Status<sources::TrackingSample>();
    return Fail(FailureReason::kUnsupported,
                status == nullptr        ? "the collector tracking is off, and it alone reads the live sockets"
                : status->errors.empty() ? "the live sockets have not been read yet"
                                         : "the live sockets cannot be read: " + status->errors.front().message);
  }
  const auto* others = snapshot.Find<sources::NetworkNamespacesSample>();
  LiveWriter writer;
  Rules rules;
  Positions<std::string> owners;
  const auto position_of = [&](const Owner& owner) {
    return owner.kind == kernel::namespaces::OwnerKind::kOther
               ? kNone
               : owners.Of(owner_names ? owner.Text() : Owner{owner.kind, {}, {}, {}}.Text());
  };
  LivePart own(diagnosis, memory.Own(), false, digester);
  writer.BeginSample(SecondsSince(snapshot.Status<sources::TrackingSample>()->taken_at, now), false);
  std::map<std::optional<std::uint64_t>, std::uint32_t> owner_of_cgroup;
  for (const kernel::TcpSocket& socket : tracking->sockets) {
    if (!socket.IsOpen()) {
      continue;
    }
    LiveHalf half = own.HalfOf(socket);
    const auto [owner, is_new] = owner_of_cgroup.try_emplace(socket.cgroup_id, kNone);
    if (is_new) {
      owner->second = position_of(diagnosis::OwnerByCgroup(others, socket.cgroup_id));
    }
    half.owner = owner->second;
    half.rule = rules.PositionOf(own.SiteOf(socket));
    writer.Add(half);
  }
  if (others != nullptr && others->live != nullptr) {
    LivePart elsewhere(diagnosis, memory.Elsewhere(), true, digester);
    writer.BeginSample(SecondsSince(others->live->taken_at, now), true);
    const kernel::SocketTable& sockets = others->live->sockets;
    for (std::size_t i = 0; i < sockets.Size(); ++i) {
      const kernel::TcpSocket socket = sockets[i];
      if (!socket.IsOpen()) {
        continue;
      }
      LiveHalf half = elsewhere.HalfOf(socket);
      if (const auto owner = others->OwnerOf(others->live->namespaces[i]); owner != nullptr) {
        half.owner = position_of(*owner);
      }
      half.rule = rules.PositionOf(elsewhere.SiteOf(socket));
      writer.Add(half);
    }
  }
  return writer.Finish({owners.Keys(), rules.Take()});
}

}  // namespace finwait::pairs
