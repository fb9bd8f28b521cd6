#include "commands/daemon_client.hpp"

#include <httplib.h>

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

#include "admin/access.hpp"
#include "commands/outcome.hpp"
#include "endpoint.hpp"

namespace stratumproxyd {
namespace {

constexpr const char* token_variable = "STRATUMPROXY_TOKEN";
constexpr time_t patience_seconds = 10;

// Where a daemon listens on all addresses it is asked on this machine.
std::string url_of(const config& settings) {
  auto address = *parse_endpoint(settings.web.address);
  if (address.port == 0)
    throw std::runtime_error("web.addr has port 0: say with --url where the daemon listens, as its ready line has it");
  if (address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::") address.host = "::1";
  return (settings.web.tls.certificate.empty() ? "http://" : "https://") + address.text();
}

std::string token_of(const config& settings) {
  if (!settings.web.token_file.empty()) return read_token(settings.web.token_file);
  if (!settings.web.token.empty()) return settings.web.token;
  const char* const token = std::getenv(token_variable);
  return token ? token : "";
}

}  // namespace

struct daemon_client::connection {
  std::string url;
  httplib::Client client;

  explicit connection(const std::string& to) : url(to), client(to) {}
};

daemon_client::daemon_client(const config& settings, const std::string& url)
    : connection_(std::make_unique<connection>(url.empty() ? url_of(settings) : url)) {
  auto& client = connection_->client;
  const auto& to = connection_->url;
  if (!client.is_valid() || !(to.starts_with("http://") || to.starts_with("https://")))
    throw std::runtime_error("--url must be http://HOST:PORT or https://HOST:PORT");
  client.set_connection_timeout(patience_seconds);
  client.set_read_timeout(patience_seconds);
  client.set_keep_alive(true);
  if (const auto token = token_of(settings); !token.empty()) client.set_bearer_token_auth(token);
}

daemon_client::~daemon_client() = default;

const std::string& daemon_client::url() const noexcept { return connection_->url; }

std::string daemon_client::get(const std::string& path) {
  const auto answer = connection_->client.Get(path);
  const bool is_untrusted = answer.error() == httplib::Error::SSLServerVerification;
  if (is_untrusted)
    throw daemon_unreachable(fmt::format("what answers at {} is not trusted: --url https://NAME:PORT with a name that is in its "
                                         "certificate, and SSL_CERT_FILE=FILE with its root",
                                         connection_->url));
  if (!answer)
    throw daemon_unreachable(fmt::format("no daemon answers at {}; --web.addr, --config or --url say where it is", connection_->url));
  if (answer->status == 200) return std::move(answer->body);
  if (answer->status == 401)
    throw command_refused(
        fmt::format("{} wants a token: give --web.token-file FILE, or set {}", connection_->url, token_variable));
  const auto parsed = parse_json_object(answer->body);
  const auto* members = std::get_if<json_object>(&parsed);
  const auto error = members ? members->find("error") : json_object::const_iterator();
  const auto* text = members && error != members->end() ? std::get_if<std::string>(&error->second) : nullptr;
  if (!text) throw daemon_unreachable(fmt::format("{} is no stratumproxyd: it answers {}", connection_->url, answer->status));
  throw command_refused(fmt::format("{} answers {}: {}", connection_->url, answer->status, *text));
}

json_object daemon_client::get_object(const std::string& path) {
  auto parsed = parse_json_object(get(path));
  if (auto* members = std::get_if<json_object>(&parsed)) return std::move(*members);
  throw daemon_unreachable(fmt::format("{} is no stratumproxyd: its answer is not read", connection_->url));
}

}  // namespace stratumproxyd
