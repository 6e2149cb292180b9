#include "exporter/http/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace finwait::http {
namespace {

using State = RequestReader::State;
using testing::ElementsAre;

/// 0 incomplete, 200 complete, else the refusal.
int Outcome(std::string_view request, HeadLimits limits = {}) {
  RequestReader reader(limits);
  const State state = reader.Read(request);
  return state == State::kIncomplete ? 0 : state == State::kComplete ? 200 : reader.Refusal();
}

RequestHead ReadHead(std::string_view request) {
  RequestReader reader({});
  EXPECT_EQ(reader.Read(request), State::kComplete) << request;
  return reader.TakeHead();
}

TEST(RequestReader, ReadsLineAndFields) {
  const RequestHead head = ReadHead(
      "GET /a%20b/c?x=1&y=%41 HTTP/1.1\r\nHost: h\r\nAccept:\t text/plain \r\nX-Empty:\r\nx-b: \xC3\xBC\r\n\r\n");
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/a%20b/c?x=1&y=%41");
  EXPECT_EQ(head.path, "/a b/c");
  std::vector<HeaderField> fields;
  head.ForEachField([&](std::string_view name, std::string_view value) {
    fields.push_back({std::string(name), std::string(value)});
  });
  EXPECT_THAT(fields, ElementsAre(HeaderField{"Host", "h"}, HeaderField{"Accept", "text/plain"},
                                  HeaderField{"X-Empty", ""}, HeaderField{"x-b", "\xC3\xBC"}));
  EXPECT_EQ(head.Field("ACCEPT"), "text/plain");
  EXPECT_EQ(head.Field("X-Empty"), "");
  EXPECT_EQ(head.Field("none"), "");
}

TEST(RequestReader, AConnectionIsKeptForHttp11ThatDoesNotSendAhead) {
  EXPECT_TRUE(ReadHead("GET / HTTP/1.1\r\nHost: h\r\n\r\n").keep_alive);
  EXPECT_TRUE(ReadHead("GET / HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
  EXPECT_FALSE(ReadHead("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").keep_alive);
  EXPECT_FALSE(ReadHead("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n").keep_alive);
  EXPECT_FALSE(ReadHead("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
  EXPECT_FALSE(ReadHead("GET / HTTP/1.1\r\nHost: h\r\n\r\nG").keep_alive) << "pipelined";
}

TEST(RequestReader, AcceptsWhatIsUnusualButLegal) {
  for (const char* request : {
           "HEAD / HTTP/1.0\r\n\r\n",
           "GET / HTTP/1.9\r\nHost:\r\n\r\n",
           "\r\nGET / HTTP/1.0\r\n\r\n",
           "GET /%2e%2E/?a?b HTTP/1.0\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
           "GET / HTTP/1.1\r\nhOST: h\r\n!#$%&'*+-.^_`|~: v\r\n\r\n",
       }) {
    EXPECT_EQ(Outcome(request), 200) << request;
  }
}

TEST(RequestReader, TheAbsoluteFormMeansItsPath) {
  EXPECT_EQ(ReadHead("GET http://host:1/metrics?a=b HTTP/1.1\r\nHost: h\r\n\r\n").target, "/metrics?a=b");
  EXPECT_EQ(ReadHead("GET http://host HTTP/1.1\r\nHost: h\r\n\r\n").target, "/");
  EXPECT_EQ(ReadHead("GET http://u@host:1/a HTTP/1.1\r\nHost: h\r\n\r\n").authority, "u@host:1");
  EXPECT_EQ(ReadHead("GET HtTpS://host?a=b HTTP/1.1\r\nHost: h\r\n\r\n").authority, "host");
  EXPECT_EQ(ReadHead("GET /http://host HTTP/1.1\r\nHost: h\r\n\r\n").authority, "");
  EXPECT_EQ(ReadHead("GET http://host?a=b HTTP/1.1\r\nHost: h\r\n\r\n").target, "/?a=b");
}

TEST(RequestReader, RefusesEachDefectWithItsStatus) {
  const struct {
    int status;
    std::string_view request;
  } kCases[] = {
      {400, "GET /\r\n"},
      {400, "GET\r\n"},
      {400, "GET  HTTP/1.1\r\n"},
      {400, "GET /a b HTTP/1.1\r\n"},
      {400, " GET / HTTP/1.1\r\n"},
      {400, "G(T / HTTP/1.1\r\n"},
      {400, "GET / HTTX/1.1\r\n"},
      {400, "GET / HTTP/1\r\n"},
      {400, "GET / HTTP/1.1 \r\n"},
      {400, "GET / http/1.1\r\n"},
      {400, "GET metrics HTTP/1.1\r\n"},
      {400, "GET * HTTP/1.1\r\n"},
      {400, "GET /a#b HTTP/1.1\r\n"},
      {400, "GET /\xC3\xBC HTTP/1.1\r\n"},
      {400, "GET /% HTTP/1.1\r\n"},
      {400, "GET /%4 HTTP/1.1\r\n"},
      {400, "GET /%4g HTTP/1.1\r\n"},
      {400, "GET /?%4g HTTP/1.1\r\n"},
      {400, "GET / HTTP/1.1\n"},
      {400, "GET / HTTP/1.0\r\n\n"},
      {400, "GET / HTTP/1.0\r\rX"},
      {400, "\n"},
      {400, "\x16\x03\x01"},
      {400, std::string_view("GET /\0 HTTP/1.1", 15)},
      {400, "GET / HTTP/1.1\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
      {400, "GET / HTTP/1.0\r\nno colon\r\n\r\n"},
      {400, "GET / HTTP/1.0\r\n: v\r\n\r\n"},
      {400, "GET / HTTP/1.0\r\nName : v\r\n\r\n"},
      {400, "GET / HTTP/1.0\r\nA: b\r\n folded\r\n\r\n"},
      {400, "GET / HTTP/1.0\r\nA: b\x01\r\n\r\n"},
      {400, "GET / HTTP/1.0\r\nContent-Length: -1\r\n\r\n"},
      {400, "GET / HTTP/1.0\r\nContent-Length:\r\n\r\n"},
      {400, "GET / HTTP/1.0\r\nContent-Length: 0x1\r\n\r\n"},
      {405, "POST / HTTP/1.1\r\n"},
      {405, "OPTIONS * HTTP/1.1\r\n"},
      {405, "CONNECT a:1 HTTP/1.1\r\n"},
      {405, "get / HTTP/1.1\r\n"},
      {413, "GET / HTTP/1.0\r\nContent-Length: 1\r\n\r\n"},
      {413, "GET / HTTP/1.0\r\nContent-Length: 99999999999999999999999\r\n\r\n"},
      {413, "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {413, "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {505, "GET / HTTP/2.0\r\n"},
      {505, "PRI * HTTP/2.0\r\n"},
      {505, "GET / HTTP/0.9\r\n"},
  };
  for (const auto& [status, request] : kCases) {
    EXPECT_EQ(Outcome(request), status) << testing::PrintToString(std::string(request));
  }
}

TEST(RequestReader, WaitsForTheRestOfWhatCouldStillBeARequest) {
  const std::string request = "\r\nGET /metrics HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
  for (std::size_t length = 0; length < request.size(); ++length) {
    EXPECT_EQ(Outcome(request.substr(0, length)), 0) << length;
  }
  EXPECT_EQ(Outcome(request), 200);
}

TEST(RequestReader, EachLimitHoldsToTheByte) {
  const HeadLimits limits{.bytes = 200, .target_bytes = 20, .fields = 3};
  const auto with_target = [](std::size_t length) {
    return "GET /" + std::string(length - 1, 'a') + " HTTP/1.0\r\n\r\n";
  };
  EXPECT_EQ(Outcome(with_target(20), limits), 200);
  EXPECT_EQ(Outcome(with_target(21), limits), 414);
  EXPECT_EQ(Outcome("GET /" + std::string(100, 'a'), limits), 414) << "before the line ends";
  const auto with_size = [](std::size_t size) {
    const std::string start = "GET / HTTP/1.0\r\nA: ";
    return start + std::string(size - start.size() - 4, 'a') + "\r\n\r\n";
  };
  EXPECT_EQ(Outcome(with_size(200), limits), 200);
  EXPECT_EQ(Outcome(with_size(201), limits), 431);
  EXPECT_EQ(Outcome("GET / HTTP/1.0\r\nA: " + std::string(1'000'000, 'a'), limits), 431) << "before the head ends";
  const std::string fields = "GET / HTTP/1.0\r\nA: 1\r\nA: 2\r\nA: 3\r\n";
  EXPECT_EQ(Outcome(fields + "\r\n", limits), 200);
  EXPECT_EQ(Outcome(fields + "A: 4\r\n\r\n", limits), 431);
}

TEST(RequestReader, HowTheBytesArriveMakesNoDifference) {
  const HeadLimits limits{.bytes = 120, .target_bytes = 30, .fields = 4};
  constexpr std::string_view kPieces[] = {"GET ",
                                          "HEAD ",
                                          "POST ",
                                          "/",
                                          "/a?b",
                                          "%41",
                                          "%",
                                          " HTTP/1.1",
                                          " HTTP/1.0",
                                          "\r\n",
                                          "\r\n",
                                          "\r\n\r\n",
                                          "\r",
                                          "\n",
                                          "Host: h",
                                          "A: b",
                                          " ",
                                          "aaaaaaaaaaaa",
                                          "Content-Length: 0",
                                          "Content-Length: 5",
                                          "\x01"};
  std::mt19937 random(7);
  int complete = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string request = random() % 4 == 0 ? "" : "GET / HTTP/1.0\r\n";
    for (std::size_t i = random() % 10; i > 0; --i) {
      request += kPieces[random() % std::size(kPieces)];
    }
    RequestReader whole(limits);
    const State at_once = whole.Read(request);
    RequestReader split(limits);
    State in_parts = State::kIncomplete;
    for (std::size_t at = 0; at < request.size() && in_parts == State::kIncomplete;) {
      const std::size_t length = 1 + random() % 12;
      in_parts = split.Read(std::string_view(request).substr(at, length));
      at += length;
    }
    complete += at_once == State::kComplete;
    // A part may decide the refusal before a later byte would have given a different one, but never whether.
    ASSERT_EQ(at_once == State::kComplete, in_parts == State::kComplete) << testing::PrintToString(request);
    ASSERT_EQ(at_once == State::kRefused, in_parts == State::kRefused) << testing::PrintToString(request);
  }
  EXPECT_GT(complete, 1000);
}

}  // namespace
}  // namespace finwait::http
