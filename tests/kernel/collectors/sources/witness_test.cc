// What the collector makes of what the witness tells, with the addresses of a real namespace.

#include "collectors/sources/witness.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tests/lab/host.h"
#include "tests/lab/namespace.h"

namespace finwait::sources {
namespace {

// A FIN to `last` of 192.0.2.0/24, dropped before a route was looked up.
witness::TextedEvent FinTo(std::uint8_t last) {
  witness::TextedEvent told;
  told.event.place = 2;
  told.event.incoming = 1;
  told.event.reason_class = 1;
  told.event.destination[0] = 192;
  told.event.destination[2] = 2;
  told.event.destination[3] = last;
  told.event.destination_port = 443;
  told.reason = "NETFILTER_DROP";
  return told;
}

class WitnessCollectorTest : public testing::Test {
 protected:
  void SetUp() override {
    auto feed = witness::MakeFeed();
    ASSERT_TRUE(feed) << feed.error().message;
    writer_.emplace(std::move(feed->writer));
    where_.local.Run([&] {
      collector_ = std::make_unique<WitnessCollector>(lab::HostHere(),
                                                      std::make_shared<witness::FeedReader>(std::move(feed->reader)));
    });
  }
  Result<Collected> Collect() {
    Result<Collected> collected;
    where_.local.Run([&] { collected = collector_->Collect(Deadline::After(std::chrono::seconds(5))); });
    return collected;
  }

  lab::Wire where_;
  std::optional<witness::FeedWriter> writer_;
  std::unique_ptr<WitnessCollector> collector_;
};

TEST_F(WitnessCollectorTest, APacketWithoutARouteIsLocalByItsAddress) {
  writer_->Put(witness::Start{});
  writer_->Put(FinTo(1));
  writer_->Put(FinTo(77));
  finwait_counts counts = {};
  counts.packets[0][2][0] = 3;  // one more, of which nothing is told
  counts.not_told = 1;
  writer_->Put(counts);
  const auto collected = Collect();
  ASSERT_TRUE(collected) << collected.error().message;
  const auto& sample = dynamic_cast<const WitnessSample&>(*collected->data);
  EXPECT_EQ(sample.packets[0][0][0], 2u);
  EXPECT_EQ(sample.packets[0][1][0], 1u);
  EXPECT_EQ(sample.lost_events, 1u);
  ASSERT_EQ(sample.drops.size(), 2u);
  EXPECT_EQ(sample.drops[0].place, witness::Place::kLocal);
  EXPECT_EQ(sample.drops[1].place, witness::Place::kForwarded);
  EXPECT_EQ(sample.drops[1].destination.Text(), "192.0.2.77:443");
}

TEST_F(WitnessCollectorTest, SaysWhyThereIsNoWitness) {
  writer_->Put(witness::Start{FailureReason::kPermission, "it may not"});
  writer_.reset();
  for (int again = 0; again < 2; ++again) {
    const auto collected = Collect();
    ASSERT_FALSE(collected);
    EXPECT_EQ(collected.error().reason, FailureReason::kPermission);
    EXPECT_EQ(collected.error().message, "it may not");
  }
}

TEST_F(WitnessCollectorTest, FailsOnceTheWitnessHasEnded) {
  writer_->Put(witness::Start{});
  ASSERT_TRUE(Collect());
  writer_.reset();
  const auto collected = Collect();
  ASSERT_FALSE(collected);
  EXPECT_NE(collected.error().message.find("has ended"), std::string::npos) << collected.error().message;
}

}  // namespace
}  // namespace finwait::sources
