#include "collectors/kernel/neighbours.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "tests/unit/collectors/kernel/netlink/fake_transport.h"

namespace finwait::kernel {
namespace {

using netlink::Done;
using netlink::FakeKernel;
using netlink::FakeMessage;
using netlink::MessageOf;
using testing::ElementsAre;
using testing::Pair;

FakeMessage NeighbourMessage(int device, const char* address, std::uint16_t state, std::size_t size = 6,
                             std::uint8_t flags = 0) {
  ndmsg header = {};
  header.ndm_ifindex = device;
  header.ndm_state = state;
  header.ndm_flags = flags;
  constexpr std::uint8_t kHardware[] = {2, 0, 0, 0, 0, 0x77};
  netlink::Request message(RTM_NEWNEIGH);
  message.Header(header)
      .PutBytes(NDA_DST, IpAddress::Parse(address)->Bytes())
      .PutBytes(NDA_LLADDR, std::as_bytes(std::span(kHardware)).first(size));
  return MessageOf(message);
}

TEST(NeighboursTest, AreThoseWhoseAddressTheKernelWouldSendTo) {
  const std::shared_ptr<FakeKernel> kernel = FakeKernel::Make();
  Host host;
  host.open_channel = [&](int protocol) { return kernel->Open(protocol); };
  kernel->Answers({NeighbourMessage(2, "192.0.2.1", NUD_STALE), NeighbourMessage(3, "192.0.2.2", NUD_PERMANENT),
                   NeighbourMessage(2, "192.0.2.3", NUD_FAILED), NeighbourMessage(2, "192.0.2.4", NUD_INCOMPLETE),
                   NeighbourMessage(1, "192.0.2.5", NUD_NOARP), NeighbourMessage(2, "192.0.2.6", NUD_REACHABLE, 4),
                   NeighbourMessage(2, "192.0.2.7", NUD_REACHABLE, 6, NTF_PROXY), Done()});
  const auto neighbours = ReadNeighbours(host, IpFamily::kIpv4, Deadline::After(std::chrono::seconds(5)));
  ASSERT_TRUE(neighbours.has_value()) << neighbours.error().message;
  const std::array<std::uint8_t, 6> hardware = {2, 0, 0, 0, 0, 0x77};
  EXPECT_THAT(*neighbours, ElementsAre(Pair(Pair(2U, *IpAddress::Parse("192.0.2.1")), hardware),
                                       Pair(Pair(3U, *IpAddress::Parse("192.0.2.2")), hardware)));
}

}  // namespace
}  // namespace finwait::kernel
