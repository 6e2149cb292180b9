#pragma once

#include <algorithm>
#include <vector>

namespace finwait::diagnosis {

/// Ends a sample in what is remembered of sockets, packed, by cookie: retains those that the sample has listed, adds
/// `added`, and orders all by cookie for the next one.
template <typename Packed>
void RetainListed(std::vector<Packed>& connections, const std::vector<Packed>& added) {
  std::erase_if(connections, [](const Packed& packed) { return packed.listed == 0; });
  connections.insert(connections.end(), added.begin(), added.end());
  for (Packed& packed : connections) {
    packed.listed = 0;
  }
  std::ranges::sort(connections, {}, &Packed::cookie);
  if (connections.capacity() > 2 * connections.size()) {
    connections.shrink_to_fit();
  }
}

}  // namespace finwait::diagnosis
