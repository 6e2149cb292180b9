#include "exporter/explain_netns.h"

#include <linux/netlink.h>

#include "collectors/kernel/links.h"
#include "exporter/diagnosis/forwarded_facts.h"
#include "exporter/exit_code.h"
#include "exporter/explain.h"
#include "exporter/explain_host.h"

namespace finwait::exporter {
namespace {

// How the namespace is joined to this one.
Result<std::optional<kernel::NamespaceLink>> JointOf(const kernel::Host& host, int there) {
  const auto links = kernel::Links::Read(host, Deadline::After(kExplainLimit));
  if (!links) {
    return Failure(links.error());
  }
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  const auto number = kernel::NumberOfOpenNamespace(*channel, there, Deadline::After(kExplainLimit));
  if (!number) {
    return Failure(number.error());
  }
  return links->LinkTo(*number);
}

}  // namespace

int WriteHostHop(const command_line::Options& options, int there, const std::optional<SocketThere>& socket,
                 const Result<kernel::Host>& host, std::ostream& out, std::ostream& err) {
  const auto joint = host ? JointOf(*host, there) : Failure(host.error());
  report::CloseReport unknown;
  if (joint && *joint && !(*joint)->device) {
    unknown.reason = diagnosis::kNoHostSide;
  } else if (!joint) {
    err << "finwait_exporter explain: " << joint.error().message << "\n";
    unknown.reason = joint.error().message;
  } else if (const auto side = *joint ? diagnosis::HostSideOf(**joint) : std::nullopt; !side) {
    unknown.reason = "through which device of this host its packets come";
  } else if (const auto report = ExplainOne(options, host, ConnectionThere{*side, socket}, err)) {
    out << views::EncodeHop(*report);
    return 0;
  }
  out << views::EncodeHop(unknown);
  return 0;
}

int RunExplainNetns(const command_line::Options& options, const views::HostHop& host_hop, const std::string& where,
                    const Result<kernel::Host>& host, std::ostream& out, std::ostream& err) {
  const auto own = ExplainOne(options, host, std::nullopt, err);
  if (!own) {
    return kCannotTell;
  }
  // What stays inside passes nothing else.
  const views::HostHop hop = own->path == firewall::eval::PathKind::kLoopback ? views::HostHop() : host_hop;
  out << (options.report_format == command_line::ReportFormat::kJson ? views::HopsJson(*own, hop)
                                                                     : views::HopsText(*own, hop, where));
  return ExitCodeOf(hop.Passes() && views::HostDecides(own->fate, hop.Fate()) ? hop.Fate() : own->fate);
}

}  // namespace finwait::exporter
