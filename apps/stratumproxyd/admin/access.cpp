#include "admin/access.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "config.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

bool is_registration(const http_request& request) {
  return request.path == "/api/v1/users" && (request.method == "POST" || request.method == "PUT");
}

bool suffices(token_role role, const http_request& request) {
  switch (role) {
    case token_role::admin: return true;
    case token_role::read_only: return request.method == "GET" || request.method == "HEAD";
    case token_role::register_only: return is_registration(request);
  }
  return false;
}

// Empty when none is given.
std::string_view given_token(std::string_view authorization) {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() <= scheme.size() || lower_case(authorization.substr(0, scheme.size())) != scheme) return {};
  return authorization.substr(scheme.size());
}

http_response too_many(std::string_view what, std::chrono::seconds wait) {
  auto refused = http_error(429, what);
  refused.headers.emplace_back("Retry-After", std::to_string(wait.count()));
  return refused;
}

http_response token_needed(std::string_view why) {
  auto refused = http_error(401, why);
  refused.headers.emplace_back("WWW-Authenticate", "Bearer");
  return refused;
}

// "HOST[:PORT]" without its port, in the form of endpoint::host.
std::optional<std::string> host_part(std::string_view host) {
  const bool has_port = host.ends_with(']') ? false : host.find(':') != std::string_view::npos;
  const auto parsed = parse_endpoint(has_port ? std::string(host) : std::string(host) + ":0");
  if (!parsed) return std::nullopt;
  return parsed->host;
}

}  // namespace

access_rules::access_rules(const endpoint& bound, std::vector<std::string> hosts, known_tokens& tokens)
    : loopback_(bound.is_loopback()), bound_host_(bound.host), hosts_(std::move(hosts)), tokens_(tokens) {}

void access_rules::set_hosts(const std::vector<std::string>& hosts) {
  const std::lock_guard lock(mutex_);
  hosts_ = hosts;
}

void access_rules::set_policy(const access_policy& policy) {
  registration_ = policy.registration;
  registrations_.set(policy.registrations);
  failed_logins_.set(policy.failed_logins);
}

bool access_rules::is_known_host(std::string_view host) const {
  const auto name = host_part(host);
  if (!name) return false;
  if (*name == "localhost" || *name == "127.0.0.1" || *name == "::1" || *name == bound_host_) return true;
  const std::lock_guard lock(mutex_);
  return std::ranges::find(hosts_, *name) != hosts_.end();
}

std::optional<http_response> access_rules::check_site(const http_request& request) const {
  // DNS rebinding: a page whose name was made to point here reaches a loopback server, under that name.
  if (loopback_ && !request.host.empty() && !is_known_host(request.host))
    return http_error(403, "this server is not known under that Host");
  if (!request.origin.empty() && request.origin != "http://" + request.host && request.origin != "https://" + request.host)
    return http_error(403, "requests of other sites are refused");
  // The page itself holds no data, and may be reached by a link.
  if (request.fetch_site == "cross-site" && request.path != "/") return http_error(403, "requests of other sites are refused");
  return std::nullopt;
}

std::optional<token_bearer> access_rules::bearer_of(const http_request& request, time_point now) {
  const auto token = given_token(request.authorization);
  if (token.empty()) return std::nullopt;
  auto bearer = tokens_.find(token);
  // Whoever goes on trying learns nothing more. Long random tokens cannot be hit by trying, so that their bearers are not kept
  // waiting by others behind the same address.
  if (bearer && bearer->is_guessable && failed_logins_.is_empty(request.address, now)) return std::nullopt;
  return bearer;
}

std::optional<http_response> access_rules::refuse_stranger(const http_request& request, time_point now) {
  if (request.authorization.empty()) return token_needed("a bearer token is needed");
  ++failed_;
  if (const auto wait = failed_logins_.take(request.address, now))
    return too_many("too many requests with a wrong token", *wait);
  return token_needed("the bearer token is not known");
}

std::optional<http_response> access_rules::check_registration(http_request& request, const std::optional<token_bearer>& bearer,
                                                              time_point now) {
  // Where nobody ever made a token, whoever reaches the loopback address may do everything.
  const bool unlimited = loopback_ && !tokens_.any();
  request.actor = bearer ? bearer->name : nobody_name;
  if (unlimited || (bearer && suffices(bearer->role, request))) return std::nullopt;
  // Nobody needs a token here, but this is no place to try some.
  if (!bearer && !request.authorization.empty()) {
    ++failed_;
    if (const auto wait = failed_logins_.take(request.address, now)) return too_many("too many requests with a wrong token", *wait);
  }
  if (const auto wait = registrations_.take(request.address, now))
    return too_many("too many registrations from this address; a token that may register has no such limit", *wait);
  return std::nullopt;
}

std::optional<http_response> access_rules::check(http_request& request, time_point now) {
  if (auto refused = check_site(request)) return refused;
  if (!request.path.starts_with("/api/")) return std::nullopt;
  const auto policy = registration_.load();
  const bool registers = is_registration(request);
  if (registers && policy == registration_policy::off) return http_error(403, "registration is off on this server");
  const auto bearer = bearer_of(request, now);
  if (registers && policy == registration_policy::open) return check_registration(request, bearer, now);
  if (bearer && !suffices(bearer->role, request))
    return http_error(403, std::string("the role of this token, ").append(name(bearer->role)).append(", does not allow that"));
  if (!bearer && (registers || tokens_.any())) return refuse_stranger(request, now);
  request.actor = bearer ? bearer->name : nobody_name;
  request.role = name(bearer ? bearer->role : token_role::admin);
  return std::nullopt;
}

bool is_token(std::string_view text) {
  return text.size() >= 8 && text.size() <= 512 && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string read_token(const std::filesystem::path& file) {
  auto token = read_regular_file(file, 4'096, "token file");
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (!is_token(token))
    throw config_error("the token file " + file.string() + " must hold one line of 8 to 512 printable characters without spaces");
  return token;
}

bool is_world_readable(const std::filesystem::path& file) {
  std::error_code ignored;
  const auto status = std::filesystem::status(file, ignored);
  return (status.permissions() & std::filesystem::perms::others_read) != std::filesystem::perms::none;
}

}  // namespace stratumproxyd
