#pragma once

#include "tests/lab/namespace.h"

namespace finwait::e2e {

/// Sends 50 bare FINs of no connection from 192.0.2.2, which `where` has, to a closed port of 192.0.2.1, as a port
/// scanner does: conntrack calls each INVALID, and so the reset that answers it.
void ScanWithFins(const lab::Namespace& where);

}  // namespace finwait::e2e
