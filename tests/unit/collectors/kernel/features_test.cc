#include "collectors/kernel/features.h"

#include <gtest/gtest.h>

#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::kernel {
namespace {

// One directory stands in for /proc, /sys, /lib/modules and /boot.
class KernelFeatureTest : public testing::Test {
 protected:
  KernelFeatures::Paths Paths() const {
    return {root_.Root(), root_.Root(), root_.Root(), root_.Root() / "boot", "6.1.0"};
  }
  FeatureState Find() { return KernelFeatures(Paths()).Find(kNfTables); }
  ProcfsFixture root_;
};

TEST_F(KernelFeatureTest, AModuleThatIsLoadedIsSafeToAsk) {
  root_.Write("modules", "nft_ct 1 0 - Live 0x0\nnf_tables 368640 12 nft_compat, Live 0x0\n");
  EXPECT_EQ(Find(), FeatureState::kSafeToAsk);
}

TEST_F(KernelFeatureTest, SysfsTellsOfALoadedModuleWhereProcDoesNot) {
  root_.Write("modules", "");
  root_.Write("module/nf_tables/refcnt", "1\n");
  EXPECT_EQ(Find(), FeatureState::kSafeToAsk);
}

TEST_F(KernelFeatureTest, WhatIsBuiltInIsSafeToAskHoweverItsFileIsSpelt) {
  root_.Write("modules", "ext4 1 0 - Live 0x0\n");
  root_.Write("6.1.0/modules.builtin", "kernel/fs/ext4.ko\nkernel/net/netfilter/nf-tables.ko\n");
  EXPECT_EQ(Find(), FeatureState::kSafeToAsk);
}

TEST_F(KernelFeatureTest, TheListOfSymbolsIsTheLastResort) {
  root_.Write("modules", "");
  root_.Write("kallsyms", "ffffffff81000000 T printk\nffffffff81000010 T nft_register_chain_type\n");
  EXPECT_EQ(Find(), FeatureState::kSafeToAsk);
}

TEST_F(KernelFeatureTest, TheKernelsConfigurationTellsWhatIsBuiltIn) {
  root_.Write("modules", "");
  root_.Write("boot/config-6.1.0", "# Linux\nCONFIG_NF_TABLES_INET=y\nCONFIG_NF_TABLES=y\n");
  EXPECT_EQ(Find(), FeatureState::kSafeToAsk);
  root_.Write("boot/config-6.1.0", "# Linux\nCONFIG_NF_TABLES_INET=y\nCONFIG_NF_TABLES=m\n");
  EXPECT_EQ(Find(), FeatureState::kAbsent);
  root_.Write("boot/config-6.1.0", "");
  EXPECT_EQ(Find(), FeatureState::kUnknown) << "that is no configuration";
}

TEST_F(KernelFeatureTest, WhatIsNowhereIsAbsentAndWouldBeLoadedByAsking) {
  root_.Write("modules", "nf_tables_ipv4 1 0 - Live 0x0\n");
  root_.Write("kallsyms", "ffffffff81000000 T printk\nffffffff81000010 T nft_register_chain_type_not\n");
  EXPECT_EQ(Find(), FeatureState::kAbsent);
}

TEST_F(KernelFeatureTest, AKernelWithoutModulesCanBeAskedAnything) {
  root_.Write("filesystems", "nodev proc\n");
  EXPECT_EQ(Find(), FeatureState::kSafeToAsk);
}

TEST_F(KernelFeatureTest, WhereNothingCanBeReadItIsUnknown) { EXPECT_EQ(Find(), FeatureState::kUnknown); }

TEST_F(KernelFeatureTest, AModuleThatIsUnloadedIsNoticed) {
  KernelFeatures features(Paths());
  root_.Write("kallsyms", "ffffffff81000000 T printk\n");
  root_.Write("modules", "nf_tables 1 0 - Live 0x0\n");
  EXPECT_EQ(features.Find(kNfTables), FeatureState::kSafeToAsk);
  root_.Write("modules", "");
  EXPECT_EQ(features.Find(kNfTables), FeatureState::kAbsent);
  root_.Write("modules", "nf_tables 1 0 - Live 0x0\n");
  EXPECT_EQ(features.Find(kNfTables), FeatureState::kSafeToAsk);
}

}  // namespace
}  // namespace finwait::kernel
