#include "exporter/diagnosis/path_timeout.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>

namespace finwait::diagnosis {
namespace {

// The bits of byte `index` that are among the first `bits` of an address.
std::byte MaskOf(std::size_t index, std::size_t bits) {
  const std::size_t left = std::min<std::size_t>(bits - std::min(bits, index * 8), 8);
  return static_cast<std::byte>(0xFF00U >> left & 0xFFU);
}

}  // namespace

bool PathTimeout::Covers(const IpAddress& peer) const {
  return peer.Family() == address.Family() && peer.CommonPrefix(address) >= bits;
}

std::optional<std::size_t> PathTo(const IpAddress& peer, std::span<const PathTimeout> paths) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (paths[i].Covers(peer) && (!best || paths[i].bits > paths[*best].bits)) {
      best = i;
    }
  }
  return best;
}

bool IsNetwork(const IpAddress& address, std::size_t bits) {
  const auto bytes = address.Bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if ((bytes[i] & ~MaskOf(i, bits)) != std::byte{0}) {
      return false;
    }
  }
  return true;
}

}  // namespace finwait::diagnosis
