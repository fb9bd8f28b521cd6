#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "admin/handlers.hpp"
#include "admin/json.hpp"
#include "admin/json_answer.hpp"
#include "admin/table_json.hpp"
#include "commands/command_group.hpp"
#include "commands/local_tables.hpp"
#include "commands/outcome.hpp"
#include "commands/request_body.hpp"
#include "commands/secret.hpp"
#include "commands/text_table.hpp"
#include "link_rules.hpp"

namespace stratumproxyd {
namespace {

constexpr std::size_t largest_import = 1'048'576;

struct pool_options {
  std::string pool, file;
  std::optional<std::string> algorithm, login_template, mode, verify, tls, tls_fingerprint;
  std::optional<double> divider;
  std::vector<std::string> reconnect_hosts;
  bool vardiff = false, fixed_difficulty = false, rig_logins = false;
  bool json = false;
};

int add(const config& settings, const pool_options& given) {
  request_body body;
  body.put("pool", given.pool);
  body.put("algorithm", given.algorithm);
  body.put_number("divider", given.divider);
  body.put("login_template", given.login_template);
  body.put("reconnect_hosts", given.reconnect_hosts);
  body.put("mode", given.mode);
  body.put("verify", given.verify);
  body.put_set("vardiff", given.vardiff);
  body.put_set("fixed_difficulty", given.fixed_difficulty);
  body.put_set("rig_logins", given.rig_logins);
  body.put("tls", given.tls);
  body.put("tls_fingerprint", given.tls_fingerprint);
  local_tables here(settings);
  const auto answer = here.ask(add_pool, body.text());
  std::cout << (given.json ? answer : fmt::format("pool {} is known", visible(given.pool))) << '\n';
  return command_done;
}

int list(const config& settings, const pool_options& given) {
  local_tables here(settings);
  const auto pools = here.tables().pools();
  if (given.json) {
    json_answer out;
    out.begin_array("pools");
    for (const auto& row : pools) {
      out.begin_object();
      put_members(out, row, true);
      out.end_object();
    }
    out.end_array();
    std::cout << out.done().body << '\n';
    return command_done;
  }
  text_table table({"POOL", "ALGORITHM", "DIVIDER", "MODE", "VERIFY", "VARDIFF", "LOGIN"});
  for (const auto& row : pools)
    table.add({row.pool, visible(row.algorithm), row.divider ? number_text(*row.divider) : "-", std::string(name(row.mode)),
               std::string(name(row.verify)), row.vardiff ? "yes" : "no", visible(row.login_template)});
  std::cout << table.text();
  return command_done;
}

int take_file(const config& settings, const pool_options& given) {
  require_database(settings);
  auto body = read_text(given.file, largest_import, "import");
  local_tables here(settings);
  const auto answer = here.ask(import_tables, std::move(body));
  if (given.json) {
    std::cout << answer << '\n';
    return command_done;
  }
  const auto parsed = parse_json_object(answer);
  const auto& members = std::get<json_object>(parsed);
  const auto count = [&](const char* name) { return std::get<json_number>(members.at(name)).text; };
  std::cout << fmt::format("{} created, {} changed, {} unchanged\n", count("created"), count("changed"), count("unchanged"));
  return command_done;
}

}  // namespace

void add_pool_commands(CLI::App& app, chosen_command& chosen) {
  command_group<pool_options> group(app, chosen, "pool", "pools: add, list, import");
  auto& given = group.given();
  auto* const adding = group.add("add", "make a pool known, so that accounts may mine there", add);
  adding->add_option("POOL", given.pool, "HOST:PORT")->required();
  adding->add_option("--algorithm", given.algorithm, "what is mined there: see algorithm list")->type_name("NAME")->required();
  adding->add_option("--divider", given.divider, "instead of the algorithm's")->type_name("NUMBER");
  adding->add_option("--login-template", given.login_template, "login at the pool (default {user}.{rig})")->type_name("TEXT");
  adding->add_option("--reconnect-host", given.reconnect_hosts, "a host that its client.reconnect may name; may be repeated")
      ->type_name("HOST")
      ->expected(1)
      ->take_all();
  adding->add_option("--mode", given.mode, "links (default dedicated)")->type_name("dedicated|shared");
  adding->add_option("--verify", given.verify, "what is checked of shares (default basic)")->type_name("off|basic|full");
  adding->add_flag("--vardiff", given.vardiff, "a difficulty for each worker");
  adding->add_flag("--fixed-difficulty", given.fixed_difficulty, "the pool's difficulty does not follow the hashrate");
  adding->add_flag("--rig-logins", given.rig_logins, "every rig logs in on a shared link");
  adding->add_option("--tls", given.tls, "TLS, and which certificate the pool must have (default off)")
      ->type_name("off|verify|pin|insecure");
  adding->add_option("--tls-fingerprint", given.tls_fingerprint, "for --tls pin: SHA-256 of the pool's certificate")->type_name("HEX");
  adding->footer(
      "A pool that is known with other values is refused; docs/api.md says how one is changed.\n"
      "\nExample:\n"
      "  stratumproxyd pool add stratum.example.com:3333 --algorithm sha256d --mode shared --verify full");
  group.add("list", "all pools", list);
  auto* const importing = group.add("import", "algorithms and pools from a file: all rows, or none", take_file);
  importing->add_option("FILE", given.file, "as GET /api/v1/export and pool list --json write it; - is standard input")
      ->required();
}

}  // namespace stratumproxyd
