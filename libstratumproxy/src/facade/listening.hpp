#pragma once

#include <string>
#include <vector>

#include "net/unique_fd.hpp"
#include "stratumproxy/result.hpp"

namespace stratumproxy::facade {

/// Listening sockets of one proxy, one a shard, and the address that they have.
struct listening {
  std::vector<net::unique_fd> sockets;
  std::string address;
};

/// HOST:PORT as options::address has it. A name is looked up, which may block.
[[nodiscard]] result<listening> listen_on(const std::string& address, unsigned shards);

}  // namespace stratumproxy::facade
