#pragma once

#include <filesystem>
#include <string>

namespace stratumproxyd {

/// The right to a tag in an SQLite database: a lock on one byte of `<database>-tags`, a file that stays empty. It ends with this
/// object or its process.
class file_lock {
 public:
  /// Throws tag_taken when another has it, store_unavailable when the file cannot be used.
  file_lock(const std::filesystem::path& database, const std::string& tag);
  ~file_lock();
  file_lock(const file_lock&) = delete;
  file_lock& operator=(const file_lock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace stratumproxyd
