#include "tests/bench/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "collectors/base/unique_fd.h"

namespace finwait::bench {

std::string HttpGet(std::uint16_t port, const std::string& path, const std::string& headers) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  const std::string request =
      "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers + "\r\n";
  if (!socket || ::connect(socket.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::send(socket.Get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return "";
  }
  std::string response;
  char buffer[65536];
  for (ssize_t size = 0; (size = ::recv(socket.Get(), buffer, sizeof buffer, 0)) > 0;) {
    response.append(buffer, static_cast<std::size_t>(size));
  }
  return response;
}

}  // namespace finwait::bench
