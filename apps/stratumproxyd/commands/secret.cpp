#include "commands/secret.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <stdexcept>

#include "commands/keyboard.hpp"
#include "config.hpp"

namespace stratumproxyd {
namespace {

constexpr std::size_t longest_secret = 4'096;

std::string first_line_of_stdin() {
  std::string line;
  for (char c = 0; line.size() < longest_secret && std::cin.get(c) && c != '\n';) line += c;
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::string ask(const char* prompt) {
  std::cerr << prompt << ": " << std::flush;
  std::string out;
  keyboard keys;
  const auto give_up = [] {
    std::cerr << std::endl;
    throw std::runtime_error("given up: nothing was done");
  };
  for (;;) {
    switch (keys.wait(std::nullopt)) {
      case keyboard::happening::late:
      case keyboard::happening::resized: continue;
      case keyboard::happening::closed:
      case keyboard::happening::ended: give_up(); break;
      case keyboard::happening::key: break;
    }
    const char c = keys.key();
    if (c == keyboard::ctrl_c || (c == keyboard::ctrl_d && out.empty())) give_up();
    if (c == '\n' || c == '\r' || c == keyboard::ctrl_d) break;
    if (c == 0x7f || c == '\b') {
      // One character, however many bytes it has.
      while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) out.pop_back();
      if (!out.empty()) out.pop_back();
    } else if (out.size() < longest_secret) {
      out += c;
    }
  }
  std::cerr << std::endl;
  return out;
}

}  // namespace

std::string read_secret(const secret_sources& sources) {
  if (sources.given) return *sources.given;
  if (sources.from_stdin) return first_line_of_stdin();
  if (const char* const value = sources.variable ? std::getenv(sources.variable) : nullptr) return value;
  if (sources.prompt && ::isatty(STDIN_FILENO) == 1) return ask(sources.prompt);
  throw std::runtime_error(
      fmt::format("no password: there is no terminal to ask on; use --password-stdin or set {}", sources.variable));
}

std::string read_text(const std::string& file, std::size_t limit, const char* what) {
  if (file != "-") return read_regular_file(file, limit, what);
  std::string text;
  for (char c = 0; std::cin.get(c);) {
    text += c;
    if (text.size() > limit) throw std::runtime_error(fmt::format("the {} is larger than {} bytes", what, limit));
  }
  return text;
}

}  // namespace stratumproxyd
