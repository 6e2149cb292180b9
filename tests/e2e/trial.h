#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/outcome.h"

/// One scenario of the risk matrix, played on the real kernel with the real program watching.
namespace finwait::e2e {

/// How the local ends of all connections of a trial end.
enum class End {
  kClose,      ///< close()
  kKill,       ///< the process that holds them dies by SIGKILL
  kReset,      ///< close() with SO_LINGER 0: an RST
  kUnread,     ///< close() with unread data: an RST
  kShutdown,   ///< shutdown(SHUT_WR): the FIN of a socket that a process still holds
  kAfterPeer,  ///< the peers have closed first; close() in CLOSE_WAIT
};

/// What happens to the world just before the end, for false alarms.
enum class Fault {
  kNone,
  kFinScan,  ///< a stranger sends bare FINs to a closed port
  kLinkDown,
  kBlackhole,     ///< a blackhole route to the peer
  kPeerVanishes,  ///< the peer drops whatever comes and goes
  kPeerStopsReading,
};

struct Trial {
  std::string name;
  std::string rules;  ///< a shell script that loads them
  bool ipv6 = false;
  std::string address;        ///< to connect to; empty: the peer's
  int idle = 4;               ///< connections that are silent
  int keepalive = 0;          ///< that send a TCP keepalive every second
  int talking = 0;            ///< that exchange data every half second
  std::string sysctls;        ///< "NAME=VALUE ...", before anything is opened
  bool flush = false;         ///< entries are flushed instead of timing out
  bool entries_stay = false;  ///< nothing loses its entry before the end
  End end = End::kClose;
  Fault fault = Fault::kNone;
  // What must come.
  std::string stage_before;  ///< just before the end
  int at_risk = 0;
  int peer_half = 0;  ///< of those whose own close is not certainly lost: fates peer_fin_dropped and peer_decides
  std::string stage_after;
  /// Closes that do not get through, of whichever end; nothing: as many as were at risk.
  std::optional<int> lost;
  std::string cause;        ///< of the stuck sockets, "" where none is stuck
  bool peer_stays = false;  ///< the peers do not close when they are told of the end
  int tries = 3;            ///< a socket counts as stuck from so many on
};

/// Plays it. Never throws: what goes wrong is a complaint.
Outcome Play(const Trial& trial);

/// Plays all, several at a time, each in namespaces of its own; outcomes are in the order of `trials`.
std::vector<Outcome> PlayAll(const std::vector<Trial>& trials);

}  // namespace finwait::e2e
