#include "admin/access.hpp"

#include <algorithm>
#include <utility>

#include "config.hpp"

namespace stratumproxyd {
namespace {

// Takes a time that depends on the presented text alone.
bool equal_in_constant_time(std::string_view secret, std::string_view presented) {
  volatile unsigned char difference = secret.size() == presented.size() ? 0 : 1;
  for (std::size_t i = 0; i < presented.size(); ++i)
    difference = static_cast<unsigned char>(difference | (secret[i % secret.size()] ^ presented[i]));
  return difference == 0;
}

bool is_open(const http_request& request) {
  if (!request.path.starts_with("/api/")) return true;
  return request.path == "/api/v1/users" && (request.method == "POST" || request.method == "PUT");
}

// "HOST[:PORT]" without its port, in the form of endpoint::host.
std::optional<std::string> host_part(std::string_view host) {
  const bool has_port = host.ends_with(']') ? false : host.find(':') != std::string_view::npos;
  const auto parsed = parse_endpoint(has_port ? std::string(host) : std::string(host) + ":0");
  if (!parsed) return std::nullopt;
  return parsed->host;
}

}  // namespace

access_rules::access_rules(const endpoint& bound, std::vector<std::string> hosts)
    : loopback_(bound.is_loopback()), hosts_(std::move(hosts)), token_(std::make_shared<const std::string>()) {
  hosts_.insert(hosts_.end(), {"localhost", "127.0.0.1", "::1", bound.host});
}

void access_rules::set_token(std::string token) {
  auto fresh = std::make_shared<const std::string>(std::move(token));
  const std::lock_guard lock(mutex_);
  token_ = std::move(fresh);
}

bool access_rules::is_known_host(std::string_view host) const {
  const auto name = host_part(host);
  return name && std::ranges::find(hosts_, *name) != hosts_.end();
}

bool access_rules::has_token(std::string_view authorization) const {
  std::shared_ptr<const std::string> token;
  {
    const std::lock_guard lock(mutex_);
    token = token_;
  }
  if (token->empty()) return true;
  constexpr std::string_view scheme = "bearer ";
  const auto same_letter = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  if (authorization.size() <= scheme.size() || !std::equal(authorization.begin(), authorization.begin() + scheme.size(), scheme.begin(), same_letter))
    return false;
  return equal_in_constant_time(*token, authorization.substr(scheme.size()));
}

std::optional<http_response> access_rules::check(const http_request& request) const {
  // DNS rebinding: a page whose name was made to point here reaches a loopback server, under that name.
  if (loopback_ && !request.host.empty() && !is_known_host(request.host))
    return http_error(403, "this server is not known under that Host");
  if (!request.origin.empty() && request.origin != "http://" + request.host && request.origin != "https://" + request.host)
    return http_error(403, "requests of other sites are refused");
  if (request.fetch_site == "cross-site") return http_error(403, "requests of other sites are refused");
  if (!is_open(request) && !has_token(request.authorization)) {
    auto refused = http_error(401, "a bearer token is needed");
    refused.headers.emplace_back("WWW-Authenticate", "Bearer");
    return refused;
  }
  return std::nullopt;
}

std::string read_token(const std::filesystem::path& file) {
  auto token = read_regular_file(file, 4'096, "token file");
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  const auto printable = [](char c) { return c > 0x20 && c < 0x7f; };
  if (token.size() < 8 || token.size() > 512 || !std::ranges::all_of(token, printable))
    throw config_error("the token file " + file.string() + " must hold one line of 8 to 512 printable characters without spaces");
  return token;
}

bool is_world_readable(const std::filesystem::path& file) {
  std::error_code ignored;
  const auto status = std::filesystem::status(file, ignored);
  return (status.permissions() & std::filesystem::perms::others_read) != std::filesystem::perms::none;
}

}  // namespace stratumproxyd
