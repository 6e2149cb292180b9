#include "exporter/diagnosis/own_hops.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/unit/exporter/diagnosis/rulesets.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;

constexpr std::uint64_t kPod = 7;

// A namespace whose sockets have no mark, and which has a route to everything.
class PlainNamespace : public firewall::facts::Resolver {
 public:
  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override {
    ++calls;
    answers += needs.size();
    for (const firewall::facts::Need& need : needs) {
      store.Put(need, Answer(need));
    }
  }
  void TakeInChanges(firewall::facts::FactStore&) override {}

  std::size_t calls = 0;
  std::size_t answers = 0;

 private:
  static firewall::facts::Fact Answer(const firewall::facts::Need& need) {
    using firewall::facts::Fact;
    if (std::holds_alternative<firewall::facts::SocketKey>(need)) {
      return Fact::Present(firewall::facts::Socket{0U, 0, 0, false, std::uint8_t{0}, {}});
    }
    if (std::holds_alternative<firewall::facts::NamespaceKey>(need)) {
      firewall::facts::NamespaceFacts settings;
      settings.early_demultiplexing = settings.routes_everything = true;
      settings.routes_by_mark = settings.routes_by_user = settings.routes_by_type_of_service = false;
      return Fact::Present(settings);
    }
    if (const auto* key = std::get_if<firewall::facts::RouteKey>(&need)) {
      auto route = std::make_shared<firewall::facts::Route>();
      route->local = key->destination == ForgottenSocket(1).local.address;
      return Fact::Present(std::shared_ptr<const firewall::facts::Route>(std::move(route)));
    }
    return Fact::Absent();
  }
};

class OwnHopsTest : public testing::Test {
 protected:
  OwnHopsTest() {
    hops_.ResolveBy([this](std::uint64_t) { return inside_; });
    sources::NetworkNamespacesSample sample;
    sources::OtherNamespace pod;
    pod.id = kPod;
    pod.own = sources::OwnRules{DropsAt({Hook::kOutput}), true};
    sample.namespaces = {pod};
    hops_.TakeIn(sample);
    inside_->calls = 0;
  }
  // Each to a peer of its own, so that each asks for something of its own.
  void Connect(std::size_t number) {
    for (std::size_t i = 1; i <= number; ++i) {
      kernel::TcpSocket socket = ForgottenSocket(1);
      socket.cookie = i;
      socket.local.port = static_cast<std::uint16_t>(i);
      socket.peer = *Endpoint::Parse("203.0." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250) + ":80");
      live_.sockets.Add(socket);
      live_.namespaces.push_back(kPod);
    }
  }
  std::size_t Known(Fate fate) const {
    std::size_t known = 0;
    for (std::size_t i = 0; i < live_.sockets.Size(); ++i) {
      known += hops_.FateOf(kPod, live_.sockets[i]) == fate ? 1 : 0;
    }
    return known;
  }
  void Evaluate(std::chrono::nanoseconds cpu_time) {
    std::vector<std::size_t> all(live_.sockets.Size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    hops_.Evaluate(live_, all, cpu_time);
  }

  std::shared_ptr<PlainNamespace> inside_ = std::make_shared<PlainNamespace>();
  OwnHops hops_;
  sources::ForeignLiveSockets live_;
};

TEST_F(OwnHopsTest, WhatManyConnectionsNeedIsAskedForTogether) {
  constexpr std::size_t kMany = 9000;
  Connect(kMany);
  Evaluate(std::chrono::hours(1));
  EXPECT_EQ(Known(Fate::kFinDropped), kMany);
  EXPECT_GE(inside_->answers, kMany) << "else this test asks for nothing";
  EXPECT_LE(inside_->calls, kMany / 100);
  const std::size_t calls = inside_->calls;
  Evaluate(std::chrono::hours(1));
  EXPECT_EQ(inside_->calls, calls) << "what is remembered is not asked for again";
}

TEST_F(OwnHopsTest, WithoutTimeNothingIsEvaluatedAndNothingIsCalledKnown) {
  Connect(3);
  Evaluate(std::chrono::nanoseconds(0));
  EXPECT_EQ(inside_->calls, 0U);
  for (std::size_t i = 0; i < live_.sockets.Size(); ++i) {
    EXPECT_FALSE(hops_.FateOf(kPod, live_.sockets[i]));
  }
  Evaluate(std::chrono::hours(1));
  EXPECT_EQ(Known(Fate::kFinDropped), 3U);
}

TEST_F(OwnHopsTest, WhereNobodyCanBeAskedItStaysUnknown) {
  hops_ = OwnHops();
  sources::NetworkNamespacesSample sample;
  sources::OtherNamespace pod;
  pod.id = kPod;
  pod.own = sources::OwnRules{UnreadableRules(), true};
  sample.namespaces = {pod};
  hops_.TakeIn(sample);
  Connect(2);
  Evaluate(std::chrono::hours(1));
  EXPECT_EQ(Known(Fate::kUnknown), 2U);
  EXPECT_FALSE(hops_.ResolveNoted());
}

}  // namespace
}  // namespace finwait::diagnosis
