#include "exporter/http/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>

#include "exporter/http/negotiation.h"

namespace finwait::http {

namespace {

constexpr int kGzipWrapper = 16;             // added to the window bits
constexpr std::size_t kSmallestWorth = 512;  // bytes

}  // namespace

Result<std::string> Gzip(std::string_view data) {
  z_stream stream{};
  if (data.size() > std::numeric_limits<uInt>::max() ||
      deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + kGzipWrapper, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) !=
          Z_OK) {
    return FailErrno("cannot compress", ENOMEM);
  }
  const std::unique_ptr<z_stream, decltype(&deflateEnd)> owner(&stream, deflateEnd);
  std::string compressed(deflateBound(&stream, static_cast<uLong>(data.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));  // zlib only reads
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_out = static_cast<uInt>(compressed.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) {
    return FailErrno("cannot compress", ENOMEM);
  }
  compressed.resize(stream.total_out);
  return compressed;
}

HttpResponse Compressed(const httplib::Request& request, HttpResponse response) {
  std::shared_ptr<const std::string> unused;
  return Compressed(request, std::move(response), unused);
}

HttpResponse Compressed(const httplib::Request& request, HttpResponse response,
                        std::shared_ptr<const std::string>& compressed) {
  const auto vary = std::find_if(response.headers.begin(), response.headers.end(),
                                 [](const HeaderField& field) { return SameFieldName(field.name, "Vary"); });
  if (vary == response.headers.end()) {
    response.headers.push_back({"Vary", "Accept-Encoding"});
  } else {
    vary->value += ", Accept-Encoding";
  }
  if (response.body && response.body->size() >= kSmallestWorth && AcceptsGzip(Header(request, "Accept-Encoding"))) {
    if (!compressed) {
      if (Result<std::string> zipped = Gzip(*response.body)) {
        compressed = std::make_shared<const std::string>(std::move(*zipped));
      }
    }
    if (compressed) {
      response.body = compressed;
      response.headers.push_back({"Content-Encoding", "gzip"});
    }
  }
  return response;
}

}  // namespace finwait::http
