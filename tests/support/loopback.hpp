#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <catch2/catch.hpp>

#include "net/endpoint.hpp"
#include "net/socket.hpp"
#include "net/unique_fd.hpp"
#include "stratumproxy/account.hpp"
#include "stratumproxy/tls_certificate.hpp"
#include "stratumproxy/tls_client.hpp"
#include "stratumproxy/tls_stream.hpp"

/// Miners and pools that a test plays by hand, on loopback.
namespace stratumproxy::test {

inline constexpr const char* account_name = "00112233445566aa";

// Blocking, but never longer than ten seconds: a test that waits in vain fails instead of hanging.
class peer {
 public:
  explicit peer(net::unique_fd socket) : socket_(std::move(socket)) {
    const timeval limit{10, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  static peer to(const std::string& address) {
    const auto parts = net::split_host_port(address);
    REQUIRE(parts);
    const auto target = *net::endpoint::literal(parts->first, parts->second);
    net::unique_fd socket(::socket(target.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(socket.get(), target.data(), target.size()) == 0);
    return peer(std::move(socket));
  }

  // Goes on through TLS, as a client that looks at no certificate; false when there is none to be had.
  bool secure() {
    static const tls_client any;
    tls_ = any.connect(socket_.get(), "localhost", {.mode = tls_mode::insecure});
    return tls_.handshake() == tls_stream::step::done;
  }
  // Likewise as a server.
  bool secure(const tls_certificate& identity) {
    tls_ = identity.accept(socket_.get());
    return tls_.handshake() == tls_stream::step::done;
  }

  bool say(const std::string& text) {
    std::string_view left = text;
    while (!left.empty()) {
      const auto sent = tls_ ? tls_.send(left) : ::send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      left.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // The next line; empty when the connection has ended or nothing comes.
  std::string line() {
    for (;;) {
      if (const auto end = received_.find('\n'); end != std::string::npos) {
        std::string one = received_.substr(0, end);
        received_.erase(0, end + 1);
        return one;
      }
      char block[4096];
      last_read_ = tls_ ? tls_.receive(block) : ::recv(socket_.get(), block, sizeof(block), 0);
      if (last_read_ <= 0) return {};
      received_.append(block, static_cast<std::size_t>(last_read_));
    }
  }
  // As many, before any line.
  std::string bytes(std::size_t count) {
    std::string all(count, '\0');
    const auto got = ::recv(socket_.get(), all.data(), count, MSG_WAITALL);
    all.resize(static_cast<std::size_t>(got > 0 ? got : 0));
    return all;
  }
  std::string line_with(const std::string& part) {
    std::string one;
    do one = line();
    while (!one.empty() && one.find(part) == std::string::npos);
    return one;
  }
  // Reads on to the end. True for an orderly one, false for a reset or for silence.
  bool ends() {
    while (!line().empty()) {
    }
    return last_read_ == 0;
  }
  void finish_sending() {
    if (tls_) tls_.end();
    ::shutdown(socket_.get(), SHUT_WR);
  }
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    socket_.reset();
  }

 private:
  net::unique_fd socket_;
  tls_stream tls_;
  std::string received_;
  std::ptrdiff_t last_read_ = 0;
};

inline std::string member(const std::string& line, const std::string& key) {
  const auto at = line.find("\"" + key + "\":");
  if (at == std::string::npos) return {};
  const auto from = at + key.size() + 3;
  return line.substr(from, line.find_first_of(",}", from) - from);
}

// A pool that the test plays by hand.
class pool {
 public:
  pool() {
    auto listening = net::listen_on(*net::endpoint::literal("127.0.0.1", 0), 1);
    REQUIRE(listening);
    socket_ = std::move(listening->front());
  }
  [[nodiscard]] std::uint16_t port() const { return net::endpoint::local_of(socket_.get())->port(); }

  // The proxy's next connection.
  peer accept() {
    pollfd wait{socket_.get(), POLLIN, 0};
    REQUIRE(::poll(&wait, 1, 10'000) == 1);
    return peer(net::unique_fd(::accept(socket_.get(), nullptr, nullptr)));
  }

  // Likewise, after the handshake and with a job; through TLS where there is a certificate.
  peer welcome(const tls_certificate* identity = nullptr) {
    peer link = accept();
    welcome(link, identity);
    return link;
  }
  static void welcome(peer& link, const tls_certificate* identity) {
    if (identity) REQUIRE(link.secure(*identity));
    for (;;) {
      const std::string line = link.line();
      REQUIRE_FALSE(line.empty());
      const std::string id = member(line, "id");
      if (line.find("mining.subscribe") != std::string::npos) {
        link.say(R"({"id":)" + id +
                 R"(,"result":[[["mining.notify","ae"]],"f000000f",8],"error":null})"
                 "\n");
      } else if (line.find("mining.authorize") != std::string::npos) {
        link.say(R"({"id":)" + id +
                 R"(,"result":true,"error":null})"
                 "\n"
                 R"({"id":null,"method":"mining.set_difficulty","params":[16]})"
                 "\n" +
                 job("j1"));
        return;
      } else {
        link.say(R"({"id":)" + id +
                 R"(,"result":{},"error":null})"
                 "\n");
      }
    }
  }
  static std::string job(const std::string& id) {
    return R"({"id":null,"method":"mining.notify","params":[")" + id + R"(",")" + std::string(64, '1') +
           R"(","0100","00ff",[],"20000000","1d00ffff","66a00000",true]})"
           "\n";
  }

 private:
  net::unique_fd socket_;
};

class one_account final : public account_source {
 public:
  explicit one_account(std::uint16_t port, const pool_tls& tls = {}) {
    account_route route;
    route.pool.host = "127.0.0.1";
    route.pool.tls = tls;
    route.pool.port = port;
    route.pool.algorithm = "sha256d";
    route.user = "pooluser";
    route.password = "x";
    auto made = std::make_shared<account>();
    made->name = account_name;
    made->routes.push_back(std::move(route));
    account_ = std::move(made);
  }
  void find(std::string_view name, std::function<void(account_lookup)> done) override {
    if (name == account_name)
      done({account_lookup::status::found, account_});
    else
      done({account_lookup::status::unknown, nullptr});
  }

 private:
  std::shared_ptr<const account> account_;
};

struct login {
  std::string session;
  std::string extranonce1;
  std::string job;
};

// Logs in and waits for the job. The pool's part runs beside it, as the proxy answers authorize before the pool has.
inline login log_in(peer& miner, const std::string& session = {}) {
  miner.say(R"({"id":1,"method":"mining.subscribe","params":["test")" +
            (session.empty() ? std::string() : ",\"" + session + "\"") + "]}\n" +
            R"({"id":2,"method":"mining.authorize","params":[")" + account_name +
            R"(.rig","x"]})"
            "\n");
  const std::string reply = miner.line_with(R"("id":1)");
  login got;
  const auto notify = reply.find("mining.notify");
  REQUIRE(notify != std::string::npos);
  const auto session_at = reply.find('"', notify + 14) + 1;
  const auto session_end = reply.find('"', session_at);
  got.session = reply.substr(session_at, session_end - session_at);
  const auto extranonce_at = reply.find('"', reply.find(']', session_end)) + 1;
  got.extranonce1 = reply.substr(extranonce_at, reply.find('"', extranonce_at) - extranonce_at);
  CHECK(member(miner.line_with(R"("id":2)"), "result") == "true");
  return got;
}

inline void await_job(peer& miner, login& who) {
  const std::string notify = miner.line_with("mining.notify");
  const auto at = notify.find("[\"") + 2;
  REQUIRE(at != std::string::npos + 2);
  who.job = notify.substr(at, notify.find('"', at) - at);
}

inline std::string submit(const login& who, int id) {
  return R"({"id":)" + std::to_string(id) + R"(,"method":"mining.submit","params":[")" + account_name + R"(.rig",")" + who.job +
         R"(","00000)" + std::to_string(id % 10) +
         R"(","66a00000","00000001"]})"
         "\n";
}

}  // namespace stratumproxy::test
