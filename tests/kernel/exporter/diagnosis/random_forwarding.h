#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/kernel/exporter/diagnosis/forwarding_scene.h"

namespace finwait::diagnosis {

/// Rules of a host between pods and a peer, put together at random: lines for iptables-restore and nft. The same seed
/// gives the same rules.
struct RandomForwarding {
  SceneOptions scene;
  std::vector<std::string> nat;   ///< commands, before anything is opened
  std::vector<std::string> rest;  ///< commands, before anything is closed
  bool virtual_address = false;   ///< `nat` leads it to the peer
  bool virtual_pod = false;       ///< `nat` leads its port 81 to the other pod
  bool published = false;         ///< `nat` leads port 8080 of the host to the pod
  bool tcp_loose = true;
  bool untracks = false;  ///< takes packets away from conntrack

  std::string Text() const;
};

RandomForwarding MakeRandomForwarding(std::uint64_t seed);

}  // namespace finwait::diagnosis
