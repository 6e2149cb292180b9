#include "exporter/diagnosis/stuck_history.h"

#include <algorithm>

namespace finwait::diagnosis {

void StuckHistory::Count(std::uint64_t cookie, Memory& memory) {
  const std::size_t state = StuckStateIndex(memory.state);
  if (!memory.counted && memory.finding.cause && state < std::size(kStuckStates)) {
    ++totals_[state][static_cast<std::size_t>(*memory.finding.cause)];
    memory.counted = true;
    last_counted_.push_back({cookie, *memory.finding.cause});
  }
}

void StuckHistory::Update(std::span<const kernel::TcpSocket> closing, std::span<const StuckCandidate> stuck,
                          SteadyClock::time_point now) {
  ++samples_;
  last_counted_.clear();
  for (const kernel::TcpSocket& socket : closing) {
    Memory& memory =
        sockets_.try_emplace(socket.cookie, Memory{now, samples_, socket.state, {}, 0, false}).first->second;
    memory.sample = samples_;
    memory.state = socket.state;
  }
  for (const StuckCandidate& evaluated : stuck) {
    const auto found = sockets_.find(evaluated.socket->cookie);
    if (found == sockets_.end()) {
      continue;
    }
    Memory& memory = found->second;
    const StuckFinding& finding = evaluated.finding;
    if (finding.cause && memory.finding.cause == finding.cause) {
      Count(found->first, memory);
    }
    // A sample that cannot tell does not unsettle what an earlier one showed.
    if (finding.cause) {
      memory.finding = finding;
      memory.tries = evaluated.socket->tries;
    }
  }
  for (auto item = sockets_.begin(); item != sockets_.end();) {
    if (item->second.sample == samples_) {
      ++item;
    } else {
      Count(item->first, item->second);  // gone between two samples: what was last seen is what it was
      item = sockets_.erase(item);
    }
  }
}

std::optional<StuckFinding> StuckHistory::FindingOfLastTry(const kernel::TcpSocket& socket) const {
  const auto found = sockets_.find(socket.cookie);
  if (found == sockets_.end() || !found->second.counted || found->second.tries != socket.tries) {
    return std::nullopt;
  }
  const StuckFinding& finding = found->second.finding;
  return finding.cause && ProvesFailure(*finding.cause) ? std::optional(finding) : std::nullopt;
}

SteadyClock::duration StuckHistory::Age(const kernel::TcpSocket& socket, SteadyClock::time_point now) const {
  const auto found = sockets_.find(socket.cookie);
  const SteadyClock::duration seen =
      found != sockets_.end() ? now - found->second.first_seen : SteadyClock::duration(0);
  return std::max<SteadyClock::duration>(seen, socket.minimum_age);
}

}  // namespace finwait::diagnosis
