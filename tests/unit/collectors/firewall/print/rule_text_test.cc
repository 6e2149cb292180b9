#include "collectors/firewall/print/rule_text.h"

#include <gmock/gmock.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_limit.h>
#include <linux/netfilter/xt_tcpudp.h>

#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/recording/case.h"
#include "tests/recording/printed_rules.h"
#include "tests/recording/rules_record.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"
#include "tests/unit/collectors/firewall/xt/info.h"

// Every recorded rule, printed here and by its own tool.
namespace finwait::firewall::print {
namespace {

using recording::Case;

// Compares all rules of the case; gives the extensions whose options were left out.
std::set<std::string> Compared(const Case& one, std::size_t at_least) {
  SCOPED_TRACE(one.Folder().string());
  auto source = recording::RuleSource::Replayed(recording::KernelRecording::Parse(one.Require(recording::kKernelFile)));
  const auto otherwise = recording::ParseOtherwise(one.Read(recording::kOtherwiseFile).value_or(""));
  const auto rules = recording::PrintedByBoth(one.Require(recording::kPrintedFile), *source.Read(), source.Resolver());
  std::set<std::string> not_printed;
  std::set<std::string> tools;
  for (const recording::PrintedRule& rule : rules) {
    EXPECT_EQ(Difference(rule, otherwise, not_printed), "");
    tools.insert(rule.tool);
  }
  for (const auto& [tool, here] : otherwise) {
    EXPECT_TRUE(tools.contains(tool)) << "otherwise.txt has a rule that is not there: " << tool;
  }
  EXPECT_GE(rules.size(), at_least);
  return not_printed;
}

// Extensions whose options are left out, honestly; a change here is a change of what users see.
const std::set<std::string> kNotPrinted = {"string",   "recent", "hashlimit", "u32",  "quota", "policy", "physdev",
                                           "devgroup", "cpu",    "esp",       "DSCP", "TTL",   "TPROXY", "CONNSECMARK"};

TEST(RuleTextTest, IptablesNftRulesReadAsIptablesSavePrintsThem) {
  EXPECT_EQ(Compared(recording::FindCase("print", "iptables_nft"), 100), kNotPrinted);
}

TEST(RuleTextTest, LegacyRulesReadAsIptablesLegacySavePrintsThem) {
  EXPECT_EQ(Compared(recording::FindCase("print", "iptables_legacy"), 100), kNotPrinted);
}

TEST(RuleTextTest, Ip6tablesRulesReadAsTheirToolsPrintThem) {
  for (const char* name : {"ip6tables_nft", "ip6tables_legacy"}) {
    EXPECT_EQ(Compared(recording::FindCase("print", name), 10), (std::set<std::string>{"frag", "rt"}));
  }
}

TEST(RuleTextTest, NativeRulesReadAsNftListPrintsThem) {
  EXPECT_THAT(Compared(recording::FindCase("print", "native"), 130), testing::IsEmpty());
}

TEST(RuleTextTest, EveryOtherRecordedRuleReadsAsItsToolPrintsIt) {
  for (const char* group : {"read", "traversal", "real"}) {
    for (const Case& one : recording::CasesOf(group)) {
      Compared(one, 0);
    }
  }
}

// --- what no recording has ---

using eval::Drops;
using eval::ValueOf;

// A rule of a chain of one of the two dialects.
struct Written {
  explicit Written(std::vector<Expression> expressions, TableFamily family = TableFamily::kIpv4) {
    table.family = family;
    table.name = "t";
    chain.name = "INPUT";
    rule.expressions = std::move(expressions);
  }
  std::string Iptables() {
    table.dialect = Dialect::kIptables;
    return RuleText(table, chain, rule);
  }
  std::string Nft() {
    table.dialect = Dialect::kNft;
    return RuleText(table, chain, rule);
  }
  std::string IptablesMatches() {
    table.dialect = Dialect::kIptables;
    return ConnectionMatches(table, chain, rule);
  }
  std::string NftMatches() {
    table.dialect = Dialect::kNft;
    return ConnectionMatches(table, chain, rule);
  }
  Table table;
  Chain chain;
  Rule rule;
};

std::vector<Expression> Join(std::vector<std::vector<Expression>> parts) {
  std::vector<Expression> all;
  for (const auto& part : parts) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}
std::vector<Expression> FieldIs(std::uint32_t base, std::uint32_t offset, const Value& value,
                                std::uint32_t operation = NFT_CMP_EQ) {
  return {PayloadLoad{base, offset, static_cast<std::uint32_t>(value.size()), Register{0}},
          Compare{operation, Register{0}, value}};
}
std::vector<Expression> MetaIs(std::uint32_t key, const Value& value, std::uint32_t operation = NFT_CMP_EQ) {
  return {MetaLoad{key, Register{0}}, Compare{operation, Register{0}, value}};
}
std::vector<Expression> Tcp() { return MetaIs(NFT_META_L4PROTO, ValueOf({6})); }
std::vector<Expression> Port(unsigned port, std::uint32_t operation = NFT_CMP_EQ) {
  return FieldIs(NFT_PAYLOAD_TRANSPORT_HEADER, 2, ValueOf({port >> 8U, port & 0xffU}), operation);
}
std::vector<Expression> From(std::initializer_list<unsigned> address) {
  return FieldIs(NFT_PAYLOAD_NETWORK_HEADER, 12, ValueOf(address));
}
Value HostOrder(std::uint32_t number) {
  Value value(sizeof number);
  std::memcpy(value.data(), &number, sizeof number);
  return value;
}
std::vector<Expression> Masked(const Expression& load, std::uint32_t length, const Value& mask, const Value& value,
                               std::uint32_t operation = NFT_CMP_EQ) {
  Bitwise bitwise;
  bitwise.source = bitwise.destination = Register{0};
  bitwise.length = length;
  bitwise.mask = mask;
  bitwise.xor_value = Value(length);
  return {load, bitwise, Compare{operation, Register{0}, value}};
}
std::vector<Expression> StateIsInvalid() {
  return Masked(CtLoad{NFT_CT_STATE, std::nullopt, Register{0}}, 4, HostOrder(1), HostOrder(0), NFT_CMP_NEQ);
}
std::vector<Expression> FlagsAreFin() {
  return Masked(PayloadLoad{NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, Register{0}}, 1, ValueOf({0x17}), ValueOf({0x01}));
}

TEST(RuleTextTest, ALongTextIsCutAtAWholeCharacter) {
  Log log;
  log.prefix = std::string(kMaxRuleText, 'x');
  const std::string text = Written({log}).Nft();
  EXPECT_EQ(text.size(), kMaxRuleText);
  EXPECT_TRUE(text.ends_with("xxx..."));
  for (std::size_t shift = 0; shift < 2; ++shift) {
    log.prefix = std::string(shift, 'x');
    while (log.prefix.size() < kMaxRuleText) {
      log.prefix += "\xc3\xa9";
    }
    const std::string accented = Written({log}).Nft();
    EXPECT_LE(accented.size(), kMaxRuleText);
    EXPECT_GE(accented.size(), kMaxRuleText - 1);
    EXPECT_TRUE(accented.ends_with("\xc3\xa9...")) << accented;
  }
}

TEST(RuleTextTest, WhatIptablesCannotWriteIsPrintedAsNftWould) {
  Queue queue;
  queue.number = 3;
  queue.flags = NFT_QUEUE_FLAG_BYPASS;
  queue.total = 2;
  EXPECT_EQ(Written({queue}).Iptables(), "queue flags bypass to 3-4");
  EXPECT_EQ(Written(Join({Port(80), {Drops()}})).Iptables(), Written(Join({Port(80), {Drops()}})).Nft())
      << "a port without a protocol";
  EXPECT_EQ(Written({Limit{5, 3600, 5, NFT_LIMIT_PKT_BYTES, false}, Drops()}).Iptables(),
            Written({Limit{5, 3600, 5, NFT_LIMIT_PKT_BYTES, false}, Drops()}).Nft());
}

TEST(RuleTextTest, ConditionsOnPortsReadAsIptablesWritesThem) {
  const auto of_port = [](unsigned port, std::uint32_t operation) {
    return Written(Join({Tcp(), Port(port, operation), {Drops()}})).Iptables();
  };
  EXPECT_EQ(of_port(80, NFT_CMP_EQ), "-A INPUT -p tcp -m tcp --dport 80 -j DROP");
  EXPECT_EQ(of_port(80, NFT_CMP_NEQ), "-A INPUT -p tcp -m tcp ! --dport 80 -j DROP");
  EXPECT_EQ(of_port(1024, NFT_CMP_GTE), "-A INPUT -p tcp -m tcp --dport 1024:65535 -j DROP");
  EXPECT_EQ(of_port(1024, NFT_CMP_GT), "-A INPUT -p tcp -m tcp --dport 1025:65535 -j DROP");
  EXPECT_EQ(of_port(1024, NFT_CMP_LTE), "-A INPUT -p tcp -m tcp --dport 0:1024 -j DROP");
  EXPECT_EQ(of_port(1024, NFT_CMP_LT), "-A INPUT -p tcp -m tcp --dport 0:1023 -j DROP");
  EXPECT_EQ(
      Written(Join({Tcp(), FieldIs(NFT_PAYLOAD_TRANSPORT_HEADER, 0, ValueOf({0, 22, 0, 80})), {Drops()}})).Iptables(),
      "-A INPUT -p tcp -m tcp --sport 22 --dport 80 -j DROP");
}

TEST(RuleTextTest, MarksFragmentsAndDevicesReadAsIptablesWritesThem) {
  EXPECT_EQ(Written(Join({MetaIs(NFT_META_MARK, HostOrder(0x10), NFT_CMP_NEQ), {Drops()}})).Iptables(),
            "-A INPUT -m mark ! --mark 0x10 -j DROP");
  EXPECT_EQ(
      Written(Join({Masked(MetaLoad{NFT_META_MARK, Register{0}}, 4, HostOrder(0xff), HostOrder(0x10)), {Drops()}}))
          .Iptables(),
      "-A INPUT -m mark --mark 0x10/0xff -j DROP");
  EXPECT_EQ(Written(Join({MetaIs(NFT_META_IIFNAME, ValueOf({'e', 't', 'h'})), {eval::JumpsTo("SUB")}})).Iptables(),
            "-A INPUT -i eth+ -j SUB");
  EXPECT_EQ(Written(Join({Masked(PayloadLoad{NFT_PAYLOAD_NETWORK_HEADER, 6, 2, Register{0}}, 2, ValueOf({0x1f, 0xff}),
                                 ValueOf({0, 0}), NFT_CMP_NEQ),
                          {eval::GoesTo("SUB")}}))
                .Iptables(),
            "-A INPUT -f -g SUB");
}

TEST(ConnectionMatchesTest, OfARuleOfIptablesOnlyWhatItAsksOfTheConnectionStays) {
  EXPECT_EQ(Written(Join({From({192, 0, 2, 1}), Tcp(), Port(9000), FlagsAreFin(), {Counter{1, 2}, Drops()}}))
                .IptablesMatches(),
            "-s 192.0.2.1/32 -m tcp --dport 9000");
  EXPECT_EQ(Written(Join({Tcp(), FlagsAreFin(), {Drops()}})).IptablesMatches(), "") << "flags are of the packet";
  EXPECT_EQ(Written(Join({MetaIs(NFT_META_OIFNAME, ValueOf({'e', 't', 'h', '0', 0})),
                          MetaIs(NFT_META_MARK, HostOrder(0x10)),
                          {Drops()}}))
                .IptablesMatches(),
            "-o eth0 -m mark --mark 0x10");
  EXPECT_EQ(Written(Join({MetaIs(NFT_META_OIFNAME, ValueOf({'$', '(', ')', 0})), {Drops()}})).IptablesMatches(), "")
      << "nothing that a shell would run";
}

TEST(ConnectionMatchesTest, OfExtensionsOnlyThoseOfTheConnectionStay) {
  xt_conntrack_mtinfo3 state = {};
  state.match_flags = XT_CONNTRACK_STATE;
  state.state_mask = XT_CONNTRACK_STATE_INVALID;
  xt_conntrack_mtinfo3 negated = state;
  negated.invert_flags = XT_CONNTRACK_STATE;
  xt_tcp tcp = {};
  tcp.spts[1] = 0xffff;
  tcp.dpts[0] = 443;
  tcp.dpts[1] = 443;
  tcp.flg_mask = 0x17;
  tcp.flg_cmp = 0x01;
  xt_tcp flags_only = tcp;
  flags_only.dpts[0] = 0;
  flags_only.dpts[1] = 0xffff;
  xt_tcp other_flags = tcp;
  other_flags.invflags = XT_TCP_INV_FLAGS;
  xt_comment_info comment = {};
  std::strncpy(comment.comment, "why", sizeof comment.comment - 1);
  xt_rateinfo limit = {};
  limit.avg = 100;
  limit.burst = 5;
  const auto matches = [](std::vector<Expression> expressions) {
    return Written(std::move(expressions)).IptablesMatches();
  };
  EXPECT_EQ(matches({XtMatch{"conntrack", 3, xt::InfoOf(state)}, XtMatch{"tcp", 0, xt::InfoOf(tcp)}, Drops()}),
            "-m tcp --dport 443");
  EXPECT_EQ(matches({XtMatch{"tcp", 0, xt::InfoOf(other_flags)}, Drops()}), "-m tcp --dport 443");
  EXPECT_EQ(matches({XtMatch{"conntrack", 3, xt::InfoOf(negated)}, XtMatch{"tcp", 0, xt::InfoOf(flags_only)}, Drops()}),
            "");
  EXPECT_EQ(matches({XtMatch{"comment", 0, xt::InfoOf(comment)}, XtMatch{"limit", 0, xt::InfoOf(limit)}, Drops()}), "");
  auto header = std::make_shared<IpHeaderMatch>();
  header->source = {std::byte{192}, std::byte{0}, std::byte{2}, std::byte{0}};
  header->source_mask = {std::byte{255}, std::byte{255}, std::byte{255}, std::byte{0}};
  header->protocol = 6;
  EXPECT_EQ(matches({std::shared_ptr<const IpHeaderMatch>(header), XtMatch{"tcp", 0, xt::InfoOf(tcp)}, Drops()}),
            "-s 192.0.2.0/24 -m tcp --dport 443");
}

TEST(ConnectionMatchesTest, OfARuleOfNftOnlyWhatItAsksOfTheConnectionStays) {
  EXPECT_EQ(
      Written(Join({StateIsInvalid(), From({192, 0, 2, 1}), Tcp(), Port(9000), FlagsAreFin(), {Drops()}})).NftMatches(),
      "ip saddr 192.0.2.1 tcp dport 9000");
  EXPECT_EQ(Written(Join({Tcp(), StateIsInvalid(), {Drops()}})).NftMatches(), "");
  EXPECT_EQ(Written({NumberGenerator{NFT_NG_RANDOM, 2, 0, Register{0}}, Compare{NFT_CMP_EQ, Register{0}, HostOrder(0)},
                     Drops()})
                .NftMatches(),
            "")
      << "chance asks nothing of the connection";
  EXPECT_EQ(Written(Join({Tcp(), Port(1024, NFT_CMP_GTE), {Drops()}})).NftMatches(), "tcp dport >= 1024");
}

std::vector<Expression> PortIn(const std::string& set, bool verdict, bool inverted = false) {
  return {PayloadLoad{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, Register{0}},
          Lookup{set, Register{0}, std::nullopt, verdict, inverted}};
}
SetElement PortElement(unsigned port, std::optional<Verdict::Kind> verdict = std::nullopt) {
  SetElement element;
  element.key = ValueOf({port >> 8U, port & 0xffU});
  if (verdict) {
    element.data = Verdict{*verdict, *verdict == Verdict::Kind::kJump ? "there" : ""};
  }
  return element;
}
Written WithSet(const std::string& name, bool verdicts, std::vector<SetElement> elements) {
  Set set;
  set.name = name;
  set.key_length = 2;
  set.anonymous = name.starts_with("__");
  set.map = set.verdict_map = verdicts;
  set.element_count = elements.size();
  set.elements = std::move(elements);
  Written written(Join({Tcp(), PortIn(name, verdicts)}));
  written.table.sets[name] = std::make_shared<const Set>(std::move(set));
  return written;
}

TEST(ConnectionMatchesTest, ASetIsNamedOrWrittenOut) {
  EXPECT_EQ(WithSet("blocked", false, {}).NftMatches(), "tcp dport @blocked");
  EXPECT_EQ(WithSet("__set0", false, {PortElement(22), PortElement(80)}).NftMatches(), "tcp dport { 22, 80 }");
  Written none(Join({Tcp(), PortIn("gone", false, true)}));
  EXPECT_EQ(none.NftMatches(), "tcp dport != @gone");
  EXPECT_EQ(WithSet("a set", false, {}).NftMatches(), "") << "a name that is no word";
  std::vector<SetElement> many;
  for (unsigned port = 1; port <= 65; ++port) {
    many.push_back(PortElement(port));
  }
  EXPECT_EQ(WithSet("__set0", false, many).NftMatches(), "") << "too many to write out";
}

TEST(ConnectionMatchesTest, OfAVerdictMapTheKeysThatItDropsStay) {
  EXPECT_EQ(WithSet("__map0", true,
                    {PortElement(22, Verdict::Kind::kAccept), PortElement(80, Verdict::Kind::kDrop),
                     PortElement(81, Verdict::Kind::kDrop)})
                .NftMatches(),
            "tcp dport { 80, 81 }");
  EXPECT_EQ(WithSet("__map0", true, {PortElement(22, Verdict::Kind::kAccept)}).NftMatches(), "");
  EXPECT_EQ(WithSet("map", true, {PortElement(80, Verdict::Kind::kDrop)}).NftMatches(), "") << "it may change";
  SetElement all;
  all.catch_all = true;
  all.data = Verdict{Verdict::Kind::kDrop, {}};
  EXPECT_EQ(WithSet("__map0", true, {PortElement(80, Verdict::Kind::kDrop), all}).NftMatches(), "");
}

TEST(RuleTextTest, AVerdictMapIsPrintedWithItsVerdicts) {
  using Kind = Verdict::Kind;
  EXPECT_EQ(WithSet("__map0", true,
                    {PortElement(1, Kind::kAccept), PortElement(2, Kind::kDrop), PortElement(3, Kind::kStolen),
                     PortElement(4, Kind::kQueue), PortElement(5, Kind::kContinue), PortElement(6, Kind::kBreak),
                     PortElement(7, Kind::kJump), PortElement(8, Kind::kReturn)})
                .Nft(),
            "tcp dport vmap { 1 : accept, 2 : drop, 3 : stolen, 4 : queue, 5 : continue, 6 : break, 7 : jump there, 8 "
            ": return }");
}

TEST(RuleTextTest, StatementsReadAsNftWritesThem) {
  const auto text = [](const Expression& statement, TableFamily family = TableFamily::kIpv4) {
    return Written({statement}, family).Nft();
  };
  EXPECT_EQ(text(ObjectReference{NFT_OBJECT_COUNTER, "c"}), "counter name \"c\"");
  EXPECT_EQ(text(ObjectReference{NFT_OBJECT_QUOTA, "q"}), "quota name \"q\"");
  EXPECT_EQ(text(ObjectReference{NFT_OBJECT_LIMIT, "l"}), "limit name \"l\"");
  EXPECT_EQ(text(ObjectReference{NFT_OBJECT_CT_HELPER, "h"}), "ct helper set \"h\"");
  EXPECT_EQ(text(ObjectReference{NFT_OBJECT_SYNPROXY, "s"}), "[objref]");
  EXPECT_EQ(text(FlowOffload{"fast"}), "flow add @fast");
  const DynamicSet into_map{"m", NFT_DYNSET_OP_UPDATE, Register{0}, Register{16}, false, 5, {}, {}};
  const PayloadLoad port{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, Register{0}};
  EXPECT_EQ(Written({port, MetaLoad{NFT_META_MARK, Register{16}}, into_map}).Nft(),
            "update @m { th dport timeout 5s : meta mark }");
  EXPECT_EQ(Written({port, Immediate{Register{16}, {std::byte{7}}}, into_map}).Nft(),
            "update @m { th dport timeout 5s : [...] }");
  DynamicSet counted{"s", NFT_DYNSET_OP_ADD, Register{0}, std::nullopt, false, 0, {}, {"connlimit"}};
  counted.connection_limit = ConnectionLimit{20, true};
  EXPECT_EQ(Written({port, counted}).Nft(), "add @s { th dport ct count over 20 }");
  EXPECT_EQ(text(XtMatch{"string", 0, {}}), "[xt match string]");
  EXPECT_EQ(text(XtTarget{"LED", 0, {}}), "[xt target LED]");
  EXPECT_EQ(text(ConnectionLimit{20, true}), "ct count over 20");
  EXPECT_EQ(text(Quota{1U << 20U, 0, true}), "quota over 1 mbytes");
  EXPECT_EQ(text(Last{}), "last");
  Nat range;
  range.type = NFT_NAT_SNAT;
  range.family = NFPROTO_IPV6;
  range.address_min = Register{0};
  range.address_max = Register{16};
  EXPECT_EQ(text(range, TableFamily::kInet), "snat ip6 to [...]");
}

}  // namespace
}  // namespace finwait::firewall::print
