#include "exporter/service/rendered_view.h"

#include "exporter/http/gzip.h"

namespace finwait::service {

http::HttpResponse RenderedView::Answer(const httplib::Request& request) {
  const std::lock_guard lock(mutex_);
  const auto report = latest_.Get();
  if (rendered_.lock() != report) {
    compressed_ = nullptr;
    plain_ = nullptr;
    plain_ = std::make_shared<const std::string>(render_(*report));
    rendered_ = report;
  }
  http::HttpResponse response;
  response.content_type = content_type_;
  response.body = plain_;
  return http::Compressed(request, std::move(response), compressed_);
}

}  // namespace finwait::service
