#include "certificate_files.hpp"

#include <fmt/format.h>

namespace stratumproxyd {
namespace {

constexpr std::size_t most_bytes = 1'048'576;

}  // namespace

std::shared_ptr<const stratumproxy::tls_certificate> read_certificate(const tls_files& files, std::string_view section) {
  if (files.certificate.empty()) return nullptr;
  const auto chain = read_regular_file(files.certificate, most_bytes, "certificate");
  const auto key = read_regular_file(files.key, most_bytes, "key");
  try {
    return stratumproxy::tls_certificate::from_pem(chain, key);
  } catch (const stratumproxy::certificate_error& error) {
    throw config_error(fmt::format("{0}.certificate {1} with {0}.key {2}: {3}", section, files.certificate.string(),
                                   files.key.string(), error.what()));
  }
}

}  // namespace stratumproxyd
