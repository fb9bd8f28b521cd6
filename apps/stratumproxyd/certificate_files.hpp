#pragma once

#include <memory>
#include <string_view>

#include <stratumproxy/tls_certificate.hpp>

#include "config.hpp"

namespace stratumproxyd {

/// The certificate that the files hold; null where none are named. Throws config_error, with one line that names the file and, by
/// `section`, the keys of the configuration.
[[nodiscard]] std::shared_ptr<const stratumproxy::tls_certificate> read_certificate(const tls_files& files, std::string_view section);

}  // namespace stratumproxyd
