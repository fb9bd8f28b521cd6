#include "commands/completion.hpp"

#include <CLI/CLI.hpp>

namespace stratumproxyd {
namespace {

// "text|json" stands for two words.
std::vector<std::string> words_in(const std::string& type) {
  if (type.find('|') == std::string::npos) return {};
  std::vector<std::string> words(1);
  for (const char c : type) {
    if (c == '|')
      words.emplace_back();
    else
      words.back() += c;
  }
  return words;
}

void add_node(const CLI::App& app, const std::string& path, std::vector<completion_node>& out) {
  const auto at = out.size();
  out.push_back({.path = path});
  for (const auto* option : app.get_options({})) {
    const auto type = option->get_type_name();
    if (!option->nonpositional()) {
      out[at].takes_file |= option->get_name(true, false) == "FILE";
      const auto words = words_in(type);
      out[at].words.insert(out[at].words.end(), words.begin(), words.end());
      continue;
    }
    completion_node::option known{.text = option->get_description(), .words = words_in(type)};
    for (const auto& name : option->get_lnames()) known.names.push_back("--" + name);
    known.takes_value = option->get_expected_max() > 0;
    known.takes_file = type == "FILE";
    out[at].options.push_back(std::move(known));
  }
  for (const auto* below : app.get_subcommands({})) out[at].commands.push_back({below->get_name(), below->get_description()});
  for (const auto* below : app.get_subcommands({}))
    add_node(*below, path.empty() ? below->get_name() : path + ' ' + below->get_name(), out);
}

}  // namespace

std::vector<completion_node> completion_tree(const CLI::App& app) {
  std::vector<completion_node> out;
  add_node(app, "", out);
  return out;
}

}  // namespace stratumproxyd
