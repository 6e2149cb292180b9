#pragma once

#include "exporter/http/transport.h"

namespace finwait::http {

/// The socket as it is. `fd` must outlive this.
class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(int fd) : fd_(fd) {}

  Status Begin() override { return Status::kDone; }
  Status Handshake() override { return Status::kDone; }
  Moved Receive(std::span<char> buffer) override;
  bool HasBuffered() const override { return false; }
  std::size_t RawReceived() const override { return received_; }
  Moved Send(std::string_view head, std::string_view body) override;
  Status Finish() override { return Status::kDone; }

 private:
  int fd_;
  std::size_t received_ = 0;
};

}  // namespace finwait::http
