#include "exporter/report/situation.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "collectors/sources/firewall.h"
#include "exporter/diagnosis/conntrack_activity.h"

namespace finwait::report {
namespace {

AffectedSite& At(std::vector<AffectedSite>& losses, const diagnosis::DropSite& site, bool inbound) {
  const auto found = std::find_if(losses.begin(), losses.end(), [&](const AffectedSite& loss) {
    return loss.inbound == inbound && loss.site.rule == site.rule;
  });
  if (found != losses.end()) {
    return *found;
  }
  AffectedSite& loss = losses.emplace_back();
  loss.site = site;
  loss.inbound = inbound;
  return loss;
}

// Adds the places at which the packets of one connection die. Those that it has already learn what they do not know.
void AddDrops(const diagnosis::ClosingDrops& drops, bool general, std::vector<AffectedSite>& sites) {
  using firewall::eval::PacketKind;
  for (const diagnosis::ClosingDrop& drop : drops.places) {
    const bool inbound = !firewall::eval::IsOutgoing(drop.packet);
    const std::size_t before = sites.size();
    AffectedSite& site = At(sites, drop.site, inbound);
    const bool is_new = sites.size() > before;
    const bool peer_fin = drop.packet == PacketKind::kPeerFin;
    const bool last_ack = drop.packet == PacketKind::kData;
    site.peer_fin = peer_fin && (is_new || site.peer_fin);
    site.acks_too = site.acks_too || (last_ack && !is_new);
    site.last_ack = last_ack && (is_new || site.last_ack);
    site.with_entry = site.with_entry || drop.accepts == firewall::eval::Accepts::kFins;
    site.helps = site.helps && drop.helps;
    site.general = site.general || general;
  }
}

// Where else the packets of sockets die that are stuck at `site`.
void AddFurther(const diagnosis::ClosingDrops& drops, AffectedSite& site) {
  for (const diagnosis::ClosingDrop& drop : drops.places) {
    const bool known = drop.site.rule == site.site.rule ||
                       std::any_of(site.further.begin(), site.further.end(), [&](const FurtherSite& one) {
                         return one.site.rule == drop.site.rule && one.accepts == drop.accepts;
                       });
    if (!known && drop.helps) {
      site.further.push_back({drop.site, drop.accepts == firewall::eval::Accepts::kClosing
                                             ? firewall::eval::Accepts::kInvalid
                                             : drop.accepts});
    }
  }
}

bool PeerClosedFirst(kernel::TcpState state) {
  return state == kernel::TcpState::kCloseWait || state == kernel::TcpState::kLastAck;
}

// All sockets at one site share it, so that most are counted without comparing names.
class SiteCounter {
 public:
  explicit SiteCounter(std::vector<AffectedSite>& sites) : sites_(sites) {}
  AffectedSite& Count(const diagnosis::DropSite& site, bool inbound) {
    const auto [known, is_new] = positions_.try_emplace({&site, inbound}, 0);
    if (is_new) {
      known->second = static_cast<std::size_t>(&At(sites_, site, inbound) - sites_.data());
    }
    AffectedSite& counted = sites_[known->second];
    ++counted.stuck;
    return counted;
  }

 private:
  std::vector<AffectedSite>& sites_;
  std::map<std::pair<const diagnosis::DropSite*, bool>, std::size_t> positions_;
};

void AddStuck(const diagnosis::StuckSummary& summary, Situation& situation) {
  SiteCounter sites(situation.losses);
  std::set<const diagnosis::ClosingDrops*> seen;
  std::vector<const diagnosis::ClosingDrops*> drops;
  for (const diagnosis::StuckSocket& one : summary.sockets) {
    if (!one.cause || !ProvesFailure(*one.cause)) {
      continue;
    }
    ++situation.stuck;
    ++(*one.cause == diagnosis::Cause::kNatLost ? situation.nat_stuck : situation.stuck_no_nat);
    ++(PeerClosedFirst(one.socket.state) ? situation.peer_closed : situation.open_both_ways);
    situation.ends.Add(one.history, situation.sysctl ? &*situation.sysctl : nullptr);
    if (one.site != nullptr) {
      AffectedSite& site = sites.Count(*one.site, one.is_answer);
      site.with_entry = site.with_entry || (one.with_entry && !one.is_answer);
      site.answers_with_entry = site.answers_with_entry || (one.with_entry && one.is_answer);
      site.helps = site.helps && !site.answers_with_entry;  // no rule is advised that lets ACKs pass which have one
      if (one.drops != nullptr && seen.insert(one.drops.get()).second) {
        AddFurther(*one.drops, site);
        drops.push_back(one.drops.get());
      }
    } else if (*one.cause != diagnosis::Cause::kNatLost) {
      ++situation.stuck_unnamed;
    }
  }
  for (const diagnosis::ClosingDrops* one : drops) {
    AddDrops(*one, false, situation.losses);
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
  situation.own_timeouts += live.own_timeouts;
  situation.all_at_risk_counted = live.each_stood_for;
  for (const diagnosis::AtRiskSocket& one : live.sockets) {
    if (one.site) {
      const std::size_t before = situation.losses.size();
      AffectedSite& loss = At(situation.losses, *one.site, one.site_is_inbound);
      const bool is_new = situation.losses.size() > before;
      const bool peer_only = one.fate == diagnosis::Fate::kPeerFinDropped;
      loss.peer_fin = peer_only && one.site_is_inbound && (loss.peer_fin || is_new);
      loss.last_ack = peer_only && !one.site_is_inbound && (loss.last_ack || is_new);
      const bool answer = one.fate == diagnosis::Fate::kAckDropped || one.fate == diagnosis::Fate::kPeerDecides ||
                          (peer_only && !one.site_is_inbound);
      loss.with_entry = loss.with_entry || (one.with_entry && !answer);
      loss.answers_with_entry = loss.answers_with_entry || (one.with_entry && answer);
      loss.at_risk += one.stands_for;
      AddDrops(one.drops, false, situation.losses);
    }
  }
}

// What the representative connection meets, in families in which conntrack runs.
void AddGeneral(const diagnosis::Diagnosis& diagnosis, Situation& situation) {
  const PerFamily<bool> active = diagnosis::MayBeActive(diagnosis.conntrack_active);
  for (const IpFamily family : kIpFamilies) {
    if (!active[family]) {
      continue;
    }
    const diagnosis::PathSites& places = diagnosis.path_places[family];
    const auto& fin = places[diagnosis::Index(diagnosis::PathPacket::kFin)];
    AddDrops(diagnosis.closing_drops[family], true, situation.losses);
    if (!diagnosis.closing_drops[family].enough && situation.not_enough.empty()) {
      situation.not_enough = diagnosis.closing_drops[family].reason;
    }
    if (const auto& rst = places[diagnosis::Index(diagnosis::PathPacket::kRst)];
        rst && (!fin || fin->rule != rst->rule)) {
      AffectedSite& loss = At(situation.losses, *rst, false);
      loss.reset_only = !loss.general && loss.stuck == 0 && loss.at_risk == 0;
      loss.general = true;
    }
  }
}

// Of rules that packets of several hooks come to.
void AddHooks(const sources::FirewallSample& firewall, std::vector<AffectedSite>& losses) {
  std::map<firewall::RuleId, const std::vector<firewall::Hook>*> shared;
  for (const firewall::analysis::InvalidDropRule& rule : firewall.invalid_drops) {
    if (rule.hooks.size() > 1) {
      shared.emplace(rule.location, &rule.hooks);
    }
  }
  for (AffectedSite& loss : losses) {
    const auto found = shared.find(loss.site.rule);
    if (found != shared.end()) {
      loss.hooks = *found->second;
    }
  }
}

}  // namespace

bool Situation::AnyOutbound() const {
  return std::any_of(losses.begin(), losses.end(), [](const AffectedSite& loss) { return !loss.inbound; });
}

bool Situation::AnyWithEntry() const {
  return std::any_of(losses.begin(), losses.end(), [](const AffectedSite& loss) { return loss.with_entry; });
}

bool Situation::OnlyWithEntry() const {
  return !losses.empty() &&
         std::all_of(losses.begin(), losses.end(), [](const AffectedSite& loss) { return loss.with_entry; });
}

Situation SituationOf(const diagnosis::Diagnosis& diagnosis) {
  Situation situation;
  situation.resets_lost = diagnosis.resets_lost;
  situation.table_full = diagnosis.table_full != std::optional(false);
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
  situation.own_timeouts += situation.ends.own;
  const auto& timed_out = situation.ends.timed_out;
  situation.only_own_timeouts =
      situation.own_timeouts.entries > 0 && (!diagnosis.live || diagnosis.live->sysctl_timeouts == 0) &&
      std::accumulate(timed_out.begin(), timed_out.end(), situation.ends.removed + situation.ends.unknown) == 0;
  std::stable_sort(situation.losses.begin(), situation.losses.end(), [](const AffectedSite& a, const AffectedSite& b) {
    return a.stuck != b.stuck ? a.stuck > b.stuck : a.at_risk > b.at_risk;
  });
  if (const auto* firewall = diagnosis.snapshot->Find<sources::FirewallSample>()) {
    AddHooks(*firewall, situation.losses);
  }
  return situation;
}

std::string_view DyingAt(const AffectedSite& loss) {
  if (loss.inbound && (loss.peer_fin || loss.with_entry)) {
    return "the peer's FIN";
  }
  return loss.inbound      ? "the peer's answer to a FIN"
         : loss.last_ack   ? "this host's ACK of the peer's FIN"
         : loss.reset_only ? "the RST"
                           : "the FIN";
}

}  // namespace finwait::report
