#include "commands/completion.hpp"

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>
#include <string>

#include "commands/commands.hpp"
#include "commands/outcome.hpp"

namespace stratumproxyd {

void add_completion_command(CLI::App& app, chosen_command& chosen) {
  auto* const command = app.add_subcommand("completion", "print a script that completes commands and options in a shell");
  const auto shell = std::make_shared<std::string>();
  command->group("Commands");
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->type_name("bash|zsh|fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""));
  command->footer(
      "\nExamples:\n"
      "  stratumproxyd completion bash > /usr/share/bash-completion/completions/stratumproxyd\n"
      "  stratumproxyd completion zsh > /usr/share/zsh/vendor-completions/_stratumproxyd\n"
      "  stratumproxyd completion fish > /usr/share/fish/vendor_completions.d/stratumproxyd.fish");
  command->callback([&app, shell, &chosen] {
    const auto nodes = completion_tree(app);
    chosen = [text = *shell == "bash"  ? bash_completion(nodes)
                     : *shell == "zsh" ? zsh_completion(nodes)
                                       : fish_completion(nodes)](const config&) {
      std::cout << text;
      return command_done;
    };
  });
}

}  // namespace stratumproxyd
