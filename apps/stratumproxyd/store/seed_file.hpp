#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace stratumproxyd {

/// What the database of the Go program holds that this one succeeds: an SQLite file with the tables hashes, pools and users.
struct seed_file {
  struct hash {
    std::int64_t id = 0;
    std::string name;
    double divider = 0;
  };
  struct pool {
    std::int64_t id = 0;
    std::string host;
    std::int64_t port = 0;
    std::int64_t hash = 0;
  };
  struct user {
    std::string name;
    std::int64_t pool = 0;
    std::string user, password;
  };
  std::vector<hash> hashes;  ///< in the order of their ids, and so are the others
  std::vector<pool> pools;
  std::vector<user> users;
};

/// Reads all of it as it is at one moment; that program may run meanwhile. Nothing is written. Throws std::runtime_error with one line
/// when the file is not such a database, is damaged, or cannot be read.
[[nodiscard]] seed_file read_seed_file(const std::filesystem::path& file);

}  // namespace stratumproxyd
