#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "stratumproxy/tls_stream.hpp"

namespace stratumproxy {

/// Why a certificate or key cannot be used, in one line for people.
struct certificate_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A certificate and its private key, with which a server speaks TLS. Immutable; any number of threads and servers may share one.
class tls_certificate {
 public:
  /// From PEM texts. `chain`: the server's own certificate first, then those that lead to a root. `key`: its private key, without a
  /// passphrase. Throws certificate_error. Whether it is valid today, for which name, and who trusts it, is not asked.
  [[nodiscard]] static std::shared_ptr<const tls_certificate> from_pem(std::string_view chain, std::string_view key);
  ~tls_certificate();
  tls_certificate(const tls_certificate&) = delete;
  tls_certificate& operator=(const tls_certificate&) = delete;

  /// The server's side of a new connection. The stream may outlive the certificate.
  [[nodiscard]] tls_stream accept(int socket) const;

  [[nodiscard]] std::chrono::sys_seconds valid_from() const noexcept;
  [[nodiscard]] std::chrono::sys_seconds valid_until() const noexcept;
  /// Its SHA-256, as 64 lower-case hex digits.
  [[nodiscard]] const std::string& fingerprint() const noexcept;

 private:
  struct impl;
  explicit tls_certificate(std::unique_ptr<impl> made) noexcept;
  std::unique_ptr<impl> impl_;
};

}  // namespace stratumproxy
