#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "collectors/base/result.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/incidents/record.h"
#include "exporter/pairs/digest.h"
#include "exporter/pairs/halves.h"
#include "exporter/pairs/translation_memory.h"

/// What this host tells others of its own halves.
namespace finwait::pairs {

/// Of `records`, the connections whose close may have left the peer with a half: all that have ends, but those whose
/// peer lives and has closed its window. `now`: the time of day, by the clock that the records have; `sampling`: how
/// long after its last sample a socket may have gone unseen.
LostDocument LostHalvesOf(const std::vector<incidents::Record>& records, incidents::Time now,
                          std::chrono::duration<double> sampling, Digester& digester);

/// The open sockets of a diagnosis, of this host and of the namespaces that it observes, as LiveWriter writes them.
/// `memory`: that has taken it, and those before. `owner_names`: --owners.names. An error where the sockets cannot be
/// read.
Result<std::string> LiveHalvesOf(const diagnosis::Diagnosis& diagnosis, const TranslationMemory& memory,
                                 SteadyClock::time_point now, bool owner_names, Digester& digester);

}  // namespace finwait::pairs
