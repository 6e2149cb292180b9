#include "exporter/incidents/recorder.h"

#include <algorithm>
#include <utility>

#include "collectors/sources/sockets.h"
#include "collectors/sources/sysctl.h"

namespace finwait::incidents {
namespace {

// A rule's text beyond this tells nobody more, and records must stay under 4 MB.
constexpr std::size_t kLongestRuleText = 160;
// Of records of more rules than this, the later ones have none.
constexpr std::size_t kMostSites = 3'000;
// The same of owners.
constexpr std::size_t kLongestOwner = 160;
constexpr std::size_t kMostOwners = 500;

// What tells two drop sites apart, as a key.
std::string KeyOf(const diagnosis::DropSite& site) {
  const firewall::RuleId& rule = site.rule;
  std::string key;
  for (const auto number : {static_cast<std::uint64_t>(rule.backend), static_cast<std::uint64_t>(rule.dialect),
                            static_cast<std::uint64_t>(rule.family), static_cast<std::uint64_t>(site.hook),
                            static_cast<std::uint64_t>(site.rejects), rule.handle ? *rule.handle + 1 : 0,
                            static_cast<std::uint64_t>(rule.index ? *rule.index + 1 : 0)}) {
    key += std::to_string(number) + " ";
  }
  return key + rule.table + "\n" + rule.chain;
}

// How often the kernel tries before it removes the socket: tcp_orphan_retries, of which 0 stands for 8, or
// tcp_retries2, which nobody changes from 15.
std::uint32_t MostTries(const Record& record, const diagnosis::Diagnosis& diagnosis) {
  constexpr std::uint32_t kOfAProcess = 15;
  constexpr std::uint32_t kOfAnOrphan = 8;
  if (!record.orphan) {
    return kOfAProcess;
  }
  const auto* sysctl = diagnosis.snapshot != nullptr ? diagnosis.snapshot->Find<sources::SysctlSample>() : nullptr;
  const bool given = sysctl != nullptr && sysctl->tcp_orphan_retries && *sysctl->tcp_orphan_retries > 0;
  return given ? static_cast<std::uint32_t>(*sysctl->tcp_orphan_retries) : kOfAnOrphan;
}

}  // namespace

Recorder::Recorder(std::vector<Record> restored) {
  for (Record& record : restored) {
    record.site = Shared(record.site);
    record.owner = record.owner != nullptr ? SharedOwner(*record.owner) : nullptr;
    next_id_ = record.id + 1;
    if (record.outcome == Outcome::kOngoing) {
      restored_ongoing_[{record.local, record.peer}] = record.id;
    }
    records_.push_back(std::move(record));
  }
  while (records_.size() > kMostRecords) {
    records_.pop_front();
  }
}

Record* Recorder::Find(std::uint64_t id) {
  const auto found = std::lower_bound(records_.begin(), records_.end(), id,
                                      [](const Record& record, std::uint64_t wanted) { return record.id < wanted; });
  return found != records_.end() && found->id == id ? &*found : nullptr;
}

// As the history of stuck sockets does, which counts by samples of the sockets, and not by diagnoses.
bool Recorder::IsNew(const diagnosis::Diagnosis& diagnosis) {
  const auto* status = diagnosis.snapshot != nullptr ? diagnosis.snapshot->Status<sources::SocketsSample>() : nullptr;
  if (status == nullptr) {
    return true;
  }
  return std::exchange(sample_, status->data) != status->data;
}

Record& Recorder::Add(Record record) {
  record.id = next_id_++;
  changed_.insert(record.id);
  records_.push_back(std::move(record));
  if (records_.size() > kMostRecords) {
    changed_.erase(records_.front().id);
    records_.pop_front();
  }
  return records_.back();
}

std::shared_ptr<const diagnosis::DropSite> Recorder::Shared(const std::shared_ptr<const diagnosis::DropSite>& site) {
  if (site == nullptr) {
    return nullptr;
  }
  std::string key = KeyOf(*site);
  const auto known = sites_.find(key);
  if (known != sites_.end()) {
    return known->second;
  }
  if (sites_.size() == kMostSites) {
    return nullptr;
  }
  diagnosis::DropSite copy = *site;
  if (site->rule_text.size() > kLongestRuleText) {
    copy.rule_text = site->rule_text.substr(0, kLongestRuleText) + "...";  // not resized: that keeps the memory
  }
  auto shared = std::make_shared<const diagnosis::DropSite>(std::move(copy));
  sites_.emplace(std::move(key), shared);
  return shared;
}

std::shared_ptr<const std::string> Recorder::OwnerOf(const std::shared_ptr<const kernel::namespaces::Owner>& owner) {
  const bool known = owner != nullptr && *owner != kernel::namespaces::Owner();
  return known ? SharedOwner(owner->Text()) : nullptr;
}

std::shared_ptr<const std::string> Recorder::SharedOwner(std::string text) {
  if (text.size() > kLongestOwner) {
    text = text.substr(0, kLongestOwner) + "...";
  }
  const auto known = owners_.find(text);
  if (known != owners_.end()) {
    return known->second;
  }
  if (owners_.size() == kMostOwners) {
    return nullptr;
  }
  auto shared = std::make_shared<const std::string>(text);
  owners_.emplace(std::move(text), shared);
  return shared;
}

void Recorder::DropUnused() {
  constexpr std::size_t kFew = 256;
  const auto unused = [](const auto& item) { return item.second.use_count() == 1; };
  if (sites_.size() > kFew) {
    std::erase_if(sites_, unused);
  }
  if (owners_.size() > kFew) {
    std::erase_if(owners_, unused);
  }
}

void Recorder::Update(const diagnosis::Diagnosis& diagnosis) {
  const Time now = std::chrono::time_point_cast<std::chrono::milliseconds>(diagnosis.at);
  UpdateResets(diagnosis, now);
  if (diagnosis.stuck) {
    UpdateStuck(diagnosis, now);
    DropUnused();
  }
}

void Recorder::UpdateStuck(const diagnosis::Diagnosis& diagnosis, Time now) {
  ++samples_;
  const bool is_new_sample = IsNew(diagnosis);
  for (const diagnosis::StuckSocket& one : diagnosis.stuck->sockets) {
    const auto [item, is_new] = ongoing_.try_emplace(one.socket.cookie);
    Ongoing& ongoing = item->second;
    if (is_new) {
      const auto restored = restored_ongoing_.find({one.socket.local, one.socket.peer});
      if (restored != restored_ongoing_.end()) {
        ongoing.id = restored->second;
        restored_ongoing_.erase(restored);
      } else {
        Record record;
        record.first = now - std::chrono::duration_cast<std::chrono::milliseconds>(one.age);
        record.local = one.socket.local;
        record.peer = one.socket.peer;
        record.elsewhere = one.network_namespace != 0;
        ongoing.id = Add(std::move(record)).id;
      }
    }
    ongoing.sample = samples_;
    Record* record = Find(ongoing.id);
    if (record == nullptr) {
      continue;  // younger ones have taken its place
    }
    const auto site = Shared(one.site);
    const auto owner = record->owner == nullptr ? OwnerOf(one.owner) : record->owner;
    const bool tells_more = (one.cause && record->cause != one.cause) || (site != nullptr && record->site != site) ||
                            owner != record->owner;
    record->owner = owner;
    const bool settles = is_new_sample && one.cause && ongoing.sampled == one.cause && !record->counted;
    record->counted = record->counted || settles;
    if (is_new_sample && one.cause) {
      ongoing.sampled = one.cause;
    }
    if (one.cause) {
      record->cause = one.cause;
    }
    if (site != nullptr) {
      record->site = site;
    }
    record->state = one.socket.state;
    record->orphan = one.socket.orphan;
    record->uid = one.socket.uid;
    record->tries = one.socket.tries;
    if (record->translation == nullptr) {
      record->translation =
          one.socket.entry.translation != nullptr ? one.socket.entry.translation : one.history.translation;
    }
    record->last = std::max(now, record->last);
    if (is_new || tells_more || settles || now - ongoing.written >= kTouchEvery) {
      ongoing.written = now;
      changed_.insert(record->id);
    }
  }
  EndOthers(diagnosis);
}

void Recorder::EndOthers(const diagnosis::Diagnosis& diagnosis) {
  for (auto item = ongoing_.begin(); item != ongoing_.end();) {
    if (item->second.sample == samples_) {
      ++item;
      continue;
    }
    if (Record* record = Find(item->second.id)) {
      // The last try may have come between two samples.
      record->outcome = record->tries + 1 >= MostTries(*record, diagnosis) ? Outcome::kGaveUp : Outcome::kEnded;
      changed_.insert(record->id);
    }
    item = ongoing_.erase(item);
  }
  for (const auto& [tuple, id] : restored_ongoing_) {
    if (Record* record = Find(id)) {
      record->outcome = Outcome::kUnobserved;
      changed_.insert(id);
    }
  }
  restored_ongoing_.clear();
}

void Recorder::UpdateResets(const diagnosis::Diagnosis& diagnosis, Time now) {
  const LostResets::News news = resets_.Take(diagnosis, now);
  for (const auto& reset : news.named) {
    AddNamedReset(*reset);
  }
  if (news.unnamed > 0) {
    AddUnnamedResets(news.unnamed, diagnosis, now);
  }
}

void Recorder::AddNamedReset(const diagnosis::DroppedPacket& reset) {
  Record record;
  record.kind = Kind::kReset;
  record.outcome = Outcome::kCounted;
  record.first = record.last = std::chrono::time_point_cast<std::chrono::milliseconds>(reset.at);
  record.cause = reset.drop.reason_class == witness::ReasonClass::kNetfilter ? diagnosis::Cause::kLocalDrop
                                                                             : diagnosis::Cause::kLocalError;
  record.local = reset.local;
  record.peer = reset.peer;
  record.owner = OwnerOf(reset.owner);
  record.site = Shared(reset.site);
  Add(std::move(record));
}

void Recorder::AddUnnamedResets(std::uint64_t lost, const diagnosis::Diagnosis& diagnosis, Time now) {
  const auto latest = std::find_if(records_.rbegin(), records_.rend(), [&](const Record& record) {
    return (record.kind == Kind::kReset && !record.HasEnds()) || now - record.first > kResetsTogether;
  });
  if (latest != records_.rend() && latest->kind == Kind::kReset && !latest->HasEnds() &&
      now - latest->first <= kResetsTogether) {
    latest->connections += lost;
    latest->last = std::max(now, latest->last);
    changed_.insert(latest->id);
    return;
  }
  Record record;
  record.kind = Kind::kReset;
  record.outcome = Outcome::kCounted;
  record.connections = lost;
  record.first = record.last = now;
  for (const diagnosis::PathSites& places : diagnosis.path_places) {
    const auto& site = places[Index(diagnosis::PathPacket::kRst)];
    if (site && record.site == nullptr) {
      record.site = Shared(std::make_shared<const diagnosis::DropSite>(*site));
    }
  }
  Add(std::move(record));
}

std::vector<Record> Recorder::TakeChanges() {
  std::vector<Record> changes;
  for (const std::uint64_t id : changed_) {
    if (const Record* record = Find(id)) {
      changes.push_back(*record);
    }
  }
  changed_.clear();
  return changes;
}

}  // namespace finwait::incidents
