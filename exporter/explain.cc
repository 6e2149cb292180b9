#include "exporter/explain.h"

#include <memory>

#include "collectors/firewall/read/fact_resolver.h"
#include "exporter/diagnosis/close_explanation.h"
#include "exporter/diagnosis/conntrack_activity.h"
#include "exporter/exit_code.h"
#include "exporter/explain_host.h"
#include "exporter/views/close.h"

namespace finwait::exporter {
namespace {

// What the command line says of a connection, where no socket does.
void AddWhatIsGiven(const command_line::Options& options, diagnosis::ExplainedConnection& connection) {
  using firewall::eval::OpenedBy;
  if (options.opened_here) {
    connection.opened_by = *options.opened_here ? OpenedBy::kLocal : OpenedBy::kPeer;
  }
  connection.mark = options.mark;
  connection.user = options.user;
  connection.group = options.group;
}

void AddWhatIsToldThere(const ConnectionThere& there, diagnosis::ExplainedConnection& connection) {
  using firewall::eval::OpenedBy;
  connection.host_side = there.host_side;
  if (!there.socket) {
    return;
  }
  connection.circumstances = there.socket->circumstances;
  connection.window_closed = there.socket->window_closed;
  if (there.socket->opened_here) {
    connection.opened_by = *there.socket->opened_here ? OpenedBy::kLocal : OpenedBy::kPeer;
  }
}

}  // namespace

std::optional<report::CloseReport> ExplainOne(const command_line::Options& options, const Result<kernel::Host>& opened,
                                              const std::optional<ConnectionThere>& there, std::ostream& err) {
  auto read = ReadExplainHost(opened, err);
  if (!read) {
    return std::nullopt;
  }
  const Endpoint local{*IpAddress::Parse(options.local.address), options.local.port};
  const Endpoint peer{*IpAddress::Parse(options.peer.address), options.peer.port};
  ConnectionNow now = ReadConnection(read->host, local, peer, err);
  AddWhatIsGiven(options, now.connection);
  if (there) {
    AddWhatIsToldThere(*there, now.connection);
  }

  const auto& rules = read->firewall->ruleset;
  firewall::read::FactResolver resolver(read->host);
  const auto facts = std::make_shared<firewall::facts::FactStore>();
  read->settings.conntrack_active = diagnosis::MayNeedConntrack(*rules, resolver, *facts);
  if (now.tracked == true) {
    read->settings.conntrack_active[local.address.Family()] = true;
  }
  diagnosis::CloseEvaluator evaluator(rules, read->settings, facts);
  const auto explanation = ExplainClose(now.connection, evaluator, &resolver);
  if (!explanation) {
    err << "finwait_exporter explain: " << explanation.error().message << "\n";
    return std::nullopt;
  }
  report::CloseReport report = report::ReportClose(*explanation, evaluator.Packets());
  report.tracked = now.tracked;
  report.entry = now.entry_text;
  return report;
}

int ExitCodeOf(diagnosis::Fate fate) {
  return fate == diagnosis::Fate::kClean ? 0 : fate == diagnosis::Fate::kUnknown ? kCannotTell : 1;
}

int RunExplain(const command_line::Options& options, const Result<kernel::Host>& opened, std::ostream& out,
               std::ostream& err) {
  const auto report = ExplainOne(options, opened, std::nullopt, err);
  if (!report) {
    return kCannotTell;
  }
  out << (options.report_format == command_line::ReportFormat::kJson ? views::CloseJson(*report)
                                                                     : views::CloseText(*report));
  return ExitCodeOf(report->fate);
}

}  // namespace finwait::exporter
