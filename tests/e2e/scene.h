#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"

namespace finwait::e2e {

/// The two ends of a connection.
struct Ends {
  UniqueFd local;
  UniqueFd peer;
};

/// A host with its peer, connections between them, and the program's opinion of it: `check`, run inside.
class Scene {
 public:
  Scene() = default;

  const lab::Wire& Wire() const { return wire_; }
  const lab::Namespace& Local() const { return wire_.local; }
  const lab::Namespace& Peer() const { return wire_.peer; }

  /// A connection to the peer, opened from here. `ipv6`: over IPv6. `address`: to that address, which leads to the
  /// peer;
  /// "": to the peer's own.
  Ends Open(bool ipv6 = false, const std::string& address = "");
  /// Removes every entry, as an idle time longer than conntrack's timeout does, only sooner (kernel-facts, variant G).
  void LoseEntries() const;

  /// What `check --format=json` prints, and "exit_code".
  nlohmann::json Check() const;
  std::string CheckText() const;
  /// The command of the piece of advice `id`; throws when `check` does not give it. `section` is what_to_do or
  /// will_not_help.
  std::string Advised(const std::string& id) const;
  /// Whether `check` says that `id` will not help.
  bool WarnsOf(const std::string& id) const;
  /// Runs an advised command line here. Its "sleep 130" becomes a wait until nothing is stuck, at most 15 s.
  void Follow(const std::string& command) const;

  /// Closing sockets here (FIN_WAIT_1, CLOSING, LAST_ACK).
  int Stuck() const;
  /// The tries of each of them.
  std::vector<int> Tries() const;
  /// The tries of the one that has tried most; 0 where there is none.
  int MostTries() const;
  /// Sockets in `states` of the peer's, such as "established".
  int PeerSockets(const std::string& state) const;

  /// Waits until a socket has tried three times: nothing has saved it.
  bool StaysStuck() const;
  /// Waits until nothing is closing here, and the peer has been told: no socket of its in ESTABLISHED.
  bool ClosesOnBothEnds() const;

 private:
  lab::Wire wire_;
  std::unique_ptr<lab::Listener> listeners_[2];
};

/// How often the socket of a line of `ss -o` has tried, by its timer; 0 while what it sends has just left.
int TriesOf(const std::string& line);

/// Closes with an RST instead of a FIN.
void CloseWithReset(UniqueFd& socket);

/// Switches TCP keepalive on, every `seconds`.
void KeepAlive(const UniqueFd& socket, int seconds);

}  // namespace finwait::e2e
