#include <gtest/gtest.h>

#include <functional>

#include "collectors/firewall/print/rule_text.h"
#include "tests/kernel/exporter/diagnosis/forwarding_scene.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::PacketKind;

// A host's rules, and how a pod's connection closes through them once its entry is gone.
class ForwardedCloseTest : public testing::TestWithParam<SceneOptions> {
 protected:
  // Connections with rules that translate, if any, then the other rules, then no entries.
  void Load(const std::string& rules) { scene_->Host().Shell(rules); }

  void Start(bool peer_knows_pods = true) {
    SceneOptions options = GetParam();
    options.peer_knows_pods = peer_knows_pods;
    scene_ = std::make_unique<ForwardingScene>(options);
    ipt_ = scene_->Iptables();
  }

  // Evaluates `connection` without its entry, closes it, and holds one against the other.
  ForwardedOutcome Close(OpenConnection connection, Fate expected) {
    scene_->FlushEntries();
    ForwardedOutcome outcome = scene_->Fate(connection);
    EXPECT_EQ(Name(outcome.fate), Name(expected)) << outcome.reason;
    CloseForReal(connection, expected);
    return outcome;
  }

  // The same while its entry is there.
  void CloseWithEntry(OpenConnection connection, Fate expected, const std::string& what = "") {
    ForwardedOutcome outcome;
    const ForwardedConnection forwarded = scene_->Describe(connection);
    scene_->Evaluate([&](CloseEvaluator& evaluator) {
      outcome = EvaluateTrackedForwardedClose(evaluator, forwarded, connection.Seen());
    });
    EXPECT_TRUE(connection.seen_tracked);
    EXPECT_EQ(Name(outcome.fate), Name(expected)) << what;
    if (expected == Fate::kPeerFinDropped) {
      EXPECT_FALSE(ForwardingScene::Do(Act::kPeerClose, connection).at(PacketKind::kPeerFin)) << what;
    } else {
      CloseForReal(connection, expected, what);
    }
  }

  static void CloseForReal(OpenConnection& connection, Fate expected, const std::string& what = "") {
    const Passed passed = ForwardingScene::Do(Act::kClose, connection);
    switch (expected) {
      case Fate::kClean:
      case Fate::kPeerFinDropped:
        EXPECT_TRUE(passed.at(PacketKind::kFin) && passed.at(PacketKind::kAck)) << what;
        break;
      case Fate::kFinDropped:
      case Fate::kNatLost:
        EXPECT_FALSE(passed.at(PacketKind::kFin)) << what;
        break;
      case Fate::kAckDropped:
      case Fate::kPeerDecides:
        EXPECT_TRUE(passed.at(PacketKind::kFin)) << what;
        EXPECT_FALSE(passed.at(PacketKind::kAck)) << what;
        break;
      case Fate::kUnknown:
        break;
    }
  }

  // The text of the rule that `result` names, with the kernel's own count of its packets before and after a close.
  std::string RuleOf(const firewall::eval::TraversalResult& result) {
    std::string text;
    scene_->Evaluate([&](CloseEvaluator& evaluator) {
      if (!result.location) {
        return;
      }
      const firewall::eval::RulePlace place = evaluator.Packets().FindRule(*result.location);
      if (place.table != nullptr && place.chain != nullptr && place.rule != nullptr) {
        text = firewall::print::RuleText(*place.table, *place.chain, *place.rule);
      }
    });
    return text;
  }
  std::uint64_t PacketsOf(const std::string& rule) {
    const std::string saved = scene_->Host().Shell(ipt_ + "-save -c");
    const std::size_t at = saved.find(rule);
    if (at == std::string::npos) {
      return 0;
    }
    const std::size_t open = saved.rfind('[', at);
    return std::stoull(saved.substr(open + 1));
  }

  std::unique_ptr<ForwardingScene> scene_;
  std::string ipt_;
};

TEST_P(ForwardedCloseTest, WithoutRulesItCloses) {
  Start();
  EXPECT_EQ(Close(scene_->PodToPeer(), Fate::kClean).passage, HostPassage::kForward);
  Close(scene_->PeerToPod(), Fate::kClean);
}

TEST_P(ForwardedCloseTest, MasqueradingAloneLosesIt) {
  Start(false);
  Load(ipt_ + " -t nat -A POSTROUTING -o up0 -j MASQUERADE; " + ipt_ + " -A FORWARD -i " + scene_->PodDevice() +
       " -j ACCEPT");
  OpenConnection connection = scene_->PodToPeer();
  EXPECT_TRUE(connection.translated && connection.history.source_nat);
  Close(std::move(connection), Fate::kNatLost);
}

TEST_P(ForwardedCloseTest, WhatNobodySawTrackedIsToldByTheNatChains) {
  Start(false);
  Load(ipt_ + " -t nat -A POSTROUTING -o up0 -j MASQUERADE; " + ipt_ + " -A FORWARD -i " + scene_->PodDevice() +
       " -j ACCEPT");
  OpenConnection connection = scene_->PodToPeer();
  connection.seen_tracked = false;
  Close(std::move(connection), Fate::kNatLost);
}

TEST_P(ForwardedCloseTest, AForwardRuleThatDropsInvalidHoldsTheFin) {
  Start();
  Load(ipt_ + " -A FORWARD -m conntrack --ctstate INVALID -m comment --comment decides -j DROP");
  const std::string rule = "decides -j DROP";
  const std::uint64_t before = PacketsOf(rule);
  const ForwardedOutcome outcome = Close(scene_->PodToPeer(), Fate::kFinDropped);
  EXPECT_NE(RuleOf(outcome.fin).find("decides"), std::string::npos);
  EXPECT_EQ(outcome.fin.hook, firewall::Hook::kForward);
  EXPECT_GT(PacketsOf(rule), before);
}

TEST_P(ForwardedCloseTest, ADropOnTheWayWinsOverALostTranslation) {
  Start(false);
  Load(ipt_ + " -t nat -A POSTROUTING -o up0 -j MASQUERADE; " + ipt_ +
       " -A FORWARD -m conntrack --ctstate INVALID -j DROP");
  Close(scene_->PodToPeer(), Fate::kFinDropped);
}

TEST_P(ForwardedCloseTest, APolicyThatLetsOnlyTheWayOutPassDropsTheAnswer) {
  Start();
  Load(ipt_ + " -P FORWARD DROP; " + ipt_ + " -A FORWARD -i " + scene_->PodDevice() + " -j ACCEPT; " + ipt_ +
       " -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT");
  Close(scene_->PodToPeer(), Fate::kAckDropped);
}

TEST_P(ForwardedCloseTest, AServiceAddressIsLostWithItsEntry) {
  Start();
  Load(ipt_ + " -t nat -A PREROUTING -d " + scene_->VirtualAddress() + " -p tcp -j DNAT --to-destination " +
       scene_->At(scene_->PeerAddress(), 80));
  OpenConnection connection = scene_->PodTo(scene_->VirtualAddress(), 443, scene_->PeerListener());
  EXPECT_TRUE(connection.history.destination_nat);
  Close(std::move(connection), Fate::kNatLost);
}

TEST_P(ForwardedCloseTest, AServiceAddressOfNftablesIsLostWithItsEntry) {
  Start();
  Load("nft 'table " + scene_->NftFamily() + " t { chain p { type nat hook prerouting priority -100; " +
       scene_->NftFamily() + " daddr . tcp dport vmap { " + scene_->VirtualAddress() + " . 443 : goto s }\n}\n" +
       "chain s { meta l4proto tcp dnat to " + scene_->At(scene_->PeerAddress(), 80) + "\n}\n}'");
  OpenConnection connection = scene_->PodTo(scene_->VirtualAddress(), 443, scene_->PeerListener());
  connection.seen_tracked = false;
  Close(std::move(connection), Fate::kNatLost);
}

TEST_P(ForwardedCloseTest, APublishedPortIsLostWithItsEntry) {
  Start();
  Load(ipt_ + " -t nat -A PREROUTING -p tcp -m addrtype --dst-type LOCAL --dport 8080 -j DNAT --to-destination " +
       scene_->At(scene_->PodAddress(), 80));
  Close(scene_->PeerTo(scene_->HostAddress(), 8080), Fate::kNatLost);
}

TEST_P(ForwardedCloseTest, AServiceThatLeadsBackToAPodIsLostWithItsEntry) {
  Start();
  Load(ipt_ + " -t nat -A PREROUTING -d " + scene_->VirtualAddress() + " -p tcp -j DNAT --to-destination " +
       scene_->At(scene_->PodAddress(1), 80) + "; " + ipt_ + " -t nat -A POSTROUTING -d " + scene_->PodAddress(1) +
       " -j MASQUERADE");
  Close(scene_->PodTo(scene_->VirtualAddress(), 80, scene_->OtherPodListener()), Fate::kNatLost);
}

TEST_P(ForwardedCloseTest, AConnectionToTheHostItselfMeetsItsInput) {
  Start();
  Load(ipt_ + " -A INPUT -p tcp -m conntrack --ctstate INVALID -j DROP");
  const ForwardedOutcome outcome =
      Close(scene_->PodTo(scene_->HostAddress(), 80, scene_->HostListener()), Fate::kFinDropped);
  EXPECT_EQ(outcome.passage, HostPassage::kInput);
  EXPECT_EQ(outcome.fin.hook, firewall::Hook::kInput);
}

TEST_P(ForwardedCloseTest, WhatIsNotTrackedIsNotInvalid) {
  Start();
  Load(ipt_ + " -t raw -A PREROUTING -p tcp -j CT --notrack; " + ipt_ +
       " -A FORWARD -m conntrack --ctstate INVALID -j DROP");
  Close(scene_->PodToPeer(), Fate::kClean);
}

TEST_P(ForwardedCloseTest, AMarkOfPreroutingChoosesTheRoute) {
  Start();
  const std::string ip = GetParam().family == IpFamily::kIpv4 ? "ip" : "ip -6";
  OpenConnection connection = scene_->PodToPeer();
  Load(ip + " rule add fwmark 7 table 77; " + ip + " route add blackhole default table 77; " + ipt_ +
       " -t mangle -A PREROUTING -i " + scene_->PodDevice() +
       " -p tcp -m conntrack --ctstate INVALID -j MARK --set-mark 7");
  Close(std::move(connection), Fate::kFinDropped);
}

TEST_P(ForwardedCloseTest, ARouteOfThisHostThatRefusesDropsItEitherWay) {
  Start();
  const std::string ip = GetParam().family == IpFamily::kIpv4 ? "ip" : "ip -6";
  for (const std::string type : {"blackhole", "unreachable", "prohibit"}) {
    OpenConnection forth = scene_->PodToPeer();
    Load(ip + " rule add iif " + scene_->PodDevice() + " " + type);
    Close(std::move(forth), Fate::kFinDropped);
    Load(ip + " rule del iif " + scene_->PodDevice() + " " + type);
    OpenConnection back = scene_->PodToPeer();
    Load(ip + " rule add to " + scene_->PodAddress() + " " + type);
    Close(std::move(back), Fate::kAckDropped);
    Load(ip + " rule del to " + scene_->PodAddress() + " " + type);
  }
}

TEST_P(ForwardedCloseTest, AHostThatForwardsNothingDropsIt) {
  Start();
  OpenConnection connection = scene_->PodToPeer();
  scene_->Host().Sysctl("net.ipv4.ip_forward", "0");
  scene_->Host().Sysctl("net.ipv6.conf.all.forwarding", "0");
  Close(std::move(connection), Fate::kFinDropped);
}

// What Calico's and kube-proxy's chains look like: marks that say what was accepted, and INVALID dropped on the way.
TEST_P(ForwardedCloseTest, CalicosChainsDropWhatIsInvalid) {
  Start();
  Load("n=" + ipt_ +
       "; $n -N cali-FORWARD; $n -N cali-from-wl-dispatch; $n -N cali-fw-cali0; "
       "$n -A FORWARD -j cali-FORWARD; $n -A cali-FORWARD -j MARK --set-xmark 0x0/0xe0000; "
       "$n -A cali-FORWARD -i " +
       scene_->PodDevice() +
       " -j cali-from-wl-dispatch; "
       "$n -A cali-from-wl-dispatch -i " +
       scene_->PodDevice() +
       " -g cali-fw-cali0; "
       "$n -A cali-from-wl-dispatch -m comment --comment \"Unknown interface\" -j DROP; "
       "$n -A cali-fw-cali0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; "
       "$n -A cali-fw-cali0 -m conntrack --ctstate INVALID -m comment --comment decides -j DROP; "
       "$n -A cali-fw-cali0 -j MARK --set-xmark 0x10000/0x10000; "
       "$n -A cali-fw-cali0 -m mark --mark 0x10000/0x10000 -j RETURN");
  const ForwardedOutcome outcome = Close(scene_->PodToPeer(), Fate::kFinDropped);
  EXPECT_NE(RuleOf(outcome.fin).find("decides"), std::string::npos);
}

// Its peer's FIN is lost where only that direction is guarded.
TEST_P(ForwardedCloseTest, ThePeersFinIsLostWhereOnlyTheWayInIsGuarded) {
  Start();
  Load(ipt_ + " -A FORWARD -i up0 -m conntrack --ctstate INVALID -j DROP");
  OpenConnection other = scene_->PodToPeer();
  Close(scene_->PodToPeer(), Fate::kPeerFinDropped);
  scene_->FlushEntries();
  EXPECT_FALSE(ForwardingScene::Do(Act::kPeerClose, other).at(PacketKind::kPeerFin));
}

TEST_P(ForwardedCloseTest, APathThatNobodySawTrackedIsNotEvaluated) {
  Start(false);
  Load(ipt_ + " -t nat -A POSTROUTING -o up0 -j MASQUERADE");
  OpenConnection connection = scene_->PodToPeer();
  ForwardedConnection forwarded = scene_->Describe(connection);
  forwarded.tracked = firewall::eval::Tristate::kUnknown;
  ForwardedOutcome outcome;
  scene_->Evaluate([&](CloseEvaluator& evaluator) { outcome = EvaluateForwardedClose(evaluator, forwarded, nullptr); });
  EXPECT_EQ(outcome.fate, Fate::kUnknown);
  EXPECT_TRUE(outcome.may_bypass_tracking);
}

// Rules that drop packets although the entry is there, as those against leaks do.
class TrackedForwardedCloseTest : public ForwardedCloseTest {
 protected:
  // A rule of `table`, in force for one close.
  void CloseUnder(const std::string& table, const std::string& rule, const std::function<OpenConnection()>& open,
                  Fate expected) {
    OpenConnection connection = open();
    Load(ipt_ + " -t " + table + " -A " + rule + " -j DROP");
    CloseWithEntry(std::move(connection), expected, table + " " + rule);
    Load(ipt_ + " -t " + table + " -D " + rule + " -j DROP");
  }
  void Track() { Load(ipt_ + " -A FORWARD -m conntrack --ctstate ESTABLISHED -m comment --comment tracks"); }

  const std::string fins_ = " -p tcp --tcp-flags FIN FIN";
};

TEST_P(TrackedForwardedCloseTest, ARuleThatDropsFinsHoldsThoseWithAnEntryToo) {
  Start();
  Track();
  const auto forth = [&] { return scene_->PodToPeer(); };
  CloseUnder("filter", "FORWARD" + fins_, forth, Fate::kFinDropped);
  CloseUnder(
      "filter", "FORWARD" + fins_, [&] { return scene_->PeerToPod(); }, Fate::kFinDropped);
  CloseUnder("filter", "FORWARD -i up0" + fins_, forth, Fate::kPeerFinDropped);
  CloseUnder("filter", "FORWARD -o up0" + fins_, forth, Fate::kFinDropped);
  CloseUnder("mangle", "POSTROUTING -s " + scene_->PodAddress() + fins_, forth, Fate::kFinDropped);
  CloseUnder("filter", "FORWARD -m conntrack --ctstate INVALID", forth, Fate::kClean);
  CloseUnder("filter", "FORWARD -i up0 -p tcp --tcp-flags SYN,FIN,ACK ACK -m conntrack --ctstate ESTABLISHED", forth,
             Fate::kPeerDecides);
}

TEST_P(TrackedForwardedCloseTest, AServiceIsSeenByItsAddressUntilPreroutingTranslatesIt) {
  Start();
  Load(ipt_ + " -t nat -A PREROUTING -d " + scene_->VirtualAddress() + " -p tcp -j DNAT --to-destination " +
       scene_->At(scene_->PeerAddress(), 80));
  const auto open = [&] { return scene_->PodTo(scene_->VirtualAddress(), 443, scene_->PeerListener()); };
  CloseUnder("mangle", "PREROUTING -d " + scene_->VirtualAddress() + fins_, open, Fate::kFinDropped);
  CloseUnder("mangle", "PREROUTING -d " + scene_->PeerAddress() + fins_, open, Fate::kClean);
  CloseUnder("filter", "FORWARD -d " + scene_->VirtualAddress() + fins_, open, Fate::kClean);
  CloseUnder("filter", "FORWARD -o up0 -d " + scene_->PeerAddress() + fins_, open, Fate::kFinDropped);
  CloseUnder("filter", "FORWARD -p tcp --dport 443 --tcp-flags FIN FIN", open, Fate::kClean);
  CloseUnder("filter", "FORWARD -s " + scene_->PeerAddress() + fins_, open, Fate::kPeerFinDropped);
  CloseUnder("mangle", "POSTROUTING -s " + scene_->VirtualAddress() + fins_, open, Fate::kClean);
}

TEST_P(TrackedForwardedCloseTest, APodThatIsMasqueradedIsSeenByItsAddressUntilItLeaves) {
  Start(false);
  Load(ipt_ + " -t nat -A POSTROUTING -o up0 -j MASQUERADE");
  const auto open = [&] { return scene_->PodToPeer(); };
  CloseUnder("filter", "FORWARD -s " + scene_->PodAddress() + fins_, open, Fate::kFinDropped);
  CloseUnder("mangle", "POSTROUTING -s " + scene_->PodAddress() + fins_, open, Fate::kFinDropped);
  CloseUnder("mangle", "POSTROUTING -s " + scene_->HostAddress() + fins_, open, Fate::kClean);
  CloseUnder("mangle", "PREROUTING -d " + scene_->HostAddress() + fins_, open, Fate::kPeerFinDropped);
  CloseUnder("mangle", "PREROUTING -d " + scene_->PodAddress() + fins_, open, Fate::kClean);
  CloseUnder("filter", "FORWARD -d " + scene_->PodAddress() + fins_, open, Fate::kPeerFinDropped);
  CloseUnder("filter", "INPUT" + fins_, open, Fate::kClean);
  for (const auto& [address, fate] :
       {std::pair(scene_->HostAddress(), Fate::kFinDropped), std::pair(scene_->PodAddress(), Fate::kClean)}) {
    OpenConnection connection = open();
    Load("nft 'table " + scene_->NftFamily() + " late { chain c { type filter hook postrouting priority 200; " +
         scene_->NftFamily() + " saddr " + address + " tcp flags & fin == fin drop; }; }'");
    CloseWithEntry(std::move(connection), fate, "behind nat, from " + address);
    Load("nft delete table " + scene_->NftFamily() + " late");
  }
}

TEST_P(TrackedForwardedCloseTest, WhatComesToAPublishedPortIsForThePodFromPreroutingOn) {
  Start();
  Load(ipt_ + " -t nat -A PREROUTING -p tcp -m addrtype --dst-type LOCAL --dport 8080 -j DNAT --to-destination " +
       scene_->At(scene_->PodAddress(), 80));
  const auto open = [&] { return scene_->PeerTo(scene_->HostAddress(), 8080); };
  CloseUnder("filter", "FORWARD -p tcp --dport 80 --tcp-flags FIN FIN", open, Fate::kPeerFinDropped);
  CloseUnder("filter", "FORWARD -p tcp --dport 8080 --tcp-flags FIN FIN", open, Fate::kClean);
  CloseUnder("mangle", "PREROUTING -p tcp --dport 8080 --tcp-flags FIN FIN", open, Fate::kPeerFinDropped);
  CloseUnder("filter", "FORWARD -p tcp --sport 80 --tcp-flags FIN FIN", open, Fate::kFinDropped);
  CloseUnder("filter", "INPUT" + fins_, open, Fate::kClean);
}

TEST_P(TrackedForwardedCloseTest, AServiceThatLeadsBackToAPodIsFollowed) {
  Start();
  Load(ipt_ + " -t nat -A PREROUTING -d " + scene_->VirtualAddress() + " -p tcp -j DNAT --to-destination " +
       scene_->At(scene_->PodAddress(1), 80) + "; " + ipt_ + " -t nat -A POSTROUTING -d " + scene_->PodAddress(1) +
       " -j MASQUERADE");
  const auto open = [&] { return scene_->PodTo(scene_->VirtualAddress(), 80, scene_->OtherPodListener()); };
  // Behind one bridge with the pod it is not followed, and passes for clean.
  if (GetParam().joint == Joint::kRoutedVeth) {
    CloseUnder("filter", "FORWARD -d " + scene_->PodAddress(1) + fins_, open, Fate::kFinDropped);
  }
  CloseUnder("filter", "FORWARD -d " + scene_->VirtualAddress() + fins_, open, Fate::kClean);
}

TEST_P(TrackedForwardedCloseTest, ToTheHostItselfInputDecides) {
  Start();
  Load(ipt_ + " -A INPUT -m conntrack --ctstate ESTABLISHED -m comment --comment tracks");
  const auto open = [&] { return scene_->PodTo(scene_->HostAddress(), 80, scene_->HostListener()); };
  CloseUnder("filter", "INPUT" + fins_, open, Fate::kFinDropped);
  CloseUnder("filter", "FORWARD" + fins_, open, Fate::kClean);
}

// Two pods behind one bridge: its packets meet rules of IP only where br_netfilter has them called.
class BridgedCloseTest : public ForwardedCloseTest {
 protected:
  OpenConnection PodToPod() { return scene_->PodTo(scene_->PodAddress(1), 80, scene_->OtherPodListener()); }
  void CallRules(bool on) {
    const std::string name = GetParam().family == IpFamily::kIpv4 ? "iptables" : "ip6tables";
    scene_->Host().Sysctl("net.bridge.bridge-nf-call-" + name, on ? "1" : "0");
  }
};

TEST_P(BridgedCloseTest, ABridgePassesByTheRules) {
  Start();
  CallRules(false);
  Load(ipt_ + " -A FORWARD -m conntrack --ctstate INVALID -j DROP");
  EXPECT_EQ(Close(PodToPod(), Fate::kClean).passage, HostPassage::kBridged);
}

TEST_P(BridgedCloseTest, FinsWithAnEntryAreDroppedOnABridgeOnlyWhereItCallsTheRules) {
  Start();
  CallRules(true);
  Load(ipt_ + " -A FORWARD -m conntrack --ctstate ESTABLISHED -m comment --comment tracks; " + ipt_ +
       " -A FORWARD -p tcp --tcp-flags FIN FIN -j DROP");
  CloseWithEntry(PodToPod(), Fate::kFinDropped);
}

TEST_P(BridgedCloseTest, ABridgeThatCallsTheRulesIsStoppedByThem) {
  Start();
  CallRules(true);
  Load(ipt_ + " -A FORWARD -m conntrack --ctstate INVALID -j DROP");
  EXPECT_EQ(Close(PodToPod(), Fate::kFinDropped).passage, HostPassage::kBridged);
}

TEST_P(BridgedCloseTest, ThePortOfABridgeIsKnownToTheRulesThatItCalls) {
  Start();
  CallRules(true);
  Load(ipt_ + " -A FORWARD -m physdev --physdev-in cali0 -m conntrack --ctstate INVALID -j DROP");
  Close(PodToPod(), Fate::kFinDropped);
  Close(scene_->PodToPeer(), Fate::kFinDropped);
  CallRules(false);
  Close(scene_->PodToPeer(), Fate::kClean);
}

TEST_P(BridgedCloseTest, ThePortOfTheOtherEndIsOneToo) {
  Start();
  CallRules(true);
  Load(ipt_ + " -A FORWARD -m physdev --physdev-is-bridged -j ACCEPT && " + ipt_ +
       " -A FORWARD -m conntrack --ctstate INVALID,NEW -j DROP");
  Close(PodToPod(), Fate::kClean);
}

// br_handle_frame(), br_nf_pre_routing()
TEST_P(BridgedCloseTest, WhatABridgePassesOnIsForAnotherHostToTheBridgeAlone) {
  Start();
  CallRules(true);
  Load(
      R"(nft 'table bridge t { chain c { type filter hook forward priority filter; meta pkttype host tcp flags & fin == fin drop; }; }')");
  Close(PodToPod(), Fate::kClean);
  Load("nft 'add rule bridge t c meta pkttype other tcp flags & fin == fin drop'");
  Close(PodToPod(), Fate::kFinDropped);
  Load("nft delete table bridge t && " + ipt_ + " -A FORWARD -m pkttype ! --pkt-type unicast -j DROP");
  Close(PodToPod(), Fate::kClean);
}

// br_nf_post_routing()
TEST_P(BridgedCloseTest, WhatABridgePassesOnHasNoDeviceAnyMoreThatItCameInBy) {
  Start();
  CallRules(true);
  Load(R"(nft 'table inet t { chain c { type filter hook postrouting priority 0; iifname "br0" drop; }; }')");
  Close(PodToPod(), Fate::kClean);
  Load(R"(nft 'add rule inet t c iifname != "br0" oifname "br0" ct state invalid drop')");
  Close(PodToPod(), Fate::kFinDropped);
}

std::string SceneName(const testing::TestParamInfo<SceneOptions>& info) {
  return std::string(info.param.family == IpFamily::kIpv4 ? "ipv4" : "ipv6") +
         (info.param.joint == Joint::kBridge ? "_bridge" : "_routed");
}

INSTANTIATE_TEST_SUITE_P(All, ForwardedCloseTest,
                         testing::Values(SceneOptions{IpFamily::kIpv4, Joint::kBridge},
                                         SceneOptions{IpFamily::kIpv4, Joint::kRoutedVeth},
                                         SceneOptions{IpFamily::kIpv6, Joint::kBridge},
                                         SceneOptions{IpFamily::kIpv6, Joint::kRoutedVeth}),
                         SceneName);
INSTANTIATE_TEST_SUITE_P(All, TrackedForwardedCloseTest,
                         testing::Values(SceneOptions{IpFamily::kIpv4, Joint::kBridge},
                                         SceneOptions{IpFamily::kIpv4, Joint::kRoutedVeth},
                                         SceneOptions{IpFamily::kIpv6, Joint::kRoutedVeth}),
                         SceneName);
INSTANTIATE_TEST_SUITE_P(All, BridgedCloseTest,
                         testing::Values(SceneOptions{IpFamily::kIpv4, Joint::kBridge},
                                         SceneOptions{IpFamily::kIpv6, Joint::kBridge}),
                         SceneName);

}  // namespace
}  // namespace finwait::diagnosis
