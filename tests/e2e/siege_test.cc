// The built program under siege: everything at once that holds up servers which are not made for it.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include "collectors/base/result.h"
#include "exporter/http/tls_sessions.h"
#include "tests/e2e/program.h"
#include "tests/e2e/protected_program.h"
#include "tests/lab/connection.h"

namespace finwait::e2e {
namespace {

using namespace std::chrono_literals;

/// A client that may speak TLS.
class Besieger {
 public:
  Besieger(const lab::Namespace& where, SSL_CTX* tls, const std::string& from)
      : fd_(lab::Connect(where, "127.0.0.1", 10061, from)) {
    const timeval patience{5, 0};
    setsockopt(fd_.Get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (tls != nullptr) {
      session_.reset(SSL_new(tls));
      SSL_set_fd(session_.get(), fd_.Get());
      SSL_connect(session_.get());
    }
  }
  bool Send(std::string_view data) {
    if (session_) {
      std::size_t sent = 0;
      return SSL_write_ex(session_.get(), data.data(), data.size(), &sent) == 1;
    }
    return send(fd_.Get(), data.data(), data.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(data.size());
  }

 private:
  UniqueFd fd_;
  http::SslPtr session_;
};

/// 200 clients that send nothing, 64 that send a byte now and then, and one after the other with a header of 50 MB.
class Siege {
 public:
  Siege(const lab::Namespace& where, SSL_CTX* tls, const std::function<std::string(int)>& from) {
    for (int i = 0; i < 200; ++i) {
      // Every second one begins a handshake where there is TLS: a session costs more memory than a socket.
      idle_.emplace_back(where, i % 2 == 0 ? tls : nullptr, from(i));
    }
    for (int i = 0; i < 64; ++i) {
      slow_.emplace_back(where, tls, from(200 + i));
      slow_.back().Send("GET /metrics HTTP/1.1\r\nHost: h\r\nX: ");
    }
    dripper_ = std::thread([this] {
      while (!over_) {
        for (Besieger& client : slow_) {
          client.Send("x");
        }
        std::this_thread::sleep_for(10ms);
      }
    });
    flooder_ = std::thread([this, &where, tls, address = from(264)] {
      const std::string chunk(1'000'000, 'x');
      while (!over_) {
        Besieger client(where, tls, address);
        client.Send("GET /metrics HTTP/1.1\r\nHost: h\r\nX: ");
        for (int i = 0; i < 50 && client.Send(chunk); ++i) {
        }
        ++floods_;
      }
    });
    while (floods_ < 3) {
      std::this_thread::yield();
    }
  }
  ~Siege() {
    over_ = true;
    dripper_.join();
    flooder_.join();
  }

  int Floods() const { return floods_; }

 private:
  std::list<Besieger> idle_;
  std::list<Besieger> slow_;
  std::atomic<bool> over_ = false;
  std::atomic<int> floods_ = 0;
  std::thread dripper_;
  std::thread flooder_;
};

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

class SiegeTest : public testing::Test {
 protected:
  void Hold(const std::string& scheme, const std::string& web_config) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to connections that the program has cut
    std::unique_ptr<SSL_CTX, SslContextDeleter> tls;
    if (scheme == "https") {
      tls.reset(SSL_CTX_new(TLS_client_method()));
    }
    for (const bool same_peer : {true, false}) {
      SCOPED_TRACE(same_peer ? "from the address of the victim" : "from 265 addresses");
      ProtectedProgram program;  // a new one: who has besieged is remembered for a while
      program.Start(web_config);
      // Others than the victim's: who asks from an address that also holds a connection open has had more than they.
      const Siege siege(program.Where(), tls.get(), [same_peer](int i) {
        return same_peer ? "127.0.0.1" : "127.0." + std::to_string(1 + i / 200) + "." + std::to_string(2 + i % 200);
      });
      SteadyClock::duration slowest{};
      for (int i = 0; i < 10; ++i) {
        for (const char* path : {"/metrics", "/healthz"}) {
          const auto reply = program.Get(path, {"--max-time", "5", "-w", "\n%{time_total}"}, scheme);
          EXPECT_EQ(reply.status, 200) << reply.errors;
          const double seconds = std::stod(reply.text.substr(reply.text.rfind('\n') + 1));
          EXPECT_LT(seconds, 1) << path;
          slowest = std::max(slowest,
                             std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds)));
        }
      }
      if (!kSanitized) {
        EXPECT_LT(program.ResidentBytes("VmHWM"), 64U * 1024 * 1024);
      }
      std::cout << scheme << (same_peer ? ", one address" : ", 265 addresses") << ": slowest answer "
                << std::chrono::duration_cast<std::chrono::milliseconds>(slowest).count() << " ms, resident "
                << program.ResidentBytes() / 1024 << " kB, at most " << program.ResidentBytes("VmHWM") / 1024
                << " kB, headers of 50 MB begun " << siege.Floods() << "\n";
    }
  }
};

TEST_F(SiegeTest, PlainHttpAnswersWithinASecondIn64MB) { Hold("http", ""); }

TEST_F(SiegeTest, TlsAnswersWithinASecondIn64MB) { Hold("https", ProtectedProgram::kTls); }

}  // namespace
}  // namespace finwait::e2e
