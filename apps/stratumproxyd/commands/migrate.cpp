#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdint>
#include <iostream>
#include <memory>

#include "admin/json_answer.hpp"
#include "commands/commands.hpp"
#include "commands/outcome.hpp"
#include "config.hpp"
#include "store/database_url.hpp"
#include "store/schema.hpp"

namespace stratumproxyd {
namespace {

int migrate_tables(const config& settings, bool json) {
  const auto [from, to] = migrate_store(settings.db.url, migrations_directory(settings.db).string());
  if (json) {
    json_answer out;
    out.put("from", static_cast<std::uint64_t>(from));
    out.put("to", static_cast<std::uint64_t>(to));
    std::cout << out.done().body << '\n';
    return command_done;
  }
  const auto database = without_password(settings.db.url);
  if (from == to)
    std::cout << fmt::format("{} is at version {}: nothing to do\n", database, to);
  else if (from == 0)
    std::cout << fmt::format("{} was made, with version {}\n", database, to);
  else
    std::cout << fmt::format("{} was brought from version {} to {}\n", database, from, to);
  return command_done;
}

}  // namespace

void add_migrate_command(CLI::App& app, chosen_command& chosen) {
  auto* const command = app.add_subcommand("migrate", "make the database, or bring its tables up to date");
  const auto json = std::make_shared<bool>(false);
  command->group("Commands");
  command->add_flag("--json", *json, "for programs: {\"from\":VERSION,\"to\":VERSION}");
  command->footer("A start does the same. Proxies that run go on, also those of an older version.");
  command->callback([json, &chosen] { chosen = [json](const config& settings) { return migrate_tables(settings, *json); }; });
}

}  // namespace stratumproxyd
