#include "tests/lab/bpf_programs.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "tests/lab/kernel_version.h"

namespace finwait::lab {
namespace {

// Newer than the headers of Debian 12.
constexpr std::uint32_t kNetfilterProgram = 32;  // BPF_PROG_TYPE_NETFILTER
constexpr std::uint32_t kNetfilterAttach = 45;   // BPF_NETFILTER
constexpr std::uint32_t kTcxEgress = 47;         // BPF_TCX_EGRESS
struct NetfilterLink {
  std::uint32_t program;
  std::uint32_t target;
  std::uint32_t attach_type;
  std::uint32_t flags;
  std::uint32_t family;
  std::uint32_t hook;
  std::int32_t priority;
  std::uint32_t netfilter_flags;
};

UniqueFd Bpf(int command, void* attributes, std::size_t size) {
  return UniqueFd(static_cast<int>(::syscall(SYS_bpf, command, attributes, size)));
}

UniqueFd Load(std::uint32_t type, std::uint32_t attach_type, int result) {
  bpf_insn instructions[2] = {};
  instructions[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
  instructions[0].imm = result;
  instructions[1].code = BPF_JMP | BPF_EXIT;
  bpf_attr attributes = {};
  attributes.prog_type = type;
  attributes.expected_attach_type = attach_type;
  attributes.insns = reinterpret_cast<std::uint64_t>(instructions);
  attributes.insn_cnt = 2;
  attributes.license = reinterpret_cast<std::uint64_t>("GPL");
  std::strcpy(attributes.prog_name, "finwait_lab");
  return Bpf(BPF_PROG_LOAD, &attributes, sizeof attributes);
}

UniqueFd Sound(UniqueFd fd, const char* what) {
  if (!fd) {
    throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  }
  return fd;
}

UniqueFd Link(const UniqueFd& program, int target, std::uint32_t attach_type, std::uint32_t flags) {
  bpf_attr attributes = {};
  attributes.link_create.prog_fd = static_cast<std::uint32_t>(program.Get());
  attributes.link_create.target_fd = static_cast<std::uint32_t>(target);
  attributes.link_create.attach_type = attach_type;
  attributes.link_create.flags = flags;
  return Sound(Bpf(BPF_LINK_CREATE, &attributes, sizeof attributes), "attach a BPF program");
}

}  // namespace

DroppingProgram DroppingProgram::InNetfilter(std::uint32_t family, std::uint32_t hook) {
  constexpr int kDrop = 0;  // NF_DROP
  UniqueFd program = Sound(Load(kNetfilterProgram, kNetfilterAttach, kDrop), "load a BPF program of netfilter's");
  NetfilterLink attributes = {static_cast<std::uint32_t>(program.Get()), 0, kNetfilterAttach, 0, family, hook, -128, 0};
  UniqueFd link = Sound(Bpf(BPF_LINK_CREATE, &attributes, sizeof attributes), "attach a BPF program to netfilter");
  return {std::move(program), std::move(link)};
}

DroppingProgram DroppingProgram::AtEgressOf(const std::string& path) {
  constexpr int kDrop = 0;
  UniqueFd program = Sound(Load(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, kDrop), "load a BPF program");
  const UniqueFd group(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  UniqueFd link = Link(program, group.Get(), BPF_CGROUP_INET_EGRESS, 0);
  return {std::move(program), std::move(link)};
}

DroppingProgram DroppingProgram::AtTcOf(const std::string& device) {
  constexpr int kDrop = 2;  // TCX_DROP, TC_ACT_SHOT
  UniqueFd program = Sound(Load(BPF_PROG_TYPE_SCHED_CLS, kTcxEgress, kDrop), "load a BPF program of tc's");
  UniqueFd link = Link(program, static_cast<int>(::if_nametoindex(device.c_str())), kTcxEgress, 0);
  return {std::move(program), std::move(link)};
}

DroppingProgram DroppingProgram::AtDevice(const std::string& device) {
  UniqueFd program = Sound(Load(BPF_PROG_TYPE_XDP, 0, XDP_DROP), "load a BPF program");
  const int index = static_cast<int>(::if_nametoindex(device.c_str()));
  UniqueFd link = Link(program, index, BPF_XDP, XDP_FLAGS_SKB_MODE);
  return {std::move(program), std::move(link)};
}

bool HasNetfilterPrograms() { return KernelIsAtLeast(6, 4); }
bool HasTcx() { return KernelIsAtLeast(6, 6); }

bool MayLoadBpf() { return static_cast<bool>(Load(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 0)); }

}  // namespace finwait::lab
