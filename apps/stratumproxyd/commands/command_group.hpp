#pragma once

#include <CLI/CLI.hpp>

#include <memory>

#include "commands/commands.hpp"

namespace stratumproxyd {

/// Commands of one kind, such as "user add" and "user list", whose options are members of one `Options`, `json` among them.
template <class Options>
class command_group {
 public:
  command_group(CLI::App& app, chosen_command& chosen, const char* name, const char* text)
      : group_(app.add_subcommand(name, text)), chosen_(chosen) {
    group_->group("Commands")->require_subcommand(1);
  }

  /// One of them, which does `what`.
  CLI::App* add(const char* name, const char* text, int (*what)(const config&, const Options&)) {
    auto* const made = group_->add_subcommand(name, text);
    made->group("Commands")->add_flag("--json", given_->json, "for programs");
    made->callback([given = given_, what, &chosen = chosen_] {
      chosen = [given, what](const config& settings) { return what(settings, *given); };
    });
    return made;
  }

  /// Filled while the command line is read; it lives as long as the commands.
  [[nodiscard]] Options& given() const { return *given_; }

 private:
  CLI::App* group_;
  chosen_command& chosen_;
  std::shared_ptr<Options> given_ = std::make_shared<Options>();
};

}  // namespace stratumproxyd
