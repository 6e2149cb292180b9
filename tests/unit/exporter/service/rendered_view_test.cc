#include "exporter/service/rendered_view.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <stdexcept>
#include <string>

namespace finwait::service {
namespace {

class RenderedViewTest : public testing::Test {
 protected:
  RenderedViewTest() { latest_.Set(std::make_shared<const report::Report>()); }
  http::HttpResponse Ask(const std::string& accept_encoding = "") {
    httplib::Request request;
    if (!accept_encoding.empty()) {
      request.headers.emplace("Accept-Encoding", accept_encoding);
    }
    return view_.Answer(request);
  }

  int rendered_ = 0;
  bool fails_ = false;
  report::LatestReport latest_;
  RenderedView view_{[this](const report::Report&) {
                       if (fails_) {
                         throw std::bad_alloc();
                       }
                       return std::string(5000, 'x') + std::to_string(++rendered_);
                     },
                     "application/json", latest_};
};

TEST_F(RenderedViewTest, IsRenderedAndCompressedOnceForEachDiagnosis) {
  const auto plain = Ask().body;
  const auto compressed = Ask("gzip").body;
  EXPECT_NE(plain, compressed);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Ask().body, plain) << "one body for all readers";
    EXPECT_EQ(Ask("gzip").body, compressed);
  }
  EXPECT_EQ(rendered_, 1);
  latest_.Set(std::make_shared<const report::Report>());
  EXPECT_NE(*Ask().body, *plain);
  EXPECT_NE(Ask("gzip").body, compressed);
  EXPECT_EQ(rendered_, 2);
}

TEST_F(RenderedViewTest, HasTheEncodingAskedForAndSaysThatItVaries) {
  const http::HttpResponse response = Ask("gzip");
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.headers,
            (std::vector<http::HeaderField>{{"Vary", "Accept-Encoding"}, {"Content-Encoding", "gzip"}}));
  EXPECT_EQ(Ask("gzip;q=0").headers, (std::vector<http::HeaderField>{{"Vary", "Accept-Encoding"}}));
}

TEST_F(RenderedViewTest, KeepsNoDiagnosisAlive) {
  Ask();
  const std::weak_ptr<const report::Report> before = latest_.Get();
  latest_.Set(std::make_shared<const report::Report>());
  EXPECT_TRUE(before.expired());
}

TEST_F(RenderedViewTest, ARenderingThatFailsIsTriedAgain) {
  fails_ = true;
  EXPECT_THROW(Ask(), std::bad_alloc);
  fails_ = false;
  EXPECT_EQ(Ask().body->size(), 5001u);
}

}  // namespace
}  // namespace finwait::service
