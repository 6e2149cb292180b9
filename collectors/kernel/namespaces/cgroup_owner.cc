#include "collectors/kernel/namespaces/cgroup_owner.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace finwait::kernel::namespaces {
namespace {

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool IsContainerId(std::string_view text) { return text.size() == 64 && std::ranges::all_of(text, IsHex); }

std::string Bounded(std::string_view text) { return std::string(text.substr(0, kLongestName)); }

std::vector<std::string_view> PartsOf(std::string_view path) {
  constexpr std::size_t kMostParts = 64;  // a path deeper than that is nobody's
  std::vector<std::string_view> parts;
  while (!path.empty() && parts.size() < kMostParts) {
    const std::size_t end = path.find('/');
    if (const std::string_view part = path.substr(0, end); !part.empty()) {
      parts.push_back(part);
    }
    path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
  }
  return parts;
}

// A pod's UID: a UUID, or of a static pod the hash of its manifest, 32 digits. systemd's driver writes _ for -.
std::optional<std::string> PodUid(std::string_view text) {
  std::string uid(text);
  std::ranges::replace(uid, '_', '-');
  const bool uuid = uid.size() == 36 && uid[8] == '-' && uid[13] == '-' && uid[18] == '-' && uid[23] == '-';
  if (!(uuid || uid.size() == 32) || !std::ranges::all_of(uid, [](char c) { return IsHex(c) || c == '-'; })) {
    return std::nullopt;
  }
  return uid;
}

// "pod<uid>" of the cgroupfs driver, "kubepods-burstable-pod<uid>.slice" of systemd's. A slice's name begins with those
// of the slices that it is in (systemd.slice(5)): below a cgroup root of the kubelet's own, as kind has it, with
// "kubelet-kubepods-".
std::optional<std::string> PodOf(std::string_view part) {
  if (part.starts_with("pod")) {
    return PodUid(part.substr(3));
  }
  part = part.substr(0, part.find(':'));  // containerd without systemd's driver: SLICE:cri-containerd:ID
  const bool of_kubelet = part.starts_with("kubepods-") || part.find("-kubepods-") != std::string_view::npos;
  if (of_kubelet && part.ends_with(".slice")) {
    part.remove_suffix(6);
    const std::size_t pod = part.rfind("-pod");
    return pod == std::string_view::npos ? std::nullopt : PodUid(part.substr(pod + 4));
  }
  return std::nullopt;
}

// The id in "docker-<id>.scope", "cri-containerd-<id>.scope", "crio-<id>", "libpod-<id>.scope", "libpod-payload-<id>",
// or the id alone, behind "<slice>:cri-containerd:" in containerd's form without systemd.
std::optional<std::string> ContainerIdOf(std::string_view part) {
  if (part.ends_with(".scope")) {
    part.remove_suffix(6);
  }
  const std::size_t colon = part.rfind(':');
  if (colon != std::string_view::npos) {
    part.remove_prefix(colon + 1);
  }
  const std::size_t dash = part.rfind('-');
  const std::string_view id = dash == std::string_view::npos ? part : part.substr(dash + 1);
  if (part.starts_with("crio-conmon-") || part.starts_with("libpod-conmon-") || !IsContainerId(id)) {
    return std::nullopt;
  }
  return std::string(id);
}

// systemd writes what is not a letter, a digit or one of :_.\ as \xNN in a unit's name.
std::string Unescaped(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) == "\\x" && i + 3 < text.size() && IsHex(text[i + 2]) && IsHex(text[i + 3])) {
      plain += static_cast<char>(digit(text[i + 2]) * 16 + digit(text[i + 3]));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// "machine-<name>.scope" of a machine that systemd-machined knows, "systemd-nspawn@<name>.service",
// "lxc.payload.<name>", and "lxc/<name>" of old LXC.
std::optional<std::string> MachineOf(std::string_view part, std::string_view before) {
  if (part.starts_with("machine-") && part.ends_with(".scope")) {
    return Unescaped(part.substr(8, part.size() - 14));
  }
  if (part.starts_with("systemd-nspawn@") && part.ends_with(".service")) {
    return Unescaped(part.substr(15, part.size() - 23));
  }
  if (part.starts_with("lxc.payload.")) {
    return std::string(part.substr(12));
  }
  return before == "lxc" ? std::optional(std::string(part)) : std::nullopt;
}

bool IsUnit(std::string_view part) { return part.ends_with(".service") || part.ends_with(".scope"); }

}  // namespace

CgroupOwner OwnerOfCgroup(std::string_view path) {
  CgroupOwner owner;
  std::string_view before;
  for (const std::string_view part : PartsOf(path)) {
    // What stands inside of a pod or a container is its own affair: a container may run a systemd. But a container may
    // be a node of a cluster (kind), and its pods are pods.
    if (const auto pod = PodOf(part); pod && owner.kind != OwnerKind::kPod) {
      owner = {OwnerKind::kPod, *pod, ContainerIdOf(part).value_or(""), {}};
    } else if (const auto id = ContainerIdOf(part); id && owner.container_id.empty() && owner.name.empty()) {
      owner.kind = owner.kind == OwnerKind::kPod ? OwnerKind::kPod : OwnerKind::kContainer;
      owner.container_id = *id;
    } else if (const auto id_in_unit = ContainerIdOf(part); id_in_unit && owner.kind == OwnerKind::kUnit) {
      owner = {OwnerKind::kContainer, {}, *id_in_unit, {}};  // a container that a unit has started
    } else if (owner.kind == OwnerKind::kOther || owner.kind == OwnerKind::kUnit) {
      if (const auto machine = MachineOf(part, before)) {
        owner = {OwnerKind::kContainer, {}, {}, Bounded(*machine)};
      } else if (IsUnit(part)) {
        owner = {
            OwnerKind::kUnit, {}, {}, Bounded(Unescaped(part))};  // the innermost: a user's service, not user@.service
      }
    }
    before = part;
  }
  return owner;
}

std::string_view BestCgroupPath(std::string_view proc_cgroup) {
  std::string_view best;
  OwnerKind best_kind = OwnerKind::kOther;
  while (!proc_cgroup.empty()) {
    const std::size_t end = proc_cgroup.find('\n');
    const std::string_view line = proc_cgroup.substr(0, end);
    proc_cgroup = end == std::string_view::npos ? std::string_view() : proc_cgroup.substr(end + 1);
    // "0::PATH" of cgroup v2, "NUMBER:CONTROLLERS:PATH" of v1.
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) {
      continue;
    }
    const std::string_view path = line.substr(second + 1);
    const OwnerKind kind = OwnerOfCgroup(path).kind;
    if (best.empty() || kind < best_kind) {
      best = path;
      best_kind = kind;
    }
  }
  return best;
}

}  // namespace finwait::kernel::namespaces
