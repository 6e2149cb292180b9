#include <array>
#include <memory>
#include <utility>

#include "collectors/conntrack_entry.h"
#include "collectors/conntrack_expiry.h"
#include "collectors/conntrack_stats.h"
#include "collectors/conntrack_table.h"
#include "collectors/netlink/messages.h"
#include "collectors/own_addresses.h"
#include "collectors/route.h"
#include "collectors/sockets.h"
#include "collectors/tracking.h"
#include "tests/fuzz/recording.h"
#include "tests/fuzz/target.h"

namespace finwait::fuzz {
namespace {

Deadline Soon() { return Deadline::After(std::chrono::seconds(10)); }

/// A failure has a sentence, a success has data.
void RequireSound(const Result<Collected>& collected) {
  if (collected) {
    Require(collected->data != nullptr, "a look that succeeded has data");
  } else {
    Require(!collected.error().message.empty(), "a failure says what failed");
  }
}

}  // namespace

void RunConntrackTable(std::span<const std::byte> input) {
  ConntrackTableCollector collector(HostThatAnswers(SplitRecording(input)));
  RequireSound(collector.Collect(Soon()));
}

void RunConntrackStats(std::span<const std::byte> input) {
  ConntrackStatsCollector collector(HostThatAnswers(SplitRecording(input)));
  std::array<std::uint64_t, kConntrackStatCount> before = {};
  for (int look = 0; look < 2; ++look) {
    const auto collected = collector.Collect(Soon());
    RequireSound(collected);
    if (!collected) {
      continue;
    }
    const auto& sample = static_cast<const ConntrackStatsSample&>(*collected->data);
    for (std::size_t i = 0; i < kConntrackStatCount; ++i) {
      const std::uint64_t now = sample.counters[i].value_or(before[i]);
      Require(now >= before[i], "conntrack's counters never go backwards");
      before[i] = now;
    }
  }
}

void RunConntrackEvents(std::span<const std::byte> input) {
  const OwnAddresses own{Host{}};
  for (const auto& datagram : SplitRecording(input)) {
    netlink::ForEachMessage(datagram, [&own](const netlink::Message& message) {
      const auto expiry = DecodeConntrackExpiry(message);
      if (expiry && *expiry) {
        Require((*expiry)->state < std::size(kLiveConntrackStates), "an expiry is of a live state");
        (void)ScopeOf(**expiry, own);
      }
    });
  }
}

void RunSockets(std::span<const std::byte> input) {
  SocketsCollector collector(HostThatAnswers(SplitRecording(input)), Pacer(std::chrono::seconds(5), 0.01));
  const auto collected = collector.Collect(Soon());
  RequireSound(collected);
  if (collected) {
    const auto& sample = static_cast<const SocketsSample&>(*collected->data);
    Require(sample.closing.size() <= SocketsSample::kMaxClosing, "closing sockets are bounded");
    for (const ClosingSocket& socket : sample.closing) {
      Require(socket.minimum_age.count() >= 0, "an age is not negative");
    }
  }
}

void RunTracking(std::span<const std::byte> input) {
  TrackingCollector collector(HostThatAnswers(SplitRecording(input)));
  RequireSound(collector.Collect(Soon()));
}

void RunRoutes(std::span<const std::byte> input) {
  Datagrams datagrams = SplitRecording(input);
  Host host = HostThatAnswers(datagrams);
  const IpAddress local = *IpAddress::Parse("192.0.2.1");
  const IpAddress peer = *IpAddress::Parse("2001:db8::2");
  for (int question = 0; question < 2; ++question) {
    const auto route = LookUpRoute(host, local, peer, Soon());
    Require(route || !route.error().message.empty(), "a failure says what failed");
  }
  // The same bytes as an answer to the question for all addresses, and as news of them.
  host = HostThatAnswers(datagrams);
  host.open_events = [&datagrams](const netlink::Subscription&) -> Result<std::unique_ptr<netlink::EventSource>> {
    class News : public netlink::EventSource {
     public:
      explicit News(Datagrams& datagrams) : datagrams_(datagrams) {}
      Result<bool> Wait(const std::stop_token&, SteadyClock::time_point) override { return true; }
      Result<std::optional<netlink::Datagram>> Next() override {
        if (next_ == datagrams_.size()) {
          return std::nullopt;
        }
        return netlink::Datagram{datagrams_[next_++], 0, false};
      }

     private:
      Datagrams& datagrams_;
      std::size_t next_ = 0;
    };
    return std::make_unique<News>(datagrams);
  };
  OwnAddresses own(host);
  for (int update = 0; update < 2; ++update) {
    (void)own.Update(Soon());
    (void)own.Contains(local);
  }
}

}  // namespace finwait::fuzz
