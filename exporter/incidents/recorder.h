#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/incidents/lost_resets.h"
#include "exporter/incidents/record.h"

namespace finwait::incidents {

/// Keeps a record of each connection that was stuck, and of resets that were lost, as one diagnosis after the other
/// shows them: the newest kMostRecords, in less than 4 MB. Not thread-safe.
class Recorder {
 public:
  static constexpr std::size_t kMostRecords = 10'000;
  /// Resets of unnamed connections that were lost within that time are one record.
  static constexpr std::chrono::minutes kResetsTogether{1};
  /// A record that goes on is changed for its `last` alone at most that often.
  static constexpr std::chrono::seconds kTouchEvery{60};

  /// `restored`: records of an earlier run, in the order of their ids. One that was ongoing goes on where its
  /// connection is still stuck in the first diagnosis that sees the sockets; else nobody saw its end.
  explicit Recorder(std::vector<Record> restored = {});

  /// Takes in a diagnosis. Nothing begins or ends while the sockets cannot be read.
  void Update(const diagnosis::Diagnosis& diagnosis);

  /// In the order of their ids.
  const std::deque<Record>& Records() const { return records_; }
  /// The records that are new or have changed since the last call, without those that only went on for less than
  /// kTouchEvery.
  std::vector<Record> TakeChanges();

 private:
  struct Ongoing {
    std::uint64_t id = 0;
    std::uint64_t sample = 0;                 // the last that showed it
    Time written{};                           // its `last` in the last change
    std::optional<diagnosis::Cause> sampled;  // its cause in the last sample of sockets that told one
  };
  using Tuple = std::pair<Endpoint, Endpoint>;

  void UpdateStuck(const diagnosis::Diagnosis& diagnosis, Time now);
  void UpdateResets(const diagnosis::Diagnosis& diagnosis, Time now);
  void AddNamedReset(const diagnosis::DroppedPacket& reset);
  void AddUnnamedResets(std::uint64_t lost, const diagnosis::Diagnosis& diagnosis, Time now);
  /// Whether it has other sockets than the last.
  bool IsNew(const diagnosis::Diagnosis& diagnosis);
  void EndOthers(const diagnosis::Diagnosis& diagnosis);
  Record* Find(std::uint64_t id);
  Record& Add(Record record);
  /// The one copy of a drop site that all records share.
  std::shared_ptr<const diagnosis::DropSite> Shared(const std::shared_ptr<const diagnosis::DropSite>& site);
  /// The one copy of an owner's text that all records share; null where it cannot be told, or there are too many.
  std::shared_ptr<const std::string> OwnerOf(const std::shared_ptr<const kernel::namespaces::Owner>& owner);
  std::shared_ptr<const std::string> SharedOwner(std::string text);
  void DropUnused();

  std::deque<Record> records_;
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, Ongoing> ongoing_;  // by the socket's cookie
  std::map<Tuple, std::uint64_t> restored_ongoing_;     // ids, until the first sample
  std::set<std::uint64_t> changed_;                     // ids
  std::map<std::string, std::shared_ptr<const diagnosis::DropSite>> sites_;
  std::map<std::string, std::shared_ptr<const std::string>> owners_;
  std::uint64_t samples_ = 0;
  std::shared_ptr<const sources::SampleData> sample_;  // held so that a new one cannot have its address
  LostResets resets_;
};

}  // namespace finwait::incidents
