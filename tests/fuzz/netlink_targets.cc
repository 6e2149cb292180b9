#include <array>
#include <memory>
#include <utility>

#include "collectors/kernel/conntrack_entry.h"
#include "collectors/kernel/conntrack_expiry.h"
#include "collectors/kernel/netlink/messages.h"
#include "collectors/kernel/own_addresses.h"
#include "collectors/kernel/route.h"
#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/sockets.h"
#include "collectors/sources/tracking.h"
#include "tests/fuzz/recording.h"
#include "tests/fuzz/target.h"
#include "tests/soon.h"

namespace finwait::fuzz {
namespace {

/// A failure has a sentence, a success has data.
void RequireSound(const Result<sources::Collected>& collected) {
  if (collected) {
    Require(collected->data != nullptr, "a look that succeeded has data");
  } else {
    Require(!collected.error().message.empty(), "a failure says what failed");
  }
}

}  // namespace

void RunConntrackTable(std::span<const std::byte> input) {
  sources::ConntrackTableCollector collector(HostThatAnswers(SplitRecording(input)));
  RequireSound(collector.Collect(Soon()));
}

void RunConntrackStats(std::span<const std::byte> input) {
  sources::ConntrackStatsCollector collector(HostThatAnswers(SplitRecording(input)));
  std::array<std::uint64_t, sources::kConntrackStatCount> before = {};
  for (int look = 0; look < 2; ++look) {
    const auto collected = collector.Collect(Soon());
    RequireSound(collected);
    if (!collected) {
      continue;
    }
    const auto& sample = static_cast<const sources::ConntrackStatsSample&>(*collected->data);
    for (std::size_t i = 0; i < sources::kConntrackStatCount; ++i) {
      const std::uint64_t now = sample.counters[i].value_or(before[i]);
      Require(now >= before[i], "conntrack's counters never go backwards");
      before[i] = now;
    }
  }
}

void RunConntrackEvents(std::span<const std::byte> input) {
  const kernel::OwnAddresses own{kernel::Host{}};
  for (const auto& datagram : SplitRecording(input)) {
    kernel::netlink::ForEachMessage(datagram, [&own](const kernel::netlink::Message& message) {
      const auto expiry = kernel::DecodeConntrackExpiry(message);
      if (expiry && *expiry) {
        Require((*expiry)->state < std::size(kernel::kLiveConntrackStates), "an expiry is of a live state");
        (void)ScopeOf(**expiry, own);
      }
    });
  }
}

void RunSockets(std::span<const std::byte> input) {
  sources::SocketsCollector collector(HostThatAnswers(SplitRecording(input)), Pacer(std::chrono::seconds(5), 0.01));
  const auto collected = collector.Collect(Soon());
  RequireSound(collected);
  if (collected) {
    const auto& sample = static_cast<const sources::SocketsSample&>(*collected->data);
    Require(sample.closing.size() <= sources::SocketsSample::kMaxClosing, "closing sockets are bounded");
    for (const kernel::TcpSocket& socket : sample.closing) {
      Require(socket.minimum_age.count() >= 0, "an age is not negative");
    }
  }
}

void RunTracking(std::span<const std::byte> input) {
  sources::TrackingCollector collector(HostThatAnswers(SplitRecording(input)));
  RequireSound(collector.Collect(Soon()));
}

void RunRoutes(std::span<const std::byte> input) {
  Datagrams datagrams = SplitRecording(input);
  kernel::Host host = HostThatAnswers(datagrams);
  const IpAddress local = *IpAddress::Parse("192.0.2.1");
  const IpAddress peer = *IpAddress::Parse("2001:db8::2");
  for (int question = 0; question < 2; ++question) {
    const auto route = FindRoute(host, {.source = local, .destination = peer}, Soon());
    Require(route || !route.error().message.empty(), "a failure says what failed");
  }
  // The same bytes as an answer to the question for all addresses, and as news of them.
  host = HostThatAnswers(datagrams);
  host.open_events =
      [&datagrams](const kernel::netlink::Subscription&) -> Result<std::unique_ptr<kernel::netlink::EventSource>> {
    class News : public kernel::netlink::EventSource {
     public:
      explicit News(Datagrams& datagrams) : datagrams_(datagrams) {}
      Result<bool> Wait(const std::stop_token&, SteadyClock::time_point) override { return true; }
      Result<std::optional<kernel::netlink::Datagram>> Next() override {
        if (next_ == datagrams_.size()) {
          return std::nullopt;
        }
        return kernel::netlink::Datagram{datagrams_[next_++], 0, false};
      }

     private:
      Datagrams& datagrams_;
      std::size_t next_ = 0;
    };
    return std::make_unique<News>(datagrams);
  };
  kernel::OwnAddresses own(host);
  for (int update = 0; update < 2; ++update) {
    (void)own.Update(Soon());
    (void)own.Contains(local);
  }
}

}  // namespace finwait::fuzz
