#include "exporter/report/situation.h"

#include <algorithm>
#include <map>
#include <utility>

namespace finwait::report {
namespace {

AffectedSite& At(std::vector<AffectedSite>& losses, const diagnosis::DropSite& place, bool inbound) {
  const auto found = std::find_if(losses.begin(), losses.end(), [&](const AffectedSite& loss) {
    return loss.inbound == inbound && loss.place.rule == place.rule;
  });
  if (found != losses.end()) {
    return *found;
  }
  AffectedSite& loss = losses.emplace_back();
  loss.place = place;
  loss.inbound = inbound;
  return loss;
}

bool PeerClosedFirst(kernel::TcpState state) {
  return state == kernel::TcpState::kCloseWait || state == kernel::TcpState::kLastAck;
}

// All sockets at one site share it, so that most are counted without comparing names.
class SiteCounter {
 public:
  explicit SiteCounter(std::vector<AffectedSite>& sites) : sites_(sites) {}
  void Count(const diagnosis::DropSite& site, bool inbound) {
    const auto [known, is_new] = positions_.try_emplace({&site, inbound}, 0);
    if (is_new) {
      known->second = static_cast<std::size_t>(&At(sites_, site, inbound) - sites_.data());
    }
    ++sites_[known->second].stuck;
  }

 private:
  std::vector<AffectedSite>& sites_;
  std::map<std::pair<const diagnosis::DropSite*, bool>, std::size_t> positions_;
};

void AddStuck(const diagnosis::StuckSummary& summary, Situation& situation) {
  SiteCounter sites(situation.losses);
  for (const diagnosis::StuckSocket& one : summary.sockets) {
    if (!one.cause || !ProvesFailure(*one.cause)) {
      continue;
    }
    ++situation.stuck;
    ++(*one.cause == diagnosis::Cause::kNatLost ? situation.nat_stuck : situation.stuck_no_nat);
    ++(PeerClosedFirst(one.socket.state) ? situation.peer_closed : situation.open_both_ways);
    situation.ends.Add(one.past);
    if (one.site != nullptr) {
      sites.Count(*one.site, *one.cause == diagnosis::Cause::kReplyDrop);
    } else if (*one.cause != diagnosis::Cause::kNatLost) {
      ++situation.stuck_unnamed;
    }
  }
}

void AddLive(const diagnosis::LiveSummary& live, Situation& situation) {
  situation.at_risk = live.WouldStick();
  situation.nat_at_risk = live.AtRisk(diagnosis::Fate::kNatLost);
  situation.nat_tracked = live.translated;
  situation.expiring = live.expiring.value_or(0);
  situation.peer_closed += live.would_stick_close_wait;
  situation.open_both_ways += live.WouldStick() - live.would_stick_close_wait;
  situation.ends += live.ends;
  situation.all_at_risk_listed = live.sockets.size() < diagnosis::LiveSummary::kMostListed;
  for (const diagnosis::AtRiskSocket& one : live.sockets) {
    if (one.place) {
      const std::size_t before = situation.losses.size();
      AffectedSite& loss = At(situation.losses, *one.place, one.place_is_inbound);
      const bool peer_fin = one.fate == diagnosis::Fate::kPeerFinDropped && one.place_is_inbound;
      loss.peer_fin = peer_fin && (loss.peer_fin || situation.losses.size() > before);
      ++loss.at_risk;
    }
  }
}

// What the general connection meets, in families in which conntrack runs.
void AddGeneral(const diagnosis::Diagnosis& diagnosis, Situation& situation) {
  for (const IpFamily family : kIpFamilies) {
    const auto index = static_cast<std::size_t>(family);
    if (!diagnosis.conntrack_active[index].value_or(true)) {
      continue;
    }
    const diagnosis::PathSites& places = diagnosis.path_places[index];
    const auto& fin = places[diagnosis::Index(diagnosis::PathPacket::kFin)];
    if (fin) {
      At(situation.losses, *fin, false).general = true;
    } else if (const auto& ack = places[diagnosis::Index(diagnosis::PathPacket::kAck)]) {
      AffectedSite& loss = At(situation.losses, *ack, true);  // whether it is let in matters only when the FIN gets out
      loss.general = true;
      loss.peer_fin = false;
    } else if (const auto& peer_fin = places[diagnosis::Index(diagnosis::PathPacket::kPeerFin)]) {
      const std::size_t before = situation.losses.size();
      AffectedSite& loss = At(situation.losses, *peer_fin, true);
      loss.general = true;
      loss.peer_fin = loss.peer_fin || situation.losses.size() > before;
    }
    if (const auto& rst = places[diagnosis::Index(diagnosis::PathPacket::kRst)];
        rst && (!fin || fin->rule != rst->rule)) {
      AffectedSite& loss = At(situation.losses, *rst, false);
      loss.reset_only = !loss.general && loss.stuck == 0 && loss.at_risk == 0;
      loss.general = true;
    }
  }
}

}  // namespace

bool Situation::AnyOutbound() const {
  return std::any_of(losses.begin(), losses.end(), [](const AffectedSite& loss) { return !loss.inbound; });
}

bool Situation::AnyInbound() const {
  return std::any_of(losses.begin(), losses.end(), [](const AffectedSite& loss) { return loss.inbound; });
}

Situation SituationOf(const diagnosis::Diagnosis& diagnosis) {
  Situation situation;
  situation.resets_lost = diagnosis.resets_lost;
  if (const auto* sysctl = diagnosis.snapshot->Find<sources::SysctlSample>()) {
    situation.sysctl = *sysctl;
  }
  if (diagnosis.stuck) {
    AddStuck(*diagnosis.stuck, situation);
  }
  if (diagnosis.live) {
    AddLive(*diagnosis.live, situation);
  }
  if (diagnosis.paths) {
    AddGeneral(diagnosis, situation);
  }
  std::stable_sort(situation.losses.begin(), situation.losses.end(), [](const AffectedSite& a, const AffectedSite& b) {
    return a.stuck != b.stuck ? a.stuck > b.stuck : a.at_risk > b.at_risk;
  });
  return situation;
}

}  // namespace finwait::report
