#include "exporter/report/situation.h"

#include <algorithm>

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

void AddStuck(const diagnosis::StuckSummary& summary, Situation& situation) {
  for (const diagnosis::StuckSocket& one : summary.sockets) {
    if (!one.cause || !ProvesFailure(*one.cause)) {
      continue;
    }
    ++situation.stuck;
    ++(*one.cause == diagnosis::Cause::kNatLost ? situation.nat_stuck : situation.stuck_no_nat);
    ++(PeerClosedFirst(one.socket.state) ? situation.peer_closed : situation.open_both_ways);
    situation.ends.Add(one.past);
    if (one.place) {
      ++At(situation.losses, *one.place, *one.cause == diagnosis::Cause::kReplyDrop).stuck;
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
  for (const diagnosis::AtRiskSocket& one : live.sockets) {
    if (one.place) {
      ++At(situation.losses, *one.place, one.fate == diagnosis::Fate::kAckDropped).at_risk;
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
    const auto& fin = places[diagnosis::PathPacket("fin")];
    if (fin) {
      At(situation.losses, *fin, false).general = true;
    } else if (const auto& ack = places[diagnosis::PathPacket("ack")]) {
      At(situation.losses, *ack, true).general = true;  // whether it is let in matters only when the FIN gets out
    }
    if (const auto& rst = places[diagnosis::PathPacket("rst")]; rst && (!fin || fin->rule != rst->rule)) {
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
