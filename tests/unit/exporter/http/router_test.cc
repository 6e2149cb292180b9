#include "exporter/http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <stdexcept>
#include <thread>

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

OutgoingResponse Answer(const RequestHead& head, const Handler& handler, const ExceptionReport& report = nullptr) {
  Router router(report, std::chrono::seconds(15), 100);
  router.Add(head.path, handler);
  return router.Respond(head, {}, false);
}

Reply Exchanged(const RequestHead& head, const Handler& handler, const ExceptionReport& report = nullptr) {
  const OutgoingResponse response = Answer(head, handler, report);
  return ParseReply(response.head + (response.body ? *response.body : ""));
}

HttpResponse Hello(const httplib::Request&) {
  HttpResponse response = MakeResponse(200, "text/plain; charset=utf-8", std::string(5000, 'x'));
  response.headers = {{"Vary", "Accept"}};
  return response;
}

TEST(Router, GivesTheHandlerTheRequestDecoded) {
  bool seen = false;
  Exchanged(HeadOf("GET /a%20b?fail-on=exposed&x=%41+b&x=2&empty=&flag&q=a?b",
                   "Accept: y%0D%0Az\r\naccept: w\r\nAccept-Encoding: gzip\r\n"),
            [&](const httplib::Request& request) {
              EXPECT_EQ(request.method, "GET");
              EXPECT_EQ(request.path, "/a b");
              EXPECT_EQ(Parameter(request, "fail-on"), "exposed");
              EXPECT_EQ(Parameter(request, "x"), "A b");
              EXPECT_EQ(request.params.count("x"), 2u);
              EXPECT_EQ(Parameter(request, "empty"), "");
              EXPECT_EQ(Parameter(request, "flag"), "");
              EXPECT_EQ(Parameter(request, "q"), "a?b");
              EXPECT_EQ(Parameter(request, "none"), std::nullopt);
              EXPECT_EQ(Header(request, "Accept"), "y%0D%0Az, w") << "header values are not percent-encoded text";
              EXPECT_EQ(Header(request, "accept-encoding"), "gzip");
              EXPECT_EQ(Header(request, "none"), "");
              seen = true;
              return HttpResponse{};
            });
  EXPECT_TRUE(seen);
}

TEST(Router, OneObjectAnswersManyAtOnceEachWithItsOwn) {
  Router router(nullptr, std::chrono::seconds(15), 100);
  router.Add("/echo", [](const httplib::Request& request) {
    return MakeResponse(200, "text/plain", Parameter(request, "x").value_or(""));
  });
  std::vector<std::thread> askers;
  std::atomic<int> right = 0;
  for (int asker = 0; asker < 4; ++asker) {
    askers.emplace_back([&, asker] {
      for (int i = 0; i < 300; ++i) {
        const std::string own = std::to_string(asker) + "-" + std::to_string(i);
        const OutgoingResponse response = router.Respond(HeadOf("GET /echo?x=" + own), {{"X-Own", own}}, false);
        right += *response.body == own && ParseReply(response.head).Header("x-own") == own;
      }
    });
  }
  for (std::thread& asker : askers) {
    asker.join();
  }
  EXPECT_EQ(right, 4 * 300);
}

TEST(Router, APathIsNoPattern) {
  Router router(nullptr, std::chrono::seconds(15), 100);
  for (const std::string path : {"/a.b", "/m(e)t+r*i?c|s", "/:name", "/[x]", "/{1}", "/a\\d", "/^$"}) {
    router.Add(path, [path](const httplib::Request&) { return MakeResponse(200, "text/plain", path); });
  }
  const auto body = [&router](const std::string& target) {
    const OutgoingResponse response = router.Respond(HeadOf("GET " + target), {}, false);
    return response.head.starts_with("HTTP/1.1 200") ? *response.body : "";
  };
  EXPECT_EQ(body("/a.b"), "/a.b");
  EXPECT_EQ(body("/m(e)t+r*i%3Fc|s"), "/m(e)t+r*i?c|s");
  EXPECT_EQ(body("/:name"), "/:name");
  EXPECT_EQ(body("/[x]"), "/[x]");
  EXPECT_EQ(body("/{1}"), "/{1}");
  EXPECT_EQ(body("/a\\d"), "/a\\d");
  EXPECT_EQ(body("/^$"), "/^$");
  for (const char* other : {"/acb", "/x", "/other", "/a5", "/", "/a.b/", "/1"}) {
    EXPECT_EQ(body(other), "") << other;
  }
}

TEST(Router, ARefusalTakesTheHandlersPlace) {
  Router router(nullptr, std::chrono::seconds(15), 100);
  bool handled = false;
  router.Add("/", [&handled](const httplib::Request&) {
    handled = true;
    return HttpResponse{};
  });
  const OutgoingResponse response =
      router.Refuse(HeadOf("GET /"), MakeResponse(401, "text/plain", "no\n"), {{"X-Frame-Options", "deny"}}, false);
  const Reply reply = ParseReply(response.head + *response.body);
  EXPECT_EQ(reply.status, 401);
  EXPECT_EQ(reply.body, "no\n");
  EXPECT_EQ(reply.Header("content-length"), "3");
  EXPECT_EQ(reply.Header("x-frame-options"), "deny");
  EXPECT_FALSE(handled);
  EXPECT_EQ(router.Refuse(MakeResponse(431, "text/plain", "long\n"), true).body, nullptr);
}

TEST(Router, AnAcceptTooLongForTheLibraryCountsAsNone) {
  const Reply reply = Exchanged(HeadOf("GET /", "Accept: " + std::string(9'000, 'a') + "\r\n"), Hello);
  EXPECT_EQ(reply.status, 200);
  const Reply escaped = Exchanged(HeadOf("GET /", "Accept: " + std::string(5'000, '%') + "\r\n"), Hello);
  EXPECT_EQ(escaped.status, 200);
}

TEST(Router, AKeptConnectionIsPromisedInTheHead) {
  Router router(nullptr, std::chrono::seconds(15), 100);
  router.Add("/", Hello);
  const OutgoingResponse kept = router.Respond(HeadOf("GET /"), {}, true);
  EXPECT_TRUE(kept.keep_alive);
  EXPECT_EQ(ParseReply(kept.head).Header("keep-alive"), "timeout=15, max=100");
  EXPECT_EQ(ParseReply(kept.head).Header("connection"), "");
}

TEST(Router, WritesACompleteHead) {
  const OutgoingResponse response = Answer(HeadOf("GET /"), Hello);
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

TEST(Router, HeadHasTheHeadOfGetAndNoBody) {
  const OutgoingResponse get = Answer(HeadOf("GET /"), Hello);
  const OutgoingResponse head = Answer(HeadOf("HEAD /"), Hello);
  EXPECT_EQ(head.body, nullptr);
  EXPECT_EQ(ParseReply(head.head).headers, ParseReply(get.head).headers);
}

TEST(Router, RangesAreIgnored) {
  for (const char* range : {"Range: bytes=0-3\r\n", "Range: nonsense\r\n", "Range: bytes=9999-\r\n"}) {
    const Reply reply = Exchanged(HeadOf("GET /", range), Hello);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body.size(), 5000u);
  }
}

TEST(Router, NothingIsCompressedBehindTheHandlersBack) {
  const Reply reply = Exchanged(HeadOf("GET /", "Accept-Encoding: gzip;q=0\r\n"), Hello);
  EXPECT_EQ(reply.Header("content-encoding"), "");
  EXPECT_EQ(reply.body.size(), 5000u);
}

TEST(Router, ExpectationsAreNotAnswered) {
  EXPECT_THAT(Answer(HeadOf("GET /", "Expect: 100-continue\r\n"), Hello).head, Not(HasSubstr("100")));
}

TEST(Router, AnEmptyResponseHasLengthZero) {
  const Reply reply = Exchanged(HeadOf("GET /"), [](const httplib::Request&) { return HttpResponse{}; });
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("content-length"), "0");
}

TEST(Router, ErrorStatusesKeepTheirBody) {
  for (const int status : {404, 500, 503}) {
    const Reply reply = Exchanged(
        HeadOf("GET /"), [status](const httplib::Request&) { return MakeResponse(status, "application/json", "{}"); });
    EXPECT_EQ(reply.status, status);
    EXPECT_EQ(reply.body, "{}");
    EXPECT_EQ(reply.Header("content-type"), "application/json");
  }
}

TEST(Router, AnExceptionIsReportedAndNotShown) {
  std::vector<std::string> reports;
  const auto report = [&](std::string_view path, std::string_view what) {
    reports.push_back(std::string(path) + ": " + std::string(what));
  };
  const Reply standard = Exchanged(
      HeadOf("GET /a"), [](const httplib::Request&) -> HttpResponse { throw std::runtime_error("secret"); }, report);
  const Reply other = Exchanged(
      HeadOf("GET /b"), [](const httplib::Request&) -> HttpResponse { throw 7; }, report);
  for (const Reply& reply : {standard, other}) {
    EXPECT_EQ(reply.status, 500);
    EXPECT_EQ(reply.body, "The request could not be answered; the log says why.\n");
    EXPECT_EQ(reply.Header("content-length"), std::to_string(reply.body.size()));
    EXPECT_THAT(reply.raw, Not(HasSubstr("secret")));
    EXPECT_EQ(reply.Header("exception_what"), "");
  }
  EXPECT_THAT(reports, ElementsAre("/a: secret", "/b: not a std::exception"));
  EXPECT_EQ(Exchanged(HeadOf("GET /"), [](const httplib::Request&) -> HttpResponse { throw 7; }).status, 500)
      << "also when nobody wants to know";
}

TEST(Router, AHeaderValueOfAHandlerCannotSplitTheResponse) {
  const Reply reply = Exchanged(HeadOf("GET /"), [](const httplib::Request&) {
    HttpResponse response = MakeResponse(200, "text/plain", "x");
    response.headers = {{"X-Bad", "a\r\nX-Forged: b"}};
    return response;
  });
  EXPECT_EQ(reply.Header("x-forged"), "");
  EXPECT_EQ(reply.body, "x");
}

}  // namespace
}  // namespace finwait::http
