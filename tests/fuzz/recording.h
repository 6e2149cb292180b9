#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "collectors/kernel/host.h"
#include "collectors/kernel/netlink/channel.h"

/// Netlink conversations as bytes: datagrams one behind the other, each after its length in 4 bytes, least significant
/// first. Sequence numbers and ports in them are relative to the request, so that a recording answers any request.
namespace finwait::fuzz {

using Datagrams = std::vector<std::vector<std::byte>>;

/// Sound on any bytes: a length that runs past the end stands for all that is left.
Datagrams SplitRecording(std::span<const std::byte> recording);
std::vector<std::byte> JoinRecording(const Datagrams& datagrams);

/// A host whose kernel gives the recorded datagrams as its answers, in order, whatever it is asked; once there are none
/// left, a receiver times out. Its procfs is a directory with the few files that collectors look into on their way.
kernel::Host HostThatAnswers(Datagrams datagrams);

/// Makes a channel to the real kernel that also writes down what it answers.
Result<kernel::netlink::Channel> OpenRecordedChannel(int protocol, const std::shared_ptr<Datagrams>& recording);

}  // namespace finwait::fuzz
