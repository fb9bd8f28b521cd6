#include <unistd.h>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands/commands.hpp"
#include "commands/daemon_client.hpp"
#include "commands/keyboard.hpp"
#include "commands/outcome.hpp"
#include "commands/screen.hpp"
#include "commands/status_view.hpp"
#include "commands/text_table.hpp"

namespace stratumproxyd {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds redraw_every{1};
constexpr std::size_t workers_shown = 20;
// More than fit on any screen; a farm of thousands is not asked for all of them each second.
constexpr const char* workers_path = "/api/v1/workers?limit=1000";

struct status_options {
  std::string url;
  bool json = false, watch = false;
};

bool is_ready(const json_object& status) {
  const auto found = status.find("ready");
  const auto* ready = found == status.end() ? nullptr : std::get_if<bool>(&found->second);
  return ready && *ready;
}

status_answers ask(daemon_client& daemon) {
  return {daemon.get_object("/api/v1/status"), daemon.get_object("/api/v1/links?limit=10000"), daemon.get_object(workers_path)};
}

std::vector<std::string> frame(daemon_client& daemon, std::size_t rows) try {
  const auto answers = ask(daemon);
  auto lines = status_lines(answers, daemon.url(), 0);
  constexpr std::size_t around = 3;  // an empty line, the heading, "and more"
  if (lines.size() + around >= rows) return lines;
  return status_lines(answers, daemon.url(), rows - lines.size() - around);
} catch (const std::runtime_error& why) {
  return {visible(why.what())};  // it may come back
}

void print(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text.append(line).append("\n");
  std::cout << text << std::flush;
}

int watch(daemon_client& daemon) {
  const bool on_terminal = ::isatty(STDOUT_FILENO) == 1;
  (void)ask(daemon);  // what is wrong from the start ends it; what comes later is shown
  keyboard keys(on_terminal);
  std::optional<screen> drawn;
  if (on_terminal) drawn.emplace();
  auto next = std::chrono::steady_clock::now();
  for (bool is_first = true;; is_first = false) {
    auto lines = frame(daemon, on_terminal ? screen::dimensions().rows - 1 : workers_shown + 1'000);
    const auto now = fmt::format("{:%H:%M:%S}", fmt::localtime(std::time(nullptr)));
    if (drawn) {
      const auto rows = screen::dimensions().rows;
      lines.resize(std::max<std::size_t>(rows, 1) - 1);
      lines.push_back(now + (keys.has_keys() ? "   q quits" : ""));
      if (!drawn->draw(lines)) return command_unusable;
    } else {
      if (!is_first) std::cout << '\n';
      lines.insert(lines.begin(), now);
      print(lines);
      if (!std::cout) return command_unusable;
    }
    next = std::max(next + redraw_every, std::chrono::steady_clock::now());
    for (bool is_due = false; !is_due;) {
      const auto left = std::chrono::ceil<milliseconds>(next - std::chrono::steady_clock::now());
      switch (keys.wait(std::max(left, milliseconds(0)))) {
        case keyboard::happening::late: is_due = true; break;
        case keyboard::happening::resized: is_due = true; break;
        case keyboard::happening::closed:
        case keyboard::happening::ended: return command_done;
        case keyboard::happening::key:
          if (keys.key() == 'q' || keys.key() == 'Q' || keys.key() == keyboard::ctrl_c) return command_done;
      }
    }
  }
}

int show(const config& settings, const status_options& given) {
  daemon_client daemon(settings, given.url);
  if (given.watch) return watch(daemon);
  if (given.json) {
    const auto text = daemon.get("/api/v1/status");
    std::cout << text << '\n';
    const auto parsed = parse_json_object(text);
    const auto* status = std::get_if<json_object>(&parsed);
    return status && is_ready(*status) ? command_done : command_was_refused;
  }
  const auto answers = ask(daemon);
  print(status_lines(answers, daemon.url(), workers_shown));
  return is_ready(answers.status) ? command_done : command_was_refused;
}

}  // namespace

void add_status_command(CLI::App& app, chosen_command& chosen) {
  auto* const command = app.add_subcommand("status", "ask a daemon that runs how it is");
  const auto given = std::make_shared<status_options>();
  command->group("Commands");
  command->add_option("--url", given->url, "where it answers (default: web.addr)")->type_name("URL");
  auto* const json = command->add_flag("--json", given->json, "for programs: the answer of GET /api/v1/status");
  command->add_flag("--watch", given->watch, "draw it anew every second, until q or Ctrl-C")->excludes(json);
  command->footer(
      "The token is that of the configuration, or of the variable STRATUMPROXY_TOKEN. A read-only one will do.\n"
      "Exit codes: 0 it is ready; 1 it is not, or refuses to say; 2 no daemon answers.\n"
      "\nExamples:\n"
      "  stratumproxyd status --config /etc/stratumproxy/stratumproxy.toml\n"
      "  stratumproxyd status --watch --web.addr 127.0.0.1:8080");
  command->callback([given, &chosen] { chosen = [given](const config& settings) { return show(settings, *given); }; });
}

}  // namespace stratumproxyd
