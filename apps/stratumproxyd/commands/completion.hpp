#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace stratumproxyd {

/// A command and what may follow it, as shells complete it.
struct completion_node {
  struct option {
    std::vector<std::string> names;  ///< "--db"
    std::string text;                ///< for people
    std::vector<std::string> words;  ///< the values, where they are few
    bool takes_value = false;
    bool takes_file = false;
  };
  struct command {
    std::string name, text;
  };
  std::string path;  ///< "", "user", "user add"
  std::vector<command> commands;
  std::vector<option> options;     ///< its own
  std::vector<std::string> words;  ///< what stands after it, where that is one of a few
  bool takes_file = false;
};

/// The program first, then its commands in the order of a walk through the tree.
[[nodiscard]] std::vector<completion_node> completion_tree(const CLI::App& app);

[[nodiscard]] std::string bash_completion(const std::vector<completion_node>& nodes);
[[nodiscard]] std::string zsh_completion(const std::vector<completion_node>& nodes);
[[nodiscard]] std::string fish_completion(const std::vector<completion_node>& nodes);

}  // namespace stratumproxyd
