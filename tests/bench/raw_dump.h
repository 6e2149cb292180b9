#pragma once

#include <cstddef>
#include <cstdint>

namespace finwait::bench {

/// The floors: what the kernel takes to hand something over, received into one buffer and not looked at but for where
/// it ends. In the calling thread's network namespace; each returns the bytes received, and throws on an error.

/// Everything in the conntrack table.
std::size_t RawConntrackDump();
/// TCP sockets in the states of the mask, both families, with the inet_diag extensions asked for.
std::size_t RawSocketDump(std::uint32_t states, std::uint8_t extensions);
/// All rules of nftables, iptables-nft's included.
std::size_t RawNftRulesDump();
/// The generation id of nftables.
std::size_t RawNftGeneration();
/// One table of iptables-legacy, IPv4. It must exist: reading makes it.
std::size_t RawLegacyTable(const char* name);

}  // namespace finwait::bench
