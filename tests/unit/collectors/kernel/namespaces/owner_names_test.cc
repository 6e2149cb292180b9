#include "collectors/kernel/namespaces/owner_names.h"

#include <gtest/gtest.h>

#include "tests/lab/temporary_folder.h"
#include "tests/unit/collectors/kernel/namespaces/identifiers.h"

namespace finwait::kernel::namespaces {
namespace {

class OwnerNamesTest : public testing::Test {
 protected:
  void Folder(const std::string& name) const { std::filesystem::create_directories(folder_.Path() / name); }
  void File(const std::string& name, const std::string& content) const {
    Folder(std::filesystem::path(name).parent_path());
    folder_.Write(name, content);
  }
  Owner NameOf(const CgroupOwner& owner) {
    OwnerNames names({folder_.Path() / "pods", folder_.Path() / "docker", folder_.Path() / "podman"});
    return names.NameOf(owner, SteadyClock::now());
  }
  lab::TemporaryFolder folder_;
};

TEST_F(OwnerNamesTest, APodHasItsNameFromTheKubeletsLogs) {
  Folder("pods/shop_cart-0.x_" + kUid);
  File("containers/cart-0.x_shop_web-" + kId + ".log", "");
  const Owner owner = NameOf({OwnerKind::kPod, kUid, kId, ""});
  EXPECT_EQ(owner, (Owner{OwnerKind::kPod, "shop", "cart-0.x", "web"}));
  EXPECT_EQ(owner.Text(), "pod shop/cart-0.x (container web)");
}

TEST_F(OwnerNamesTest, WithoutLogsAPodHasItsUid) {
  EXPECT_EQ(NameOf({OwnerKind::kPod, kUid, kId, ""}), (Owner{OwnerKind::kPod, "", kUid, "0123456789ab"}));
}

TEST_F(OwnerNamesTest, AContainerOfDockersHasItsName) {
  File("docker/" + kId + "/config.v2.json", R"({"State":{"Name":1},"Name":"/web-1","Driver":"vfs"})");
  EXPECT_EQ(NameOf({OwnerKind::kContainer, "", kId, ""}).name, "web-1");
}

TEST_F(OwnerNamesTest, AContainerOfPodmansHasItsName) {
  File("podman/vfs-containers/containers.json",
       R"([{"id":"x","names":["no"]},{"id":")" + kId + R"(","names":["db"]}])");
  EXPECT_EQ(NameOf({OwnerKind::kContainer, "", kId, ""}).name, "db");
}

TEST_F(OwnerNamesTest, AContainerWithoutANameHasItsShortId) {
  EXPECT_EQ(NameOf({OwnerKind::kContainer, "", kId, ""}).name, "0123456789ab");
  File("docker/" + kId + "/config.v2.json", "{\"Name\":\"/a\x1b[2Jb\"}");
  EXPECT_EQ(NameOf({OwnerKind::kContainer, "", kId, ""}).name, "0123456789ab") << "a name that no tool allows";
}

TEST_F(OwnerNamesTest, ATreeThatLiesGivesAPodNoNameByWhichAnotherIsMeant) {
  Folder("pods/shop_cart-0_" + kUid);
  Folder("pods/bank_vault-0_" + kUid);
  EXPECT_EQ(NameOf({OwnerKind::kPod, kUid, kId, ""}), (Owner{OwnerKind::kPod, "", kUid, "0123456789ab"}))
      << "one of the two is not the pod's, and nothing tells which";
  File("containers/cart-0_shop_web-" + kId + ".log", "");
  File("containers/cart-0_shop_log-" + kId + ".log", "");
  EXPECT_EQ(NameOf({OwnerKind::kPod, kUid, kId, ""}).container, "0123456789ab");
}

TEST_F(OwnerNamesTest, ATreeOfAnythingIsReadByItsNamesAlone) {
  File("pods/shop_cart-0_" + kUid, "a file in place of a folder is opened no more than a folder");
  std::filesystem::create_symlink("/proc/kmsg", folder_.Path() / ("pods/shop_loop_" + std::string(32, 'a')));
  Folder("pods/\xff\x1b[2J_\n_" + std::string(32, 'b'));
  EXPECT_EQ(NameOf({OwnerKind::kPod, kUid, "", ""}).name, "cart-0");
  EXPECT_EQ(NameOf({OwnerKind::kPod, std::string(32, 'a'), "", ""}).name, "loop");
  EXPECT_EQ(NameOf({OwnerKind::kPod, std::string(32, 'b'), "", ""}).name, std::string(32, 'b'));
}

TEST_F(OwnerNamesTest, OfATreeWithoutAnEndOnlySoManyPodsAreNamed) {
  const auto uid = [](std::size_t i) { return std::to_string(10'000 + i) + std::string(27, '0'); };
  constexpr std::size_t kFolders = PodNames::kMostPods + 100;
  for (std::size_t i = 0; i < kFolders; ++i) {
    Folder("pods/a_b-" + std::to_string(i) + "_" + uid(i));
  }
  PodNames names(folder_.Path() / "pods");
  names.Refresh(SteadyClock::now(), uid(0));
  std::size_t named = 0;
  for (std::size_t i = 0; i < kFolders; ++i) {
    named += names.Find(uid(i)) != nullptr ? 1 : 0;
  }
  EXPECT_EQ(named, PodNames::kMostPods);
}

TEST_F(OwnerNamesTest, FoldersThatAreNoPodsAreNotTaken) {
  for (const char* folder : {"", "_", "__", "a_b", "A_b_6c3a4f0e-2d1b-4b7c-9f21-8a5d4e3c2b1a", "a_b_short",
                             "a b_c_6c3a4f0e-2d1b-4b7c-9f21-8a5d4e3c2b1a"}) {
    EXPECT_FALSE(ParsePodFolder(folder)) << folder;
  }
  EXPECT_TRUE(ParsePodFolder("a_b_" + kUid));
}

}  // namespace
}  // namespace finwait::kernel::namespaces
