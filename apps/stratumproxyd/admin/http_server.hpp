#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <stratumproxy/tls_certificate.hpp>
#include <stratumproxy/unique_fd.hpp>

#include "admin/http.hpp"
#include "admin/request_head.hpp"
#include "endpoint.hpp"

namespace stratumproxyd {

struct http_limits {
  std::size_t connections = 512;             ///< one more evicts the one that has been silent longest
  std::size_t threads = 64;                  ///< requests that are worked on at once
  std::chrono::milliseconds head{5'000};     ///< for a whole head, and for an idle kept connection
  std::chrono::milliseconds body{5'000};
  std::chrono::milliseconds answer{10'000};  ///< for the client to take the answer
  unsigned requests = 100;                   ///< on one connection
};

/// An HTTP/1.1 server for few routes and untrusted clients. One thread gathers request heads, so that a client which
/// dawdles, be it within its TLS handshake, costs a descriptor and no thread; complete heads go to the library on a pool of threads.
///
/// The library's own listener is not used: it binds a port that is taken (SO_REUSEPORT), answers 500 on descriptors
/// above 1023, reads heads of any size, and stops for good when accept() fails once.
class http_server {
 public:
  explicit http_server(http_limits limits = {});
  ~http_server();
  http_server(const http_server&) = delete;
  http_server& operator=(const http_server&) = delete;

  /// Before start(), as http_routes::add(). GET, with which HEAD works too, POST, PUT, PATCH or DELETE, which has no body. Bodies are of
  /// `body_bytes` at most.
  void route(const std::string& method, const std::string& path, http_handler handler, std::size_t body_bytes = max_body_bytes);
  void set_guard(http_guard guard);
  /// Method and path of each, in the order in which they were added.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> routes() const;
  /// New connections speak TLS with it from now on, those that are there go on as they are; null: without. At any time, from any thread.
  void set_certificate(std::shared_ptr<const stratumproxy::tls_certificate> now_is);

  /// How many answers were given with each status, since the start; those with none are left out.
  [[nodiscard]] std::vector<std::pair<int, std::uint64_t>> answered() const;

  /// Binds and listens; start() begins to answer. Port 0 picks a free one.
  [[nodiscard]] std::error_code bind(const endpoint& where);
  /// Instead: a socket that listens already. invalid_argument when it does not.
  [[nodiscard]] std::error_code adopt(stratumproxy::unique_fd listening);
  [[nodiscard]] endpoint address() const;
  void start();
  /// What it listens on, as a descriptor of one's own, for another process to go on with; both take requests until retire(). Throws
  /// std::system_error when there is no descriptor left.
  [[nodiscard]] stratumproxy::unique_fd listener() const;
  /// Takes no new connections. Those that are there get the answer to the request that they make at this moment, and are closed.
  void retire();
  /// Ends every connection; returns when no handler runs any more. Idempotent.
  void stop();

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace stratumproxyd
