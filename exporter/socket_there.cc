#include "exporter/socket_there.h"

#include <string_view>

#include "collectors/kernel/find_socket.h"
#include "exporter/explain_host.h"

namespace finwait::exporter {
namespace {

constexpr char kYes = 'y';
constexpr char kNo = 'n';
constexpr char kUntold = '?';
constexpr std::string_view kForms = "yn?";
constexpr std::size_t kAnswers = 5;

char Answer(bool yes) { return yes ? kYes : kNo; }

}  // namespace

int WriteSocketThere(const command_line::Options& options, const Result<kernel::Host>& host, std::ostream& out) {
  if (!host) {
    return 0;
  }
  const Endpoint local{*IpAddress::Parse(options.local.address), options.local.port};
  const Endpoint peer{*IpAddress::Parse(options.peer.address), options.peer.port};
  const auto found = kernel::FindSocket(*host, local, peer, Deadline::After(kExplainLimit));
  if (!found || !*found) {
    return 0;
  }
  const kernel::FoundSocket& socket = **found;
  const auto circumstances = diagnosis::SocketCircumstances::Of(socket);
  out << Answer(circumstances.peer_has_closed) << Answer(circumstances.sends_first) << Answer(circumstances.multipath)
      << Answer(socket.timer == kernel::SocketTimer::kProbe)
      << (socket.opened_here ? Answer(*socket.opened_here) : kUntold);
  return 0;
}

std::optional<SocketThere> DecodeSocketThere(const std::string& written) {
  if (written.size() != kAnswers || std::string_view(written).find_first_not_of(kForms) != std::string::npos) {
    return std::nullopt;
  }
  std::optional<bool> opened_here;
  if (written[4] != kUntold) {
    opened_here = written[4] == kYes;
  }
  return SocketThere{{written[0] == kYes, written[1] == kYes, written[2] == kYes}, written[3] == kYes, opened_here};
}

}  // namespace finwait::exporter
