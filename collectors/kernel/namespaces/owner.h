#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace finwait::kernel::namespaces {

/// What kind of thing a socket belongs to: the label owner_kind.
enum class OwnerKind : std::uint8_t {
  kPod,        ///< a Kubernetes pod
  kContainer,  ///< a container of Docker, podman, LXC, or a machine of systemd-nspawn
  kUnit,       ///< a unit of systemd: a service, a session's scope
  kProcess,    ///< a process that nothing of the above holds
  kOther,      ///< cannot be told, or all that are not named together
};
inline constexpr OwnerKind kOwnerKinds[] = {OwnerKind::kPod, OwnerKind::kContainer, OwnerKind::kUnit,
                                            OwnerKind::kProcess, OwnerKind::kOther};

/// The label value: "pod", "container", "unit", "process" or "other".
constexpr std::string_view Name(OwnerKind kind) {
  constexpr std::string_view kNames[] = {"pod", "container", "unit", "process", "other"};
  return kNames[static_cast<std::size_t>(kind)];
}

/// Whose a socket is. The texts come from cgroup paths and file names, and may hold any bytes: whoever shows them
/// escapes them.
struct Owner {
  static constexpr bool kCrossesOnce = true;   ///< to another process of this program (codec/codec.h)
  static constexpr bool kMayBeMissing = true;  ///< a pointer to one may be null
  OwnerKind kind = OwnerKind::kOther;
  std::string name_space;  ///< of a pod in Kubernetes; empty otherwise, or where it cannot be told
  std::string name;        ///< of the pod, the container, the unit or the process; its id where it has no name to read
  std::string container;   ///< the container in the pod; empty where all of the pod's are meant
  auto operator<=>(const Owner&) const = default;

  /// "pod shop/cart-0 (container web)", "container web", "unit nginx.service", "other".
  std::string Text() const {
    std::string text(Name(kind));
    if (!name.empty()) {
      text += " " + (name_space.empty() ? name : name_space + "/" + name);
    }
    if (!container.empty()) {
      text += " (container " + container + ")";
    }
    return text;
  }
};

}  // namespace finwait::kernel::namespaces
