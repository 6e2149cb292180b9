#include "collectors/kernel/bpf_inventory.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "collectors/base/text.h"
#include "collectors/base/unique_fd.h"

namespace finwait::kernel {
namespace {

constexpr std::uint32_t kNetfilterLink = 10;  // BPF_LINK_TYPE_NETFILTER, newer than the headers of Debian 12

long Bpf(int command, bpf_attr& attributes) { return ::syscall(SYS_bpf, command, &attributes, sizeof attributes); }

// Of each object of a kind, by its number. What goes meanwhile is left out. `visit` says whether to go on.
Result<void> ForEachObject(int next, int open, const std::function<bool(std::uint32_t, const UniqueFd&)>& visit) {
  constexpr int kMost = 100'000;
  std::uint32_t number = 0;
  for (int i = 0; i < kMost; ++i) {
    bpf_attr attributes = {};
    attributes.start_id = number;
    if (Bpf(next, attributes) != 0) {
      return errno == ENOENT ? Result<void>() : FailErrno("list BPF objects", errno);
    }
    number = attributes.next_id;
    attributes = {};
    attributes.prog_id = number;  // of a link: its own number, in the same place
    const UniqueFd object(static_cast<int>(Bpf(open, attributes)));
    if (object && !visit(number, object)) {
      break;
    }
  }
  return {};
}

template <typename Info>
Info InfoOf(const UniqueFd& object) {
  Info info = {};
  bpf_attr attributes = {};
  attributes.info.bpf_fd = static_cast<std::uint32_t>(object.Get());
  attributes.info.info_len = sizeof info;
  attributes.info.info = reinterpret_cast<std::uint64_t>(&info);
  if (Bpf(BPF_OBJ_GET_INFO_BY_FD, attributes) != 0) {
    return {};
  }
  return info;
}

}  // namespace

std::string CalledBpf(const std::string& name, std::uint32_t number) {
  return name.empty() ? std::to_string(number) : Quoted(name) + " (" + std::to_string(number) + ")";
}

Result<std::map<std::uint32_t, std::string>> ReadBpfNames() {
  std::map<std::uint32_t, std::string> names;
  const auto read =
      ForEachObject(BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID, [&](std::uint32_t number, const UniqueFd& program) {
        const auto info = InfoOf<bpf_prog_info>(program);
        names[number].assign(info.name, ::strnlen(info.name, sizeof info.name));
        return true;
      });
  return read ? Result<std::map<std::uint32_t, std::string>>(std::move(names)) : Failure(read.error());
}

Result<bool> HasNetfilterLinks() {
  bool found = false;
  const auto read =
      ForEachObject(BPF_LINK_GET_NEXT_ID, BPF_LINK_GET_FD_BY_ID, [&](std::uint32_t, const UniqueFd& link) {
        found = InfoOf<bpf_link_info>(link).type == kNetfilterLink;
        return !found;
      });
  return read ? Result<bool>(found) : Failure(read.error());
}

}  // namespace finwait::kernel
