#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

#include "tests/environment_number.h"
#include "tests/kernel/exporter/diagnosis/random_forwarding.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Disposition;
using firewall::eval::PacketKind;
using firewall::eval::TraversalResult;

struct Tried {
  std::string name;
  Act act = Act::kClose;
  OpenConnection connection;
  ForwardedOutcome outcome;
  std::map<PacketKind, TraversalResult> predicted;
};

struct Tally {
  std::size_t pairs = 0;
  std::size_t packets = 0;
  std::size_t fates = 0;
  std::size_t unknown = 0;
  std::map<std::string, std::size_t> unknown_because;
  std::size_t refused = 0;

  void AddUnknown(const std::string& connection, const std::string& because) {
    ++unknown;
    ++unknown_because[connection + ": " + because];
  }
};

bool IsFateWrong(Fate fate, const Tried& tried, const Passed& passed) {
  const bool left = passed.at(PacketKind::kFin);
  const bool closed = left && passed.at(PacketKind::kAck);
  switch (fate) {
    case Fate::kClean:
    case Fate::kPeerFinDropped:
      return !closed;
    case Fate::kFinDropped:
      return left;
    case Fate::kNatLost:
      return left || !tried.connection.translated;
    case Fate::kAckDropped:
      return !left || closed;
    case Fate::kPeerDecides:
      return !left;
    case Fate::kUnknown:
      return false;
  }
  return false;
}

// Random rules, random connections through them, closed for real.
class ForwardedDifferentialTest : public testing::Test {
 protected:
  static std::vector<Tried> OpenAll(const ForwardingScene& scene, const RandomForwarding& random) {
    std::vector<Tried> all;
    const auto add = [&](const std::string& name, const auto& open, std::initializer_list<Act> acts) {
      for (const Act act : acts) {
        all.push_back({name, act, open(), {}, {}});
      }
    };
    const std::initializer_list<Act> every = {Act::kClose, Act::kReset, Act::kSend, Act::kPeerClose};
    add(
        "pod to peer", [&] { return scene.PodToPeer(); }, every);
    add(
        "peer to pod", [&] { return scene.PeerToPod(); }, every);
    add("pod to host", [&] { return scene.PodTo(scene.HostAddress(), 80, scene.HostListener()); }, {Act::kClose});
    add("pod to pod", [&] { return scene.PodTo(scene.PodAddress(1), 80, scene.OtherPodListener()); }, {Act::kClose});
    if (random.virtual_address) {
      add("service", [&] { return scene.PodTo(scene.VirtualAddress(), 80, scene.PeerListener()); }, {Act::kClose});
    }
    if (random.virtual_pod) {
      add("service of a pod", [&] { return scene.PodTo(scene.VirtualAddress(), 81, scene.OtherPodListener()); },
          {Act::kClose});
    }
    if (random.published) {
      add("published", [&] { return scene.PeerTo(scene.HostAddress(), 8080); }, {Act::kClose});
    }
    return all;
  }

  // `never_seen`: the entries were gone before anybody looked.
  static void Predict(const ForwardingScene& scene, bool never_seen, std::vector<Tried>& all) {
    std::vector<ForwardedConnection> described;
    for (const Tried& tried : all) {
      described.push_back(scene.Describe(tried.connection));
    }
    scene.Evaluate([&](CloseEvaluator& evaluator) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        Tried& tried = all[i];
        const ConnectionHistory* seen = never_seen ? nullptr : tried.connection.Seen();
        tried.outcome = EvaluateForwardedClose(evaluator, described[i], seen);
        const PacketKind kind = tried.act == Act::kReset       ? PacketKind::kRst
                                : tried.act == Act::kSend      ? PacketKind::kData
                                : tried.act == Act::kPeerClose ? PacketKind::kPeerFin
                                                               : PacketKind::kFin;
        tried.predicted[kind] = EvaluateForwardedPacket(evaluator, described[i], seen, kind);
        if (tried.act == Act::kClose) {
          tried.predicted[PacketKind::kAck] = EvaluateForwardedPacket(evaluator, described[i], seen, PacketKind::kAck);
        }
      }
    });
  }

  // What happened against what was predicted; "" where they agree.
  static std::string Compare(const Tried& tried, const Passed& passed, Tally& tally) {
    std::string wrong;
    for (const auto& [kind, seen] : passed) {
      const TraversalResult& result = tried.predicted.at(kind);
      ++tally.packets;
      if (result.disposition == Disposition::kUnknown) {
        tally.AddUnknown(tried.name, result.reason);
        continue;
      }
      // A packet that leaves under its own address, not translated, passes every rule and arrives nowhere.
      const bool may_stray = tried.connection.translated;
      const bool accepted = result.disposition == Disposition::kAccept;
      if (accepted != seen && !(accepted && may_stray)) {
        wrong += tried.name + ": packet " + std::to_string(static_cast<int>(kind)) + " predicted " +
                 std::string(Name(result.disposition)) + " (" + result.reason + "), " + (seen ? "passed" : "stopped") +
                 "\n";
      }
    }
    if (tried.act == Act::kClose) {
      ++tally.fates;
      if (tried.outcome.fate == Fate::kUnknown) {
        tally.AddUnknown(tried.name, tried.outcome.reason);
      }
      if (IsFateWrong(tried.outcome.fate, tried, passed)) {
        wrong += tried.name + ": predicted " + std::string(Name(tried.outcome.fate)) + ", FIN " +
                 (passed.at(PacketKind::kFin) ? "arrived" : "did not arrive") + "\n";
      }
    }
    return wrong;
  }
};

TEST_F(ForwardedDifferentialTest, RandomRulesDoToForwardedClosesWhatWasPredicted) {
  const std::uint64_t seed = EnvironmentNumber("FINWAIT_SEED", 20261128);
  const std::uint64_t pairs = EnvironmentNumber("FINWAIT_FORWARDED_PAIRS", 60);
  std::cout << "seed " << seed << " (FINWAIT_SEED repeats it)\n";
  Tally tally;
  for (std::uint64_t number = seed; tally.pairs < pairs; ++number) {
    const RandomForwarding random = MakeRandomForwarding(number);
    const ForwardingScene scene(random.scene);
    scene.Host().Sysctl("net.netfilter.nf_conntrack_tcp_loose", random.tcp_loose ? "1" : "0");
    const auto load = [&](const std::vector<std::string>& commands) {
      for (const std::string& command : commands) {
        if (scene.Host().Command({"sh", "-c", command}).exit_code != 0) {
          ++tally.refused;
          std::cout << "refused: " << command << "\n";
        }
      }
    };
    load(random.nat);
    std::vector<Tried> all = OpenAll(scene, random);
    load(random.rest);
    scene.FlushEntries();
    // Rules that would have left them untracked, and so untranslated, came after they were opened.
    Predict(scene, number % 2 == 0 && !random.untracks, all);
    std::string wrong;
    for (Tried& tried : all) {
      scene.FlushEntries();  // what was tried before may have made one anew
      wrong += Compare(tried, ForwardingScene::Do(tried.act, tried.connection), tally);
      ++tally.pairs;
    }
    EXPECT_EQ(wrong, "") << "rules " << number << "\n" << random.Text();
  }
  std::cout << tally.pairs << " pairs, " << tally.packets << " packets, " << tally.fates << " fates, " << tally.unknown
            << " unknown, " << tally.refused << " commands refused\n";
  for (const auto& [because, times] : tally.unknown_because) {
    std::cout << "  unknown " << times << " times: " << because << "\n";
  }
  EXPECT_LT(tally.refused * 20, tally.pairs);
}

}  // namespace
}  // namespace finwait::diagnosis
