#include "commands/commands.hpp"

#include <CLI/CLI.hpp>

namespace stratumproxyd {
namespace {

constexpr const char* examples =
    "Without a command the proxy runs, as with `run`. Options may also follow the command.\n"
    "\n"
    "Examples:\n"
    "  stratumproxyd --config /etc/stratumproxy/stratumproxy.toml\n"
    "  stratumproxyd check-config --config /etc/stratumproxy/stratumproxy.toml\n"
    "  stratumproxyd pool add stratum.example.com:3333 --algorithm sha256d --db sqlite:/var/lib/stratumproxy/stratumproxy.db\n"
    "  stratumproxyd user add --pool stratum.example.com:3333 --user wallet\n"
    "  stratumproxyd status --watch\n"
    "\n"
    "Exit codes: 0 done; 1 refused, nothing was changed; 2 wrong options or configuration, or no database.";

}  // namespace

void add_commands(CLI::App& app, chosen_command& chosen) {
  app.require_subcommand(0, 1);
  app.fallthrough();  // inherited: the options of the program may follow a command
  app.get_formatter()->column_width(38);
  app.get_formatter()->label("OPTIONS", "OPTION...");
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("Positionals", "Arguments");
  app.get_formatter()->label("REQUIRED", "(needed)");
  app.footer("The options of the program may follow, such as --config and --db: see stratumproxyd --help.");  // of all commands
  app.add_subcommand("run", "run the proxy (the default)")->group("Commands");
  add_check_config_command(app, chosen);
  add_migrate_command(app, chosen);
  add_status_command(app, chosen);
  add_user_commands(app, chosen);
  add_pool_commands(app, chosen);
  add_algorithm_commands(app, chosen);
  add_token_commands(app, chosen);
  add_import_seed_command(app, chosen);
  add_completion_command(app, chosen);
  app.footer(examples);
}

}  // namespace stratumproxyd
