#include "collectors/kernel/namespaces/namespace_owner.h"

#include "collectors/kernel/namespaces/process_census.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/unit/collectors/kernel/namespaces/identifiers.h"
#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::kernel::namespaces {
namespace {

const std::string kContainer(64, 'a');
const std::string kLog(64, 'b');

class NamespaceOwnerTest : public testing::Test {
 protected:
  void Process(std::uint32_t pid, const std::string& command, const std::string& cgroups) const {
    procfs_.Write(std::to_string(pid) + "/comm", command + "\n");
    procfs_.Write(std::to_string(pid) + "/cgroup", cgroups);
  }
  Owner OwnerOf(const std::vector<std::uint32_t>& processes) {
    OwnerNames names({procfs_.Root() / "pods", procfs_.Root() / "docker", procfs_.Root() / "podman"});
    return OwnerOfProcesses(procfs_.Root(), processes, names, SteadyClock::now());
  }
  // As cgroup v1 has it: a line for each hierarchy, and an empty one of v2 that nobody is put into.
  static std::string V1(const std::string& path) {
    return "12:pids:" + path + "\n11:net_cls,net_prio:/\n4:memory:" + path + "\n1:name=systemd:" + path + "\n0::/\n";
  }
  ProcfsFixture procfs_;
};

TEST_F(NamespaceOwnerTest, OnCgroupV1APodIsToldByItsProcesses) {
  std::filesystem::create_directories(procfs_.Root() / "pods" / ("shop_cart-0_" + kUid));
  Process(20, "pause", V1("/kubepods/burstable/pod" + kUid + "/" + std::string(64, 'f')));
  Process(21, "nginx", V1("/kubepods/burstable/pod" + kUid + "/" + kContainer));
  EXPECT_EQ(OwnerOf({20, 21}), (Owner{OwnerKind::kPod, "shop", "cart-0", "aaaaaaaaaaaa"}));
  Process(22, "fluentd", V1("/kubepods/burstable/pod" + kUid + "/" + kLog));
  EXPECT_EQ(OwnerOf({20, 21, 22}), (Owner{OwnerKind::kPod, "shop", "cart-0", ""}))
      << "which of its containers a socket belongs to is not guessed";
}

TEST_F(NamespaceOwnerTest, APodOfWhichOnlyThePauseContainerIsLeftIsThePod) {
  Process(20, "pause", "0::/kubepods/pod" + kUid + "/" + kContainer + "\n");
  EXPECT_EQ(OwnerOf({20}), (Owner{OwnerKind::kPod, "", kUid, ""}));
}

TEST_F(NamespaceOwnerTest, OfAPodWithMoreProcessesThanAreListedNoContainerIsNamed) {
  std::vector<std::uint32_t> processes;
  for (std::uint32_t pid = 20; processes.size() < InhabitedNamespace::kMostListed; ++pid) {
    Process(pid, "nginx", V1("/kubepods/pod" + kUid + "/" + kContainer));
    processes.push_back(pid);
  }
  EXPECT_EQ(OwnerOf(processes), (Owner{OwnerKind::kPod, "", kUid, ""}));
}

// As `docker run --network=container:...` and NetworkNamespacePath= make them.
TEST_F(NamespaceOwnerTest, OfSeveralThatShareANamespaceAllAreNamed) {
  Process(20, "vpn", V1("/docker/" + kContainer));
  Process(21, "web", V1("/docker/" + kLog));
  Process(22, "web", V1("/docker/" + kLog));
  EXPECT_EQ(OwnerOf({20, 21, 22}), (Owner{OwnerKind::kContainer, "", "aaaaaaaaaaaa or bbbbbbbbbbbb", ""}));
  Process(19, "sh", "0::/user.slice/user-0.slice/session-3.scope\n");
  EXPECT_EQ(OwnerOf({19, 20}), (Owner{OwnerKind::kContainer, "", "aaaaaaaaaaaa", ""}))
      << "who looks into it owns nothing";
  for (std::uint32_t pid = 30; pid < 36; ++pid) {
    Process(pid, "x", "0::/system.slice/" + std::string(1, static_cast<char>('a' + pid - 30)) + ".service\n");
  }
  EXPECT_EQ(OwnerOf({30, 31, 32}).name, "a.service, b.service or c.service");
  EXPECT_EQ(OwnerOf({30, 31, 32, 33, 34, 35}).name, "a.service, b.service, c.service or others");
}

TEST_F(NamespaceOwnerTest, ProcessesThatHaveEndedTellNothing) {
  Process(21, "nginx", V1("/docker/" + kContainer));
  EXPECT_EQ(OwnerOf({20, 21}).kind, OwnerKind::kContainer);
  EXPECT_EQ(OwnerOf({20}), Owner{});
  EXPECT_EQ(OwnerOf({}), Owner{});
}

TEST_F(NamespaceOwnerTest, WithoutACgroupThatTellsItIsTheFirstProcesss) {
  Process(20, "sleep", "0::/\n");
  Process(21, "nginx", "0::/\n");
  EXPECT_EQ(OwnerOf({20, 21}), (Owner{OwnerKind::kProcess, "", "sleep", ""}));
}

TEST_F(NamespaceOwnerTest, APathOfAnyBytesIsTakenAsItIsAndNoFurther) {
  // All that a folder's name may have: anything but a slash, a newline (which cgroups refuse) and a zero.
  std::string bytes;
  for (int byte = 1; byte < 256; ++byte) {
    bytes += byte == '/' || byte == '\n' || byte == '\\' ? 'x' : static_cast<char>(byte);
  }
  bytes.resize(200);
  Process(20, "sh", "0::/system.slice/" + bytes + ".service\n");
  EXPECT_EQ(OwnerOf({20}), (Owner{OwnerKind::kUnit, "", bytes + ".service", ""}));
  // Escapes of systemd's stand for bytes, too; what is cut short or no number stays as it is.
  Process(20, "sh", "0::/system.slice/a\\x0a\\x1b\\xff\\x00\\xZZ\\x.service\n");
  EXPECT_EQ(OwnerOf({20}).name, std::string("a\n\x1b\xff\0\\xZZ\\x.service", 19));
  // Nothing in a path leads to a file outside of the folders in which names are looked for.
  for (const char* path : {"/docker/../../../etc/passwd", "/kubepods/pod../..", "/..", "/docker-../../x.scope"}) {
    Process(20, "sh", std::string("0::") + path + "\n");
    EXPECT_NE(OwnerOf({20}).kind, OwnerKind::kPod) << path;
    EXPECT_NE(OwnerOf({20}).kind, OwnerKind::kContainer) << path;
  }
}

}  // namespace
}  // namespace finwait::kernel::namespaces
