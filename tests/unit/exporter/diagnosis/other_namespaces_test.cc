#include "exporter/diagnosis/other_namespaces.h"

#include <gtest/gtest.h>

#include "exporter/diagnosis/diagnostician.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::diagnosis {
namespace {

constexpr std::uint64_t kOurs = std::uint64_t{1} << 63;

class OtherNamespacesTest : public testing::Test {
 protected:
  std::shared_ptr<const Diagnosis> Collect() {
    host_.Advance(std::chrono::seconds(5));
    host_.Set(sample_);
    return diagnostician_.Diagnose(host_.Get(), host_.Now(), scheduling::WallClock::time_point());
  }
  // What the collector reads of one pod with these sockets.
  void Read(const std::vector<kernel::TcpSocket>& open, const std::vector<kernel::TcpSocket>& closing = {}) {
    sample_ = {};
    sample_.observes = true;
    sample_.observed = 1;
    sources::OtherNamespace pod;
    pod.id = 7;
    pod.owner = std::make_shared<const kernel::namespaces::Owner>(
        kernel::namespaces::Owner{kernel::namespaces::OwnerKind::kPod, "shop", "cart-0", ""});
    sample_.namespaces = {pod};
    auto live = std::make_shared<sources::ForeignLiveSockets>();
    for (const kernel::TcpSocket& socket : open) {
      live->sockets.Add(socket);
      live->namespaces.push_back(7);
    }
    for (const kernel::TcpSocket& socket : closing) {
      live->sockets.Add(socket);
      live->namespaces.push_back(7);
      sample_.closing.push_back({7, socket});
    }
    live->taken_at = host_.Now();
    sample_.live = live;
  }
  static kernel::TcpSocket Socket(std::uint64_t number, bool tracked) {
    kernel::TcpSocket socket = tracked ? OpenSocket(number) : ForgottenSocket(number);
    socket.cookie = number | kOurs;
    socket.local = *Endpoint::Parse("198.51.100.10:" + std::to_string(40000 + number));
    return socket;
  }
  static kernel::TcpSocket Translated(std::uint64_t number) {
    kernel::TcpSocket socket = Socket(number, true);
    socket.entry.source_nat = true;
    socket.entry.translation = std::make_shared<const kernel::Translation>(
        kernel::Translation{*Endpoint::Parse("192.0.2.1:50000"), socket.peer});
    return socket;
  }

  SnapshotBuilder host_{DropsAt({})};
  Diagnostician diagnostician_;
  sources::NetworkNamespacesSample sample_;
};

TEST_F(OtherNamespacesTest, AConnectionWhoseTranslationWasSeenIsLostWithItsEntry) {
  Read({Translated(1), Translated(2)});
  EXPECT_EQ(Collect()->live->AtRisk(Fate::kNatLost), 0U);
  EXPECT_EQ(Collect()->live->translated, 2U);
  Read({Socket(1, false), Translated(2)});
  const auto diagnosis = Collect();
  EXPECT_EQ(diagnosis->live->AtRisk(Fate::kNatLost), 1U);
  EXPECT_EQ(diagnosis->live->open, 2U);
  ASSERT_EQ(diagnosis->live->sockets.size(), 1U);
  EXPECT_EQ(diagnosis->live->sockets[0].network_namespace, 7U);
  EXPECT_EQ(diagnosis->live->sockets[0].owner->name, "cart-0");
  ASSERT_EQ(diagnosis->owners.size(), 1U);
  EXPECT_EQ(diagnosis->owners[0].at_risk, 1U);
  EXPECT_EQ(diagnosis->risk.stage, Stage::kExposed);
}

TEST_F(OtherNamespacesTest, ANamespaceThatNeverHadAnEntryIsNotLost) {
  Read({Socket(1, false), Socket(2, false)});
  const auto diagnosis = Collect();
  EXPECT_EQ(diagnosis->live->untracked_established, 0U);
  EXPECT_EQ(diagnosis->live->never_tracked_elsewhere, 2U);
  for (const std::uint64_t number : diagnosis->live->at_risk) {
    EXPECT_EQ(number, 0U);
  }
  EXPECT_EQ(diagnosis->risk.stage, Stage::kNone);
}

TEST_F(OtherNamespacesTest, WhatItsOwnRulesDoToAConnectionWithoutItsEntryMayBeUnknown) {
  const auto read = [this](kernel::Tracking own_tracking) {
    Read({Socket(1, true)});
    sample_.namespaces[0].own = sources::OwnRules{UnreadableRules(), false};
    auto live = std::make_shared<sources::ForeignLiveSockets>(*sample_.live);
    live->own_tracking = {own_tracking};
    sample_.live = live;
    return Collect();
  };
  EXPECT_EQ(read(kernel::Tracking::kTracked)->live->AtRisk(Fate::kUnknown), 0U);
  const auto lost = read(kernel::Tracking::kUntracked);
  EXPECT_EQ(lost->live->AtRisk(Fate::kUnknown), 1U);
  EXPECT_EQ(lost->live->untracked_established, 1U);
  ASSERT_EQ(lost->live->sockets.size(), 1U);
  EXPECT_EQ(lost->live->sockets[0].fate, Fate::kUnknown);
  EXPECT_EQ(lost->live->sockets[0].reason, "the rules of its own network namespace");
  EXPECT_FALSE(lost->risk.stage) << "it may be what tells exposed from none";
  EXPECT_FALSE(lost->risk.score);
}

TEST_F(OtherNamespacesTest, WhileOneWithConnectionsIsUnavailableNothingIsCalledWell) {
  Read({Socket(1, true), Socket(2, true)});
  EXPECT_EQ(Collect()->risk.stage, Stage::kNone);
  sample_.namespaces[0].unavailable = true;
  const auto unavailable = Collect();
  EXPECT_EQ(unavailable->live->unread_elsewhere, 2U);
  EXPECT_FALSE(unavailable->risk.stage);
  sample_.namespaces[0].unavailable = false;
  EXPECT_EQ(Collect()->risk.stage, Stage::kNone);
}

TEST_F(OtherNamespacesTest, OneThatIsUnavailableAndHasNoConnectionsTakesNothing) {
  kernel::TcpSocket inside = Socket(1, true);
  inside.local.address = inside.peer.address = *IpAddress::Parse("127.0.0.1");
  Read({inside});
  sample_.namespaces[0].unavailable = true;
  EXPECT_EQ(Collect()->risk.stage, Stage::kNone);
}

TEST_F(OtherNamespacesTest, WhatIsKnownToStickIsSaidThoughAnotherIsUnavailable) {
  Read({Translated(1), Socket(2, true)});
  Collect();
  Read({Socket(1, false), Socket(2, true)});
  sample_.namespaces[0].unavailable = true;
  EXPECT_EQ(Collect()->risk.stage, Stage::kExposed);
}

TEST_F(OtherNamespacesTest, WhereTheHostsEntriesCannotBeReadNothingIsCalledWell) {
  Read({Socket(1, true)});
  sample_.namespaces[0].counts[0][static_cast<std::size_t>(kernel::TcpState::kEstablished)] = 1;
  EXPECT_EQ(Collect()->risk.stage, Stage::kNone);
  sample_.live = nullptr;
  const auto diagnosis = Collect();
  EXPECT_EQ(diagnosis->live->unread_elsewhere, 1U);
  EXPECT_FALSE(diagnosis->risk.stage);
}

TEST_F(OtherNamespacesTest, OneThatReachesThisHostByNoDeviceIsNotLostForWhatOthersHad) {
  Read({Translated(1), Socket(2, false)});
  sample_.namespaces[0].joined = kernel::NamespaceLink();
  const auto diagnosis = Collect();
  EXPECT_EQ(diagnosis->live->AtRisk(Fate::kUnknown), 0U);
  EXPECT_EQ(diagnosis->risk.stage, Stage::kLatent) << "the translation of the first goes with its entry";
}

TEST_F(OtherNamespacesTest, WhereNoDeviceLeadsToItNothingIsPredicted) {
  const auto join = [this](const std::optional<kernel::NamespaceLink>& joined) {
    sample_.namespaces[0].joined = joined;
  };
  Read({Translated(1)});
  join(kernel::NamespaceLink());  // macvlan, or another namespace lies between
  Collect();
  Read({Socket(1, false)});
  join(kernel::NamespaceLink());
  const auto behind_nothing = Collect();
  EXPECT_EQ(behind_nothing->live->AtRisk(Fate::kNatLost), 0U);
  EXPECT_EQ(behind_nothing->live->AtRisk(Fate::kUnknown), 1U);
  // The same samples, but that it hangs on a bridge of this host's now: what was evaluated before is not kept.
  kernel::NamespaceLink bridged;
  bridged.device = kernel::Link{6, "veth1", 1, 0, "veth", 5, 2};
  bridged.master = kernel::Link{5, "br0", 1, 0, "bridge", 0, std::nullopt};
  join(bridged);
  EXPECT_EQ(Collect()->live->AtRisk(Fate::kNatLost), 1U);
}

TEST_F(OtherNamespacesTest, PacketsThatStayInsideAreNoBusinessOfThisHosts) {
  kernel::TcpSocket inside = Translated(1);
  inside.local.address = *IpAddress::Parse("127.0.0.1");
  inside.peer.address = *IpAddress::Parse("127.0.0.1");
  Read({inside});
  Collect();
  inside.entry = {};
  inside.entry.tracking = kernel::Tracking::kUntracked;
  Read({inside});
  EXPECT_EQ(Collect()->live->WouldStick(), 0U);
}

TEST_F(OtherNamespacesTest, OneThatSticksUntranslatedProvesTheFailureAndNamesItsOwner) {
  Read({Translated(1)});
  Collect();
  Read({Socket(1, false)});
  Collect();
  kernel::TcpSocket stuck = Socket(1, false);
  stuck.state = kernel::TcpState::kFinWait1;
  stuck.orphan = true;
  stuck.timer = kernel::SocketTimer::kRetransmit;
  stuck.tries = 3;
  Read({}, {stuck});
  const auto diagnosis = Collect();
  ASSERT_EQ(diagnosis->stuck->sockets.size(), 1U);
  EXPECT_EQ(diagnosis->stuck->sockets[0].cause, Cause::kNatLost);
  EXPECT_EQ(diagnosis->stuck->sockets[0].owner->name, "cart-0");
  EXPECT_EQ(diagnosis->risk.stage, Stage::kFailing);
  EXPECT_EQ(diagnosis->owners.at(0).stuck, 1U);
}

TEST_F(OtherNamespacesTest, WhatCannotBeToldOfAPodTakesNothingFromTheHost) {
  kernel::TcpSocket stuck = Socket(1, false);
  stuck.state = kernel::TcpState::kFinWait1;
  stuck.timer = kernel::SocketTimer::kProbe;  // its FIN did not leave the pod, whose rules nobody has read
  stuck.tries = 3;
  Read({}, {stuck});
  const auto diagnosis = Collect();
  ASSERT_EQ(diagnosis->stuck->sockets.size(), 1U);
  EXPECT_FALSE(diagnosis->stuck->sockets[0].cause);
  EXPECT_EQ(diagnosis->risk.stage, Stage::kNone);
}

TEST_F(OtherNamespacesTest, WhatWasCountedStaysCountedWhenTheCollectorFails) {
  Read({Translated(1)});
  Collect();
  kernel::TcpSocket stuck = Socket(1, false);
  stuck.state = kernel::TcpState::kFinWait1;
  stuck.orphan = true;
  stuck.timer = kernel::SocketTimer::kRetransmit;
  stuck.tries = 3;
  Read({}, {stuck});
  Collect();
  Read({});
  const auto total = [](const Diagnosis& diagnosis) {
    std::uint64_t sum = 0;
    for (const auto& by_cause : diagnosis.stuck->total) {
      for (const std::uint64_t number : by_cause) {
        sum += number;
      }
    }
    return sum;
  };
  EXPECT_EQ(total(*Collect()), 1U);
  host_.Fail<sources::NetworkNamespacesSample>("cannot be read");
  EXPECT_EQ(total(*diagnostician_.Diagnose(host_.Get(), host_.Now(), scheduling::WallClock::time_point())), 1U);
}

TEST_F(OtherNamespacesTest, SilenceIsToldByTheEntryAndByWhoseItIs) {
  kernel::TcpSocket silent = Socket(1, true);
  silent.entry.remaining_seconds = 432'000 - 700;
  kernel::TcpSocket in_flight = Socket(2, true);
  in_flight.entry.remaining_seconds = 100;
  auto settings = std::make_shared<sources::SysctlSample>(*host_.Get()->Find<sources::SysctlSample>());
  settings->conntrack_tcp_timeouts[static_cast<std::size_t>(sources::ConntrackTcpTimeout::kUnacknowledged)] =
      std::chrono::seconds(300);
  host_.Set(*settings);
  Read({silent, in_flight});
  const auto diagnosis = Collect();
  EXPECT_EQ(diagnosis->idle->sockets, 1U);
  EXPECT_EQ(diagnosis->idle->untold, 1U);
  EXPECT_EQ(diagnosis->idle->outlived[3], 1U) << "600 s";
  ASSERT_EQ(diagnosis->idle->services.size(), 1U);
  EXPECT_EQ(diagnosis->idle->services[0].owner->name, "cart-0");
}

// A host that forwards, and whose own address is none of those that are asked for.
class PodRouter : public firewall::facts::Resolver {
 public:
  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override {
    for (const firewall::facts::Need& need : needs) {
      firewall::facts::NamespaceFacts settings;
      settings.early_demultiplexing = settings.forwards = settings.routes_everything = true;
      settings.routes_by_mark = settings.routes_by_user = settings.routes_by_type_of_service = false;
      settings.routes_by_ports = settings.bridge_calls_rules = false;
      firewall::facts::Route route;
      route.egress = firewall::eval::Interface{"eth0", 2, 1, 0, ""};
      store.Put(need, std::holds_alternative<firewall::facts::NamespaceKey>(need)
                          ? firewall::facts::Fact::Present(settings)
                          : firewall::facts::Fact::Present(std::make_shared<const firewall::facts::Route>(route)));
    }
  }
  void TakeInChanges(firewall::facts::FactStore&) override {}
};

// Rules that drop closing packets although the entry is there.
class WithEntryTest : public OtherNamespacesTest {
 protected:
  const LiveSummary& SumUp(const std::shared_ptr<const firewall::Ruleset>& rules) {
    evaluator_ = std::make_unique<CloseEvaluator>(rules, EvaluationSettings{true, {true, true}}, nullptr);
    context_.evaluator = evaluator_.get();
    context_.resolver = &router_;
    return others_.SumUpLive(sample_, true, context_);
  }

  PodRouter router_;
  std::unique_ptr<CloseEvaluator> evaluator_;
  OtherContext context_;
  OtherNamespaces others_;
  const std::shared_ptr<const firewall::Ruleset> drops_fins_ = DropsFlagAt(firewall::Hook::kForward, kFlagFin);
};

TEST_F(WithEntryTest, WhatRulesDropWithAnEntryIsAtRisk) {
  kernel::TcpSocket closed = Socket(2, true);
  closed.state = kernel::TcpState::kCloseWait;
  Read({Socket(1, true), Translated(3), closed});
  const LiveSummary& live = SumUp(drops_fins_);
  EXPECT_EQ(live.AtRisk(Fate::kFinDropped), 3U);
  EXPECT_EQ(live.at_risk_with_entry[0], 3U);
  EXPECT_EQ(live.would_stick_close_wait, 1U);
  EXPECT_EQ(live.untracked_established, 0U);
  EXPECT_TRUE(live.any_would_stick);
  EXPECT_EQ(live.at_risk_by_holder.at({7, 0}), 3U);
  ASSERT_FALSE(live.sockets.empty());
  const AtRiskSocket& first = live.sockets[0];
  EXPECT_TRUE(first.with_entry);
  EXPECT_EQ(first.stands_for, 3U);
  ASSERT_TRUE(first.site.has_value());
  EXPECT_EQ(first.site->hook, firewall::Hook::kForward);
  EXPECT_FALSE(first.drops.places.empty());
  EXPECT_EQ(first.owner->name, "cart-0");
  LiveSummary all;
  Add(live, all);
  EXPECT_EQ(all.at_risk_with_entry[0], 3U);
}

TEST_F(WithEntryTest, WhatLetsPassWhatHasAnEntryLeavesItClean) {
  Read({Socket(1, true)});
  const LiveSummary& live = SumUp(DropsStateAt(firewall::Hook::kForward, kStateInvalid));
  EXPECT_EQ(live.WouldStick(), 0U);
  EXPECT_TRUE(live.any_would_stick) << "once the entry is gone";
}

TEST_F(WithEntryTest, WhatTheHostDoesNotPassOnIsNotAtRisk) {
  Read({Socket(1, true)});
  sample_.namespaces[0].joined = kernel::NamespaceLink();
  EXPECT_EQ(SumUp(drops_fins_).WouldStick(), 0U);
}

TEST_F(WithEntryTest, WhatIsNotEvaluatedYetIsNotAtRisk) {
  Read({Socket(1, true)});
  context_.evaluation = std::chrono::nanoseconds(0);
  EXPECT_EQ(SumUp(drops_fins_).WouldStick(), 0U);
}

TEST_F(WithEntryTest, AStuckOneHadItsEntry) {
  kernel::TcpSocket stuck = Socket(1, true);
  stuck.state = kernel::TcpState::kFinWait1;
  stuck.orphan = true;
  stuck.timer = kernel::SocketTimer::kRetransmit;
  stuck.tries = 3;
  Read({}, {stuck});
  SumUp(drops_fins_);
  const StuckSummary& found = others_.SumUpStuck(sample_, true, host_.Now(), host_.Now(), context_);
  ASSERT_EQ(found.sockets.size(), 1U);
  EXPECT_EQ(found.sockets[0].cause, Cause::kForwardDrop);
  EXPECT_TRUE(found.sockets[0].with_entry);
}

// What was evaluated before anything told that the namespace is tracked does not hold any more.
TEST_F(WithEntryTest, OneThatIsSeenTrackedLaterIsEvaluatedAgain) {
  const auto rules = DropsStateAt(firewall::Hook::kForward, kStateInvalid);
  evaluator_ = std::make_unique<CloseEvaluator>(rules, EvaluationSettings{true, {true, true}}, nullptr);
  context_.evaluator = evaluator_.get();
  context_.resolver = &router_;
  Read({Socket(1, false)});
  const LiveSummary never = others_.SumUpLive(sample_, true, context_);
  EXPECT_EQ(never.never_tracked_elsewhere, 1U);
  EXPECT_EQ(never.AtRisk(Fate::kFinDropped), 0U);
  Read({Socket(1, false), Socket(2, true)});
  const LiveSummary& known = others_.SumUpLive(sample_, false, context_);
  EXPECT_EQ(known.AtRisk(Fate::kUnknown), 0U);
  EXPECT_EQ(known.AtRisk(Fate::kFinDropped), 1U);
}

// What its own namespace would drop of the answer does not come to it.
TEST_F(WithEntryTest, AFinThatIsDroppedHereDecidesBeforeItsOwnRules) {
  Read({Socket(1, true)});
  sample_.namespaces[0].own = sources::OwnRules{DropsAt({firewall::Hook::kInput}), true};
  auto live = std::make_shared<sources::ForeignLiveSockets>(*sample_.live);
  live->own_tracking = {kernel::Tracking::kUntracked};
  sample_.live = live;
  const LiveSummary& summary = SumUp(drops_fins_);
  EXPECT_EQ(summary.AtRisk(Fate::kAckDropped), 0U);
  EXPECT_EQ(summary.AtRisk(Fate::kFinDropped), 1U);
  ASSERT_EQ(summary.sockets.size(), 1U);
  EXPECT_TRUE(summary.sockets[0].with_entry);
}

// A pod on a bridge of this host's, with a connection to the host itself.
class ToThisHostTest : public OtherNamespacesTest {
 protected:
  void ReadBridged(const std::vector<kernel::TcpSocket>& open, const std::vector<kernel::TcpSocket>& closing = {}) {
    Read(open, closing);
    kernel::NamespaceLink bridged;
    bridged.device = kernel::Link{6, "veth1", 1, 0, "veth", 5, 2};
    bridged.master = kernel::Link{5, "br0", 1, 0, "bridge", 0, std::nullopt};
    sample_.namespaces[0].joined = bridged;
  }
  static std::shared_ptr<firewall::facts::FactStore> FactsOf(const kernel::TcpSocket& socket) {
    auto facts = std::make_shared<firewall::facts::FactStore>();
    firewall::facts::NamespaceFacts settings;
    settings.early_demultiplexing = true;
    settings.routes_by_mark = settings.routes_by_ports = settings.routes_by_type_of_service =
        settings.bridge_calls_rules = false;
    settings.forwards = true;
    facts->Put(firewall::facts::NamespaceKey{IpFamily::kIpv4}, firewall::facts::Fact::Present(settings));
    firewall::facts::Route route;
    route.local = true;
    firewall::facts::RouteKey key;
    key.destination = socket.peer.address;
    for (const bool arrives : {false, true}) {
      key.source = arrives ? std::optional(socket.local.address) : std::nullopt;
      key.arriving_on = arrives ? 5 : 0;
      facts->Put(key, firewall::facts::Fact::Present(std::make_shared<const firewall::facts::Route>(route)));
    }
    return facts;
  }
};

TEST_F(ToThisHostTest, ItsSilenceCountsToo) {
  kernel::TcpSocket silent = Socket(1, true);
  silent.entry.remaining_seconds = 432'000 - 700;
  ReadBridged({silent});
  CloseEvaluator evaluator(DropsAt({}), {true, {true, true}}, FactsOf(silent));
  OtherContext context;
  context.evaluator = &evaluator;
  OtherNamespaces others;
  EXPECT_EQ(others.SumUpLive(sample_, true, context).open, 0U) << "it is this host's own, which counts its end";
  context.sysctl = host_.Get()->Find<sources::SysctlSample>();
  const ObservedSilence silence = others.Silence(context);
  EXPECT_EQ(silence.sockets.Size(), 1U);
  EXPECT_EQ(silence.untold, 0U);
}

// The host's own end does not get to know of it, and shows nothing.
TEST_F(ToThisHostTest, AFinThatTheHostsInputDropsIsFoundStuck) {
  CloseEvaluator evaluator(DropsStateAt(firewall::Hook::kInput, kStateInvalid), {true, {true, true}},
                           FactsOf(Socket(1, true)));
  OtherContext context;
  context.evaluator = &evaluator;
  OtherNamespaces others;
  for (const bool tracked : {true, false}) {
    ReadBridged({Socket(1, tracked)});
    others.SumUpLive(sample_, true, context);
  }
  kernel::TcpSocket stuck = Socket(1, false);
  stuck.state = kernel::TcpState::kFinWait1;
  stuck.orphan = true;
  stuck.timer = kernel::SocketTimer::kRetransmit;
  stuck.tries = 3;
  ReadBridged({}, {stuck});
  const StuckSummary& found = others.SumUpStuck(sample_, true, host_.Now(), host_.Now(), context);
  ASSERT_EQ(found.sockets.size(), 1U);
  EXPECT_EQ(found.sockets[0].cause, Cause::kForwardDrop);
}

TEST_F(ToThisHostTest, AFinWithAnEntryThatTheHostsInputDropsIsFoundStuck) {
  CloseEvaluator evaluator(DropsFlagAt(firewall::Hook::kInput, kFlagFin), {true, {true, true}},
                           FactsOf(Socket(1, true)));
  OtherContext context;
  context.evaluator = &evaluator;
  OtherNamespaces others;
  kernel::TcpSocket stuck = Socket(1, true);
  stuck.state = kernel::TcpState::kFinWait1;
  stuck.orphan = true;
  stuck.timer = kernel::SocketTimer::kRetransmit;
  stuck.tries = 3;
  ReadBridged({}, {stuck});
  others.SumUpLive(sample_, true, context);
  const StuckSummary& found = others.SumUpStuck(sample_, true, host_.Now(), host_.Now(), context);
  ASSERT_EQ(found.sockets.size(), 1U);
  EXPECT_EQ(found.sockets[0].cause, Cause::kForwardDrop);
  EXPECT_TRUE(found.sockets[0].with_entry);
}

// A namespace with rules of its own, which this host meets before and after.
class BothHopsTest : public OtherNamespacesTest {
 protected:
  std::shared_ptr<const Diagnosis> CollectLost(std::shared_ptr<const firewall::Ruleset> own) {
    sources::FirewallSample firewall;
    firewall.ruleset = DropsStateAt(firewall::Hook::kForward, kStateInvalid);
    host_.Set(firewall);
    std::shared_ptr<const Diagnosis> diagnosis;
    for (const bool tracked : {true, false}) {
      Read({Socket(1, tracked)});
      sample_.namespaces[0].own = sources::OwnRules{own, true};
      auto live = std::make_shared<sources::ForeignLiveSockets>(*sample_.live);
      live->own_tracking = {tracked ? kernel::Tracking::kTracked : kernel::Tracking::kUntracked};
      sample_.live = live;
      diagnosis = Collect();
    }
    return diagnosis;
  }
};

TEST_F(BothHopsTest, NoAnswerIsDroppedOfAFinThatTheHostDrops) {
  const auto diagnosis = CollectLost(DropsAt({firewall::Hook::kInput}));
  EXPECT_EQ(diagnosis->live->AtRisk(Fate::kAckDropped), 0U);
  EXPECT_EQ(diagnosis->live->AtRisk(Fate::kFinDropped), 1U);
  ASSERT_EQ(diagnosis->live->sockets.size(), 1U);
  EXPECT_EQ(diagnosis->live->sockets[0].fate, Fate::kFinDropped);
}

TEST_F(BothHopsTest, AFinThatItsOwnRulesDropIsTheirs) {
  const auto diagnosis = CollectLost(DropsAt({firewall::Hook::kOutput}));
  EXPECT_EQ(diagnosis->live->AtRisk(Fate::kFinDropped), 1U);
  ASSERT_EQ(diagnosis->live->sockets.size(), 1U);
  EXPECT_NE(diagnosis->live->sockets[0].reason.find("its own network namespace"), std::string::npos)
      << diagnosis->live->sockets[0].reason;
}

}  // namespace
}  // namespace finwait::diagnosis
