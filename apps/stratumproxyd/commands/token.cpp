#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <iostream>
#include <string>

#include "admin/handlers.hpp"
#include "admin/json.hpp"
#include "commands/command_group.hpp"
#include "commands/local_tables.hpp"
#include "commands/outcome.hpp"
#include "commands/request_body.hpp"
#include "commands/text_table.hpp"

namespace stratumproxyd {
namespace {

struct token_options {
  std::string name;
  std::string role;
  bool json = false;
};

int create(const config& settings, const token_options& given) {
  request_body body;
  body.put("name", given.name);
  body.put("role", given.role);
  local_tables here(settings);
  const auto answer = here.ask(add_token, body.text());
  if (given.json) {
    std::cout << answer << '\n';
    return command_done;
  }
  const auto parsed = parse_json_object(answer);
  std::cerr << "this is shown once; the database keeps its hash only\n";
  std::cout << std::get<std::string>(std::get<json_object>(parsed).at("token")) << '\n';
  return command_done;
}

int list(const config& settings, const token_options& given) {
  local_tables here(settings);
  if (given.json) {
    std::cout << here.ask([](const api_context& context, const http_request&) { return list_tokens(context); }, {}) << '\n';
    return command_done;
  }
  text_table table({"NAME", "ROLE", "CREATED", "LAST USED"});
  for (const auto& row : here.tables().access().tokens())
    table.add({visible(row.name), std::string(name(row.role)), row.created_at,
               row.last_used_at.empty() ? "never" : row.last_used_at});
  std::cout << table.text();
  return command_done;
}

int revoke(const config& settings, const token_options& given) {
  local_tables here(settings);
  const auto answer = here.ask(remove_token, {}, given.name);
  std::cout << (given.json ? answer : fmt::format("revoked {}", given.name)) << '\n';
  return command_done;
}

}  // namespace

void add_token_commands(CLI::App& app, chosen_command& chosen) {
  command_group<token_options> group(app, chosen, "token", "bearer tokens of the HTTP API: create, list, revoke");
  auto& given = group.given();
  auto* const creating = group.add("create", "make a token and print it, once", create);
  creating->add_option("NAME", given.name, "letters, digits, - and _; the audit log shows it")->required();
  creating->add_option("--role", given.role, "what its bearer may do")->type_name("admin|read-only|register-only")->required();
  creating->footer(
      "Proxies that run know it within two seconds. The first one must be an admin's, unless there is a token file.\n"
      "\nExample:\n"
      "  stratumproxyd token create grafana --role read-only");
  group.add("list", "all tokens, but not their text", list);
  group.add("revoke", "remove a token", revoke)->add_option("NAME", given.name, "the token's name")->required();
}

}  // namespace stratumproxyd
