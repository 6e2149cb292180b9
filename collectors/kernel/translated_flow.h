#pragma once

#include "collectors/base/ip.h"

namespace finwait::kernel {

/// A connection whose addresses or ports this host's NAT changes: its ends as the opener sees them, and as the answerer
/// does.
struct TranslatedFlow {
  Endpoint opener;
  Endpoint dialled;  ///< where the opener sends
  Endpoint seen;     ///< where the answerer sends
  Endpoint answerer;
  auto operator<=>(const TranslatedFlow&) const = default;
};

}  // namespace finwait::kernel
