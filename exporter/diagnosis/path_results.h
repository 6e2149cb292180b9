#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "exporter/diagnosis/closing_drops.h"
#include "exporter/diagnosis/drop_site.h"
#include "exporter/diagnosis/packet_evaluator.h"

namespace finwait::diagnosis {

/// The packets that finwait_firewall_path_verdict tells of.
enum class PathPacket : std::size_t { kFin, kRst, kData, kAck, kPeerFin, kForwardedFin };

/// Their labels, by PathPacket.
inline constexpr std::string_view kPathPackets[] = {"fin", "rst", "data", "ack", "peer_fin", "forwarded_fin"};

/// The position of `packet` in kPathPackets and in the arrays below.
constexpr std::size_t Index(PathPacket packet) { return static_cast<std::size_t>(packet); }

/// What becomes of the closing packets of the representative flow without an entry, by PathPacket.
using PathDispositions = std::array<firewall::eval::Disposition, std::size(kPathPackets)>;

/// Where those of them die that are lost, by PathPacket.
using PathSites = std::array<std::optional<DropSite>, std::size(kPathPackets)>;

/// What a packet's unknown fate hangs on: empty for those that are known. By PathPacket.
using PathUnknowns = std::array<std::string, std::size(kPathPackets)>;

/// Where FINs die although their entry is there: nothing under nearly all rulesets.
struct TrackedSites {
  std::optional<DropSite> fin;
  std::optional<DropSite> peer_fin;
};

struct PathResults {
  PathDispositions dispositions = {};
  PathSites places;
  PathUnknowns unknowns;
  TrackedSites tracked;
  ClosingDrops closing;  ///< of the representative flow
};

/// Of one IP family.
PathResults EvaluatePaths(PacketEvaluator& evaluator, IpFamily family);

}  // namespace finwait::diagnosis
