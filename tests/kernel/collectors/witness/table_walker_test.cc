// The walk of the conntrack table in the kernel, against dumps of the same table.

#include "collectors/witness/table_walker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "collectors/sources/conntrack_table.h"
#include "exporter/privilege/capabilities.h"
#include "tests/bench/load/conntrack_fill.h"
#include "tests/lab/bpf_programs.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"
#include "tests/lab/kernel_version.h"
#include "tests/soon.h"

namespace finwait::witness {
namespace {

using Kind = WalkResult::Kind;
using sources::ConntrackTableSample;
using testing::HasSubstr;

constexpr std::size_t kEntries = 20'000;
constexpr LiveTimeouts kTimeouts = {432'000, 60, 120, 30};

void SendDatagram(std::uint16_t port) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::sendto(socket.Get(), "x", 1, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

ConntrackTableSample DumpHere() {
  sources::ConntrackTableCollector collector(lab::HostHere());
  const auto collected = collector.Collect(Soon());
  EXPECT_TRUE(collected) << collected.error().message;
  return collected ? dynamic_cast<const ConntrackTableSample&>(*collected->data) : ConntrackTableSample();
}

class TableWalkerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!lab::MayLoadBpf()) {
      GTEST_SKIP() << "this process may not load BPF programs";
    }
    host_.Shell(
        "ip link set lo up; nft 'table inet t { chain o { type filter hook output priority -400; udp dport 55 ct zone "
        "set 7; }; chain p { type filter hook prerouting priority -400; udp dport 55 ct zone set 7; }; chain c { type "
        "filter hook output priority 0; ct state invalid drop; }; }'");
    host_.Run([&] {
      auto loaded = TableWalker::Load(lab::HostHere().network_namespace.inode, "/proc");
      if (!loaded) {
        why_not_ = loaded.error();
        return;
      }
      walker_ = std::move(*loaded);
      bench::FillConntrack(kEntries);
    });
    if (why_not_) {
      // It runs on every kernel from 5.19 on; where it is not accepted, that is to be seen.
      ASSERT_THAT(why_not_->message,
                  testing::AnyOf(HasSubstr("without the walk"), HasSubstr("/sys/kernel/btf"),
                                 HasSubstr(lab::KernelIsAtLeast(5, 19) ? "?" : "it takes Linux 5.19")));
      GTEST_SKIP() << why_not_->message;
    }
  }

  // Within the namespace. Packets with an entry tell where the table is; tests of other namespaces send some, too.
  WalkResult WalkHere(const std::function<void(std::uint32_t)>& between_runs = {}) {
    EXPECT_TRUE(lab::Eventually([&] {
      SendDatagram(9);
      walker_->LookAgain();
      return !walker_->IsLooking();
    }));
    return walker_->Walk(kTimeouts, Soon(), between_runs);
  }

  // For a thread that may not do something itself, or not where it is: has the test's own thread do it, and waits.
  void Ask() {
    const int done = done_;
    ++asked_;
    asked_.notify_one();
    done_.wait(done);
  }
  void EndOfQuestions() {
    asked_ = -1;
    asked_.notify_one();
  }
  void DoWhatIsAsked(const std::function<void()>& action) {
    for (int seen = 0;;) {
      asked_.wait(seen);
      seen = asked_;
      if (seen < 0) {
        return;
      }
      action();
      ++done_;
      done_.notify_one();
    }
  }

  const lab::Namespace host_;
  std::unique_ptr<TableWalker> walker_;
  std::optional<Error> why_not_;

 private:
  std::atomic<int> asked_ = 0;
  std::atomic<int> done_ = 0;
};

void ExpectSame(const finwait_table& walked, const ConntrackTableSample& dumped) {
  for (std::size_t version = 0; version < 2; ++version) {
    for (std::size_t state = 0; state < FINWAIT_TCP_STATES; ++state) {
      EXPECT_EQ(walked.tcp[version][state], dumped.flows[version].tcp[state]) << version << " " << state;
    }
    EXPECT_EQ(walked.udp[version], dumped.flows[version].udp);
    EXPECT_EQ(walked.icmp[version], dumped.flows[version].icmp);
    EXPECT_EQ(walked.other[version], dumped.flows[version].other);
  }
  EXPECT_EQ(walked.evictable, dumped.evictable);
  for (std::size_t i = 0; i < FINWAIT_LIVE_STATES; ++i) {
    for (std::size_t bin = 0; bin < FINWAIT_AGES; ++bin) {
      EXPECT_EQ(walked.remaining[i].counts[bin], dumped.remaining[i].counts[bin]) << i << " " << bin;
    }
  }
}

bool SameNumbers(const ConntrackTableSample& one, const ConntrackTableSample& other) {
  bool same = one.evictable == other.evictable;
  for (std::size_t version = 0; version < 2; ++version) {
    same = same && one.flows[version].tcp == other.flows[version].tcp &&
           one.flows[version].udp == other.flows[version].udp && one.flows[version].icmp == other.flows[version].icmp;
  }
  for (std::size_t i = 0; i < FINWAIT_LIVE_STATES; ++i) {
    same = same && one.remaining[i].counts == other.remaining[i].counts;
  }
  return same;
}

TEST_F(TableWalkerTest, OfATableThatHoldsStillItTellsWhatADumpTells) {
  host_.Run([&] {
    SendDatagram(55);  // in a zone of its own
    WalkHere();
    // Time passes: what stands at the edge of an age moves. So between two dumps that say the same.
    ConntrackTableSample before;
    ConntrackTableSample after;
    WalkResult walked;
    ASSERT_TRUE(lab::Eventually([&] {
      before = DumpHere();
      walked = walker_->Walk(kTimeouts, Soon());
      after = DumpHere();
      return SameNumbers(before, after);
    }));
    ASSERT_EQ(walked.kind, Kind::kTold) << walked.why;
    ExpectSame(walked.table, before);
    for (std::size_t i = 0; i < FINWAIT_LIVE_STATES; ++i) {
      const auto sum = static_cast<double>(walked.table.remaining[i].sum);
      EXPECT_LE(sum, before.remaining[i].sum) << "seconds, in ticks of this kernel";
      EXPECT_GE(sum, after.remaining[i].sum);
    }
    EXPECT_GE(walked.table.tcp[1][3], kEntries / 20) << "IPv6";
    EXPECT_GE(walked.table.seen, kEntries);
    ASSERT_EQ(walked.table.zone_count, 1U);
    EXPECT_EQ(walked.table.zones[0], 7U);
    EXPECT_GT(walked.cpu.count(), 0);
  });
}

TEST_F(TableWalkerTest, IdleAgesAreTheTimeoutMinusWhatRemains) {
  host_.Run([&] {
    WalkHere();
    const WalkResult walked = walker_->Walk({500'000, 0, 0, 0}, Soon());
    ASSERT_EQ(walked.kind, Kind::kTold) << walked.why;
    std::uint64_t established = 0;
    for (const std::uint64_t count : walked.table.idle[0].counts) {
      established += count;
    }
    ASSERT_EQ(established, walked.table.tcp[0][3] + walked.table.tcp[1][3]);
    EXPECT_EQ(walked.table.idle[0].sum, 500'000 * established - walked.table.remaining[0].sum);
    EXPECT_EQ(walked.table.idle[1].sum, 0U) << "never below 0";
    EXPECT_EQ(walked.table.idle[1].counts[0], walked.table.tcp[0][5] + walked.table.tcp[1][5]);
  });
}

TEST_F(TableWalkerTest, EntriesOfOtherNamespacesAreNotCounted) {
  const lab::Namespace other;
  other.Run([] { bench::FillConntrack(3000); });
  host_.Run([&] {
    const WalkResult walked = WalkHere();
    ASSERT_EQ(walked.kind, Kind::kTold) << walked.why;
    EXPECT_LE(walked.table.seen, kEntries + 100);
    EXPECT_GE(walked.table.foreign, 3000U);
  });
}

// Datagrams make entries that are removed all the while; connections hold still, and none is missed or counted twice.
TEST_F(TableWalkerTest, WhatHoldsStillIsCountedExactlyWhileOtherEntriesComeAndGo) {
  std::atomic<int> rounds = 0;
  std::jthread churn([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      host_.Run([] {
        for (std::uint16_t port = 10'000; port < 10'300; ++port) {
          SendDatagram(port);
        }
      });
      host_.Command({"conntrack", "-D", "-p", "udp", "-d", "127.0.0.1"});
      ++rounds;
    }
  });
  int told = 0;
  host_.Run([&] {
    const ConntrackTableSample dumped = DumpHere();
    for (int i = 0; i < 500 && (told < 20 || rounds < 10); ++i) {
      const WalkResult walked = WalkHere();
      if (walked.kind != Kind::kTold) {
        EXPECT_EQ(walked.kind, Kind::kTorn) << walked.why;
        continue;
      }
      ++told;
      for (std::size_t version = 0; version < 2; ++version) {
        for (std::size_t state = 0; state < FINWAIT_TCP_STATES; ++state) {
          EXPECT_EQ(walked.table.tcp[version][state], dumped.flows[version].tcp[state]) << version << " " << state;
        }
      }
      EXPECT_GE(walked.table.udp[0], dumped.flows[0].udp > 300 ? dumped.flows[0].udp - 300 : 0);
      EXPECT_LE(walked.table.udp[0], dumped.flows[0].udp + 400);
    }
  });
  EXPECT_GE(told, 20);
  EXPECT_GE(rounds, 10);
}

TEST_F(TableWalkerTest, AFlushMeanwhileIsFoundOut) {
  host_.Run([&] {
    bool flushed = false;
    const WalkResult walked = WalkHere([&](std::uint32_t next) {
      if (next > 1000 && !flushed) {
        flushed = true;
        host_.Command({"conntrack", "-F"});
      }
    });
    EXPECT_TRUE(flushed);
    EXPECT_EQ(walked.kind, Kind::kTorn);
    EXPECT_THAT(walked.why, HasSubstr("flushed"));
    const WalkResult small = WalkHere();
    EXPECT_EQ(small.kind, Kind::kNotYet);
    EXPECT_THAT(small.why, HasSubstr("small"));
    bench::FillConntrack(kEntries);
    EXPECT_EQ(WalkHere().kind, Kind::kTold) << "again";
  });
}

// The number of buckets is the whole machine's; this test runs alone (tests/CMakeLists.txt) and puts it back.
class TableWalkerAloneTest : public TableWalkerTest {
 protected:
  static constexpr const char* kBuckets = "/proc/sys/net/netfilter/nf_conntrack_buckets";
  static std::uint64_t Buckets() {
    std::uint64_t buckets = 0;
    std::ifstream(kBuckets) >> buckets;
    return buckets;
  }
  // By a thread that is in the machine's own namespace, as this one is.
  static bool SetBuckets(std::uint64_t buckets) {
    std::ofstream file(kBuckets);
    file << buckets << std::flush;
    return file.good() && Buckets() == buckets;
  }
  void TearDown() override {
    if (before_ != 0) {
      EXPECT_TRUE(SetBuckets(before_));
    }
  }
  std::uint64_t before_ = 0;
};

TEST_F(TableWalkerAloneTest, AResizeMeanwhileIsFoundOutAndTheTableFoundAgain) {
  const std::uint64_t before = Buckets();
  if (!SetBuckets(before)) {
    GTEST_SKIP() << "this process may not set nf_conntrack_buckets";
  }
  before_ = before;
  std::jthread walking([&] {
    host_.Run([&] {
      EXPECT_EQ(WalkHere().kind, Kind::kTold);
      bool resized = false;
      const WalkResult torn = WalkHere([&](std::uint32_t next) {
        if (next > 1000 && !resized) {
          resized = true;
          Ask();
        }
      });
      EXPECT_TRUE(resized);
      EXPECT_EQ(torn.kind, Kind::kTorn) << torn.why;
      EXPECT_EQ(WalkHere().kind, Kind::kTold) << "at its new place";
      Ask();
      EXPECT_EQ(walker_->Walk(kTimeouts, Soon()).kind, Kind::kTorn) << "between two walks";
      EXPECT_EQ(WalkHere().kind, Kind::kTold);
      // Twice, between two walks: it has the size that it had, and perhaps the place.
      Ask();
      Ask();
      const WalkResult walked = walker_->Walk(kTimeouts, Soon());
      EXPECT_TRUE(walked.kind == Kind::kTorn || (walked.kind == Kind::kTold && walked.table.seen >= kEntries))
          << walked.why << walked.table.seen;
      EXPECT_EQ(WalkHere().kind, Kind::kTold);
    });
    EndOfQuestions();
  });
  DoWhatIsAsked([&] { EXPECT_TRUE(SetBuckets(Buckets() == before ? before / 2 : before)); });
}

TEST_F(TableWalkerTest, WhoeverAsksMustBeInItsNamespace) {
  host_.Run([&] { WalkHere(); });
  const lab::Namespace other;
  other.Run([&] {
    const WalkResult walked = walker_->Walk(kTimeouts, Soon());
    EXPECT_EQ(walked.kind, Kind::kFailed);
    EXPECT_THAT(walked.why, HasSubstr("namespace"));
  });
}

TEST_F(TableWalkerTest, OnceLoadedItTakesNoCapability) {
  std::jthread walking([&] {
    host_.Run([&] {
      EXPECT_TRUE(privilege::GiveUpCapabilities({}));  // of this thread
      EXPECT_EQ(WalkHere().kind, Kind::kTold);
      bool flushed = false;
      const WalkResult torn = WalkHere([&](std::uint32_t next) {
        if (next > 1000 && !flushed) {
          flushed = true;
          Ask();
        }
      });
      EXPECT_EQ(torn.kind, Kind::kTorn) << torn.why;
      EXPECT_TRUE(walker_->IsLooking());
      WalkHere();
      EXPECT_FALSE(walker_->IsLooking()) << "the place of the table was found again";
    });
    EndOfQuestions();
  });
  DoWhatIsAsked([&] { host_.Command({"conntrack", "-F"}); });
}

TEST(TableWalkerLoadTest, WithoutTheCapabilitiesItSaysWhich) {
  const lab::Namespace host;
  host.Run([&] {
    if (!privilege::GiveUpCapabilities({.net_admin = true})) {
      GTEST_SKIP() << "capabilities cannot be given up here";
    }
    const auto loaded = TableWalker::Load(lab::HostHere().network_namespace.inode, "/proc");
    ASSERT_FALSE(loaded);
    if (loaded.error().reason != FailureReason::kUnsupported) {
      EXPECT_EQ(loaded.error().reason, FailureReason::kPermission) << loaded.error().message;
      EXPECT_THAT(loaded.error().message, HasSubstr("CAP_BPF and CAP_PERFMON"));
    }
  });
}

}  // namespace
}  // namespace finwait::witness
