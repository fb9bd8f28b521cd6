#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <iostream>
#include <optional>
#include <string>
#include <utility>

#include "admin/account_json.hpp"
#include "admin/handlers.hpp"
#include "admin/json.hpp"
#include "admin/json_answer.hpp"
#include "commands/command_group.hpp"
#include "commands/local_tables.hpp"
#include "commands/outcome.hpp"
#include "commands/request_body.hpp"
#include "commands/secret.hpp"
#include "commands/text_table.hpp"
#include "endpoint.hpp"
#include "link_rules.hpp"
#include "store/moment_text.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

constexpr std::size_t page = 1'000;
constexpr std::size_t largest_request = 65'536;

struct user_options {
  std::string name, from;
  std::optional<std::string> pool, user, password, mode, algorithm, search;
  bool password_stdin = false;
  bool json = false;
};

std::string mode_text(const user_record& account) { return account.mode ? std::string(name(*account.mode)) : "as pool"; }
std::string seen_text(const user_record& account) { return account.last_seen ? utc_text(*account.last_seen) : "never"; }

// As the API has it, but for what only a daemon that runs knows.
void put(json_answer& out, const user_record& account) {
  put_account(out, account);
  put_seen_and_totals(out, account, 0, {});
}

std::string registration_of(const user_options& given) {
  if (!given.from.empty()) return read_text(given.from, largest_request, "account");
  if (!given.pool || !given.user) throw std::runtime_error("user add needs --pool and --user, or --from; see user add --help");
  request_body body;
  body.put("pool", given.pool);
  body.put("user", given.user);
  body.put("password", read_secret({.given = given.password,
                                    .from_stdin = given.password_stdin,
                                    .variable = "STRATUMPROXY_POOL_PASSWORD",
                                    .prompt = "the pool's password for this user"}));
  body.put("mode", given.mode);
  return body.text();
}

std::string name_in(const std::string& answer) {
  const auto parsed = parse_json_object(answer);
  return std::get<std::string>(std::get<json_object>(parsed).at("name"));
}

int add(const config& settings, const user_options& given) {
  require_database(settings);  // before anybody types a password
  const auto body = registration_of(given);
  local_tables here(settings);
  const auto answer = here.ask(register_user, body);
  std::cout << (given.json ? answer : name_in(answer)) << '\n';
  return command_done;
}

int list(const config& settings, const user_options& given) {
  user_filter wanted;
  wanted.limit = page;
  wanted.search = given.search;
  if (given.algorithm) wanted.algorithm = lower_case(*given.algorithm);
  if (given.pool) {
    if (!parse_pool(*given.pool)) throw std::runtime_error("--pool must be HOST:PORT");
    wanted.pool = parse_pool(*given.pool)->text();
  }
  local_tables here(settings);
  json_answer out;
  out.begin_array("users");
  text_table table({"NAME", "POOL", "USER", "WEIGHT", "MODE", "LAST SEEN", "ACCEPTED", "REJECTED"});
  for (std::size_t got = page; got == page;) {
    const auto rows = here.tables().users(wanted);
    got = rows.size();
    if (!rows.empty()) wanted.after = rows.back().name;
    for (const auto& account : rows) {
      if (given.json) {
        out.begin_object();
        put(out, account);
        out.end_object();
        continue;
      }
      bool is_first = true;
      for (const auto& route : account.routes) {
        const auto once = [&](std::string text) { return is_first ? std::move(text) : std::string(); };
        table.add({once(visible(account.name)), route.pool, visible(route.user),
                   route.weight ? std::to_string(route.weight) : "-", once(mode_text(account)), once(seen_text(account)),
                   once(std::to_string(account.totals.accepted)), once(std::to_string(account.totals.rejected_total()))});
        is_first = false;
      }
    }
  }
  out.end_array();
  std::cout << (given.json ? out.done().body + '\n' : table.text());
  return command_done;
}

int show(const config& settings, const user_options& given) {
  local_tables here(settings);
  const auto found = here.tables().user(given.name);
  if (!found) throw command_refused("unknown user");
  if (given.json) {
    json_answer out;
    put(out, *found);
    std::cout << out.done().body << '\n';
    return command_done;
  }
  const auto& totals = found->totals;
  std::cout << fmt::format(
      "name       {}\ncreated    {}\nlast seen  {}\nmode       {}\nrevision   {}\n"
      "shares     {} sent, {} accepted, {} rejected, {} unknown\n\n",
      visible(found->name), found->created_at, seen_text(*found), mode_text(*found), found->revision, totals.sent,
      totals.accepted, totals.rejected_total(), totals.unknown);
  text_table table({"POOL", "USER", "WEIGHT"});
  for (const auto& route : found->routes)
    table.add({route.pool, visible(route.user), route.weight ? std::to_string(route.weight) : "-"});
  std::cout << table.text();
  return command_done;
}

int remove(const config& settings, const user_options& given) {
  local_tables here(settings);
  const auto answer = here.ask(remove_user, {}, given.name);
  std::cout << (given.json ? answer : fmt::format("removed {}", given.name)) << '\n';
  return command_done;
}

}  // namespace

void add_user_commands(CLI::App& app, chosen_command& chosen) {
  command_group<user_options> group(app, chosen, "user", "accounts: add, list, show, remove");
  auto& given = group.given();
  auto* const adding = group.add("add", "register an account and print its name, which miners log in with", add);
  adding->add_option("--pool", given.pool, "a pool that is known: see pool add")->type_name("HOST:PORT");
  adding->add_option("--user", given.user, "the login at the pool")->type_name("TEXT");
  adding->add_option("--password", given.password, "the pool's password; others see it in the list of processes")
      ->type_name("TEXT");
  adding->add_flag("--password-stdin", given.password_stdin, "read the password from standard input: its first line");
  adding->add_option("--mode", given.mode, "links of this account (default: as the pool)")->type_name("dedicated|shared");
  adding->add_option("--from", given.from, "the body of POST /api/v1/users: fall-backs, weights; - is standard input")
      ->type_name("FILE");
  adding->footer(
      "Without --password it is taken from --password-stdin, from the environment (STRATUMPROXY_POOL_PASSWORD),\n"
      "or asked for. The same pool, user and password give the same name again.\n"
      "\nExamples:\n"
      "  stratumproxyd user add --pool stratum.example.com:3333 --user wallet\n"
      "  name=$(echo x | stratumproxyd user add --pool stratum.example.com:3333 --user wallet --password-stdin)");
  auto* const listing = group.add("list", "all accounts, or some", list);
  listing->add_option("--pool", given.pool, "those that mine there")->type_name("HOST:PORT");
  listing->add_option("--algorithm", given.algorithm, "those that mine it")->type_name("NAME");
  listing->add_option("--search", given.search, "those whose name, or login at a pool, begins so")->type_name("TEXT");
  group.add("show", "one account", show)->add_option("NAME", given.name, "the account")->required();
  group.add("remove", "remove an account: its workers are let go, its totals stay", remove)
      ->add_option("NAME", given.name, "the account")
      ->required();
}

}  // namespace stratumproxyd
