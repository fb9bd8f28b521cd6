#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "recording.hpp"

namespace stratumload {

struct replay_options {
  std::string file;
  std::string proxy;                  ///< program to start between; empty: none
  unsigned proxy_threads = 1;
  std::string connect;                ///< HOST:PORT that the recorded miners connect to; empty: nobody plays them
  std::vector<std::string> listen;    ///< [RECORDED=]HOST:PORT, a recorded pool each; empty: nobody plays them
  std::vector<std::string> accounts;  ///< RECORDED=NAME
  std::string password;               ///< of the miners; empty: as recorded, which is "***"
  double speed = 0;                   ///< times the recorded pace; 0: as fast as the order allows
  double wait_seconds = 10;           ///< for a line that is due
  double seconds = 3600;              ///< for all
  bool json = false;                  ///< standard output is for the result alone
};

/// Where what the other end did first differs from the recording.
struct replay_difference {
  side peer = side::miner;
  std::uint64_t conversation = 0;
  std::string address;
  std::size_t file_line = 0;  ///< 0: of nothing that was recorded
  std::string what;           ///< for people
  std::string expected, got;
};

struct replay_result {
  std::uint64_t conversations = 0, said = 0, heard = 0;  ///< lines
  double seconds = 0;
  std::optional<replay_difference> difference;
};

/// Plays one side of a recording, or both with a proxy between, until the end or the first difference. Throws std::exception for what
/// cannot start.
[[nodiscard]] replay_result run_replay(const replay_options& options);

}  // namespace stratumload
