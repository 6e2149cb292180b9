// What an ipset has, told from the list of its members, against what the kernel answers when it is asked for each
// element (`ipset test`).
#include "collectors/firewall/read/ipset.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "collectors/firewall/packet/connection_class.h"
#include "collectors/firewall/read/ipset_members.h"
#include "collectors/firewall/xt/ipset_conditions.h"
#include "tests/lab/host.h"

namespace finwait::firewall::read {
namespace {

using lab::Namespace;

// A type of set with what its elements are made of, and options.
struct Kind {
  const char* type;
  const char* options = "";
};

constexpr Kind kKinds[] = {{"hash:ip"},
                           {"hash:ip", "counters timeout 600 comment skbinfo"},
                           {"hash:ip", "netmask 30"},
                           {"hash:ip", "family inet6"},
                           {"hash:ip", "family inet6 netmask 126"},
                           {"hash:net"},
                           {"hash:net", "family inet6"},
                           {"hash:ip,port"},
                           {"hash:net,port"},
                           {"hash:ip,port,ip"},
                           {"hash:ip,port,net"},
                           {"hash:net,net"},
                           {"hash:net,port,net", "family inet6"},
                           {"hash:net,iface"},
                           {"hash:ip,mark"},
                           {"hash:ip,mark", "markmask 0x6"},
                           {"bitmap:port", "range 0-1023"},
                           {"bitmap:ip", "range 192.0.2.0/24"},
                           {"bitmap:ip", "range 192.0.2.0/24 netmask 30"}};

// Elements out of so small a room that members and questions meet.
class Maker {
 public:
  Maker(const Kind& kind, unsigned seed) : type_(kind.type), random_(seed) {
    ipv6_ = std::string(kind.options).find("inet6") != std::string::npos;
  }

  // Of a member, as ipset takes it; a net where the type has one.
  std::string Member() {
    std::string text;
    for (const std::string& part : Parts()) {
      text += (text.empty() ? "" : ",") + One(part, part == "net" ? 124 + Below(5) : 128);
    }
    const bool net = type_.find("net") != std::string::npos;
    return text + (net && Below(4) == 0 ? " nomatch" : "") +
           (type_ == "hash:net,iface" && Below(3) == 0 ? " wildcard" : "");
  }
  facts::IpsetElementKey Key() {
    facts::IpsetElementKey key;
    key.set = "s";
    for (const std::string& part : Parts()) {
      if (part == "ip" || part == "net") {
        auto& place = key.address ? key.second_address : key.address;
        place = *IpAddress::Parse(Address());
      } else if (part == "port") {
        key.port = static_cast<std::uint16_t>(Below(4));
      } else if (part == "mark") {
        key.mark = Below(8);
      } else {
        key.device = Device();
      }
    }
    return key;
  }

 private:
  unsigned Below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  std::string Address() {
    std::ostringstream text;
    text << (ipv6_ ? "2001:db8::" : "192.0.2.") << std::hex << Below(ipv6_ ? 32 : 10);
    return text.str();
  }
  std::string Device() { return std::array<const char*, 4>{"eth0", "eth1", "eth", "lo"}[Below(4)]; }
  // `bits` counted as of IPv6.
  std::string One(const std::string& part, unsigned bits) {
    if (part == "ip" || part == "net") {
      return Address() + (bits < 128 ? "/" + std::to_string(ipv6_ ? bits : bits - 96) : "");
    }
    if (part == "port") {
      return (type_.starts_with("hash") && Below(3) == 0 ? "udp:" : "") + std::to_string(Below(4));
    }
    return part == "mark" ? std::to_string(Below(8)) : Device();
  }
  std::vector<std::string> Parts() const {
    std::vector<std::string> parts;
    std::istringstream text(type_.substr(type_.find(':') + 1));
    for (std::string part; std::getline(text, part, ',');) {
      parts.push_back(part);
    }
    return parts;
  }

  std::string type_;
  std::mt19937 random_;
  bool ipv6_;
};

// As the tool writes it, of the parts in the type's order.
std::string TextOf(const facts::IpsetElementKey& key) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ",") + part; };
  if (key.address) {
    add(key.address->Text());
  }
  if (key.port) {
    add(std::to_string(*key.port));
  }
  if (key.second_address) {
    add(key.second_address->Text());
  }
  if (key.mark) {
    add(std::to_string(*key.mark));
  }
  if (!key.device.empty()) {
    add(key.device);
  }
  return text;
}

// Calls `look` in a namespace with a random set "s" for each kind: with elements, what the kernel answers of each, and
// how it all was made.
template <typename Collect>
void WithEachKind(Collect look) {
  unsigned seed = 1;
  for (const Kind& kind : kKinds) {
    const Namespace where;
    Maker maker(kind, seed++);
    const std::string create = std::string("ipset create s ") + kind.type + " " + kind.options;
    if (where.Command({"sh", "-c", create}).exit_code != 0) {
      continue;  // not every kernel has every type
    }
    std::string script;
    for (int i = 0; i < 8; ++i) {
      script += "ipset -exist add s " + maker.Member() + "\n";
    }
    std::vector<facts::IpsetElementKey> keys;
    for (int i = 0; i < 24; ++i) {
      keys.push_back(maker.Key());
      script += "ipset test s " + TextOf(keys.back()) + " 2>/dev/null && echo 1 || echo 0\n";
    }
    std::istringstream said(where.Shell(script));
    std::vector<bool> expected;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      int answer = -1;
      said >> answer;
      expected.push_back(answer == 1);
    }
    where.Run([&] { look(keys, expected, create + "\n" + script); });
  }
}

TEST(IpsetTest, TheListTellsOfEveryElementWhatTheKernelSaysOfIt) {
  std::size_t hits = 0;
  std::size_t asked = 0;
  WithEachKind([&](const auto& keys, const std::vector<bool>& expected, const std::string& made) {
    const auto found = AreInIpsets(lab::HostHere(), keys, Deadline::After(std::chrono::seconds(10)));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      ASSERT_TRUE(found[i]) << found[i].error().message;
      EXPECT_EQ(*found[i], expected[i]) << made << TextOf(keys[i]);
      hits += expected[i] ? 1 : 0;
      ++asked;
    }
  });
  EXPECT_GT(asked, 200U);
  EXPECT_GT(hits, asked / 8);
  EXPECT_LT(hits, asked - asked / 8);
}

// An element of which some parts are open, and the packet that has its parts.
class OpenElement {
 public:
  // `open`: the bits of it say which parts.
  OpenElement(const facts::IpsetElementKey& key, unsigned open) {
    packet_.family = key.address ? key.address->Family() : IpFamily::kIpv4;
    element_.family = packet_.family;
    element_.device = key.device;
    const auto bytes = [&](std::vector<packet::AbstractByte>& room, Field field, Wide value, unsigned part) {
      const unsigned size = SizeOf(field, packet_.family);
      for (unsigned i = 0; i < size; ++i) {
        room.push_back((open >> part & 1) != 0
                           ? packet::AbstractByte::Of(field, i)
                           : packet::AbstractByte::Known(static_cast<std::uint8_t>(value >> 8 * (size - 1 - i))));
      }
      packet_.Restrict(field, packet::IntervalSet::Between(value, value));
      return packet::AbstractBytes(room);
    };
    if (key.address) {
      element_.address = bytes(rooms_[0], Field::kSourceAddress, packet::NumberOf(*key.address), 0);
    }
    if (key.second_address) {
      element_.second_address = bytes(rooms_[1], Field::kDestinationAddress, packet::NumberOf(*key.second_address), 1);
    }
    if (key.port) {
      element_.port = bytes(rooms_[2], Field::kSourcePort, *key.port, 2);
    }
    if (key.mark) {
      element_.mark = bytes(rooms_[3], Field::kMark, *key.mark, 3);
    }
  }
  const xt::IpsetElement& Element() const { return element_; }
  // Whether all hold of the packet.
  bool Meets(const packet::Conditions& conditions) const {
    return std::all_of(conditions.begin(), conditions.end(), [&](const packet::Condition& condition) {
      packet::Packet packet = packet_;
      packet::Packet missed;
      std::string because;
      const packet::Decision decision = packet::Decide(condition, packet, &missed, &because);
      EXPECT_NE(decision, packet::Decision::kBoth) << because;
      return decision == packet::Decision::kYes;
    });
  }

 private:
  using Field = packet::Field;
  using Wide = packet::Wide;
  packet::Packet packet_;
  std::array<std::vector<packet::AbstractByte>, 4> rooms_;
  xt::IpsetElement element_;
};

TEST(IpsetTest, WhatItHoldsOfOpenPartsIsWhatTheKernelSaysOfEachElement) {
  std::size_t asked = 0;
  std::size_t not_said = 0;
  WithEachKind([&](const auto& keys, const std::vector<bool>& expected, const std::string& made) {
    const auto contents = ReadIpsetContents(lab::HostHere(), "s", Deadline::After(std::chrono::seconds(10)));
    ASSERT_TRUE(contents) << contents.error().message;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const facts::IpsetElementKey& key = keys[i];
      const unsigned parts =
          (key.address ? 1U : 0U) | (key.second_address ? 2U : 0U) | (key.port ? 4U : 0U) | (key.mark ? 8U : 0U);
      for (unsigned open = 1; open < 16; ++open) {
        if ((open & parts) != open) {
          continue;
        }
        const OpenElement element(key, open);
        for (const bool inverted : {false, true}) {
          const auto conditions = xt::ConditionsOfIpset(*contents, element.Element(), false, inverted);
          ++asked;
          if (!conditions) {
            ++not_said;
            continue;
          }
          EXPECT_EQ(element.Meets(*conditions), expected[i] != inverted)
              << made << TextOf(key) << " open " << open << " inverted " << inverted;
        }
      }
    }
  });
  EXPECT_GT(asked, 1000U);
  EXPECT_LT(not_said, asked / 2) << "networks with ports that overlap, or of which some are excluded";
}

TEST(IpsetTest, AskingCountsInNoElement) {
  const Namespace where;
  where.Shell("ipset create s hash:ip counters; ipset add s 192.0.2.1 packets 3 bytes 4");
  where.Run([] {
    facts::IpsetElementKey key;
    key.set = "s";
    key.address = *IpAddress::Parse("192.0.2.1");
    EXPECT_TRUE(AreInIpsets(lab::HostHere(), {key}, Deadline::After(std::chrono::seconds(10)))[0].value_or(false));
  });
  EXPECT_THAT(where.Shell("ipset list s"), testing::HasSubstr("packets 3 bytes 4"));
}

TEST(IpsetTest, OfASetThatIsTooLongNothingIsSaid) {
  const Namespace where;
  std::string members = "create s hash:net maxelem 1000000\n";
  for (std::size_t i = 0; i <= IpsetMembers::kMost; ++i) {
    members += "add s 10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
               std::to_string(i & 255) + "\n";
  }
  ASSERT_EQ(where.Command({"ipset", "restore"}, members).exit_code, 0);
  where.Run([] {
    facts::IpsetElementKey key;
    key.set = "s";
    key.address = *IpAddress::Parse("10.0.0.1");
    const auto found = AreInIpsets(lab::HostHere(), {key}, Deadline::After(std::chrono::seconds(10)));
    ASSERT_FALSE(found[0]);
    EXPECT_EQ(found[0].error().message, "list an ipset: it has more than 65536 members");
  });
}

}  // namespace
}  // namespace finwait::firewall::read
