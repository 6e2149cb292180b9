#include "collectors/kernel/namespaces/find_namespace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/lab/temporary_folder.h"
#include "tests/unit/collectors/kernel/namespaces/identifiers.h"

namespace finwait::kernel::namespaces {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kWeb = "aaaa56789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0";
const std::string kDb = "aaab56789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0";
const std::string kApp = "cccc56789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0";
const std::string kSidecar = "dddd56789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0";

class FindNamespaceTest : public testing::Test {
 protected:
  FindNamespaceTest() {
    File("docker/" + kWeb + "/config.v2.json", R"({"Name":"/web"})");
    Process(11, "/system.slice/docker-" + kWeb + ".scope");
    Process(12, "/system.slice/docker-" + kWeb + ".scope");
    Process(21, "/system.slice/docker-" + kDb + ".scope");
    std::filesystem::create_directories(folder_.Path() / ("pods/shop_cart-0_" + kUid));
    Process(31, "/kubepods/pod" + kUid + "/" + kApp);
    Process(32, "/kubepods/pod" + kUid + "/" + kSidecar);
    Process(41, "/user.slice");
  }
  void File(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((folder_.Path() / name).parent_path());
    folder_.Write(name, content);
  }
  void Process(int pid, const std::string& cgroup) const {
    const std::string process = "proc/" + std::to_string(pid);
    File(process + "/cgroup", "0::" + cgroup + "\n");
    File(process + "/ns/net", "");
  }
  Result<NamedNamespace> Find(const std::string& text) const {
    const std::filesystem::path& folder = folder_.Path();
    return FindNamespace({folder / "proc", folder / "netns", {folder / "pods", folder / "docker", folder / "podman"}},
                         text);
  }
  std::string Named(const std::string& text) const {
    const auto found = Find(text);
    return found ? found->text : "no: " + found.error().message;
  }
  lab::TemporaryFolder folder_;
};

TEST_F(FindNamespaceTest, EachFormNamesIt) {
  File("netns/blue", "");
  EXPECT_EQ(Named("41"), "process 41");
  EXPECT_EQ(Named("blue"), (folder_.Path() / "netns/blue").string());
  EXPECT_EQ(Named("web"), "process 11 (container web)");
  EXPECT_EQ(Named("aaab"), "process 21 (container aaab56789abc)");
  EXPECT_EQ(Named("dddd5"), "process 32 (pod shop/cart-0 (container dddd56789abc))");
  EXPECT_EQ(Named("shop/cart-0"), "process 31 (pod shop/cart-0 (container dddd56789abc))")
      << "two containers, one namespace";
  EXPECT_EQ(Named("pod shop/cart-0"), Named("shop/cart-0"));
  EXPECT_EQ(Named((folder_.Path() / "netns/blue").string()), (folder_.Path() / "netns/blue").string());
}

TEST_F(FindNamespaceTest, ABeginningOfSeveralIdsIsRefusedWithThem) {
  EXPECT_THAT(Named("aaa"), AllOf(HasSubstr("may mean container"), HasSubstr("(aaaa56789abc)"),
                                  HasSubstr("(aaab56789abc)"), HasSubstr("give more of the ID")));
}

TEST_F(FindNamespaceTest, WhatIsNotThereIsSaid) {
  EXPECT_THAT(Named("999"), HasSubstr("--netns=\"999\": there is no process of that number"));
  EXPECT_THAT(Named("green"), HasSubstr("nothing here has that name; give a PID"));
  EXPECT_THAT(Named("shop/none"), HasSubstr("no process here is of that pod"));
  EXPECT_THAT(Named(".."), HasSubstr("nothing here has that name"));
  EXPECT_THAT(Named("/nowhere/net"), HasSubstr("cannot open /nowhere/net: No such file"));
}

TEST_F(FindNamespaceTest, AFileOfSomethingElseIsNotEntered) {
  File("netns/blue", "");
  const auto found = Find("blue");
  ASSERT_TRUE(found);
  const auto entered = EnterNamespace(*found);
  ASSERT_FALSE(entered);
  EXPECT_THAT(entered.error().message, HasSubstr("is no network namespace"));
}

}  // namespace
}  // namespace finwait::kernel::namespaces
