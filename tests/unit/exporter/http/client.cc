#include "tests/unit/exporter/http/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "collectors/base/result.h"

namespace finwait::http::testing_client {

namespace {

sockaddr_storage AddressOf(const std::string& text, std::uint16_t port, socklen_t& length) {
  sockaddr_storage storage{};
  auto& ipv4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& ipv6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (inet_pton(AF_INET, text.c_str(), &ipv4.sin_addr) == 1) {
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(port);
    length = sizeof ipv4;
  } else if (inet_pton(AF_INET6, text.c_str(), &ipv6.sin6_addr) == 1) {
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(port);
    length = sizeof ipv6;
  } else {
    throw std::invalid_argument(text);
  }
  return storage;
}

bool WaitReadable(int fd, std::chrono::milliseconds patience) {
  pollfd ready{fd, POLLIN, 0};
  return poll(&ready, 1, static_cast<int>(patience.count())) > 0;
}

}  // namespace

Reply ParseReply(const std::string& raw) {
  Reply reply;
  reply.raw = raw;
  const std::size_t head_end = raw.find("\r\n\r\n");
  if (!raw.starts_with("HTTP/1.1 ") || head_end == std::string::npos) {
    return reply;
  }
  reply.status = std::stoi(raw.substr(9, 3));
  reply.body = raw.substr(head_end + 4);
  for (std::size_t at = raw.find("\r\n") + 2; at < head_end;) {
    const std::size_t end = raw.find("\r\n", at);
    const std::string line = raw.substr(at, end - at);
    std::string name = line.substr(0, line.find(':'));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
    reply.headers.emplace(name, line.substr(std::min(line.size(), name.size() + 2)));
    at = end + 2;
  }
  return reply;
}

Client::Client(const std::string& from, const std::string& to, int receive_buffer_bytes) {
  socklen_t length = 0;
  const bool same_family = (from.find(':') == std::string::npos) == (to.find(':') == std::string::npos);
  const sockaddr_storage address = AddressOf(same_family ? from : to, 0, length);
  fd_ = UniqueFd(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (receive_buffer_bytes > 0) {
    setsockopt(fd_.Get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  }
  // Without this, a bind to a port of the kernel's choice could not share one with other connections.
  const int yes = 1;
  setsockopt(fd_.Get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  if (!fd_ || bind(fd_.Get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    throw std::runtime_error("cannot bind " + from);
  }
}

void Client::Connect(std::uint16_t port, const std::string& to) {
  socklen_t length = 0;
  const sockaddr_storage address = AddressOf(to, port, length);
  if (connect(fd_.Get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    throw std::runtime_error("cannot connect to " + to + " port " + std::to_string(port));
  }
}

bool Client::Send(std::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = send(fd_.Get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Client::ShutdownWriting() { shutdown(fd_.Get(), SHUT_WR); }

bool Client::HasReceived(std::chrono::milliseconds patience) { return WaitReadable(fd_.Get(), patience); }

std::string Client::ReceiveAll(std::chrono::milliseconds patience) {
  const Deadline deadline = Deadline::After(patience);
  std::string received;
  std::array<char, 65536> buffer;
  while (WaitReadable(fd_.Get(), deadline.Remaining())) {
    const ssize_t length = recv(fd_.Get(), buffer.data(), buffer.size(), 0);
    if (length <= 0) {
      break;
    }
    received.append(buffer.data(), static_cast<std::size_t>(length));
  }
  return received;
}

bool Client::IsEnded(std::chrono::milliseconds patience) {
  const Deadline deadline = Deadline::After(patience);
  std::array<char, 65536> buffer;
  while (WaitReadable(fd_.Get(), deadline.Remaining())) {
    if (recv(fd_.Get(), buffer.data(), buffer.size(), 0) <= 0) {
      return true;
    }
  }
  return false;
}

Reply Get(std::uint16_t port, const std::string& path, const std::string& headers, const std::string& method) {
  Client client(port);
  client.Send(method + " " + path + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n");
  return client.Receive();
}

}  // namespace finwait::http::testing_client
