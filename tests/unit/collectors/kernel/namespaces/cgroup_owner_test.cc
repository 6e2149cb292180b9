#include "collectors/kernel/namespaces/cgroup_owner.h"

#include <gtest/gtest.h>

#include "tests/unit/collectors/kernel/namespaces/identifiers.h"

namespace finwait::kernel::namespaces {
namespace {

const std::string kUidOfSystemd = "6c3a4f0e_2d1b_4b7c_9f21_8a5d4e3c2b1a";

void ExpectPod(const std::string& path) {
  const CgroupOwner owner = OwnerOfCgroup(path);
  EXPECT_EQ(owner.kind, OwnerKind::kPod) << path;
  EXPECT_EQ(owner.pod_uid, kUid) << path;
  EXPECT_EQ(owner.container_id, kId) << path;
}

TEST(CgroupOwnerTest, KnowsThePodsOfBothDriversAndAllRuntimes) {
  ExpectPod("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kUidOfSystemd +
            ".slice/cri-containerd-" + kId + ".scope");
  ExpectPod("/kubepods.slice/kubepods-pod" + kUidOfSystemd + ".slice/crio-" + kId + ".scope");
  ExpectPod("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + kUidOfSystemd + ".slice/docker-" +
            kId + ".scope");
  ExpectPod("/kubepods/burstable/pod" + kUid + "/" + kId);
  ExpectPod("/kubepods/pod" + kUid + "/crio-" + kId);
  ExpectPod("/system.slice/containerd.service/kubepods-burstable-pod" + kUidOfSystemd + ".slice:cri-containerd:" + kId);
  // kind: a node that is a container itself
  ExpectPod("/docker/" + std::string(64, 'f') +
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" +
            kUidOfSystemd + ".slice/cri-containerd-" + kId + ".scope");
  ExpectPod("/docker/" + std::string(64, 'f') + "/kubelet/kubepods/burstable/pod" + kUid + "/" + kId);
}

TEST(CgroupOwnerTest, KnowsAStaticPodByTheHashOfItsManifest) {
  const CgroupOwner owner = OwnerOfCgroup("/kubepods/burstable/pod" + std::string(32, 'a') + "/" + kId);
  EXPECT_EQ(owner.kind, OwnerKind::kPod);
  EXPECT_EQ(owner.pod_uid, std::string(32, 'a'));
}

TEST(CgroupOwnerTest, KnowsContainers) {
  for (const std::string& path :
       {"/docker/" + kId, "/system.slice/docker-" + kId + ".scope", "/machine.slice/libpod-" + kId + ".scope",
        "/machine.slice/libpod-" + kId + ".scope/container", "/libpod_parent/libpod-" + kId,
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId + ".scope",
        "/system.slice/nerdctl-" + kId + ".scope"}) {
    const CgroupOwner owner = OwnerOfCgroup(path);
    EXPECT_EQ(owner.kind, OwnerKind::kContainer) << path;
    EXPECT_EQ(owner.container_id, kId) << path;
  }
}

TEST(CgroupOwnerTest, KnowsMachinesByTheirName) {
  for (const char* path : {"/lxc.payload.web1", "/lxc/web1", "/machine.slice/systemd-nspawn@web1.service/payload",
                           "/machine.slice/machine-web1.scope", "/lxc.payload.web1/system.slice/nginx.service"}) {
    const CgroupOwner owner = OwnerOfCgroup(path);
    EXPECT_EQ(owner.kind, OwnerKind::kContainer) << path;
    EXPECT_EQ(owner.name, "web1") << path;
  }
  EXPECT_EQ(OwnerOfCgroup("/machine.slice/machine-web\\x2d1.scope").name, "web-1");
}

TEST(CgroupOwnerTest, KnowsTheInnermostUnit) {
  EXPECT_EQ(OwnerOfCgroup("/system.slice/nginx.service").name, "nginx.service");
  EXPECT_EQ(OwnerOfCgroup("/user.slice/user-0.slice/user@0.service/app.slice/sync.service").name, "sync.service");
  EXPECT_EQ(OwnerOfCgroup("/user.slice/user-0.slice/session-3.scope").name, "session-3.scope");
  EXPECT_EQ(OwnerOfCgroup("/system.slice/nginx.service").kind, OwnerKind::kUnit);
}

TEST(CgroupOwnerTest, WhoMonitorsAContainerIsNotTheContainer) {
  EXPECT_EQ(OwnerOfCgroup("/machine.slice/libpod-conmon-" + kId + ".scope").kind, OwnerKind::kUnit);
}

TEST(CgroupOwnerTest, AnythingElseIsNobodys) {
  for (const std::string& path :
       {std::string("/"), std::string(), std::string("/kubepods/podNOTAUID/x"), std::string("/docker/abc"),
        std::string("////"), std::string("\x1b[2J/\n\\x"), std::string(100'000, '/'), std::string(100'000, 'a')}) {
    EXPECT_EQ(OwnerOfCgroup(path).kind, OwnerKind::kOther) << path.substr(0, 40);
  }
}

TEST(CgroupOwnerTest, NamesAreBounded) {
  EXPECT_LE(OwnerOfCgroup("/" + std::string(10'000, 'a') + ".service").name.size(), kLongestName);
  EXPECT_LE(OwnerOfCgroup("/lxc/" + std::string(10'000, 'a')).name.size(), kLongestName);
}

TEST(CgroupOwnerTest, TakesTheHierarchyThatTellsMost) {
  EXPECT_EQ(BestCgroupPath("0::/system.slice/nginx.service\n"), "/system.slice/nginx.service");
  EXPECT_EQ(BestCgroupPath("9:name=systemd:/\n4:memory:/docker/" + kId + "\n0::/\n"), "/docker/" + kId);
  EXPECT_EQ(BestCgroupPath("garbage\n:\n::\n0"), "");
}

}  // namespace
}  // namespace finwait::kernel::namespaces
