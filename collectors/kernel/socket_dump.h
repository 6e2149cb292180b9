#pragma once

#include <linux/inet_diag.h>

#include <cstdint>

#include "collectors/base/result.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/netlink/channel.h"

namespace finwait::kernel {

/// Opens sock_diag's channel, where the kernel has what answers for TCP; kUnsupported with one sentence otherwise, as
/// the kernel would load a module to answer.
Result<netlink::Channel> OpenTcpDiag(const Host& host);

/// What may be asked of inet_diag beside the socket itself, as bits of idiag_ext. Unasked it adds the cgroup
/// (Linux 5.7) and, for who has CAP_NET_ADMIN, the mark.
inline constexpr std::uint8_t kWithTcpInfo = 1U << (INET_DIAG_INFO - 1);
inline constexpr std::uint8_t kWithTypeOfService = 1U << (INET_DIAG_TOS - 1) | 1U << (INET_DIAG_TCLASS - 1);

/// Streams the TCP sockets of one address family (AF_INET, AF_INET6) in the states of `states` (see KernelStateBit)
/// into `sink`. A family that this kernel does not have is an empty answer.
Result<void> DumpTcpSockets(const Host& host, int family, std::uint32_t states, std::uint8_t extensions,
                            Deadline deadline, netlink::MessageSink& sink);

}  // namespace finwait::kernel
