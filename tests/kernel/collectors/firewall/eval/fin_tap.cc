#include "tests/kernel/collectors/firewall/eval/fin_tap.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>

namespace finwait::firewall::eval {
namespace {

// The row of the socket that sent a FIN; nothing for any other packet.
std::optional<std::string> RowOfFin(std::span<const std::byte> packet) {
  const auto copy = [&](std::size_t offset, auto* to) {
    if (packet.size() < offset + sizeof *to) {
      return false;
    }
    std::memcpy(to, packet.data() + offset, sizeof *to);
    return true;
  };
  const auto row = [&](std::size_t offset, const void* source, const void* destination,
                       std::size_t size) -> std::optional<std::string> {
    tcphdr tcp;
    if (!copy(offset, &tcp) || tcp.fin == 0) {
      return std::nullopt;
    }
    return ProcEndpoint(source, size, ntohs(tcp.source)) + " " + ProcEndpoint(destination, size, ntohs(tcp.dest));
  };
  ip ipv4;
  ip6_hdr ipv6;
  if (copy(0, &ipv4) && ipv4.ip_v == 4 && ipv4.ip_p == IPPROTO_TCP) {
    return row(std::size_t{ipv4.ip_hl} * 4, &ipv4.ip_src, &ipv4.ip_dst, sizeof ipv4.ip_src);
  }
  if (copy(0, &ipv6) && ipv6.ip6_vfc >> 4 == 6 && ipv6.ip6_nxt == IPPROTO_TCP) {
    return row(sizeof ipv6, &ipv6.ip6_src, &ipv6.ip6_dst, sizeof ipv6.ip6_src);
  }
  return std::nullopt;
}

}  // namespace

std::string ProcEndpoint(const void* bytes, std::size_t size, unsigned port) {
  std::string text;
  std::array<char, 16> part;
  for (std::size_t at = 0; at < size; at += sizeof(std::uint32_t)) {  // words as the host has them, not the network
    std::uint32_t word = 0;
    std::memcpy(&word, static_cast<const std::byte*>(bytes) + at, sizeof word);
    std::snprintf(part.data(), part.size(), "%08X", word);
    text += part.data();
  }
  std::snprintf(part.data(), part.size(), ":%04X", port);
  return text + part.data();
}

FinTap::FinTap(const lab::Namespace& where) {
  where.Run(
      [&] { socket_ = UniqueFd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL))); });
  if (!socket_) {
    throw std::runtime_error("listen to a namespace's devices");
  }
}

void FinTap::ReadAll() {
  std::array<std::byte, 128> packet;  // headers are enough
  for (;;) {
    sockaddr_ll from = {};
    socklen_t length = sizeof from;
    const ssize_t got =
        ::recvfrom(socket_.Get(), packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0) {
      return;
    }
    if (from.sll_pkttype == PACKET_OUTGOING) {
      if (auto row = RowOfFin(std::span(packet).first(static_cast<std::size_t>(got)))) {
        seen_.insert(*std::move(row));
      }
    }
  }
}

bool FinTap::Saw(const std::string& row) {
  ReadAll();
  return seen_.contains(row);
}

void FinTap::Clear() {
  ReadAll();
  seen_.clear();
}

}  // namespace finwait::firewall::eval
