#include "collectors/firewall/read/fact_resolver.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/if_arp.h>
#include <linux/inet_diag.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink_acct.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/xfrm.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "tests/unit/collectors/firewall/read/nft_messages.h"
#include "tests/unit/collectors/kernel/conntrack_messages.h"
#include "tests/unit/collectors/kernel/netlink/fake_events.h"
#include "tests/unit/collectors/kernel/procfs_fixture.h"
#include "tests/unit/collectors/kernel/route_messages.h"

// Each kind of fact, asked of a kernel that answers by netlink and by procfs.
namespace finwait::firewall::read {
namespace {

using facts::Fact;
using kernel::AddressOfDevice;
using kernel::LinkMessage;
using kernel::PortOfVrfMessage;
using kernel::RouteMessage;
using kernel::netlink::Acknowledgement;
using kernel::netlink::Done;
using kernel::netlink::ErrorMessage;
using kernel::netlink::FakeEvents;
using kernel::netlink::FakeKernel;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

IpAddress Address(const std::string& text) { return *IpAddress::Parse(text); }

class FactResolverTest : public testing::Test {
 protected:
  FactResolverTest() {
    host_ = procfs_.MakeHost();
    host_.open_channel = [this](int protocol) {
      protocols_.push_back(protocol);
      return kernel_->Open(protocol);
    };
  }
  void Resolve(const facts::Needs& needs) { FactResolver(host_).Resolve(needs, store_); }
  // Asks for one fact, which everybody who asks gets an answer to.
  const Fact& Ask(const facts::Need& need) {
    Resolve({need});
    return Known(need);
  }
  const Fact& Known(const facts::Need& need) {
    const Fact* fact = store_.Find(need);
    if (fact == nullptr) {
      throw std::runtime_error("no answer to " + Describe(need));
    }
    return *fact;
  }
  template <typename T>
  const T& Present(const Fact& fact) {
    const T* value = fact.As<T>();
    if (value == nullptr) {
      throw std::runtime_error(fact.Why() != nullptr ? fact.Why()->message : "absent, or of another type");
    }
    return *value;
  }
  template <typename T>
  const T& AskPresent(const facts::Need& need) {
    return Present<T>(Ask(need));
  }
  void ExpectFailed(const Fact& fact, FailureReason reason, const std::string& message) {
    ASSERT_NE(fact.Why(), nullptr);
    EXPECT_EQ(fact.Why()->reason, reason);
    EXPECT_EQ(fact.Why()->message, message);
  }
  void WriteSetting(const std::string& name, const std::string& value) const {
    procfs_.Write("sys/net/" + name, value + "\n");
  }

  kernel::ProcfsFixture procfs_;
  kernel::Host host_;
  std::shared_ptr<FakeKernel> kernel_ = FakeKernel::Make();
  std::vector<int> protocols_;  ///< of the channels that were opened
  facts::FactStore store_;
};

// --- rules -----------------------------------------------------------------------------------------------------------

TEST_F(FactResolverTest, AChainIsLookedForAndThenRead) {
  kernel_->Answers({BaseChainMessage("t", "in"), Acknowledgement()});
  kernel_->Answers({RuleMessage("in", 7, {VerdictExpression(NF_DROP)}), Done()});
  const auto chain = AskPresent<std::shared_ptr<const Chain>>(facts::ChainKey{TableFamily::kInet, "t", "in"});
  EXPECT_EQ(chain->name, "in");
  ASSERT_THAT(chain->rules, SizeIs(1));
  EXPECT_EQ(chain->rules[0].handle, 7U);
}

TEST_F(FactResolverTest, AChainThatIsNotThereOrMayNotBeReadSaysSo) {
  kernel_->Answers({ErrorMessage(-ENOENT)});
  ExpectFailed(Ask(facts::ChainKey{TableFamily::kInet, "t", "gone"}), FailureReason::kUnsupported,
               "table t has no chain gone");
  kernel_->Answers({ErrorMessage(-EPERM)});
  ExpectFailed(Ask(facts::ChainKey{TableFamily::kInet, "t", "in"}), FailureReason::kPermission,
               "look for one of nftables' chains: Operation not permitted");
}

TEST_F(FactResolverTest, WithoutAChannelWhatNetlinkTellsIsNotKnown) {
  host_.open_channel = [](int) { return FailErrno("open netlink", EMFILE); };
  const facts::SetKey set{TableFamily::kInet, "t", "s"};
  facts::IpsetElementKey element;
  element.set = "s";
  facts::RouteKey route;
  route.destination = Address("192.0.2.1");
  const facts::SocketKey socket{{Address("192.0.2.1"), 1}, {Address("192.0.2.2"), 2}};
  for (const facts::Need& need :
       std::initializer_list<facts::Need>{facts::ChainKey{TableFamily::kInet, "t", "in"}, set, facts::QuotaKey{"a"},
                                          facts::IpsetKey{1}, facts::SetRoomKey{set}, element, route, socket}) {
    ExpectFailed(Ask(need), FailureReason::kError, "open netlink: Too many open files");
  }
}

TEST_F(FactResolverTest, ALegacyTableThatIsNotListedIsNeverAskedFor) {
  procfs_.Write("thread-self/net/ip_tables_names", "mangle\n");
  ExpectFailed(Ask(facts::LegacyTableKey{TableFamily::kIpv4, "nat"}), FailureReason::kUnsupported,
               "there is no table nat");
}

TEST_F(FactResolverTest, ASetIsReadOnceForABatch) {
  kernel_->Answers({SetMessage("s"), Acknowledgement()});
  kernel_->Answers({ElementsMessage({{Data(NFTA_SET_ELEM_KEY, Bytes({0, 22}))}}), Done()});
  const auto set = AskPresent<std::shared_ptr<const Set>>(facts::SetKey{TableFamily::kInet, "t", "s"});
  ASSERT_THAT(set->elements, SizeIs(1));
  EXPECT_EQ(set->elements[0].key, Bytes({0, 22}));
}

TEST_F(FactResolverTest, AnElementIsThereOrAbsentOrCannotBeAskedFor) {
  auto form = std::make_shared<Set>();
  form->name = "s";
  form->key_length = 2;
  const facts::ElementKey key{{TableFamily::kInet, "t", "s"}, Bytes({0, 22}), form};
  kernel_->Answers({ElementsMessage({{Data(NFTA_SET_ELEM_KEY, Bytes({0, 22}))}}), Acknowledgement()});
  EXPECT_EQ(AskPresent<std::shared_ptr<const SetElement>>(key)->key, Bytes({0, 22}));
  kernel_->Answers({ErrorMessage(-ENOENT)}).Answers({ErrorMessage(-ENOENT)});
  EXPECT_TRUE(Ask(key).IsAbsent());
  kernel_->Answers({ErrorMessage(-EPERM)});
  ExpectFailed(Ask(key), FailureReason::kPermission, "look up a key in one of nftables' sets: Operation not permitted");
}

TEST_F(FactResolverTest, ASetHasRoomBelowItsSize) {
  const facts::SetRoomKey key{{TableFamily::kInet, "t", "s"}};
  const auto answer = [&](std::uint32_t size, std::size_t elements) {
    kernel_->Answers({SetMessage("s", {Nest(NFTA_SET_DESC, {Number32(NFTA_SET_DESC_SIZE, size)})}), Acknowledgement()});
    const std::vector<Put> element = {Data(NFTA_SET_ELEM_KEY, Bytes({0, 22}))};
    kernel_->Answers({ElementsMessage({elements, element}), Done()});
    return AskPresent<bool>(key);
  };
  EXPECT_TRUE(answer(3, 2));
  EXPECT_FALSE(answer(2, 2));
  kernel_->Answers({SetMessage("s"), Acknowledgement()});
  EXPECT_TRUE(AskPresent<bool>(key)) << "it has no size";
  kernel_->Answers({ErrorMessage(-ENOENT)});
  ExpectFailed(Ask(key), FailureReason::kUnsupported, "look up a set's size: No such file or directory");
  kernel_->Answers({SetMessage("s", {Nest(NFTA_SET_DESC, {Number32(NFTA_SET_DESC_SIZE, 5)})}), Acknowledgement()});
  kernel_->Answers({ErrorMessage(-EPERM)});
  ExpectFailed(Ask(key), FailureReason::kPermission, "count a set's elements: Operation not permitted");
}

TEST_F(FactResolverTest, AnAccountingObjectHasAQuotaWhereItHasFlags) {
  const auto answer = [&](std::vector<Put> parts) {
    kernel_->Answers({NetfilterMessage(NFNL_SUBSYS_ACCT, NFNL_MSG_ACCT_NEW, AF_UNSPEC, parts), Acknowledgement()});
    return AskPresent<bool>(facts::QuotaKey{"a"});
  };
  EXPECT_FALSE(answer({Text(NFACCT_NAME, "a"), Number64(NFACCT_PKTS, 1), Number64(NFACCT_BYTES, 2)}));
  EXPECT_TRUE(answer({Text(NFACCT_NAME, "a"), Number32(NFACCT_FLAGS, NFACCT_F_QUOTA_PKTS), Number64(NFACCT_QUOTA, 9)}));
  kernel_->Answers({Acknowledgement()});
  ExpectFailed(Ask(facts::QuotaKey{"a"}), FailureReason::kError, "look up an accounting object: no answer");
  kernel_->Answers({ErrorMessage(-EPERM)});
  ExpectFailed(Ask(facts::QuotaKey{"a"}), FailureReason::kPermission,
               "look up an accounting object: Operation not permitted");
}

// --- ipsets ----------------------------------------------------------------------------------------------------------

FakeMessage IpsetMessage(std::uint8_t command, const std::vector<Put>& parts) {
  return NetfilterMessage(NFNL_SUBSYS_IPSET, command, AF_UNSPEC, parts);
}
FakeMessage HeaderMessage(const std::string& name, const std::string& type, std::uint8_t family) {
  return IpsetMessage(IPSET_CMD_HEADER, {Number8(IPSET_ATTR_PROTOCOL, 7), Text(IPSET_ATTR_SETNAME, name),
                                         Text(IPSET_ATTR_TYPENAME, type), Number8(IPSET_ATTR_FAMILY, family)});
}
FakeMessage NameMessage(const std::string& name) {
  return IpsetMessage(IPSET_CMD_GET_BYINDEX, {Text(IPSET_ATTR_SETNAME, name)});
}
// The list of a set whose members have these attributes.
FakeMessage ListMessage(const std::vector<std::vector<Put>>& members) {
  std::vector<Put> list;
  for (const std::vector<Put>& member : members) {
    list.push_back(Nest(IPSET_ATTR_DATA, member));
  }
  return IpsetMessage(IPSET_CMD_LIST, {Nest(IPSET_ATTR_DATA, {}), Nest(IPSET_ATTR_ADT, list)});
}

TEST_F(FactResolverTest, AnIpsetIsFoundByItsNumberAndAListNamesItsMembers) {
  kernel_->Answers({NameMessage("bad"), Acknowledgement()});
  kernel_->Answers({HeaderMessage("bad", "hash:ip,port", AF_INET), Acknowledgement()});
  const auto set = AskPresent<std::shared_ptr<const facts::Ipset>>(facts::IpsetKey{3});
  EXPECT_EQ(*set, (facts::Ipset{"bad", "hash:ip,port", IpFamily::kIpv4, {}}));

  kernel_->Answers({NameMessage("all"), Acknowledgement()});
  kernel_->Answers({HeaderMessage("all", "list:set", AF_UNSPEC), Acknowledgement()});
  kernel_->Answers({ListMessage({{Text(IPSET_ATTR_NAME, "v4")}, {Text(IPSET_ATTR_NAME, "v6")}}), Done()});
  kernel_->Answers({HeaderMessage("v4", "hash:net", AF_INET), Acknowledgement()});
  kernel_->Answers({HeaderMessage("v6", "hash:net", AF_INET6), Acknowledgement()});
  const auto list = AskPresent<std::shared_ptr<const facts::Ipset>>(facts::IpsetKey{4});
  EXPECT_EQ(*list, (facts::Ipset{"all",
                                 "list:set",
                                 std::nullopt,
                                 {{"v4", "hash:net", IpFamily::kIpv4, {}}, {"v6", "hash:net", IpFamily::kIpv6, {}}}}));
}

TEST_F(FactResolverTest, AnIpsetThatCannotBeReadSaysAtWhichStep) {
  kernel_->Answers({ErrorMessage(-ENOENT)});
  ExpectFailed(Ask(facts::IpsetKey{3}), FailureReason::kUnsupported, "look up an ipset: No such file or directory");
  kernel_->Answers({Acknowledgement()});
  ExpectFailed(Ask(facts::IpsetKey{3}), FailureReason::kError, "look up an ipset: no name in the answer");
  kernel_->Answers({NameMessage("bad"), Acknowledgement()}).Answers({Acknowledgement()});
  ExpectFailed(Ask(facts::IpsetKey{3}), FailureReason::kError, "read an ipset's header: no type in the answer");
  kernel_->Answers({NameMessage("all"), Acknowledgement()});
  kernel_->Answers({HeaderMessage("all", "list:set", AF_UNSPEC), Acknowledgement()}).Answers({ErrorMessage(-EPERM)});
  ExpectFailed(Ask(facts::IpsetKey{3}), FailureReason::kPermission, "list an ipset: Operation not permitted");
}

TEST_F(FactResolverTest, ElementsOfOneIpsetAreAskedForTogether) {
  facts::IpsetElementKey in;
  in.set = "bad";
  in.address = Address("192.0.2.7");
  facts::IpsetElementKey out = in;
  out.address = Address("192.0.2.8");
  facts::IpsetElementKey elsewhere = in;
  elsewhere.set = "gone";
  kernel_->Answers(
      {ListMessage({{Nest(IPSET_ATTR_IP, {Raw(IPSET_ATTR_IPADDR_IPV4, Bytes({192, 0, 2, 7}))})}}), Done()});
  kernel_->Answers({ErrorMessage(-ENOENT)});
  Resolve({in, out, elsewhere});
  EXPECT_TRUE(Present<bool>(Known(in)));
  EXPECT_FALSE(Present<bool>(Known(out)));
  ExpectFailed(Known(elsewhere), FailureReason::kUnsupported, "list an ipset: No such file or directory");
  EXPECT_THAT(kernel_->Sent(), SizeIs(2));
}

// --- sockets ---------------------------------------------------------------------------------------------------------

const facts::SocketKey kSocket{*Endpoint::Parse("192.0.2.1:40000"), *Endpoint::Parse("198.51.100.1:443")};

// inet_diag's answer about one TCP socket (inet_sk_diag_fill()), with tcp_info; `more` puts further attributes.
FakeMessage SocketMessage(const facts::SocketKey& ends, const std::vector<Put>& more = {}) {
  inet_diag_msg header = {};
  header.idiag_family = AF_INET;
  header.idiag_state = 1;
  header.idiag_uid = 1000;
  header.idiag_inode = 77;
  header.id.idiag_sport = htons(ends.local.port);
  header.id.idiag_dport = htons(ends.peer.port);
  std::memcpy(header.id.idiag_src, ends.local.address.Bytes().data(), 4);
  std::memcpy(header.id.idiag_dst, ends.peer.address.Bytes().data(), 4);
  header.id.idiag_if = 5;
  tcp_info info = {};
  info.tcpi_options = TCPI_OPT_TIMESTAMPS;
  info.tcpi_bytes_acked = 1;
  Request message(SOCK_DIAG_BY_FAMILY);
  const auto* bytes = reinterpret_cast<const std::byte*>(&info);
  message.Header(header).PutBytes(INET_DIAG_INFO, {bytes, sizeof info});
  for (const Put& put : more) {
    put(message);
  }
  return MessageOf(message);
}
Put HostNumber(std::uint16_t type, std::uint32_t value) {
  return [=](Request& into) { into.PutU32(type, value); };
}

TEST_F(FactResolverTest, ASocketIsToldWithAllThatRulesAskOfIt) {
  inet_diag_sockopt options = {};
  options.transparent = 1;
  const auto* bytes = reinterpret_cast<const std::byte*>(&options);
  const std::uint64_t group = 4242;
  const auto* group_bytes = reinterpret_cast<const std::byte*>(&group);
  kernel_->Answers({SocketMessage(kSocket, {HostNumber(INET_DIAG_MARK, 0x77), Number8(INET_DIAG_TOS, 0x10),
                                            HostNumber(INET_DIAG_CLASS_ID, 6),
                                            Raw(INET_DIAG_SOCKOPT, Value(bytes, bytes + sizeof options)),
                                            Raw(INET_DIAG_CGROUP_ID, Value(group_bytes, group_bytes + sizeof group))}),
                    Acknowledgement()});
  const auto& socket = AskPresent<facts::Socket>(kSocket);
  EXPECT_EQ(socket.mark, 0x77U);
  EXPECT_EQ(socket.bound_device, 5U);
  EXPECT_EQ(socket.user, 1000U);
  EXPECT_FALSE(socket.orphan);
  EXPECT_EQ(socket.type_of_service, 0x10);
  EXPECT_EQ(socket.opened_here, true) << "its SYN was acknowledged";
  EXPECT_EQ(socket.timestamps, true);
  EXPECT_EQ(socket.transparent, true);
  EXPECT_EQ(socket.control_group, 4242U);
  EXPECT_EQ(socket.class_or_priority, 6U);
}

TEST_F(FactResolverTest, APriorityIsToldApartFromAClassWhereThereAreNoClasses) {
  const auto priority = [&] {
    kernel_->Answers({SocketMessage(kSocket, {HostNumber(INET_DIAG_CLASS_ID, 6)}), Acknowledgement()});
    return AskPresent<facts::Socket>(kSocket).priority;
  };
  EXPECT_EQ(priority(), std::nullopt) << "nothing tells of control groups";
  const std::string head = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t1\t1\n";
  procfs_.Write("cgroups", head + "net_cls\t4\t1\t1\nnet_prio\t0\t1\t1\n");
  EXPECT_EQ(priority(), std::nullopt);
  procfs_.Write("cgroups", head + "net_cls\t0\t1\t1\nnet_prio\t4\t1\t1\n");
  EXPECT_EQ(priority(), std::nullopt);
  procfs_.Write("cgroups", head + "net_cls\t0\t1\t1\nnet_prio\t0\t1\t1\n");
  EXPECT_EQ(priority(), 6U);
  procfs_.Write("cgroups", head);
  EXPECT_EQ(priority(), 6U) << "a kernel that has neither";
}

TEST_F(FactResolverTest, TheClockIsReadWithTheKernelsTimeZone) {
  const auto& clock = AskPresent<facts::Clock>(facts::ClockKey{});
  EXPECT_NEAR(static_cast<double>(clock.seconds), static_cast<double>(std::time(nullptr)), 60);
  EXPECT_TRUE(clock.minutes_west);
}

TEST_F(FactResolverTest, ASocketThatIsBoundToADeviceIsFoundInTheListOfAll) {
  kernel_->Answers({ErrorMessage(-ENOENT)});
  kernel_->Answers({Done()}).Answers({SocketMessage(kSocket), Done()});
  EXPECT_EQ(AskPresent<facts::Socket>(kSocket).bound_device, 5U);
  kernel_->Answers({ErrorMessage(-ENOENT)}).Answers({Done()}).Answers({Done()});
  EXPECT_TRUE(Ask(kSocket).IsAbsent());
}

TEST_F(FactResolverTest, OfSeveralSocketsEachHasItsOwnAnswer) {
  facts::SocketKey other = kSocket;
  other.local.port = 40001;  // behind the first in the order of needs
  FakeMessage answer = SocketMessage(other);
  FakeMessage end = Acknowledgement();
  FakeMessage refusal = ErrorMessage(-ENOENT);
  refusal.sequence = 1;
  answer.sequence = end.sequence = 2;
  kernel_->Answers({refusal}).Answers({answer, end}).Answers({Done()}).Answers({Done()});
  Resolve({kSocket, other});
  EXPECT_TRUE(Known(kSocket).IsAbsent());
  EXPECT_EQ(Present<facts::Socket>(Known(other)).user, 1000U);
}

TEST_F(FactResolverTest, WhereSocketsMayNotBeAskedForEachSaysSo) {
  kernel_->Answers({ErrorMessage(-EPERM)});
  ExpectFailed(Ask(kSocket), FailureReason::kPermission, "look up a socket: Operation not permitted");
}

// --- routes ----------------------------------------------------------------------------------------------------------

facts::RouteKey RouteTo(const std::string& destination) {
  facts::RouteKey key;
  key.destination = Address(destination);
  return key;
}

TEST_F(FactResolverTest, ARouteNamesItsDeviceAndWhatMasqueradeGives) {
  kernel_->Answers({RouteMessage(RTN_UNICAST, 2, "192.0.2.254", 7), Acknowledgement()});
  kernel_->Answers({LinkMessage(2, "eth0", "veth"), Acknowledgement()});
  kernel_->Answers({AddressOfDevice(9, "203.0.113.1", 24), AddressOfDevice(2, "203.0.113.2", 24),
                    AddressOfDevice(2, "192.0.2.1", 24), Done()});
  const auto route = AskPresent<std::shared_ptr<const facts::Route>>(RouteTo("198.51.100.1"));
  EXPECT_FALSE(route->local);
  EXPECT_FALSE(route->on_link);
  EXPECT_EQ(route->hop_limit, 7);
  EXPECT_EQ(route->egress, (facts::Interface{"eth0", 2, ARPHRD_ETHER, 3, "veth"}));
  EXPECT_EQ(route->masquerade, Address("192.0.2.1")) << "of the gateway's network";
  EXPECT_EQ(route->egress_port, std::nullopt);
}

TEST_F(FactResolverTest, ARouteToThisHostItselfHasNoDevice) {
  kernel_->Answers({RouteMessage(RTN_LOCAL, 1), Acknowledgement()});
  kernel_->Answers({LinkMessage(1, "lo", ""), Acknowledgement()});
  const auto route = AskPresent<std::shared_ptr<const facts::Route>>(RouteTo("192.0.2.1"));
  EXPECT_TRUE(route->local);
  EXPECT_EQ(route->egress, facts::Interface());
  EXPECT_EQ(route->masquerade, std::nullopt);
}

TEST_F(FactResolverTest, ADeviceThatIsAVrfsPortSaysOfWhich) {
  kernel_->Answers({RouteMessage(RTN_UNICAST, 2), Acknowledgement()});
  kernel_->Answers({PortOfVrfMessage(2, "eth0", 9), Acknowledgement()});
  kernel_->Answers({LinkMessage(9, "blue", "vrf"), Acknowledgement()}).Answers({Done()});
  const auto route = AskPresent<std::shared_ptr<const facts::Route>>(RouteTo("198.51.100.1"));
  EXPECT_EQ(route->egress.name, "eth0");
  EXPECT_EQ(route->egress.vrf, (facts::Vrf{"blue", 9, 3}));
}

TEST_F(FactResolverTest, WithinAVrfTheVrfIsTheLoopback) {
  kernel_->Answers({RouteMessage(RTN_LOCAL, 9), Acknowledgement()});
  kernel_->Answers({LinkMessage(9, "blue", "vrf"), Acknowledgement()});
  const auto route = AskPresent<std::shared_ptr<const facts::Route>>(RouteTo("192.0.2.1"));
  EXPECT_TRUE(route->local);
  EXPECT_EQ(route->egress, (facts::Interface{"blue", 9, ARPHRD_ETHER, 3, "vrf"}));
}

TEST_F(FactResolverTest, ABridgesPortIsKnownWhereItHasOne) {
  const auto port_among = [&](std::vector<FakeMessage> links) {
    kernel_->Answers({RouteMessage(RTN_UNICAST, 4), Acknowledgement()});
    kernel_->Answers({LinkMessage(4, "br0", "bridge"), Acknowledgement()});
    links.push_back(Done());
    kernel_->Answers(std::move(links));
    kernel_->Answers({Done()});
    const auto route = AskPresent<std::shared_ptr<const facts::Route>>(RouteTo("198.51.100.1"));
    EXPECT_TRUE(route->on_link);
    EXPECT_EQ(route->egress.name, "br0");
    return route->egress_port.value();
  };
  EXPECT_EQ(
      port_among({LinkMessage(4, "br0", "bridge"), LinkMessage(9, "veth9", "veth", 4), LinkMessage(2, "eth0", "")}),
      (facts::Interface{"veth9", 9, ARPHRD_ETHER, 3, "veth"}));
  facts::Interface any;
  any.type = ARPHRD_ETHER;
  EXPECT_EQ(port_among({LinkMessage(9, "veth9", "veth", 4), LinkMessage(2, "eth0", "", 4)}), any) << "one of two";
  EXPECT_EQ(port_among({ErrorMessage(-ENOMEM)}), any) << "the devices could not be listed";
}

TEST_F(FactResolverTest, WhatLeavesAlikeSharesOneRoute) {
  FakeMessage first = RouteMessage(RTN_UNICAST, 2);
  FakeMessage second = RouteMessage(RTN_UNICAST, 2);
  FakeMessage third = RouteMessage(RTN_UNICAST, 2, "192.0.2.254");
  std::vector<FakeMessage> answers;
  std::uint32_t sequence = 0;
  for (FakeMessage* message : {&first, &second, &third}) {
    message->sequence = ++sequence;
    FakeMessage end = Acknowledgement();
    end.sequence = sequence;
    answers.push_back(*message);
    answers.push_back(end);
  }
  kernel_->Answers(answers);
  kernel_->Answers({LinkMessage(2, "eth0", ""), Acknowledgement()}).Answers({Done()});
  Resolve({RouteTo("198.51.100.1"), RouteTo("198.51.100.2"), RouteTo("198.51.100.3")});
  const auto route = [&](const char* to) { return Present<std::shared_ptr<const facts::Route>>(Known(RouteTo(to))); };
  EXPECT_EQ(route("198.51.100.1"), route("198.51.100.2"));
  EXPECT_NE(route("198.51.100.1"), route("198.51.100.3"));
}

TEST_F(FactResolverTest, NoRouteIsAFactAndARefusalIsNot) {
  for (const int code : {ENETUNREACH, EHOSTUNREACH, EINVAL, EXDEV}) {
    kernel_->Answers({ErrorMessage(-code)});
    EXPECT_TRUE(Ask(RouteTo("198.51.100.1")).IsAbsent()) << code;
  }
  kernel_->Answers({ErrorMessage(-ENOMEM)});
  ExpectFailed(Ask(RouteTo("198.51.100.1")), FailureReason::kError, "look up a route: Cannot allocate memory");
}

// RTM_F_FIB_MATCH: the entry with all its next hops (fib_dump_info()).
FakeMessage MultipathMessage(std::initializer_list<int> devices) {
  Value hops;
  for (const int device : devices) {
    rtnexthop hop = {};
    hop.rtnh_len = sizeof hop;
    hop.rtnh_ifindex = device;
    const auto* bytes = reinterpret_cast<const std::byte*>(&hop);
    hops.insert(hops.end(), bytes, bytes + sizeof hop);
  }
  Request message(RTM_NEWROUTE);
  message.Header(rtmsg{}).PutBytes(RTA_MULTIPATH, hops);
  return MessageOf(message);
}

TEST_F(FactResolverTest, WhichOfSeveralNextHopsAHashOverPortsPicksCannotBeTold) {
  facts::RouteKey key = RouteTo("198.51.100.1");
  key.source_port = 40000;
  key.destination_port = 443;
  const auto answer = [&](std::initializer_list<int> devices) -> const Fact& {
    kernel_->Answers({RouteMessage(RTN_UNICAST, 2), Acknowledgement()});
    kernel_->Answers({LinkMessage(2, "eth0", ""), Acknowledgement()});
    kernel_->Answers({MultipathMessage(devices), Acknowledgement()}).Answers({Done()});
    return Ask(key);
  };
  WriteSetting("ipv4/fib_multipath_hash_policy", "1");
  ExpectFailed(answer({2, 3}), FailureReason::kUnsupported,
               "which of several next hops a connection's ports choose cannot be told");
  kernel_ = FakeKernel::Make();
  EXPECT_NE(answer({2, 2}).As<std::shared_ptr<const facts::Route>>(), nullptr) << "all through one device";
  WriteSetting("ipv4/fib_multipath_hash_policy", "0");
  kernel_ = FakeKernel::Make();
  kernel_->Answers({RouteMessage(RTN_UNICAST, 2), Acknowledgement()});
  kernel_->Answers({LinkMessage(2, "eth0", ""), Acknowledgement()}).Answers({Done()});
  EXPECT_NE(Ask(key).As<std::shared_ptr<const facts::Route>>(), nullptr);
  EXPECT_EQ(kernel_->AnswersLeft(), 0U);
}

// --- the namespace ---------------------------------------------------------------------------------------------------

facts::NamespaceFacts WithoutPrograms(facts::NamespaceFacts read) {
  read.programs.clear();
  return read;
}

kernel::netlink::FakeMessage RuleToMain() {
  fib_rule_hdr header = {};
  header.action = FR_ACT_TO_TBL;
  header.table = RT_TABLE_MAIN;
  Request rule(RTM_NEWRULE);
  rule.Header(header);
  return MessageOf(rule);
}

// A dump's message of a route to everything.
kernel::netlink::FakeMessage ListedRoute(std::uint8_t type, std::uint8_t table = RT_TABLE_MAIN,
                                         std::uint8_t type_of_service = 0) {
  rtmsg header = {};
  header.rtm_family = AF_INET;
  header.rtm_type = type;
  header.rtm_table = table;
  header.rtm_tos = type_of_service;
  Request message(RTM_NEWROUTE);
  message.Header(header);
  return MessageOf(message);
}

TEST_F(FactResolverTest, SettingsAndRoutingRulesOfTheNamespaceAreOneFact) {
  WriteSetting("ipv4/ip_early_demux", "1");
  WriteSetting("ipv4/tcp_early_demux", "1");
  WriteSetting("ipv4/ip_forward", "1");
  WriteSetting("ipv6/conf/all/forwarding", "0");
  WriteSetting("bridge/bridge-nf-call-iptables", "1");
  WriteSetting("bridge/bridge-nf-call-ip6tables", "0");
  Request rule(RTM_NEWRULE);
  rule.Header(fib_rule_hdr{}).PutU32(FRA_FWMARK, 7);
  kernel_->Answers({MessageOf(rule), RuleToMain(), Done()}).Answers({ListedRoute(RTN_UNICAST), Done()});
  facts::NamespaceFacts all;
  all.early_demultiplexing = true;
  all.routes_by_mark = true;
  all.routes_by_ports = false;
  all.routes_by_user = false;
  all.routes_by_type_of_service = false;
  all.routes_everything = true;
  all.forwards = true;
  all.bridge_calls_rules = true;
  EXPECT_EQ(WithoutPrograms(AskPresent<facts::NamespaceFacts>(facts::NamespaceKey{IpFamily::kIpv4})), all);

  WriteSetting("ipv4/tcp_early_demux", "0");
  WriteSetting("ipv6/fib_multipath_hash_policy", "1");
  kernel_->Answers({Done()}).Answers({Done()});
  all.early_demultiplexing = false;
  all.routes_by_mark = false;
  all.routes_by_ports = true;     // multipath routes hash them
  all.routes_everything = false;  // there is no default route
  all.forwards = false;
  all.bridge_calls_rules = false;
  EXPECT_EQ(WithoutPrograms(AskPresent<facts::NamespaceFacts>(facts::NamespaceKey{IpFamily::kIpv6})), all);
}

TEST_F(FactResolverTest, WhatRefusesPacketsIsFoundAmongRoutesAndRules) {
  const auto ask = [&](std::uint8_t rules_action, std::vector<kernel::netlink::FakeMessage> routes) {
    fib_rule_hdr header = {};
    header.action = rules_action;
    Request rule(RTM_NEWRULE);
    rule.Header(header);
    routes.push_back(Done());
    kernel_ = FakeKernel::Make();
    kernel_->Answers({RuleToMain(), MessageOf(rule), Done()}).Answers(std::move(routes));
    return AskPresent<facts::NamespaceFacts>(facts::NamespaceKey{IpFamily::kIpv4});
  };
  EXPECT_EQ(ask(FR_ACT_TO_TBL, {ListedRoute(RTN_UNICAST)}).routes_everything, true);
  EXPECT_EQ(ask(FR_ACT_TO_TBL, {ListedRoute(RTN_UNICAST, 77)}).routes_everything, false) << "of another table";
  EXPECT_EQ(ask(FR_ACT_TO_TBL, {ListedRoute(RTN_UNICAST, RT_TABLE_MAIN, 0x10)}).routes_everything, false);
  for (const std::uint8_t type : {RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, RTN_THROW}) {
    EXPECT_EQ(ask(FR_ACT_TO_TBL, {ListedRoute(RTN_UNICAST), ListedRoute(type, 77)}).routes_everything, false);
  }
  for (const std::uint8_t action : {FR_ACT_BLACKHOLE, FR_ACT_UNREACHABLE, FR_ACT_PROHIBIT}) {
    EXPECT_EQ(ask(action, {ListedRoute(RTN_UNICAST)}).routes_everything, false);
  }
  EXPECT_EQ(ask(FR_ACT_TO_TBL, {ListedRoute(RTN_UNICAST, 77, 0x10)}).routes_by_type_of_service, true);
  EXPECT_EQ(ask(FR_ACT_TO_TBL, {ListedRoute(RTN_UNICAST, 77)}).routes_by_type_of_service, false);
}

TEST_F(FactResolverTest, WhatCannotBeReadOfTheNamespaceIsLeftOut) {
  WriteSetting("bridge/bridge-nf-call-iptables", "yes");
  WriteSetting("ipv4/ip_early_demux", "1");
  kernel_->Answers({ErrorMessage(-EPERM)});
  const auto read = AskPresent<facts::NamespaceFacts>(facts::NamespaceKey{IpFamily::kIpv4});
  EXPECT_EQ(WithoutPrograms(read), facts::NamespaceFacts());
  ASSERT_EQ(read.programs.size(), 2U) << "at devices there may be some, either way";
  EXPECT_THAT(read.programs[0].name, testing::HasSubstr("could not be listed"));
  procfs_.Remove("sys/net/bridge");
  kernel_->Answers({ErrorMessage(-EPERM)});
  EXPECT_EQ(AskPresent<facts::NamespaceFacts>(facts::NamespaceKey{IpFamily::kIpv4}).bridge_calls_rules, false)
      << "br_netfilter is not there";
}

TEST_F(FactResolverTest, TheHopLimitIsTheFamilysOrTheDevices) {
  WriteSetting("ipv4/ip_default_ttl", "64");
  WriteSetting("ipv6/conf/eth0/hop_limit", "32");
  EXPECT_EQ(AskPresent<std::uint64_t>(facts::HopLimitKey{IpFamily::kIpv4, ""}), 64U);
  EXPECT_EQ(AskPresent<std::uint64_t>(facts::HopLimitKey{IpFamily::kIpv6, "eth0"}), 32U);
  EXPECT_EQ(AskPresent<std::uint64_t>(facts::HopLimitKey{IpFamily::kIpv6, "../../ipv4/eth0"}), 32U)
      << "no path leads out";
  WriteSetting("ipv4/ip_default_ttl", "300");
  EXPECT_NE(Ask(facts::HopLimitKey{IpFamily::kIpv4, ""}).Why(), nullptr);
}

TEST_F(FactResolverTest, IpsecPoliciesAreCountedWhereXfrmAnswers) {
  constexpr const char* kHeader =
      "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n";
  procfs_.Write("thread-self/net/netlink", std::string(kHeader) + "0000000000000000 0   0          00000000 0\n");
  EXPECT_FALSE(AskPresent<bool>(facts::IpsecPoliciesKey{}));
  procfs_.Write("thread-self/net/netlink", std::string(kHeader) + "0000000000000000 6   0          00000000 0\n");
  xfrmu_spdinfo counts = {};
  counts.fwdcnt = 1;
  const auto* bytes = reinterpret_cast<const std::byte*>(&counts);
  Request message(XFRM_MSG_NEWSPDINFO);
  message.Header(std::uint32_t{0}).PutBytes(XFRMA_SPD_INFO, {bytes, sizeof counts});
  kernel_->Answers({MessageOf(message), Acknowledgement()});
  EXPECT_TRUE(AskPresent<bool>(facts::IpsecPoliciesKey{}));
  EXPECT_THAT(protocols_, ElementsAre(NETLINK_XFRM)) << "and only where it is there";
}

TEST_F(FactResolverTest, IpsecPoliciesAreListedOnceForABatch) {
  procfs_.Write("thread-self/net/netlink", "sk\n0000000000000000 6   0          00000000 0\n");
  const auto policy = [](std::uint8_t last_byte, std::uint8_t direction) {
    xfrm_userpolicy_info info = {};
    info.sel.family = AF_INET;
    info.sel.daddr.a4 = htonl(0xc0000200 + last_byte);
    info.sel.prefixlen_d = 32;
    info.dir = direction;
    Request message(XFRM_MSG_NEWPOLICY);
    message.Header(info);
    return MessageOf(message);
  };
  const Endpoint here{Address("192.0.2.1"), 40000};
  const facts::IpsecPoliciesKey met{here, Endpoint{Address("192.0.2.7"), 80}};
  const facts::IpsecPoliciesKey not_met{here, Endpoint{Address("192.0.2.8"), 80}};
  kernel_->Answers({policy(7, XFRM_POLICY_OUT), policy(8, XFRM_POLICY_MAX + XFRM_POLICY_OUT), Done()});
  Resolve({met, not_met});
  EXPECT_TRUE(Present<bool>(Known(met)));
  EXPECT_FALSE(Present<bool>(Known(not_met))) << "a single socket's";
  kernel_->Answers({ErrorMessage(-EPERM)});
  EXPECT_NE(Ask(not_met).Why(), nullptr);
}

TEST_F(FactResolverTest, QueuesAreReadOnceForABatch) {
  procfs_.Write("thread-self/net/netfilter/nfnetlink_queue", "    5   4711     0 2 65531     0     0        3  1\n");
  Resolve({facts::QueueListenerKey{5}, facts::QueueListenerKey{6}});
  EXPECT_TRUE(Present<bool>(Known(facts::QueueListenerKey{5})));
  EXPECT_FALSE(Present<bool>(Known(facts::QueueListenerKey{6})));
  procfs_.Write("thread-self/net/netfilter/nfnetlink_queue", "none\n");
  EXPECT_NE(Ask(facts::QueueListenerKey{5}).Why(), nullptr);
}

TEST_F(FactResolverTest, EntriesAreCountedAllOrOfOneAddress) {
  WriteSetting("netfilter/nf_conntrack_count", "12");
  EXPECT_NE(Ask(facts::EntryCountKey{}).Why(), nullptr) << "how many sockets there are is not told";
  procfs_.Write("thread-self/net/sockstat", "sockets: used 9\nTCP: inuse 0 orphan 0 tw 2 alloc 9 mem 1\n");
  EXPECT_EQ(AskPresent<std::uint64_t>(facts::EntryCountKey{}), 12U);
  const FakeMessage entry = NetfilterMessage(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW, AF_INET, {});
  kernel_->Answers({entry, entry, Done()});
  EXPECT_EQ(AskPresent<std::uint64_t>(facts::EntryCountKey{Address("192.0.2.1")}), 2U);
  procfs_.Write("thread-self/net/sockstat", "TCP: inuse 30 orphan 0 tw 2 alloc 9 mem 1\n");
  procfs_.Write("thread-self/net/sockstat6", "TCP6: inuse 400\n");
  EXPECT_EQ(AskPresent<std::uint64_t>(facts::EntryCountKey{}), 442U) << "and sockets that may have lost theirs";
  procfs_.Remove("sys/net/netfilter/nf_conntrack_count");
  EXPECT_NE(Ask(facts::EntryCountKey{}).Why(), nullptr);
}

TEST_F(FactResolverTest, AnEntryIsFoundByWhatOneOfItsEndsSends) {
  WriteSetting("netfilter/nf_conntrack_count", "2");
  WriteSetting("netfilter/nf_conntrack_tcp_timeout_fin_wait", "120");
  const Endpoint local{Address("192.0.2.1"), 40000};
  const Endpoint peer{Address("198.51.100.1"), 443};
  const FakeMessage entry = kernel::netlink::MessageOf(kernel::EventMessage({}));
  kernel_->Answers({entry, Acknowledgement()});
  const auto known = AskPresent<std::shared_ptr<const facts::ConnectionEntry>>(facts::EntryKey{local, peer, 0});
  EXPECT_EQ(known->original.source, local);
  EXPECT_TRUE(known->is_original);
  EXPECT_EQ(known->status, 0x20eU);
  EXPECT_EQ(known->timeout_after_fin, 120U);
  kernel_->Answers({ErrorMessage(-ENOENT)});
  EXPECT_TRUE(Ask(facts::EntryKey{peer, local, 5}).IsAbsent());
}

TEST_F(FactResolverTest, AListOfRecentAddressesIsReadWhole) {
  procfs_.Write("thread-self/net/xt_recent/bad", "src=192.0.2.2 ttl: 64 last_seen: 9 oldest_pkt: 2 8, 9\n");
  const facts::RecentKey there{"bad"};
  const facts::RecentKey no_list{"worse"};
  Resolve({there, no_list});
  const auto list = Present<std::shared_ptr<const facts::RecentList>>(Known(there));
  EXPECT_EQ(*list, (facts::RecentList{{{Address("192.0.2.2"), {64, 2}}}}));
  ASSERT_NE(Known(no_list).Why(), nullptr);
  EXPECT_THAT(Known(no_list).Why()->message, HasSubstr("xt_recent/worse"));
}

TEST_F(FactResolverTest, WithoutTheWholeTreeNoControlGroupHasAPlace) {
  procfs_.Write("thread-self/mountinfo", "22 1 0:20 / /sys rw - sysfs sysfs rw\n");
  Resolve({facts::ControlGroupKey{5}, facts::ControlGroupKey{6}});
  for (const std::uint64_t id : {5U, 6U}) {
    ASSERT_NE(Known(facts::ControlGroupKey{id}).Why(), nullptr);
    EXPECT_EQ(Known(facts::ControlGroupKey{id}).Why()->reason, FailureReason::kUnsupported);
  }
}

TEST_F(FactResolverTest, AChangeOfRoutingForgetsRoutesAndNothingElse) {
  const auto events = FakeEvents::Make();
  host_.open_events = [&](const kernel::netlink::Subscription& subscription) { return events->Open(subscription); };
  FactResolver resolver(host_);
  const facts::QueueListenerKey other{5};
  const facts::RouteKey route = RouteTo("198.51.100.1");
  const auto put = [&] {
    store_.Put(route, Fact::Absent());
    store_.Put(other, Fact::Present(true));
    store_.Put(facts::NamespaceKey{}, Fact::Present(facts::NamespaceFacts()));
  };
  put();
  resolver.TakeInChanges(store_);
  EXPECT_EQ(store_.Find(route), nullptr) << "from the first time on nobody has listened";
  EXPECT_NE(store_.Find(other), nullptr);
  EXPECT_THAT(store_.Stale(), ElementsAre(facts::Need(facts::NamespaceKey{}))) << "`ip rule` may have changed";
  put();
  resolver.TakeInChanges(store_);
  EXPECT_NE(store_.Find(route), nullptr) << "nothing has changed";
  Request filter(RTM_NEWTFILTER);
  filter.Header(tcmsg{});
  events->Tells({MessageOf(filter)});
  resolver.TakeInChanges(store_);
  EXPECT_NE(store_.Find(route), nullptr) << "a filter of tc's is no route";
  EXPECT_THAT(store_.Stale(), ElementsAre(facts::Need(facts::NamespaceKey{}))) << "but it may drop packets";
  events->Tells({RouteMessage(RTN_UNICAST, 2)});
  resolver.TakeInChanges(store_);
  EXPECT_EQ(store_.Find(route), nullptr);
}

}  // namespace
}  // namespace finwait::firewall::read
