#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "exporter/http/message.h"
#include "exporter/report/latest.h"

namespace finwait::service {

/// A view of the latest report that is rendered, and compressed, once for each report and served to all who ask
/// for that one: asking costs a client about as much as it costs us, however large the view. Thread-safe.
class RenderedView {
 public:
  using Render = std::function<std::string(const report::Report&)>;

  /// `latest` must outlive this.
  RenderedView(Render render, std::string content_type, const report::LatestReport& latest)
      : render_(std::move(render)), content_type_(std::move(content_type)), latest_(latest) {}

  /// The view of the latest report, of which there must be one, in the encoding that Accept-Encoding asks for.
  http::HttpResponse Answer(const httplib::Request& request);

 private:
  const Render render_;
  const std::string content_type_;
  const report::LatestReport& latest_;
  std::mutex mutex_;  // held while rendering: who comes meanwhile wants the same
  std::weak_ptr<const report::Report> rendered_;
  std::shared_ptr<const std::string> plain_;
  std::shared_ptr<const std::string> compressed_;  ///< null until asked for, and where it is not worth it
};

}  // namespace finwait::service
