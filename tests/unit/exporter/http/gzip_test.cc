#include "exporter/http/gzip.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <zlib.h>

#include <random>

namespace finwait::http {
namespace {

std::string Gunzip(const std::string& compressed) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string data;
  int status = Z_OK;
  while (status == Z_OK) {
    char buffer[4096];
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof buffer;
    status = inflate(&stream, Z_NO_FLUSH);
    data.append(buffer, sizeof buffer - stream.avail_out);
  }
  EXPECT_EQ(status, Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0u);
  inflateEnd(&stream);
  return data;
}

httplib::Request Accepting(const std::string& accept_encoding) {
  httplib::Request request;
  request.headers = {{"accept-encoding", accept_encoding}};
  return request;
}

std::string FieldOf(const HttpResponse& response, const std::string& name) {
  for (const HeaderField& field : response.headers) {
    if (SameFieldName(field.name, name)) {
      return field.value;
    }
  }
  return "";
}

TEST(Gzip, WhatIsCompressedComesBackTheSame) {
  std::mt19937 random(3);
  for (const std::size_t size : {0u, 1u, 511u, 70'000u, 1'000'000u}) {
    std::string data(size, '\0');
    for (char& byte : data) {
      byte = static_cast<char>(random() % (size % 2 == 0 ? 4 : 256));
    }
    const Result<std::string> compressed = Gzip(data);
    ASSERT_TRUE(compressed);
    EXPECT_EQ(Gunzip(*compressed), data);
  }
}

TEST(Compressed, CompressesWhenAskedToAndAlwaysSaysThatItVaries) {
  const std::string body(5000, 'a');
  const HttpResponse plain = MakeResponse(200, "text/plain", body);
  const HttpResponse zipped = Compressed(Accepting("gzip"), plain);
  EXPECT_EQ(FieldOf(zipped, "Content-Encoding"), "gzip");
  EXPECT_EQ(FieldOf(zipped, "Vary"), "Accept-Encoding");
  EXPECT_LT(zipped.body->size(), 100u);
  EXPECT_EQ(Gunzip(*zipped.body), body);
  const HttpResponse refused = Compressed(Accepting("gzip;q=0"), plain);
  EXPECT_EQ(*refused.body, body);
  EXPECT_EQ(FieldOf(refused, "Content-Encoding"), "");
  EXPECT_EQ(FieldOf(refused, "Vary"), "Accept-Encoding");
}

TEST(Compressed, LeavesSmallAndEmptyBodiesAlone) {
  EXPECT_EQ(*Compressed(Accepting("gzip"), MakeResponse(200, "text/plain", "OK")).body, "OK");
  EXPECT_EQ(Compressed(Accepting("gzip"), HttpResponse{}).body, nullptr);
}

TEST(Compressed, AddsToAVaryThatIsThere) {
  HttpResponse response;
  response.headers = {{"Vary", "Accept"}};
  EXPECT_EQ(FieldOf(Compressed(Accepting(""), response), "Vary"), "Accept, Accept-Encoding");
}

}  // namespace
}  // namespace finwait::http
