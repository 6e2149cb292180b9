#include "collectors/firewall/read/ipset_members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <memory>

#include "tests/unit/collectors/firewall/read/message_parts.h"

// What the kernel's list of an ipset says of elements: lists as its hash types write them (mtype_list() of
// ip_set_hash_gen.h).
namespace finwait::firewall::read {
namespace {

using facts::IpsetElementKey;
using testing::ElementsAre;
using testing::HasSubstr;

IpAddress AddressIn(const std::string& text) { return *IpAddress::Parse(text); }

Put AddressPart(std::uint16_t type, const std::string& text) {
  const IpAddress address = AddressIn(text);
  const bool ipv4 = address.Family() == IpFamily::kIpv4;
  return Nest(type, {Raw(ipv4 ? IPSET_ATTR_IPADDR_IPV4 : IPSET_ATTR_IPADDR_IPV6,
                         Value(address.Bytes().begin(), address.Bytes().end()))});
}
Put Ip(const std::string& text) { return AddressPart(IPSET_ATTR_IP, text); }
Put Ip2(const std::string& text) { return AddressPart(IPSET_ATTR_IP2, text); }
Put Flags(std::uint32_t flags) { return Number32(IPSET_ATTR_CADT_FLAGS, flags); }

class IpsetMembersTest : public testing::Test {
 protected:
  void Asks(IpsetElementKey element) { elements_.push_back(std::make_unique<IpsetElementKey>(std::move(element))); }
  void AsksFor(const std::string& address) {
    IpsetElementKey element;
    element.address = AddressIn(address);
    Asks(std::move(element));
  }
  // One message with the set's form and its members.
  Result<void> Take(const std::vector<std::vector<Put>>& members, std::vector<Put> form = {}) {
    Begin();
    std::vector<Put> list;
    for (const std::vector<Put>& member : members) {
      list.push_back(Nest(IPSET_ATTR_DATA, member));
    }
    return members_->Take(BytesOfParts({Text(IPSET_ATTR_SETNAME, "s"), Nest(IPSET_ATTR_DATA, std::move(form)),
                                        Nest(IPSET_ATTR_ADT, std::move(list))}));
  }
  std::vector<bool> Has(const std::vector<std::vector<Put>>& members, std::vector<Put> form = {}) {
    if (const auto taken = Take(members, std::move(form)); !taken) {
      ADD_FAILURE() << taken.error().message;
      return {};
    }
    std::vector<bool> has;
    for (const auto& answer : members_->Answers()) {
      EXPECT_TRUE(answer.has_value());
      has.push_back(answer && answer->has);
    }
    return has;
  }
  void ExpectUnknownForm(const Result<void>& taken) {
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().reason, FailureReason::kUnsupported);
    EXPECT_THAT(taken.error().message, HasSubstr("options that this program does not know"));
  }
  void Begin() {
    asked_.clear();
    for (const auto& element : elements_) {
      asked_.push_back(element.get());
    }
    members_ = std::make_unique<IpsetMembers>(asked_);
  }

  std::vector<std::unique_ptr<IpsetElementKey>> elements_;
  std::vector<const IpsetElementKey*> asked_;
  std::unique_ptr<IpsetMembers> members_;
};

TEST_F(IpsetMembersTest, AnAddressIsInASetOfAddressesOrOfNetworks) {
  AsksFor("192.0.2.7");
  AsksFor("198.51.100.7");
  EXPECT_EQ(Has({{Ip("192.0.2.7"), Number32(IPSET_ATTR_TIMEOUT, 30)}, {Ip("192.0.2.8")}}),
            (std::vector<bool>{true, false}));
  EXPECT_EQ(Has({{Ip("198.51.100.0"), Number8(IPSET_ATTR_CIDR, 29)}}), (std::vector<bool>{false, true}));
  EXPECT_EQ(Has({}), (std::vector<bool>{false, false}));
}

TEST_F(IpsetMembersTest, OfIpv6Too) {
  AsksFor("2001:db8::5");
  AsksFor("2001:db9::5");
  EXPECT_EQ(Has({{Ip("2001:db8::"), Number8(IPSET_ATTR_CIDR, 32)}}), (std::vector<bool>{true, false}));
}

TEST_F(IpsetMembersTest, TheLongestPrefixDecidesAndMayExclude) {
  AsksFor("192.0.2.7");
  AsksFor("192.0.2.200");
  IpsetElementKey excluded;
  excluded.address = AddressIn("192.0.2.7");
  excluded.excluded = true;
  Asks(excluded);
  EXPECT_EQ(Has({{Ip("192.0.2.0"), Number8(IPSET_ATTR_CIDR, 25), Flags(IPSET_FLAG_NOMATCH)},
                 {Ip("192.0.2.0"), Number8(IPSET_ATTR_CIDR, 24)}}),
            (std::vector<bool>{false, true, true}));
}

TEST_F(IpsetMembersTest, MembersOfOtherProtocolsSayNothingOfTcp) {
  IpsetElementKey element;
  element.address = AddressIn("192.0.2.7");
  element.port = 443;
  Asks(element);
  const auto with = [&](std::uint8_t protocol, std::uint16_t port) {
    return Has({{Ip("192.0.2.7"), Number16(IPSET_ATTR_PORT, port), Number8(IPSET_ATTR_PROTO, protocol)}});
  };
  EXPECT_EQ(with(IPPROTO_TCP, 443), std::vector<bool>{true});
  EXPECT_EQ(with(IPPROTO_UDP, 443), std::vector<bool>{false});
  EXPECT_EQ(with(IPPROTO_TCP, 80), std::vector<bool>{false});
}

TEST_F(IpsetMembersTest, TwoNetworksAndTheirPrefixes) {
  IpsetElementKey element;
  element.address = AddressIn("192.0.2.7");
  element.second_address = AddressIn("198.51.100.7");
  Asks(element);
  const auto with = [&](std::uint8_t first, std::uint8_t second) {
    return Has(
        {{Ip("192.0.2.0"), Ip2("198.51.100.0"), Number8(IPSET_ATTR_CIDR, first), Number8(IPSET_ATTR_CIDR2, second)}});
  };
  EXPECT_EQ(with(24, 24), std::vector<bool>{true});
  EXPECT_EQ(with(30, 24), std::vector<bool>{false});
  EXPECT_EQ(with(24, 30), std::vector<bool>{false});
}

TEST_F(IpsetMembersTest, AMarkIsComparedUnderTheSetsMask) {
  IpsetElementKey element;
  element.address = AddressIn("192.0.2.7");
  element.mark = 0x1234;
  Asks(element);
  const std::vector<Put> member = {Ip("192.0.2.7"), Number32(IPSET_ATTR_MARK, 0x34)};
  EXPECT_EQ(Has({member}), std::vector<bool>{false});
  const Put as_the_kernel_holds_it = [](auto& into) { into.PutU32(IPSET_ATTR_MARKMASK, 0xff); };
  EXPECT_EQ(Has({member}, {as_the_kernel_holds_it}), std::vector<bool>{true});
  EXPECT_EQ(Has({member}, {Number32(IPSET_ATTR_MARKMASK | NLA_F_NET_BYTEORDER, 0xff)}), std::vector<bool>{true});
}

TEST_F(IpsetMembersTest, ASetWithANetmaskKeepsNetworksForTheirAddresses) {
  AsksFor("192.0.2.7");
  AsksFor("192.0.3.7");
  EXPECT_EQ(Has({{Ip("192.0.2.0")}}, {Number8(IPSET_ATTR_NETMASK, 24)}), (std::vector<bool>{true, false}));
}

TEST_F(IpsetMembersTest, ADeviceIsNamedWholeOrByItsBeginning) {
  IpsetElementKey element;
  element.address = AddressIn("192.0.2.7");
  element.device = "eth0";
  Asks(element);
  const auto with = [&](const std::string& device, std::uint32_t flags) {
    return Has({{Ip("192.0.2.0"), Number8(IPSET_ATTR_CIDR, 24), Text(IPSET_ATTR_IFACE, device), Flags(flags)}});
  };
  EXPECT_EQ(with("eth0", 0), std::vector<bool>{true});
  EXPECT_EQ(with("eth1", 0), std::vector<bool>{false});
  EXPECT_EQ(with("eth", 0), std::vector<bool>{false});
  EXPECT_EQ(with("eth", IPSET_FLAG_IFACE_WILDCARD), std::vector<bool>{true});
  EXPECT_EQ(with("eth0", IPSET_FLAG_PHYSDEV), std::vector<bool>{false}) << "the port of a bridge";
}

TEST_F(IpsetMembersTest, OfNetworksWithDevicesNoShorterPrefixIsTriedOnceOneIsThere) {
  IpsetElementKey element;
  element.address = AddressIn("192.0.2.7");
  element.device = "eth0";
  Asks(element);
  const auto member = [](std::uint8_t length, const char* device) {
    return std::vector<Put>{Ip("192.0.2.0"), Number8(IPSET_ATTR_CIDR, length), Text(IPSET_ATTR_IFACE, device)};
  };
  EXPECT_EQ(Has({member(25, "eth1"), member(24, "eth0")}), std::vector<bool>{false});
  EXPECT_EQ(Has({member(25, "eth1"), member(25, "eth0")}), std::vector<bool>{true});
}

TEST_F(IpsetMembersTest, MembersThatContradictEachOtherTellNothing) {
  IpsetElementKey element;
  element.address = AddressIn("192.0.2.7");
  element.device = "eth0";
  Asks(element);
  const std::vector<Put> in = {Ip("192.0.2.0"), Number8(IPSET_ATTR_CIDR, 24), Text(IPSET_ATTR_IFACE, "eth0")};
  std::vector<Put> out = {Ip("192.0.2.0"), Number8(IPSET_ATTR_CIDR, 24), Text(IPSET_ATTR_IFACE, "eth"),
                          Flags(IPSET_FLAG_IFACE_WILDCARD | IPSET_FLAG_NOMATCH)};
  ASSERT_TRUE(Take({in, out}));
  const auto answers = members_->Answers();
  ASSERT_EQ(answers.size(), 1U);
  ASSERT_FALSE(answers[0]);
  EXPECT_EQ(answers[0].error().message, "list an ipset: its members contradict each other");
}

TEST_F(IpsetMembersTest, CountersAreThoseOfTheMemberThatHoldsTheElement) {
  AsksFor("192.0.2.7");
  const auto number64 = [](std::uint16_t type, std::uint64_t value) {
    return Put([=](Request& into) { into.PutBigEndian64(type, value); });
  };
  ASSERT_TRUE(Take({{Ip("192.0.2.6"), number64(IPSET_ATTR_PACKETS, 1), number64(IPSET_ATTR_BYTES, 2)},
                    {Ip("192.0.2.7"), number64(IPSET_ATTR_PACKETS, 50), number64(IPSET_ATTR_BYTES, 5000)}},
                   {Flags(IPSET_FLAG_WITH_COUNTERS)}));
  const auto answers = members_->Answers();
  ASSERT_TRUE(answers.size() == 1 && answers[0]);
  EXPECT_EQ(answers[0]->extensions, (facts::IpsetExtensions{true, 50, 5000}));
  ASSERT_TRUE(Take({{Ip("192.0.2.7")}}));
  EXPECT_FALSE(members_->Answers()[0]->extensions.counts);
}

TEST_F(IpsetMembersTest, AMemberTellsTheMarkAndPriorityThatItMapsTo) {
  AsksFor("192.0.2.7");
  const Put mark([](Request& into) { into.PutBigEndian64(IPSET_ATTR_SKBMARK, 0x00000010'000000ff); });
  ASSERT_TRUE(Take({{Ip("192.0.2.0"), Number8(IPSET_ATTR_CIDR, 24), Number32(IPSET_ATTR_SKBPRIO, 5)},
                    {Ip("192.0.2.7"), mark, Number32(IPSET_ATTR_SKBPRIO, 0x1000a)}},
                   {Flags(IPSET_FLAG_WITH_SKBINFO)}));
  const auto answers = members_->Answers();
  ASSERT_TRUE(answers.size() == 1 && answers[0]);
  EXPECT_EQ(answers[0]->extensions, (facts::IpsetExtensions{false, 0, 0, 0x10, 0xff, 0x1000a}));
  EXPECT_FALSE(answers[0]->ambiguous);
}

TEST_F(IpsetMembersTest, OfTwoMembersThatHoldAnElementEitherMayDecide) {
  AsksFor("192.0.2.7");
  elements_.back()->device = "eth0";
  const auto ambiguous = [&](std::uint32_t first, std::uint32_t second) {
    const Put wildcard = Flags(IPSET_FLAG_IFACE_WILDCARD);
    EXPECT_TRUE(
        Take({{Ip("192.0.2.7"), Text(IPSET_ATTR_IFACE, "eth0"), Number32(IPSET_ATTR_SKBPRIO, first)},
              {Ip("192.0.2.7"), Text(IPSET_ATTR_IFACE, "eth"), wildcard, Number32(IPSET_ATTR_SKBPRIO, second)}}));
    const auto answers = members_->Answers();
    return answers.size() == 1 && answers[0] && answers[0]->has && answers[0]->ambiguous;
  };
  EXPECT_TRUE(ambiguous(1, 2));
  EXPECT_FALSE(ambiguous(1, 1));
}

TEST_F(IpsetMembersTest, AMemberWithoutAnEthernetAddressHoldsAnyOfThem) {
  const std::array<std::uint8_t, 6> one = {2, 0, 0, 0, 0, 1};
  const std::array<std::uint8_t, 6> other = {2, 0, 0, 0, 0, 2};
  AsksFor("192.0.2.7");
  elements_.back()->hardware_address = one;
  AsksFor("192.0.2.7");
  elements_.back()->hardware_address = other;
  const Put ether = Raw(IPSET_ATTR_ETHER, Bytes({2, 0, 0, 0, 0, 1}));
  EXPECT_THAT(Has({{Ip("192.0.2.7")}}), ElementsAre(true, true));
  EXPECT_THAT(Has({{Ip("192.0.2.7"), ether}}), ElementsAre(true, false));
  elements_.back()->hardware_address.reset();
  EXPECT_THAT(Has({{Ip("192.0.2.7")}}), ElementsAre(true, true));
  EXPECT_THAT(Has({{Ip("192.0.2.6"), ether}}), ElementsAre(false, false));
  ASSERT_TRUE(Take({{Ip("192.0.2.7"), ether}}));
  EXPECT_FALSE(members_->Answers()[1]) << "which one the packet has is not known";
}

TEST_F(IpsetMembersTest, AnotherFormThanTheElementsOrANewOptionIsNotGuessedAt) {
  AsksFor("192.0.2.7");
  ExpectUnknownForm(Take({{Ip("192.0.2.7"), Number16(IPSET_ATTR_PORT, 80)}}));
  ExpectUnknownForm(Take({{Number16(IPSET_ATTR_PORT, 80)}}));
  constexpr std::uint16_t kBitMask = 12;  // IPSET_ATTR_BITMASK, Linux 6.1
  ExpectUnknownForm(Take({{Ip("192.0.2.7")}}, {Raw(kBitMask, Bytes({255, 0, 255, 0}))}));
  Begin();
  Value torn = BytesOfParts({Nest(IPSET_ATTR_ADT, {Nest(IPSET_ATTR_DATA, {Ip("192.0.2.7")})})});
  torn.resize(torn.size() - 2);
  ExpectUnknownForm(members_->Take(torn));
}

TEST_F(IpsetMembersTest, ANetmaskOverTwoAddressesIsNotGuessedAt) {
  IpsetElementKey element;
  element.address = AddressIn("192.0.2.7");
  element.second_address = AddressIn("198.51.100.7");
  Asks(element);
  ExpectUnknownForm(Take({}, {Number8(IPSET_ATTR_NETMASK, 24)}));
}

TEST_F(IpsetMembersTest, ATooLongListIsNotReadToItsEnd) {
  AsksFor("192.0.2.7");
  Begin();
  const Value one = BytesOfParts({Nest(IPSET_ATTR_ADT, {Nest(IPSET_ATTR_DATA, {Ip("192.0.2.7")})})});
  for (std::size_t i = 0; i < IpsetMembers::kMost; ++i) {
    ASSERT_TRUE(members_->Take(one));
  }
  const auto beyond = members_->Take(one);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().message, "list an ipset: it has more than 65536 members");
}

}  // namespace
}  // namespace finwait::firewall::read
