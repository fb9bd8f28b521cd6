#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "stratumproxy/tls_client.hpp"
#include "stratumproxy/tls_stream.hpp"

namespace stratumproxy::test {

/// One TCP connection to a server on 127.0.0.1 that says exactly what it is told, right or wrong.
class raw_http {
 public:
  explicit raw_http(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("connect");
  }
  raw_http(raw_http&& other) noexcept : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)) {}
  ~raw_http() {
    if (fd_ >= 0) ::close(fd_);
  }

  /// From now on through TLS, whatever the certificate; false when there is none to be had.
  bool secure() {
    static const tls_client any;
    tls_ = any.connect(fd_, "localhost", {.mode = tls_mode::insecure});
    return tls_.handshake() == tls_stream::step::done;
  }

  /// False when the server has closed the connection.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto count = tls_ ? tls_.send(bytes) : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  /// The next answer, headers and body; what arrived when the server closed. Gives up after 20 s.
  std::string answer() {
    for (;;) {
      if (const auto end = pending_.find("\r\n\r\n"); end != std::string::npos) {
        const auto total = end + 4 + length_of(pending_.substr(0, end));
        if (pending_.size() >= total) {
          auto out = pending_.substr(0, total);
          pending_.erase(0, total);
          return out;
        }
      }
      pollfd entry{fd_, POLLIN, 0};
      char bytes[65536];
      const bool is_there = tls_ && tls_.has_unread();
      if (!is_there && ::poll(&entry, 1, 20'000) <= 0) throw std::runtime_error("no answer");
      const auto count = tls_ ? tls_.receive(bytes) : ::recv(fd_, bytes, sizeof bytes, 0);
      if (count <= 0) return std::exchange(pending_, {});
      pending_.append(bytes, static_cast<std::size_t>(count));
    }
  }

  std::string ask(std::string_view request) {
    send(request);
    return answer();
  }

  /// Whether the server has closed: nothing but the end is left to read.
  bool is_closed() {
    pollfd entry{fd_, POLLIN, 0};
    char byte = 0;
    if (tls_) return tls_.receive({&byte, 1}) <= 0;
    return ::poll(&entry, 1, 20'000) == 1 && ::recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  static std::size_t length_of(const std::string& head) {
    const auto at = head.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + 16, nullptr, 10);
  }

  int fd_;
  tls_stream tls_;
  std::string pending_;
};

/// "HTTP/1.1 404 ..." -> 404; 0 when there is no status line.
inline int status_of(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::atoi(answer.c_str() + 9) : 0;
}

inline std::string body_of(const std::string& answer) {
  const auto at = answer.find("\r\n\r\n");
  return at == std::string::npos ? std::string() : answer.substr(at + 4);
}

inline std::string post(std::string_view path, std::string_view body, std::string_view headers = "", std::string_view method = "POST") {
  std::string out(method);
  return out.append(" ").append(path).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ")
      .append(std::to_string(body.size())).append("\r\n").append(headers).append("\r\n").append(body);
}

inline std::string get(std::string_view path, std::string_view headers = "") {
  return std::string("GET ").append(path).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n").append(headers).append("\r\n");
}

}  // namespace stratumproxy::test
