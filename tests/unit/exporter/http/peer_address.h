#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string>

#include "exporter/http/peer.h"

namespace finwait::http {

/// The peer of an IPv4 address.
inline Peer PeerAt(const std::string& address) {
  sockaddr_storage storage{};
  auto& ipv4 = reinterpret_cast<sockaddr_in&>(storage);
  ipv4.sin_family = AF_INET;
  inet_pton(AF_INET, address.c_str(), &ipv4.sin_addr);
  return Peer(storage);
}

}  // namespace finwait::http
