#pragma once

#include <string>
#include <vector>

/// The risk matrix's short form: one connection, its entry removed, `check`, `explain` and the service asked, and then
/// closed. What the two sockets do is held against what was said.
namespace finwait::e2e {

enum class FirstToClose { kThisEnd, kPeer };

struct ShortTrial {
  std::string name;
  std::string rules;  ///< a shell script that loads them once the connection is open
  bool ipv6 = false;
  std::string fate;                             ///< "clean", or one of the label `fate`
  FirstToClose first = FirstToClose::kThisEnd;  ///< of kPeer, this end closes last and need not get that far
  int mark = 0;                                 ///< SO_MARK
  std::string device;                           ///< SO_BINDTODEVICE
  std::string prepare;                          ///< a shell script before the connection is opened
  bool entry_stays = false;                     ///< what rules do to FINs that have an entry
  /// No rule has a part in `fate`, but routing: `explain` tells, and `check` and the service raise no alarm.
  bool refused_by_routing = false;
};

/// Plays it; what was not as `fate` says, in the words of the first that differs, or "". Never throws.
std::string Play(const ShortTrial& trial);

/// Short enough for a test.
struct ShortTrialGroup {
  std::string name;
  std::vector<ShortTrial> trials;
};

/// All of them.
std::vector<ShortTrialGroup> ShortTrials();

}  // namespace finwait::e2e
