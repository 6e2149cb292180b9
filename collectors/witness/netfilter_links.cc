#include "collectors/witness/netfilter_links.h"

// The analyzer of clang-tidy takes what bpftool writes for a leak.
#if !defined(FINWAIT_BPF) || defined(__clang_analyzer__)

namespace finwait::witness {

Result<std::vector<finwait_netfilter_record>> ReadNetfilterLinks() {
  return Fail(FailureReason::kUnsupported, "this program was built without BPF");
}

}  // namespace finwait::witness

#else

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <finwait_netfilter_links.skel.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "collectors/base/unique_fd.h"

namespace finwait::witness {
namespace {

struct Closing {
  void operator()(finwait_netfilter_links* skeleton) const { finwait_netfilter_links__destroy(skeleton); }
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};

constexpr const char* kOperation = "list the BPF programs in netfilter's hooks";

}  // namespace

Result<std::vector<finwait_netfilter_record>> ReadNetfilterLinks() {
  libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });  // errors are values here
  const std::unique_ptr<finwait_netfilter_links, Closing> skeleton(finwait_netfilter_links__open_and_load());
  if (!skeleton) {
    return FailErrno(kOperation, errno);
  }
  const std::unique_ptr<bpf_link, Closing> link(
      bpf_program__attach_iter(skeleton->progs.list_netfilter_links, nullptr));
  const UniqueFd list(link ? bpf_iter_create(bpf_link__fd(link.get())) : -1);
  if (!list) {
    return FailErrno(kOperation, errno);
  }
  std::vector<finwait_netfilter_record> records;
  for (;;) {
    finwait_netfilter_record record = {};
    const ssize_t got = ::read(list.Get(), &record, sizeof record);
    if (got < 0) {
      return FailErrno(kOperation, errno);
    }
    if (got != static_cast<ssize_t>(sizeof record)) {
      return records;
    }
    records.push_back(record);
  }
}

}  // namespace finwait::witness

#endif
