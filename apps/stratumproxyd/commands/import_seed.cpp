#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "admin/json_answer.hpp"
#include "commands/commands.hpp"
#include "commands/local_tables.hpp"
#include "commands/outcome.hpp"
#include "commands/text_table.hpp"
#include "config.hpp"
#include "store/seed_file.hpp"
#include "store/seed_import.hpp"

namespace stratumproxyd {
namespace {

struct import_options {
  std::string file;
  bool dry_run = false, skip_conflicts = false, json = false;
};

void print_json(const seed_report& report) {
  json_answer out;
  out.put_flag("written", report.is_written);
  out.begin_array("tables");
  const auto put = [&](std::string_view name, const seed_report::counts& of) {
    out.begin_object();
    out.put("table", name);
    out.put("created", std::uint64_t{of.created});
    out.put("changed", std::uint64_t{of.changed});
    out.put("unchanged", std::uint64_t{of.unchanged});
    out.end_object();
  };
  put("algorithms", report.algorithms);
  put("pools", report.pools);
  put("accounts", report.accounts);
  out.end_array();
  out.put("notes", report.notes);
  out.put("conflicts", report.conflicts);
  std::cout << out.done().body << '\n';
}

void print(const seed_report& report) {
  text_table table({"", "CREATED", "CHANGED", "UNCHANGED"});
  const auto add = [&](const char* name, const seed_report::counts& of) {
    table.add({name, std::to_string(of.created), std::to_string(of.changed), std::to_string(of.unchanged)});
  };
  add("algorithms", report.algorithms);
  add("pools", report.pools);
  add("accounts", report.accounts);
  std::cout << table.text();
  for (const auto& each : report.notes) std::cout << "note: " << visible(each) << '\n';
  for (const auto& each : report.conflicts) std::cout << "conflict: " << visible(each) << '\n';
}

int take_file(const config& settings, const import_options& given) {
  if (given.dry_run) require_database(settings);  // a trial makes none
  const auto file = read_seed_file(given.file);
  const auto mode = given.dry_run          ? seed_mode::dry_run
                    : given.skip_conflicts ? seed_mode::leave_conflicts
                                           : seed_mode::all_or_nothing;
  const auto report = import_seed(settings.db.url, migrations_directory(settings.db).string(), file, mode,
                                  {command_line_actor(), std::string(command_line_address)},
                                  printable(std::filesystem::path(given.file).filename().string()));
  const bool is_good = report.conflicts.empty() || given.skip_conflicts;
  if (given.json)
    print_json(report);
  else
    print(report);
  if (!is_good)
    throw command_refused(fmt::format("{} conflict{}, nothing was changed; --skip-conflicts takes the other rows",
                                      report.conflicts.size(), report.conflicts.size() == 1 ? "" : "s"));
  if (!given.json && given.dry_run) std::cout << "nothing was changed: this was a trial\n";
  return command_done;
}

}  // namespace

void add_import_seed_command(CLI::App& app, chosen_command& chosen) {
  auto* const command =
      app.add_subcommand("import-seed", "take over the accounts, pools and hashes of the Go program's database");
  const auto given = std::make_shared<import_options>();
  command->group("Commands");
  command->add_option("FILE", given->file, "its SQLite file (proxy.db); it is only read")->required();
  command->add_flag("--dry-run", given->dry_run, "say what would be done, and do nothing");
  command->add_flag("--skip-conflicts", given->skip_conflicts, "leave rows with conflicts out, instead of taking none");
  command->add_flag("--json", given->json, "for programs");
  command->footer(
      "Accounts keep their names and passwords, hashes their names. All rows are taken in one transaction, or none; what is\n"
      "here already, and the same, stays. The database is made if it is not there.\n"
      "\nExample:\n"
      "  stratumproxyd import-seed /usr/share/proxy/proxy.db --dry-run --db sqlite:/var/lib/stratumproxy/stratumproxy.db");
  command->callback([given, &chosen] { chosen = [given](const config& settings) { return take_file(settings, *given); }; });
}

}  // namespace stratumproxyd
