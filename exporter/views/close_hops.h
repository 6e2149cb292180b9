#pragma once

#include <string>

#include "exporter/report/close_report.h"

namespace finwait::views {

/// What this host does to a connection of another namespace, from the process that has looked at it. Empty texts: no
/// device of this host leads there, so its packets do not pass it.
struct HostHop {
  std::string json;  ///< CloseJson()
  std::string text;  ///< CloseText()
  bool Passes() const { return !json.empty(); }
  /// kUnknown where `json` has none.
  diagnosis::Fate Fate() const;
};

/// As one text, for the process that prints the answer; and back. What cannot be read is a hop of fate kUnknown.
std::string EncodeHop(const report::CloseReport& report);
HostHop DecodeHop(const std::string& encoded);

/// Which of two hops decides: the one that loses a packet for certain, and among those the one whose loss comes first.
bool HostDecides(diagnosis::Fate own, diagnosis::Fate host);

/// What `explain --netns` prints of a connection of the namespace `where` ("process 4711"): its own hop and the host's.
/// Top level is the hop that decides.
std::string HopsText(const report::CloseReport& own, const HostHop& host, const std::string& where);
std::string HopsJson(const report::CloseReport& own, const HostHop& host);

}  // namespace finwait::views
