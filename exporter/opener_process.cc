#include "exporter/opener_process.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <utility>

#include "collectors/kernel/namespaces/opener.h"
#include "collectors/kernel/netlink/sealed_requests.h"
#include "exporter/privilege/inheritance.h"
#include "exporter/privilege/sandbox.h"

namespace finwait::exporter {
namespace {

// A number that nothing else can get (SealedRequests), behind that of the channel to the server.
constexpr int kOpenerChannel = kernel::netlink::SealedRequests::kFirstFree + 1;

constexpr const char* kObserved =
    ": other network namespaces are observed through procfs, as with --namespaces=observe";

// CAP_NET_ADMIN, as the kernel asks for it of both, who has opened a socket of netfilter's and who sends by it.
constexpr privilege::KeptCapabilities kKept = {.net_admin = true, .entering = true};

[[noreturn]] void Run(const command_line::Options& options, int channel, pid_t reader) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != reader) {
    std::_Exit(1);
  }
  pthread_setname_np(pthread_self(), "finwait_opener");
  privilege::CloseAllBut(channel);
  const int procfs = ::open(options.procfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  // No Landlock: within a domain nothing of a process outside may be opened that takes CAP_SYS_PTRACE.
  if (procfs < 0 || !privilege::GiveUpPrivileges(kKept)) {
    std::_Exit(1);
  }
  privilege::FilterCalls(options.filter_calls, {.role = privilege::Role::kOpener});
  kernel::namespaces::RunOpener(channel, procfs);
  std::_Exit(0);
}

Result<UniqueFd> StartIt(const command_line::Options& options) {
  const std::string held = privilege::EffectiveCapabilities();
  for (const char* needed : {"CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"}) {
    if (held.find(needed) == std::string::npos) {
      return Fail(FailureReason::kPermission,
                  std::string("--namespaces=enter takes ") + needed + ", which this process does not have");
    }
  }
  auto ends = kernel::namespaces::MakeOpenerChannel();
  if (!ends) {
    return Failure(ends.error());
  }
  privilege::AllowDescriptors(2 * kernel::netlink::SealedRequests::kFirstFixed);
  const pid_t reader = ::getpid();
  const pid_t process = ::fork();
  if (process < 0) {
    return FailErrno("start the process that enters network namespaces", errno);
  }
  if (process == 0) {
    Run(options, ends->second.Get(), reader);
  }
  UniqueFd fixed(::fcntl(ends->first.Get(), F_DUPFD_CLOEXEC, kOpenerChannel));
  return fixed ? std::move(fixed) : std::move(ends->first);
}

}  // namespace

OpenerProcess OpenerProcess::Start(const command_line::Options& options) {
  OpenerProcess opener;
  if (options.namespaces != sources::NamespaceDepth::kEnter) {
    return opener;
  }
  auto started = StartIt(options);
  if (started) {
    opener.channel_ = std::move(*started);
  } else {
    opener.why_not_ = started.error().message + kObserved;
  }
  return opener;
}

void OpenerProcess::GiveTo(sources::NamespaceSettings& settings,
                           std::function<Result<kernel::netlink::Channel>(int protocol, UniqueFd socket)> adopt) {
  if (!channel_ || !adopt) {
    settings.no_entrance = !why_not_.empty() ? why_not_
                                             : std::string(
                                                   "--namespaces=enter takes requests with sealed headers, "
                                                   "which this process does not have") +
                                                   kObserved;
    return;
  }
  kernel::namespaces::Entrance entrance = {std::make_shared<kernel::namespaces::Opener>(std::move(channel_)),
                                           std::move(adopt)};
  settings.entrance = std::make_shared<const kernel::namespaces::Entrance>(std::move(entrance));
}

}  // namespace finwait::exporter
