#include "collectors/firewall/model/ruleset.h"

#include <gtest/gtest.h>

namespace finwait::firewall {
namespace {

TEST(RulesetTest, NamesAFlowtableWithWhereItIs) {
  FlowtableInTable flowtable{TableFamily::kIpv4, "fw", {"f", 0, true, {}}};
  EXPECT_EQ(Describe(flowtable), "flowtable \"f\" of nft table ip fw (at no device, priority 0, offload to hardware)");
  for (const char* device : {"a", "b", "c", "d", "e"}) {
    flowtable.flowtable.devices.push_back({device, false});
  }
  flowtable.flowtable.hardware = false;
  EXPECT_EQ(Describe(flowtable),
            "flowtable \"f\" of nft table ip fw (at the ingress of a, b, c, d and 1 more device, priority 0)");
}

}  // namespace
}  // namespace finwait::firewall
