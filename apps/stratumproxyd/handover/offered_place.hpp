#pragma once

#include <string>
#include <vector>

#include <stratumproxy/unique_fd.hpp>

namespace stratumproxyd {

/// What a daemon leaves to the one that takes its place.
struct offered_place {
  struct listener {
    std::string address;  ///< as the configuration has it
    std::vector<stratumproxy::unique_fd> sockets;
  };
  std::vector<listener> stratum;
  listener web;
  std::string tag;
};

}  // namespace stratumproxyd
