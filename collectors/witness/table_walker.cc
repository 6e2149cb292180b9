#include "collectors/witness/table_walker.h"

#include <algorithm>

namespace finwait::witness {

namespace {

// Packets on their way have entries that are counted and not in the table.
constexpr std::uint64_t kOnTheirWay = 64;

// A flush takes longer than a run of the program, so that the number of entries shows it.
bool HeldStill(std::uint64_t least, std::uint64_t most) { return most - least <= kOnTheirWay + most / 50; }

}  // namespace

bool IsWhole(std::uint64_t seen, std::uint64_t least, std::uint64_t most) {
  const std::uint64_t slack = kOnTheirWay + most / 100;
  return HeldStill(least, most) && seen + slack >= least && seen <= most + slack;
}

}  // namespace finwait::witness

// The analyzer of clang-tidy takes what bpftool writes for a leak.
#if !defined(FINWAIT_BPF) || defined(__clang_analyzer__)

namespace finwait::witness {

Result<std::unique_ptr<TableWalker>> TableWalker::Load(std::uint64_t, const std::filesystem::path&) {
  return Fail(
      FailureReason::kUnsupported,
      "this program was built without the walk of the conntrack table: clang, bpftool and libbpf were not there");
}

}  // namespace finwait::witness

#else

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <finwait_table_walk.skel.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

#include "collectors/base/pacer.h"
#include "collectors/base/text.h"
#include "collectors/base/unique_fd.h"

namespace finwait::witness {
namespace {

struct Closing {
  void operator()(finwait_table_walk* skeleton) const { finwait_table_walk__destroy(skeleton); }
  void operator()(btf* types) const { btf__free(types); }
};
using Skeleton = std::unique_ptr<finwait_table_walk, Closing>;
using Types = std::unique_ptr<btf, Closing>;

constexpr const char* kVmlinux = "/sys/kernel/btf/vmlinux";
constexpr const char* kModule = "/sys/kernel/btf/nf_conntrack";

// Where a member is, in bytes; `path` as in C. Of structures only, and of an array its first element.
std::optional<std::uint32_t> OffsetOf(const btf* types, const char* structure, std::string_view path) {
  int id = btf__find_by_name_kind(types, structure, BTF_KIND_STRUCT);
  std::uint32_t bits = 0;
  while (id > 0 && !path.empty()) {
    const std::string_view name = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    const btf_type* type = btf__type_by_id(types, static_cast<std::uint32_t>(id));
    while (type != nullptr &&
           (BTF_INFO_KIND(type->info) == BTF_KIND_TYPEDEF || BTF_INFO_KIND(type->info) == BTF_KIND_CONST)) {
      type = btf__type_by_id(types, type->type);
    }
    if (type == nullptr ||
        (BTF_INFO_KIND(type->info) != BTF_KIND_STRUCT && BTF_INFO_KIND(type->info) != BTF_KIND_UNION)) {
      return std::nullopt;
    }
    const auto* members = static_cast<const struct btf_member*>(static_cast<const void*>(type + 1));
    id = 0;
    for (std::uint32_t i = 0; i < BTF_INFO_VLEN(type->info); ++i) {
      if (name == btf__name_by_offset(types, members[i].name_off)) {
        bits += BTF_INFO_KFLAG(type->info) ? BTF_MEMBER_BIT_OFFSET(members[i].offset) : members[i].offset;
        id = static_cast<int>(members[i].type);
      }
    }
  }
  return id > 0 ? std::optional(bits / 8) : std::nullopt;
}

Result<void> SetOffsets(const btf* types, finwait_table_walk& skeleton) {
  auto& offsets = *skeleton.rodata;
  const struct {
    const char* structure;
    std::string_view member;
    const volatile finwait_u32& offset;
  } kNeeded[] = {
      {"nf_conn", "tuplehash", offsets.tuplehash},
      {"nf_conn", "ct_net.net", offsets.net_of},
      {"nf_conn", "timeout", offsets.timeout_of},
      {"nf_conn", "status", offsets.status_of},
      {"nf_conn", "proto.tcp.state", offsets.state_of},
      {"nf_conntrack_tuple_hash", "tuple.src.l3num", offsets.family_of},
      {"nf_conntrack_tuple_hash", "tuple.dst.protonum", offsets.protocol_of},
      {"nf_conntrack_tuple_hash", "tuple.dst.dir", offsets.direction_of},
  };
  for (const auto& needed : kNeeded) {
    const auto found = OffsetOf(types, needed.structure, needed.member);
    if (!found) {
      return Fail(FailureReason::kUnsupported,
                  "the types of this kernel's conntrack are not known (BTF of nf_conntrack, struct " +
                      std::string(needed.structure) + ")");
    }
    const_cast<finwait_u32&>(needed.offset) = *found;
  }
  offsets.zone_of = OffsetOf(types, "nf_conn", "zone.id").value_or(0);  // CONFIG_NF_CONNTRACK_ZONES
  return {};
}

// CONFIG_HZ: what a coarse clock resolves (KTIME_LOW_RES).
Result<std::uint32_t> TicksASecond() {
  timespec tick = {};
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (::clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0 || tick.tv_sec != 0 || tick.tv_nsec <= 0) {
    return Fail(FailureReason::kUnsupported, "the length of this kernel's tick is not known");
  }
  return static_cast<std::uint32_t>((kSecond + tick.tv_nsec / 2) / tick.tv_nsec);
}

Error LoadError(int error) {
  const int code = error < 0 ? -error : error;
  // EACCES is the verifier's: rights are refused by EPERM.
  if (code == EACCES || code == EINVAL) {
    return {FailureReason::kUnsupported, code,
            "this kernel does not accept the BPF program that walks the conntrack table; it takes Linux 5.19"};
  }
  Error why = ErrnoError("load the BPF program that walks the conntrack table", code);
  if (why.reason == FailureReason::kPermission) {
    why.message +=
        "; it takes CAP_BPF and CAP_PERFMON in the first user namespace, and a kernel that is not locked down";
  }
  return why;
}

std::optional<std::uint64_t> NumberIn(const UniqueFd& file) {
  std::array<char, 32> text = {};
  const ssize_t size = ::pread(file.Get(), text.data(), text.size(), 0);
  if (size <= 0) {
    return std::nullopt;
  }
  const std::string_view all(text.data(), static_cast<std::size_t>(size));
  return ParseNumber<std::uint64_t>(all.substr(0, all.find('\n')));
}

void AddAges(const finwait_ages& more, finwait_ages& sum) {
  for (std::size_t i = 0; i < FINWAIT_AGES; ++i) {
    sum.counts[i] += more.counts[i];
  }
  sum.sum += more.sum;
}

void AddZones(const finwait_table& more, finwait_table& sum) {
  auto* const end = sum.zones + FINWAIT_TABLE_ZONES;
  for (std::size_t i = 0; i < std::min<std::size_t>(more.zone_count, FINWAIT_TABLE_ZONES); ++i) {
    auto* const known = sum.zones + std::min<std::size_t>(sum.zone_count, FINWAIT_TABLE_ZONES);
    if (std::find(sum.zones, known, more.zones[i]) != known) {
      continue;
    }
    if (known == end) {
      sum.zone_count = FINWAIT_TABLE_ZONES + 1;
      return;
    }
    *known = more.zones[i];
    ++sum.zone_count;
  }
  if (more.zone_count > FINWAIT_TABLE_ZONES) {
    sum.zone_count = more.zone_count;
  }
}

void Add(const finwait_table& more, finwait_table& sum) {
  sum.seen += more.seen;
  sum.foreign += more.foreign;
  sum.evictable += more.evictable;
  for (std::size_t version = 0; version < 2; ++version) {
    for (std::size_t state = 0; state < FINWAIT_TCP_STATES; ++state) {
      sum.tcp[version][state] += more.tcp[version][state];
    }
    sum.udp[version] += more.udp[version];
    sum.icmp[version] += more.icmp[version];
    sum.other[version] += more.other[version];
  }
  for (std::size_t state = 0; state < FINWAIT_LIVE_STATES; ++state) {
    AddAges(more.idle[state], sum.idle[state]);
    AddAges(more.remaining[state], sum.remaining[state]);
  }
  AddZones(more, sum);
}

class LoadedWalker : public TableWalker {
 public:
  LoadedWalker(Skeleton skeleton, UniqueFd count, UniqueFd buckets)
      : skeleton_(std::move(skeleton)), count_(std::move(count)), buckets_(std::move(buckets)) {}

  WalkResult Walk(const LiveTimeouts& timeouts, Deadline deadline,
                  const std::function<void(std::uint32_t)>& between_runs) override {
    const CpuStopwatch stopwatch;
    WalkResult result = WalkOnce(timeouts, deadline, between_runs);
    result.cpu = stopwatch.Elapsed();
    return result;
  }

  bool IsLooking() const override { return static_cast<bool>(tracepoint_); }

  void LookAgain() override {
    const auto buckets = NumberIn(buckets_);
    if (!tracepoint_ || !buckets) {
      return;
    }
    for (std::uint32_t candidate = 0; candidate < FINWAIT_CANDIDATES; ++candidate) {
      if (IsTable(candidate, *buckets)) {
        candidate_ = candidate;
        tracepoint_.Reset();
        return;
      }
      if (skeleton_->bss->outcome == FINWAIT_WALK_NO_PLACE) {
        break;
      }
    }
    Run(skeleton_->progs.forget_places);  // nothing yet; or an entry that was moved or removed just then
  }

  // From the next packet with an entry on, the table's place is known.
  Result<void> Look() {
    candidate_.reset();
    Run(skeleton_->progs.forget_places);
    tracepoint_ = UniqueFd(bpf_raw_tracepoint_open("net_dev_queue", bpf_program__fd(skeleton_->progs.learn)));
    return tracepoint_ ? Result<void>() : FailErrno("attach to the tracepoint net:net_dev_queue", errno);
  }

 private:
  static WalkResult Without(WalkResult::Kind kind, std::string why) { return {kind, {}, std::move(why), {}}; }

  static int Run(const bpf_program* program) {
    bpf_test_run_opts options = {};
    options.sz = sizeof options;
    return bpf_prog_test_run_opts(bpf_program__fd(program), &options);
  }

  // The outcome; nothing where the program cannot be run.
  std::optional<std::uint32_t> RunFor(std::uint32_t candidate, std::uint32_t first, std::uint32_t count) {
    auto& bss = *skeleton_->bss;
    bss.wanted.candidate = candidate;
    bss.wanted.first = first;
    bss.wanted.count = count;
    return Run(skeleton_->progs.walk_table) < 0 ? std::nullopt : std::optional<std::uint32_t>(bss.outcome);
  }

  // By chains all over it, which end in their numbers nowhere else.
  bool IsTable(std::uint32_t candidate, std::uint64_t buckets) {
    constexpr std::uint64_t kSamples = 32;
    for (std::uint64_t i = 0; i < kSamples; ++i) {
      const auto chain = static_cast<std::uint32_t>((buckets - 1) * i / (kSamples - 1));
      if (RunFor(candidate, chain, 1) != FINWAIT_WALK_TOLD) {
        return false;
      }
    }
    return true;
  }

  WalkResult WalkOnce(const LiveTimeouts& timeouts, Deadline deadline,
                      const std::function<void(std::uint32_t)>& between_runs) {
    LookAgain();
    const auto buckets = NumberIn(buckets_);
    const auto entries = NumberIn(count_);
    if (!buckets || !entries || *buckets == 0 || *buckets > UINT32_MAX) {
      return Without(WalkResult::Kind::kFailed,
                     "conntrack is not there any more, or another one is: restart this program");
    }
    if (*entries < kLeastEntries) {
      return Without(WalkResult::Kind::kNotYet, "the table is small");
    }
    if (!candidate_) {
      return Without(WalkResult::Kind::kNotYet, "no packet with an entry has left since the table was looked for");
    }
    std::copy(timeouts.begin(), timeouts.end(), skeleton_->bss->wanted.timeouts);
    WalkResult result = WalkAll(static_cast<std::uint32_t>(*buckets), *entries, deadline, between_runs);
    if (result.kind == WalkResult::Kind::kTorn) {  // perhaps as the table is at another place now
      if (const auto looking = Look(); !looking) {
        return Without(WalkResult::Kind::kFailed, looking.error().message);
      }
    }
    return result;
  }

  WalkResult WalkAll(std::uint32_t buckets, std::uint64_t entries, Deadline deadline,
                     const std::function<void(std::uint32_t)>& between_runs) {
    using Kind = WalkResult::Kind;
    // A run keeps its CPU from everybody else.
    constexpr std::chrono::microseconds kShort(200);
    constexpr std::chrono::microseconds kLong(600);
    constexpr std::uint32_t kFewestChains = 16;
    constexpr std::uint32_t kMostChains = 8192;
    constexpr int kMostTries = 8;
    WalkResult result;
    result.kind = Kind::kTold;
    std::uint64_t least = entries;
    std::uint64_t most = entries;
    std::uint32_t chains = 64;
    int tries = 0;
    for (std::uint32_t first = 0; first < buckets;) {
      if (deadline.Passed()) {
        return Without(Kind::kTorn, "the walk has not ended in time");
      }
      if (between_runs) {
        between_runs(first);
      }
      const std::uint32_t count = std::min(chains, buckets - first);
      const CpuStopwatch run;  // not what passes: others may have had this CPU before or behind it
      const auto outcome = RunFor(*candidate_, first, count);
      const auto took = run.Elapsed();
      if (!outcome || *outcome == FINWAIT_WALK_ELSEWHERE || *outcome == FINWAIT_WALK_NO_PLACE) {
        return Without(Kind::kFailed,
                       outcome ? "the walk is not made in the namespace that it was made for"
                               : ErrnoError("run the BPF program that walks the conntrack table", errno).message);
      }
      if (*outcome != FINWAIT_WALK_TOLD) {
        // Torn: an entry was removed and used again in another chain just when the walk was at it. Else too long.
        if (++tries == kMostTries) {
          return Without(Kind::kTorn, "the table was resized or flushed while it was walked");
        }
        chains = std::max<std::uint32_t>(1, chains / 2);
        continue;
      }
      tries = 0;
      Add(skeleton_->bss->told, result.table);
      first += count;
      const auto now = NumberIn(count_);
      if (!now) {
        return Without(Kind::kFailed, "the number of conntrack entries cannot be read any more");
      }
      least = std::min(least, *now);
      most = std::max(most, *now);
      if (!HeldStill(least, most)) {
        return Without(Kind::kTorn, "the table was flushed, or filled, while it was walked");
      }
      if (took > kLong) {
        chains = std::max(kFewestChains, chains / 2);
      } else if (took < kShort) {
        chains = std::min(kMostChains, chains * 2);
      }
    }
    if (NumberIn(buckets_) != buckets) {
      return Without(Kind::kTorn, "the table was resized while it was walked");
    }
    if (!IsWhole(result.table.seen, least, most)) {
      return Without(Kind::kTorn, "of " + std::to_string(least) + " to " + std::to_string(most) +
                                      " conntrack entries the walk saw " + std::to_string(result.table.seen));
    }
    return result;
  }

  Skeleton skeleton_;
  UniqueFd count_;
  UniqueFd buckets_;
  UniqueFd tracepoint_;  // while the table's place is looked for
  std::optional<std::uint32_t> candidate_;
};

Result<Types> ReadTypes(const btf* base) {
  // Of a module where it is one; what it has of its own stands upon the kernel's.
  const bool whole = base == nullptr;
  Types types(whole ? btf__parse(kVmlinux, nullptr) : btf__parse_split(kModule, const_cast<btf*>(base)));
  if (!types && whole) {
    Error why = ErrnoError("read the kernel's types from /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)", errno);
    why.reason = FailureReason::kUnsupported;
    return Failure(std::move(why));
  }
  return types;
}

}  // namespace

Result<std::unique_ptr<TableWalker>> TableWalker::Load(std::uint64_t network_namespace,
                                                       const std::filesystem::path& procfs) {
  libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });  // errors are values here
  const auto folder = procfs / "sys/net/netfilter";
  UniqueFd count(::open((folder / "nf_conntrack_count").c_str(), O_RDONLY | O_CLOEXEC));
  UniqueFd buckets(::open((folder / "nf_conntrack_buckets").c_str(), O_RDONLY | O_CLOEXEC));
  if (!count || !buckets) {
    return FailErrno("open nf_conntrack_count and nf_conntrack_buckets, for the walk of the conntrack table", errno);
  }
  const auto kernel = ReadTypes(nullptr);
  if (!kernel) {
    return Failure(kernel.error());
  }
  const auto module = ReadTypes(kernel->get());
  const auto ticks = TicksASecond();
  if (!ticks) {
    return Failure(ticks.error());
  }
  const bool has_cast = btf__find_by_name_kind(kernel->get(), "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
  Skeleton skeleton(finwait_table_walk__open());
  if (!skeleton) {
    return Failure(LoadError(errno));
  }
  if (const auto set = SetOffsets(*module ? module->get() : kernel->get(), *skeleton); !set) {
    return Failure(set.error());
  }
  skeleton->rodata->ticks_a_second = *ticks;
  skeleton->rodata->network_namespace = static_cast<std::uint32_t>(network_namespace);
  skeleton->rodata->has_rdonly_cast = has_cast ? 1 : 0;
  if (const int error = finwait_table_walk__load(skeleton.get()); error != 0) {
    return Failure(LoadError(error));
  }
  auto walker = std::make_unique<LoadedWalker>(std::move(skeleton), std::move(count), std::move(buckets));
  if (const auto looking = walker->Look(); !looking) {
    return Failure(looking.error());
  }
  return std::unique_ptr<TableWalker>(std::move(walker));
}

}  // namespace finwait::witness

#endif
