#include "collectors/sources/witness.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

namespace finwait::sources {
namespace {

Endpoint EndOf(const finwait_event& event, const finwait_u8 (&address)[16], std::uint16_t port) {
  const std::size_t size = event.ipv6 != 0 ? 16 : 4;
  return {IpAddress::FromBytes(std::as_bytes(std::span(address).first(size))).value_or(IpAddress()), port};
}

std::string_view TextOf(const char (&text)[FINWAIT_SYMBOL]) {
  const auto* end = std::find(std::begin(text), std::end(text), '\0');
  return {text, static_cast<std::size_t>(end - text)};
}

constexpr std::uint8_t kNoRouteYet = 2;

}  // namespace

witness::Drop WitnessCollector::DropOf(const witness::TextedEvent& told) {
  const finwait_event& event = told.event;
  witness::Drop drop;
  drop.number = ++drops_;
  drop.at = SteadyClock::time_point(std::chrono::nanoseconds(event.at));
  drop.cookie = event.cookie;
  drop.cgroup = event.cgroup;
  drop.source = EndOf(event, event.source, event.source_port);
  drop.destination = EndOf(event, event.destination, event.destination_port);
  drop.mark = event.mark;
  drop.packet = static_cast<witness::ClosingPacket>(event.packet);
  drop.place = event.place == kNoRouteYet
                   ? own_.Contains(drop.destination.address) ? witness::Place::kLocal : witness::Place::kForwarded
                   : static_cast<witness::Place>(event.place);
  drop.reason_class = static_cast<witness::ReasonClass>(event.reason_class - 1);
  drop.entry = static_cast<witness::PacketEntry>(event.tracked);
  drop.incoming = event.incoming != 0;
  drop.connected = event.connected != 0;
  drop.reason = told.reason;
  drop.kernel_code = TextOf(event.symbol);
  return drop;
}

void WitnessCollector::TakeIn(const witness::FeedReader::News& news) {
  for (std::size_t i = 0; i < news.events.size(); ++i) {
    sample_.drops.push_back(DropOf(news.events[i]));
    const witness::Drop& drop = sample_.drops.back();
    if (news.events[i].event.place == kNoRouteYet && drop.place == witness::Place::kForwarded) {
      ++passing_[static_cast<std::size_t>(drop.packet)][static_cast<std::size_t>(drop.reason_class)];
    }
  }
  if (sample_.drops.size() > WitnessSample::kMostDrops) {
    sample_.drops.erase(sample_.drops.begin(),
                        sample_.drops.end() - static_cast<std::ptrdiff_t>(WitnessSample::kMostDrops));
  }
  if (!news.counts) {
    return;
  }
  for (std::size_t packet = 0; packet < FINWAIT_PACKETS; ++packet) {
    for (std::size_t reason = 0; reason < FINWAIT_CLASSES; ++reason) {
      const auto count = [&](std::size_t place) { return news.counts->packets[packet][place][reason]; };
      // Those that nobody was told of are taken for this host's own. Numbers never fall: what is told may be ahead of
      // what is counted.
      const std::uint64_t passing = std::min<std::uint64_t>(passing_[packet][reason], count(kNoRouteYet));
      auto& local = sample_.packets[packet][0][reason];
      auto& forwarded = sample_.packets[packet][1][reason];
      forwarded = std::max(forwarded, count(1) + passing);
      local = std::max(local, count(0) + count(kNoRouteYet) - passing);
    }
  }
  sample_.lost_events = std::max(sample_.lost_events, news.counts->not_told + news.lost);
}

Result<Collected> WitnessCollector::Collect(Deadline deadline) {
  if (feed_ == nullptr) {
    return Fail(FailureReason::kUnsupported, "only the service has a witness: it takes a process of its own (serve)");
  }
  std::vector<Error> gaps;
  if (const auto updated = own_.Update(deadline); !updated) {
    gaps.push_back(updated.error());
  }
  if (!started_) {
    feed_->Wait(deadline);
  }
  auto news = feed_->Read();
  if (!news) {
    return Failure(news.error());
  }
  if (news->start && !news->start->why_not.empty()) {
    why_not_ = Error{news->start->reason, 0, news->start->why_not};
  }
  started_ = started_ || news->start;
  TakeIn(*news);
  if (why_not_) {
    return Failure(*why_not_);
  }
  if (news->ended) {
    return Fail(FailureReason::kError,
                "the process that witnesses dropped packets has ended; it starts again with the service");
  }
  if (!started_) {
    return Fail(FailureReason::kTimeout, "the witness has not attached its program yet");
  }
  return Collected{std::make_shared<WitnessSample>(sample_), std::move(gaps)};
}

}  // namespace finwait::sources
