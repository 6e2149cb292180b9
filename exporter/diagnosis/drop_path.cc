#include "exporter/diagnosis/drop_path.h"

#include "exporter/diagnosis/conntrack_activity.h"

namespace finwait::diagnosis {

std::optional<bool> HasDropPath(const Diagnosis& diagnosis) {
  if (diagnosis.live && diagnosis.live->any_would_stick) {
    return true;
  }
  if (!diagnosis.paths) {
    return std::nullopt;
  }
  bool unknown = diagnosis.live && (diagnosis.live->any_unknown || diagnosis.live->unread_elsewhere > 0);
  const PerFamily<bool> active = MayBeActive(diagnosis.conntrack_active);
  for (const IpFamily family : kIpFamilies) {
    if (!active[family]) {
      continue;
    }
    if (diagnosis.tracked_places[family].fin || diagnosis.tracked_places[family].peer_fin) {
      return true;
    }
    for (const PathPacket packet : {PathPacket::kFin, PathPacket::kAck, PathPacket::kPeerFin}) {
      const firewall::eval::Disposition disposition = (*diagnosis.paths)[family][Index(packet)];
      const bool hangs_on_more = !diagnosis.path_unknowns[family][Index(packet)].empty();
      if (IsLost(disposition) && !hangs_on_more) {
        return true;
      }
      // Where no connection is there but by its device, those that are open stand for the others.
      const bool told_by_open_ones = IsLost(disposition) && diagnosis.live && diagnosis.live->open > 0;
      unknown = unknown || (hangs_on_more && !told_by_open_ones);
    }
  }
  return unknown ? std::nullopt : std::optional(false);
}

}  // namespace finwait::diagnosis
