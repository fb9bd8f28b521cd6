// docs/configuration.md and docs/stratumproxy.example.toml say what the table of keys says.
#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "config.hpp"
#include "config_keys.hpp"

namespace {

using namespace stratumproxyd;

std::string document(const std::string& name) {
  std::ifstream file(std::string(SPX_TEST_SOURCE_DIR) + "/../docs/" + name);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  REQUIRE_FALSE(text.empty());
  return text;
}

std::string section_of(const config_key& key) { return std::string(key.name.substr(0, key.name.find('.'))); }
std::string name_of(const config_key& key) { return std::string(key.name.substr(key.name.find('.') + 1)); }

// The cells of the key's row: default and meaning.
std::vector<std::string> row_of(const std::string& page, const config_key& key) {
  const auto section = page.find("\n## `[" + section_of(key) + "]`");
  REQUIRE(section != std::string::npos);
  const auto row = page.find("\n| `" + name_of(key) + "` | ", section);
  REQUIRE(row < page.find("\n## ", section + 1));
  std::istringstream line(page.substr(row + 1, page.find('\n', row + 1) - row));
  std::vector<std::string> cells;
  for (std::string cell; std::getline(line, cell, '|');) cells.push_back(cell);
  REQUIRE(cells.size() >= 4);
  return {cells[2], cells[3]};
}

config from(const std::string& toml) {
  config settings;
  apply_toml(settings, toml, "x.toml");
  return settings;
}

}  // namespace

TEST_CASE("every key is described, with its default and whether it needs a restart") {
  const auto page = document("configuration.md");
  for (const auto& key : config_keys()) {
    CAPTURE(key.name);
    const auto row = row_of(page, key);
    CHECK(row[1].starts_with(" *restart*: ") != key.is_live);
    if (key.is_repeated) continue;
    const auto is = key.get(config{});
    if (!row[0].starts_with(" `")) {  // in words: nothing, or a power of two
      CHECK((is == config_value(std::string()) || key.name == "vardiff.minimum" || key.name == "vardiff.maximum"));
      continue;
    }
    const auto text = row[0].substr(2, row[0].rfind('`') - 2);
    CHECK(key.get(from("[" + section_of(key) + "]\n" + name_of(key) + " = " + text + "\n")) == is);
  }
}

TEST_CASE("the page describes no key that does not exist") {
  const auto page = document("configuration.md");
  std::istringstream lines(page);
  std::string section;
  const std::regex heading("## `\\[([a-z]+)\\]`.*"), row("\\| `([a-z0-9_.]+)` \\| .*");
  std::smatch match;
  unsigned rows = 0;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, match, heading)) section = match[1];
    else if (line.starts_with("## ")) section.clear();
    else if (!section.empty() && std::regex_match(line, match, row)) {
      const auto name = section + "." + match[1].str();
      CAPTURE(name);
      CHECK(std::ranges::find(config_keys(), name, &config_key::name) != config_keys().end());
      ++rows;
    }
  }
  CHECK(rows == config_keys().size());
}

TEST_CASE("the example loads as it is and changes nothing") {
  const auto change = change_of(config{}, from(document("stratumproxy.example.toml")));
  CHECK(change.taken.empty());
  CHECK(change.needs_restart.empty());
}

TEST_CASE("the example has every key, once, at its default") {
  std::istringstream lines(document("stratumproxy.example.toml"));
  std::string all, section;
  std::vector<std::string> names;
  const std::regex heading("\\[([a-z]+)\\]"), setting("#([a-z0-9_]+) = .*");
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, match, heading)) section = match[1];
    if (std::regex_match(line, match, setting)) {
      names.push_back(section + "." + match[1].str());
      line.erase(0, 1);
    }
    all += line + "\n";
  }
  std::vector<std::string> known;
  for (const auto& key : config_keys()) {
    CAPTURE(key.name);
    if (!key.is_repeated) known.emplace_back(key.name);
    else CHECK((all.find("#   [[" + std::string(key.name) + "]]\n") != std::string::npos ||
                all.find("#   " + std::string(key.name.substr(key.name.rfind('.') + 1)) + " = ") != std::string::npos));
  }
  std::ranges::sort(known);
  std::ranges::sort(names);
  CHECK(names == known);
  const auto change = change_of(config{}, from(all));
  CHECK(change.taken.empty());
  CHECK(change.needs_restart.empty());
}
