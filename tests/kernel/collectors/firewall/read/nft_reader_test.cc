#include "collectors/firewall/read/nft_reader.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include "tests/kernel/collectors/firewall/firewall_lab.h"

namespace finwait::firewall::read {
namespace {

using lab::Namespace;
using testing::IsEmpty;

Value Bytes(std::initializer_list<unsigned> bytes) {
  Value value;
  for (const unsigned byte : bytes) {
    value.push_back(static_cast<std::byte>(byte));
  }
  return value;
}

TEST(NftReaderTest, ANamespaceWithoutRulesHasNoTables) {
  const Namespace where;
  const NftRuleset ruleset = lab::ReadNft(where);
  EXPECT_THAT(ruleset.tables, IsEmpty());
  EXPECT_THAT(ruleset.unread, IsEmpty());
  EXPECT_FALSE(ruleset.torn);
}

TEST(NftReaderTest, TheGenerationChangesWithEveryCommitAndWithNothingElse) {
  const Namespace where;
  lab::LoadNft(where, R"(table ip t { set s { type ipv4_addr; }
    chain c { type filter hook output priority 0; counter
    }
  })");
  const auto generation = [&] { return lab::ReadNft(where).generation; };
  const auto first = generation();
  lab::SendPacket(where);
  EXPECT_EQ(generation(), first) << "traffic";
  where.Shell("nft add element ip t s '{ 192.0.2.1 }'");
  const auto second = generation();
  EXPECT_NE(second, first);
  where.Shell("nft add rule ip t c drop");
  EXPECT_NE(generation(), second);
}

TEST(NftReaderTest, ARulesetThatNeverStopsChangingIsPublishedAsTorn) {
  const Namespace where;
  lab::LoadNft(where, "table ip t { chain c { type filter hook output priority 0; } }");
  // Enough rules in chains of their own that a read takes longer than a commit.
  std::string chains;
  for (int i = 0; i < 400; ++i) {
    const std::string name = "c" + std::to_string(i);
    chains += "add chain ip t " + name + "\nadd rule ip t " + name + " accept\nadd rule ip t c jump " + name + "\n";
  }
  lab::LoadNft(where, chains);
  // nft is the process itself, so that it can be ended; what feeds it then ends by SIGPIPE.
  const pid_t writer =
      where.Spawn({"bash", "-c", "exec nft -i < <(while :; do printf 'add table ip x\\ndelete table ip x\\n'; done)"});
  bool torn = false;
  for (int i = 0; i < 200 && !torn; ++i) {
    const NftRuleset ruleset = lab::ReadNft(where);
    torn = ruleset.torn;
    EXPECT_FALSE(ruleset.tables.empty());
  }
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
  EXPECT_TRUE(torn);
}

TEST(NftReaderTest, OneKeyIsLookedUpInASetOfAnySize) {
  const Namespace where;
  std::string elements;
  for (int i = 0; i < 20'000; ++i) {
    elements +=
        (i == 0 ? "" : ", ") + std::string("10.") + std::to_string(i / 256) + "." + std::to_string(i % 256) + ".0/25";
  }
  lab::LoadNft(where, "table ip t { set big { type ipv4_addr; flags interval; elements = { " + elements + R"( }
      }
      map ports { type inet_service : verdict; elements = { 80 : accept, * : drop }
      }
      chain c { type filter hook output priority 0; ip daddr @big drop
        tcp dport vmap @ports
      }
    })");
  const auto tables = lab::ReadNft(where).tables;
  const Table& table = tables.front();
  const Set& big = *FindSet(table, "big");
  EXPECT_EQ(big.contents, Contents::kTruncated);
  EXPECT_EQ(big.element_count, 20'000U);
  const Set& all = *FindSet(table, "ports");
  where.Run([&] {
    RulePartReader reader(lab::HostHere(), Soon());
    EXPECT_TRUE(lab::Value(reader.FindElement(table, big, Bytes({10, 7, 7, 0}))));
    EXPECT_TRUE(lab::Value(reader.FindElement(table, big, Bytes({10, 7, 7, 100}))));
    EXPECT_TRUE(lab::Value(reader.FindElement(table, big, Bytes({10, 7, 7, 127}))));
    EXPECT_FALSE(lab::Value(reader.FindElement(table, big, Bytes({10, 7, 7, 128}))));
    EXPECT_FALSE(lab::Value(reader.FindElement(table, big, Bytes({192, 0, 2, 1}))));
    const auto hit = lab::Value(reader.FindElement(table, all, Bytes({0, 80})));
    EXPECT_EQ(std::get<Verdict>(hit.value().data).kind, Verdict::Kind::kAccept);
    const auto caught = lab::Value(reader.FindElement(table, all, Bytes({0, 81})));
    EXPECT_TRUE(caught.value().catch_all);
    EXPECT_EQ(std::get<Verdict>(caught->data).kind, Verdict::Kind::kDrop);
  });
}

TEST(NftReaderTest, AChainThatIsNotThereIsUnsupported) {
  const Namespace where;
  lab::LoadNft(where, "table ip t { }");
  const auto tables = lab::ReadNft(where).tables;
  where.Run([&] {
    const auto missing = RulePartReader(lab::HostHere(), Soon()).ReadChain(tables.front(), "missing");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().reason, FailureReason::kUnsupported);
  });
}

}  // namespace
}  // namespace finwait::firewall::read
