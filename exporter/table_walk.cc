#include "exporter/table_walk.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "collectors/kernel/netlink/sealed_requests.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/witness/walk_channel.h"
#include "exporter/bpf_process.h"
#include "exporter/privilege/inheritance.h"
#include "exporter/service/memory_policy.h"

namespace finwait::exporter {
namespace {

// The number of the reader's end: above those that the reader may close (kernel/netlink/sealed_requests.h), and behind
// the channel and the witness's pipe.
constexpr int kSocket = kernel::netlink::SealedRequests::kFirstFree + 2;

void WalkWhenAsked(const command_line::Options& options, witness::WalkAnswerer answerer) {
  const auto walker = LoadConfined(options, privilege::Role::kTableWalker, [&options](std::uint64_t network_namespace) {
    return witness::TableWalker::Load(network_namespace, options.procfs);
  });
  if (!walker) {
    answerer.Refuse(walker.error());
    return;
  }
  service::TrimMemory();  // the kernel's types take 20 MB while they are read
  constexpr std::chrono::seconds kLook(1);
  for (;;) {
    witness::WalkAnswerer::Question question;
    const auto heard = answerer.Next(
        (*walker)->IsLooking() ? std::optional<std::chrono::milliseconds>(kLook) : std::nullopt, question);
    switch (heard) {
      case witness::WalkAnswerer::Heard::kEnd:
        return;
      case witness::WalkAnswerer::Heard::kNothing:
        (*walker)->LookAgain();
        break;
      case witness::WalkAnswerer::Heard::kQuestion:
        answerer.Answer(question, (*walker)->Walk(question.timeouts, Deadline::After(question.patience)));
        break;
    }
  }
}

}  // namespace

sources::TableWalk StartTableWalk(const command_line::Options& options) {
  if (!options.table_walk) {
    return {};
  }
  auto channel = witness::MakeWalkChannel();
  if (!channel) {
    return [why = channel.error()](const witness::LiveTimeouts&, Deadline) -> Result<witness::WalkResult> {
      return Failure(why);
    };
  }
  const pid_t reader = ::getpid();
  const pid_t process = ::fork();
  if (process == 0) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != reader) {
      std::_Exit(1);
    }
    pthread_setname_np(pthread_self(), "finwait_walker");
    ::signal(SIGPIPE, SIG_IGN);
    privilege::CloseAllBut(channel->answerer.Descriptor());
    try {
      WalkWhenAsked(options, std::move(channel->answerer));
    } catch (const std::exception&) {
      std::_Exit(2);  // no memory: the reader sees the socket end, and says so
    }
    std::_Exit(0);
  }
  if (process < 0) {
    channel->answerer.Refuse(
        Error{FailureReason::kError, 0, "the process that walks the conntrack table could not be started"});
  }
  channel->asker.MoveAbove(kSocket);
  return [asker = std::make_shared<witness::WalkAsker>(std::move(channel->asker))](
             const witness::LiveTimeouts& timeouts, Deadline deadline) { return asker->Walk(timeouts, deadline); };
}

}  // namespace finwait::exporter
