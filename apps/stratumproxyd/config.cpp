#include "config.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "config_keys.hpp"

namespace stratumproxyd {
namespace {

std::optional<config_value> plain_value(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return config_value(flag->get());
  if (const auto* whole = node.as_integer()) return config_value(whole->get());
  if (const auto* fraction = node.as_floating_point()) return config_value(fraction->get());
  if (const auto* text = node.as_string()) return config_value(text->get());
  if (const auto* array = node.as_array()) {
    std::vector<std::string> texts;
    for (const auto& element : *array) {
      if (!element.is_string()) return std::nullopt;
      texts.push_back(element.as_string()->get());
    }
    return config_value(std::move(texts));
  }
  if (const auto* table = node.as_table()) {
    std::map<std::string, std::int64_t> numbers;
    for (const auto& [key, element] : *table) {
      if (!element.is_integer()) return std::nullopt;
      numbers.emplace(key.str(), element.as_integer()->get());
    }
    return config_value(std::move(numbers));
  }
  return std::nullopt;
}

[[noreturn]] void refuse(const std::string& file, toml::source_index line, const std::string& why) {
  throw config_error(fmt::format("{}:{}: {}", file, line, why));
}

// The names of a section's keys, without its own.
std::vector<std::string_view> keys_of(std::string_view section) {
  std::vector<std::string_view> known;
  for (const auto& key : config_keys())
    if (key.name.size() > section.size() && key.name.starts_with(section) && key.name[section.size()] == '.')
      known.push_back(key.name.substr(section.size() + 1));
  return known;
}

void apply_section(config& settings, const std::string& file, std::string_view section, const toml::table& table) {
  auto known = keys_of(section);
  std::erase_if(known, [](std::string_view name) { return name.find('.') != std::string_view::npos; });

  for (const auto& [key, node] : table) {
    const auto name = fmt::format("{}.{}", section, key.str());
    const auto line = key.source().begin.line;
    const auto found = std::ranges::find(config_keys(), name, &config_key::name);
    if (found == config_keys().end()) {
      const auto meant = nearest_name(key.str(), known);
      refuse(file, line, fmt::format("unknown key {}{}", printable(name),
                                     meant.empty() ? "" : fmt::format("; did you mean {}?", meant)));
    }
    if (!keys_of(name).empty()) {  // a section of its own, of which there may be several
      const auto* entries = node.as_array();
      if (!entries || !entries->is_homogeneous(toml::node_type::table)) refuse(file, line, fmt::format("{0} must be written [[{0}]]", name));
      for (const auto& entry : *entries) {
        found->set(settings, true);
        apply_section(settings, file, name, *entry.as_table());
      }
      continue;
    }
    const auto value = plain_value(node);
    // An empty value is one that no key accepts: it makes each say what it wants.
    const auto expected = found->set(settings, value ? *value : config_value(std::map<std::string, std::int64_t>{{"", 0}}));
    if (!expected.empty()) refuse(file, line, fmt::format("{} must be {}", name, expected));
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 200)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out;
}

std::string read_regular_file(const std::filesystem::path& path, std::size_t limit, std::string_view what) {
  const auto fail = [&](std::string_view why) -> config_error {
    return config_error(fmt::format("cannot read the {} {}: {}", what, printable(path.string()), why));
  };
  // O_NONBLOCK, so that opening a FIFO returns and can be refused.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) throw fail(std::strerror(errno));
  struct closer {
    int fd;
    ~closer() { ::close(fd); }
  } guard{fd};

  struct stat info {};
  if (::fstat(fd, &info) != 0) throw fail(std::strerror(errno));
  if (!S_ISREG(info.st_mode)) throw fail("it is not a regular file");
  std::string text;
  char buffer[4096];
  for (;;) {
    const auto count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw fail(std::strerror(errno));
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > limit) throw fail(fmt::format("it is larger than {} bytes", limit));
  }
}

void apply_toml(config& settings, std::string_view text, const std::string& name) {
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    const auto where = error.source().begin;
    throw config_error(fmt::format("{}:{}:{}: {}", name, where.line, where.column, printable(error.description())));
  }

  std::vector<std::string_view> sections;
  for (const auto& key : config_keys()) {
    const auto section = key.name.substr(0, key.name.find('.'));
    if (std::ranges::find(sections, section) == sections.end()) sections.push_back(section);
  }
  for (const auto& [key, node] : root) {
    const auto line = key.source().begin.line;
    if (std::ranges::find(sections, key.str()) == sections.end()) {
      const auto meant = nearest_name(key.str(), sections);
      refuse(name, line, fmt::format("unknown section {}{}", printable(key.str()),
                                     meant.empty() ? "" : fmt::format("; did you mean [{}]?", meant)));
    }
    const auto* table = node.as_table();
    if (!table) refuse(name, line, fmt::format("{} must be a section: [{}]", key.str(), key.str()));
    apply_section(settings, name, key.str(), *table);
  }
  if (const auto wrong = contradiction(settings); !wrong.empty()) throw config_error(name + ": " + wrong);
}

std::filesystem::path migrations_directory(const database_config& settings) {
  if (!settings.migrations.empty()) return settings.migrations;
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto installed = program.parent_path().parent_path() / "share" / "stratumproxy" / "migrations";
  return std::filesystem::is_directory(installed, ignored) ? installed : std::filesystem::path(SPX_MIGRATIONS_DIR);
}

}  // namespace stratumproxyd
