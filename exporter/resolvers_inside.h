#pragma once

#include "collectors/sources/namespace_settings.h"
#include "exporter/diagnosis/own_hops.h"

namespace finwait::exporter {

/// Who answers for the namespaces that are entered by `settings`; nobody for any other, or without an entrance.
diagnosis::ResolverIn ResolversInside(const sources::NamespaceSettings& settings);

}  // namespace finwait::exporter
