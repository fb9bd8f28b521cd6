#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "commands/completion.hpp"

// Each script first walks the words to find the command they name, skipping the values of options, then offers what may follow. An
// option means the same wherever it stands, so that its values are found by its name alone.

namespace stratumproxyd {
namespace {

using option = completion_node::option;
using texts = std::vector<std::string>;

std::string joined(const texts& words, std::string_view between = " ") { return fmt::format("{}", fmt::join(words, between)); }

// In single quotes of a shell.
std::string quoted(const std::string& text, std::string_view quote) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += quote;
    else
      out += c;
  }
  return out + "'";
}

std::string path_below(const completion_node& node, const completion_node::command& command) {
  return node.path.empty() ? command.name : node.path + ' ' + command.name;
}

/// Options that take a value, each once, by their names.
std::map<texts, const option*> options_with_values(const std::vector<completion_node>& nodes) {
  std::map<texts, const option*> out;
  for (const auto& node : nodes)
    for (const auto& each : node.options)
      if (each.takes_value) out.emplace(each.names, &each);
  return out;
}

std::string all_with_values(const std::vector<completion_node>& nodes) {
  texts all;
  for (const auto& [names, ignored] : options_with_values(nodes)) all.insert(all.end(), names.begin(), names.end());
  return joined(all, " | ");
}

/// What may follow a command, as "word" or as "word:text".
texts offers(const std::vector<completion_node>& nodes, const completion_node& node, const auto& form) {
  texts out;
  for (const auto& word : node.words) out.push_back(form(word, ""));
  for (const auto& each : node.commands) out.push_back(form(each.name, each.text));
  for (const auto* from : {&node, &nodes.front()}) {
    for (const auto& each : from->options)
      for (const auto& name : each.names)
        if (const auto offer = form(name, each.text); std::ranges::find(out, offer) == out.end()) out.push_back(offer);
    if (node.path.empty()) break;
  }
  return out;
}

}  // namespace

std::string bash_completion(const std::vector<completion_node>& nodes) {
  std::string out = fmt::format(
      "# bash completion of stratumproxyd, made by `stratumproxyd completion bash`.\n"
      "_stratumproxyd() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} path='' offered='' files='' i\n"
      "  # --option=value is three words here.\n"
      "  if [[ $current == = ]]; then current=''; elif [[ $previous == = ]]; then previous=${{COMP_WORDS[COMP_CWORD - 2]}}; fi\n"
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    case \"$path/${{COMP_WORDS[i]}}\" in\n");
  for (const auto& node : nodes)
    for (const auto& each : node.commands)
      out += fmt::format("      '{}/{}') path='{}' ;;\n", node.path, each.name, path_below(node, each));
  out += fmt::format("      *) case ${{COMP_WORDS[i]}} in {}) [[ ${{COMP_WORDS[++i]}} == = ]] && ((++i)) ;; esac ;;\n    esac\n  done\n  case $previous in\n",
                     all_with_values(nodes));
  for (const auto& [names, each] : options_with_values(nodes))
    out += fmt::format("    {}) {} ;;\n", joined(names, " | "),
                       each->takes_file      ? "files=1"
                       : each->words.empty() ? "return"
                                             : fmt::format("offered='{}'", joined(each->words)));
  out += "    *)\n      case $path in\n";
  for (const auto& node : nodes)
    out += fmt::format("        '{}') offered='{}'{} ;;\n", node.path,
                       joined(offers(nodes, node, [](const auto& word, const auto&) { return word; })),
                       node.takes_file ? " files=1" : "");
  out +=
      "      esac\n"
      "      ;;\n"
      "  esac\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$offered\" -- \"$current\")\n"
      "  if [[ $files ]]; then\n"
      "    compopt -o filenames 2>/dev/null\n"
      "    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$current\")\n"
      "  fi\n"
      "}\n"
      "complete -F _stratumproxyd stratumproxyd\n";
  return out;
}

std::string zsh_completion(const std::vector<completion_node>& nodes) {
  constexpr std::string_view quote = "'\\''";
  const auto form = [&](const std::string& word, const std::string& text) {
    std::string described;
    for (const char c : word + (text.empty() ? "" : "\x1f" + text)) {
      if (c == ':')
        described += "\\:";
      else if (c == '\x1f')
        described += ':';
      else
        described += c;
    }
    return quoted(described, quote);
  };
  std::string out =
      "#compdef stratumproxyd\n"
      "# zsh completion of stratumproxyd, made by `stratumproxyd completion zsh`.\n"
      "_stratumproxyd() {\n"
      "  local at='' files='' i\n"
      "  local -a offered\n"
      "  for ((i = 2; i < CURRENT; ++i)); do\n"
      "    case \"$at/${words[i]}\" in\n";
  for (const auto& node : nodes)
    for (const auto& each : node.commands)
      out += fmt::format("      '{}/{}') at='{}' ;;\n", node.path, each.name, path_below(node, each));
  out += fmt::format(
      "      *) case ${{words[i]}} in ({}) ((++i)) ;; esac ;;\n    esac\n  done\n  case ${{words[CURRENT - 1]}} in\n",
      all_with_values(nodes));
  for (const auto& [names, each] : options_with_values(nodes)) {
    texts words;
    for (const auto& word : each->words) words.push_back(form(word, ""));
    out += fmt::format("    ({}) {} ;;\n", joined(names, " | "),
                       each->takes_file ? "files=1"
                       : words.empty()  ? "return"
                                        : fmt::format("offered=({})", joined(words)));
  }
  out += "    (*)\n      case $at in\n";
  for (const auto& node : nodes)
    out += fmt::format("        ('{}')\n          offered=(\n            {}\n          ){} ;;\n", node.path,
                       joined(offers(nodes, node, form), "\n            "), node.takes_file ? " files=1" : "");
  out +=
      "      esac\n"
      "      ;;\n"
      "  esac\n"
      "  ((${#offered})) && _describe stratumproxyd offered\n"
      "  [[ -n $files ]] && _files\n"
      "  return 0\n"
      "}\n"
      "if [[ $funcstack[1] == _stratumproxyd ]]; then _stratumproxyd \"$@\"; else compdef _stratumproxyd stratumproxyd; fi\n";
  return out;
}

std::string fish_completion(const std::vector<completion_node>& nodes) {
  constexpr std::string_view quote = "\\'";
  std::string out =
      "# fish completion of stratumproxyd, made by `stratumproxyd completion fish`.\n"
      "function __stratumproxyd_at\n"
      "  set -l path ''\n"
      "  set -l skip 0\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    if test $skip = 1\n"
      "      set skip 0\n"
      "      continue\n"
      "    end\n"
      "    switch \"$path/$word\"\n";
  for (const auto& node : nodes)
    for (const auto& each : node.commands)
      out += fmt::format("      case '{}/{}'\n        set path '{}'\n", node.path, each.name, path_below(node, each));
  texts values;
  for (const auto& [names, ignored] : options_with_values(nodes)) values.insert(values.end(), names.begin(), names.end());
  out += fmt::format(
      "      case '*'\n        contains -- $word {}; and set skip 1\n    end\n  end\n  test \"$path\" = \"$argv[1]\"\nend\n"
      "complete -c stratumproxyd -f\n",
      joined(values));
  for (const auto& node : nodes) {
    const auto here = node.path.empty() ? "" : fmt::format(" -n \"__stratumproxyd_at '{}'\"", node.path);
    const auto commands_here = fmt::format(" -n \"__stratumproxyd_at '{}'\"", node.path);
    for (const auto& each : node.commands)
      out += fmt::format("complete -c stratumproxyd{} -a {} -d {}\n", commands_here, each.name, quoted(each.text, quote));
    if (!node.words.empty()) out += fmt::format("complete -c stratumproxyd{} -a '{}'\n", commands_here, joined(node.words));
    if (node.takes_file) out += fmt::format("complete -c stratumproxyd{} -F\n", commands_here);
    for (const auto& each : node.options)
      for (const auto& name : each.names) {
        out += fmt::format("complete -c stratumproxyd{} -l {} -d {}", here, name.substr(2), quoted(each.text, quote));
        if (each.takes_file)
          out += " -r -F";
        else if (!each.words.empty())
          out += fmt::format(" -x -a '{}'", joined(each.words));
        else if (each.takes_value)
          out += " -x";
        out += '\n';
      }
  }
  return out;
}

}  // namespace stratumproxyd
