#include "command_line.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <stratumproxy/proxy.hpp>

#include "commands/commands.hpp"
#include "config_keys.hpp"
#include "environment.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

constexpr std::size_t largest_config = 1'048'576;

/// The flags that stand for keys of the config file, as they are given.
struct given_flags {
  std::optional<std::string> file;
  std::vector<std::pair<std::string_view, std::optional<std::string>>> texts = {
      {"stratum.addr", {}},   {"web.addr", {}},  {"db.url", {}},     {"metrics.tag", {}},
      {"web.token_file", {}}, {"log.level", {}}, {"log.format", {}}, {"record.file", {}},
      {"tls.certificate", {}}, {"tls.key", {}},   {"web.certificate", {}}, {"web.key", {}},
  };
  std::optional<std::int64_t> threads;
  std::optional<double> drain_seconds;
  bool take_over = false;
  bool version = false;
};

void add_flags(CLI::App& app, given_flags& given) {
  const auto add = [&](const char* names, auto& to, const char* type, const char* group, const char* text) {
    app.add_option(names, to, text)->type_name(type)->group(group);
  };
  const char* const listening = "Where it listens";
  add("--stratum.addr", given.texts[0].second, "HOST:PORT", listening, "where miners connect (default 127.0.0.1:9332)");
  add("--web.addr", given.texts[1].second, "HOST:PORT", listening, "where HTTP is served (default 127.0.0.1:8080)");
  add("--web.token-file", given.texts[4].second, "FILE", listening, "file with the bearer token of the administrator");
  add("--tls.certificate", given.texts[8].second, "FILE", listening, "PEM file: certificate and chain for miners that speak TLS");
  add("--tls.key", given.texts[9].second, "FILE", listening, "PEM file: its private key");
  add("--web.certificate", given.texts[10].second, "FILE", listening, "PEM file: certificate and chain for HTTPS");
  add("--web.key", given.texts[11].second, "FILE", listening, "PEM file: its private key");
  const char* const data = "What it keeps";
  add("--db,--db.url", given.texts[2].second, "URL", data, "sqlite:PATH or postgresql://... (default sqlite:stratumproxy.db)");
  add("--record,--record.file", given.texts[7].second, "FILE", data, "file for the lines of all conversations, secrets masked");
  const char* const telling = "What it tells";
  add("--metrics.tag", given.texts[3].second, "TEXT", telling,
      "label \"proxy\" of every metric (default: the bound stratum address)");
  add("--log.level", given.texts[5].second, "debug|info|warning|error", telling,
      "least important events in the log (default info)");
  add("--log.format", given.texts[6].second, "text|json", telling, "form of the log (default text)");
  const char* const upgrade = "Upgrade";
  app.add_flag("--takeover", given.take_over,
               "take the place of the daemon that runs with this configuration, if one does (see [handover]); nobody is refused")
      ->group(upgrade);
  add("--drain-seconds,--handover.drain_seconds", given.drain_seconds, "SECONDS", upgrade,
      "when another one takes this one's place, the workers may stay so long (default 300)");
  const char* const general = "General";
  add("--config", given.file, "FILE", general, "TOML file; every option has a key there, and flags win");
  add("--threads,--stratum.threads", given.threads, "COUNT", general, "shards; 0: one for each core (default 0)");
  app.add_flag("--version", given.version, "print the version and exit")->group(general);
  app.get_help_ptr()->group(general)->description("print this help and exit; COMMAND --help: that of a command");
}

// The command that was given, as far as its words are known.
const CLI::App& given_command(const CLI::App& app) {
  const auto* of = &app;
  while (!of->get_subcommands().empty()) of = of->get_subcommands().front();
  return *of;
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* each : app.get_subcommands({})) names.push_back(each->get_name());
  return names;
}

// A word that is none of ours is not repeated: it may be a secret that went astray, also one that stands right behind a letter.
[[noreturn]] void refuse_extra(const CLI::App& app, const std::string& word) {
  if (word.starts_with('-'))
    throw config_error(fmt::format("unknown option {}; see --help",
                                   printable(word.substr(0, word.starts_with("--") ? word.find('=') : 2))));
  const auto names = commands_of(given_command(app));
  const std::vector<std::string_view> known(names.begin(), names.end());
  if (const auto meant = nearest_name(word, known); !meant.empty())
    throw config_error(fmt::format("unknown command; did you mean {}?", meant));
  throw config_error("unknown argument; see --help");
}

// One empty line between groups, where CLI11 has two.
std::string without_gaps(const std::string& help) {
  std::string out;
  for (const char c : help)
    if (c != '\n' || !out.ends_with("\n\n")) out += c;
  return out;
}

void require(const std::string& expected, std::string_view flag) {
  if (!expected.empty()) throw config_error(fmt::format("{} must be {}", flag, expected));
}

config settings_of(const given_flags& given) {
  config out;
  if (given.file) {
    if (given.file->empty()) throw config_error("--config needs a file name");
    apply_toml(out, read_regular_file(*given.file, largest_config, "config file"), printable(*given.file));
    out.file.path = *given.file;
  }
  apply_environment(out, environ);
  const auto set = [&](std::string_view name, const config_value& value) {
    require(std::ranges::find(config_keys(), name, &config_key::name)->set(out, value), "--" + std::string(name));
  };
  for (const auto& [name, value] : given.texts)
    if (value) set(name, *value);
  if (given.threads) set("stratum.threads", *given.threads);
  if (given.drain_seconds) set("handover.drain_seconds", *given.drain_seconds);
  out.handover.take_over = given.take_over;
  if (const auto wrong = contradiction(out); !wrong.empty()) throw config_error(wrong);
  return out;
}

}  // namespace

command_line parse_command_line(int argc, const char* const* argv) {
  CLI::App app{"Stratum mining proxy: one port for miners of any algorithm; the account they log in with decides the pool.",
               "stratumproxyd"};
  given_flags given;
  command_line out;
  add_flags(app, given);
  add_commands(app, out.command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    out.what = command_line::action::print;
    out.text = without_gaps(app.help());
    return out;
  } catch (const CLI::ParseError& error) {
    // What is missing may be there, but mistyped.
    if (const auto extra = app.remaining(true); !extra.empty()) refuse_extra(app, extra.front());
    const auto& of = given_command(app);
    if (const auto names = commands_of(of); &of != &app && !names.empty())
      throw config_error(fmt::format("{} needs one of {}; see {} --help", of.get_name(), fmt::join(names, ", "), of.get_name()));
    throw config_error(fmt::format("{}; see --help", printable(error.what())));
  }
  if (given.version) {
    out.what = command_line::action::print;
    out.text = fmt::format("stratumproxyd {}\n", stratumproxy::version());
    return out;
  }
  if (out.command) out.what = command_line::action::command;
  out.settings = settings_of(given);
  return out;
}

}  // namespace stratumproxyd
