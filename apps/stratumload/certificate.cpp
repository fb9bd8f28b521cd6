#include "certificate.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace stratumload {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw std::runtime_error("cannot read " + path);
  return text;
}

}  // namespace

std::shared_ptr<const stratumproxy::tls_certificate> read_certificate(const std::string& certificate, const std::string& key) {
  return stratumproxy::tls_certificate::from_pem(read_file(certificate), read_file(key));
}

}  // namespace stratumload
