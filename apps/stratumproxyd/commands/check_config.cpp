#include "commands/check_config.hpp"

#include <sys/resource.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <system_error>

#include "admin/access.hpp"
#include "admin/json_answer.hpp"
#include "certificate_files.hpp"
#include "commands/commands.hpp"
#include "commands/outcome.hpp"
#include "endpoint.hpp"
#include "handover/unix_channel.hpp"
#include "store/database_url.hpp"

namespace stratumproxyd {
namespace {

namespace fs = std::filesystem;

// What a start would say too, before it touches the database.
void require_usable(const config& settings) {
  if (!settings.web.token_file.empty()) (void)read_token(settings.web.token_file);
  (void)read_certificate(settings.tls, "tls");
  (void)read_certificate(settings.web.tls, "web");
  const auto migrations = migrations_directory(settings.db);
  std::error_code ignored;
  if (!fs::is_directory(migrations, ignored))
    throw config_error(fmt::format("there are no migrations in {}: see db.migrations", migrations.string()));
  if (!settings.handover.socket.empty()) unix_listener::require_no_other_file(settings.handover.socket);
}

void suspect_access(const config& settings, std::vector<std::string>& out) {
  const auto web = parse_endpoint(settings.web.address);
  const bool is_exposed = web && !web->is_loopback();
  const bool has_file = !settings.web.token_file.empty();
  const bool has_token = has_file || !settings.web.token.empty();
  if (is_exposed && !has_token && settings.web.allow_open)
    out.push_back(
        fmt::format("web.addr {} can be reached from elsewhere, and with web.allow_open no token is needed until there is one",
                    web->text()));
  else if (is_exposed && !has_token)
    out.push_back(
        fmt::format("web.addr {} can be reached from elsewhere: without web.token_file the proxy starts only if the database "
                    "has tokens",
                    web->text()));
  if (is_exposed && settings.web.access.registration == registration_policy::open)
    out.push_back("web.registration is open: whoever reaches web.addr may register accounts on your pools");
  if (has_file && is_world_readable(settings.web.token_file))
    out.push_back(fmt::format("{} can be read by every user of this machine: chmod 600", settings.web.token_file.string()));
  if (has_file && read_token(settings.web.token_file).size() < 32)
    out.push_back(fmt::format("the token in {} has less than 32 characters, so that it could be guessed",
                              settings.web.token_file.string()));
}

void suspect_certificate(const tls_files& files, std::string_view section, std::vector<std::string>& out) {
  const auto certificate = read_certificate(files, section);
  for (auto& each : warnings_about(files, certificate.get(), std::chrono::system_clock::now())) out.push_back(std::move(each.text));
}

void suspect_database(const config& settings, std::vector<std::string>& out) {
  constexpr std::string_view sqlite = "sqlite:";
  const auto& url = settings.db.url;
  if (url.starts_with(sqlite)) {
    const fs::path path = url.substr(sqlite.size());
    std::error_code ignored;
    const auto folder = fs::absolute(path).parent_path();
    if (path.is_relative())
      out.push_back(fmt::format("db.url {} depends on the directory of the start: give the whole path", url));
    if (!fs::is_directory(folder, ignored)) out.push_back(fmt::format("db.url: there is no directory {}", folder.string()));
    return;
  }
  if (without_password(url) != url)
    out.push_back("db.url holds a password: PGPASSWORD or a .pgpass file keeps it out of sight");
  const auto stratum = parse_endpoint(settings.proxy.address);
  if (settings.metrics.tag.empty() && stratum &&
      (stratum->host == "0.0.0.0" || stratum->host == "::" || stratum->is_loopback()))
    out.push_back(fmt::format("metrics.tag is not set: it would be {}, and another proxy of this database could have the same",
                              stratum->text()));
}

void suspect_handover(const config& settings, std::vector<std::string>& out) {
  if (settings.handover.socket.empty()) return;
  // A warning: the service manager may make it at the start.
  std::error_code ignored;
  const auto folder = fs::absolute(settings.handover.socket).parent_path();
  if (!fs::is_directory(folder, ignored)) out.push_back(fmt::format("handover.socket: there is no directory {}", folder.string()));
}

void suspect_proxy(const config& settings, std::vector<std::string>& out) {
  using namespace std::chrono_literals;
  const auto& proxy = settings.proxy;
  const auto stratum = parse_endpoint(proxy.address);
  if (stratum && stratum->port == 0)
    out.push_back("stratum.addr has port 0: miners find the proxy on another port after each start");
  if (proxy.session.hold == 0ms) out.push_back("session.hold_seconds is 0: workers are closed as soon as their pool is away");
  if (proxy.session.grace == 0ms) out.push_back("session.grace_seconds is 0: a worker that reconnects begins anew");
  if (proxy.limits.first_message > 5min)
    out.push_back("limits.first_message_seconds is more than 5 minutes: silent connections pile up");
  if (proxy.upstream.verdict_timeout < 5s)
    out.push_back("upstream.verdict_timeout_seconds is less than 5: shares of a slow pool will be unknown");
  if (proxy.session.refresh > 80s)
    out.push_back("session.refresh_seconds is more than 80: cgminer leaves a server that is silent for 90 s");
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max != RLIM_INFINITY &&
      std::uint64_t{proxy.limits.connections} * 2 > limit.rlim_max)
    out.push_back(fmt::format("limits.connections is {}, and the hard limit of descriptors here is {}: a worker may need two",
                              proxy.limits.connections, limit.rlim_max));
  if (!settings.record.file.empty())
    out.push_back(
        fmt::format("record.file is set: every line of every conversation goes into {}", settings.record.file.string()));
  if (settings.bans.automatic >= 24h)
    out.push_back("limits.ban_seconds is a day or more: one miner with a bad cable can ban a whole farm behind its address");
}

int check(const config& settings, bool json) {
  require_usable(settings);
  const auto found = suspicions(settings);
  if (json) {
    json_answer out;
    out.put("warnings", found);
    std::cout << out.done().body << '\n';
    return command_done;
  }
  for (const auto& each : found) std::cerr << "warning: " << each << '\n';
  std::cout << "the configuration is good"
            << (found.empty() ? "" : fmt::format(", with {} warning{}", found.size(), found.size() > 1 ? "s" : "")) << '\n';
  return command_done;
}

}  // namespace

std::vector<std::string> suspicions(const config& settings) {
  std::vector<std::string> out;
  suspect_access(settings, out);
  suspect_certificate(settings.tls, "tls", out);
  suspect_certificate(settings.web.tls, "web", out);
  suspect_database(settings, out);
  suspect_handover(settings, out);
  suspect_proxy(settings, out);
  return out;
}

void add_check_config_command(CLI::App& app, chosen_command& chosen) {
  auto* const command =
      app.add_subcommand("check-config", "read flags and file, and say whether a proxy would start with them");
  const auto json = std::make_shared<bool>(false);
  command->group("Commands");
  command->add_flag("--json", *json, "for programs: {\"warnings\":[...]}");
  command->footer(
      "Warnings are of settings that are allowed, but seldom meant. The database is not touched.\n"
      "Exit codes: 0 good; 2 not, and one line says why.");
  command->callback([json, &chosen] { chosen = [json](const config& settings) { return check(settings, *json); }; });
}

}  // namespace stratumproxyd
