#include "collectors/witness/probe.h"

// The analyzer of clang-tidy takes what bpftool writes for a leak.
#if !defined(FINWAIT_BPF) || defined(__clang_analyzer__)

namespace finwait::witness {

Result<std::unique_ptr<Probe>> Probe::Attach(std::uint64_t) {
  return Fail(FailureReason::kUnsupported,
              "this program was built without the witness: clang, bpftool and libbpf were not there");
}

}  // namespace finwait::witness

#else

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <finwait_witness.skel.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <string_view>

#include "collectors/base/text.h"
#include "collectors/witness/drop.h"

namespace finwait::witness {
namespace {

constexpr std::string_view kPrefix = "SKB_DROP_REASON_";
constexpr std::uint8_t kNotSpecified = 255;  // NOT_SPECIFIED of witness.bpf.c

struct Closing {
  void operator()(finwait_witness* skeleton) const { finwait_witness__destroy(skeleton); }
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
  void operator()(btf* types) const { btf__free(types); }
};

// The kernel's own names of its reasons, by their numbers.
Result<std::map<std::uint32_t, std::string>> ReadReasons() {
  const std::unique_ptr<btf, Closing> types(btf__parse("/sys/kernel/btf/vmlinux", nullptr));
  if (!types) {
    Error why = ErrnoError("read the kernel's types from /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)", errno);
    why.reason = FailureReason::kUnsupported;
    return Failure(std::move(why));
  }
  const int id = btf__find_by_name_kind(types.get(), "skb_drop_reason", BTF_KIND_ENUM);
  if (id < 0) {
    return Fail(FailureReason::kUnsupported,
                "this kernel gives no reason for packets that it drops (enum skb_drop_reason, Linux 5.17)");
  }
  std::map<std::uint32_t, std::string> reasons;
  const btf_type* type = btf__type_by_id(types.get(), static_cast<std::uint32_t>(id));
  // As btf_enum() of libbpf, which is no C++ and hides the type of that name.
  const auto* values = static_cast<const struct btf_enum*>(static_cast<const void*>(type + 1));
  for (std::uint32_t i = 0; i < BTF_INFO_VLEN(type->info); ++i) {
    reasons[static_cast<std::uint32_t>(values[i].val)] = btf__name_by_offset(types.get(), values[i].name_off);
  }
  return reasons;
}

Error LoadError(int error) {
  const int code = error < 0 ? -error : error;
  Error why = ErrnoError("load the BPF program that witnesses dropped packets", code);
  // EACCES is the verifier's: rights are refused by EPERM.
  if (code == EACCES) {
    why =
        Error{FailureReason::kUnsupported, code,
              "this kernel does not accept the BPF program that witnesses dropped packets; please report its version"};
  } else if (why.reason == FailureReason::kPermission) {
    why.message +=
        "; it takes CAP_BPF and CAP_PERFMON in the first user namespace, and a kernel that is not locked down";
  }
  return why;
}

class AttachedProbe : public Probe {
 public:
  using Skeleton = std::unique_ptr<finwait_witness, Closing>;
  AttachedProbe(Skeleton skeleton, std::map<std::uint32_t, std::string> reasons)
      : reasons_(std::move(reasons)), skeleton_(std::move(skeleton)) {
    for (auto& [number, name] : reasons_) {
      name.erase(0, name.starts_with(kPrefix) ? kPrefix.size() : 0);
    }
    ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.events), &AttachedProbe::Take, this, nullptr));
  }
  bool HasRing() const { return ring_ != nullptr; }

  void Wait(std::chrono::milliseconds most, const std::function<void(const TextedEvent&)>& tell) override {
    tell_ = &tell;
    ring_buffer__poll(ring_.get(), static_cast<int>(most.count()));
    tell_ = nullptr;
  }
  finwait_counts Counts() const override { return skeleton_->bss->counts; }

 private:
  static int Take(void* self, void* data, std::size_t size) {
    auto& probe = *static_cast<AttachedProbe*>(self);
    TextedEvent event;
    if (size < sizeof event.event) {
      return 0;
    }
    std::memcpy(&event.event, data, sizeof event.event);
    const auto reason = probe.reasons_.find(event.event.reason);
    event.reason = reason == probe.reasons_.end() ? std::to_string(event.event.reason) : reason->second;
    (*probe.tell_)(event);
    return 0;
  }

  std::map<std::uint32_t, std::string> reasons_;
  Skeleton skeleton_;
  std::unique_ptr<ring_buffer, Closing> ring_;
  const std::function<void(const TextedEvent&)>* tell_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<Probe>> Probe::Attach(std::uint64_t network_namespace) {
  libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });  // errors are values here
  auto reasons = ReadReasons();
  if (!reasons) {
    return Failure(reasons.error());
  }
  AttachedProbe::Skeleton skeleton(finwait_witness__open());
  if (!skeleton) {
    return Failure(LoadError(errno));
  }
  for (const auto& [number, name] : *reasons) {
    if (number >= FINWAIT_REASONS) {
      continue;
    }
    const auto reason = ClassOfReason(name);
    skeleton->rodata->classes[number] = reason ? static_cast<std::uint8_t>(static_cast<int>(*reason) + 1)
                                        : name == "SKB_DROP_REASON_NOT_SPECIFIED" ? kNotSpecified
                                                                                  : std::uint8_t{0};
  }
  skeleton->rodata->network_namespace = static_cast<std::uint32_t>(network_namespace);
  skeleton->rodata->most_events_a_second = kMostEventsASecond;
  if (const int error = finwait_witness__load(skeleton.get()); error != 0) {
    return Failure(LoadError(error));
  }
  if (const int error = finwait_witness__attach(skeleton.get()); error != 0) {
    return Failure(LoadError(error));
  }
  auto probe = std::make_unique<AttachedProbe>(std::move(skeleton), std::move(*reasons));
  if (!probe->HasRing()) {
    return Failure(LoadError(errno));
  }
  return std::unique_ptr<Probe>(std::move(probe));
}

}  // namespace finwait::witness

#endif
