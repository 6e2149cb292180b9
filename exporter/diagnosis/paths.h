#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "collectors/conntrack_table.h"
#include "collectors/firewall.h"
#include "collectors/tracking.h"
#include "exporter/diagnosis/drop_place.h"
#include "exporter/diagnosis/fate.h"

namespace finwait {

/// The packets that finwait_firewall_path_verdict judges, in the order of its label.
inline constexpr std::string_view kPathPackets[] = {"fin", "rst", "data", "ack", "peer_fin", "forwarded_fin"};

/// What becomes of the closing packets of the general connection without an entry, by position in kPathPackets.
using PathDecisions = std::array<firewall::PathDecision, std::size(kPathPackets)>;

/// Where those of them die that are lost, by position in kPathPackets.
using PathPlaces = std::array<std::optional<DropPlace>, std::size(kPathPackets)>;

struct PathJudgement {
  PathDecisions decisions = {};
  PathPlaces places;
};

/// Of one IP family.
PathJudgement JudgePaths(CloseJudge& judge, IpFamily family);

/// The position of `name` in kPathPackets.
constexpr std::size_t PathPacket(std::string_view name) {
  return static_cast<std::size_t>(std::find(std::begin(kPathPackets), std::end(kPathPackets), name) -
                                  std::begin(kPathPackets));
}

/// Whether conntrack's hooks run for a family; nothing where that cannot be told. Inferred from entries, which only an
/// active conntrack makes, and from rules that need it. `table` and `tracking` may be null.
std::optional<bool> IsConntrackActive(const firewall::Ruleset& ruleset, const ConntrackTableSample* table,
                                      const TrackingSample* tracking, IpFamily family);

}  // namespace finwait
