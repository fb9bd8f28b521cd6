#include "certificate_files.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "admin/access.hpp"

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

std::vector<certificate_warning> warnings_about(const tls_files& files, const stratumproxy::tls_certificate* certificate,
                                                std::chrono::system_clock::time_point now) {
  using std::chrono::system_clock;
  std::vector<certificate_warning> out;
  if (!certificate) return out;
  if (is_world_readable(files.key))
    out.push_back({"key_world_readable", fmt::format("{} can be read by every user of this machine: chmod 600", files.key.string())});
  const auto from = certificate->valid_from(), until = certificate->valid_until();
  const auto warn = [&](std::string_view event, std::string_view words) {
    out.push_back({event, fmt::format("{} {}: valid from {:%Y-%m-%d} to {:%Y-%m-%d}", files.certificate.string(), words,
                                      fmt::gmtime(system_clock::to_time_t(from)), fmt::gmtime(system_clock::to_time_t(until)))});
  };
  if (until <= now) warn("certificate_expired", "has expired");
  else if (from > now) warn("certificate_not_yet_valid", "is not valid yet");
  else if (until - now < std::chrono::days(14)) warn("certificate_expires", "expires soon");
  return out;
}

}  // namespace stratumproxyd
