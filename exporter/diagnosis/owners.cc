#include "exporter/diagnosis/owners.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "exporter/diagnosis/owner_by_cgroup.h"
#include "exporter/diagnosis/socket_holder.h"

namespace finwait::diagnosis {
namespace {

using kernel::namespaces::Owner;
using kernel::namespaces::OwnerKind;

}  // namespace

void OwnerHistory::NameServices(const sources::NetworkNamespacesSample* sample, IdleSummary& idle) const {
  std::vector<ServiceIdle> named;
  for (ServiceIdle& one : idle.services) {
    one.owner = diagnosis::OwnerOf(sample, one.service.holder);
    if (!names_ && one.owner != nullptr) {
      one.owner = std::make_shared<const Owner>(Owner{one.owner->kind, {}, {}, {}});
    }
    const auto same = std::ranges::find_if(named, [&](const ServiceIdle& other) {
      return other.service.port == one.service.port && other.service.at_peer == one.service.at_peer &&
             (other.owner == nullptr || one.owner == nullptr ? other.owner == one.owner : *other.owner == *one.owner);
    });
    if (same != named.end()) {
      same->Add(one);
    } else {
      named.push_back(std::move(one));
    }
  }
  idle.services = std::move(named);
  idle.SortServices();
}

std::shared_ptr<const Owner> OwnerHistory::OwnerOf(const sources::NetworkNamespacesSample* sample,
                                                   std::uint64_t cgroup) const {
  Owner owner = OwnerByCgroup(sample, cgroup);
  if (owner.kind == OwnerKind::kOther) {
    return nullptr;
  }
  return std::make_shared<const Owner>(names_ ? std::move(owner) : Owner{owner.kind, {}, {}, {}});
}

void OwnerHistory::SumUp(const sources::NetworkNamespacesSample* sample, SteadyClock::time_point now,
                         Diagnosis& diagnosis) {
  std::map<Owner, OwnerCount> counts;
  const auto shown = [this](const Owner& owner) { return names_ ? owner : Owner{owner.kind, {}, {}, {}}; };
  const auto count = [&](const Owner& owner) -> OwnerCount& {
    OwnerCount& one = counts[shown(owner)];
    one.owner = shown(owner);
    return one;
  };
  const auto name = [&](auto& socket) {
    if (socket.network_namespace == 0 && socket.owner == nullptr) {
      socket.owner = diagnosis::OwnerOf(sample, HolderOf(socket.socket, 0));
    }
    if (!names_ && socket.owner != nullptr) {
      socket.owner = std::make_shared<const Owner>(shown(*socket.owner));
    }
  };
  if (diagnosis.live) {
    std::ranges::for_each(diagnosis.live->sockets, name);
    for (const auto& [holder, number] : diagnosis.live->at_risk_by_holder) {
      const auto owner = diagnosis::OwnerOf(sample, holder);
      count(owner != nullptr ? *owner : Owner{}).at_risk += number;
    }
  }
  if (diagnosis.idle) {
    NameServices(sample, *diagnosis.idle);
  }
  if (diagnosis.stuck) {
    std::set<std::uint64_t> stuck_now;
    for (StuckSocket& one : diagnosis.stuck->sockets) {
      name(one);
      const Owner owner = one.owner != nullptr ? *one.owner : Owner{};
      ++count(owner).stuck_now;
      stuck_now.insert(one.socket.cookie);
      if (!known_.contains(one.socket.cookie)) {
        stuck_.push_back({now, owner});
      }
    }
    known_ = std::move(stuck_now);
  }
  while (!stuck_.empty() && (now - stuck_.front().at > kHold || stuck_.size() > kMostRemembered)) {
    stuck_.pop_front();
  }
  for (const Event& event : stuck_) {
    ++count(event.owner).stuck;
  }
  for (auto& [owner, one] : counts) {
    diagnosis.owners.push_back(std::move(one));
  }
  std::ranges::stable_sort(diagnosis.owners, [](const OwnerCount& a, const OwnerCount& b) {
    return a.stuck != b.stuck ? a.stuck > b.stuck : a.at_risk > b.at_risk;
  });
}

}  // namespace finwait::diagnosis
