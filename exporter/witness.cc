#include "exporter/witness.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>

#include "collectors/kernel/netlink/sealed_requests.h"
#include "collectors/sources/witness.h"
#include "collectors/witness/probe.h"
#include "exporter/bpf_process.h"
#include "exporter/service/memory_policy.h"

namespace finwait::exporter {
namespace {

// The number of the reader's end: above those that the reader may close (kernel/netlink/sealed_requests.h), and beside
// its channel.
constexpr int kPipe = kernel::netlink::SealedRequests::kFirstFree + 1;

bool IsWanted(const command_line::Options& options) {
  const auto& enabled = options.enabled_collectors;
  return std::find(enabled.begin(), enabled.end(), sources::WitnessSample::kCollector) != enabled.end();
}

bool ReaderIsGone(const witness::FeedWriter& feed) {
  pollfd pipe = {feed.Descriptor(), 0, 0};
  return ::poll(&pipe, 1, 0) > 0 && (pipe.revents & POLLERR) != 0;
}

void Witness(const command_line::Options& options, witness::FeedWriter feed) {
  const auto probe = LoadConfined(options, privilege::Role::kWitness, witness::Probe::Attach);
  if (!probe) {
    feed.Put(witness::Start{probe.error().reason, probe.error().message});
    return;
  }
  service::TrimMemory();  // the kernel's types take 20 MB while they are read
  feed.Put(witness::Start{});
  constexpr std::chrono::milliseconds kMost(500);
  finwait_counts told = {};
  feed.Put(told);
  while (!ReaderIsGone(feed)) {
    // Events before their counts: the reader decides by an event where its packet is counted.
    (*probe)->Wait(kMost, [&feed](const witness::TextedEvent& event) { feed.Put(event); });
    const finwait_counts counts = (*probe)->Counts();
    if (std::memcmp(&counts, &told, sizeof counts) != 0 && feed.Put(counts)) {
      told = counts;
    }
  }
}

}  // namespace

std::shared_ptr<witness::FeedReader> StartWitness(const command_line::Options& options, int channel) {
  if (!IsWanted(options)) {
    return nullptr;
  }
  auto feed = witness::MakeFeed();
  if (!feed) {
    return nullptr;
  }
  const pid_t reader = ::getpid();
  const pid_t process = ::fork();
  if (process == 0) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != reader) {
      std::_Exit(1);
    }
    pthread_setname_np(pthread_self(), "finwait_witness");
    ::signal(SIGPIPE, SIG_IGN);
    ::close(channel);
    { const witness::FeedReader others = std::move(feed->reader); }
    try {
      Witness(options, std::move(feed->writer));
    } catch (const std::exception&) {
      std::_Exit(2);  // no memory: the reader sees the pipe end, and says so
    }
    std::_Exit(0);
  }
  if (process < 0) {
    feed->writer.Put(witness::Start{FailureReason::kError, "the process that witnesses could not be started"});
  }
  feed->reader.MoveTo(kPipe);
  return std::make_shared<witness::FeedReader>(std::move(feed->reader));
}

}  // namespace finwait::exporter
