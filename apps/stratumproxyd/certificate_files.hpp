#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <stratumproxy/tls_certificate.hpp>

#include "config.hpp"

namespace stratumproxyd {

/// The certificate that the files hold; null where none are named. Throws config_error, with one line that names the file and, by
/// `section`, the keys of the configuration.
[[nodiscard]] std::shared_ptr<const stratumproxy::tls_certificate> read_certificate(const tls_files& files, std::string_view section);

/// What is seldom meant, and no reason not to use it: miners that look at nothing go on with an expired certificate.
struct certificate_warning {
  std::string_view event;  ///< in the log
  std::string text;
};
/// `certificate` is that of the files; null: no warnings.
[[nodiscard]] std::vector<certificate_warning> warnings_about(const tls_files& files, const stratumproxy::tls_certificate* certificate,
                                                              std::chrono::system_clock::time_point now);

}  // namespace stratumproxyd
