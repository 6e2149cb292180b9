#include "exporter/web_config/web_config_file.h"

#include "exporter/web_config/parser.h"

namespace finwait::web_config {

WebConfigFile::WebConfigFile(const std::filesystem::path& path, ChangeReport report)
    : file_(path), report_(std::move(report)) {
  file_.Refresh();
  Read();
}

const Result<WebConfig>& WebConfigFile::Now() {
  if (file_.Refresh()) {
    Read();
    report_(config_ ? Result<void>() : Failure(config_.error()));
  }
  return config_;
}

void WebConfigFile::Read() {
  ++version_;
  if (!file_.Content()) {
    config_ = Failure(file_.Content().error());
    return;
  }
  config_ = ParseWebConfig(*file_.Content(), file_.Path().parent_path());
  if (!config_) {
    config_ = Fail(FailureReason::kError, file_.Path().string() + " " + config_.error().message);
  }
}

}  // namespace finwait::web_config
