#include "exporter/http/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/unit/exporter/http/client.h"

namespace finwait::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing_client::ParseReply;
using testing_client::Reply;

RequestHead HeadOf(const std::string& line, const std::string& fields = "") {
  RequestReader reader({});
  EXPECT_EQ(reader.Read(line + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n"), RequestReader::State::kComplete);
  return reader.TakeHead();
}

Reply Exchanged(const RequestHead& head, const Handler& handler, const ExceptionReport& report = nullptr) {
  const OutgoingResponse response = Answer(head, handler, report);
  return ParseReply(response.head + (response.body ? *response.body : ""));
}

HttpResponse Hello(const HttpRequest&) {
  HttpResponse response = MakeResponse(200, "text/plain; charset=utf-8", std::string(5000, 'x'));
  response.headers = {{"Vary", "Accept"}};
  return response;
}

TEST(Exchange, GivesTheHandlerTheRequestDecoded) {
  HttpRequest seen;
  Exchanged(HeadOf("GET /a%20b?fail-on=exposed&x=%41+b&x=2&empty=&flag&q=a?b", "X: y%0D%0Az\r\nx: w\r\n"),
            [&](const HttpRequest& request) {
              seen = request;
              return HttpResponse{};
            });
  EXPECT_EQ(seen.method, "GET");
  EXPECT_EQ(seen.path, "/a b");
  EXPECT_EQ(seen.Parameter("fail-on"), "exposed");
  EXPECT_EQ(seen.Parameter("x"), "A b");
  EXPECT_EQ(seen.parameters.count("x"), 2u);
  EXPECT_EQ(seen.Parameter("empty"), "");
  EXPECT_EQ(seen.Parameter("flag"), "");
  EXPECT_EQ(seen.Parameter("q"), "a?b");
  EXPECT_EQ(seen.Parameter("none"), std::nullopt);
  EXPECT_EQ(seen.Header("X"), "y%0D%0Az, w") << "header values are not percent-encoded text";
  EXPECT_EQ(seen.Header("none"), "");
}

TEST(Exchange, WritesACompleteHead) {
  const OutgoingResponse response = Answer(HeadOf("GET /"), Hello, nullptr);
  EXPECT_THAT(response.head, testing::EndsWith("\r\n\r\n"));
  EXPECT_EQ(*response.body, std::string(5000, 'x'));
  const Reply reply = ParseReply(response.head);
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.headers, testing::UnorderedElementsAre(
                                 Pair("content-type", "text/plain; charset=utf-8"), Pair("content-length", "5000"),
                                 Pair("connection", "close"), Pair("vary", "Accept"),
                                 Pair("date", testing::MatchesRegex("(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9][0-9] "
                                                                    "[A-Z][a-z][a-z] 20.. ..:..:.. GMT"))));
}

TEST(Exchange, HeadHasTheHeadOfGetAndNoBody) {
  const OutgoingResponse get = Answer(HeadOf("GET /"), Hello, nullptr);
  const OutgoingResponse head = Answer(HeadOf("HEAD /"), Hello, nullptr);
  EXPECT_EQ(head.body, nullptr);
  EXPECT_EQ(ParseReply(head.head).headers, ParseReply(get.head).headers);
}

TEST(Exchange, RangesAreIgnored) {
  for (const char* range : {"Range: bytes=0-3\r\n", "Range: nonsense\r\n", "Range: bytes=9999-\r\n"}) {
    const Reply reply = Exchanged(HeadOf("GET /", range), Hello);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body.size(), 5000u);
  }
}

TEST(Exchange, NothingIsCompressedBehindTheHandlersBack) {
  const Reply reply = Exchanged(HeadOf("GET /", "Accept-Encoding: gzip;q=0\r\n"), Hello);
  EXPECT_EQ(reply.Header("content-encoding"), "");
  EXPECT_EQ(reply.body.size(), 5000u);
}

TEST(Exchange, ExpectationsAreNotAnswered) {
  EXPECT_THAT(Answer(HeadOf("GET /", "Expect: 100-continue\r\n"), Hello, nullptr).head, Not(HasSubstr("100")));
}

TEST(Exchange, AnEmptyResponseHasLengthZero) {
  const Reply reply = Exchanged(HeadOf("GET /"), [](const HttpRequest&) { return HttpResponse{}; });
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("content-length"), "0");
}

TEST(Exchange, ErrorStatusesKeepTheirBody) {
  for (const int status : {404, 500, 503}) {
    const Reply reply = Exchanged(
        HeadOf("GET /"), [status](const HttpRequest&) { return MakeResponse(status, "application/json", "{}"); });
    EXPECT_EQ(reply.status, status);
    EXPECT_EQ(reply.body, "{}");
    EXPECT_EQ(reply.Header("content-type"), "application/json");
  }
}

TEST(Exchange, AnExceptionIsReportedAndNotShown) {
  std::vector<std::string> reports;
  const auto report = [&](std::string_view path, std::string_view what) {
    reports.push_back(std::string(path) + ": " + std::string(what));
  };
  const Reply standard = Exchanged(
      HeadOf("GET /a"), [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("secret"); }, report);
  const Reply other = Exchanged(
      HeadOf("GET /b"), [](const HttpRequest&) -> HttpResponse { throw 7; }, report);
  for (const Reply& reply : {standard, other}) {
    EXPECT_EQ(reply.status, 500);
    EXPECT_EQ(reply.body, "The request could not be answered; the log says why.\n");
    EXPECT_EQ(reply.Header("content-length"), std::to_string(reply.body.size()));
    EXPECT_THAT(reply.raw, Not(HasSubstr("secret")));
    EXPECT_EQ(reply.Header("exception_what"), "");
  }
  EXPECT_THAT(reports, ElementsAre("/a: secret", "/b: not a std::exception"));
  EXPECT_EQ(Exchanged(HeadOf("GET /"), [](const HttpRequest&) -> HttpResponse { throw 7; }).status, 500)
      << "also when nobody wants to know";
}

TEST(Exchange, AHeaderValueOfAHandlerCannotSplitTheResponse) {
  const Reply reply = Exchanged(HeadOf("GET /"), [](const HttpRequest&) {
    HttpResponse response = MakeResponse(200, "text/plain", "x");
    response.headers = {{"X-Bad", "a\r\nX-Forged: b"}};
    return response;
  });
  EXPECT_EQ(reply.Header("x-forged"), "");
  EXPECT_EQ(reply.body, "x");
}

}  // namespace
}  // namespace finwait::http
