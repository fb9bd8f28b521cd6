#pragma once

#include <httplib.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include <stratumproxy/tls_stream.hpp>

namespace stratumproxyd {

/// One request and its answer, as the HTTP library sees them: first the checked head from memory, then the body from
/// what came with it and from the socket, within a time and a number of bytes. The descriptor, non-blocking, and the TLS on it, which may
/// be empty, are borrowed.
class exchange_stream final : public httplib::Stream {
 public:
  struct limits {
    std::chrono::milliseconds body, answer;
    std::size_t body_bytes;  ///< on the wire: chunk sizes count too
  };

  /// `pending` holds the bytes that followed the head; those of the body are taken from its front.
  exchange_stream(int fd, stratumproxy::tls_stream& tls, std::string_view head, std::string& pending, bool has_body, limits allowed);

  [[nodiscard]] bool timed_out() const noexcept { return timed_out_; }
  [[nodiscard]] bool is_broken() const noexcept { return broken_; }

  bool is_readable() const override { return true; }
  bool is_writable() const override { return !broken_; }
  ssize_t read(char* out, size_t size) override;
  ssize_t write(const char* bytes, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  // The library refuses descriptors above FD_SETSIZE, for its own select(); here nothing selects.
  socket_t socket() const override { return 0; }

 private:
  using clock = std::chrono::steady_clock;
  bool wait(short events, clock::time_point deadline) const;

  const int fd_;
  stratumproxy::tls_stream& tls_;
  std::string_view head_;
  std::string& pending_;
  const bool has_body_;
  const limits allowed_;
  const clock::time_point body_deadline_;
  clock::time_point answer_deadline_{};
  std::size_t body_read_ = 0;
  bool timed_out_ = false;
  bool broken_ = false;
};

}  // namespace stratumproxyd
