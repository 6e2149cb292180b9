#include "collectors/kernel/entry_table.h"

#include <algorithm>

namespace finwait::kernel {

EntryTable::Packed EntryTable::Pack(const SocketEntry& entry) {
  Packed packed = {};
  switch (entry.tracking) {
    case Tracking::kUnknown:
      packed.state = kUnknown;
      return packed;
    case Tracking::kUntracked:
      packed.state = kUntracked;
      return packed;
    case Tracking::kTracked:
      break;
  }
  packed.state = (entry.state ? static_cast<std::uint32_t>(*entry.state) : kTrackedInUnknownState) & 0xf;
  packed.remaining_seconds = std::min(entry.remaining_seconds, kMostRemaining) & kMostRemaining;
  packed.source_nat = entry.source_nat ? 1 : 0;
  packed.destination_nat = entry.destination_nat ? 1 : 0;
  packed.translated = entry.translation != nullptr ? 1 : 0;
  return packed;
}

void EntryTable::Add(IpFamily family, const SocketEntry& entry) {
  const std::size_t position = packed_.Size();
  packed_.Add(Pack(SocketEntry()));
  Replace(position, family, entry);
}

void EntryTable::Replace(std::size_t position, IpFamily family, const SocketEntry& entry) {
  Packed& packed = packed_[position];
  Tracked(family) -= IsTracked(packed) ? 1 : 0;
  if (packed.translated != 0) {
    translations_.erase(static_cast<std::uint32_t>(position));
  }
  packed = Pack(entry);
  Tracked(family) += IsTracked(packed) ? 1 : 0;
  if (packed.translated != 0) {
    translations_[static_cast<std::uint32_t>(position)] = entry.translation;
  }
}

void EntryTable::RemoveLast(IpFamily family) {
  Replace(packed_.Size() - 1, family, SocketEntry());
  packed_.RemoveLast();
}

Tracking EntryTable::TrackingOf(std::size_t position) const {
  const Packed& packed = packed_[position];
  return IsTracked(packed)            ? Tracking::kTracked
         : packed.state == kUntracked ? Tracking::kUntracked
                                      : Tracking::kUnknown;
}

SocketEntry EntryTable::operator[](std::size_t position) const {
  const Packed& packed = packed_[position];
  SocketEntry entry;
  entry.tracking = TrackingOf(position);
  if (packed.state < kTrackedInUnknownState) {
    entry.state = static_cast<ConntrackTcpState>(packed.state);
  }
  entry.remaining_seconds = packed.remaining_seconds;
  entry.source_nat = packed.source_nat != 0;
  entry.destination_nat = packed.destination_nat != 0;
  if (packed.translated != 0) {
    entry.translation = translations_.at(static_cast<std::uint32_t>(position));
  }
  return entry;
}

}  // namespace finwait::kernel
