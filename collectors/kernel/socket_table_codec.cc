// How tables of sockets cross to another process.

#include "collectors/codec/codec.h"
#include "collectors/kernel/socket_table.h"

#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace finwait::kernel {
namespace {

template <typename T>
void PutBlocks(codec::Encoder& encoder, const Blocks<T>& blocks) {
  encoder.Put(static_cast<std::uint32_t>(blocks.Size()));
  encoder.Reserve(blocks.Size() * sizeof(T));
  for (std::size_t i = 0; i < blocks.Size(); ++i) {
    encoder.PutBytes(std::as_bytes(std::span(&blocks[i], 1)));
  }
}

template <typename T>
bool TakeBlocks(codec::Decoder& decoder, Blocks<T>& blocks) {
  std::uint32_t count = 0;
  if (!decoder.Take(count) || count > decoder.Left() / sizeof(T) || !decoder.Charge(count * sizeof(T))) {
    return false;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    T value = {};
    if (!decoder.TakeBytes(std::as_writable_bytes(std::span(&value, 1)))) {
      return false;
    }
    blocks.Add(value);
  }
  return true;
}

}  // namespace

void EntryTable::Encode(codec::Encoder& encoder) const {
  PutBlocks(encoder, packed_);
  encoder.Put(static_cast<std::uint32_t>(translations_.size()));
  for (const auto& [position, translation] : translations_) {
    encoder.Put(position);
    encoder.Put(*translation);
  }
}

bool EntryTable::Decode(codec::Decoder& decoder) {
  *this = {};
  std::uint32_t count = 0;
  if (!TakeBlocks(decoder, packed_) || !decoder.Take(count) || count > packed_.Size()) {
    return false;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t position = 0;
    auto translation = std::make_shared<Translation>();
    if (!decoder.Charge(2 * sizeof(Translation)) || !decoder.Take(position) || !decoder.Take(*translation) ||
        position >= packed_.Size() || packed_[position].translated == 0 ||
        !translations_.emplace(position, std::move(translation)).second) {
      return false;
    }
  }
  return true;
}

bool EntryTable::AcceptEntry(std::size_t position, IpFamily family) {
  const Packed& packed = packed_[position];
  Tracked(family) += IsTracked(packed) ? 1 : 0;
  return (packed.state >= kTrackedInUnknownState || packed.state < kConntrackTcpStateCount) &&
         (packed.translated == 0 || translations_.contains(static_cast<std::uint32_t>(position)));
}

void SocketTable::Encode(codec::Encoder& encoder) const {
  encoder.Put(profiles_);
  PutBlocks(encoder, ipv6_ends_);
  PutBlocks(encoder, rows_);
  entries_.Encode(encoder);
}

bool SocketTable::Decode(codec::Decoder& decoder) {
  *this = {};
  std::vector<Profile> profiles;
  if (!decoder.Take(profiles) || !TakeBlocks(decoder, ipv6_ends_) || !TakeBlocks(decoder, rows_) ||
      !entries_.Decode(decoder) || entries_.Size() != rows_.Size()) {
    return false;
  }
  for (const Profile& profile : profiles) {
    if (PositionOf(profile) + 1 != profiles_.size()) {
      return false;  // twice the same
    }
  }
  for (std::size_t i = 0; i < rows_.Size(); ++i) {
    const Row& row = rows_[i];
    if (row.profile >= profiles_.size() || row.state >= kTcpStateCount || row.opened_here > kUnknownOpener ||
        (row.ipv6 != 0 && row.local >= ipv6_ends_.Size()) || !entries_.AcceptEntry(i, FamilyOf(row))) {
      return false;
    }
  }
  return true;
}

}  // namespace finwait::kernel
