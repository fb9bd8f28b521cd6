#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace store_test {

/// Stands between a store and its PostgreSQL, and can fall silent: connections stay open and are accepted, and no byte moves.
class forwarder {
 public:
  forwarder(std::string host, std::string port) : host_(std::move(host)), port_(std::move(port)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0 || ::pipe(wake_) != 0)
      throw std::runtime_error("forwarder");
    listening_port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~forwarder() {
    stopping_ = true;
    poke();
    thread_.join();
    drop();
    ::close(listener_);
    ::close(wake_[0]);
    ::close(wake_[1]);
  }
  forwarder(const forwarder&) = delete;
  forwarder& operator=(const forwarder&) = delete;

  [[nodiscard]] std::uint16_t port() const { return listening_port_; }
  void silence(bool on) {
    silent_ = on;
    poke();
  }
  /// Every connection ends at once.
  void cut() {
    cut_ = true;
    poke();
  }

 private:
  struct pair {
    int near, far;
  };

  int connect_far() const {
    if (host_.front() == '/') {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      const auto path = host_ + "/.s.PGSQL." + port_;
      std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
      const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (::connect(made, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return made;
      ::close(made);
      return -1;
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host_.c_str(), port_.c_str(), &hints, &found) != 0) return -1;
    int made = -1;
    for (auto* each = found; each && made < 0; each = each->ai_next) {
      made = ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (::connect(made, each->ai_addr, each->ai_addrlen) != 0) {
        ::close(made);
        made = -1;
      }
    }
    ::freeaddrinfo(found);
    return made;
  }

  void poke() { (void)!::write(wake_[1], "x", 1); }
  void drop() {
    for (const auto& each : pairs_) {
      ::close(each.near);
      ::close(each.far);
    }
    pairs_.clear();
  }

  static bool move_bytes(int from, int to) {
    char buffer[65536];
    const auto got = ::recv(from, buffer, sizeof buffer, 0);
    for (ssize_t sent = 0; sent < got;) {
      const auto n = ::send(to, buffer + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += n;
    }
    return got > 0;
  }

  void run() {
    while (!stopping_) {
      if (cut_.exchange(false)) drop();
      std::vector<pollfd> watched{{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
      if (!silent_)
        for (const auto& each : pairs_) {
          watched.push_back({each.near, POLLIN, 0});
          watched.push_back({each.far, POLLIN, 0});
        }
      ::poll(watched.data(), watched.size(), -1);
      char byte = 0;
      if (watched[0].revents) {
        (void)!::read(wake_[0], &byte, 1);
        continue;
      }
      std::vector<pair> alive;
      for (std::size_t i = 0; i < pairs_.size(); ++i) {
        const auto& each = pairs_[i];
        bool fine = true;
        if (watched.size() > 2) {
          if (watched[2 + 2 * i].revents) fine = move_bytes(each.near, each.far);
          if (fine && watched[3 + 2 * i].revents) fine = move_bytes(each.far, each.near);
        }
        if (fine) {
          alive.push_back(each);
        } else {
          ::close(each.near);
          ::close(each.far);
        }
      }
      pairs_ = std::move(alive);
      if (watched[1].revents) {
        const int near = ::accept(listener_, nullptr, nullptr);
        const int far = near >= 0 ? connect_far() : -1;
        if (far >= 0)
          pairs_.push_back({near, far});
        else if (near >= 0)
          ::close(near);
      }
    }
  }

  std::string host_, port_;
  int listener_ = -1;
  int wake_[2] = {-1, -1};
  std::uint16_t listening_port_ = 0;
  std::atomic<bool> stopping_{false}, silent_{false}, cut_{false};
  std::vector<pair> pairs_;  // the thread's own
  std::thread thread_;
};

}  // namespace store_test
