#pragma once

#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// What IPVS (ip_vs) is told to do with TCP connections of one family. A port of 0 is any.
struct VirtualServices {
  static constexpr std::size_t kMostEnds = 20'000;

  std::vector<Endpoint> services;  ///< what clients connect to; ascending
  std::vector<Endpoint> servers;   ///< those behind it whose answers it translates back (Masq); ascending
  bool others = false;             ///< some are chosen by a mark, or there are more than kMostEnds
};

/// Reads them (/proc/net/ip_vs); none where ip_vs is not loaded. Needs no privilege.
Result<VirtualServices> ReadVirtualServices(const Host& host, IpFamily family, Deadline deadline);

}  // namespace finwait::kernel
