// One entry in words, held against conntrack(8).
#include "collectors/kernel/entry_text.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::kernel {
namespace {

// Seconds pass between two looks, and a dump holds a reference that a look-up does not.
std::string Stable(const std::string& text) {
  static const std::regex kChanging(R"(^(tcp +6) \d+|use=\d+| *\n$| +$)");
  return std::regex_replace(text, kChanging, "$1");
}

class EntryTextTest : public testing::Test {
 protected:
  void ExpectAsConntrackPrintsIt(const std::string& peer, const char* family) {
    const lab::Listener listener(wire_.peer, peer, 80);
    wire_.local.Shell(
        "nft 'add table inet t; add chain inet t c { type filter hook output priority 0; }; "
        "add rule inet t c ct mark set 7'");
    const UniqueFd client = lab::Connect(wire_.local, peer, 80);
    const UniqueFd server = listener.Accept();
    wire_.local.Run([&] {
      const auto text =
          FindEntryText(lab::HostHere(), *Endpoint::Parse(lab::LocalEndpoint(client)),
                        *Endpoint::Parse(lab::PeerEndpoint(client)), {}, Deadline::After(std::chrono::seconds(5)));
      ASSERT_TRUE(text) << text.error().message;
      ASSERT_TRUE(*text);
      EXPECT_NE((*text)->find("ESTABLISHED"), std::string::npos) << **text;
      EXPECT_NE((*text)->find("mark=7"), std::string::npos) << **text;
      EXPECT_EQ(Stable(**text),
                Stable(wire_.local.Shell(std::string("conntrack -L -p tcp --dport 80 -f ") + family + " 2>/dev/null")));
    });
  }

  const lab::Wire wire_;
};

TEST_F(EntryTextTest, Ipv4ReadsAsConntrackPrintsIt) { ExpectAsConntrackPrintsIt(lab::Wire::kPeer4, "ipv4"); }
TEST_F(EntryTextTest, Ipv6ReadsAsConntrackPrintsIt) { ExpectAsConntrackPrintsIt(lab::Wire::kPeer6, "ipv6"); }

TEST_F(EntryTextTest, WhereNoneIsThereIsNone) {
  wire_.local.Run([] {
    const auto text = FindEntryText(lab::HostHere(), *Endpoint::Parse("192.0.2.1:9"), *Endpoint::Parse("192.0.2.2:9"),
                                    {1, 2}, Deadline::After(std::chrono::seconds(5)));
    ASSERT_TRUE(text) << text.error().message;
    EXPECT_EQ(*text, std::nullopt);
  });
}

TEST_F(EntryTextTest, AnEntryInAnotherZoneIsFoundThere) {
  const lab::Listener listener(wire_.peer, lab::Wire::kPeer4, 80);
  wire_.local.Shell(
      "nft 'add table inet t; add chain inet t c { type filter hook output priority -300; }; "
      "add chain inet t p { type filter hook prerouting priority -300; }; "
      "add rule inet t c ct zone set 5; add rule inet t p ct zone set 5'");
  const UniqueFd client = lab::Connect(wire_.local, lab::Wire::kPeer4, 80);
  wire_.local.Run([&] {
    const auto find = [&](const ConntrackZones& zones) {
      return FindEntryText(lab::HostHere(), *Endpoint::Parse(lab::LocalEndpoint(client)),
                           *Endpoint::Parse(lab::PeerEndpoint(client)), zones,
                           Deadline::After(std::chrono::seconds(5)));
    };
    EXPECT_EQ(find({}).value(), std::nullopt);
    const auto there = find({3, 5}).value();
    ASSERT_TRUE(there);
    EXPECT_NE(there->find("zone=5"), std::string::npos) << *there;
  });
}

}  // namespace
}  // namespace finwait::kernel
