#include "collectors/firewall/analysis/conntrack_use.h"

#include <gmock/gmock.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_CT.h>

#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"
#include "tests/unit/collectors/firewall/xt/info.h"

namespace finwait::firewall::analysis {
namespace {

using packet::Tristate;

Tristate NeedsWith(const Expression& expression) {
  const Ruleset ruleset = eval::HandMadeTable().Base("o", Hook::kOutput, {{expression}}).AsRuleset();
  return NeedsConntrack(ruleset, IpFamily::kIpv4);
}

TEST(ConntrackUseTest, ARuleThatAsksForTheEntryNeedsConntrack) {
  EXPECT_EQ(NeedsWith(CtLoad{NFT_CT_STATE, {}, Register{0}}), Tristate::kYes);
  EXPECT_EQ(NeedsWith(XtMatch{"state", 0, {}}), Tristate::kYes);
  EXPECT_EQ(NeedsWith(XtTarget{"CONNMARK", 1, {}}), Tristate::kYes);
  EXPECT_EQ(NeedsWith(ObjectReference{NFT_OBJECT_CT_HELPER, "ftp"}), Tristate::kYes);
}

TEST(ConntrackUseTest, OtherRulesDoNot) {
  EXPECT_EQ(NeedsWith(Counter{}), Tristate::kNo);
  EXPECT_EQ(NeedsWith(Notrack{}), Tristate::kNo);
  EXPECT_EQ(NeedsWith(XtTarget{"NOTRACK", 0, {}}), Tristate::kNo);
  EXPECT_EQ(NeedsWith(ObjectReference{NFT_OBJECT_COUNTER, "c"}), Tristate::kNo);
  xt_ct_target_info info = {};
  info.flags = XT_CT_NOTRACK;
  EXPECT_EQ(NeedsWith(XtTarget{"CT", 0, xt::InfoOf(info)}), Tristate::kNo);
}

// `add @meter { ip saddr ct count over 10 }`: nft_connlimit_do_init() takes conntrack into use.
TEST(ConntrackUseTest, AMeterOfConnectionsNeedsConntrack) {
  DynamicSet meter;
  meter.set = "meter";
  meter.expressions = {"connlimit"};
  EXPECT_EQ(NeedsWith(meter), Tristate::kYes);
}

}  // namespace
}  // namespace finwait::firewall::analysis
