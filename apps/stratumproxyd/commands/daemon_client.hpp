#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "admin/json.hpp"
#include "config.hpp"

namespace stratumproxyd {

/// A daemon that cannot be asked: it does not answer, or not so. The text says what to do.
struct daemon_unreachable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Asks a running daemon over HTTP, one request at a time.
class daemon_client {
 public:
  /// Where `settings` let a daemon listen, with the token of their file or of the environment (STRATUMPROXY_TOKEN); `url` instead
  /// of that address if it is not empty. Throws std::runtime_error when no daemon can be found so.
  daemon_client(const config& settings, const std::string& url);
  ~daemon_client();

  [[nodiscard]] const std::string& url() const noexcept;

  /// The body of the answer. Throws daemon_unreachable, or command_refused when the daemon refuses.
  [[nodiscard]] std::string get(const std::string& path);
  /// The same, read.
  [[nodiscard]] json_object get_object(const std::string& path);

 private:
  struct connection;
  std::unique_ptr<connection> connection_;
};

}  // namespace stratumproxyd
