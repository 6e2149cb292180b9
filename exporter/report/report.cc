#include "exporter/report/report.h"

#include <algorithm>
#include <utility>

#include "collectors/sources/firewall.h"

namespace finwait::report {
namespace {

using DroppedForSome = decltype(Report::dropped_for_some);

bool IsOutbound(firewall::Hook hook) {
  return hook == firewall::Hook::kOutput || hook == firewall::Hook::kPostrouting || hook == firewall::Hook::kEgress;
}

// Marks the packets that `hook` can drop, in a family that `table` covers.
void Mark(firewall::TableFamily table, std::initializer_list<diagnosis::PathPacket> packets, DroppedForSome& dropped) {
  for (const IpFamily family : kIpFamilies) {
    if (firewall::Covers(table, family)) {
      for (const diagnosis::PathPacket packet : packets) {
        dropped[family][diagnosis::Index(packet)] = true;
      }
    }
  }
}

// What rules do to some connections: by the sockets that they concern, and by rules that drop INVALID under further
// conditions. The peer's bare ACK is INVALID only with nf_conntrack_tcp_loose = 0, so only sockets tell of it.
DroppedForSome FindDroppedForSome(const diagnosis::Diagnosis& diagnosis, const std::vector<AffectedSite>& sites) {
  DroppedForSome dropped = {};
  for (const AffectedSite& site : sites) {
    if (site.stuck + site.at_risk > 0) {
      Mark(site.site.rule.family, {site.inbound ? diagnosis::PathPacket::kAck : diagnosis::PathPacket::kFin}, dropped);
    }
  }
  if (const auto* firewall = diagnosis.snapshot->Find<sources::FirewallSample>()) {
    for (const firewall::analysis::InvalidDropRule& rule : firewall->invalid_drops) {
      for (const firewall::Hook hook : rule.hooks) {
        if (rule.narrow && IsOutbound(hook)) {
          Mark(rule.location.family, {diagnosis::PathPacket::kFin, diagnosis::PathPacket::kRst}, dropped);
        } else if (rule.narrow && hook != firewall::Hook::kForward) {
          Mark(rule.location.family, {diagnosis::PathPacket::kPeerFin}, dropped);
        }
      }
    }
  }
  for (std::size_t family = 0; family < dropped.size(); ++family) {
    for (std::size_t packet = 0; packet < dropped[family].size(); ++packet) {
      dropped[family][packet] = dropped[family][packet] && diagnosis.paths &&
                                (*diagnosis.paths)[family][packet] == firewall::eval::Disposition::kAccept;
    }
  }
  return dropped;
}

}  // namespace

std::shared_ptr<const Report> MakeReport(std::shared_ptr<const diagnosis::Diagnosis> diagnosis, Scope scope) {
  auto report = std::make_shared<Report>();
  Situation situation = SituationOf(*diagnosis);
  report->explanation = Explain(*diagnosis, situation);
  if (scope == Scope::kOneNamespace) {
    report->explanation.cannot_see.push_back(
        {"What the host does to this namespace's packets on their way (its forward rules, its NAT) has no part in "
         "this. "
         "`check` without --netns evaluates that, and `explain --netns` both. Commands that are advised here are for "
         "inside this namespace."});
  }
  report->dropped_for_some = FindDroppedForSome(*diagnosis, situation.losses);
  report->drop_sites = std::move(situation.losses);
  if (diagnosis->stuck) {
    report->stuck_groups = GroupStuckSockets(diagnosis->stuck->sockets);
  }
  report->diagnosis = std::move(diagnosis);
  return report;
}

}  // namespace finwait::report
