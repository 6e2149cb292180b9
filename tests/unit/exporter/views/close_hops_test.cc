#include "exporter/views/close_hops.h"

#include <gtest/gtest.h>

namespace finwait::views {
namespace {

using diagnosis::Fate;

TEST(CloseHopsTest, TheHopThatLosesMoreDecides) {
  EXPECT_TRUE(HostDecides(Fate::kClean, Fate::kFinDropped));
  EXPECT_TRUE(HostDecides(Fate::kAckDropped, Fate::kFinDropped));
  EXPECT_TRUE(HostDecides(Fate::kUnknown, Fate::kNatLost));
  EXPECT_FALSE(HostDecides(Fate::kFinDropped, Fate::kNatLost));
  EXPECT_FALSE(HostDecides(Fate::kAckDropped, Fate::kAckDropped));
}

TEST(CloseHopsTest, AFinThatIsNoLongerTranslatedIsNotTheHostsToDecide) {
  EXPECT_FALSE(HostDecides(Fate::kNatLost, Fate::kFinDropped));
}

}  // namespace
}  // namespace finwait::views
