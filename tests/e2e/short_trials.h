#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/outcome.h"

/// The risk matrix's short form: one connection, its entry removed, `check`, `explain` and the service asked, and then
/// closed. What the two sockets do is held against what was said, and so is what the service then says of it.
namespace finwait::e2e {

enum class FirstToClose { kThisEnd, kPeer };

/// What the peer has done by the time that the entry is lost.
enum class PeerAct {
  kNothing,
  kCloses,         ///< this end is in CLOSE_WAIT
  kClosesAndGoes,  ///< and the peer has forgotten the connection
  kStopsReading,   ///< with its window closed; it reads again once this end has closed
};

struct ShortTrial {
  std::string name;
  /// A shell script that loads them once the connection is open. $PORT: the client's port.
  std::string rules;
  bool ipv6 = false;
  std::string fate;                             ///< "clean", or one of the label `fate`
  FirstToClose first = FirstToClose::kThisEnd;  ///< of kPeer, this end closes last and need not get that far
  int mark = 0;                                 ///< SO_MARK
  std::string device;                           ///< SO_BINDTODEVICE
  std::string prepare;       ///< a shell script before the connection is opened. $FAR: the peer's namespace
  std::string prepare_peer;  ///< the same, run by the peer, afterwards
  std::string address;       ///< to connect to, "" for the peer's own
  std::string listens;       ///< where the peer listens, "" for `address`
  std::string from;          ///< the address to connect from; as a transparent proxy does, where it is not this host's
  bool peer_opens = false;   ///< this end is the server
  PeerAct peer = PeerAct::kNothing;
  std::string changes;       ///< a shell script that is run while the service watches the connection without its entry
  bool entry_stays = false;  ///< what rules do to FINs that have an entry
  /// No rule has a part in `fate`, but routing: `explain` tells, and `check` and the service raise no alarm.
  bool refused_by_routing = false;
  /// Why the socket is stuck cannot be told: the peer may have gone, and its reset be dropped, or be out of reach.
  bool undetermined = false;
  /// Of the stuck socket; nothing: what `fate` comes to.
  std::optional<std::string> cause;
};

/// Plays it; the complaint says what was not as `fate` says. Never throws.
Outcome Play(const ShortTrial& trial);

/// Short enough for a test.
struct ShortTrialGroup {
  std::string name;
  std::vector<ShortTrial> trials;
};

/// All of them.
std::vector<ShortTrialGroup> ShortTrials();
/// Those that users have reported, each by its kind.
std::vector<ShortTrial> ReportedTrials();

/// Whether a host with one connection of that fate may be at `stage`.
bool IsStageOf(const std::string& fate, const std::string& stage);
/// The cause of a socket that is stuck after a close of that fate by this end; "" where none is stuck.
std::string CauseOf(const std::string& fate);

}  // namespace finwait::e2e
