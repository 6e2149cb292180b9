#pragma once

#include <memory>

#include "collectors/witness/feed.h"
#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// Starts the process that has the kernel tell of closing packets that it drops, as a child of the reader's: null where
/// `options` do not enable the collector `witness`. It holds CAP_BPF and CAP_PERFMON until its program is attached, and
/// from then on nothing: no capability, no file, no socket; it writes to the pipe whose end this returns, hears nobody,
/// and ends with the reader. `channel`: the reader's socket to the server, which it closes. To be called before
/// privileges are given up and before the first thread.
std::shared_ptr<witness::FeedReader> StartWitness(const command_line::Options& options, int channel);

}  // namespace finwait::exporter
