#include "collectors/sources/firewall.h"

#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/collectors/firewall/firewall_lab.h"
#include "tests/soon.h"

namespace finwait::sources {
namespace {

using firewall::Backend;
using firewall::Counter;
using firewall::Hook;
using firewall::TableFamily;
using firewall::analysis::InvalidDropRule;
using firewall::lab::LoadNft;
using firewall::lab::SendPacket;
using lab::Namespace;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A collector that lives from look to look inside one namespace.
class RuleWatch {
 public:
  explicit RuleWatch(const Namespace& where) : where_(where) {
    where_.Run([&] { collector_ = std::make_unique<FirewallCollector>(lab::HostHere()); });
  }
  FirewallSample Collect() {
    Result<Collected> collected;
    where_.Run([&] { collected = collector_->Collect(Soon()); });
    if (!collected) {
      throw std::runtime_error(collected.error().message);
    }
    gaps = collected->gaps;
    return dynamic_cast<const FirewallSample&>(*collected->data);
  }
  std::vector<Error> gaps;

 private:
  const Namespace& where_;
  std::unique_ptr<FirewallCollector> collector_;
};

std::uint64_t RulesOf(const FirewallSample& sample, Backend backend, IpFamily family) {
  return sample.rules[static_cast<std::size_t>(backend)][family];
}

TEST(FirewallCollectorTest, ANamespaceWithoutRulesShowsNoDropAndNoGap) {
  const Namespace where;
  RuleWatch watch(where);
  const FirewallSample sample = watch.Collect();
  EXPECT_THAT(sample.invalid_drops, IsEmpty());
  EXPECT_THAT(sample.policy_drops, IsEmpty());
  EXPECT_THAT(watch.gaps, IsEmpty());
  EXPECT_THAT(sample.ruleset->unread, IsEmpty());
  EXPECT_EQ(RulesOf(sample, Backend::kNft, IpFamily::kIpv4), 0U);
}

TEST(FirewallCollectorTest, InvalidDropsOfAllBackendsAreFoundWithTheirText) {
  const Namespace where;
  where.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  where.Shell("ip6tables-legacy -A INPUT -m state --state INVALID -j REJECT");
  LoadNft(where, "table inet t { chain c { type filter hook forward priority 0; ct state invalid counter drop\n}\n}");
  RuleWatch watch(where);
  const FirewallSample sample = watch.Collect();
  std::vector<std::string> texts;
  for (const InvalidDropRule& rule : sample.invalid_drops) {
    texts.push_back(std::string(Name(rule.location.backend)) + " " + std::string(Name(rule.location.family)) + " " +
                    std::string(Name(rule.hooks.at(0))) + ": " + rule.text);
    EXPECT_FALSE(rule.narrow);
    EXPECT_EQ(rule.drops, (Counter{0, 0}));
  }
  EXPECT_THAT(texts,
              testing::UnorderedElementsAre(
                  "nft ip output: -A OUTPUT -m conntrack --ctstate INVALID -j DROP",
                  "legacy ip6 input: -A INPUT -m state --state INVALID -j REJECT --reject-with icmp6-port-unreachable",
                  "nft inet forward: ct state invalid counter drop"));
  EXPECT_EQ(RulesOf(sample, Backend::kNft, IpFamily::kIpv4), 2U);
  EXPECT_EQ(RulesOf(sample, Backend::kNft, IpFamily::kIpv6), 1U);
  EXPECT_EQ(RulesOf(sample, Backend::kLegacy, IpFamily::kIpv4), 0U);
  EXPECT_EQ(RulesOf(sample, Backend::kLegacy, IpFamily::kIpv6), 1U);
}

// Conntrack has not seen a packet yet when it passes raw: there every packet is INVALID. One packet, one drop.
constexpr const char* kRawDrop = "OUTPUT -m conntrack --ctstate INVALID -j DROP";

TEST(FirewallCollectorTest, CountersStayCurrentWhileTheRulesetObjectStaysTheSame) {
  const Namespace where;
  where.Shell(std::string("iptables -t raw -A ") + kRawDrop);
  LoadNft(where, R"(table ip t {
    chain input { type filter hook input priority 0; policy drop; }
  })");
  where.Shell("iptables -P INPUT DROP");
  RuleWatch watch(where);
  const FirewallSample first = watch.Collect();
  ASSERT_THAT(first.invalid_drops, SizeIs(1));
  for (std::uint64_t packets = 1; packets <= 3; ++packets) {
    SendPacket(where);
    const FirewallSample sample = watch.Collect();
    EXPECT_EQ(sample.ruleset, first.ruleset) << "the same object";
    ASSERT_THAT(sample.invalid_drops, SizeIs(1));
    EXPECT_EQ(sample.invalid_drops[0].drops->packets, packets);
    EXPECT_EQ(sample.invalid_drops[0].identity, first.invalid_drops[0].identity);
    EXPECT_EQ(sample.last_change, first.last_change);
    EXPECT_THAT(where.Shell("iptables-save -c -t raw"), HasSubstr("[" + std::to_string(packets) + ":"));
  }
}

TEST(FirewallCollectorTest, LegacyCountersStayCurrentToo) {
  const Namespace where;
  where.Shell(std::string("iptables-legacy -t raw -A ") + kRawDrop);
  RuleWatch watch(where);
  const FirewallSample first = watch.Collect();
  SendPacket(where);
  SendPacket(where);
  const FirewallSample second = watch.Collect();
  EXPECT_EQ(second.ruleset, first.ruleset);
  ASSERT_THAT(second.invalid_drops, SizeIs(1));
  EXPECT_EQ(second.invalid_drops[0].drops->packets, 2U);
  EXPECT_EQ(second.last_change, first.last_change);
}

TEST(FirewallCollectorTest, CountersThatStandOutsideTheRuleStayCurrent) {
  const Namespace where;
  LoadNft(where, R"(table ip t {
    counter dropped { }
    map verdicts { type ct_state : verdict; counter; elements = { invalid : drop }
    }
    chain by_name { type filter hook output priority -310; ct state invalid ip daddr 127.0.0.1 counter name "dropped" drop
    }
    chain by_element { type filter hook output priority -305; ct state vmap @verdicts
    }
  })");
  RuleWatch watch(where);
  const FirewallSample first = watch.Collect();
  ASSERT_THAT(first.invalid_drops, SizeIs(2));
  SendPacket(where, "127.0.0.1");
  SendPacket(where, "127.0.0.2");
  SendPacket(where, "127.0.0.2");
  const FirewallSample second = watch.Collect();
  EXPECT_EQ(second.ruleset, first.ruleset);
  for (const InvalidDropRule& rule : second.invalid_drops) {
    ASSERT_TRUE(rule.drops) << rule.text;
    EXPECT_EQ(rule.drops->packets, rule.location.chain == "by_name" ? 1U : 2U);
    EXPECT_EQ(rule.narrow, rule.location.chain == "by_name") << rule.text;
  }
}

TEST(FirewallCollectorTest, PolicyCountersStayCurrent) {
  const Namespace where;
  where.Shell("iptables -P INPUT DROP");
  where.Shell("ip6tables-legacy -P INPUT DROP");
  LoadNft(where, "table inet t { chain c { type filter hook forward priority 0; policy drop; }\n}");
  RuleWatch watch(where);
  const FirewallSample first = watch.Collect();
  ASSERT_THAT(first.policy_drops, SizeIs(3));
  SendPacket(where);
  SendPacket(where, "::1");
  const FirewallSample second = watch.Collect();
  EXPECT_EQ(second.ruleset, first.ruleset);
  for (const auto& policy : second.policy_drops) {
    if (policy.hook == Hook::kForward) {
      EXPECT_EQ(policy.drops, std::nullopt) << "native nft policies do not count";
    } else {
      EXPECT_EQ(policy.drops->packets, 1U) << Name(policy.location.backend);
    }
  }
}

TEST(FirewallCollectorTest, AChangeInOneBackendLeavesTheCountersOfTheOtherCurrent) {
  const Namespace where;
  where.Shell(std::string("iptables -t raw -A ") + kRawDrop);
  where.Shell("iptables-legacy -A FORWARD -j ACCEPT");
  RuleWatch watch(where);
  watch.Collect();
  SendPacket(where);
  where.Shell("iptables-legacy -A FORWARD -j ACCEPT");
  const FirewallSample after_legacy = watch.Collect();
  EXPECT_EQ(after_legacy.invalid_drops.at(0).drops->packets, 1U);
  SendPacket(where);
  where.Shell("iptables -A FORWARD -j ACCEPT");
  EXPECT_EQ(watch.Collect().invalid_drops.at(0).drops->packets, 2U);
}

TEST(FirewallCollectorTest, ChangesAreSeenInTheNextSampleAndDated) {
  const Namespace where;
  const auto start = std::chrono::system_clock::now();
  RuleWatch watch(where);
  auto last = watch.Collect();
  EXPECT_GE(last.last_change, start) << "of changes before the first look nothing is known";
  const auto expect_change = [&](const std::string& command) {
    where.Shell(command);
    const auto sample = watch.Collect();
    EXPECT_GT(sample.last_change, last.last_change) << command;
    EXPECT_NE(sample.ruleset, last.ruleset) << command;
    EXPECT_EQ(watch.Collect().last_change, sample.last_change) << command;
    last = sample;
  };
  expect_change("iptables -A OUTPUT -j ACCEPT");
  expect_change("iptables-legacy -A OUTPUT -j ACCEPT");
  expect_change("iptables-legacy -R OUTPUT 1 -j DROP");
  expect_change("nft add table ip new");
  expect_change("ip6tables-legacy -t nat -L");  // a table more, though an empty one
}

// Gives up, on this thread alone, everything but what is named.
void BecomeNobody(bool keep_net_admin, bool keep_group_root) {
  constexpr int kNobody = 65534;
  const gid_t root = 0;
  ::syscall(SYS_setgroups, keep_group_root ? 1 : 0, &root);
  ::prctl(PR_SET_KEEPCAPS, keep_net_admin ? 1 : 0);
  ::syscall(SYS_setresgid, kNobody, kNobody, kNobody);
  ::syscall(SYS_setresuid, kNobody, kNobody, kNobody);
  if (keep_net_admin) {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    data[0].effective = data[0].permitted = 1U << CAP_NET_ADMIN;
    ASSERT_EQ(::syscall(SYS_capset, &header, data), 0);
  }
}

TEST(FirewallCollectorTest, WithoutAnyCapabilityTheErrorSaysWhichIsMissing) {
  const Namespace where;
  where.Shell("iptables-legacy -A OUTPUT -j ACCEPT");
  where.Run([] {
    BecomeNobody(false, false);
    FirewallCollector collector(lab::HostHere());
    const auto collected = collector.Collect(Soon());
    ASSERT_FALSE(collected);
    EXPECT_EQ(collected.error().reason, FailureReason::kPermission);
    EXPECT_EQ(
        collected.error().message,
        "read nftables' generation: Operation not permitted; reading nftables needs CAP_NET_ADMIN: run as root, or "
        "give the service AmbientCapabilities=CAP_NET_ADMIN");
  });
}

TEST(FirewallCollectorTest, WithoutGroupRootLegacyIsAGapThatNamesTheRemedy) {
  const Namespace where;
  where.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  where.Run([] {
    BecomeNobody(true, false);
    FirewallCollector collector(lab::HostHere());
    const auto collected = collector.Collect(Soon());
    ASSERT_TRUE(collected) << collected.error().message;
    const auto& sample = dynamic_cast<const FirewallSample&>(*collected->data);
    EXPECT_THAT(sample.invalid_drops, SizeIs(1)) << "nftables is read";
    EXPECT_FALSE(firewall::IsUnavailable(*sample.ruleset, Backend::kNft, IpFamily::kIpv4));
    EXPECT_TRUE(firewall::IsUnavailable(*sample.ruleset, Backend::kLegacy, IpFamily::kIpv4));
    EXPECT_TRUE(firewall::IsUnavailable(*sample.ruleset, Backend::kLegacy, IpFamily::kIpv6));
    ASSERT_THAT(collected->gaps, SizeIs(2));
    for (const Error& gap : collected->gaps) {
      EXPECT_EQ(gap.reason, FailureReason::kPermission);
      EXPECT_THAT(gap.message, HasSubstr("rules stay unseen: run as uid 0 or give the supplementary group 0"));
    }
  });
}

TEST(FirewallCollectorTest, CapNetAdminAndGroupRootAreEnoughForBothBackends) {
  const Namespace where;
  where.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  where.Shell("iptables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  where.Run([] {
    BecomeNobody(true, true);
    FirewallCollector collector(lab::HostHere());
    const auto collected = collector.Collect(Soon());
    ASSERT_TRUE(collected) << collected.error().message;
    EXPECT_THAT(collected->gaps, IsEmpty());
    EXPECT_THAT(dynamic_cast<const FirewallSample&>(*collected->data).invalid_drops, SizeIs(2));
  });
}

TEST(FirewallCollectorTest, HundredsOfCollectionsChangeNothing) {
  const Namespace where;
  where.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP && iptables-legacy -A INPUT -j ACCEPT");
  const std::string state =
      "nft list ruleset; iptables-legacy-save -c | grep -v '^#'; ip6tables-legacy -V; "
      "cat /proc/thread-self/net/ip_tables_names /proc/thread-self/net/ip6_tables_names";
  const std::string before = where.Shell(state);
  RuleWatch watch(where);
  for (int i = 0; i < 300; ++i) {
    watch.Collect();
  }
  EXPECT_EQ(where.Shell(state), before);
}

// The real kernel, and how many bytes it answered.
class CountingTransport : public kernel::netlink::Transport {
 public:
  CountingTransport(std::unique_ptr<kernel::netlink::Transport> kernel, std::size_t& received)
      : kernel_(std::move(kernel)), received_(received) {}
  Result<void> Send(kernel::netlink::Bytes datagram, Deadline deadline) override {
    return kernel_->Send(datagram, deadline);
  }
  Result<kernel::netlink::Datagram> Receive(Deadline deadline) override {
    auto datagram = kernel_->Receive(deadline);
    received_ += datagram ? datagram->bytes.size() : 0;
    return datagram;
  }
  std::uint32_t Port() const override { return kernel_->Port(); }

 private:
  std::unique_ptr<kernel::netlink::Transport> kernel_;
  std::size_t& received_;
};

kernel::Host CountingHost(std::size_t& received) {
  kernel::Host host = lab::HostHere();
  host.open_channel = [&received](int protocol) -> Result<kernel::netlink::Channel> {
    auto kernel = kernel::netlink::SocketTransport::Open(protocol);
    if (!kernel) {
      return Failure(kernel.error());
    }
    return kernel::netlink::Channel(std::make_unique<CountingTransport>(std::move(*kernel), received));
  };
  return host;
}

TEST(FirewallCollectorTest, FiftyThousandNatRulesCostAnUnchangedCollectionNothing) {
  const Namespace where;
  std::string rules =
      "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n";
  for (int i = 0; i < 5'000; ++i) {
    rules += ":KUBE-SVC-" + std::to_string(i) + " - [0:0]\n";
  }
  for (int i = 0; i < 5'000; ++i) {
    const std::string service = "KUBE-SVC-" + std::to_string(i);
    rules += "-A OUTPUT -d 198.51." + std::to_string(i / 250) + "." + std::to_string(i % 250) +
             "/32 -p tcp -m comment --comment \"default/service\" -m tcp --dport 443 -j " + service + "\n";
    for (int endpoint = 0; endpoint < 9; ++endpoint) {
      rules += "-A " + service + " -p tcp -m tcp -j DNAT --to-destination 192.0.2.1:443\n";
    }
  }
  firewall::lab::Load(where, {"iptables-restore"}, rules + "COMMIT\n");
  where.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  where.Run([&] {
    std::size_t received = 0;
    FirewallCollector collector(CountingHost(received));
    const auto look = [&] {
      received = 0;
      EXPECT_TRUE(collector.Collect(Soon()));
      return received;
    };
    const std::size_t first = look();
    const std::size_t unchanged = look();
    RecordProperty("first_look_bytes", std::to_string(first));
    RecordProperty("unchanged_look_bytes", std::to_string(unchanged));
    EXPECT_GT(first, unchanged);
    EXPECT_GT(unchanged, 0U);
    EXPECT_LT(unchanged, 4096U) << "the generation, and the counters of the rule that drops";
  });
}

}  // namespace
}  // namespace finwait::sources
