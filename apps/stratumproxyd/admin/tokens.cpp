#include "admin/tokens.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <array>
#include <cerrno>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace stratumproxyd {
namespace {

// Scanners for secrets that were committed or posted find them by it.
constexpr std::string_view token_prefix = "spx_";
constexpr std::size_t token_bytes = 32;
// As many printable characters hold 128 bits when they are random, and no dictionary has them.
constexpr std::size_t shortest_safe_token = 32;

std::string hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const auto byte : bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

}  // namespace

std::string random_token() {
  std::array<unsigned char, token_bytes> bytes;
  ssize_t got = 0;
  do got = ::getrandom(bytes.data(), bytes.size(), 0);
  while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(bytes.size()))
    throw std::system_error(errno, std::generic_category(), "the system's random source");
  return std::string(token_prefix) + hex(bytes);
}

std::string token_hash(std::string_view token) {
  std::array<unsigned char, 32> digest;
  unsigned size = 0;
  if (::EVP_Digest(token.data(), token.size(), digest.data(), &size, ::EVP_sha256(), nullptr) != 1 || size != digest.size())
    throw std::runtime_error("SHA-256 cannot be computed");
  return hex(digest);
}

bool known_tokens::set_file_token(const std::string& token) {
  std::optional<entry> fresh;
  if (!token.empty())
    fresh = {token_hash(token), {std::string(file_token_name), token_role::admin, token.size() < shortest_safe_token}};
  const std::lock_guard lock(mutex_);
  const auto before = std::exchange(file_, std::move(fresh));
  return (before ? before->hash : std::string()) != (file_ ? file_->hash : std::string());
}

void known_tokens::replace(const std::vector<token_row>& rows, std::uint64_t generation) {
  std::vector<entry> fresh;
  for (const auto& row : rows) fresh.push_back({row.hash, {row.name, row.role}});
  const std::lock_guard lock(mutex_);
  had_rows_ |= !fresh.empty();
  if (generation == generation_) rows_ = std::move(fresh);
}

std::uint64_t known_tokens::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

void known_tokens::add(const token_row& row) {
  const std::lock_guard lock(mutex_);
  std::erase_if(rows_, [&](const entry& each) { return each.bearer.name == row.name; });
  rows_.push_back({row.hash, {row.name, row.role}});
  had_rows_ = true;
  ++generation_;
}

void known_tokens::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::erase_if(rows_, [&](const entry& row) { return row.bearer.name == name; });
  used_.erase(name);
  ++generation_;
}

std::optional<token_bearer> known_tokens::find(std::string_view token) {
  const auto hash = token_hash(token);
  const std::lock_guard lock(mutex_);
  const auto is_this = [&](const entry& each) {
    return each.hash.size() == hash.size() && ::CRYPTO_memcmp(each.hash.data(), hash.data(), hash.size()) == 0;
  };
  std::optional<token_bearer> found;
  if (file_ && is_this(*file_)) found = file_->bearer;
  for (const auto& row : rows_) {
    if (!is_this(row) || found) continue;
    found = row.bearer;
    used_.insert(row.bearer.name);
  }
  return found;
}

bool known_tokens::has_file_token() const {
  const std::lock_guard lock(mutex_);
  return file_.has_value();
}

bool known_tokens::had_rows() const {
  const std::lock_guard lock(mutex_);
  return had_rows_;
}

std::vector<std::string> known_tokens::take_used() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names(used_.begin(), used_.end());
  used_.clear();
  return names;
}

void known_tokens::used_again(const std::vector<std::string>& names) {
  const std::lock_guard lock(mutex_);
  used_.insert(names.begin(), names.end());
}

}  // namespace stratumproxyd
