#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "exporter/diagnosis/stuck.h"
#include "exporter/pairs/digest.h"

namespace finwait::pairs {

/// Both ends of a connection, as one host sees them.
struct EndDigests {
  Digest here = 0;
  Digest there = 0;
  bool operator==(const EndDigests&) const = default;
};

/// A rule as a host tells others of it.
struct ForeignRule {
  std::string json;  ///< an object, as every JSON of this program names a rule
  std::string text;  ///< "iptables-nft table filter, chain OUTPUT, handle 3"
  bool operator==(const ForeignRule&) const = default;
};

/// No rule, or no owner.
inline constexpr std::uint32_t kNone = 0xffffffff;

/// The half of a connection that was closed on a host, and whose closing packets got lost.
struct LostHalf {
  /// By the socket's own addresses, and by those beyond NAT: the same twice where nothing translated it.
  std::array<EndDigests, 2> ends;
  float lost_seconds = 0;  ///< since it was closed
  /// Since when a peer that still has its half has been abandoned: since the close, or since it ended.
  float settled_seconds = 0;
  std::uint32_t rule = kNone;  ///< that lost it; in LostDocument::rules
  std::optional<diagnosis::Cause> cause;
  bool ongoing = false;    ///< its socket still tries
  bool elsewhere = false;  ///< of another network namespace of the host
  bool operator==(const LostHalf&) const = default;
};

/// A connection through a host's NAT: its ends on the opener's side, and on the answerer's. `here` is the opener's end,
/// of both. Each end is the same on both sides, under other digests.
struct Passage {
  EndDigests opener_side;
  EndDigests answerer_side;
  bool operator==(const Passage&) const = default;
};

/// What a host serves of its lost halves, and of what passes its NAT.
struct LostDocument {
  Digest key = 0;  ///< Digester::OfKey()
  std::vector<ForeignRule> rules;
  std::vector<LostHalf> halves;
  std::vector<Passage> passages;
  bool operator==(const LostDocument&) const = default;
};

/// An open socket.
struct LiveHalf {
  std::array<Digest, 2> digests = {};  ///< of this end; as LostHalf::ends
  std::uint16_t port = 0;              ///< of this end, in its own namespace
  std::optional<std::uint32_t> silent_seconds;
  std::uint32_t owner = kNone;  ///< in LiveHeader::owners
  std::uint32_t rule = kNone;   ///< that would drop its peer's FIN here; in LiveHeader::rules
  bool peer_has_closed = false;
  bool elsewhere = false;
  float sample_seconds = 0;  ///< since the sample that shows it
  bool operator==(const LiveHalf&) const = default;
};

}  // namespace finwait::pairs
