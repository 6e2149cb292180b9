#pragma once

#include <cstdint>
#include <memory>

#include "collectors/base/result.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/netlink/event_source.h"

namespace finwait::kernel {

/// Counts the conntrack entries that are made in this network namespace from its start to its end, as conntrack's NEW
/// events tell: the only thing that does. The kernel builds a message of each meanwhile (about 1.5 us), so a probe is
/// to be short; all but a random sample of the messages ends in the kernel. Under nf_conntrack_events=2 an entry whose
/// first packet came before the probe, and before any other listener, is not told of.
class CreationProbe {
 public:
  /// One entry in this many is counted, by the kernel's random numbers.
  static constexpr std::uint32_t kSampling = 8;

  /// Of the socket. Doubled by the kernel, which charges 1280 bytes a message.
  static constexpr int kReceiveBuffer = 1024 * 1024;

  /// Needs CAP_NET_ADMIN.
  static Result<CreationProbe> Start(const Host& host);

  /// Ends the probe. An estimate: the square root of kSampling times the entries is its standard deviation. Too low
  /// where more came than the probe has room for (some 13 000; ENOBUFS).
  Result<double> Finish() &&;

 private:
  explicit CreationProbe(std::unique_ptr<netlink::EventSource> events) : events_(std::move(events)) {}

  std::unique_ptr<netlink::EventSource> events_;
};

}  // namespace finwait::kernel
