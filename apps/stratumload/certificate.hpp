#pragma once

#include <memory>
#include <string>

#include <stratumproxy/tls_certificate.hpp>

namespace stratumload {

/// From PEM files. Throws std::runtime_error with one line for people.
[[nodiscard]] std::shared_ptr<const stratumproxy::tls_certificate> read_certificate(const std::string& certificate, const std::string& key);

}  // namespace stratumload
