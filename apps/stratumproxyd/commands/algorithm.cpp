#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <stratumproxy/dialect.hpp>

#include "admin/handlers.hpp"
#include "admin/json_answer.hpp"
#include "admin/table_json.hpp"
#include "commands/command_group.hpp"
#include "commands/local_tables.hpp"
#include "commands/outcome.hpp"
#include "commands/request_body.hpp"
#include "commands/text_table.hpp"

namespace stratumproxyd {
namespace {

struct algorithm_options {
  std::string name;
  std::optional<double> divider;
  std::vector<std::string> aliases;
  std::optional<std::string> dialect;
  std::optional<double> coinb1_index;
  bool json = false;
};

int add(const config& settings, const algorithm_options& given) {
  request_body body;
  body.put("name", given.name);
  body.put_number("divider", given.divider);
  body.put("aliases", given.aliases);
  body.put("dialect", given.dialect);
  body.put_number("coinb1_index", given.coinb1_index);
  local_tables here(settings);
  const auto answer = here.ask(add_algorithm, body.text());
  std::cout << (given.json ? answer : fmt::format("algorithm {} is known", visible(given.name))) << '\n';
  return command_done;
}

int list(const config& settings, const algorithm_options& given) {
  local_tables here(settings);
  const auto algorithms = here.tables().algorithms();
  if (given.json) {
    json_answer out;
    out.begin_array("algorithms");
    for (const auto& row : algorithms) {
      out.begin_object();
      put_members(out, row);
      out.end_object();
    }
    out.end_array();
    std::cout << out.done().body << '\n';
    return command_done;
  }
  text_table table({"NAME", "DIVIDER", "DIALECT", "ALIASES"});
  for (const auto& row : algorithms)
    table.add({visible(row.name), number_text(row.divider), std::string(stratumproxy::name(row.speaks)),
               visible(fmt::format("{}", fmt::join(row.aliases, " ")))});
  std::cout << table.text();
  return command_done;
}

}  // namespace

void add_algorithm_commands(CLI::App& app, chosen_command& chosen) {
  command_group<algorithm_options> group(app, chosen, "algorithm", "algorithms and their dividers: add, list");
  auto& given = group.given();
  auto* const adding = group.add("add", "make an algorithm known", add);
  adding->add_option("NAME", given.name, "in any case")->required();
  adding->add_option("--divider", given.divider, "a share of difficulty D stands for 2^32 * D / divider hashes")
      ->type_name("NUMBER")
      ->required();
  adding->add_option("--alias", given.aliases, "another spelling; may be repeated")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  adding->add_option("--dialect", given.dialect, "what its pools speak (default bitcoin)")->type_name("NAME");
  adding->add_option("--coinb1-index", given.coinb1_index, "position of the first coinbase part in mining.notify (default 2)")
      ->type_name("NUMBER");
  adding->footer("\nExample:\n  stratumproxyd algorithm add x16rv2 --divider 256");
  group.add("list", "all algorithms", list);
}

}  // namespace stratumproxyd
