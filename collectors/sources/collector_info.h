#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "collectors/codec/forward.h"
#include "collectors/kernel/host.h"
#include "collectors/sources/collector.h"

namespace finwait::sources {

struct CollectorSettings;

/// A capability that collectors can need. The program gives up every other one when it starts.
enum class Capability : std::uint8_t {
  kNone,
  kNetAdmin,  ///< CAP_NET_ADMIN
  kBpf,       ///< CAP_BPF and CAP_PERFMON, of a process of its own until it has loaded its program
};

/// As capabilities(7) spells it; empty for kNone.
constexpr std::string_view Name(Capability capability) {
  switch (capability) {
    case Capability::kNone:
      return "";
    case Capability::kNetAdmin:
      return "CAP_NET_ADMIN";
    case Capability::kBpf:
      return "CAP_BPF, CAP_PERFMON";
  }
  return "";
}

enum class MetricType : std::uint8_t { kCounter, kGauge };

/// A metric without labels whose value is one field of a sample.
struct Metric {
  std::string_view name;  ///< without the prefix finwait_; that of a counter ends in _total
  MetricType type = MetricType::kGauge;
  std::string_view help;  ///< says where in the kernel the number comes from
  /// Its value in a sample of its collector; nothing where the kernel did not tell.
  std::optional<double> (*read)(const SampleData& sample) = nullptr;
};

namespace metric {

template <typename Number>
requires std::is_arithmetic_v<Number>
constexpr std::optional<double> Value(Number number) { return static_cast<double>(number); }
constexpr std::optional<double> Value(std::chrono::seconds time) { return static_cast<double>(time.count()); }
template <typename T>
constexpr std::optional<double> Value(const std::optional<T>& value) {
  return value ? Value(*value) : std::nullopt;
}

template <typename Sample, typename Field>
std::type_identity<Sample> SampleOf(Field Sample::*);

}  // namespace metric

/// Reads one field, such as &NetstatSample::out_rsts. Nothing for a sample of another type.
template <auto kField>
std::optional<double> Field(const SampleData& data) {
  using Sample = typename decltype(metric::SampleOf(kField))::type;
  const auto* sample = dynamic_cast<const Sample*>(&data);
  return sample != nullptr ? metric::Value(sample->*kField) : std::nullopt;
}

/// What a collector says of itself, once, in `static constexpr CollectorInfo kInfo` of its class. The registry, the
/// command line, the metrics and the generated lists of the documents (tools/generate.py) take it from there.
struct CollectorInfo {
  std::string_view name;          ///< the label value and the flag: --collector.NAME
  std::string_view summary = {};  ///< what it tells, for the README, the manual page and metrics.md
  std::string_view reads = {};    ///< where from: files and kinds of netlink requests, as SECURITY.md lists them
  /// Without which it cannot work, in part or whole.
  Capability capability = Capability::kNone;
  std::string_view part = {};  ///< what of it the capability is for; empty: all
  /// Its part of the CPU budget, 0 to 1: its collections are spaced to keep it. 0: kOtherShare.
  double budget_share = 0;
  std::span<const Metric> metrics = {};  ///< those without labels; views/metrics makes the others
  bool enabled_by_default = true;
  // Set by the registry.
  std::unique_ptr<Collector> (*make)(const kernel::Host& host, const CollectorSettings& settings) = nullptr;
  /// How its samples cross to another process. `encode` takes one of its own only; `decode` gives null for bytes that
  /// are none.
  void (*encode)(const SampleData& sample, codec::Encoder& encoder) = nullptr;
  std::shared_ptr<const SampleData> (*decode)(codec::Decoder& decoder) = nullptr;
};

}  // namespace finwait::sources
