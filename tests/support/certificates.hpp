#pragma once

#include <chrono>
#include <memory>
#include <string>

/// Certificates that a test makes for itself.
namespace stratumproxy::test {

struct certificate {
  std::string chain;        ///< PEM
  std::string key;          ///< PEM
  std::string fingerprint;  ///< SHA-256, lower-case hex digits
};

struct certificate_request {
  std::string names = "DNS:pool.example,IP:127.0.0.1";  ///< as OpenSSL's subjectAltName has them
  std::chrono::hours from{-1};                           ///< from now
  std::chrono::hours until{24};
};

/// Signed by its own key: whoever trusts it trusts just this one.
[[nodiscard]] certificate make_certificate(const certificate_request& wanted = {});

}  // namespace stratumproxy::test
