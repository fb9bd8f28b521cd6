#include "commands/local_tables.hpp"

#include <pwd.h>
#include <unistd.h>

#include <fmt/format.h>

#include <exception>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "admin/access.hpp"
#include "admin/handlers.hpp"
#include "admin/json.hpp"
#include "admin/json_body.hpp"
#include "commands/outcome.hpp"

namespace stratumproxyd {
namespace {

moment wall_clock() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

// The last admin's token may be revoked where a token file opens the door. Who cannot read that file is told as if there were none.
std::string file_token(const config& settings) try {
  return settings.web.token_file.empty() ? settings.web.token : read_token(settings.web.token_file);
} catch (const std::exception&) {
  return {};
}

std::string error_in(const http_response& answer) {
  const auto parsed = parse_json_object(answer.body);
  if (const auto* members = std::get_if<json_object>(&parsed))
    if (const auto found = members->find("error"); found != members->end())
      if (const auto* text = std::get_if<std::string>(&found->second)) return *text;
  return "it was refused";
}

}  // namespace

std::string command_line_actor() {
  const auto* const entry = ::getpwuid(::getuid());
  return entry ? fmt::format("command line, user {}", entry->pw_name) : fmt::format("command line, user {}", ::getuid());
}

void require_database(const config& settings) {
  constexpr std::string_view sqlite = "sqlite:";
  const auto& url = settings.db.url;
  if (!url.starts_with(sqlite)) return;
  const auto path = url.substr(sqlite.size());
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return;
  throw std::runtime_error(
      fmt::format("there is no database {}: say where it is with --config FILE or --db URL, or make one with "
                  "`stratumproxyd migrate`",
                  std::filesystem::absolute(path).string()));
}

local_tables::local_tables(const config& settings) : log_({.level = stratumproxy::log_level::error}) {
  require_database(settings);
  store_ = open_store(settings.db.url, migrations_directory(settings.db).string());
  tokens_.set_file_token(file_token(settings));
  tokens_.replace(store_->access().tokens(), tokens_.generation());
}

std::string local_tables::ask(handler what, std::string body, std::string parameter) {
  const api_context context{
      .database = *store_,
      .log = log_,
      .tokens = tokens_,
      .events = log_.recent(),
      .on_changed = {},
      .stratum_address = [] { return std::string(); },
      .database_up = [] { return true; },
      .ready = [] { return true; },
      .has_tag = [] { return true; },
      .metrics = {},
      .snapshot = [](stratumproxy::metrics::scope) { return std::optional<stratumproxy::metrics::snapshot>(); },
      .now = wall_clock,
      .worker_rates = rates_};
  http_request request;
  request.address = command_line_address;
  request.actor = command_line_actor();
  request.parameter = std::move(parameter);
  request.body = std::move(body);
  try {
    auto answer = what(context, request);
    if (answer.status >= 300) throw command_refused(error_in(answer));
    return std::move(answer.body);
  } catch (const refusal& error) {
    throw command_refused(error.text);
  }
}

}  // namespace stratumproxyd
