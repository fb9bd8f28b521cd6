#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace stratumproxyd {

struct config;

/// Set by the command that the command line names: does its work and gives the exit code.
using chosen_command = std::function<int(const config&)>;

/// All of them, with their options. `chosen` outlives the parsing; `run`, which is also meant without a command, leaves it empty.
void add_commands(CLI::App& app, chosen_command& chosen);

// One a file.
void add_check_config_command(CLI::App& app, chosen_command& chosen);
void add_migrate_command(CLI::App& app, chosen_command& chosen);
void add_user_commands(CLI::App& app, chosen_command& chosen);
void add_pool_commands(CLI::App& app, chosen_command& chosen);
void add_algorithm_commands(CLI::App& app, chosen_command& chosen);
void add_token_commands(CLI::App& app, chosen_command& chosen);
void add_import_seed_command(CLI::App& app, chosen_command& chosen);
void add_status_command(CLI::App& app, chosen_command& chosen);
/// The last one: it knows those before it.
void add_completion_command(CLI::App& app, chosen_command& chosen);

}  // namespace stratumproxyd
