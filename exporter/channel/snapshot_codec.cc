#include "exporter/channel/snapshot_codec.h"

#include <algorithm>
#include <utility>

#include "exporter/channel/soundness.h"

namespace finwait::channel {
namespace {

using scheduling::CollectorStatus;

constexpr std::size_t kMostErrors = 256;
constexpr std::size_t kLongestError = 4096;

enum class Data : std::uint8_t { kNone, kAsBefore, kNew };

template <typename Function>
bool ForEachField(CollectorStatus& status, Function function) {
  return function(status.taken_at) && function(status.last_success) && function(status.errors) &&
         function(status.collected) && function(status.duration) && function(status.interval) &&
         function(status.failures);
}

bool IsSound(const CollectorStatus& status) {
  return status.errors.size() <= kMostErrors &&
         std::all_of(status.errors.begin(), status.errors.end(),
                     [](const Error& error) { return error.message.size() <= kLongestError; });
}

}  // namespace

void SnapshotEncoder::Put(const scheduling::Snapshot& snapshot, codec::Encoder& encoder) {
  sent_.resize(snapshot.collectors.size());
  encoder.Put(snapshot.network_namespace);
  encoder.Put(static_cast<std::uint8_t>(snapshot.collectors.size()));
  for (std::size_t i = 0; i < snapshot.collectors.size(); ++i) {
    CollectorStatus status = snapshot.collectors[i];
    encoder.Put(static_cast<std::uint8_t>(status.info - sources::CollectorRegistry().data()));
    status.errors.resize(std::min(status.errors.size(), kMostErrors));
    for (Error& error : status.errors) {
      error.message.resize(std::min(error.message.size(), kLongestError));
    }
    ForEachField(status, [&](const auto& field) {
      encoder.Put(field);
      return true;
    });
    if (status.data == nullptr) {
      encoder.Put(Data::kNone);
    } else if (status.data == sent_[i]) {
      encoder.Put(Data::kAsBefore);
    } else {
      encoder.Put(Data::kNew);
      status.info->encode(*status.data, encoder);
    }
    sent_[i] = std::move(status.data);
  }
}

std::shared_ptr<const scheduling::Snapshot> SnapshotDecoder::Take(codec::Decoder& decoder) {
  const auto registry = sources::CollectorRegistry();
  scheduling::Snapshot snapshot;
  std::uint8_t count = 0;
  if (!decoder.Take(snapshot.network_namespace) || !decoder.Take(count) || count > registry.size()) {
    return nullptr;
  }
  const bool is_first = last_.collectors.empty();
  if (!is_first && count != last_.collectors.size()) {
    return nullptr;
  }
  for (std::size_t i = 0; i < count; ++i) {
    CollectorStatus& status = snapshot.collectors.emplace_back();
    std::uint8_t row = 0;
    Data data = Data::kNone;
    if (!decoder.Take(row) || row >= registry.size() ||
        !ForEachField(status, [&](auto& field) { return decoder.Take(field); }) || !IsSound(status) ||
        !decoder.Take(data)) {
      return nullptr;
    }
    status.info = &registry[row];
    const CollectorStatus* before = is_first ? nullptr : &last_.collectors[i];
    if (before != nullptr && (status.info != before->info ||
                              !std::equal(before->failures.begin(), before->failures.end(), status.failures.begin(),
                                          [](auto earlier, auto now) { return earlier <= now; }))) {
      return nullptr;
    }
    if (data == Data::kNew) {
      status.data = status.info->decode(decoder);
      if (status.data == nullptr || !IsSound(*status.data)) {
        return nullptr;
      }
    } else if (data == Data::kAsBefore && before != nullptr) {
      status.data = before->data;
    }
    if ((status.data == nullptr) != (data == Data::kNone)) {
      return nullptr;
    }
  }
  last_ = std::move(snapshot);
  unavailable_.resize(last_.collectors.size());
  counted_ = false;
  auto shown = std::make_shared<scheduling::Snapshot>(last_);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t reason = 0; reason < unavailable_[i].size(); ++reason) {
      shown->collectors[i].failures[reason] += unavailable_[i][reason];
    }
  }
  return shown;
}

std::shared_ptr<const scheduling::Snapshot> SnapshotDecoder::Unavailable(const Error& why) {
  const bool count = !std::exchange(counted_, true);
  auto shown = std::make_shared<scheduling::Snapshot>(last_);
  for (std::size_t i = 0; i < shown->collectors.size(); ++i) {
    CollectorStatus& status = shown->collectors[i];
    unavailable_[i][static_cast<std::size_t>(why.reason)] += count ? 1 : 0;
    for (std::size_t reason = 0; reason < unavailable_[i].size(); ++reason) {
      status.failures[reason] += unavailable_[i][reason];
    }
    status.data = nullptr;
    status.errors = {why};
    status.collected = true;
  }
  return shown;
}

}  // namespace finwait::channel
